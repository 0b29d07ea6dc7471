"""A folder as a way in: HL7 messages and batches, CDA, XDM archives, PDFs with their side files, known by what is in them.

A file is taken once its name is final (``.part`` and the like are still being written) and two looks found it unchanged; it is claimed
by a rename, which only one hub can win. What was answered is written beside it, as ``.ack``, where it ends: in ``done`` or ``refused``.
File names may tell who a patient is: they are never logged.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from liaison.adapters.budget import ByteBudget
from liaison.adapters.deposit import SNIFFED, answer_file, parts_of, refusal, wait_for
from liaison.hub.contracts import Answer, Receive, Sender, Verdict
from liaison.sidefile.pair import Pair, is_pdf, pack_pair

log = structlog.get_logger()

#: Endings that programs give to files they are still writing.
UNFINISHED_ENDINGS = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".writing")

#: Files looked at in one pass; the others have their turn at the next.
MAX_LISTED = 10_000

CLAIMED = ".claimed"
DONE = "done"
REFUSED = "refused"


class FolderSourceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a ``kind = "folder"`` source."""

    #: The folder that senders write to; must exist. ``done``, ``refused`` and ``.claimed`` are made in it.
    path: str
    #: Seconds between two looks; a file is taken when two looks in a row found the same size and date.
    interval: float = 2.0
    #: ``done``: keep what was taken in ``done``; ``delete``: remove it once the hub has it.
    after: Literal["done", "delete"] = "done"
    #: Largest file, in bytes; a PDF counts with its side file.
    max_size: int = 50_000_000
    #: Seconds that a PDF waits for its side file, and a side file for its PDF, before it is refused alone.
    pair_wait: float = 60.0

    def __post_init__(self) -> None:
        if not os.path.isabs(self.path):
            raise ValueError("path : attendu un chemin absolu")
        if self.interval <= 0 or self.max_size <= 0 or self.pair_wait < 0:
            raise ValueError("interval, max_size, pair_wait : doivent être positifs")


