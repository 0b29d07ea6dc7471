"""Doctors of a message: ROL by its position, and the XCN of PV1 (PAM.fr §5.2, §6.8; data types N.8)."""

from __future__ import annotations

import enum

from liaison.finding import Finding
from liaison.hl7.datatypes import PROFESSIONALS_OID, Xcn, read_xcn
from liaison.hl7.faults import information, warning
from liaison.hl7.message import Message, Segment
from liaison.private import Private

#: ROL-3 of the treating physician, added by France (PAM.fr §6.8).
TREATING_PHYSICIAN = "ODRP"
#: ROL-3 of those who sent the patient (PAM.fr §6.8): RP adressant, RT correspondant.
REFERRERS = ("RP", "RT")
#: What may stand between PID and a ROL that is about the patient.
_ABOUT_PATIENT = frozenset({"PID", "PD1", "ROL"})

TREATING_MISPLACED = warning(
    "hl7.treating-physician-misplaced",
    "Le ROL du médecin traitant (ODRP) ne suit pas PID ou PD1 : c’est sa position qui lui donne son sens (PAM.fr §5.2 et §6.8).",
    "Placer le ROL ODRP juste après PID et PD1.",
    "100",
)
ROLE_NOT_TREATING = information(
    "hl7.role-not-treating-physician",
    "Un ROL placé après PID ou PD1 n’a pas le rôle ODRP : il n’est pas tenu pour le médecin traitant (PAM.fr §6.8).",
    "Employer ODRP en ROL-3 pour le médecin traitant.",
)
TREATING_WITHOUT_RPPS = warning(
    "hl7.treating-physician-without-rpps",
    "Le médecin traitant n’est pas désigné par son RPPS : son adresse MSSanté ne peut pas être cherchée (PAM.fr §6.8, type XCN).",
    "Renseigner ROL-4 avec le RPPS (11 chiffres), autorité ASIP-SANTE-PS, type RPPS.",
    "101",
)
ID_TYPE = information(
    "hl7.professional-id-type",
    "Un identifiant de professionnel n’a pas la longueur de son type (type XCN, annexe N.8) : il est lu d’après sa forme.",
    "Écrire un RPPS sur 11 chiffres avec le type RPPS, ou sur 12 avec le type IDNPS.",
)


class Scheme(enum.StrEnum):
    """The register that an identifier of a professional belongs to."""

    RPPS = "RPPS"
    ADELI = "ADELI"
    LOCAL = "local"


class TreatingPhysician(Private, frozen=True, kw_only=True):
    """The ROL ODRP. ``removed`` when ROL-2 = DE: the patient no longer has this one."""

    doctor: Xcn
    removed: bool


def scheme_of(person: Xcn) -> tuple[Scheme, str]:
    """The register of an XCN's identifier and its form there: 11 digits for RPPS, 9 characters for ADELI, else as written.

    RPPS of 12 digits are met under both types RPPS and IDNPS; ``8`` in front is a RPPS, ``0`` an ADELI (annexe N.8).
    """
    number, national = person.id, person.id_type in ("RPPS", "IDNPS", "ADELI") or _is_national(person)
    if national and number.isascii() and number.isdigit():
        if len(number) == 12 and number[0] == "8":
            return Scheme.RPPS, number[1:]
        if len(number) == 11 and person.id_type != "ADELI":
            return Scheme.RPPS, number
        if len(number) == 10 and number[0] == "0":
            return Scheme.ADELI, number[1:]
        if len(number) == 9:
            return Scheme.ADELI, number
    if person.id_type == "ADELI" and len(number) == 9:
        return Scheme.ADELI, number  # Corsican numbers have a letter
    return Scheme.LOCAL, number


def best_named(segment: Segment, field: int, findings: list[Finding] | None = None) -> Xcn | None:
    """The repetition of an XCN field that names a professional best: by RPPS, by ADELI, by a local id, by name."""
    best: Xcn | None = None
    rank = 0
    for repetition in segment.repetitions(field):
        person = read_xcn(repetition)
        if not person.id and not person.family:
            continue
        scheme, number = scheme_of(person)
        worth = 4 if scheme is Scheme.RPPS else 3 if scheme is Scheme.ADELI else 2 if number else 1
        if findings is not None and scheme is Scheme.RPPS and len(person.id) == 12 and person.id_type == "RPPS":
            findings.append(ID_TYPE.at(repetition.where))
        if worth > rank:
            best, rank = person, worth
    return best


def read_treating_physician(message: Message, findings: list[Finding]) -> TreatingPhysician | None:
    """The treating physician: ROL ODRP right after PID or PD1, else, with a finding, wherever it is."""
    found: Segment | None = None
    about_patient = False
    for segment in message.segments:
        name = segment.name
        if name == "PID":
            about_patient = True
        elif name == "ROL":
            role = segment.value(3).strip().upper()
            if role == TREATING_PHYSICIAN:
                if not about_patient:
                    findings.append(TREATING_MISPLACED.at(segment.where()))
                found = found or segment
            elif about_patient:
                findings.append(ROLE_NOT_TREATING.at(segment.where(3)))
        elif name not in _ABOUT_PATIENT:
            about_patient = False
    return _treating(found, findings) if found is not None else None


def read_referrers(message: Message) -> tuple[Xcn, ...]:
    """Who sent the patient: ROL RP, then ROL RT, of the venue.

    After PV1 a ROL is about the venue, in the groups of IN1 and PR1 about something else (PAM.fr §5.2); those that ROL-2 = DE takes away
    are left out.
    """
    found: dict[str, list[Xcn]] = {role: [] for role in REFERRERS}
    of_venue = False
    for segment in message.segments:
        name = segment.name
        if name in ("PV1", "IN1", "PR1", "GT1"):
            of_venue = name == "PV1"
        elif name == "ROL" and of_venue and segment.value(2).strip().upper() != "DE":
            role = segment.value(3).strip().upper()
            person = best_named(segment, 4) if role in found else None
            if person is not None:
                found[role].append(person)
    return tuple(person for role in REFERRERS for person in found[role])


def _treating(rol: Segment, findings: list[Finding]) -> TreatingPhysician | None:
    doctor = best_named(rol, 4, findings)
    if doctor is None:
        return None
    if scheme_of(doctor)[0] is not Scheme.RPPS:
        findings.append(TREATING_WITHOUT_RPPS.at(rol.where(4)))
    return TreatingPhysician(doctor=doctor, removed=rol.value(2).strip().upper() == "DE")


def _is_national(person: Xcn) -> bool:
    return person.authority.oid == PROFESSIONALS_OID or person.authority.namespace.replace(" ", "").upper() == "ASIP-SANTE-PS"
