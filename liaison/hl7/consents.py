"""ZFA: the state of the DMP, and what the patient was told and decided about it (PAM.fr §6.14)."""

from __future__ import annotations

import enum
from datetime import datetime, tzinfo

from liaison.finding import Finding
from liaison.hl7.faults import information, warning
from liaison.hl7.message import Segment
from liaison.hl7.visit import read_time
from liaison.private import Private

#: ZFA-4 to ZFA-8 are obsolete since 2.11.
OBSOLETE_FIELDS = (4, 5, 6, 7, 8)

CODE_UNKNOWN = warning(
    "hl7.consent-code",
    "Un champ de ZFA porte un code hors de sa table : il est tenu pour non recueilli (PAM.fr §6.14).",
    "Employer ACTIF, FERME, INEXISTANT en ZFA-1 ; NA, IO, INO en ZFA-9 ; NA, INC, IC en ZFA-11.",
    "103",
)
OBSOLETE = information(
    "hl7.consent-obsolete",
    "Un champ de ZFA-4 à ZFA-8 est valué alors qu’il est obsolète depuis PAM.fr 2.11 : il n’est pas lu (PAM.fr §6.14).",
    "Employer ZFA-9 à ZFA-12.",
)


class DmpState(enum.StrEnum):
    """ZFA-1."""

    OPEN = "ACTIF"
    CLOSED = "FERME"
    NONE = "INEXISTANT"


class Consents(Private, frozen=True, kw_only=True):
    """One ZFA; None stands for not collected or not said."""

    dmp: DmpState | None
    #: ZFA-9: True when the patient is informed and opposes that the DMP be fed (IO), False when not opposed (INO).
    opposes_feeding: bool | None
    opposes_feeding_at: datetime | None
    #: ZFA-11: True when the patient is informed and consents that the DMP be consulted (IC), False when refusing (INC).
    consents_to_consultation: bool | None
    consents_to_consultation_at: datetime | None


def read_consents(zfa: Segment, zone: tzinfo, findings: list[Finding]) -> Consents:
    """Read a ZFA."""
    findings.extend(OBSOLETE.at(zfa.where(field)) for field in OBSOLETE_FIELDS if zfa.raw_field(field))
    state = zfa.value(1).strip().upper()
    dmp = {member.value: member for member in DmpState}.get(state)
    if state and dmp is None:
        findings.append(CODE_UNKNOWN.at(zfa.where(1)))
    return Consents(
        dmp=dmp,
        opposes_feeding=_answer(zfa, 9, "IO", "INO", findings),
        opposes_feeding_at=read_time(zfa, 10, zone, findings),
        consents_to_consultation=_answer(zfa, 11, "IC", "INC", findings),
        consents_to_consultation_at=read_time(zfa, 12, zone, findings),
    )


def _answer(zfa: Segment, field: int, yes: str, no: str, findings: list[Finding]) -> bool | None:
    code = zfa.value(field).strip().upper()
    if code not in (yes, no, "NA", ""):
        findings.append(CODE_UNKNOWN.at(zfa.where(field)))
    return True if code == yes else False if code == no else None
