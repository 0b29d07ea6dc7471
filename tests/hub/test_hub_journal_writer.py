"""Group commit: who is answered when, and what one command's failure costs the others."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy.exc import DBAPIError, OperationalError

from liaison.hub.contracts import Verdict
from liaison.hub.engine import Journal, intake, subject_keys_path
from liaison.hub.journal.database import Database
from liaison.hub.journal.records import AttemptRecord, HoldRecord, Key, Record, text_id
from liaison.hub.journal.view import Moment, NotAsked, View
from liaison.hub.journal.writer import CommandFailed, CommitUnknown
from liaison.hub.vault.subjects import SubjectErased
from tests.hub.bench import Bench, Clock, patient_of
from tests.hub.people import admission, identity, merge, reading, transfer


class Write(Protocol):
    """Writing one batch."""

    def __call__(self, _: Database, /, records: Sequence[Record], *, known: int) -> None: ...


class Note:
    """A command that records one hold, and answers its number."""

    def __init__(self, rule: str = "test.note") -> None:
        self.rule = rule

    def needs(self, view: View) -> Iterable[Key]:
        return ()

    def decide(self, view: View, moment: Moment) -> tuple[int, tuple[Record, ...]]:
        number = moment.next_id()
        hold = HoldRecord(id=number, message=0, delivery=None, owner="gcs", rule=self.rule, reason="", since=moment.now_us)
        return number, (hold,)


class Raising(Note):
    """A command whose message made it fail."""

    def decide(self, view: View, moment: Moment) -> tuple[int, tuple[Record, ...]]:
        raise ZeroDivisionError


class BadRow(Note):
    """A command whose rows the journal refuses: the second has the key of the first."""

    def decide(self, view: View, moment: Moment) -> tuple[int, tuple[Record, ...]]:
        row = AttemptRecord(delivery=1, number=1, at=0, outcome="x", reason="")
        return 0, (row, row)


class Forgetful(Note):
    """A command that looks at what it did not ask for."""

    def decide(self, view: View, moment: Moment) -> tuple[int, tuple[Record, ...]]:
        view.patient(1)
        raise AssertionError


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records each transaction wrote."""
    counts: list[int] = []
    write: Write = Database.write

    def counted(database: Database, records: Sequence[Record], *, known: int) -> None:
        write(database, records, known=known)
        counts.append(len(records))

    monkeypatch.setattr(Database, "write", counted)
    return counts


def holds(bench: Bench) -> list[str]:
    return [rule for (rule,) in bench.rows("SELECT rule FROM hold ORDER BY id")]


async def test_what_waits_is_committed_together(bench: Bench, writes: list[int]) -> None:
    answers = await bench.together(*(Note(str(number)) for number in range(20)))
    assert writes == [20] and answers == sorted(set(answers))
    assert holds(bench) == [str(number) for number in range(20)]


async def test_nobody_is_answered_before_the_commit_and_all_after_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = threading.Event(), threading.Event()
    write: Write = Database.write

    def slow(database: Database, records: Sequence[Record], *, known: int) -> None:
        begun.set()
        assert go.wait(30)
        write(database, records, known=known)

    monkeypatch.setattr(Database, "write", slow)
    waiting = [asyncio.ensure_future(bench.commit(Note())) for _ in range(3)]
    await asyncio.to_thread(begun.wait, 30)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not any(one.done() for one in waiting) and holds(bench) == []
    go.set()
    await asyncio.gather(*waiting)
    assert len(holds(bench)) == 3


async def test_a_command_that_raises_fails_alone(bench: Bench, writes: list[int]) -> None:
    first, failed, last = await bench.together(Note("a"), Raising(), Note("b"))
    assert isinstance(failed, CommandFailed) and isinstance(failed.__cause__, ZeroDivisionError)
    assert first < last and holds(bench) == ["a", "b"] and writes == [2]


async def test_a_row_that_is_refused_fails_its_command_alone(bench: Bench, writes: list[int]) -> None:
    first, failed, last = await bench.together(Note("a"), BadRow(), Note("b"))
    assert isinstance(failed, CommandFailed) and isinstance(failed.__cause__, DBAPIError)
    assert first < last and holds(bench) == ["a", "b"] and writes == [1, 1]
    assert bench.rows("SELECT * FROM attempt") == []


async def test_looking_at_what_was_not_asked_for_is_a_fault_of_the_command(bench: Bench) -> None:
    failed, noted = await bench.together(Forgetful(), Note())
    assert isinstance(failed, CommandFailed) and isinstance(failed.__cause__, NotAsked) and isinstance(noted, int)


