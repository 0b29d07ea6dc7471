"""Backups of a journal that is being written, and what verification finds in them."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from liaison.hub.contracts import Delivered
from liaison.hub.engine import Journal, subject_keys_path
from liaison.hub.journal.backup import JOURNAL, MANIFEST, SUBJECTS, BackupError, Manifest, back_up, copy_database, read_manifest
from liaison.hub.journal.verify import Verified, verify
from liaison.hub.vault.keys import KeyFileError, master_keys
from liaison.hub.vault.sealing import Vault
from tests.hub.bench import KEYS, Bench, patient_of
from tests.hub.people import NOW, admission, identity, letter, movement, reading


def told(part: str, done: int, total: int) -> None:
    """Nobody looks on."""


def backup_of(bench: Bench, folder: Path) -> Manifest:
    return back_up(bench.path, subject_keys_path(bench.path), folder, now=NOW, program="0", progress=told)


def verified(journal: Path, store: Path, *, everything: bool = True) -> Verified:
    return verify(journal, store, Vault(KEYS), everything=everything, progress=told)


async def lived(bench: Bench) -> None:
    """A journal with every kind of row: stays, a letter held and one delivered, a large message, one that nobody is in."""
    for number in range(4):
        await bench.take(reading(*admission(str(number), f"V{number}"), control_id=f"A{number}"))
    taken = await bench.take(reading(identity("1"), letter("1", "D1"), control_id="L1", raw=b"L" * 40_000))
    await bench.take(reading(control_id="nobody"))
    delivery = await bench.claimed(patient_of(taken))
    await bench.settle(delivery, Delivered())


async def test_a_backup_is_whole_private_and_says_what_it_is(bench: Bench, tmp_path: Path) -> None:
    await lived(bench)
    folder = tmp_path / "deep" / "backup"
    manifest = backup_of(bench, folder)
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == dict.fromkeys(
        (JOURNAL, SUBJECTS, MANIFEST), 0o600
    )
    assert folder.stat().st_mode & 0o777 == 0o700
    assert read_manifest(folder) == manifest
    assert (manifest.messages, manifest.incarnation, manifest.key_check) == (6, 1, KEYS.check_value.hex())
    ((newest,),) = bench.rows("SELECT max(id) FROM delivery")
    assert int(manifest.highest_id, 16) >= newest
    found = verified(folder / JOURNAL, folder / SUBJECTS)
    assert found.whole and found.opened > 20 and not found.erased


async def test_no_secret_of_the_key_file_is_in_it(bench: Bench, tmp_path: Path) -> None:
    await lived(bench)
    backup_of(bench, tmp_path / "backup")
    content = b"".join(path.read_bytes() for path in (tmp_path / "backup").iterdir())
    for secret in (KEYS.derivation, KEYS.wrapping, KEYS.blind_index, KEYS.content_digest):
        assert secret not in content and secret.hex().encode() not in content


async def test_a_backup_never_goes_over_another(bench: Bench, tmp_path: Path) -> None:
    await lived(bench)
    backup_of(bench, tmp_path / "backup")
    with pytest.raises(BackupError, match="pas vide"):
        backup_of(bench, tmp_path / "backup")


async def test_while_keys_are_rotated_there_is_none(bench: Bench, tmp_path: Path) -> None:
    await lived(bench)
    with closing(sqlite3.connect(subject_keys_path(bench.path))) as store:
        store.execute("INSERT INTO wrapping VALUES ('retiring', x'00')")
        store.commit()
    with pytest.raises(BackupError, match="renouvellement"):
        backup_of(bench, tmp_path / "backup")
    with pytest.raises(BackupError, match="pas une sauvegarde finie"):
        read_manifest(tmp_path / "backup")


async def test_a_writer_that_goes_on_neither_stops_the_copy_nor_starts_it_again(bench: Bench, tmp_path: Path) -> None:
    await lived(bench)
    with closing(sqlite3.connect(bench.path)) as database:  # so that there is something to copy
        database.execute("CREATE TABLE ballast (content BLOB)")
        database.executemany("INSERT INTO ballast VALUES (?)", [(bytes(9_000),)] * 8_000)
        database.commit()
    steps: list[int] = []
    loop = asyncio.get_running_loop()

    def stepped(done: int, total: int) -> None:
        steps.append(done)
        number = len(steps)
        taken = bench.take(reading(*admission(f"9{number}", f"W{number}"), control_id=f"W{number}"))
        asyncio.run_coroutine_threadsafe(taken, loop).result(30)

    await asyncio.to_thread(copy_database, bench.path, tmp_path / "copy.db", stepped)
    assert len(steps) > 3 and steps == sorted(set(steps)), "it went back"
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copied:
        assert copied.execute("SELECT count(*) FROM message").fetchone() == (6,), "not one moment's journal"
        assert copied.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert bench.journal.reader.counts().messages == 6 + len(steps)


async def test_a_live_journal_is_verified_beside_its_writer(bench: Bench) -> None:
    await lived(bench)
    found = verified(bench.path, subject_keys_path(bench.path), everything=False)
    assert found.whole and found.opened > 20
    await bench.take(reading(identity("1"), movement("1", "V1", trigger="A02", order=2), control_id="later"))


async def test_other_keys_do_not_pass(bench: Bench) -> None:
    await lived(bench)
    with pytest.raises(KeyFileError):
        verify(bench.path, subject_keys_path(bench.path), Vault(master_keys(bytes(32))), everything=True, progress=told)


#: What is done to a journal, and what verification says of it.
HARM: dict[str, str] = {
    "DELETE FROM message WHERE control_id = 'A1'": "sans son message",
    "DELETE FROM event WHERE patient = (SELECT min(patient) FROM event)": "l'événement manque",
    "DELETE FROM patient WHERE id = (SELECT min(id) FROM patient)": "séjour sans son patient",
    "DELETE FROM delivery WHERE work = 'submitted'": "un trou",
    "UPDATE lane SET head = head + 1 WHERE patient = (SELECT min(patient) FROM lane)": "tête",
    "UPDATE lane SET due = NULL": "échéance",
    "UPDATE lane SET last = last - 1, head = 1": "numéro de trop",
    "DELETE FROM lane": "hors de toute file",
    "UPDATE delivery SET lane_seq = NULL WHERE work = 'pending'": "sans place",
    "UPDATE patient SET state = zeroblob(200) WHERE id = (SELECT max(id) FROM patient)": "ne s'ouvre pas",
    "UPDATE stay SET state = (SELECT state FROM stay ORDER BY id LIMIT 1)": "ne s'ouvre pas",
    "UPDATE blob SET body = substr(body, 1, 100)": "ne s'ouvre pas",
    "UPDATE meta SET value = x'00' WHERE name = 'key-check'": "pas celui de ce journal",
    "DELETE FROM keys.subject_key WHERE subject LIKE 'source:%'": "la clé manque",
    "DELETE FROM keys.subject_key WHERE subject NOT LIKE 'source:%'": "patient sans sa clé",
}


@pytest.mark.parametrize("harm", HARM)
async def test_what_is_wrong_is_found(bench: Bench, tmp_path: Path, harm: str) -> None:
    await lived(bench)
    folder = tmp_path / "backup"
    backup_of(bench, folder)
    with closing(sqlite3.connect(folder / JOURNAL)) as database:
        database.execute("ATTACH ? AS keys", (str(folder / SUBJECTS),))
        assert database.execute(harm).rowcount > 0
        database.commit()
    found = verified(folder / JOURNAL, folder / SUBJECTS)
    assert any(HARM[harm] in complaint.what for complaint in found.complaints), [one.what for one in found.complaints]


async def test_a_file_that_is_torn_is_found(bench: Bench, tmp_path: Path) -> None:
    await lived(bench)
    backup_of(bench, tmp_path / "backup")
    path = tmp_path / "backup" / JOURNAL
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 8_192] = bytes(8_192)
    path.write_bytes(content)
    assert not verified(path, tmp_path / "backup" / SUBJECTS).whole


async def test_a_journal_made_anew_from_it_is_the_same(bench: Bench, tmp_path: Path) -> None:
    await lived(bench)
    backup_of(bench, tmp_path / "backup")
    before = bench.journal.reader.counts()
    place = tmp_path / "other" / "journal.db"
    place.parent.mkdir()
    (tmp_path / "backup" / JOURNAL).rename(place)
    (tmp_path / "backup" / SUBJECTS).rename(subject_keys_path(place))
    journal = Journal(place, Vault(KEYS), bench.clock)
    try:
        journal.writer.start()
        assert journal.reader.counts() == before
    finally:
        await journal.close()
