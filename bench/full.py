"""The burst on an empty journal, and again on the same journal grown to years of messages."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import Table as JournalTable

from bench import generator
from bench.hub import hub_in
from bench.processes import Meter
from bench.report import Table
from liaison.hub.engine import subject_keys_path
from liaison.hub.journal import schema

FULL = Table(
    "messages in the journal",
    "journal, GB",
    "start s",
    "acknowledged/s",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "peak memory RSS / PSS, MB",
    "missing",
)
#: What grows with traffic, and columns that are ids.
_GROWN = (
    schema.message,
    schema.seen,
    schema.patient,
    schema.identifier,
    schema.stay,
    schema.event,
    schema.lane,
    schema.delivery,
    schema.attempt,
    schema.receipt,
)
_IDS = frozenset({"id", "message", "patient", "delivery", "document"})
#: A day, in ids.
_DAY = 86_400_000 << 20


def full(work: Path, seconds: float, messages: int, *, connections: int = 64) -> None:
    """Two rows: empty, and with ``messages`` of other people in the journal."""
    program = generator.build(work)
    folder = work / "full"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    journal = folder / "liaison-data" / "journal.db"
    FULL.head()
    for grown in (False, True):
        before = grow(journal, messages) if grown else 0
        newest = _newest(journal) if grown else 0
        acked = work / "acked.ids"
        acked.unlink(missing_ok=True)
        began = time.monotonic()
        with hub_in(folder) as hub, Meter(hub.process.pid) as whole:
            started = time.monotonic() - began
            result = generator.load(program, hub.port, connections=connections, seconds=seconds, acked=acked)
            if not grown:
                hub.drain()
        FULL.row(
            f"{before:,}",
            f"{journal.stat().st_size / 1e9:.1f}",
            f"{started:.1f}",
            f"{result['per_second']:,.0f}",
            f"{result['p50_ms']:.1f}",
            f"{result['p95_ms']:.1f}",
            f"{result['p99_ms']:.1f}",
            f"{whole.rss:.0f} / {whole.pss:.0f}",
            len(set(acked.read_text("ascii").split()) - _taken(journal, newest)),
        )
    shutil.rmtree(folder)


def grow(journal: Path, messages: int) -> int:
    """Copy what a journal holds, each time a day further back and under identifiers of nobody else; how many messages it has then."""
    copies = -(-messages // _count(journal))
    with closing(sqlite3.connect(journal, isolation_level=None)) as database:
        for pragma in ("journal_mode=DELETE", "journal_mode=OFF", "synchronous=OFF", "cache_size=-2000000"):
            database.execute(f"PRAGMA {pragma}")
        database.execute("UPDATE identifier SET blind = randomblob(32)")
        for table in _GROWN:
            database.execute(f"CREATE TEMP TABLE sample_{table.name} AS SELECT * FROM {table.name}")
        for copy in range(1, copies):
            database.execute("BEGIN")
            for table in _GROWN:
                columns = ", ".join(_copied(table, column.name, copy) for column in table.columns)
                database.execute(f"INSERT INTO {table.name} SELECT {columns} FROM sample_{table.name}")
            database.execute("COMMIT")
    with closing(sqlite3.connect(subject_keys_path(journal), isolation_level=None)) as store:
        store.execute("CREATE TEMP TABLE sample AS SELECT * FROM subject_key")
        for copy in range(1, copies):
            store.execute("INSERT INTO subject_key SELECT ? || subject, wrapped FROM sample", (f"{copy:03}",))
    return _count(journal)


def _copied(table: JournalTable, column: str, copy: int) -> str:
    if column in _IDS:
        return f"{column} - {copy * _DAY}"
    if column == "day":
        number = {schema.event: "message", schema.attempt: "delivery", schema.receipt: "delivery"}.get(table, "id")
        return f"CAST(strftime('%Y%m%d', (({number} - {copy * _DAY}) >> 20) / 1000, 'unixepoch') AS INTEGER)"
    if column in ("blind", "digest"):
        return f"randomblob(length({column}))"
    return f"{column} || '/{copy}'" if column in ("name", "subject") else column


def _count(journal: Path) -> int:
    with closing(sqlite3.connect(journal)) as database:
        return int(database.execute("SELECT count(*) FROM message").fetchone()[0])


def _newest(journal: Path) -> int:
    with closing(sqlite3.connect(journal)) as database:
        return int(database.execute("SELECT max(id) FROM message").fetchone()[0])


def _taken(journal: Path, newest: int) -> set[str]:
    """MSH-10 of the messages that came after ``newest``."""
    with closing(sqlite3.connect(journal)) as database:
        return {row[0] for row in database.execute("SELECT control_id FROM message WHERE id > ?", (newest,))}
