"""ZBE, PV1, PV2 and ZFM of an ITI-31 message → one movement in care's words (PAM.fr §5.3, §6.10, §6.13)."""

from __future__ import annotations

from datetime import datetime, tzinfo

from liaison.care.facts import MovementAction, MovementFact, Place
from liaison.care.identifiers import IdentifierKind, finess
from liaison.finding import Finding
from liaison.hl7.datatypes import Cx
from liaison.hl7.faults import error, fatal, information, warning
from liaison.hl7.header import Header
from liaison.hl7.message import Message
from liaison.hl7.movement import Unit, Zbe, read_discharge_modes, read_zbe
from liaison.hl7.profile import LOCATED
from liaison.hl7.triggers import Deed, Trigger, original_of
from liaison.hl7.visit import Location, Visit
from liaison.mappings.authorities import establishment, identifier
from liaison.mappings.interpretation import SourceProfile
from liaison.mappings.pam_identity import Patient, professional, referrers_of

#: A06 and A07 each insert a change of class and cancel the other's; ZBE-4 alone tells (PAM.fr §5.3.5).
CLASS_CHANGES = frozenset({"A06", "A07"})
#: PV1-36 (table 0112) in the codes of ZFM-2 (PAM.fr §6.17), where it says as much: the two tables use the same digits for
#: different things. Escape, flight and leaving against advice are one code of ZFM-2.
DISCHARGE_MODE_OF_DISPOSITION = {"4": "4", "E": "4", "F": "4", "R": "5"}

#: What a withdrawn event says of the movement by itself, where its successors say it in ZBE-9 (CP 2013-079).
NATURE_OF_WITHDRAWN = {"Z80": "M", "Z82": "M", "Z84": "S", "Z86": "S", "Z88": "D"}

ZBE_MISSING = warning(
    "hl7.zbe-missing",
    "Le segment ZBE, obligatoire, est absent : l’action est déduite de l’événement et le mouvement n’a pas d’identifiant "
    "(PAM.fr §6.13).",
    "Émettre un segment ZBE dans tout message de mouvement.",
    "101",
)
CORRECTION_OF_NOTHING = fatal(
    "hl7.zbe-missing-in-z99",
    "Un message Z99 sans segment ZBE ne dit pas quel mouvement il corrige (PAM.fr §5.3.2 et §6.13).",
    "Émettre ZBE avec l’identifiant du mouvement corrigé, UPDATE et son événement d’origine.",
    "101",
)
ACTION_CONTRADICTS = error(
    "hl7.zbe-action-contradicts-event",
    "ZBE-4 ne peut pas accompagner cet événement : l’événement l’emporte (PAM.fr §5.3.2 : UPDATE avec Z99 seul, CANCEL avec une "
    "annulation seule).",
    "Écrire en ZBE-4 l’action de l’événement : INSERT, CANCEL pour une annulation, UPDATE pour Z99.",
    "103",
)
CANCEL_BY_INSERT = fatal(
    "hl7.zbe-cancel-by-insertion",
    "ZBE-4 demande une annulation avec un événement d’insertion : les deux se contredisent (PAM.fr §5.3.2).",
    "Annuler par l’événement d’annulation prévu (A11, A12, A13, A38…), avec ZBE-4 = CANCEL.",
    "103",
)
UPDATE_BY_INSERT = warning(
    "hl7.zbe-update-by-insertion",
    "ZBE-4 = UPDATE accompagne un événement d’insertion : il est lu comme la correction de ce mouvement, que seul Z99 permet "
    "(PAM.fr §5.3.2).",
    "Corriger un mouvement par un message Z99.",
    "103",
)
ORIGINAL_MISSING = warning(
    "hl7.zbe-original-event-missing",
    "ZBE-6 est absent d’une correction ou d’une annulation : l’événement d’origine est cherché par ZBE-1 (PAM.fr §6.13).",
    "Rappeler en ZBE-6 l’événement qui a inséré le mouvement.",
    "101",
)
TIME_MISSING = warning(
    "hl7.zbe-time-missing",
    "ZBE-2 est absent ou illisible : l’heure de l’événement (EVN-6, EVN-2 ou MSH-7) en tient lieu (PAM.fr §6.13).",
    "Renseigner ZBE-2 avec l’heure effective du mouvement.",
    "101",
)
VISIT_FROM_EPISODE = warning(
    "hl7.visit-number-missing",
    "PV1-19 est absent : le dossier administratif PID-18 tient lieu de venue (PAM.fr §6.10, obligatoire hors classe N).",
    "Renseigner PV1-19 avec le numéro de venue.",
    "101",
)
VISIT_FROM_PREADMISSION = warning(
    "hl7.visit-from-preadmission",
    "PV1-19 et PID-18 sont absents : le numéro de préadmission PV1-5 tient lieu de venue (PAM.fr §6.10).",
    "Renseigner PV1-19 avec le numéro de venue.",
    "101",
)
VISIT_MISSING = fatal(
    "hl7.visit-missing",
    "Ni PV1-19, ni PID-18, ni PV1-5 ne désignent le séjour : le mouvement ne peut être rattaché à rien (PAM.fr §6.6 et §6.10).",
    "Renseigner PV1-19 (venue) et PID-18 (dossier).",
    "101",
)
EPISODE_MISSING = warning(
    "hl7.episode-missing",
    "PID-18, le dossier administratif, est absent (PAM.fr §6.6, obligatoire dans un message de mouvement).",
    "Renseigner PID-18 avec le numéro de dossier administratif.",
    "101",
)
PV1_MISSING = error(
    "hl7.pv1-missing",
    "Le segment PV1 est absent d’un message de mouvement (PAM.fr §5.2, obligatoire).",
    "Émettre le segment PV1.",
    "101",
)
LODGING_MISSING = information(
    "hl7.uf-lodging-missing",
    "PV1-3.1, l’UF d’hébergement, est absente d’un mouvement qui doit la porter : le lieu connu reste le même (PAM.fr §5.1.1).",
    "Renseigner PV1-3, composante 1, avec le code de l’UF d’hébergement.",
)
UF_FALLBACK = information(
    "hl7.uf-medical-missing",
    "ZBE-7.10, l’UF de responsabilité médicale, est absente : l’UF de soins ou d’hébergement en tient lieu (PAM.fr §5.1.1).",
    "Renseigner ZBE-7, composante 10, avec le code de l’UF médicale.",
)
DESTINATION = information(
    "hl7.destination-not-finess",
    "PV1-37 n’est pas un FINESS de neuf caractères : la structure de destination n’est pas retenue (PAM.fr §6.10).",
    "Renseigner PV1-37 avec le FINESS de la structure de destination.",
)


