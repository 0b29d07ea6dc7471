"""The national directory's file: the daily extraction as text, or in the ZIP that it is published in; and the index made of it.

The index stands beside the journal, named by the extraction's digest, and is mapped, not read: a hub that starts again with the same
extraction starts at once, and half a million mailboxes cost it a few pages of memory. ``annuaire.json`` says which one is in use; it is
changed last, so that the last good index stays in use whatever happens to a new one.
"""

from __future__ import annotations

import hashlib
import io
import mmap
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from liaison.finding import Finding
from liaison.mssante.directory import Directory, DirectoryIndexError, DirectoryLayoutError, Indexing
from liaison.service.configuration import ReferenceFileError

#: The text is about 90 MB in 2026 (mssante digest §5.2).
MAX_TEXT: Final = 1_000_000_000
#: A new extraction with fewer rows than this share of the one in use is not taken by itself (mssante digest §5.2, size guard).
LEAST_SHARE: Final = 0.95
_POINTER: Final = "annuaire.json"
_TOLD_EVERY: Final = 10_000

#: Told how much is read, and of how much.
Progress: TypeAlias = Callable[[int, int], None]


class DirectoryFileError(ReferenceFileError):
    """The extraction cannot be read, or is not taken. The text is French and says which file, why, and what to do."""


class DirectoryShrunk(DirectoryFileError):
    """The extraction has far fewer rows than the one in use: a person says whether that is right."""


class InUse(msgspec.Struct, frozen=True, kw_only=True):
    """``annuaire.json``: the index in use."""

    #: SHA-256 (hex) of the extraction.
    digest: str
    rows: int
    skipped: int
    #: When the extraction was made, as its name says, else when the file was written; and when it was taken (ISO 8601, UTC).
    made_at: str
    taken_at: str
    #: Of the extraction when it was taken: while they stay, its bytes are not read again.
    size: int = 0
    modified_ns: int = 0

    def days_old(self, now: datetime) -> float:
        """Age of the extraction; ``now`` is aware."""
        return (now - datetime.fromisoformat(self.made_at)).total_seconds() / 86_400


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an extraction: the index in use, whether it was new, and what was wrong with its lines."""

    in_use: InUse
    new: bool
    findings: tuple[Finding, ...] = ()


def read_directory(path: Path, progress: Progress | None = None) -> Directory:
    """The mailboxes of an extraction, ``.txt`` or ``.zip``, wholly in memory; nothing is written. Raises :class:`DirectoryFileError`."""
    with _translated(path), _lines(path, progress) as lines:
        return Directory.load(lines)


class DirectoryFiles:
    """The indexes beside a journal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def in_use(self) -> InUse | None:
        """Which index is in use; None when there is none, or none that can be told."""
        try:
            found = msgspec.json.decode((self._folder / _POINTER).read_bytes(), type=InUse)
        except (OSError, msgspec.DecodeError):
            return None
        return found if self._index(found.digest).exists() else None

    def open(self) -> Directory | None:
        """The directory in use, mapped; None when there is none that is whole."""
        found = self.in_use()
        return None if found is None else self._mapped(found.digest)

    def is_current(self, path: Path) -> bool:
        """Whether the file is the extraction in use, as far as its size and time tell."""
        found = self.in_use()
        try:
            stat = path.stat()
        except OSError:
            return False
        return found is not None and (found.size, found.modified_ns) == (stat.st_size, stat.st_mtime_ns)

    def take(self, path: Path, *, now: datetime, progress: Progress | None = None, accept_smaller: bool = False) -> Taken:
        """Make the extraction the directory in use, unless it is already. A few seconds for the national one.

        Raises :class:`DirectoryShrunk` when it lost more than one row in twenty and nobody accepts that, and
        :class:`DirectoryFileError` when it cannot be read; what was in use stays in use.
        """
        with _translated(path):
            before, stat, digest = self.in_use(), path.stat(), _sha256(path)
            if before is not None and before.digest == digest.hex() and self._mapped(before.digest) is not None:
                same = msgspec.structs.replace(before, size=stat.st_size, modified_ns=stat.st_mtime_ns)
                if same != before:
                    self._point(same)
                return Taken(in_use=same, new=False)
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix="annuaire-", suffix=".part", delete=False) as part:
                made = Path(part.name)
                try:
                    with _lines(path, progress) as lines:
                        indexing = Indexing(lines, digest=digest)
                        for chunk in indexing.chunks():
                            part.write(chunk)
                    part.flush()
                    os.fsync(part.fileno())
                    if before is not None and indexing.rows < before.rows * LEAST_SHARE and not accept_smaller:
                        raise DirectoryShrunk(_shrunk(path, before.rows, indexing.rows))
                    made.replace(self._index(digest.hex()))
                finally:
                    made.unlink(missing_ok=True)
            found = InUse(
                digest=digest.hex(),
                rows=indexing.rows,
                skipped=indexing.skipped,
                made_at=_made_at(path).isoformat(),
                taken_at=now.astimezone(UTC).isoformat(),
                size=stat.st_size,
                modified_ns=stat.st_mtime_ns,
            )
            self._point(found)
            self._forget_others(found, before)
        return Taken(in_use=found, new=True, findings=indexing.findings)

    def _mapped(self, digest: str) -> Directory | None:
        try:
            with self._index(digest).open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                # Look-ups touch a page here and there: reading ahead would only fill memory.
                mapped.madvise(mmap.MADV_RANDOM)
                directory = Directory(memoryview(mapped))
        except (OSError, ValueError):
            return None
        return directory if directory.digest.hex() == digest else None

    def _index(self, digest: str) -> Path:
        return self._folder / f"annuaire-{digest[:16]}.index"

    def _point(self, found: InUse) -> None:
        part = self._folder / f"{_POINTER}.part"
        with part.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(found)))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._folder / _POINTER)

    def _forget_others(self, found: InUse, before: InUse | None) -> None:
        """Keep this index and the one before it, which a running hub may still have mapped."""
        kept = {self._index(one.digest) for one in (found, before) if one is not None}
        for path in self._folder.glob("annuaire-*.index"):
            if path not in kept:
                path.unlink(missing_ok=True)


