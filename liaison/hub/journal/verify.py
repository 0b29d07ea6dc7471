"""Is a journal whole? SQLite's own check, every reference between tables, lanes without gaps, keys, and sealed objects opened.

Reads one snapshot, of a live journal or of a backup. Says what is wrong by table and rule, with counts and opaque ids.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from liaison.hub.journal import schema
from liaison.hub.journal.references import RULES
from liaison.hub.journal.rows import Opener
from liaison.hub.vault.keys import MasterKeys
from liaison.hub.vault.sealing import SealBroken, Vault
from liaison.hub.vault.subjects import SubjectErased, SubjectKeys, wrapping_checks

Row: TypeAlias = tuple[Any, ...]
#: Told of the part being looked at, and of steps done and to do.
Progress: TypeAlias = Callable[[str, int, int], None]

#: Objects of each table that are opened where not all are asked for.
SAMPLE = 200

#: Sealed objects: table, what to select of it, and which column is the object. All are read by the key of their table.
_SEALED: tuple[tuple[str, str, str], ...] = (
    ("patient", "SELECT id, state FROM patient", "id"),
    ("stay", "SELECT id, patient, state FROM stay", "id"),
    ("document", "SELECT id, patient, message, state FROM document", "id"),
    ("message", "SELECT id, subject, raw, decisions FROM message", "rowid"),
    (
        "blob",
        "SELECT b.id, m.subject, b.body FROM blob b JOIN message m ON m.day = b.day AND m.id = b.id",
        "b.rowid",
    ),
    ("event", "SELECT message, ordinal, patient, body FROM event", "rowid"),
    (
        "parcel",
        "SELECT p.delivery, d.patient, p.body FROM parcel p JOIN delivery d ON d.day = p.day AND d.id = p.delivery",
        "p.rowid",
    ),
    ("proposal", f"SELECT {', '.join(column.name for column in schema.proposal.columns)} FROM proposal", "id"),
    ("audit", f"SELECT {', '.join(column.name for column in schema.audit.columns)} FROM audit", "id"),
    ("follow", f"SELECT {', '.join(column.name for column in schema.follow.columns)} FROM follow", ""),
    ("delivery", f"SELECT {', '.join(column.name for column in schema.delivery.columns)} FROM delivery", ""),
)


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong."""

    table: str
    #: One French sentence without identity.
    what: str
    count: int
    #: Opaque ids of the first few rows.
    examples: tuple[str, ...] = ()


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at and what was found."""

    complaints: tuple[Complaint, ...]
    #: Sealed objects that were opened, and those that nobody can open since their subject was erased.
    opened: int
    erased: int

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.complaints


def verify(journal: Path, store: Path, vault: Vault, *, everything: bool, progress: Progress) -> Verified:
    """Look at a journal and its store of subject keys; ``everything`` opens every sealed object, not a sample.

    Raises:
        KeyFileError: the key file is not the store's.
        sqlite3.OperationalError: a file cannot be read at all.
    """
    try:
        return _verified(journal, store, vault, everything=everything, progress=progress)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        # Malformed, or no database at all: what could be read of it proves nothing.
        return Verified(complaints=(_TORN,), opened=0, erased=0)


_TORN = Complaint(table="main", what="SQLite dit le fichier abîmé", count=1)


def _verified(journal: Path, store: Path, vault: Vault, *, everything: bool, progress: Progress) -> Verified:
    with closing(_opened(journal, store)) as database, closing(SubjectKeys(store, vault, readonly=True)) as keys:
        database.execute("BEGIN")
        database.execute("SELECT count(*) FROM meta").fetchone()
        complaints = list(_own_check(database, progress))
        if complaints:
            # Rows of a broken file prove nothing.
            return Verified(complaints=tuple(complaints), opened=0, erased=0)
        stored = database.execute("SELECT value FROM meta WHERE name = 'key-check'").fetchone()
        if stored is None or stored[0] != vault.check_value:
            complaints.append(Complaint(table="meta", what="le fichier de clés n'est pas celui de ce journal", count=1))
        for number, rule in enumerate(RULES, 1):
            rows = database.execute(rule.query).fetchall()
            if rows:
                examples = tuple(f"{row[0]:016x}" for row in rows[:5])
                complaints.append(Complaint(table=rule.table, what=rule.what, count=len(rows), examples=examples))
            progress("références", number, len(RULES))
        opening = _Opening(database, Opener(keys), everything)
        complaints += opening.run(progress)
        return Verified(complaints=tuple(complaints), opened=opening.opened, erased=opening.erased)


def opens(keys: MasterKeys, journal: Path, store: Path) -> bool:
    """Whether a key file is that of a journal and of its store, as both say."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as database:
        row = database.execute("SELECT value FROM meta WHERE name = 'key-check'").fetchone()
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as subjects:
        told = wrapping_checks(subjects).get("current", keys.wrapping_check)
    return row is not None and row[0] == keys.check_value and told in keys.opens


