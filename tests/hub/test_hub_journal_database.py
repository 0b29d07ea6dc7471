"""Opening a journal: its files, its keys, its version, and who else has it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from liaison.hub.engine import Journal
from liaison.hub.journal.database import Database, JournalError
from liaison.hub.vault.keys import KeyFileError, master_keys
from liaison.hub.vault.sealing import Vault
from liaison.hub.vault.subjects import SubjectKeys
from tests.hub.bench import KEYS, Bench, Clock, patient_of
from tests.hub.people import SOURCE, admission, identity, letter, movement, reading

OTHER = Vault(master_keys(bytes(32)))


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


async def test_its_files_are_the_owners_alone(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1")))
    modes = {path.name: path.stat().st_mode & 0o077 for path in bench.path.parent.iterdir()}
    assert len(modes) >= 3 and set(modes.values()) == {0}


async def test_another_key_file_is_refused_and_the_right_one_still_opens(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1")))
    await bench.journal.close()
    for _ in range(2):  # nothing is left open or locked by a refusal
        with pytest.raises(KeyFileError, match="pas celui de ce journal"):
            Journal(bench.path, OTHER, bench.clock)
    bench.open()
    assert bench.journal.reader.counts().messages == 1


async def test_two_hubs_never_have_one_journal(bench: Bench) -> None:
    with pytest.raises(JournalError, match="déjà ouvert"):
        Journal(bench.path, bench.vault, bench.clock)


async def test_a_journal_of_a_newer_program_is_refused(bench: Bench) -> None:
    ((newest,),) = bench.rows("SELECT version_num FROM alembic_version")
    await bench.journal.close()
    execute(bench.path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(JournalError, match="plus récente"):
        Journal(bench.path, bench.vault, bench.clock)
    execute(bench.path, f"UPDATE alembic_version SET version_num = '{newest}'")
    bench.open()


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a database, but long enough to be taken for one" * 100)
    with pytest.raises(JournalError, match="disque"):
        Journal(path, Vault(KEYS), Clock())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(JournalError, match=r"file/journal\.db"), closing(SubjectKeys(None, Vault(KEYS))) as keys:
        Database(tmp_path / "file" / "journal.db", keys, b"check")


def test_a_start_that_is_cut_off_during_a_migration_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Cut(Exception):
        pass

    def cut(*_args: object, **_options: object) -> None:
        raise Cut

    path = tmp_path / "journal.db"
    with monkeypatch.context() as patched:
        patched.setattr("alembic.op.create_index", cut)
        with pytest.raises(Cut), closing(SubjectKeys(None, Vault(KEYS))) as keys:
            Database(path, keys, b"check")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    with closing(SubjectKeys(None, Vault(KEYS))) as keys, closing(Database(path, keys, b"check")) as database:
        assert database.last_id() == 0 and database.start_incarnation() == 1


async def test_each_start_is_told_apart_and_goes_on_with_higher_ids(bench: Bench) -> None:
    first = bench.journal.incarnation
    await bench.take(reading(*admission("1", "V1")))
    given = bench.rows(
        "SELECT id FROM message UNION SELECT id FROM patient UNION SELECT id FROM stay UNION SELECT id FROM delivery"
    )
    await bench.reopen()
    assert bench.journal.incarnation == first + 1
    later = await bench.take(reading(identity("2")))
    assert int(later.answer.message_id, 16) > max(number for (number,) in given)


async def test_states_come_back_from_the_file_as_they_were(bench: Bench) -> None:
    taken = await bench.take(reading(identity("1"), movement("1", "V1"), letter("1", "D1")))
    number = patient_of(taken)
    ((document,),) = bench.rows("SELECT id FROM document")
    before = bench.journal.reader.document(document)
    await bench.reopen()
    assert bench.journal.reader.patient(number) == taken.patient
    assert before is not None and before.mailed and bench.journal.reader.document(document) == before
    again = await bench.claimed(number, "mail")
    assert again.recipient and again.token == before.mailed[0][1]


async def test_nothing_that_identifies_is_anywhere_in_the_files(bench: Bench) -> None:
    canaries = ("CANARIVILLE", "IPP777CANARI", "279034019212355", "VENUE888CANARI", "canari@medecin.mssante.test")
    name, number, matricule, visit, address = canaries
    raw = "|".join(canaries).encode() * 300  # long enough to go to the blob table too
    for size in (len(raw), 500):
        await bench.take(
            reading(
                identity(number, name=name, matricule=matricule),
                movement(number, visit, order=size),
                letter(number, f"D{size}", address),
                raw=raw[:size],
            )
        )
    await bench.journal.close()
    files = {path.name: path.read_bytes() for path in bench.path.parent.iterdir()}
    assert len(files["journal.db"]) > 10_000
    for canary in canaries:
        assert [file for file, content in files.items() if canary.encode() in content] == []
    bench.open()
    (line, *_) = bench.journal.reader.messages()
    stored = bench.journal.reader.message(int(line.id, 16))
    assert stored is not None and stored.raw == raw and stored.decisions is not None
    assert line.source == SOURCE
