"""Messages in quarantine taken again: nothing is lost, nothing happens twice."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from liaison.hub.acts import CloseQuarantine
from liaison.hub.contracts import Reading, Verdict
from liaison.hub.engine import intake
from liaison.hub.intake import Taken
from liaison.hub.journal.records import number_id
from liaison.hub.replay import Replay
from tests.hub.bench import Bench, faults_of_lanes
from tests.hub.people import admission, merge, reading, transfer

LARGE = b"x" * 40_000


async def quarantined(bench: Bench, raw: bytes = b"MSH|") -> tuple[Reading, Taken]:
    """A message under another patient's visit number."""
    await bench.take(reading(*admission("1", "V1")))
    message = reading(*transfer("2", "V1", 2), control_id="Q1", content=b"q1", raw=raw)
    taken = await bench.take(message)
    assert taken.answer.verdict is Verdict.QUARANTINED
    return message, taken


def replay(bench: Bench, message: Reading, taken: Taken) -> Replay:
    hold = bench.journal.reader.holds.find(number_id(taken.answer.message_id))
    assert hold is not None and hold.delivery is None
    return Replay(hold=hold.id, intake=replace(intake(message, bench.policy, bench.vault), replays=hold.message))


def raws(bench: Bench) -> dict[str, bytes | None]:
    found = (bench.journal.reader.message(number) for (number,) in bench.rows("SELECT id FROM message"))
    return {one.line.id: one.raw for one in found if one is not None}


async def test_what_is_still_wrong_changes_nothing(bench: Bench) -> None:
    message, taken = await quarantined(bench)
    again = await bench.commit(replay(bench, message, taken))
    assert again is not None and again.answer.verdict is Verdict.QUARANTINED
    assert bench.journal.reader.counts().messages == 2 and bench.journal.reader.counts().holds == 1
    assert raws(bench)[taken.answer.message_id] == b"MSH|"


@pytest.mark.parametrize("raw", [b"MSH|", LARGE])
async def test_once_put_right_it_is_taken_under_a_row_of_its_own(bench: Bench, raw: bytes) -> None:
    message, taken = await quarantined(bench, raw)
    command = replay(bench, message, taken)
    await bench.take(reading(merge("1", "2"), kind="ADT^A40"))
    first, second = await bench.together(command, command)
    assert isinstance(first, Taken) and first.answer.verdict is Verdict.ACCEPTED and second is None
    assert [event.type for event in first.events] == ["stay.transferred"] and first.wake
    old, new = taken.answer.message_id, first.answer.message_id
    # The bytes are kept once, sealed for whom they are about.
    kept = raws(bench)
    assert kept[new] == raw and kept[old] == b""
    assert bench.rows("SELECT outcome, successor FROM hold WHERE message = ?", number_id(old)) == [("replayed", number_id(new))]
    # The hospital sends it once more: it is told what became of it, in this run and after a restart.
    for _ in range(2):
        resent = await bench.take(message)
        assert resent.duplicate and resent.answer == first.answer
        await bench.reopen()
    assert faults_of_lanes(bench.path) == []


async def test_what_a_person_closed_is_not_replayed(bench: Bench) -> None:
    message, taken = await quarantined(bench)
    command = replay(bench, message, taken)
    await bench.take(reading(merge("1", "2"), kind="ADT^A40"))
    assert await bench.together(CloseQuarantine(hold=command.hold), CloseQuarantine(hold=command.hold), command) == [
        True,
        False,
        None,
    ]
    assert bench.journal.reader.counts().holds == 0
