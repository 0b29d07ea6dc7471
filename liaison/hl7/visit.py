"""PV1, PV2 and ZFV: the venue, its class, place, numbers and doctors (PAM.fr §6.10, §6.11, §6.16)."""

from __future__ import annotations

from datetime import datetime, tzinfo

from liaison.finding import Finding
from liaison.hl7.datatypes import NOWHERE, Cx, Hd, Xcn, read_cx, read_hd, read_ts
from liaison.hl7.faults import information, warning
from liaison.hl7.message import NULL, Segment
from liaison.hl7.professionals import best_named
from liaison.private import Private

#: PV1-2 (table 0004 as France constrains it, 2.11.1).
PATIENT_CLASSES = frozenset("EIORNV")
#: ZFV-11 (PAM.fr §6.16).
TRANSPORT_CARE = frozenset({"MED", "PARAMED", "AUCUN"})

CLASS_MISSING = warning(
    "hl7.patient-class-missing",
    "PV1-2 est absent (PAM.fr §6.10, classe du patient obligatoire).",
    "Renseigner PV1-2 : E, I, O, R, N ou V.",
    "101",
)
CLASS_UNKNOWN = warning(
    "hl7.patient-class-unknown",
    "PV1-2 est hors de E, I, O, R, N, V (PAM.fr §6.10, table 0004).",
    "Renseigner PV1-2 avec un code de la table 0004 française.",
    "103",
)
TIME_UNREADABLE = warning(
    "hl7.time-unreadable",
    "Une date n’a pas la forme AAAAMMJJ[HHMM[SS]] du type TS : elle est tenue pour absente.",
    "Écrire la date sous la forme AAAAMMJJHHMMSS.",
    "102",
)
TRANSPORT_CARE_UNKNOWN = information(
    "hl7.transport-care",
    "ZFV-11 est hors de MED, PARAMED, AUCUN (PAM.fr §6.16).",
    "Renseigner ZFV-11 avec un de ces trois codes.",
)


class Location(Private, frozen=True, kw_only=True):
    """PL of PV1-3: the lodging unit, which is one of the three responsibilities (PAM.fr §5.1.1)."""

    unit: str = ""
    room: str = ""
    bed: str = ""
    facility: Hd = NOWHERE


class Visit(Private, frozen=True, kw_only=True):
    """What PV1 and PV2 say. Absent numbers and doctors are None, absent codes empty."""

    patient_class: str
    location: Location
    #: PV1-5, PV1-19.
    preadmission: Cx | None
    number: Cx | None
    #: PV1-7, PV1-8.
    attending: Xcn | None
    referring: Xcn | None
    #: PV1-36 and PV1-37.1.
    discharge_disposition: str
    discharged_to: str
    #: PV1-41 = D.
    closes_episode: bool
    #: PV1-44, PV1-45, PV2-8, PV2-9, PV2-47.
    admitted_at: datetime | None
    discharged_at: datetime | None
    expected_admission_at: datetime | None
    expected_discharge_at: datetime | None
    expected_return_at: datetime | None
    #: PV1-51 = V.
    annuls_visit_only: bool
    #: PV1-16 or PV2-22 = Y.
    protected: bool


class VisitComplement(Private, frozen=True, kw_only=True):
    """ZFV, what the hub uses of it."""

    #: ZFV-1.1: FINESS of the establishment that the patient comes from.
    origin: str
    #: ZFV-2 (table 0430).
    transport: str
    #: ZFV-11: MED, PARAMED, AUCUN or empty.
    transport_care: str


def read_visit(pv1: Segment, pv2: Segment | None, zone: tzinfo, findings: list[Finding]) -> Visit:
    """Read PV1 and, when there is one, PV2."""
    patient_class = pv1.value(2).strip().upper()
    if patient_class not in PATIENT_CLASSES:
        findings.append((CLASS_UNKNOWN if patient_class else CLASS_MISSING).at(pv1.where(2)))
        patient_class = ""
    return Visit(
        patient_class=patient_class,
        location=_location(pv1),
        preadmission=_number(pv1, 5),
        number=_number(pv1, 19),
        attending=best_named(pv1, 7),
        referring=best_named(pv1, 8),
        discharge_disposition=_said(pv1, 36),
        discharged_to=_said(pv1, 37),
        closes_episode=pv1.value(41).strip().upper() == "D",
        admitted_at=read_time(pv1, 44, zone, findings),
        discharged_at=read_time(pv1, 45, zone, findings),
        expected_admission_at=read_time(pv2, 8, zone, findings) if pv2 else None,
        expected_discharge_at=read_time(pv2, 9, zone, findings) if pv2 else None,
        expected_return_at=read_time(pv2, 47, zone, findings) if pv2 else None,
        annuls_visit_only=pv1.value(51).strip().upper() == "V",
        protected=pv1.value(16).strip().upper() == "Y" or bool(pv2 and pv2.value(22).strip().upper() == "Y"),
    )


def read_visit_complement(zfv: Segment, findings: list[Finding]) -> VisitComplement:
    """Read a ZFV."""
    care = zfv.value(11).strip().upper()
    if care and care not in TRANSPORT_CARE:
        findings.append(TRANSPORT_CARE_UNKNOWN.at(zfv.where(11)))
    return VisitComplement(origin=_said(zfv, 1), transport=_said(zfv, 2), transport_care=care)


def read_time(segment: Segment, field: int, zone: tzinfo, findings: list[Finding]) -> datetime | None:
    """A TS; None when absent or deleted, and with a finding when it is not a time."""
    text = segment.value(field)
    if not text or text == NULL:
        return None
    time = read_ts(text, zone)
    if time is None:
        findings.append(TIME_UNREADABLE.at(segment.where(field)))
    return time


def _said(segment: Segment, field: int) -> str:
    text = segment.value(field).strip()
    return "" if text == NULL else text


def _number(pv1: Segment, field: int) -> Cx | None:
    for repetition in pv1.repetitions(field):
        number = read_cx(repetition)
        if number.value and not number.deletes:
            return number
    return None


def _location(pv1: Segment) -> Location:
    repetitions = pv1.repetitions(3)
    if not repetitions or repetitions[0].is_null:
        return Location()
    place = repetitions[0]
    return Location(
        unit=place.component(1).strip(),
        room=place.component(2).strip(),
        bed=place.component(3).strip(),
        facility=read_hd(place, 4),
    )
