"""A PAM.fr message (ITI-30, ITI-31) → what it asserts: who the patient is, and what happened to a movement.

Whatever the message holds, the answer is facts and findings: nothing is raised and nothing is dropped without being said.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from liaison.care.facts import Fact
from liaison.finding import Finding, Severity
from liaison.hl7.consents import read_consents
from liaison.hl7.faults import fatal, information
from liaison.hl7.header import read_header, read_kind
from liaison.hl7.message import Message
from liaison.hl7.professionals import read_treating_physician
from liaison.hl7.triggers import TRIGGERS, Handling, Transaction, Usage
from liaison.hl7.visit import Visit, read_visit, read_visit_complement
from liaison.mappings.interpretation import Interpretation, SourceProfile, Understanding
from liaison.mappings.pam_identity import identity_facts, read_patient
from liaison.mappings.pam_movement import movement_fact
from liaison.mappings.pam_reattribution import REATTRIBUTION, reattribution_facts

PID_MISSING = fatal(
    "hl7.pid-missing",
    "Le segment PID est absent : le message ne désigne aucun patient (PAM.fr §5.2).",
    "Émettre le segment PID dans tout message ADT.",
    "101",
)
NOT_ADT = information(
    "hl7.message-type-ignored",
    "Ce type de message n’est pas exploité : il est acquitté et conservé.",
    "N’émettre vers ce concentrateur que des messages ADT, ORU^R01 et MDM.",
)
RECEIPT_IGNORED = information(
    "hl7.acknowledgement-ignored",
    "Un accusé (ACK ou ZAM) reçu comme message est acquitté et conservé, sans effet.",
    "Vérifier le sens du flux : un accusé répond sur la connexion de son message.",
)
EVENT_UNKNOWN = information(
    "hl7.event-unknown",
    "Cet événement n’est pas de PAM.fr : il est ignoré à la réception, comme prévu (PAM.fr §5.3.2, remarque 1).",
)
EVENT_IGNORED = information(
    "hl7.event-ignored",
    "Cet événement de PAM.fr n’est pas exploité par cette version : il est acquitté et conservé.",
)
EVENT_WITHDRAWN = information(
    "hl7.event-withdrawn",
    "Cet événement est retiré de PAM.fr depuis la version 2.7 : il est lu comme la mutation qui le remplace (CP 2013-079).",
    "Employer A02 et A12 avec ZBE-9, ou A15 et A26 pour un mouvement en attente.",
)
A08_TOLERATED = information(
    "hl7.event-excluded",
    "A08 est exclu en France : il est lu comme une mise à jour d’identité (PAM.fr §2).",
    "Émettre A31 pour une identité et Z99 pour un mouvement.",
)


def interpret(message: Message, profile: SourceProfile) -> Interpretation:
    """The facts of an ADT and what is wrong with it; the message's own findings come first.

    ACK, ZAM, other types and the events that the hub has no use for are IGNORED with a finding. Raises
    zoneinfo.ZoneInfoNotFoundError when the profile's time zone does not exist, and nothing for what the message holds.
    """
    findings = list(message.findings)
    kind, event = read_kind(message, [])
    if kind and kind != "ADT":
        findings.append((RECEIPT_IGNORED if kind in ("ACK", "ZAM") else NOT_ADT).at("MSH-9"))
        return Interpretation(understanding=Understanding.IGNORED, findings=tuple(findings))
    trigger = TRIGGERS.get(event)
    if event and (trigger is None or trigger.handling is Handling.IGNORED):
        findings.append((EVENT_UNKNOWN if trigger is None else EVENT_IGNORED).at("MSH-9.2"))
        return Interpretation(understanding=Understanding.IGNORED, findings=tuple(findings))
    facts = _facts(message, profile, findings)
    if not facts or any(finding.severity is Severity.FATAL for finding in findings):
        return Interpretation(understanding=Understanding.NOT_UNDERSTOOD, findings=tuple(findings))
    return Interpretation(understanding=Understanding.UNDERSTOOD, facts=facts, findings=tuple(findings))


def _facts(message: Message, profile: SourceProfile, findings: list[Finding]) -> tuple[Fact, ...]:
    """The facts of an ADT whose event is handled or missing; none, with a fatal finding, when they cannot be told."""
    zone = ZoneInfo(profile.time_zone)  # cached by zoneinfo itself
    header = read_header(message, zone, findings)
    trigger = TRIGGERS.get(header.event) if header.type else None
    if message.first("PID") is None:
        findings.append(PID_MISSING.at("PID"))
    patient = read_patient(message, profile, zone, findings)
    if patient is None or trigger is None or header.recorded_at is None:
        return ()
    if trigger.handling is Handling.TOLERATED:
        findings.append((EVENT_WITHDRAWN if trigger.usage is Usage.WITHDRAWN else A08_TOLERATED).at("MSH-9.2"))
    of_identity = trigger.transaction is Transaction.IDENTITY
    pv1 = message.first("PV1")
    visit = read_visit(pv1, message.first("PV2"), zone, findings) if pv1 is not None else None
    _check_other_segments(message, zone, findings)
    facts: tuple[Fact, ...] = identity_facts(
        message,
        trigger.code,
        patient,
        profile,
        zone,
        findings,
        of_identity=of_identity,
        physician=read_treating_physician(message, findings),
        confidential=_is_confidential(message, visit),
        recorded_at=header.recorded_at,
    )
    if of_identity or not facts:
        return facts
    if trigger.code == REATTRIBUTION:
        moved = reattribution_facts(message, patient, profile, zone, findings, recorded_at=header.recorded_at)
        return (*facts, *moved) if moved else ()
    movement = movement_fact(message, header, trigger, patient, visit, profile, zone, findings)
    return (*facts, movement) if movement is not None else ()


def _is_confidential(message: Message, visit: Visit | None) -> bool:
    """PD1-12, PV1-16 or PV2-22 = Y."""
    pd1 = message.first("PD1")
    return (visit is not None and visit.protected) or (pd1 is not None and pd1.value(12).strip().upper() == "Y")


def _check_other_segments(message: Message, zone: ZoneInfo, findings: list[Finding]) -> None:
    """Read ZFA and ZFV for their findings alone: no fact carries what they say."""
    zfa = message.first("ZFA")
    if zfa is not None:
        read_consents(zfa, zone, findings)
    zfv = message.first("ZFV")
    if zfv is not None:
        read_visit_complement(zfv, findings)
