"""The engine: from a source's bytes to the answer."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest

from liaison.hl7.acknowledgement import read_ack
from liaison.hub.contracts import Reading, Sender, Verdict
from liaison.hub.engine import Engine, Journal
from liaison.hub.intake import Intake, Taken
from liaison.hub.journal.database import JournalError
from liaison.hub.journal.records import Key
from liaison.hub.journal.view import View
from liaison.hub.parcels import EventShelf
from liaison.hub.vault.sealing import Vault
from tests.hub.bench import KEYS, Bench, Clock, rules
from tests.hub.er7 import ADMISSION, adt, letter_message
from tests.hub.people import SOURCE, admission, reading

SENDER = Sender(source=SOURCE)


class Observed:
    """An engine, and what it showed."""

    def __init__(self, bench: Bench) -> None:
        self.seen: list[tuple[Reading, Taken]] = []
        self.shelf = EventShelf()
        self.engine = Engine(
            journal=bench.journal,
            policy=bench.policy,
            clock=bench.clock,
            shelf=self.shelf,
            observe=lambda reading, taken: self.seen.append((reading, taken)),
        )


@pytest.fixture
def observed(bench: Bench) -> Observed:
    return Observed(bench)


async def test_a_message_is_in_the_journal_when_it_is_answered(bench: Bench, observed: Observed) -> None:
    answer = await observed.engine.receive(ADMISSION, SENDER)
    assert (answer.verdict, read_ack(answer.reply).control_id) == (Verdict.ACCEPTED, "C1")
    ((_, taken),) = observed.seen
    assert [event.type for event in taken.events] == ["identity.created", "stay.admitted"]
    assert all(observed.shelf.get(event.id) == event for event in taken.events)
    assert bench.journal.reader.find_messages("C1") == (int(answer.message_id, 16),)


async def test_a_resend_gets_the_same_bytes_and_is_not_shown_again(observed: Observed) -> None:
    first = await observed.engine.receive(ADMISSION, SENDER)
    again = await observed.engine.receive(adt(MSH_7="20261122235959"), SENDER)
    assert again == first and len(observed.seen) == 1


async def test_many_at_once_are_all_answered_each_for_itself(bench: Bench, observed: Observed) -> None:
    messages = [
        adt(MSH_10=f"C{n}", PID_3=f"{n % 7}^^^CH&400011177&M^PI", PV1_19=f"V{n % 7}^^^CH&400011177&M^VN") for n in range(100)
    ]
    answers = await asyncio.gather(*(observed.engine.receive(message, SENDER) for message in messages))
    assert [read_ack(answer.reply).control_id for answer in answers] == [f"C{n}" for n in range(100)]
    counts = bench.journal.reader.counts()
    assert (counts.messages, counts.patients, counts.stays) == (100, 7, 7)


async def test_a_large_letter_is_taken_like_any_other(bench: Bench, observed: Observed) -> None:
    raw = letter_message()
    large = raw + b"NTE|1||" + b"x" * 100_000 + b"\r"
    answer = await observed.engine.receive(large, SENDER)
    stored = bench.journal.reader.message(int(answer.message_id, 16))
    assert stored is not None and stored.raw == large and len(bench.rows("SELECT id FROM blob")) == 1


async def test_a_fault_of_ours_keeps_the_message_whole(bench: Bench, observed: Observed, monkeypatch: pytest.MonkeyPatch) -> None:
    needs: Callable[[Intake, View], Iterable[Key]] = Intake.needs

    def faulty(command: Intake, view: View) -> Iterable[Key]:
        if command.reading.facts:
            raise ZeroDivisionError
        return needs(command, view)

    monkeypatch.setattr(Intake, "needs", faulty)
    answer = await observed.engine.receive(ADMISSION, SENDER)
    assert (answer.verdict, read_ack(answer.reply).code) == (Verdict.QUARANTINED, "AA")
    ((_, taken),) = observed.seen
    assert "hub.fault" in rules(taken.findings)
    stored = bench.journal.reader.message(int(answer.message_id, 16))
    assert stored is not None and stored.raw == ADMISSION
    assert bench.rows("SELECT rule FROM hold") == [("hub.fault",)]


async def test_a_fault_of_the_reading_keeps_the_message_whole(
    bench: Bench, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_args: object, **_options: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr("liaison.hub.reading.interpret", faulty)
    answer = await observed.engine.receive(ADMISSION, SENDER)
    assert answer.verdict is Verdict.QUARANTINED
    stored = bench.journal.reader.message(int(answer.message_id, 16))
    assert stored is not None and stored.raw == ADMISSION


async def test_what_was_taken_wakes_its_lanes(bench: Bench, observed: Observed, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[tuple[str, int]] = []

    class Listening:
        def wake(self, destination: str, patient: int) -> None:
            woken.append((destination, patient))

    observed.engine.dispatch_with(Listening())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await observed.engine.receive(ADMISSION, SENDER)
    assert woken == [(destination, patient) for patient, destination in bench.rows("SELECT patient, destination FROM lane")]


def test_a_shelf_is_bounded(observed: Observed) -> None:
    assert repr(observed.shelf) == "<EventShelf 0>"


async def test_a_journal_begun_with_tests_does_not_start_in_production(tmp_path: Path, clock: Clock) -> None:
    vault = Vault(KEYS)
    await Journal(tmp_path / "tests.db", vault, clock).close()
    with pytest.raises(JournalError, match=r"commencé dans un territoire « test ».*neuf"):
        Journal(tmp_path / "tests.db", vault, clock, territory="production")
    await Journal(tmp_path / "real.db", vault, clock, territory="production").close()
    await Journal(tmp_path / "real.db", vault, clock, territory="production").close()
    with pytest.raises(JournalError, match="production"):
        Journal(tmp_path / "real.db", vault, clock)


async def test_a_journal_of_before_territories_were_noted_is_one_of_tests(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1")))
    await bench.journal.close()
    with closing(sqlite3.connect(bench.path)) as connection:
        connection.execute("DELETE FROM meta WHERE name = 'territory'")
        connection.commit()
    with pytest.raises(JournalError, match="« test »"):
        Journal(bench.path, bench.vault, bench.clock, territory="production")
    bench.open()
