"""Restoring a backup: everything stopped, nothing lost that was in it, nobody brought back."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from liaison.hub.engine import Journal, alone, intake, subject_keys_path
from liaison.hub.journal.backup import JOURNAL, SUBJECTS, BackupError, back_up
from liaison.hub.journal.database import JournalError
from liaison.hub.journal.records import text_id
from liaison.hub.journal.restore import restored_at, restoring_path
from liaison.hub.journal.verify import verify
from liaison.hub.switches import DELIVERIES
from liaison.hub.vault.keys import KeyFileError, create_keys, export_keys, load_keys
from liaison.hub.vault.ledger import Ledger
from liaison.hub.vault.rotation import rotate
from liaison.hub.vault.sealing import Vault
from liaison.service.configuration import Configuration
from liaison.service.loader import read_configuration
from liaison.service.restoring import Restored, restore
from liaison.service.running import StartError, open_journal
from tests.hub.bench import Clock, faults_of_lanes, patient_of, policy
from tests.hub.people import NOW, admission, reading

CONFIGURATION = """\
[hub]
journal = "sqlite:///data/journal.db"
keys = "file:safe/keys"

[sources.ch-test]
kind = "memory"
finess = "400011177"

[sources.ch-silent]
kind = "memory"
finess = "400011185"
"""


def told(part: str, done: int, total: int) -> None:
    """Nobody looks on."""


class Place:
    """A configured hub's folders, and its journal while it is open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configuration: Configuration = read_configuration(CONFIGURATION, path=None, folder=folder)
        self.path = self.configuration.journal_path
        self.store = subject_keys_path(self.path)
        create_keys(self.configuration.keys_path)

    def journal(self) -> Journal:
        journal = open_journal(self.configuration, Vault(load_keys(self.configuration.keys_path)), Clock())
        journal.writer.start()
        return journal

    async def take(self, *numbers: int) -> dict[int, int]:
        """Take admissions; patients by number."""
        journal = self.journal()
        try:
            taken = {
                number: await journal.writer.commit(
                    intake(reading(*admission(str(number), f"V{number}"), control_id=f"A{number}"), policy(), journal.vault)
                )
                for number in numbers
            }
        finally:
            await journal.close()
        return {number: patient_of(one) for number, one in taken.items()}

    async def erase(self, patient: int) -> None:
        journal = self.journal()
        try:
            assert await journal.eraser.erase(patient) is not None
        finally:
            await journal.close()

    def back_up(self, name: str = "backup") -> Path:
        back_up(self.path, self.store, self.folder / name, now=NOW, program="0", progress=told)
        return self.folder / name

    async def restore(self, folder: Path, *, replace: bool = False, former_keys: Path | None = None) -> Restored:
        return await restore(self.configuration, folder, replace=replace, former_keys=former_keys, now=NOW, progress=told)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.path)) as database:
            return database.execute(query).fetchall()

    def lose_the_disk(self) -> None:
        shutil.rmtree(self.path.parent)

    def faults(self) -> list[str]:
        vault = Vault(load_keys(self.configuration.keys_path))
        found = verify(self.path, self.store, vault, everything=True, progress=told)
        return [complaint.what for complaint in found.complaints]


@pytest.fixture
def place(tmp_path: Path) -> Generator[Place]:
    yield Place(tmp_path)


async def test_after_the_disk_died_all_that_was_backed_up_is_there_and_nothing_leaves(place: Place) -> None:
    await place.take(1, 2, 3)
    folder = place.back_up()
    place.lose_the_disk()
    done = await place.restore(folder)
    assert place.rows("SELECT control_id FROM message ORDER BY id") == [("A1",), ("A2",), ("A3",)]
    assert place.faults() == []
    assert done.uncertain == 6 and place.rows("SELECT DISTINCT work FROM delivery") == [("uncertain",)]
    assert restored_at(place.path) == NOW.isoformat()
    known = done.sources["ch-test"]
    assert known is not None and known.control_id == "A3" and done.sources["ch-silent"] is None
    journal = place.journal()
    try:
        assert DELIVERIES in journal.reader.switches()
        assert journal.reader.counts().messages == 3
        again = await journal.writer.commit(intake(reading(*admission("1", "V1")), policy(), journal.vault))
        assert not again.findings
    finally:
        await journal.close()
    assert {path.name for path in place.path.parent.iterdir()} >= {"journal.db", "journal.db-subjects"}
    assert not list(place.path.parent.glob("*restoring*"))


async def test_over_a_journal_that_holds_something_it_is_refused_or_that_one_is_moved_aside(place: Place) -> None:
    await place.take(1)
    folder = place.back_up()
    await place.take(2)
    with pytest.raises(BackupError, match="--replace"):
        await place.restore(folder)
    assert len(place.rows("SELECT id FROM message")) == 2
    done = await place.restore(folder, replace=True)
    assert len(place.rows("SELECT id FROM message")) == 1 and place.faults() == []
    (journal,) = [Path(name) for name in done.aside if Path(name).name.startswith("journal.db.replaced-")]
    with closing(sqlite3.connect(journal)) as database:
        assert database.execute("SELECT count(*) FROM message").fetchone() == (2,)


