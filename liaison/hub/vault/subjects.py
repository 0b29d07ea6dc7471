"""The store of subject keys: apart from the journal, so that destroying a key erases what it sealed, backups included."""

from __future__ import annotations

import os
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from liaison.hub.vault.keys import KeyFileError
from liaison.hub.vault.ledger import Ledger
from liaison.hub.vault.sealing import SubjectKey, Vault

#: ``wrapping`` holds the check value of the key that the subject keys are wrapped under, and during a rotation of the retiring one.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS subject_key (subject TEXT PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS erased (subject TEXT PRIMARY KEY, erased_at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS wrapping (state TEXT PRIMARY KEY, check_value BLOB NOT NULL) WITHOUT ROWID;
"""
#: How long another's lock is waited for: a backup or a scrubbing holds one for moments.
_BUSY_SECONDS = 10.0


class SubjectKnown(Exception):
    """A subject that was expected to be new has a key: a crash left it behind, and the clock went back to where its id is given again."""


class SubjectErased(Exception):
    """The subject's key was destroyed: nothing sealed under it opens any more."""


class SubjectKeys:
    """Subject keys by subject, made on first use and durable before anything sealed under them is.

    Used by the journal's writer alone; readers take their own instance with ``readonly``.
    """

    def __init__(
        self, path: Path | None, vault: Vault, *, readonly: bool = False, most_open: int = 1_000, ledger: Ledger | None = None
    ) -> None:
        """Open the store.

        Raises:
            KeyFileError: its keys are wrapped under a wrapping key that the key file does not hold.
        """
        self._vault = vault
        self._ledger = ledger
        self._open: OrderedDict[str, SubjectKey] = OrderedDict()
        self._most_open = most_open
        self._new: dict[str, bytes] = {}
        #: Asked for and not in the store: a subject is new once, and must not cost a query of its own.
        self._absent: set[str] = set()
        self._erased = dict[str, str]()
        target = ":memory:" if path is None else f"file:{path}?mode=ro" if readonly else str(path)
        self._database = sqlite3.connect(target, uri=readonly, check_same_thread=False, isolation_level=None, timeout=_BUSY_SECONDS)
        try:
            if not readonly:
                self._prepare(path)
            self._check_wrapping(readonly)
            if not readonly:
                self._apply_ledger()
        except BaseException:
            self._database.close()
            raise

    def _prepare(self, path: Path | None) -> None:
        if path is not None:
            os.chmod(path, 0o600)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        # A key that was destroyed must not stay readable in a page that is free.
        self._database.execute("PRAGMA secure_delete=ON")
        self._database.executescript(_SCHEMA)

    def _check_wrapping(self, readonly: bool) -> None:
        current = self._vault.wrapping_checks[0]
        told = wrapping_checks(self._database).get("current", current)
        if told not in self._vault.wrapping_checks:
            raise KeyFileError(
                "le fichier de clés n'est pas celui de ce journal, ou date d'avant le dernier renouvellement des clés : "
                "restaurez le bon, rien n'a été écrit."
            )
        if not readonly:
            # New keys are wrapped under the current one from here on, even in the middle of a rotation.
            states = [("current", current), *([("retiring", told)] if told != current else [])]
            self._database.executemany("INSERT OR REPLACE INTO wrapping VALUES (?, ?)", states)

    def _apply_ledger(self) -> None:
        """Make the store and the ledger file say the same; a store that was restored may hold keys that were destroyed since."""
        here = dict(self._database.execute("SELECT subject, erased_at FROM erased"))
        told = {} if self._ledger is None else self._ledger.read()
        self._erased = {**told, **here}
        new = [(subject, at) for subject, at in told.items() if subject not in here]
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany("INSERT OR IGNORE INTO erased VALUES (?, ?)", new)
        self._database.execute("DELETE FROM subject_key WHERE subject IN (SELECT subject FROM erased)")
        self._database.execute("COMMIT")
        if self._ledger is not None:
            self._ledger.append({subject: at for subject, at in here.items() if subject not in told})

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

    def expect_new(self, subjects: Iterable[str]) -> None:
        """Subjects that nobody can have a key of yet, so that the store need not be asked; ``flush`` makes sure of it."""
        self._absent.update(subject for subject in subjects if subject not in self._open)

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
        """Make new keys durable. Called before the journal's commit: a key without objects is harmless, the reverse is loss.

        Raises:
            SubjectKnown: one has a key already. All new ones are forgotten: what is sealed under them must never be committed.
        """
        if self._new:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                new = list(self._new.items())
                for start in range(0, len(new), 400):
                    part = new[start : start + 400]
                    # One statement: each that is run lets go of the interpreter, and waits to have it back.
                    marks = ", ".join(["(?, ?)"] * len(part))
                    self._database.execute(f"INSERT INTO subject_key VALUES {marks}", [value for row in part for value in row])
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                if getattr(error, "sqlite_errorname", "") in ("SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE"):
                    self.forget(tuple(self._new))
                    raise SubjectKnown from error
                raise
            self._new.clear()
        self._absent.clear()

    def is_erased(self, subject: str) -> bool:
        """Whether the subject's key was destroyed by an erasure."""
        return subject in self._erased

    @property
    def erased(self) -> frozenset[str]:
        """Subjects whose key was destroyed by an erasure."""
        return frozenset(self._erased)

    def has(self, subject: str) -> bool:
        """Whether the subject has a key."""
        try:
            return bool(self.get(subject))
        except SubjectErased:
            return False

    def destroy(self, subjects: Iterable[str], at: str, *, in_ledger: bool) -> None:
        """Destroy keys durably, at a time (ISO 8601, UTC). ``in_ledger``: an erasure, which a restored backup must not undo.

        What was sealed under them opens nowhere any more. ``scrub`` then takes the keys out of the write-ahead log too.
        """
        gone = dict.fromkeys(subjects, at)
        if in_ledger and self._ledger is not None:
            self._ledger.append({subject: at for subject in gone if subject not in self._erased})
        self.forget(gone)
        self._database.execute("BEGIN IMMEDIATE")
        try:
            if in_ledger:
                self._database.executemany("INSERT OR IGNORE INTO erased VALUES (?, ?)", gone.items())
            self._database.executemany("DELETE FROM subject_key WHERE subject = ?", [(subject,) for subject in gone])
            self._database.execute("COMMIT")
        except sqlite3.Error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        if in_ledger:
            self._erased.update(gone)

    def forget(self, subjects: Iterable[str]) -> None:
        """Let go of opened keys: a reader must not go on with keys that were destroyed."""
        for subject in subjects:
            self._open.pop(subject, None)
            self._new.pop(subject, None)

    def close(self) -> None:
        """Close the store. What was not flushed is lost, and so is nothing that was committed."""
        self._database.close()

    def _keep(self, key: SubjectKey) -> None:
        self._open[key.subject] = key
        while len(self._open) > self._most_open:
            oldest, _ = self._open.popitem(last=False)
            if oldest in self._new:
                self.flush()


def wrapping_checks(database: sqlite3.Connection) -> dict[str, bytes]:
    """What a store says of the wrapping keys that it is under: ``current``, and ``retiring`` during a rotation. Empty for a new one."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'wrapping'").fetchone():
        return {}
    return dict(database.execute("SELECT state, check_value FROM wrapping"))


def scrub(path: Path) -> bool:
    """Empty the store's write-ahead log, which may still hold keys that were destroyed; False when somebody reads it for too long."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS)) as database:
        return bool(database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