def movement_fact(
    message: Message,
    header: Header,
    trigger: Trigger,
    patient: Patient,
    visit: Visit | None,
    profile: SourceProfile,
    zone: tzinfo,
    findings: list[Finding],
) -> MovementFact | None:
    """The movement of an ITI-31 message; None, with a fatal finding, when it cannot be told."""
    recorded_at, sent_at = header.recorded_at, header.sent_at
    zbe_segment = message.first("ZBE")
    zbe = read_zbe(zbe_segment, zone, findings) if zbe_segment else None
    stay = _visit_number(visit, patient, findings)
    if visit is None:
        findings.append(PV1_MISSING.at("PV1"))
    if patient.episode is None:
        findings.append(EPISODE_MISSING.at("PID-18"))
    deed = _deed(trigger, zbe, absent=zbe_segment is None, findings=findings)
    if deed is None or stay is None or recorded_at is None or sent_at is None or (zbe_segment and zbe is None):
        return None
    location = visit.location if visit else Location()
    original_trigger = _original_trigger(trigger, deed, zbe, visit, findings)
    nature = (zbe.nature if zbe else "") or NATURE_OF_WITHDRAWN.get(original_trigger, "")
    lodges = trigger.code in LOCATED or (deed is Deed.UPDATE and "H" in nature)
    if visit is not None and lodges and not location.unit:
        findings.append(LODGING_MISSING.at("PV1-3"))
    mode, destination, towards = _way_out(message, visit, findings) if original_trigger in ("A03", "") else ("", "", "")
    return MovementFact(
        patient=patient.identifiers,
        action=MovementAction(deed.value),
        trigger=trigger.code,
        original_trigger=original_trigger,
        movement=tuple(identifier(IdentifierKind.MOVEMENT, cx, profile, findings) for cx in zbe.identifiers) if zbe else (),
        visit=identifier(IdentifierKind.VISIT, stay, profile, findings),
        episode=identifier(IdentifierKind.EPISODE, patient.episode, profile, findings) if patient.episode else None,
        preadmission=identifier(IdentifierKind.PREADMISSION, visit.preadmission, profile, findings)
        if visit and visit.preadmission
        else None,
        at=_at(zbe, header, recorded_at, findings),
        historic=zbe is not None and zbe.historic,
        nature=nature,
        patient_class=visit.patient_class if visit else "",
        place=_place(zbe, location, nature, findings),
        finess=establishment(location.facility, profile) if not location.facility.is_empty else profile.finess,
        admitted_at=visit.admitted_at if visit else None,
        discharged_at=visit.discharged_at if visit else None,
        expected_admission_at=_planned(visit.expected_admission_at if visit else None, header, original_trigger in ("A05", "A14")),
        expected_discharge_at=_planned(visit.expected_discharge_at if visit else None, header, original_trigger == "A16"),
        expected_return_at=visit.expected_return_at if visit else None,
        discharge_mode=mode,
        discharge_destination=destination,
        discharge_finess=towards,
        closes_episode=visit is not None and visit.closes_episode,
        cancels_visit_only=visit is not None and visit.annuls_visit_only,
        attending_physician=professional(visit.attending) if visit else None,
        referring_physician=professional(visit.referring) if visit else None,
        referrers=referrers_of(message),
        recorded_at=recorded_at,
        sent_at=sent_at,
        control_id=header.control_id,
    )