async def test_a_state_that_does_not_open_fails_its_command_alone(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1")))
    await bench.take(reading(*admission("2", "V2")))
    erased = patient_of(await bench.take(reading(identity("1"))))
    await bench.journal.close()
    with sqlite3.connect(bench.path.with_name("journal.db-subjects")) as store:
        store.execute("DELETE FROM subject_key WHERE subject = ?", (f"{erased:016x}",))
    store.close()
    bench.open()
    failed, taken = await bench.take_together(reading(*transfer("1", "V1", 2)), reading(*transfer("2", "V2", 2)))
    assert isinstance(failed, CommandFailed) and isinstance(failed.__cause__, SubjectErased)
    assert [event.type for event in taken.events] == ["stay.transferred"]
    assert await bench.commit(Note()) > 0


async def test_what_an_earlier_command_wrote_may_lead_further_than_was_fetched(bench: Bench) -> None:
    for number in ("1", "2"):
        await bench.take(reading(identity(number)))
    await bench.reopen()  # nothing is in the cache
    merged, later = await bench.take_together(
        reading(merge("1", "2"), kind="ADT^A40"), reading(identity("2", name="NOUVEAU", minutes=2))
    )
    assert patient_of(later) == patient_of(merged)


def disk_fault() -> DBAPIError:
    cause = sqlite3.OperationalError("disk I/O error")
    cause.sqlite_errorname = "SQLITE_IOERR_FSYNC"
    return OperationalError("COMMIT", None, cause)


@pytest.mark.parametrize("written", [False, True])
async def test_after_a_disk_fault_nobody_is_answered_and_no_id_is_used_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    write: Write = Database.write
    faults = [disk_fault()]

    def failing(database: Database, records: Sequence[Record], *, known: int) -> None:
        if written or not faults:
            write(database, records, known=known)
        if faults:
            raise faults.pop()

    monkeypatch.setattr(Database, "write", failing)
    message = reading(*admission("1", "V1"))
    lost = await bench.together(intake(message, bench.policy, bench.vault), Note())
    assert [type(one) for one in lost] == [CommitUnknown, CommitUnknown]
    # The sender's retry and the duplicate check settle it, whichever it was.
    again = await bench.take(message)
    assert again.duplicate is written
    counts = bench.journal.reader.counts()
    assert (counts.messages, counts.patients, counts.holds) == (1, 1, int(written))
    await bench.take(reading(*transfer("1", "V1", 2)))
    assert bench.works() == [(1, "pending"), (2, "pending"), (3, "pending")]


async def test_a_key_that_a_crash_left_under_an_id_that_is_given_again_costs_nobody_anything(bench: Bench, tmp_path: Path) -> None:
    patient_of(await bench.take(reading(*admission("1", "V1"), control_id="A1")))
    last = bench.journal.writer.last_id
    with closing(sqlite3.connect(subject_keys_path(bench.path))) as store:
        store.executemany("INSERT INTO subject_key VALUES (?, x'00')", [(text_id(last + ahead),) for ahead in range(1, 40)])
        store.commit()
    taken = await bench.take_together(*(reading(*admission(str(n), f"V{n}"), control_id=f"A{n}") for n in range(2, 5)))
    assert [one.answer.verdict for one in taken] == [Verdict.ACCEPTED] * 3
    await bench.reopen()
    for one in taken:
        patient = bench.journal.reader.patient(patient_of(one))
        assert patient is not None and patient.id > last + 39


async def test_cancelling_the_wait_does_not_untake_the_message(bench: Bench) -> None:
    message = reading(identity("1"))
    command = intake(message, bench.policy, bench.vault)
    waiting = asyncio.ensure_future(bench.commit(command))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await bench.take(message)).duplicate


async def test_stopping_commits_what_waits_and_refuses_what_comes_later(tmp_path: Path, clock: Clock) -> None:
    bench = Bench(tmp_path, clock)
    waiting = [asyncio.ensure_future(bench.commit(Note())) for _ in range(5)]
    await asyncio.sleep(0)
    await bench.journal.close()
    assert len(await asyncio.gather(*waiting)) == len(holds(bench)) == 5
    with pytest.raises(CommandFailed, match="stopped"):
        await bench.commit(Note())


async def test_a_writer_that_was_never_started_can_be_closed(tmp_path: Path, bench: Bench) -> None:
    journal = Journal(tmp_path / "other" / "journal.db", bench.vault, bench.clock)
    with pytest.raises(RuntimeError, match="not started"):
        await journal.writer.commit(Note())
    await journal.close()


async def test_a_clock_that_breaks_costs_a_batch_and_not_the_writer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_clock: Clock) -> datetime:
        raise OSError("clock")

    with monkeypatch.context() as patched:
        patched.setattr(Clock, "__call__", broken)
        with pytest.raises(CommandFailed):
            await bench.commit(Note())
    assert await bench.commit(Note()) > 0


async def test_ids_grow_even_when_the_clock_goes_back(bench: Bench) -> None:
    first = await bench.commit(Note())
    bench.clock.move(-3600)
    second = await bench.commit(Note())
    await bench.reopen()
    third = await bench.commit(Note())
    assert first < second < third