async def test_while_a_hub_has_the_journal_nothing_is_done(place: Place) -> None:
    await place.take(1)
    folder = place.back_up()
    with alone(place.path), pytest.raises(JournalError, match="déjà ouvert"):
        await place.restore(folder, replace=True)


async def test_whoever_was_erased_since_stays_erased_though_the_disk_died(place: Place) -> None:
    patients = await place.take(1, 2)
    folder = place.back_up()
    await place.erase(patients[1])
    place.lose_the_disk()
    done = await place.restore(folder)
    assert done.erased_again == 1
    assert place.rows("SELECT id FROM patient") == [(patients[2],)]
    assert place.faults() == []
    with closing(sqlite3.connect(place.store)) as store:
        assert [row[0] for row in store.execute("SELECT subject FROM erased")] == [text_id(patients[1])]
        assert text_id(patients[1]) not in [row[0] for row in store.execute("SELECT subject FROM subject_key")]
    with closing(sqlite3.connect(folder / SUBJECTS)) as older:
        ((wrapped,),) = older.execute("SELECT wrapped FROM subject_key WHERE subject = ?", (text_id(patients[1]),))
    left = b"".join(path.read_bytes() for path in place.path.parent.iterdir())
    assert wrapped[12:] not in left, "the key came back with the backup"


async def test_an_erasure_that_only_the_old_store_knows_is_kept_too(place: Place) -> None:
    patients = await place.take(1, 2)
    folder = place.back_up()
    await place.erase(patients[1])
    place.configuration.ledger_path.unlink()
    done = await place.restore(folder, replace=True)
    assert done.erased_again == 1
    assert set(Ledger(place.configuration.ledger_path).read()) == {text_id(patients[1])}


async def test_keys_that_were_rotated_since_need_the_former_file(place: Place) -> None:
    await place.take(1)
    folder = place.back_up()
    keys = place.configuration.keys_path
    export_keys(place.folder / "former", load_keys(keys))
    rotate(keys, place.store, lambda done, total: None)
    place.lose_the_disk()
    with pytest.raises(KeyFileError, match="--former-keys"):
        await place.restore(folder)
    await place.restore(folder, former_keys=place.folder / "former")
    assert place.faults() == []


async def test_another_journals_keys_are_refused(place: Place) -> None:
    await place.take(1)
    folder = place.back_up()
    place.lose_the_disk()
    place.configuration.keys_path.unlink()
    create_keys(place.configuration.keys_path)
    with pytest.raises(KeyFileError, match="coffre"):
        await place.restore(folder)


@pytest.mark.parametrize("name", [JOURNAL, SUBJECTS])
async def test_a_damaged_backup_changes_nothing(place: Place, name: str) -> None:
    await place.take(1)
    folder = place.back_up()
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BackupError, match="abîmée"):
        await place.restore(folder, replace=True)
    assert len(place.rows("SELECT id FROM message")) == 1


async def test_until_it_is_finished_no_hub_starts(place: Place) -> None:
    await place.take(1)
    folder = place.back_up()
    place.lose_the_disk()
    place.path.parent.mkdir()
    restoring_path(place.path).touch()
    with pytest.raises(StartError, match="journal restore"):
        place.journal()
    await place.restore(folder)
    journal = place.journal()
    await journal.close()


def test_killed_at_any_moment_it_is_done_again_and_never_half_done(tmp_path: Path) -> None:
    place = Place(tmp_path)
    patients = asyncio.run(place.take(*range(40)))
    folder = place.back_up()
    asyncio.run(place.erase(patients[7]))
    asyncio.run(place.take(*range(40, 60)))
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    finished = 0
    for _ in range(15):
        child = os.fork()
        if child == 0:
            try:
                asyncio.run(place.restore(folder, replace=True))
                os._exit(0)
            finally:
                os._exit(1)
        time.sleep(chance.uniform(0.0, 0.25))  # a moment that nobody chose
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        finished += os.WIFEXITED(status)
        if not restoring_path(place.path).exists():
            # Before or after, but one of them whole.
            count = place.rows("SELECT count(*) FROM message")
            assert count in ([(40,)], [(60,)]), f"seed {seed}"
            assert place.faults() == [], f"seed {seed}"
    asyncio.run(place.restore(folder, replace=True))
    assert place.rows("SELECT count(*) FROM message") == [(40,)] and place.faults() == []
    assert place.rows(f"SELECT count(*) FROM patient WHERE id = {patients[7]}") == [(0,)]
    assert set(faults_of_lanes(place.path)) <= {"work behind the head"}, f"seed {seed}"
