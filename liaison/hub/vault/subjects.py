"""The store of subject keys: apart from the journal, so that destroying a key erases what it sealed, backups included."""

from __future__ import annotations

import os
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from liaison.hub.vault.sealing import SubjectKey, Vault

_SCHEMA = """
CREATE TABLE IF NOT EXISTS subject_key (subject TEXT PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS erased (subject TEXT PRIMARY KEY, erased_at TEXT NOT NULL) WITHOUT ROWID;
"""


class SubjectErased(Exception):
    """The subject's key was destroyed: nothing sealed under it opens any more."""


class SubjectKeys:
    """Subject keys by subject, made on first use and durable before anything sealed under them is.

    Used by the journal's writer alone; readers take their own instance with ``readonly``.
    """

    def __init__(self, path: Path | None, vault: Vault, *, readonly: bool = False, most_open: int = 8_000) -> None:
        self._vault = vault
        self._open: OrderedDict[str, SubjectKey] = OrderedDict()
        self._most_open = most_open
        self._new: dict[str, bytes] = {}
        #: Asked for and not in the store: a subject is new once, and must not cost a query of its own.
        self._absent: set[str] = set()
        target = ":memory:" if path is None else f"file:{path}?mode=ro" if readonly else str(path)
        self._database = sqlite3.connect(target, uri=readonly, check_same_thread=False, isolation_level=None)
        if not readonly:
            if path is not None:
                os.chmod(path, 0o600)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.executescript(_SCHEMA)
            # A restored store may hold keys that were destroyed since: the ledger is applied again.
            self._database.execute("DELETE FROM subject_key WHERE subject IN (SELECT subject FROM erased)")
        self._erased = {row[0] for row in self._database.execute("SELECT subject FROM erased")} if not readonly else set[str]()

    def __repr__(self) -> str:
        return f"<SubjectKeys open={len(self._open)}>"

    def load(self, subjects: Iterable[str]) -> None:
        """Open the stored keys of ``subjects`` in one query, for those not open yet."""
        wanted = [subject for subject in subjects if subject not in self._open]
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            query = f"SELECT subject, wrapped FROM subject_key WHERE subject IN ({marks})"
            for subject, wrapped in self._database.execute(query, part):
                self._keep(self._vault.open_subject_key(subject, wrapped))
        self._absent.update(subject for subject in wanted if subject not in self._open)

    def get(self, subject: str) -> SubjectKey:
        """The subject's key.

        Raises:
            SubjectErased: it was never made, or was destroyed.
        """
        if (key := self._open.get(subject)) is None:
            self.load((subject,))
            if (key := self._open.get(subject)) is None:
                raise SubjectErased(subject)
        return key

    def get_or_make(self, subject: str) -> SubjectKey:
        """The subject's key, made now if it has none. A new key is only written by ``flush``.

        Raises:
            SubjectErased: the subject was erased: a new key would hide that.
        """
        if (key := self._open.get(subject)) is not None:
            return key
        if subject in self._erased:
            raise SubjectErased(subject)
        if subject not in self._absent:
            self.load((subject,))
        if (key := self._open.get(subject)) is None:
            key, self._new[subject] = self._vault.new_subject_key(subject)
            self._keep(key)
        return key

    def flush(self) -> None:
        """Make new keys durable. Called before the journal's commit: a key without objects is harmless, the reverse is loss."""
        if self._new:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                new = list(self._new.items())
                for start in range(0, len(new), 400):
                    part = new[start : start + 400]
                    # One statement: each that is run lets go of the interpreter, and waits to have it back.
                    marks = ", ".join(["(?, ?)"] * len(part))
                    self._database.execute(
                        f"INSERT OR IGNORE INTO subject_key VALUES {marks}", [value for row in part for value in row]
                    )
                self._database.execute("COMMIT")
            except sqlite3.Error:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
            self._new.clear()
        self._absent.clear()

    def close(self) -> None:
        """Close the store. What was not flushed is lost, and so is nothing that was committed."""
        self._database.close()

    def _keep(self, key: SubjectKey) -> None:
        self._open[key.subject] = key
        while len(self._open) > self._most_open:
            oldest, _ = self._open.popitem(last=False)
            if oldest in self._new:
                self.flush()
