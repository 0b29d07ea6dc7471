"""ZBE and ZFM: what a message does to a movement, and the coded ways in and out (PAM.fr §6.13, §6.17)."""

from __future__ import annotations

from datetime import datetime, tzinfo

from liaison.finding import Finding
from liaison.hl7.datatypes import Cx, read_ei, read_xon
from liaison.hl7.faults import error, fatal, information, warning
from liaison.hl7.message import Segment
from liaison.hl7.triggers import Deed
from liaison.hl7.visit import read_time
from liaison.private import Private

#: The letters of ZBE-9: hébergement, médicale, soins, lit, prise en charge, correction without movement.
NATURE_LETTERS = frozenset("HMSLDC")
#: The combinations that the table IHE-FRANCE-ZBE-9 prints; PAM.fr's own scenarios use others.
NATURES = frozenset({"S", "H", "M", "L", "D", "SM", "SH", "MH", "LD", "HMS", "C"})
#: ZFM-2 and ZFM-4 (PAM.fr §6.17); obsolete codes included.
DISCHARGE_MODES = frozenset("0456789")
DESTINATIONS = frozenset("12345678")

SHIFTED = fatal(
    "hl7.zbe-shifted",
    "Le segment ZBE est décalé : l’action est en ZBE-5 au lieu de ZBE-4, ZBE-3 étant interdit (PAM.fr §6.13).",
    "Laisser ZBE-3 vide et écrire l’action en ZBE-4, l’historique en ZBE-5, les UF en ZBE-7 et ZBE-8, la nature en ZBE-9.",
    "102",
)
END_FORBIDDEN = warning(
    "hl7.zbe-end-forbidden",
    "ZBE-3 est valué alors qu’il est interdit en France : il n’est pas lu (PAM.fr §6.13).",
    "Laisser ZBE-3 vide.",
    "199",
)
IDENTIFIER_MISSING = error(
    "hl7.zbe-identifier-missing",
    "ZBE-1 ne donne aucun identifiant de mouvement : il ne pourra être ni corrigé ni annulé avec certitude (PAM.fr §6.13).",
    "Donner à chaque mouvement un identifiant dans ZBE-1, rappelé à l’identique par ses corrections et son annulation.",
    "101",
)
IDENTIFIER_AS_CX = information(
    "hl7.zbe-identifier-cx",
    "ZBE-1 est écrit sous la forme d’un CX au lieu d’un EI : son autorité est lue en composante 4 (PAM.fr §6.13).",
    "Écrire ZBE-1 sous la forme id^autorité^identifiant universel^type.",
)
ACTION_MISSING = error(
    "hl7.zbe-action-missing",
    "ZBE-4 est absent ou hors de INSERT, UPDATE, CANCEL : l’action est déduite de l’événement (PAM.fr §6.13).",
    "Renseigner ZBE-4.",
    "103",
)
HISTORIC_MISSING = warning(
    "hl7.zbe-historic-missing",
    "ZBE-5 est absent ou hors de Y, N : le mouvement est tenu pour courant (PAM.fr §6.13).",
    "Renseigner ZBE-5 avec Y ou N.",
    "101",
)
NATURE_MISSING = warning(
    "hl7.zbe-nature-missing",
    "ZBE-9 est absent (PAM.fr §6.13, nature du mouvement obligatoire).",
    "Renseigner ZBE-9 avec un code de la table IHE-FRANCE-ZBE-9.",
    "101",
)
NATURE_UNKNOWN = warning(
    "hl7.zbe-nature-unknown",
    "ZBE-9 contient autre chose que les lettres H, M, S, L, D, C : il n’est pas lu (PAM.fr §6.13).",
    "Renseigner ZBE-9.1 avec un code de la table IHE-FRANCE-ZBE-9.",
    "103",
)
NATURE_NOT_IN_TABLE = information(
    "hl7.zbe-nature-combination",
    "ZBE-9 combine des lettres d’une façon absente de la table IHE-FRANCE-ZBE-9 : il est lu lettre à lettre (PAM.fr §6.13).",
    "Employer une combinaison de la table, par exemple MH ou HMS.",
)
UF_AS_NAME = information(
    "hl7.uf-component",
    "Le code d’une UF est en composante 1 et non en composante 10 du type XON (PAM.fr §6.13, ZBE-7 et ZBE-8).",
    "Écrire le libellé en composante 1 et le code de l’UF en composante 10.",
)
DISCHARGE_MODE = warning(
    "hl7.discharge-mode",
    "ZFM-2 ou ZFM-4 porte un code hors de sa table (PAM.fr §6.17).",
    "Renseigner ZFM-2 et ZFM-4 avec les codes des tables ZFM-2 et ZFM-3-4.",
    "103",
)


