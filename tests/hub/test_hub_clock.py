"""A clock that is set back or forward: nothing that waits hangs, ids go on, and the log tells."""

from __future__ import annotations

import structlog

from liaison.hub.claims import Claimed, NotNow
from liaison.hub.clock import ClockWatch
from liaison.hub.contracts import Unavailable
from liaison.hub.journal.records import microseconds
from tests.hub.bench import Bench, faults_of_lanes, patient_of
from tests.hub.people import admission, reading

HOUR = 3_600.0
DOWN = Unavailable(reason="connexion refusée")


class Watching:
    """A watch beside a clock that nobody sets, which goes as far as the test says."""

    def __init__(self, bench: Bench, last_id: int = 0) -> None:
        self.elapsed = 0.0
        self.woken: set[tuple[str, int]] = set()
        self.watch = ClockWatch(
            reader=bench.journal.reader,
            writer=bench.journal.writer,
            clock=bench.clock,
            last_id=last_id,
            wake=lambda destination, patient: self.woken.add((destination, patient)),
            elapsed=lambda: self.elapsed,
        )

    async def look(self) -> list[tuple[str, int]]:
        """What it tells at one look."""
        with structlog.testing.capture_logs() as logs:
            await self.watch.look()
        return [(entry["event"], entry.get("seconds", entry.get("deliveries", 0))) for entry in logs]


async def waiting(bench: Bench, ipp: str = "1") -> int:
    """A patient of whose two deliveries the first is to be tried again in a second or two."""
    patient = patient_of(await bench.take(reading(*admission(ipp, f"V{ipp}"))))
    await bench.settle(await bench.claimed(patient), DOWN)
    return patient


async def test_what_waits_when_the_clock_is_set_back_waits_no_longer_for_it(bench: Bench) -> None:
    watching = Watching(bench)
    assert await watching.look() == []
    patient = await waiting(bench)
    bench.clock.move(-HOUR)
    watching.elapsed += 5.0
    late = await bench.claim(patient)
    assert isinstance(late, NotNow) and late.due is not None and late.due > microseconds(bench.clock.now) + 3_000_000_000
    assert await watching.look() == [("hub.clock_stepped", -3605), ("hub.clock_followed", 2)]
    assert watching.woken == {("platform", patient)}
    bench.clock.move(2.0)
    watching.elapsed += 2.0
    assert isinstance(await bench.claim(patient), Claimed)
    assert await watching.look() == []
    assert faults_of_lanes(bench.path) == []


async def test_a_clock_that_is_set_forward_is_told_and_what_waits_is_due(bench: Bench) -> None:
    watching = Watching(bench)
    await watching.look()
    patient = await waiting(bench)
    bench.clock.move(HOUR)
    assert await watching.look() == [("hub.clock_stepped", 3600)]
    assert isinstance(await bench.claim(patient), Claimed)


async def test_a_clock_that_is_kept_right_by_a_few_seconds_is_nothing_to_tell(bench: Bench) -> None:
    watching = Watching(bench)
    await watching.look()
    for seconds in (7.0, 3.0, -20.0):
        bench.clock.move(seconds)
        watching.elapsed += 5.0
        assert await watching.look() == []


async def test_a_hub_that_starts_before_what_its_journal_says_follows_too_and_its_ids_go_on(bench: Bench) -> None:
    patients = [await waiting(bench, str(number)) for number in range(1, 4)]
    before = bench.journal.writer.last_id
    bench.clock.move(-HOUR)
    await bench.reopen()
    assert bench.journal.writer.last_id == before, "it is the journal's highest"
    watching = Watching(bench, last_id=bench.journal.writer.last_id)
    assert await watching.look() == [("hub.clock_behind_journal", 3600), ("hub.clock_followed", 6)]
    bench.clock.move(2.0)
    for patient in patients:
        assert isinstance(await bench.claim(patient), Claimed)
    newer = await bench.take(reading(*admission("9", "V9")))
    ids = [number for (number,) in bench.rows("SELECT id FROM message ORDER BY rowid")]
    assert ids == sorted(set(ids)) and ids[-1] > before and newer.answer.message_id


async def test_a_lease_that_was_told_in_the_clock_before_ends_in_time(bench: Bench) -> None:
    watching = Watching(bench)
    await watching.look()
    patient = patient_of(await bench.take(reading(*admission("1", "V1"))))
    first = await bench.claimed(patient)
    bench.clock.move(-HOUR)
    await watching.look()
    bench.clock.move(61.0)
    again = await bench.claimed(patient)
    assert (again.id, again.epoch) == (first.id, 2)
