"""A folder as a way in and as a way out: one file, one message.

In: a file is taken once its name is final (``.part`` and the like are still being written) and two looks found it
unchanged; it is claimed by a rename, which only one hub can win. Out: a file appears whole or not at all.
File names may tell who a patient is: they are never logged.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from liaison.adapters.budget import ByteBudget
from liaison.hub.contracts import Answer, Attempt, Delivered, Parcel, Receive, Sender, Unavailable, Verdict

log = structlog.get_logger()

#: Endings that programs give to files they are still writing.
UNFINISHED_ENDINGS = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".writing")

#: Files looked at in one pass; the others have their turn at the next.
MAX_LISTED = 10_000

CLAIMED = ".claimed"
DONE = "done"
ERRORS = "errors"

#: Extension by media type, for readers that go by it.
EXTENSIONS = {
    "application/hl7-v2": ".hl7",
    "x-application/hl7-v2+er7": ".hl7",
    "application/cloudevents+json": ".json",
    "application/fhir+json": ".json",
    "application/json": ".json",
    "application/xml": ".xml",
    "text/xml": ".xml",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "message/rfc822": ".eml",
}

_SAFE_NAME = re.compile(r"[A-Za-z0-9_=+@-][A-Za-z0-9._=+@-]{0,119}")


class FolderSourceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a ``kind = "folder"`` source."""

    #: The folder that senders write to; must exist. ``done``, ``errors`` and ``.claimed`` are made in it.
    path: str
    #: Seconds between two looks; a file is taken when two looks in a row found the same size and date.
    interval: float = 2.0
    #: ``done``: keep what was taken in ``done``; ``delete``: remove it once the hub has it.
    after: Literal["done", "delete"] = "done"
    #: Largest file, in bytes.
    max_size: int = 50_000_000

    def __post_init__(self) -> None:
        if not os.path.isabs(self.path):
            raise ValueError("path : attendu un chemin absolu")
        if self.interval <= 0 or self.max_size <= 0:
            raise ValueError("interval, max_size : doivent être positifs")


class FolderDestinationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a ``kind = "folder"`` destination."""

    #: The folder to write to; must exist.
    path: str
    #: Extension of the files, such as ``.hl7``; empty: by media type.
    extension: str = ""

    def __post_init__(self) -> None:
        if not os.path.isabs(self.path):
            raise ValueError("path : attendu un chemin absolu")
        if self.extension and not re.fullmatch(r"\.[A-Za-z0-9]{1,10}", self.extension):
            raise ValueError("extension : attendu un point et quelques lettres, par exemple .hl7")


class FolderSource:
    """Takes the files of a folder, oldest first, one at a time."""

    unfinished = False  #: For the byte budget: a file is read whole, or not at all.

    def __init__(self, name: str, settings: FolderSourceSettings, budget: ByteBudget) -> None:
        self.name = name
        self.settings = settings
        self._budget = budget
        self._path = Path(settings.path)
        self._sender = Sender(source=name, peer=settings.path)
        #: What the last look saw: size and date of modification by name.
        self._seen: dict[str, tuple[int, int]] = {}
        #: Claimed and not finished, by this process or by one that died.
        self._claimed: list[Path] = []
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
        for subfolder in (CLAIMED, DONE, ERRORS):
            (self._path / subfolder).mkdir(mode=0o700, exist_ok=True)
            if (self._path / subfolder).is_symlink():
                raise NotADirectoryError(f"sources.{self.name} : {self._path / subfolder} est un lien, refusé")
        self._claimed = sorted((self._path / CLAIMED).iterdir())

    async def look(self, receive: Receive) -> int:
        """One pass: take what is left over and what is ready. Returns how many files were finished."""
        finished = 0
        for claimed in tuple(self._claimed):
            finished += not self._stopping and await self._take(claimed, receive)
        for name in await asyncio.to_thread(lambda: list(self._ready())):
            if self._stopping:
                break
            claimed = self._path / CLAIMED / f"{secrets.token_hex(8)}~{_short(name)}"
            try:
                await asyncio.to_thread(os.rename, self._path / name, claimed)
            except FileNotFoundError:  # another hub was faster, or its writer took it away
                continue
            self._claimed.append(claimed)
            finished += await self._take(claimed, receive)
        return finished

    def _ready(self) -> Iterator[str]:
        """Names that two looks found unchanged, oldest first."""
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
        ready = [name for name, state in seen.items() if before.get(name) == state]
        yield from sorted(ready, key=lambda name: (seen[name][1], name))

    async def _take(self, claimed: Path, receive: Receive) -> bool:
        """Give one claimed file to the hub and put it where it belongs. False: it stays claimed for the next pass."""
        try:
            size = await asyncio.to_thread(self._check, claimed)
            answer = await self._receive(claimed, size, receive)
            if answer.verdict is Verdict.REFUSED:  # for now: the disk or the hub is full
                log.warning("folder.file_put_off", source=self.name, folder=str(self._path / CLAIMED))
                return False
            await asyncio.to_thread(self._finish, claimed, answer)
        except _NotTakenError as error:
            await asyncio.to_thread(self._reject, claimed, str(error))
        except FileNotFoundError:
            log.warning("folder.file_gone", source=self.name, folder=str(self._path / CLAIMED))
        except Exception as error:  # noqa: BLE001 - whatever it is, the file stays claimed and has its turn again
            log.error("folder.receive_failed", source=self.name, error=type(error).__qualname__)
            return False
        self._claimed.remove(claimed)
        return True

    async def _receive(self, claimed: Path, size: int, receive: Receive) -> Answer:
        await self._wait_for_room()
        self._budget.acquire(size)
        self._budget.begin(self)
        try:
            return await receive(await asyncio.to_thread(_read, claimed, self.settings.max_size), self._sender)
        finally:
            self._budget.end(size)

    def _check(self, claimed: Path) -> int:
        status = os.lstat(claimed)
        if not stat.S_ISREG(status.st_mode):
            raise _NotTakenError("ce n'est pas un fichier ordinaire (un lien, par exemple) : il n'a pas été lu")
        if status.st_size > self.settings.max_size:
            raise _NotTakenError(f"le fichier dépasse la taille permise ({self.settings.max_size} octets) : il n'a pas été lu")
        return status.st_size

    def _finish(self, claimed: Path, answer: Answer) -> None:
        if answer.verdict is Verdict.QUARANTINED:
            trace = f" (message {answer.message_id})" if answer.message_id else ""
            self._reject(claimed, f"le message n'a pas pu être compris, il est gardé en quarantaine{trace}")
        elif self.settings.after == "delete":
            claimed.unlink(missing_ok=True)
        else:
            os.rename(claimed, self._free(DONE, claimed))

    def _reject(self, claimed: Path, why: str) -> None:
        target = self._free(ERRORS, claimed)
        os.rename(claimed, target)
        explanation = target.with_name(target.name + ".txt")
        descriptor = os.open(explanation, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(f"Liaison, source {self.name} : {why}.\n")
        log.warning("folder.file_refused", source=self.name, folder=str(self._path / ERRORS))

    def _free(self, subfolder: str, claimed: Path) -> Path:
        """A name that is not taken: the file's own, or with the claim's number before it."""
        number, _, name = claimed.name.partition("~")
        target = self._path / subfolder / name
        if os.path.lexists(target) or os.path.lexists(target.with_name(name + ".txt")):
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


def _read(path: Path, limit: int) -> bytes:
    """The bytes of a regular file, links not followed, ``limit`` at most. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError("the file grew while it was read")
    return data


class FolderDestination:
    """Writes each parcel to a file of its own, named after the parcel: the same parcel again is the same file."""

    def __init__(self, name: str, settings: FolderDestinationSettings) -> None:
        self.name = name
        self.settings = settings
        self._path = Path(settings.path)

    def __repr__(self) -> str:
        return f"<FolderDestination {self.name} {self.settings.path}>"

    async def deliver(self, parcel: Parcel) -> Attempt:
        """Write beside, fsync, rename, fsync the folder. What becomes of the file is its reader's business."""
        name = _file_name(parcel.id) + (self.settings.extension or _extension(parcel.content_type))
        try:
            await asyncio.to_thread(self._write, name, parcel.body)
        except OSError as error:
            return Unavailable(reason=f"écriture dans {self.settings.path} impossible : {os.strerror(error.errno or 0)}")
        return Delivered(reference=name, receipt="accepted")

    def _write(self, name: str, body: bytes) -> None:
        temporary = self._path / f".{secrets.token_hex(8)}.part"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640)
        try:
            with open(descriptor, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._path / name)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    async def probe(self) -> None:
        def check() -> None:
            if not self._path.is_dir():
                raise NotADirectoryError(f"le dossier {self._path} n'existe pas ou n'est pas un dossier")
            if not os.access(self._path, os.W_OK | os.X_OK):
                raise PermissionError(f"le dossier {self._path} n'est pas accessible en écriture")

        await asyncio.to_thread(check)

    async def close(self) -> None:
        """Nothing is kept open."""


def _file_name(parcel_id: str) -> str:
    """A file name that cannot leave the folder nor hide in it: the id itself, or a digest of it."""
    if _SAFE_NAME.fullmatch(parcel_id):
        return parcel_id
    return hashlib.sha256(parcel_id.encode()).hexdigest()


def _extension(content_type: str) -> str:
    return EXTENSIONS.get(content_type.partition(";")[0].strip().lower(), ".bin")
