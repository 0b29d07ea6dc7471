"""What the hub knows of addresses while it runs: the national directory and the white list, taken again when their files change.

A new file that cannot be used, or that lost much of what is in use, changes nothing: the last good one stays, and ``status`` says so.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Container, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import structlog

from liaison.mssante.directory import Directory, DirectoryEntry, Resolution
from liaison.mssante.white_list import WhiteList
from liaison.service.configuration import Configuration
from liaison.service.directory_file import DirectoryFileError, DirectoryFiles, Progress, Taken, read_directory
from liaison.service.white_list_file import WhiteListFileError, WhiteListFiles

log = structlog.get_logger()

#: Seconds between two looks at the files.
LOOK_EVERY: Final = 30.0
#: Days after which a file is told as stale: the extraction is daily, with gaps of one or two (mssante digest §5.2).
STALE_AFTER: Final = 4.0


class FileStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How one of the two files stands; for ``check``, ``directory status`` and metrics."""

    #: ``annuaire`` or ``liste blanche``.
    name: str
    #: Mailboxes, or domains, in use.
    size: int
    #: When what is in use was made (ISO 8601), and its age in days.
    made_at: str
    days_old: float
    #: Why the file that is there is not in use, in French; empty when it is.
    refused: str = ""

    @property
    def is_stale(self) -> bool:
        """Whether it is older than its daily publication explains."""
        return self.days_old > STALE_AFTER


class LiveDirectory:
    """The directory in use, as the rules ask it: the same object while what is behind it is replaced."""

    def __init__(self, directory: Directory) -> None:
        self.current = directory

    def of_professional(self, rpps: str) -> Sequence[DirectoryEntry]:
        """See :class:`Directory`, here and below."""
        return self.current.of_professional(rpps)

    def of_address(self, address: str) -> Sequence[DirectoryEntry]:
        return self.current.of_address(address)

    def of_structure(self, structure_id: str) -> Sequence[DirectoryEntry]:
        return self.current.of_structure(structure_id)

    def resolve(self, rpps: str, *, structures: frozenset[str] = frozenset()) -> Resolution:
        return self.current.resolve(rpps, structures=structures)

    def resolve_structure(self, finess: str) -> Resolution:
        return self.current.resolve_structure(finess)


class LiveDomains:
    """The domains that may be written to: those of the white list and, where the configuration lists some, of its list too."""

    def __init__(self, white_list: WhiteList, listed: frozenset[str] | None) -> None:
        self.current = white_list
        self._listed = listed

    def __contains__(self, domain: object) -> bool:
        return domain in self.current.domains and (self._listed is None or domain in self._listed)


class Addresses:
    """The two files of a configuration, in use."""

    def __init__(self, configuration: Configuration, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._directory_path, self._white_list_path = configuration.directory_path, configuration.white_list_path
        self._listed = configuration.known_domains
        folder = configuration.journal_path.parent
        self._directories, self._white_lists = DirectoryFiles(folder), WhiteListFiles(folder)
        self._refused: dict[Path, str] = {}
        #: Size and time of the files when they were looked at last: one that was refused is not read every half minute.
        self._looked_at: dict[Path, tuple[int, int] | None] = {}
        self.directory: LiveDirectory | None = None
        self.white_list: LiveDomains | None = None

    @property
    def known_domains(self) -> Container[str] | None:
        """The domains that may be written to; None when they are not checked."""
        return self._listed if self.white_list is None else self.white_list

    def take(self, progress: Progress | None = None) -> None:
        """Put the files in use, at start.

        Raises :class:`DirectoryFileError` or :class:`WhiteListFileError` when one cannot be used and there is no last good one.
        """
        if (path := self._directory_path) is not None:
            self._looked_at[path] = _mark(path)
            try:
                self._directories.take(path, now=self._clock(), progress=progress)
            except DirectoryFileError as error:
                self._refuse(path, error)
            directory = self._directories.open()
            if directory is None:
                raise DirectoryFileError(self._refused.get(path, f"l'index de l'annuaire {path} ne peut être ouvert"))
            self.directory = LiveDirectory(directory)
        if (path := self._white_list_path) is not None:
            self._looked_at[path] = _mark(path)
            try:
                found = self._white_lists.take(path)
            except WhiteListFileError as error:
                last = self._white_lists.last_good()
                if last is None:
                    raise
                self._refuse(path, error)
                found = last
            self.white_list = LiveDomains(found, self._listed)

    def look_only(self) -> None:
        """Put the files in use for one question, writing nothing. Raises as ``take`` does."""
        if (path := self._directory_path) is not None:
            mapped = self._directories.open() if self._directories.is_current(path) else None
            self.directory = LiveDirectory(mapped or read_directory(path))
        if (path := self._white_list_path) is not None:
            self.white_list = LiveDomains(self._white_lists.take(path, keep=False), self._listed)

    async def watch(self) -> None:
        """Take the files again when they change; until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.look_again()

    async def look_again(self) -> None:
        """Take what changed since the last look. A directory is indexed in a process of its own: the intake does not wait for it."""
        directory, white_list = self._directory_path, self._white_list_path
        if directory is not None and self.directory is not None and self._changed(directory):
            try:
                await _in_a_process(self._directories, directory, self._clock())
            except DirectoryFileError as error:
                self._refuse(directory, error)
            else:
                self._refused.pop(directory, None)
        if self.directory is not None:
            self._open_newer(self.directory)
        if white_list is not None and self.white_list is not None and self._changed(white_list):
            try:
                self.white_list.current = await asyncio.to_thread(self._white_lists.take, white_list)
            except WhiteListFileError as error:
                self._refuse(white_list, error)
            else:
                self._refused.pop(white_list, None)
                log.info("white_list.taken", domains=len(self.white_list.current.domains))

    def status(self) -> tuple[FileStatus, ...]:
        """How the files in use stand."""
        now, found = self._clock(), list[FileStatus]()
        in_use = self._directories.in_use()
        if self._directory_path is not None and in_use is not None:
            found.append(
                FileStatus(
                    name="annuaire",
                    size=in_use.rows,
                    made_at=in_use.made_at,
                    days_old=in_use.days_old(now),
                    refused=self._refused.get(self._directory_path, ""),
                )
            )
        if self._white_list_path is not None and self.white_list is not None:
            current = self.white_list.current
            found.append(
                FileStatus(
                    name="liste blanche",
                    size=len(current.domains),
                    made_at=current.generated_at.isoformat(),
                    days_old=(now - current.generated_at).total_seconds() / 86_400,
                    refused=self._refused.get(self._white_list_path, ""),
                )
            )
        return tuple(found)

    def _open_newer(self, live: LiveDirectory) -> None:
        """Map the index in use when another than ours is: made just now, or by ``liaison directory load``."""
        in_use = self._directories.in_use()
        if in_use is not None and in_use.digest != live.current.digest.hex() and (newer := self._directories.open()) is not None:
            live.current = newer
            log.info("directory.taken", rows=len(newer))

    def _changed(self, path: Path) -> bool:
        mark = _mark(path)
        if mark is None or mark == self._looked_at.get(path):
            return False
        self._looked_at[path] = mark
        return True

    def _refuse(self, path: Path, error: Exception) -> None:
        self._refused[path] = str(error)
        log.error("address_file.refused", file=str(path), reason=str(error))


def _mark(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


async def _in_a_process(files: DirectoryFiles, path: Path, now: datetime) -> None:
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    try:
        await asyncio.get_running_loop().run_in_executor(pool, _take, files, path, now)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _take(files: DirectoryFiles, path: Path, now: datetime) -> Taken:
    return files.take(path, now=now)
