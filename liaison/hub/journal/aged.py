"""Finding what grew too old, a few hundred rows at a time, beside the writer: for retention."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from liaison.hub.journal.records import PatientRecord, day_of
from liaison.hub.journal.rows import Opener
from liaison.hub.vault.subjects import SubjectErased, SubjectKeys

#: Rows that one step looks at.
STEP = 250
_OPEN_LANES = (
    "FROM lane l JOIN delivery d ON d.patient = l.patient AND d.destination = l.destination AND d.lane_seq >= l.head "
    "WHERE l.due IS NOT NULL"
)


class Aged:
    """Reads a journal file beside its writer, on a connection of its own that any one thread at a time may use."""

    def __init__(self, path: Path, keys: SubjectKeys) -> None:
        self._opener = Opener(keys)
        self._database = sqlite3.connect(
            f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=10.0, check_same_thread=False
        )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def first(self) -> int:
        """The oldest message's id; 0 when there is none."""
        row = self._database.execute("SELECT id FROM message ORDER BY day, id LIMIT 1").fetchone()
        return 0 if row is None else row[0]

    def open_messages(self) -> set[int]:
        """Messages that led to something that is still under way, or that a person must decide."""
        query = f"SELECT d.message {_OPEN_LANES} UNION SELECT message FROM hold WHERE released_at IS NULL"
        query += " UNION SELECT message FROM proposal WHERE decided_at IS NULL"
        return {row[0] for row in self._database.execute(query)}

    def open_deliveries(self) -> set[int]:
        """Deliveries that are still under way, or that a person must decide."""
        query = f"SELECT d.id {_OPEN_LANES} UNION SELECT delivery FROM hold WHERE released_at IS NULL AND delivery IS NOT NULL"
        return {row[0] for row in self._database.execute(query)}

    def open_proposals(self) -> set[int]:
        """Proposals that a person must decide."""
        return {row[0] for row in self._database.execute("SELECT id FROM proposal WHERE decided_at IS NULL")}

    def open_holds(self) -> set[int]:
        """Holds that a person must decide."""
        return {row[0] for row in self._database.execute("SELECT id FROM hold WHERE released_at IS NULL")}

    def older(self, table: str, after: int, before: int) -> list[int]:
        """The next ids of ``message`` or ``delivery`` between two, oldest first."""
        rows = self._database.execute(
            f"SELECT id FROM {table} WHERE (day, id) > (?, ?) AND (day, id) < (?, ?) ORDER BY day, id LIMIT {STEP}",
            (day_of(after), after, day_of(before), before),
        )
        return [row[0] for row in rows]

    def older_numbered(self, table: str, after: int, before: int) -> list[int]:
        """The next ids of ``hold``, ``proposal`` or ``audit`` between two, oldest first."""
        rows = self._database.execute(f"SELECT id FROM {table} WHERE id > ? AND id < ? ORDER BY id LIMIT {STEP}", (after, before))
        return [row[0] for row in rows]

    def seen(self, after: tuple[str, bytes]) -> list[tuple[str, bytes, int]]:
        """The next entries by which resends are recognised: name, digest, message."""
        return self._database.execute(
            f"SELECT name, digest, message FROM seen WHERE (name, digest) > (?, ?) ORDER BY name, digest LIMIT {4 * STEP}", after
        ).fetchall()

    def patients(self, after: int, before: int) -> tuple[int | None, list[PatientRecord]]:
        """Of the next patients between two ids: the last one's (None at the end), and their states."""
        rows = self._database.execute(
            f"SELECT id, state FROM patient WHERE id > ? AND id < ? ORDER BY id LIMIT {STEP}", (after, before)
        ).fetchall()
        found: list[PatientRecord] = []
        for row in rows:
            try:
                found.append(self._opener.patient(row))
            except SubjectErased:
                continue
        return (rows[-1][0] if rows else None), found

    def mark(self, name: str) -> bytes | None:
        """What the hub remembers of itself under a name."""
        row = self._database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]
