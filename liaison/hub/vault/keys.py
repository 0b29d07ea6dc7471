"""The key-encryption key: where it is kept, and what is derived from it."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from liaison.private import Private

KEY_BYTES = 32


class KeyFileError(Exception):
    """The key file is missing, unreadable or not the journal's. The text says which file and what to do."""


class MasterKeys(Private, frozen=True, kw_only=True):
    """The key-encryption key and its derivatives. Only the first is written to a file; none ever to the database."""

    wrapping: bytes
    blind_index: bytes
    content_digest: bytes
    #: Stored in the journal: tells a wrong key from the right one without helping to find it.
    check_value: bytes


class _KeyFile(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int
    key: str


def _derive(key: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"liaison/{purpose}/1".encode()).derive(key)


def master_keys(key: bytes) -> MasterKeys:
    """Everything that is derived from a 32-byte key-encryption key (HKDF-SHA-256, one label a purpose)."""
    return MasterKeys(
        wrapping=_derive(key, "wrapping"),
        blind_index=_derive(key, "blind-index"),
        content_digest=_derive(key, "content-digest"),
        check_value=_derive(key, "check-value")[:16],
    )


def load_keys(path: Path) -> MasterKeys:
    """Read a key file.

    Raises:
        KeyFileError: the file is missing, readable by others than its owner, or not a key file.
    """
    try:
        mode = path.stat().st_mode
        raw = path.read_bytes()
    except OSError as error:
        raise KeyFileError(
            f"clé illisible : {path} ({error.strerror}). Restaurez le fichier de clés, sans lui le journal reste fermé."
        ) from error
    if mode & 0o077:
        raise KeyFileError(f"{path} est lisible par d'autres que son propriétaire : chmod 600 {path}")
    try:
        content = msgspec.json.decode(raw, type=_KeyFile)
        key = base64.b64decode(content.key, validate=True)
    except (msgspec.MsgspecError, ValueError) as error:
        raise KeyFileError(f"{path} n'est pas un fichier de clés de Liaison.") from error
    if content.version != 1 or len(key) != KEY_BYTES:
        raise KeyFileError(f"{path} : version ou longueur de clé inconnue.")
    return master_keys(key)


def create_keys(path: Path) -> MasterKeys:
    """Make a key file, readable by its owner only. Never overwrites: raises FileExistsError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = os.urandom(KEY_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode({"version": 1, "key": base64.b64encode(key).decode()}))
        file.flush()
        os.fsync(file.fileno())
    return master_keys(key)