class FolderSource:
    """Takes the files of a folder, oldest first, one at a time."""

    unfinished = large = False  #: For the byte budget: a file is read whole, or not at all.

    def __init__(self, name: str, settings: FolderSourceSettings, budget: ByteBudget) -> None:
        self.name = name
        self.settings = settings
        self._budget = budget
        self._path = Path(settings.path)
        self._sender = Sender(source=name, peer=settings.path, file=True)
        #: What the last look saw: size and date of modification by name.
        self._seen: dict[str, tuple[int, int]] = {}
        #: Claimed and not finished, by this process or by one that died: a file, or a PDF and its side file.
        self._claimed: list[tuple[Path, ...]] = []
        self._room: asyncio.Future[None] | None = None
        self._stopping = False

    def __repr__(self) -> str:
        return f"<FolderSource {self.name} {self.settings.path}>"

    async def run(self, receive: Receive) -> None:
        """Look at the folder until cancelled; a file being received then is finished first.

        Raises OSError, in French, when the folder cannot be used.
        """
        await asyncio.to_thread(self.open)
        log.info("folder.watching", source=self.name, folder=self.settings.path, left_over=len(self._claimed))
        while True:
            one_pass = asyncio.ensure_future(self.look(receive))
            try:
                await asyncio.shield(one_pass)
            except asyncio.CancelledError:
                self._stopping = True
                await one_pass
                raise
            except OSError as error:
                log.error("folder.unreadable", source=self.name, folder=self.settings.path, error=type(error).__qualname__)
            await asyncio.sleep(self.settings.interval)

    def open(self) -> None:
        """Make the subfolders, and find what was claimed and not finished. Raises OSError."""
        if not self._path.is_dir():
            raise NotADirectoryError(f"sources.{self.name} : le dossier {self._path} n'existe pas ou n'est pas un dossier")
        for subfolder in (CLAIMED, DONE, REFUSED):
            (self._path / subfolder).mkdir(mode=0o700, exist_ok=True)
            if (self._path / subfolder).is_symlink():
                raise NotADirectoryError(f"sources.{self.name} : {self._path / subfolder} est un lien, refusé")
        left_over: dict[str, list[Path]] = {}
        for path in sorted((self._path / CLAIMED).iterdir()):
            left_over.setdefault(path.name.partition("~")[0], []).append(path)
        for paths in left_over.values():
            if len(paths) > 1 or not self._gave_back(paths[0]):
                self._claimed.append(tuple(paths))

    def _gave_back(self, claimed: Path) -> bool:
        """Whether a claimed file went back to the folder: half of a pair whose other half may still be there."""
        home = self._path / claimed.name.partition("~")[2]
        if not wait_for([(home.name, _head(claimed))]) or os.path.lexists(home):
            return False
        os.rename(claimed, home)
        return True

    async def look(self, receive: Receive) -> int:
        """One pass: take what is left over and what is ready. Returns how many deposits were finished."""
        finished = 0
        for claimed in tuple(self._claimed):
            finished += not self._stopping and await self._take(claimed, receive)
        for names in await asyncio.to_thread(lambda: list(self._ready())):
            if self._stopping:
                break
            claimed = await asyncio.to_thread(self._claim, names)
            if claimed:
                self._claimed.append(claimed)
                finished += await self._take(claimed, receive)
        return finished

    def _claim(self, names: tuple[str, ...]) -> tuple[Path, ...]:
        """Rename what belongs together under one number; empty when another hub was faster, or its writer took it away."""
        number = secrets.token_hex(8)
        claimed: list[Path] = []
        for name in names:
            path = self._path / CLAIMED / f"{number}~{_short(name)}"
            try:
                os.rename(self._path / name, path)
            except FileNotFoundError:
                continue
            claimed.append(path)
        return tuple(claimed)

    def _ready(self) -> Iterator[tuple[str, ...]]:
        """Names that two looks found unchanged, oldest first; a PDF with its side file, or either alone once it has waited."""
        seen: dict[str, tuple[int, int]] = {}
        with os.scandir(self._path) as entries:
            for entry in entries:
                if len(seen) >= MAX_LISTED:
                    break
                if entry.name.startswith(".") or entry.name.lower().endswith(UNFINISHED_ENDINGS):
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if not stat.S_ISDIR(status.st_mode):
                    seen[entry.name] = (status.st_size, status.st_mtime_ns)
        before, self._seen = self._seen, seen
        ready = sorted((name for name, state in seen.items() if before.get(name) == state), key=lambda name: (seen[name][1], name))
        halves = wait_for((name, _head(self._path / name)) for name in ready)
        for name in ready:
            other = halves.get(name)
            if other is None:
                yield (name,)
            elif other:
                if name < other or halves.get(other) != name:  # once for both
                    yield (name, other)
            elif time.time_ns() - seen[name][1] >= self.settings.pair_wait * 1e9:
                yield (name,)

    async def _take(self, claimed: tuple[Path, ...], receive: Receive) -> bool:
        """Give one claimed deposit to the hub and put it where it belongs. False: it stays claimed for the next pass."""
        try:
            size = await asyncio.to_thread(self._check, claimed)
            received = await self._receive(claimed, size, receive)
            if received is None:  # for now: the disk or the hub is full
                log.warning("folder.file_put_off", source=self.name, folder=str(self._path / CLAIMED))
                return False
            await asyncio.to_thread(self._finish, claimed, *received)
        except _NotTakenError as error:
            await asyncio.to_thread(self._put, claimed, REFUSED, b"", str(error))
        except FileNotFoundError:
            log.warning("folder.file_gone", source=self.name, folder=str(self._path / CLAIMED))
        except Exception as error:  # noqa: BLE001 - whatever it is, the file stays claimed and has its turn again
            log.error("folder.receive_failed", source=self.name, error=type(error).__qualname__)
            return False
        self._claimed.remove(claimed)
        return True

    async def _receive(self, claimed: tuple[Path, ...], size: int, receive: Receive) -> tuple[bytes, str] | None:
        """The answer file and why the deposit is refused (empty: it is not); None when the hub takes nothing for now."""
        await self._wait_for_room()
        self._budget.acquire(size)
        self._budget.begin(self)
        try:
            raw = await asyncio.to_thread(self._read, claimed)
            answers: list[Answer] = []
            for part in await asyncio.to_thread(parts_of, raw):
                sender = self._sender
                if part.fault is not None or part.noticed:
                    sender = msgspec.structs.replace(sender, fault=part.fault, noticed=part.noticed)
                answer = await receive(part.raw, sender)
                if answer.verdict is Verdict.REFUSED:
                    return None
                answers.append(answer)
            return await asyncio.to_thread(answer_file, raw, answers), refusal(answers)
        finally:
            self._budget.end(size)

    def _read(self, claimed: tuple[Path, ...]) -> bytes:
        contents = [_read(path, self.settings.max_size) for path in claimed]
        if len(contents) == 1:
            return contents[0]
        return pack_pair(
            Pair(pdf=contents[0], side=contents[1]) if is_pdf(contents[0]) else Pair(pdf=contents[1], side=contents[0])
        )

    def _check(self, claimed: tuple[Path, ...]) -> int:
        size = 0
        for path in claimed:
            status = os.lstat(path)
            if not stat.S_ISREG(status.st_mode):
                raise _NotTakenError("ce n'est pas un fichier ordinaire (un lien, par exemple) : il n'a pas été lu")
            size += status.st_size
        if size > self.settings.max_size:
            raise _NotTakenError(f"le fichier dépasse la taille permise ({self.settings.max_size} octets) : il n'a pas été lu")
        return size

    def _finish(self, claimed: tuple[Path, ...], answer: bytes, why: str) -> None:
        self._put(claimed, REFUSED if why else DONE, answer, why)

    def _put(self, claimed: tuple[Path, ...], subfolder: str, answer: bytes, why: str) -> None:
        """Write what is told beside, then put the files there: a hub that dies between does both again, over what it wrote."""
        target = self._free(subfolder, claimed[0])
        if answer:
            self._write(target.with_name(target.name + ".ack"), answer)
        if why:
            self._write(target.with_name(target.name + ".txt"), f"Liaison, source {self.name} : {why}.\n".encode())
            log.warning("folder.file_refused", source=self.name, folder=str(self._path / subfolder))
        for number, path in enumerate(claimed):
            if self.settings.after == "delete" and not why:
                path.unlink(missing_ok=True)
            else:
                os.rename(path, target if number == 0 else self._free(subfolder, path))

    def _write(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(f".{secrets.token_hex(8)}.part")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)

    def _free(self, subfolder: str, claimed: Path) -> Path:
        """A name that is not taken: the file's own, or with the claim's number before it."""
        number, _, name = claimed.name.partition("~")
        target = self._path / subfolder / name
        if os.path.lexists(target):
            target = target.with_name(f"{number}-{name}")
        return target

    def resume(self) -> None:
        """There is room in the byte budget again."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    async def _wait_for_room(self) -> None:
        self._room = asyncio.get_running_loop().create_future()
        if self._budget.must_pause(self):
            await self._room


def _short(name: str) -> str:
    """The name, or a digest of it when there would be no room for what is put around it (255 bytes in all)."""
    if len(os.fsencode(name)) <= 200:
        return name
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:32]


class _NotTakenError(Exception):
    """A file that the hub will not read; says why, in French."""


def _head(path: Path) -> bytes:
    """The first bytes of a regular file; empty for anything else."""
    try:
        return _read(path, SNIFFED, whole=False)
    except OSError:
        return b""


def _read(path: Path, limit: int, *, whole: bool = True) -> bytes:
    """The bytes of a regular file, links not followed, ``limit`` at most. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if whole and len(data) > limit:
        raise OSError("the file grew while it was read")
    return data
