"""What the journal tells of how the hub stands."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from liaison.hub.contracts import Delivered, Refused, Unavailable, Verdict
from liaison.hub.holding import Escalate, HoldHours
from liaison.hub.journal.records import AlertRecord, microseconds
from liaison.hub.journal.watching import WatchReader
from liaison.hub.watch.calendar import HOUR, Hour
from liaison.hub.watch.notes import NoteAlerts, NoteHours, Pulse
from liaison.hub.watch.traffic import Traffic
from tests.hub.bench import Bench, Clock, patient_of
from tests.hub.people import NOW, SOURCE, admission, reading, transfer

#: The hour in which the clock begins, since 1970.
FIRST = int(NOW.timestamp()) // HOUR


@pytest.fixture
def reader(bench: Bench) -> Generator[WatchReader]:
    made = WatchReader(bench.path)
    yield made
    made.close()


async def test_a_backlog_is_what_is_open_and_as_old_as_its_oldest(bench: Bench, clock: Clock, reader: WatchReader) -> None:
    assert reader.backlog("platform").deliveries == 0 and reader.backlog("platform").oldest is None
    first = await bench.take(reading(*admission("1", "V1")))
    clock.move(600)
    second = await bench.take(reading(*admission("2", "V2")))
    whole = reader.backlog("platform")
    assert whole.deliveries == sum(len(taken.decisions) for taken in (first, second))
    assert whole.oldest == int(NOW.timestamp() * 1000)
    # What is retried is still open; what was delivered is not.
    await bench.settle(await bench.claimed(patient_of(second)), Unavailable(reason="x"))
    assert reader.backlog("platform") == whole
    for _ in first.decisions:
        await bench.settle(await bench.claimed(patient_of(first)), Delivered())
    after = reader.backlog("platform")
    assert after.deliveries == len(second.decisions)
    assert after.oldest == int(NOW.timestamp() * 1000) + 600_000
    assert reader.backlog("mail").deliveries == 0


async def test_what_waits_for_a_person_is_counted_by_owner(bench: Bench, clock: Clock, reader: WatchReader) -> None:
    taken = await bench.take(reading(*admission("1", "V1")))
    await bench.settle(await bench.claimed(patient_of(taken)), Refused(code="400", reason="no"))
    clock.move(3600)
    await bench.take(reading(verdict=Verdict.QUARANTINED))
    for seconds, overdue in ((0, {}), (24 * HOUR, {"gcs": 1}), (60 * HOUR, {"gcs": 1, "hospital": 1})):
        waiting = {each.owner: each for each in reader.waiting(HoldHours(), microseconds(clock.now) + seconds * 1_000_000)}
        assert {owner: each.overdue for owner, each in waiting.items() if each.overdue} == overdue
        assert {owner: (each.holds, each.messages) for owner, each in waiting.items()} == {"gcs": (1, 0), "hospital": (1, 1)}
    # What goes to the GCS because nobody decided in time is late already.
    (held,) = [hold for hold in bench.journal.reader.holds.open() if hold.owner == "hospital"]
    await bench.commit(Escalate(hold=held.id))
    waiting = {each.owner: each for each in reader.waiting(HoldHours(), microseconds(clock.now))}
    assert (waiting["gcs"].holds, waiting["gcs"].overdue) == (2, 1)


async def test_hours_are_counted_from_the_messages_once_they_are_over(bench: Bench, clock: Clock, reader: WatchReader) -> None:
    for seconds in (0, 600, 1200):  # 09:00, 09:10, 09:30
        clock.move(seconds)
        await bench.take(reading(*transfer("1", "V1", seconds + 1)))
    traffic = Traffic(reader, clock.now)
    assert traffic.close_hours(clock.now) == ()
    assert traffic.heard(clock.now) == {SOURCE: NOW.timestamp() + 1800}
    clock.move(HOUR * 3)  # 12:30
    closed = traffic.close_hours(clock.now)
    assert closed == (
        Hour(source=SOURCE, hour=FIRST, messages=3, longest=1800, quiet=1800),
        Hour(source=SOURCE, hour=FIRST + 1, messages=0, longest=5400, quiet=5400),
        Hour(source=SOURCE, hour=FIRST + 2, messages=0, longest=9000, quiet=9000),
    )
    assert traffic.caught_up(clock.now) and traffic.close_hours(clock.now) == ()
    # Noted, they are there after a restart, and nothing is counted twice.
    await bench.commit(NoteHours(hours=closed, forget_before=FIRST))
    again = Traffic(reader, clock.now)
    assert again.close_hours(clock.now) == () and reader.hours(FIRST) == closed
    assert again.heard(clock.now) == {SOURCE: NOW.timestamp() + 1800}
    # What is too old is forgotten.
    await bench.commit(NoteHours(hours=(), forget_before=FIRST + 2))
    assert reader.hours(0) == closed[2:]


async def test_a_hub_that_was_away_counts_what_it_missed(bench: Bench, clock: Clock, reader: WatchReader) -> None:
    await bench.take(reading(*admission("1", "V1")))
    clock.move(40 * HOUR + 30)
    await bench.take(reading(*admission("2", "V2")))
    clock.move(2 * HOUR + 60)
    traffic = Traffic(reader, clock.now)
    closed = traffic.close_hours(clock.now)
    assert [hour.hour for hour in closed] == list(range(FIRST, FIRST + 42))
    assert closed[40] == Hour(source=SOURCE, hour=FIRST + 40, messages=1, longest=40 * HOUR + 30, quiet=HOUR - 30)


async def test_a_long_past_is_counted_a_part_at_a_time(bench: Bench, clock: Clock, reader: WatchReader) -> None:
    await bench.take(reading(*admission("1", "V1")))
    clock.move(100 * HOUR)
    traffic = Traffic(reader, clock.now)
    parts = [traffic.close_hours(clock.now) for _ in range(4)]
    assert [len(part) for part in parts] == [48, 48, 3, 0]
    assert traffic.caught_up(clock.now)


async def test_alerts_are_kept_as_they_are_now(bench: Bench, reader: WatchReader) -> None:
    at = microseconds(NOW)
    alert = AlertRecord(kind="silence", about=SOURCE, since=at)
    await bench.commit(NoteAlerts(alerts=(alert,)))
    assert reader.alerts(at) == (alert,)
    over = AlertRecord(kind="silence", about=SOURCE, since=at, told_step=1, told_at=at, ended_at=at + 5, end_told_at=at + 9)
    await bench.commit(NoteAlerts(alerts=(over,)))
    assert reader.alerts(at + 4) == (over,) and reader.alerts(at + 6) == ()


async def test_the_pulse_says_when_the_writer_last_committed(bench: Bench, clock: Clock, reader: WatchReader) -> None:
    assert reader.pulse() is None
    await bench.commit(Pulse())
    clock.move(5)
    await bench.commit(Pulse())
    assert reader.pulse() == microseconds(NOW) + 5_000_000
    assert bench.journal.writer.meter.age < 30 and sum(bench.journal.writer.meter.commands.counts) == 2