class Unit(Private, frozen=True, kw_only=True):
    """A unité fonctionnelle: its code in the hospital's own referential, and its label when the message gives one."""

    code: str = ""
    label: str = ""


class Zbe(Private, frozen=True, kw_only=True):
    """One ZBE. What is absent is empty or None; whether that matters depends on the trigger."""

    identifiers: tuple[Cx, ...]
    at: datetime | None
    action: Deed | None
    historic: bool
    original_event: str
    medical: Unit
    care: Unit
    #: Letters among H M S L D C, in the sender's order.
    nature: str


class DischargeModes(Private, frozen=True, kw_only=True):
    """ZFM-2 and ZFM-4, empty when absent or unknown."""

    mode: str
    destination: str


def read_zbe(zbe: Segment, zone: tzinfo, findings: list[Finding]) -> Zbe | None:
    """Read a ZBE; None, with a fatal finding, when it is shifted by one field, because nothing in it can be trusted then."""
    action = _deed(zbe, 4)
    if action is None and _deed(zbe, 5) is not None:
        findings.append(SHIFTED.at(zbe.where(5)))
        return None
    if zbe.raw_field(3):
        findings.append(END_FORBIDDEN.at(zbe.where(3)))
    if action is None:
        findings.append(ACTION_MISSING.at(zbe.where(4)))
    historic = zbe.value(5).strip().upper()
    if historic not in ("Y", "N"):
        findings.append(HISTORIC_MISSING.at(zbe.where(5)))
    return Zbe(
        identifiers=_identifiers(zbe, findings),
        at=read_time(zbe, 2, zone, findings),
        action=action,
        historic=historic == "Y",
        original_event=zbe.value(6).strip().upper(),
        medical=_unit(zbe, 7, findings),
        care=_unit(zbe, 8, findings),
        nature=_nature(zbe, findings),
    )


def read_discharge_modes(zfm: Segment, findings: list[Finding]) -> DischargeModes:
    """Read what a ZFM says of the way out."""
    mode, destination = zfm.value(2).strip(), zfm.value(4).strip().upper()
    known_mode = mode if mode in DISCHARGE_MODES else ""
    known_destination = destination if destination in DESTINATIONS else ""
    if known_mode != mode:
        findings.append(DISCHARGE_MODE.at(zfm.where(2)))
    if known_destination != destination:
        findings.append(DISCHARGE_MODE.at(zfm.where(4)))
    return DischargeModes(mode=known_mode, destination=known_destination)


def _deed(zbe: Segment, field: int) -> Deed | None:
    text = zbe.value(field).strip().upper()
    return Deed(text) if text in ("INSERT", "UPDATE", "CANCEL") else None


def _identifiers(zbe: Segment, findings: list[Finding]) -> tuple[Cx, ...]:
    identifiers: list[Cx] = []
    for repetition in zbe.repetitions(1):
        identifier = read_ei(repetition)
        if not identifier.value or identifier.deletes:
            continue
        identifiers.append(identifier)
        if not repetition.component(2) and not repetition.component(3) and repetition.component(4):
            findings.append(IDENTIFIER_AS_CX.at(repetition.where))
    if not identifiers:
        findings.append(IDENTIFIER_MISSING.at(zbe.where(1)))
    return tuple(identifiers)


def _unit(zbe: Segment, field: int, findings: list[Finding]) -> Unit:
    repetitions = zbe.repetitions(field)
    if not repetitions or repetitions[0].is_null:
        return Unit()
    unit = read_xon(repetitions[0])
    if not unit.id and _looks_like_code(unit.name):
        findings.append(UF_AS_NAME.at(zbe.where(field, 1)))
        return Unit(code=unit.name)
    return Unit(code=unit.id, label=unit.name)


def _looks_like_code(text: str) -> bool:
    """Whether a name alone is a UF's code: short, without a blank, with a digit."""
    return 0 < len(text) <= 10 and " " not in text and any(map(str.isdigit, text))


def _nature(zbe: Segment, findings: list[Finding]) -> str:
    nature = zbe.value(9).strip().upper()
    if nature in NATURES:
        return nature
    if not nature:
        findings.append(NATURE_MISSING.at(zbe.where(9)))
    elif len(nature) <= len(NATURE_LETTERS) and NATURE_LETTERS.issuperset(nature):
        findings.append(NATURE_NOT_IN_TABLE.at(zbe.where(9)))
        return "".join(dict.fromkeys(nature))
    else:
        findings.append(NATURE_UNKNOWN.at(zbe.where(9)))
    return ""
