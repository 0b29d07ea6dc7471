"""Finding what is left of people who are gone, a bounded piece at a time, beside the writer: for erasure and retention."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, TypeAlias

from liaison.hub.journal.records import day_of, text_id

Row: TypeAlias = tuple[Any, ...]

#: Rows of a table that one piece looks at: tens of milliseconds, and more than a busy intake adds between two pieces.
PIECE = 10_000
#: Messages in which nobody was recognised, in the words of the index that finds them.
_UNASSIGNED = "m.subject >= 'source:' AND m.subject < 'source;'"
_OPEN = "('pending', 'sending', 'retrying', 'uncertain', 'held')"
_GONE = "NOT EXISTS (SELECT 1 FROM {0} o WHERE o.id = i.{1})"

_IDENTIFIERS = f"""
SELECT blind, target, id FROM identifier i WHERE blind > :after AND blind <= :last AND (
  (target = 'patient' AND {_GONE.format("patient", "id")}) OR
  (target = 'stay' AND {_GONE.format("stay", "id")}) OR
  (target = 'document' AND {_GONE.format("document", "id")}))"""
#: Tables whose rows belong to a patient, in an order in which what leads to a row is swept after it.
OWNED = ("stay", "document")


class Orphans:
    """Reads a journal file beside its writer, on a connection of its own that any one thread at a time may use."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(
            f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=10.0, check_same_thread=False
        )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def patient_at(self, blind: bytes) -> int | None:
        """The patient that an entry of the blind index leads to."""
        row: Row | None = self._database.execute(
            "SELECT id FROM identifier WHERE blind = ? AND target = 'patient'", (blind,)
        ).fetchone()
        return None if row is None else row[0]

    def count(self, table: str) -> int:
        """Rows of a table."""
        return int(self._database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def last(self, table: str) -> int:
        """The highest id of a table; 0 when it is empty."""
        return int(self._database.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0])

    def owned(self, table: str, after: int, until: int) -> tuple[int | None, list[int]]:
        """Of the next rows of a table of OWNED, up to an id: the last one's (None at the end), and those whose patient is gone."""
        last = self._database.execute(
            f"SELECT max(id) FROM (SELECT id FROM {table} WHERE id > ? AND id <= ? ORDER BY id LIMIT {PIECE})", (after, until)
        ).fetchone()[0]
        if last is None:
            return None, []
        rows = self._database.execute(
            f"SELECT id FROM {table} i WHERE id > ? AND id <= ? AND {_GONE.format('patient', 'patient')}", (after, last)
        )
        return last, [row[0] for row in rows]

    def identifiers(self, after: bytes) -> tuple[bytes | None, list[tuple[bytes, str, int]]]:
        """Of the next entries of the blind index: the last one (None at the end), and those that lead nowhere."""
        last = self._database.execute(
            f"SELECT max(blind) FROM (SELECT blind FROM identifier WHERE blind > ? ORDER BY blind LIMIT {PIECE})", (after,)
        ).fetchone()[0]
        if last is None:
            return None, []
        return last, self._database.execute(_IDENTIFIERS, {"after": after, "last": last}).fetchall()

    def unassigned(self, after: int) -> tuple[int | None, list[tuple[int, str, bytes | None, bytes | None]]]:
        """Of the next messages in which nobody was recognised: the last id (None at the end), and each with subject and sealed bytes."""
        rows = self._database.execute(
            "SELECT m.id, m.subject, m.raw, b.body FROM message m LEFT JOIN blob b ON b.day = m.day AND b.id = m.id "
            f"WHERE (m.day, m.id) > (?, ?) AND {_UNASSIGNED} ORDER BY m.day, m.id LIMIT 100",
            (day_of(after), after),
        ).fetchall()
        return (rows[-1][0] if rows else None), rows

    def holds_of_messages(self, messages: list[int]) -> list[int]:
        """Ids of the holds of whole messages."""
        marks = ",".join("?" * len(messages))
        return [row[0] for row in self._database.execute(f"SELECT id FROM hold WHERE message IN ({marks})", messages)]

    def proposals(self, patient: int) -> list[int]:
        """Proposals that are sealed under a patient's key."""
        rows = self._database.execute("SELECT id FROM proposal WHERE subject = ?", (text_id(patient),))
        return [row[0] for row in rows]

    def still_open(self, patient: int) -> tuple[list[int], list[str], list[int]]:
        """Of one patient: deliveries that are not at their end, destinations of all lanes, holds that nobody decided."""
        deliveries = [
            row[0] for row in self._database.execute(f"SELECT id FROM delivery WHERE patient = ? AND work IN {_OPEN}", (patient,))
        ]
        lanes = [row[0] for row in self._database.execute("SELECT destination FROM lane WHERE patient = ?", (patient,))]
        holds = [
            row[0]
            for row in self._database.execute(
                "SELECT h.id FROM hold h WHERE h.released_at IS NULL AND h.delivery IN (SELECT id FROM delivery WHERE patient = ?)",
                (patient,),
            )
        ]
        return deliveries, lanes, holds

    def open_without_patient(self) -> list[int]:
        """Patients that are gone while something of theirs is still under way or waits for a person."""
        lanes = "SELECT patient FROM lane i WHERE due IS NOT NULL AND " + _GONE.format("patient", "patient")
        # Held from the start they have no lane: through the holds, which are few.
        held = (
            "SELECT i.patient FROM hold h JOIN delivery i ON i.id = h.delivery AND i.day = "
            "CAST(strftime('%Y%m%d', (h.delivery >> 20) / 1000, 'unixepoch') AS INTEGER) "
            "WHERE h.released_at IS NULL AND " + _GONE.format("patient", "patient")
        )
        return [row[0] for row in self._database.execute(f"{lanes} UNION {held}")]

    def present(self, patients: list[int]) -> list[int]:
        """Those of ``patients`` that still have a row."""
        found: list[int] = []
        for start in range(0, len(patients), 500):
            part = patients[start : start + 500]
            marks = ",".join("?" * len(part))
            found += [row[0] for row in self._database.execute(f"SELECT id FROM patient WHERE id IN ({marks})", part)]
        return found

    def mark(self, name: str) -> bytes | None:
        """What the hub remembers of itself under a name."""
        row: Row | None = self._database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]
