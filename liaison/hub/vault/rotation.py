"""A new wrapping key under a journal's subject keys, in small steps. The hub is stopped; ``kill -9`` may come at any point.

The order keeps every subject key readable by the key file as it is on disk: first the file holds both wrapping keys, then the store
says that the new one is current, then the keys are wrapped again a few hundred at a time, and only then does the file forget the old.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from liaison.hub.vault.keys import KEY_BYTES, KeyFileError, MasterKeys, load_keys, master_keys, replace_keys
from liaison.hub.vault.sealing import Vault
from liaison.hub.vault.subjects import scrub, wrapping_checks

_STEP = 500


def rotate(keys_file: Path, store: Path, progress: Callable[[int, int], None]) -> int:
    """Give the subject keys of ``store`` a new wrapping key, or go on with what was interrupted; answers how many were wrapped again.

    ``progress`` is told of keys looked at and of keys in all.

    Raises:
        KeyFileError: the file cannot be used, or is not the store's.
        SealBroken: a subject key is under neither key; the file keeps both.
        OSError, sqlite3.Error: a disk refuses; going on later is safe.
    """
    keys = load_keys(keys_file)
    if keys.retiring is None:
        keys = master_keys(keys.derivation, os.urandom(KEY_BYTES), keys.wrapping)
    # Written even where it was read so: a page typed in from the safe becomes a key file here.
    replace_keys(keys_file, keys)
    count = rewrap(store, keys, progress)
    if not scrub(store):
        raise sqlite3.OperationalError("the store is being read")
    replace_keys(keys_file, master_keys(keys.derivation, keys.wrapping))
    return count


def rewrap(store: Path, keys: MasterKeys, progress: Callable[[int, int], None]) -> int:
    """Bring every subject key of a store under the current wrapping key of ``keys``, which hold the retiring one too.

    Raises:
        KeyFileError: the store is under neither.
    """
    vault = Vault(keys)
    changed = 0
    with closing(sqlite3.connect(store, isolation_level=None, timeout=10.0)) as database:
        database.execute("PRAGMA synchronous=FULL")
        database.execute("PRAGMA secure_delete=ON")
        told = wrapping_checks(database)
        if told.get("current", keys.wrapping_check) not in keys.opens:
            raise KeyFileError("ces clés de patients sont sous une autre clé que celles du fichier : rien n'est changé.")
        if told.get("current") != keys.wrapping_check:
            # From here on the retiring key file alone is refused: it would not open every key.
            states = [("current", keys.wrapping_check), ("retiring", keys.opens[-1])]
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT OR REPLACE INTO wrapping VALUES (?, ?)", states)
            database.execute("COMMIT")
        total: int = database.execute("SELECT count(*) FROM subject_key").fetchone()[0]
        done, after = 0, ""
        while rows := database.execute(
            "SELECT subject, wrapped FROM subject_key WHERE subject > ? ORDER BY subject LIMIT ?", (after, _STEP)
        ).fetchall():
            after = rows[-1][0]
            again = [(new, subject) for subject, wrapped in rows if (new := vault.rewrapped(subject, wrapped)) is not None]
            database.execute("BEGIN IMMEDIATE")
            database.executemany("UPDATE subject_key SET wrapped = ? WHERE subject = ?", again)
            database.execute("COMMIT")
            changed += len(again)
            done += len(rows)
            progress(done, total)
        database.execute("DELETE FROM wrapping WHERE state = 'retiring'")
    return changed
