"""The clock of holds: who should have decided by when, and who is asked next."""

from __future__ import annotations

import pytest

from liaison.hub.holding import Escalate, HoldHours, OpenHold, count_by_owner, past_due
from liaison.hub.journal.records import microseconds
from liaison.service.hold_clock import HoldClock
from tests.hub.bench import Bench
from tests.hub.people import NOW, admission, identity, letter, reading

HOUR = 3600.0


async def one_of_each(bench: Bench) -> tuple[OpenHold, ...]:
    """A letter, an event and a message that wait for their hospital."""
    await bench.take(reading(identity("1", statuses=("DOUT",)), letter("1", "D1")))
    await bench.take(reading(*admission("2", "V2")))
    await bench.take(reading(*admission("3", "V2")))
    return bench.journal.reader.holds.open()


async def test_each_hold_is_told_with_what_it_holds(bench: Bench) -> None:
    holds = await one_of_each(bench)
    assert {(hold.what, hold.owner, hold.destination, hold.work) for hold in holds} == {
        ("letter", "hospital", "mail", "held"),
        ("event", "hospital", "platform", "held"),
        ("message", "hospital", "", ""),
    }
    assert {hold.source for hold in holds} == {"ch-test"}
    assert [hold.what for hold in bench.journal.reader.holds.open(deliveries=False)] == ["message"]
    assert "message" not in {hold.what for hold in bench.journal.reader.holds.open(messages=False)}
    assert bench.journal.reader.holds.count() == len(holds)


async def test_what_the_hospital_leaves_undecided_goes_to_the_gcs_whose_time_begins_then(bench: Bench) -> None:
    hours = HoldHours(hospital_letters=24, gcs_letters=8)
    holds = await one_of_each(bench)
    (mail,) = [hold for hold in holds if hold.what == "letter"]
    clock = HoldClock(reader=bench.journal.reader, writer=bench.journal.writer, hours=hours, clock=bench.clock)
    bench.clock.move(24 * HOUR - 1)
    assert await clock.look() == 0
    bench.clock.move(1)
    assert await clock.look() == 1 and await clock.look() == 0
    (escalated,) = [hold for hold in bench.journal.reader.holds.open() if hold.id == mail.id]
    now = microseconds(bench.clock.now)
    assert (escalated.owner, escalated.escalated_at) == ("gcs", now)
    assert hours.due(escalated) == now + 8 * 3_600_000_000
    assert count_by_owner(past_due([escalated], hours, now)) == {"hospital": 0, "gcs": 0}
    bench.clock.move(8 * HOUR)
    assert count_by_owner(past_due([escalated], hours, microseconds(bench.clock.now))) == {"hospital": 0, "gcs": 1}
    assert await clock.look() == 0, "the GCS has nobody above it"
    await bench.reopen()
    assert [hold.owner for hold in bench.journal.reader.holds.open() if hold.id == mail.id] == ["gcs"]


async def test_a_hold_is_escalated_once_and_not_when_it_is_decided(bench: Bench) -> None:
    holds = await one_of_each(bench)
    assert await bench.together(Escalate(hold=holds[0].id), Escalate(hold=holds[0].id), Escalate(hold=1)) == [True, False, False]


@pytest.mark.parametrize("what", ["letter", "event", "message"])
@pytest.mark.parametrize("owner", ["hospital", "gcs"])
def test_each_owner_has_a_time_of_its_own_for_each_kind(owner: str, what: str) -> None:
    hold = OpenHold(
        id=1, what=what, owner=owner, rule="x", reason="x", since=microseconds(NOW), escalated_at=None, message=1, source="x"
    )
    given = HoldHours().due(hold) - microseconds(NOW)
    assert given == getattr(HoldHours(), f"{owner}_{what}s") * 3_600_000_000 > 0


@pytest.mark.parametrize("hours", [0.0, -1.0, 1e9])
def test_a_clock_that_makes_no_sense_is_refused(hours: float) -> None:
    with pytest.raises(ValueError, match="gcs_letters"):
        HoldHours(gcs_letters=hours)
