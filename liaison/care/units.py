"""A hospital's units (UF): what each is called, how to reach it, and whether its letters need more care. Read from a CSV.

UFs travel as codes only (PAM.fr §5.1.1): without this referential nobody can say « sortie de gériatrie ».
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

COLUMNS: Final = ("code", "label", "kind", "phone", "mailbox", "sensitive")
#: Rows read at most: the largest hospitals have a few thousand units.
MAX_UNITS: Final = 20_000
MAX_LINE: Final = 2_000
_YES, _NO = frozenset({"oui", "o", "yes", "y", "1", "true", "vrai"}), frozenset({"", "non", "n", "no", "0", "false", "faux"})


class UnitsError(ValueError):
    """The referential cannot be used. The text is French and names the line, what is wrong, and what to write."""


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """One unit. All but the code may be empty."""

    code: str
    label: str = ""
    #: What it does: ``MCO``, ``SMR``, ``EHPAD``, ``urgences``… in the hospital's own words.
    kind: str = ""
    phone: str = ""
    #: MSSanté address that its letters' answers go to.
    mailbox: str = ""
    #: Whether its letters are held unless a route takes them on purpose: addictology, abortion, prison medicine…
    sensitive: bool = False


def read_units(lines: Iterable[str]) -> Mapping[str, Unit]:
    """The units of a CSV by code, ``;`` or ``,`` between columns, the first line naming them in any order.

    Only ``code`` is demanded. Raises :class:`UnitsError` at the first line that cannot be read, since a unit left out would lose its
    protection.
    """
    numbered = iter(enumerate(lines, start=1))
    _, first = next(numbered, (1, ""))
    header = first.lstrip("\ufeff").rstrip("\r\n")[:MAX_LINE]
    delimiter = ";" if header.count(";") >= header.count(",") else ","
    names = [name.strip().lower() for name in _split(header, delimiter, 1)]
    unknown = [name for name in names if name not in COLUMNS]
    if "code" not in names or unknown or len(set(names)) != len(names):
        raise UnitsError(f"ligne 1 : les colonnes attendues sont {', '.join(COLUMNS)} (code obligatoire, chacune une fois)")
    units: dict[str, Unit] = {}
    for number, line in numbered:
        if not line.strip():
            continue
        if len(line) > MAX_LINE:
            raise UnitsError(f"ligne {number} : elle dépasse {MAX_LINE} caractères")
        values = _split(line.rstrip("\r\n"), delimiter, number)
        if len(values) != len(names):
            raise UnitsError(f"ligne {number} : {len(values)} colonnes au lieu de {len(names)}")
        unit = _unit(dict(zip(names, (value.strip() for value in values), strict=True)), number)
        if unit.code in units:
            raise UnitsError(f"ligne {number} : ce code d'UF est déjà donné plus haut")
        units[unit.code] = unit
        if len(units) > MAX_UNITS:
            raise UnitsError(f"ligne {number} : plus de {MAX_UNITS} UF")
    return units


def _unit(row: Mapping[str, str], number: int) -> Unit:
    said = row.get("sensitive", "").lower()
    if not row["code"]:
        raise UnitsError(f"ligne {number} : le code de l'UF manque")
    if said not in _YES and said not in _NO:
        raise UnitsError(f"ligne {number} : sensitive s'écrit oui ou non")
    return Unit(
        code=row["code"],
        label=row.get("label", ""),
        kind=row.get("kind", ""),
        phone=row.get("phone", ""),
        mailbox=row.get("mailbox", ""),
        sensitive=said in _YES,
    )


def _split(line: str, delimiter: str, number: int) -> list[str]:
    try:
        rows = list(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise UnitsError(f"ligne {number} : les guillemets ne se ferment pas") from error
    return rows[0] if rows else []
