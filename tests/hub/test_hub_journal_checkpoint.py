"""The write-ahead log: it begins again while the hub writes, and nobody waits for a reader."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from liaison.hub.journal.database import Database
from liaison.hub.vault.sealing import Vault
from liaison.hub.vault.subjects import SubjectKeys
from tests.hub.bench import KEYS, Bench
from tests.hub.people import identity, reading


def sequence(log: Path) -> int:
    """How often the log has begun again (SQLite file format §4.1, checkpoint sequence number)."""
    return int.from_bytes(log.read_bytes()[12:16], "big")


async def test_the_log_begins_again_while_messages_come(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liaison.hub.journal.checkpoint._WORTH", 20)
    log = bench.path.with_name("journal.db-wal")
    await bench.take(reading(identity("0")))
    first, number = sequence(log), 0
    while sequence(log) < first + 2:
        number += 1
        await bench.take(reading(identity(str(number))))
    assert bench.journal.reader.counts().messages == number + 1


def test_a_reader_holds_the_log_and_not_the_writer(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with closing(SubjectKeys(None, Vault(KEYS))) as keys, closing(Database(path, keys, b"check")) as database:
        with closing(sqlite3.connect(path)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM message").fetchall()
            database.start_incarnation()
            assert database.restart_log() is False
        assert database.restart_log() is True
        assert database.start_incarnation() == 2
