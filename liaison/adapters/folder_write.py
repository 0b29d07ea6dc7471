"""A folder as a way out: each parcel a file, which appears whole or not at all. File names may tell who a patient is: never logged."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
from pathlib import Path

import msgspec

from liaison.hub.contracts import Attempt, Delivered, Parcel, Unavailable

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
