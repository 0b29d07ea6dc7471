"""A list of followed patients as a file: CSV with a line of names, its separator and character set found out within bounds."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from liaison.private import Private
from liaison.service.configuration import Configuration
from liaison.service.follow_lines import FollowLine, LineFault, wanted_of

MAX_FILE: Final = 64_000_000
MAX_LINES: Final = 500_000
#: Faults that are told; a file with more is another file than it is taken for.
MOST_FAULTS: Final = 50
_SEPARATORS: Final = ";,\t|"
#: What a column may be called, without accents, case and signs, and the field that it fills.
_COLUMNS: Final[Mapping[str, str]] = {
    "ins": "ins",
    "matricule": "ins",
    "matriculeins": "ins",
    "nir": "ins",
    "ipp": "ipp",
    "finess": "finess",
    "etablissement": "finess",
    "autorite": "authority",
    "authority": "authority",
    "naissance": "birth_date",
    "datenaissance": "birth_date",
    "datedenaissance": "birth_date",
    "ddn": "birth_date",
    "birthdate": "birth_date",
    "debut": "since",
    "datedebut": "since",
    "since": "since",
    "fin": "until",
    "datefin": "until",
    "until": "until",
}


class FollowFileError(Exception):
    """The file cannot be taken; says why and what to do, in French, without its values."""


class FileFault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one line. Lines are counted from 1, the names' line included."""

    line: int
    message: str


class FollowFile(Private, frozen=True, kw_only=True):
    """What a file says: its lines in order, each once, and what is wrong with others."""

    lines: tuple[FollowLine, ...]
    faults: tuple[FileFault, ...]
    #: How many lines only said what another said already.
    repeated: int
    #: Columns that mean nothing here.
    ignored: tuple[str, ...]


def read_follow_file(path: Path, *, configuration: Configuration, name: str) -> FollowFile:
    """Read a list for ``name``. Raises FollowFileError when the file as a whole cannot be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE + 1)
    except OSError as error:
        raise FollowFileError(f"{path} ne peut être lu ({error.strerror}).") from error
    return parse_follow_list(raw, configuration=configuration, name=name)


def parse_follow_list(raw: bytes, *, configuration: Configuration, name: str) -> FollowFile:
    """As ``read_follow_file``, for bytes."""
    if len(raw) > MAX_FILE:
        raise FollowFileError("le fichier dépasse 64 Mo : ce n'est pas une liste de suivi.")
    text = _decoded(raw)
    head = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=head.count)
    rows = csv.reader(text.splitlines(), delimiter=separator, strict=True)
    lines: dict[FollowLine, None] = {}
    titles: tuple[str, ...] = ()
    faults: list[FileFault] = []
    repeated = 0
    try:
        columns = [_COLUMNS.get(_plain(title), "") for title in next(rows, list[str]())]
        if not {"ins", "ipp"} & set(columns) or len([one for one in columns if one]) != len({one for one in columns if one}):
            raise FollowFileError(
                "la première ligne doit nommer les colonnes, chacune une fois : ins, ou ipp et finess ; au besoin autorite, "
                "naissance, debut, fin."
            )
        titles = tuple(title.strip()[:40] for title, column in zip(head.split(separator), columns, strict=False) if not column)
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if rows.line_num > MAX_LINES:
                raise FollowFileError(f"le fichier dépasse {MAX_LINES} lignes.")
            try:
                line = _line(row, columns)
                wanted_of(line, configuration=configuration, name=name)
            except LineFault as fault:
                faults.append(FileFault(line=rows.line_num, message=str(fault)))
                if len(faults) >= MOST_FAULTS:
                    break
                continue
            repeated += line in lines
            lines[line] = None
    except csv.Error:
        faults.append(FileFault(line=rows.line_num, message="la ligne n'est pas du CSV : vérifier les guillemets."))
    return FollowFile(lines=tuple(lines), faults=tuple(faults), repeated=repeated, ignored=titles)


def _line(row: list[str], columns: list[str]) -> FollowLine:
    if len(row) > len(columns) and any(cell.strip() for cell in row[len(columns) :]):
        raise LineFault("elle a plus de colonnes que la première.")
    cells = {column: cell.strip() for column, cell in zip(columns, row, strict=False) if column}
    return FollowLine(**cells)


def _decoded(raw: bytes) -> str:
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252", "iso-8859-15"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise FollowFileError("ce n'est pas un fichier de texte : enregistrer la liste en CSV, UTF-8.")


def _plain(title: str) -> str:
    decomposed = unicodedata.normalize("NFKD", title)[:80]
    return "".join(letter for letter in decomposed.casefold() if letter.isascii() and letter.isalnum())
