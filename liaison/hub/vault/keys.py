"""The key file: what it holds, what is derived from it, and how it is written so that a crash never leaves half of one.

It holds two secrets. The *derivation* secret gives the blind index, the digests and the check value that ties the file to its journal;
it never changes, because every identifier in the journal is found through it. The *wrapping* key wraps the subject keys; it is the one
that ``liaison keys rotate`` replaces, and while that lasts the file holds the retiring one too.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from liaison.hub.vault import paper
from liaison.private import Private

KEY_BYTES = 32
_CHECK_BYTES = 16
#: More than any key file has.
_LARGEST = 16_384


class KeyFileError(Exception):
    """The key file is missing, unreadable or not the journal's. The text says which file and what to do."""


class MasterKeys(Private, frozen=True, kw_only=True):
    """The secrets of a key file and what is derived from them. None is ever in the database."""

    derivation: bytes
    wrapping: bytes
    #: The wrapping key that is being replaced; None but during a rotation.
    retiring: bytes | None = None
    blind_index: bytes
    content_digest: bytes
    #: Stored in the journal: tells a wrong file from the right one without helping to find it.
    check_value: bytes

    @property
    def wrapping_check(self) -> bytes:
        """Stored beside the wrapped keys: tells which wrapping key they are under."""
        return wrapping_check(self.wrapping)

    @property
    def opens(self) -> tuple[bytes, ...]:
        """Check values of the wrapping keys that this file holds, the current one first."""
        return (self.wrapping_check,) if self.retiring is None else (self.wrapping_check, wrapping_check(self.retiring))

    @property
    def spoken_check(self) -> str:
        """What two people compare: eight groups of four digits over both secrets."""
        digits = _derive(self.derivation + self.wrapping, "spoken-check")[:16].hex()
        return "-".join(digits[start : start + 4] for start in range(0, 32, 4))


class _KeyFile(Private, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    version: int
    #: Version 1, of the first trials: the one secret that everything is derived from.
    key: str = ""
    derivation: str = ""
    wrapping: str = ""
    retiring: str = ""


def _derive(key: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"liaison/{purpose}/1".encode()).derive(key)


def wrapping_check(wrapping: bytes) -> bytes:
    """The check value of a wrapping key."""
    return _derive(wrapping, "wrapping-check")[:_CHECK_BYTES]


def master_keys(derivation: bytes, wrapping: bytes | None = None, retiring: bytes | None = None) -> MasterKeys:
    """Everything that is derived from the secrets (HKDF-SHA-256, one label a purpose); one secret alone gives its wrapping key too."""
    return MasterKeys(
        derivation=derivation,
        wrapping=wrapping or _derive(derivation, "wrapping"),
        retiring=retiring,
        blind_index=_derive(derivation, "blind-index"),
        content_digest=_derive(derivation, "content-digest"),
        check_value=_derive(derivation, "check-value")[:_CHECK_BYTES],
    )


def load_keys(path: Path) -> MasterKeys:
    """Read a key file, or the page of a safe typed into a file (see ``vault/paper``).

    Raises:
        KeyFileError: the file is missing, readable by others than its owner, or not a key file.
    """
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            raw = file.read(_LARGEST)
    except OSError as error:
        raise KeyFileError(
            f"clé illisible : {path} ({error.strerror}). Restaurez le fichier de clés, sans lui le journal reste fermé."
        ) from error
    if mode & 0o077:
        raise KeyFileError(f"{path} est lisible par d'autres que son propriétaire : chmod 600 {path}")
    if paper.is_page(raw):
        try:
            secrets = paper.read(raw)
        except paper.MistypedPage as error:
            raise KeyFileError(f"{path}, {error}") from error
        return master_keys(secrets[:KEY_BYTES], secrets[KEY_BYTES:])
    try:
        content = msgspec.json.decode(raw, type=_KeyFile)
        key, derivation, wrapping, retiring = (
            base64.b64decode(part, validate=True) for part in (content.key, content.derivation, content.wrapping, content.retiring)
        )
    except (msgspec.MsgspecError, ValueError) as error:
        raise KeyFileError(f"{path} n'est pas un fichier de clés de Liaison.") from error
    lengths = tuple(len(part) for part in (key, derivation, wrapping, retiring))
    match content.version, lengths:
        case 1, (32, 0, 0, 0):
            return master_keys(key)
        case 2, (0, 32, 32, 0 | 32):
            return master_keys(derivation, wrapping, retiring or None)
        case _:
            raise KeyFileError(f"{path} : version ou longueur de clé inconnue.")


def create_keys(path: Path) -> MasterKeys:
    """Make a key file, readable by its owner only. Never overwrites: raises FileExistsError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = master_keys(os.urandom(KEY_BYTES), os.urandom(KEY_BYTES))
    export_keys(path, keys)
    return keys


def export_keys(path: Path, keys: MasterKeys) -> None:
    """Write a key file that does not exist yet, durably. Raises FileExistsError."""
    _write(path, os.O_EXCL, _content(keys))
    _sync_folder(path.parent)


def replace_keys(path: Path, keys: MasterKeys) -> None:
    """Put another content in a key file's place: at any moment the old or the new is there, whole and durable."""
    beside = path.with_name(path.name + ".new")
    _write(beside, os.O_TRUNC, _content(keys))
    os.replace(beside, path)
    _sync_folder(path.parent)


def _content(keys: MasterKeys) -> bytes:
    parts = (base64.b64encode(part or b"").decode() for part in (keys.derivation, keys.wrapping, keys.retiring))
    derivation, wrapping, retiring = parts
    return msgspec.json.encode(_KeyFile(version=2, derivation=derivation, wrapping=wrapping, retiring=retiring))


def _write(path: Path, how: int, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
