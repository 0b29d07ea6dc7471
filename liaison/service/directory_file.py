"""The national directory's file: the daily extraction as text, or in the ZIP that it is published in."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from liaison.mssante.directory import Directory, DirectoryLayoutError

#: The text is about 90 MB in 2026 (mssante digest §5.2).
MAX_TEXT = 1_000_000_000


class DirectoryFileError(Exception):
    """The extraction cannot be read. The text is French and says which file, why, and what to do."""


def load_directory(path: Path) -> Directory:
    """The mailboxes of an extraction, ``.txt`` or ``.zip``. A few seconds for the national one. Raises :class:`DirectoryFileError`."""
    try:
        if zipfile.is_zipfile(path):
            return _load_zip(path)
        with path.open("r", encoding="utf-8-sig", errors="replace", newline="\n") as lines:
            return Directory.load(lines)
    except OSError as error:
        raise DirectoryFileError(
            f"l'annuaire {path} ne peut être lu ({error.strerror}) : vérifier le chemin et les droits"
        ) from error
    except (DirectoryLayoutError, zipfile.BadZipFile, RuntimeError) as error:
        raise DirectoryFileError(f"l'annuaire {path} n'est pas une extraction lisible : {error}") from error


def _load_zip(path: Path) -> Directory:
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) != 1 or members[0].file_size > MAX_TEXT:
            raise DirectoryLayoutError("le ZIP doit contenir un seul fichier, de moins de 1 Go")
        with archive.open(members[0]) as raw, io.TextIOWrapper(raw, "utf-8-sig", errors="replace", newline="\n") as lines:
            return Directory.load(lines)
