"""MSH and EVN of a message: what it is, who sends it and when it was recorded."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from liaison.finding import Finding
from liaison.hl7.datatypes import read_ts
from liaison.hl7.faults import fatal, information, warning
from liaison.hl7.message import Message, Segment
from liaison.hl7.triggers import TRIGGERS
from liaison.private import Private

TYPE_MISSING = fatal(
    "hl7.message-type-missing",
    "MSH-9 ne donne pas le type du message (HL7 v2.5 §2.15.9.9).",
    "Renseigner MSH-9, par exemple « ADT^A01^ADT_A01 ».",
    "101",
)
EVENT_FROM_EVN = warning(
    "hl7.event-from-evn",
    "MSH-9.2 est vide : l’événement est pris dans EVN-1, que PAM.fr n’emploie plus (PAM.fr §6.4).",
    "Porter l’événement dans MSH-9.2.",
    "101",
)
EVENT_MISSING = fatal(
    "hl7.event-missing",
    "Ni MSH-9.2 ni EVN-1 ne donnent l’événement déclencheur du message ADT.",
    "Renseigner MSH-9.2, par exemple « ADT^A01^ADT_A01 ».",
    "101",
)
STRUCTURE = information(
    "hl7.message-structure",
    "MSH-9 ne nomme pas la structure que PAM.fr donne à cet événement (PAM.fr §2) : il est lu d’après ses deux premières composantes.",
    "Écrire dans MSH-9 trois composantes : type, événement, structure de PAM.fr.",
)
CONTROL_ID_MISSING = fatal(
    "hl7.control-id-missing",
    "MSH-10 est absent : l’accusé ne peut pas désigner le message ni un doublon être reconnu (HL7 v2.5 §2.15.9.10).",
    "Donner à chaque message un identifiant unique dans MSH-10.",
    "101",
)
SENT_AT_UNREADABLE = warning(
    "hl7.sent-at-missing",
    "MSH-7 est absent ou n’est pas une date (HL7 v2.5 §2.15.9.7).",
    "Renseigner MSH-7 sous la forme AAAAMMJJHHMMSS+ZZZZ.",
    "101",
)
RECORDED_AT_MISSING = warning(
    "hl7.recorded-at-missing",
    "EVN-2 est absent ou n’est pas une date : l’heure d’émission MSH-7 en tient lieu (PAM.fr §6.4).",
    "Renseigner EVN-2 avec l’heure de saisie de l’événement.",
    "101",
)
AHEAD_OF_TIME = warning(
    "hl7.ahead-of-time",
    "Le message dit avoir été émis ou saisi dans l’avenir : l’horloge ou le fuseau de l’émetteur est faux, et l’ordre des mouvements s’y fie.",
    "Régler l’horloge de l’émetteur (NTP), ou le fuseau de MSH-7 et EVN-2.",
)
TIME_MISSING = fatal(
    "hl7.time-missing",
    "Ni EVN-2 ni MSH-7 ne donnent d’heure : le message ne peut pas être ordonné.",
    "Renseigner MSH-7 et EVN-2.",
    "101",
)


#: How far a sender's clock may be ahead of the hub's before it is told.
AHEAD = timedelta(minutes=15)

#: Types whose structures hold an EVN; an ORU has none.
_TYPES_WITH_EVN = ("ADT", "MDM")


class Header(Private, frozen=True, kw_only=True):
    """What MSH and EVN say, each time in its best available form."""

    #: MSH-9.1 and MSH-9.2, upper case; MSH-9.3 and what follows are not to be relied upon.
    type: str
    event: str
    control_id: str
    #: MSH-7; None when neither it nor EVN-2 is a time, in which case a fatal finding was made.
    sent_at: datetime | None
    #: EVN-2, else MSH-7.
    recorded_at: datetime | None
    #: EVN-6, else EVN-2, else MSH-7: when the event took place, for messages without ZBE-2.
    occurred_at: datetime | None
    #: EVN-3.
    planned_at: datetime | None


def read_kind(message: Message, findings: list[Finding]) -> tuple[str, str]:
    """The message's type and event in upper case, whatever follows them in MSH-9: feeds write four components, or a wrong structure."""
    msh = message.header
    kind, event = msh.value(9).strip().upper(), msh.value(9, 2).strip().upper()
    if not kind:
        findings.append(TYPE_MISSING.at("MSH-9"))
    elif not event and kind == "ADT":
        evn = message.first("EVN")
        event = evn.value(1).strip().upper() if evn else ""
        findings.append((EVENT_FROM_EVN if event else EVENT_MISSING).at("MSH-9"))
    return kind, event


def read_header(message: Message, zone: tzinfo, findings: list[Finding]) -> Header:
    """Read MSH and EVN; times without a zone are of ``zone``."""
    msh, evn = message.header, message.first("EVN")
    kind, event = read_kind(message, findings)
    _check_structure(msh, event, findings)
    control_id = msh.value(10).strip()
    if not control_id:
        findings.append(CONTROL_ID_MISSING.at("MSH-10"))
    sent_at = _time(msh, 7, zone)
    recorded_at = _time(evn, 2, zone)
    if sent_at is None:
        findings.append(SENT_AT_UNREADABLE.at("MSH-7"))
    if recorded_at is None and (sent_at is None or kind in _TYPES_WITH_EVN):
        findings.append((RECORDED_AT_MISSING if sent_at else TIME_MISSING).at("EVN-2"))
    sent_at = sent_at or recorded_at
    recorded_at = recorded_at or sent_at
    return Header(
        type=kind,
        event=event,
        control_id=control_id,
        sent_at=sent_at,
        recorded_at=recorded_at,
        occurred_at=_time(evn, 6, zone) or recorded_at,
        planned_at=_time(evn, 3, zone),
    )


def ahead_of_time(message: Message, zone: tzinfo, now: datetime) -> Finding | None:
    """What is wrong when MSH-7 or EVN-2 is later than now; nothing is dropped for it."""
    for segment, field, where in ((message.header, 7, "MSH-7"), (message.first("EVN"), 2, "EVN-2")):
        at = _time(segment, field, zone)
        if at is not None and at - now > AHEAD:
            return AHEAD_OF_TIME.at(where)
    return None


def _check_structure(msh: Segment, event: str, findings: list[Finding]) -> None:
    structure = msh.value(9, 3).strip().upper()
    trigger = TRIGGERS.get(event)
    if structure and trigger is not None and structure != trigger.structure:
        findings.append(STRUCTURE.at("MSH-9.3"))


def _time(segment: Segment | None, field: int, zone: tzinfo) -> datetime | None:
    text = segment.value(field) if segment is not None else ""
    return read_ts(text, zone) if text else None
