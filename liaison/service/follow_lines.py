"""One line of a list of followed patients, as a file, an operator's command or the platform's call writes it, checked and made whole.

What is wrong is said in French by the name of the field, never with its value.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from liaison.care.identifiers import Identifier, IdentifierKind, finess, ins_key_is_right
from liaison.hub.enrolling import Wanted
from liaison.hub.journal.records import microseconds
from liaison.private import Private
from liaison.service.configuration import Configuration

_PARIS: Final = ZoneInfo("Europe/Paris")
_ISO = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_FRENCH = re.compile(r"(\d{2})[/.](\d{2})[/.](\d{4})")
LONGEST_VALUE: Final = 64


class FollowLine(Private, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whom to follow: an INS, or an IPP with the FINESS of its establishment."""

    ins: str = ""
    ipp: str = ""
    finess: str = ""
    #: Canonical authority of the IPP (``oid:…``); empty: the one that the configuration gives for the FINESS.
    authority: str = ""
    #: Compared with the patient's, so that a number written wrong follows nobody: ``AAAA-MM-JJ`` or ``JJ/MM/AAAA``.
    birth_date: str = ""
    #: Days, the last one included, or times with their zone.
    since: str = ""
    until: str = ""


class LineFault(Exception):
    """A line that cannot be understood; says which field and what to write, in French, without its value."""


def wanted_of(line: FollowLine, *, configuration: Configuration, name: str, by: str = "", key: str = "") -> Wanted:
    """The enrolment that a line asks for, in the list ``name``. Raises LineFault."""
    if name not in configuration.lists:
        raise LineFault(f"liste : aucune de ce nom. Déclarées : {', '.join(configuration.lists)}.")
    if max(map(len, (line.ins, line.ipp, line.finess, line.authority, line.birth_date, line.since, line.until))) > LONGEST_VALUE:
        raise LineFault(f"un champ dépasse {LONGEST_VALUE} caractères.")
    since, until = _moment("debut", line.since, last=False), _moment("fin", line.until, last=True)
    if since is not None and until is not None and until <= since:
        raise LineFault("fin : elle précède le début.")
    identifier, establishment = _identifier(line, configuration)
    return Wanted(
        list=name,
        identifier=identifier,
        establishment=establishment,
        birth_date=_birth_date(line.birth_date),
        since=since,
        until=until,
        by=by,
        key=key,
    )


def _identifier(line: FollowLine, configuration: Configuration) -> tuple[Identifier, str]:
    matricule, number = line.ins.replace(" ", "").upper(), line.ipp.strip()
    if bool(matricule) == bool(number):
        raise LineFault("ins, ipp : donner l'un des deux, et un seul.")
    if matricule:
        if not ins_key_is_right(matricule):
            raise LineFault("ins : il faut quinze caractères, clé comprise, et la clé doit être juste.")
        return Identifier(kind=IdentifierKind.INS, authority="", value=matricule), ""
    code = finess(line.finess)
    if code is None:
        raise LineFault("finess : un IPP demande le numéro FINESS de son établissement (neuf caractères).")
    authority = line.authority.strip() or configuration.follow.authorities.get(code, f"finess:{code}")
    if not authority.startswith(("finess:", "oid:")):
        raise LineFault("autorite : écrire finess:NUMÉRO ou oid:OID, comme « liaison explain » la montre.")
    return Identifier(kind=IdentifierKind.IPP, authority=authority, value=number), code


def _birth_date(text: str) -> str:
    if not text.strip():
        return ""
    found = _day(text)
    if found is None:
        raise LineFault("naissance : écrire AAAA-MM-JJ ou JJ/MM/AAAA.")
    return f"{found:%Y%m%d}"


def _moment(field: str, text: str, *, last: bool) -> int | None:
    """A day's first moment in France, or the one after its last; or the time that the text writes."""
    text = text.strip()
    if not text:
        return None
    day = _day(text)
    if day is not None:
        if last:
            day = date.fromordinal(day.toordinal() + 1) if day < date.max else day
        return microseconds(datetime.combine(day, time(), _PARIS))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 1900 < moment.year < 9000:
        raise LineFault(f"{field} : écrire AAAA-MM-JJ, JJ/MM/AAAA, ou une heure avec son fuseau.")
    return microseconds(moment)


def _day(text: str) -> date | None:
    text = text.strip()
    if found := _ISO.fullmatch(text):
        year, month, day = found.groups()
    elif found := _FRENCH.fullmatch(text):
        day, month, year = found.groups()
    else:
        return None
    try:
        return date(int(year), int(month), int(day)) if 1850 <= int(year) < 9000 else None
    except ValueError:
        return None
