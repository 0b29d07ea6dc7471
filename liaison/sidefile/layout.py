"""The layout of a side file: its fields, what they may hold, and the struct that they fill (docs/connecting.md).

Field names are French, as are those who write these files. The layout is ours, so that it is strict: what does not fit is said, field
by field, and nothing is guessed. Findings name fields, never what they hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Final

from liaison.finding import Finding, Severity
from liaison.private import Private

#: Longest value of a field, and most recipients.
MAX_VALUE: Final = 250
MAX_RECIPIENTS: Final = 50

_TEXT: Final = re.compile(r"[^\x00-\x1f\x7f]{1,250}")
_OID: Final = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*)){1,30}")
_RPPS: Final = re.compile(r"8?\d{11}")
_PERSON: Final = {"rpps": _RPPS, "nom": _TEXT, "prenom": _TEXT}

#: Section → field → shape of its value. The section of the document itself has no name.
FIELDS: Final[Mapping[str, Mapping[str, re.Pattern[str]]]] = {
    "": {
        "type": re.compile(r"[A-Za-z0-9._-]{1,40}"),
        "titre": _TEXT,
        "date": _TEXT,
        "numero": _TEXT,
        "remplace": _TEXT,
    },
    "patient": {
        "ipp": _TEXT,
        "ipp_oid": _OID,
        "ins": re.compile(r"\d{5}[0-9AB]\d{9}"),
        "ins_oid": _OID,
        "statut": re.compile(r"VALI|VIDE|PROV|RECUP"),
        "nom_naissance": _TEXT,
        "premier_prenom": _TEXT,
        "prenoms": _TEXT,
        "nom_utilise": _TEXT,
        "prenom_utilise": _TEXT,
        "date_naissance": re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}|\d{2}/\d{2}/\d{4}"),
        "sexe": re.compile(r"[MFU]"),
        "lieu_naissance": re.compile(r"\d[0-9AB]\d{3}"),
    },
    "auteur": _PERSON,
    "medecin_traitant": _PERSON,
    "sejour": {
        "numero": _TEXT,
        "classe": re.compile(r"[EIORN]"),
        "unite": _TEXT,
        "entree": _TEXT,
        "sortie": _TEXT,
    },
    "destinataires": {**_PERSON, "adresse": re.compile(r"[^\s@]{1,64}@[^\s@]{1,180}")},
}
#: Without these there is no letter.
REQUIRED: Final = (("", "date"), ("patient", "nom_naissance"), ("patient", "date_naissance"))


class SidePerson(Private, frozen=True, kw_only=True):
    """A professional; ``address`` for a recipient only."""

    rpps: str = ""
    family: str = ""
    given: str = ""
    address: str = ""


class SideStay(Private, frozen=True, kw_only=True):
    """The stay that the document is about."""

    number: str = ""
    patient_class: str = ""
    unit: str = ""
    start: datetime | None = None
    stop: datetime | None = None


class SideFile(Private, frozen=True, kw_only=True):
    """What a side file says."""

    type: str
    title: str
    at: datetime
    number: str
    replaces: str
    #: Fields of the section, by name; ``date_naissance`` as YYYYMMDD.
    patient: Mapping[str, str]
    author: SidePerson | None
    treating_physician: SidePerson | None
    stay: SideStay
    recipients: tuple[SidePerson, ...]


#: One value of a file: section, rank of the recipient (0 elsewhere), field, value.
Value = tuple[str, int, str, str]


def fill(values: Sequence[Value], zone: tzinfo, findings: list[Finding]) -> SideFile | None:
    """The struct that the values fill; None, with fatal findings, when something needed is missing or has not its shape."""
    sections: dict[tuple[str, int], dict[str, str]] = {}
    sound = True
    for section, rank, field, written in values:
        value = " ".join(written.split())
        shape = FIELDS.get(section, {}).get(field)
        if shape is None:
            findings.append(_unknown(section if section in FIELDS else ""))
        elif value and (len(value) > MAX_VALUE or shape.fullmatch(value) is None):
            findings.append(_value(section, field))
            sound = False
        elif value:
            sections.setdefault((section, rank), {})[field] = value
    for section, field in REQUIRED:
        if field not in sections.get((section, 0), {}):
            findings.append(_missing(section, field))
            sound = False
    patient = sections.get(("patient", 0), {})
    if "ipp" not in patient and "ins" not in patient:
        findings.append(_missing("patient", "ipp"))
        sound = False
    ranks = sorted(rank for section, rank in sections if section == "destinataires")
    if len(ranks) > MAX_RECIPIENTS:
        findings.append(_value("destinataires", ""))
        sound = False
    document, stay = sections.get(("", 0), {}), sections.get(("sejour", 0), {})
    times = {
        place: _time(fields[place[1]], zone)
        for place, fields in ((("", "date"), document), (("sejour", "entree"), stay), (("sejour", "sortie"), stay))
        if place[1] in fields
    }
    for (section, field), time in times.items():
        if time is None:
            findings.append(_value(section, field))
            sound = False
    at = times.get(("", "date"))
    if not sound or at is None:
        return None
    return SideFile(
        type=document.get("type", ""),
        title=document.get("titre", ""),
        at=at,
        number=document.get("numero", ""),
        replaces=document.get("remplace", ""),
        patient={**patient, "date_naissance": _birth_date(patient["date_naissance"])},
        author=_person(sections.get(("auteur", 0))),
        treating_physician=_person(sections.get(("medecin_traitant", 0))),
        stay=SideStay(
            number=stay.get("numero", ""),
            patient_class=stay.get("classe", ""),
            unit=stay.get("unite", ""),
            start=times.get(("sejour", "entree")),
            stop=times.get(("sejour", "sortie")),
        ),
        recipients=tuple(one for rank in ranks if (one := _person(sections["destinataires", rank])) is not None),
    )


def _person(fields: Mapping[str, str] | None) -> SidePerson | None:
    if not fields:
        return None
    return SidePerson(
        rpps=fields.get("rpps", "")[-11:],
        family=fields.get("nom", ""),
        given=fields.get("prenom", ""),
        address=fields.get("adresse", ""),
    )


def _birth_date(written: str) -> str:
    if "/" in written:
        day, month, year = written.split("/")
        return f"{year}{month}{day}"
    return written.replace("-", "")


def _time(written: str, zone: tzinfo) -> datetime | None:
    """ISO 8601, with or without hour and offset; or ``JJ/MM/AAAA``."""
    if re.fullmatch(r"\d{2}/\d{2}/\d{4}", written):
        written = "-".join(reversed(written.split("/")))
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return None
    if not 1900 <= at.year <= 2200:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)


def place(section: str, field: str) -> str:
    """A field as people write it: ``patient.ipp``."""
    return ".".join(part for part in (section, field) if part)


def _missing(section: str, field: str) -> Finding:
    return Finding(
        severity=Severity.FATAL,
        where=place(section, field),
        rule="side.missing",
        message=f"Le fichier d’accompagnement n’a pas le champ {place(section, field)}.",
        remedy="Compléter le fichier selon le format décrit (docs/connecting.md), puis déposer à nouveau le PDF et son fichier.",
    )


def _value(section: str, field: str) -> Finding:
    return Finding(
        severity=Severity.FATAL,
        where=place(section, field),
        rule="side.value",
        message=f"Le champ {place(section, field)} du fichier d’accompagnement n’a pas la forme attendue.",
        remedy="Corriger ce champ selon le format décrit (docs/connecting.md), puis déposer à nouveau le PDF et son fichier.",
    )


def _unknown(section: str) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        where=section or "document",
        rule="side.unknown-field",
        message="Le fichier d’accompagnement a un champ que le format ne connaît pas : il n’est pas lu.",
        remedy="Retirer ce champ, ou vérifier son nom dans le format décrit (docs/connecting.md).",
    )