def _opened(journal: Path, store: Path) -> sqlite3.Connection:
    database = sqlite3.connect(f"file:{journal}?mode=ro", uri=True, isolation_level=None, timeout=30.0)
    database.execute("ATTACH ? AS keys", (f"file:{store}?mode=ro",))
    return database


def _own_check(database: sqlite3.Connection, progress: Progress) -> Iterator[Complaint]:
    for number, name in enumerate(("main", "keys"), 1):
        try:
            told = [row[0] for row in database.execute(f"PRAGMA {name}.integrity_check(20)")]
        except sqlite3.DatabaseError:
            told = ["unreadable"]
        if told != ["ok"]:
            yield Complaint(table=name, what="SQLite dit le fichier abîmé", count=len(told))
        progress("intégrité des fichiers", number, 2)


class _Opening:
    """Opens sealed objects, and counts what does not open."""

    def __init__(self, database: sqlite3.Connection, opener: Opener, everything: bool) -> None:
        self._database = database
        self._opener = opener
        self._everything = everything
        self.opened = self.erased = 0

    def run(self, progress: Progress) -> Iterator[Complaint]:
        for table, query, number in _SEALED:
            total: int = self._database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            sampled = not self._everything and total > SAMPLE and bool(number)
            broken: list[str] = []
            goal = SAMPLE if sampled else total
            for done, row in enumerate(self._sample(table, query, number) if sampled else self._database.execute(query), 1):
                self._open(table, row, broken)
                if done % 100 == 0 or done == goal:
                    progress(f"objets scellés, {table}", done, goal)
            if broken:
                yield Complaint(table=table, what="un objet scellé ne s'ouvre pas", count=len(broken), examples=tuple(broken[:5]))

    def _sample(self, table: str, query: str, number: str) -> Iterator[Row]:
        low, high = self._database.execute(f"SELECT min(rowid), max(rowid) FROM {table}").fetchone()
        for _ in range(SAMPLE):
            # Not for secrecy: which rows are looked at need not be hard to guess.
            at = random.randint(low, high)
            row = self._database.execute(f"{query} WHERE {number} >= ? ORDER BY {number} LIMIT 1", (at,)).fetchone()
            if row is not None:
                yield row

    def _open(self, table: str, row: Row, broken: list[str]) -> None:
        try:
            self._open_one(table, row)
            self.opened += 1
        except SubjectErased:
            self.erased += 1
        except (SealBroken, msgspec.MsgspecError, ValueError):
            number = row[1 if table == "delivery" else 0]
            broken.append(number.hex() if isinstance(number, bytes) else f"{number:016x}")

    def _open_one(self, table: str, row: Row) -> None:
        opener = self._opener
        match table:
            case "patient":
                opener.patient(row)
            case "stay":
                opener.stay(row)
            case "document":
                opener.document(row)
            case "message":
                number, subject, raw, decisions = row
                opener.message(number, subject, raw, None)
                if decisions is not None:
                    opener.decisions(number, subject, decisions)
            case "blob":
                opener.message(row[0], row[1], None, row[2])
            case "event":
                opener.event(*row)
            case "parcel":
                opener.parcel(*row)
            case "proposal":
                opener.proposal(row)
            case "audit":
                opener.audit(row)
            case "follow":
                opener.follow(row)
            case _:
                opener.delivery(row)