def _deed(trigger: Trigger, zbe: Zbe | None, *, absent: bool, findings: list[Finding]) -> Deed | None:
    """What the message does to the movement: ZBE-4 where it may say so, else the event."""
    expected = trigger.deed
    if absent:
        correction = expected is Deed.UPDATE
        findings.append((CORRECTION_OF_NOTHING if correction else ZBE_MISSING).at("ZBE"))
        return None if correction else expected
    said = zbe.action if zbe is not None else None
    if said is None or said is expected:
        return expected
    if said is Deed.CANCEL and expected is Deed.INSERT:
        if trigger.code in CLASS_CHANGES:
            return said
        findings.append(CANCEL_BY_INSERT.at("ZBE-4"))
        return None
    if said is Deed.UPDATE and expected is Deed.INSERT:
        findings.append(UPDATE_BY_INSERT.at("ZBE-4"))
        return said
    findings.append(ACTION_CONTRADICTS.at("ZBE-4"))
    return expected


def _original_trigger(trigger: Trigger, deed: Deed, zbe: Zbe | None, visit: Visit | None, findings: list[Finding]) -> str:
    if deed is Deed.INSERT:
        return trigger.code
    if zbe is None:
        return original_of(trigger, visit.patient_class if visit else "")
    if zbe.original_event:
        return zbe.original_event
    if deed is Deed.UPDATE and trigger.deed is Deed.INSERT:
        return trigger.code
    findings.append(ORIGINAL_MISSING.at("ZBE-6"))
    return ""


def _visit_number(visit: Visit | None, patient: Patient, findings: list[Finding]) -> Cx | None:
    if visit is not None and visit.number is not None:
        return visit.number
    if patient.episode is not None:
        findings.append(VISIT_FROM_EPISODE.at("PV1-19"))
        return patient.episode
    if visit is not None and visit.preadmission is not None:
        findings.append(VISIT_FROM_PREADMISSION.at("PV1-19"))
        return visit.preadmission
    findings.append(VISIT_MISSING.at("PV1-19"))
    return None


def _at(zbe: Zbe | None, header: Header, recorded_at: datetime, findings: list[Finding]) -> datetime:
    if zbe is not None:
        if zbe.at is not None:
            return zbe.at
        findings.append(TIME_MISSING.at("ZBE-2"))
    return header.occurred_at or recorded_at


def _planned(said: datetime | None, header: Header, plans: bool) -> datetime | None:
    """A planned time: PV2's own field, else EVN-3 of an event that plans just that (PAM.fr §5.3.6, §6.4)."""
    return said or (header.planned_at if plans else None)


def _place(zbe: Zbe | None, location: Location, nature: str, findings: list[Finding]) -> Place:
    """The three responsibilities (PAM.fr §5.1.1).

    Feeds leave ZBE-7 out, or name the unit elsewhere; another responsibility's unit then stands in, unless ZBE-9 says that the
    medical one does not change.
    """
    medical, care = (zbe.medical, zbe.care) if zbe else (Unit(), Unit())
    code = medical.code
    concerns_medical = not nature or "M" in nature
    if not code and concerns_medical:
        code = care.code or location.unit
        if code and zbe is not None:
            findings.append(UF_FALLBACK.at("ZBE-7.10"))
    return Place(
        uf_lodging=location.unit,
        uf_medical=code,
        uf_medical_label=medical.label,
        uf_care=care.code,
        room=location.room,
        bed=location.bed,
    )


def _way_out(message: Message, visit: Visit | None, findings: list[Finding]) -> tuple[str, str, str]:
    """Mode (ZFM-2, else PV1-36), coded destination (ZFM-4) and FINESS (PV1-37) of a discharge."""
    zfm = message.first("ZFM")
    modes = read_discharge_modes(zfm, findings) if zfm is not None else None
    disposition = DISCHARGE_MODE_OF_DISPOSITION.get(visit.discharge_disposition, "") if visit else ""
    code = finess(visit.discharged_to) if visit and visit.discharged_to else ""
    if code is None:
        findings.append(DESTINATION.at("PV1-37"))
    return (modes.mode if modes else "") or disposition, modes.destination if modes else "", code or ""
