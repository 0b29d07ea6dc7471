"""A zip file opened without trust: in memory, real bytes counted, everything odd refused."""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
import zlib

#: Limits of an archive that is read. A mail of Mon espace santé may weigh 25 MB.
MAX_ARCHIVE = 40_000_000
MAX_FILES = 200
MAX_TOTAL = 120_000_000
#: Highest ratio of unpacked to packed bytes, once a file is past ``RATIO_FLOOR``.
MAX_RATIO = 200
RATIO_FLOOR = 1_000_000

_CHUNK = 65_536
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_END = struct.Struct("<4s4H2LH")
_NAME = re.compile(r"[^\x00-\x1f\x7f\\:]{1,200}")


class UnsafeArchive(ValueError):
    """The archive must not be opened. ``rule`` is stable, ``message`` is French, neither repeats a name from inside."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(f"{rule}: {message}")
        self.rule = f"xdm.{rule}"
        self.message = message


def unpack(raw: bytes) -> dict[str, bytes]:
    """The files of a zip, by name in the archive's order. Raises :class:`UnsafeArchive`."""
    if len(raw) > MAX_ARCHIVE:
        raise UnsafeArchive("too-large", f"L'archive dépasse {MAX_ARCHIVE // 1_000_000} Mo.")
    _check_directory(raw)
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            entries = archive.infolist()
            _check_entries(entries)
            _check_extents(raw, entries, archive.start_dir)
            files: dict[str, bytes] = {}
            left = MAX_TOTAL
            for entry in entries:
                if not entry.is_dir():
                    files[entry.filename] = content = _read(archive, entry, left)
                    left -= len(content)
    except UnsafeArchive:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        struct.error,
        OSError,
    ) as error:
        raise UnsafeArchive("unreadable", "L'archive est abîmée ou n'est pas un fichier ZIP.") from error
    return files


def _check_directory(raw: bytes) -> None:
    """Refuse a central directory of too many entries before anything lists it (APPNOTE §4.3.16)."""
    at = raw.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(raw):
        raise UnsafeArchive("unreadable", "L'archive est abîmée ou n'est pas un fichier ZIP.")
    _, disk, start_disk, _, entries, size, _, _ = _END.unpack_from(raw, at)
    if disk or start_disk:
        raise UnsafeArchive("unreadable", "L'archive est en plusieurs volumes.")
    if entries > MAX_FILES or size > MAX_FILES * 512:
        raise UnsafeArchive("too-many-files", f"L'archive contient plus de {MAX_FILES} fichiers.")


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_FILES:
        raise UnsafeArchive("too-many-files", f"L'archive contient plus de {MAX_FILES} fichiers.")
    seen: set[str] = set()
    for entry in entries:
        # orig_filename: zipfile cuts the other one at a NUL.
        name = entry.orig_filename
        if (
            not _NAME.fullmatch(name)
            or name.startswith("/")
            or any(part in ("", ".", "..") for part in name.rstrip("/").split("/"))
        ):
            raise UnsafeArchive("unsafe-name", "Un nom de fichier de l'archive sort de son dossier ou n'est pas permis.")
        if name.upper().rstrip("/") in seen:
            raise UnsafeArchive("duplicate-name", "Deux fichiers de l'archive portent le même nom.")
        seen.add(name.upper().rstrip("/"))
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise UnsafeArchive("link", "L'archive contient un lien ou un fichier spécial.")
        if entry.flag_bits & 0x2041:
            raise UnsafeArchive("encrypted", "L'archive est chiffrée.")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnsafeArchive(
                "compression", "L'archive emploie une compression qui n'est pas permise (stored et deflate le sont)."
            )


def _check_extents(raw: bytes, entries: list[zipfile.ZipInfo], directory: int) -> None:
    """Refuse files whose bytes overlap, or run into the central directory: a small archive could unpack to anything."""
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise UnsafeArchive("overlap", "Des fichiers de l'archive se recouvrent.")
        fields = _LOCAL_HEADER.unpack_from(raw, entry.header_offset)
        end = entry.header_offset + _LOCAL_HEADER.size + fields[9] + fields[10] + entry.compress_size
    if end > directory:
        raise UnsafeArchive("overlap", "Des fichiers de l'archive se recouvrent.")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, left: int) -> bytes:
    """Unpack one file, counting what really comes out, whatever its header announces."""
    allowed = min(left, max(RATIO_FLOOR, entry.compress_size * MAX_RATIO))
    chunks: list[bytes] = []
    size = 0
    with archive.open(entry) as stream:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if size > allowed:
                raise UnsafeArchive("bomb", "Une fois ouverte, l'archive serait démesurée.")
            chunks.append(chunk)
    content = b"".join(chunks)
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06")) or entry.filename.upper().endswith(".ZIP"):
        raise UnsafeArchive("nested", "L'archive en contient une autre.")
    return content