def _shrunk(path: Path, before: int, rows: int) -> str:
    return (
        f"l'annuaire {path} n'a que {rows} boîtes, contre {before} dans celui qui est en service : il n'est pas pris. "
        "Le télécharger de nouveau ; s'il est bien complet, l'accepter par « liaison directory load --accept-smaller »"
    )


def extraction_date(path: Path) -> datetime:
    """When an extraction was made: its name, or its member's, ends in AAAAMMJJhhmm (UTC); else when the file was written.

    Raises :class:`DirectoryFileError`.
    """
    with _translated(path):
        return _made_at(path)


def _made_at(path: Path) -> datetime:
    names = [path.name]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names += archive.namelist()
    for name in names:
        stamp = re.search(r"_(20[0-9]{10})(?![0-9])", name)
        if stamp is not None:
            try:
                return datetime.strptime(stamp[1], "%Y%m%d%H%M").replace(tzinfo=UTC)
            except ValueError:
                continue
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


@contextmanager
def _translated(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise DirectoryFileError(
            f"l'annuaire {path} ne peut être lu, ou son index écrit ({error.strerror}) : vérifier le chemin, les droits et la place"
        ) from error
    except (DirectoryLayoutError, DirectoryIndexError, zipfile.BadZipFile, EOFError, RuntimeError) as error:
        raise DirectoryFileError(
            f"l'annuaire {path} n'est pas une extraction lisible : {error} ; le télécharger de nouveau"
        ) from error


@contextmanager
def _lines(path: Path, progress: Progress | None) -> Generator[Iterator[str]]:
    if not zipfile.is_zipfile(path):
        with path.open("r", encoding="utf-8-sig", errors="replace", newline="\n") as lines:
            yield _told(lines, path.stat().st_size, progress)
        return
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) != 1 or members[0].file_size > MAX_TEXT:
            raise DirectoryLayoutError("le ZIP doit contenir un seul fichier, de moins de 1 Go")
        with archive.open(members[0]) as raw, io.TextIOWrapper(raw, "utf-8-sig", errors="replace", newline="\n") as lines:
            yield _told(lines, members[0].file_size, progress)


def _told(lines: io.TextIOBase, total: int, progress: Progress | None) -> Iterator[str]:
    if progress is None:
        yield from lines
        return
    read = 0
    for number, line in enumerate(lines):
        read += len(line)
        if number % _TOLD_EVERY == 0:
            progress(min(read, total), total)
        yield line
    progress(total, total)
