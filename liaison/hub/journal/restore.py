"""Putting a backup in a journal's place: copied and prepared beside it, then moved there, so that a crash leaves a state that says so.

While ``<journal>.restoring`` exists no hub starts. What was there before is moved aside, never deleted.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

import msgspec

from liaison.hub.journal.backup import BackupError, BackupFile, sync
from liaison.hub.journal.records import microseconds
from liaison.hub.switches import DELIVERIES

_CHUNK = 1 << 20
_ENDS = ("", "-wal", "-shm")
#: They may have left after the backup was made; nobody can say.
_MAY_HAVE_LEFT = "('pending', 'sending', 'retrying')"


class LastKnown(msgspec.Struct, frozen=True, kw_only=True):
    """The newest message of a source that a restored journal has: what came after it, the hospital sends again."""

    source: str
    message: str
    control_id: str
    #: Microseconds since 1970.
    received_at: int


def restoring_path(journal: Path) -> Path:
    """Where a journal is prepared; while it is there a restoration is not finished."""
    return journal.with_name(journal.name + ".restoring")


def has_content(journal: Path) -> bool:
    """Whether a journal holds anything that a restoration would lose. What cannot be read does."""
    if not journal.exists() or journal.stat().st_size == 0:
        return False
    try:
        with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as database:
            return any(database.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in ("message", "patient"))
    except sqlite3.Error:
        return True


def fetch(source: Path, told: BackupFile, target: Path, progress: Callable[[int, int], None]) -> None:
    """Copy one file of a backup, durably.

    Raises:
        BackupError: it is not the file that the manifest tells of.
    """
    digest, done = hashlib.sha256(), 0
    try:
        with source.open("rb") as file, os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as copy:
            while part := file.read(_CHUNK):
                digest.update(part)
                copy.write(part)
                done += len(part)
                progress(done, told.bytes)
            copy.flush()
            os.fsync(copy.fileno())
    except FileNotFoundError as error:
        raise BackupError(f"{source} manque : la sauvegarde est incomplète.") from error
    if done != told.bytes or digest.hexdigest() != told.sha256:
        raise BackupError(f"{source} n'est plus ce que dit le manifeste : la sauvegarde est abîmée, en prendre une autre.")


def erased_in(store: Path) -> dict[str, str]:
    """The erasure ledger of a store of subject keys, where there is one that can be read."""
    if not store.exists():
        return {}
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
            return dict(database.execute("SELECT subject, erased_at FROM erased"))
    except sqlite3.Error:
        return {}


def mark_restored(journal: Path, now: datetime) -> int:
    """Stop every delivery until a person lets them go on, and call uncertain what was open; answers how many."""
    at = microseconds(now)
    with closing(sqlite3.connect(journal, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous=FULL")
        database.execute("BEGIN IMMEDIATE")
        changed = database.execute(
            f"UPDATE delivery SET work = 'uncertain', due = ? WHERE work IN {_MAY_HAVE_LEFT}", (at,)
        ).rowcount
        database.execute("UPDATE lane SET due = ? WHERE head <= last", (at,))
        database.execute("INSERT OR REPLACE INTO switch VALUES (?, ?)", (DELIVERIES, at))
        database.execute("INSERT OR REPLACE INTO meta VALUES ('restored', ?)", (now.isoformat().encode(),))
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return changed


def restored_at(journal: Path) -> str:
    """When a journal was restored (ISO 8601); empty when it never was."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as database:
        row = database.execute("SELECT value FROM meta WHERE name = 'restored'").fetchone()
    return "" if row is None else row[0].decode()


def last_known(journal: Path) -> tuple[LastKnown, ...]:
    """The newest message of each source."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as database:
        rows = database.execute(
            # SQLite gives the other columns of the row that has the maximum.
            "SELECT source, max(id), control_id, received_at FROM message GROUP BY source ORDER BY source"
        ).fetchall()
    return tuple(LastKnown(source=row[0], message=f"{row[1]:016x}", control_id=row[2], received_at=row[3]) for row in rows)


def put_in_place(journal: Path, store: Path, prepared: Path, prepared_store: Path, now: datetime) -> tuple[Path, ...]:
    """Move what is there aside and the prepared files into its place; answers where the old ones are now.

    The journal comes last and its prepared file is what says that the restoration is not finished: a crash before that is answered
    by restoring once more.
    """
    for path in (prepared, prepared_store):
        _closed(path)
        sync(path)
    aside = tuple(moved for path in (journal, store) for moved in _aside(path, f"{now:%Y%m%dT%H%M%S}"))
    os.replace(prepared_store, store)
    sync(store.parent)
    os.replace(prepared, journal)
    sync(journal.parent)
    return aside


def discard_logs(*paths: Path) -> None:
    """Take away the logs that an interrupted restoration left: they would be read as those of what is fetched now."""
    for path in paths:
        for end in _ENDS[1:]:
            path.with_name(path.name + end).unlink(missing_ok=True)


def _closed(path: Path) -> None:
    """Bring a database into one file: a log that stayed behind would be read as the next database's."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=DELETE")
    discard_logs(path)


def _aside(path: Path, stamp: str) -> Iterator[Path]:
    if path.exists():
        # So that the file alone is the whole, should the next lines be cut short. What is broken is moved as it is.
        with suppress(sqlite3.Error), closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for end in _ENDS:
        old = path.with_name(path.name + end)
        if old.exists():
            new = path.with_name(f"{path.name}.replaced-{stamp}{end}")
            os.replace(old, new)
            yield new
