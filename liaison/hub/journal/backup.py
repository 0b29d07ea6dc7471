"""A copy of a journal and its subject keys while the hub goes on, with a manifest that tells whether it is still whole.

The journal is copied first, from one snapshot, and the subject keys after it. A key is durable before anything sealed under it is
committed, so every object of the copied journal has its key in the copied store, unless it was erased in between. The key-encryption
key is not read and not copied. What has no manifest is not a backup: it is written last.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import msgspec

from liaison.hub.vault.subjects import wrapping_checks

#: Told of what is being done, and of bytes done and to do.
Progress: TypeAlias = Callable[[str, int, int], None]

JOURNAL, SUBJECTS, MANIFEST = "journal.db", "subjects.db", "manifest.json"
_PAGES = 4_096
_CHUNK = 1 << 20
#: Tables whose ids the hub gives, to find the highest.
_NUMBERED = ("message", "delivery", "patient", "stay", "document", "hold")


class BackupError(Exception):
    """A backup cannot be made or used; says why and what to do, in French."""


class BackupFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a backup as it was when it was made."""

    name: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself. Nothing in it names a patient or helps to open anything."""

    version: int = 1
    made_at: datetime
    program: str
    journal: BackupFile
    subjects: BackupFile
    #: Starts that the journal had seen.
    incarnation: int
    #: Sixteen hexadecimal digits.
    highest_id: str
    messages: int
    #: Check values of the key file that opens it: of the journal, and of the wrapping key at that time.
    key_check: str
    wrapping_check: str


def back_up(journal: Path, store: Path, folder: Path, *, now: datetime, program: str, progress: Progress) -> Manifest:
    """Copy a journal and its store of subject keys into ``folder``, which must be empty or not there yet.

    Raises:
        BackupError: the folder is in use, or the keys are being rotated.
        OSError, sqlite3.Error: a disk refuses.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise BackupError(f"{folder} n'est pas vide : indiquer un dossier neuf, une sauvegarde n'en recouvre jamais une autre.")
    os.chmod(folder, 0o700)
    copy_database(journal, folder / JOURNAL, lambda done, total: progress("journal", done, total))
    copy_database(store, folder / SUBJECTS, lambda done, total: progress("clés des patients", done, total))
    with closing(_opened(folder / SUBJECTS)) as keys:
        told = wrapping_checks(keys)
    if "retiring" in told:
        raise BackupError("un renouvellement des clés est en cours : le terminer (liaison keys rotate) avant de sauvegarder.")
    with closing(_opened(folder / JOURNAL)) as copied:
        meta = dict(copied.execute("SELECT name, value FROM meta"))
        highest = max(copied.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0] for table in _NUMBERED)
        messages = copied.execute("SELECT count(*) FROM message").fetchone()[0]
    manifest = Manifest(
        made_at=now,
        program=program,
        journal=described(folder / JOURNAL, lambda done, total: progress("empreinte du journal", done, total)),
        subjects=described(folder / SUBJECTS, lambda done, total: progress("empreinte des clés", done, total)),
        incarnation=int(meta.get("incarnation", b"0")),
        highest_id=f"{highest:016x}",
        messages=messages,
        key_check=meta.get("key-check", b"").hex(),
        wrapping_check=told.get("current", b"").hex(),
    )
    beside = folder / (MANIFEST + ".new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest)))
        file.flush()
        os.fsync(file.fileno())
    sync(folder / JOURNAL)
    sync(folder / SUBJECTS)
    os.replace(beside, folder / MANIFEST)
    sync(folder)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """A backup's manifest.

    Raises:
        BackupError: there is none that can be read.
    """
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise BackupError(f"{folder} n'est pas une sauvegarde finie : il n'y a pas de {MANIFEST}.") from error
    except (OSError, msgspec.MsgspecError) as error:
        raise BackupError(f"{folder / MANIFEST} ne peut être lu : la sauvegarde est abîmée.") from error
    if manifest.version != 1:
        raise BackupError(f"{folder} vient d'une version plus récente de Liaison : la restaurer avec elle.")
    return manifest


def copy_database(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    """Copy a database that others write to, from one snapshot, into one file without a log; ``progress`` is told in bytes.

    The snapshot is held by the very connection that is copied from: otherwise each commit of the hub would start the copy again.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, isolation_level=None, timeout=30.0)) as reader:
        size: int = reader.execute("PRAGMA page_size").fetchone()[0]
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with closing(sqlite3.connect(target, isolation_level=None)) as writer:

            def told(_status: int, remaining: int, total: int) -> None:
                progress((total - remaining) * size, total * size)

            reader.backup(writer, pages=_PAGES, progress=told)
            # The copy says that it has a log: without one it is a file that can be carried away alone.
            writer.execute("PRAGMA journal_mode=DELETE")


def described(path: Path, progress: Callable[[int, int], None]) -> BackupFile:
    """Size and SHA-256 of a file."""
    size, done, digest = path.stat().st_size, 0, hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            digest.update(part)
            done += len(part)
            progress(done, size)
    return BackupFile(name=path.name, bytes=done, sha256=digest.hexdigest())


def sync(path: Path) -> None:
    """Make a file's or folder's content durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
