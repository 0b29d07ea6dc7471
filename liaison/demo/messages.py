"""Whole messages of a hospital: admissions and movements (ITI-31), identities (ITI-30), letters (ORU^R01, MDM^T02 and T10)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime

from liaison.demo import segments
from liaison.demo.hospital import Hospital, Ward
from liaison.demo.letter_cda import cda
from liaison.demo.letters import Letter, Subject
from liaison.demo.people import Physician
from liaison.demo.segments import join, segment, text, ts
from liaison.private import Private

#: Message structure of each trigger (MSH-9.3), PAM.fr §5.2.
STRUCTURES = {
    "A01": "ADT_A01",
    "A02": "ADT_A02",
    "A03": "ADT_A03",
    "A04": "ADT_A01",
    "A05": "ADT_A05",
    "A06": "ADT_A06",
    "A07": "ADT_A06",
    "A11": "ADT_A09",
    "A12": "ADT_A12",
    "A13": "ADT_A01",
    "A28": "ADT_A05",
    "A31": "ADT_A05",
    "A38": "ADT_A38",
    "A40": "ADT_A39",
    "Z99": "ADT_A01",
}
#: Events whose structure takes ROL after PID, ZFA and ZFD (PAM.fr §5.2, §6.14, §6.18), and ZFM (§6.17).
_WITH_PHYSICIAN = frozenset({"A01", "A02", "A03", "A04", "A05", "A06", "A07", "A28", "A31", "Z99"})
_WITH_CONSENT = frozenset({"A01", "A04", "A05", "A28"})
_WITH_IDENTITY_DETAILS = frozenset({"A01", "A04", "A05", "A28", "A31"})
_WITH_MODES = frozenset({"A01", "A02", "A03", "A04", "A05", "A06"})

_TREATMENT = {"I": "03", "E": "10", "O": "07"}  # PV1-21 by class (table 0032)


class Situation(Private, frozen=True, kw_only=True):
    """A venue as it stands after a movement: what PV1 says."""

    episode: str
    visit: str
    patient_class: str
    ward: Ward
    attending: Physician
    room: str = ""
    bed: str = ""
    preadmission: str = ""
    urgent: bool = False
    admitted_at: datetime | None = None
    expected_at: datetime | None = None
    discharged_at: datetime | None = None
    #: ZFM-2 and ZFM-4 of a discharge.
    exit_mode: tuple[str, str] = ("", "")

    @property
    def location(self) -> str:
        return join(self.ward.uf, self.room, self.bed)


class Movement(Private, frozen=True, kw_only=True):
    """One movement: its identifier, the event that inserted it, when it happened, and the situation it led to."""

    id: str
    trigger: str
    at: datetime
    nature: str
    after: Situation


class Envelope(Private, frozen=True, kw_only=True):
    """What every message of a hospital begins with."""

    hospital: Hospital
    control_id: str
    sent_at: datetime


def movement(
    envelope: Envelope,
    subject: Subject,
    moved: Movement,
    *,
    action: str = "INSERT",
    trigger: str = "",
    shown: Situation | None = None,
    prior: Situation | None = None,
) -> bytes:
    """An ITI-31 message. ``trigger`` differs from the movement's for cancels and corrections; ``shown`` is the situation that PV1 tells:
    the one to return to when the movement is cancelled (PAM.fr §5.3.7)."""
    hospital, sent = envelope.hospital, envelope.sent_at
    trigger = trigger or moved.trigger
    situation = shown or moved.after
    original = "" if action == "INSERT" else moved.trigger
    told = moved.trigger if action == "UPDATE" else trigger
    leaving = told == "A03"
    pv1 = {
        1: "1",
        2: situation.patient_class,
        3: join(situation.location, *[""] * (2 - situation.location.count("^")), segments.finess(hospital)),
        4: "U" if situation.urgent else "R",
        5: f"{situation.preadmission}^^^{segments.finess(hospital)}^VN" if situation.preadmission else "",
        6: prior.location if prior else "",
        7: segments.physician(situation.attending),
        14: "7" if situation.urgent else "90",
        19: f"{situation.visit}^^^{segments.finess(hospital)}^VN",
        21: _TREATMENT[situation.patient_class],
        36: "3" if leaving else "",
        41: "D" if leaving else "",
        44: ts(situation.admitted_at) if situation.admitted_at else "",
        45: ts(situation.discharged_at) if situation.discharged_at else "",
        51: "A" if trigger in ("A11", "A38") else "V",
    }
    planned = segment("PV2", {8: ts(situation.expected_at)}) if situation.expected_at and told == "A05" else ""
    modes = {1: "8", 5: "5" if situation.urgent and situation.patient_class == "I" else ""}
    if leaving:
        modes = {2: situation.exit_mode[0], 4: situation.exit_mode[1]}
    return segments.message(
        _msh(envelope, f"ADT^{trigger}^{STRUCTURES[trigger]}"),
        segments.evn(sent, moved.at),
        segments.pid(hospital, subject, episode=situation.episode),
        segment("PD1", {12: "N"}),
        segments.treating_physician(subject) if trigger in _WITH_PHYSICIAN else "",
        segment("PV1", pv1),
        planned,
        segments.zbe(hospital, moved.id, moved.at, action, situation.ward, moved.nature, origin=original),
        segments.zfa(moved.at) if trigger in _WITH_CONSENT else "",
        segment("ZFM", modes) if trigger in _WITH_MODES or action == "UPDATE" else "",
        segments.zfd(subject, sent) if trigger in _WITH_IDENTITY_DETAILS else "",
    )


def identity(envelope: Envelope, subject: Subject, trigger: str, *, absorbed: str = "") -> bytes:
    """An ITI-30 message: A28, A31, or A40 with the absorbed IPP."""
    hospital, sent = envelope.hospital, envelope.sent_at
    merging = trigger == "A40"
    return segments.message(
        _msh(envelope, f"ADT^{trigger}^{STRUCTURES[trigger]}"),
        segments.evn(sent, sent),
        segments.pid(hospital, subject, updated_at=sent),
        segment("PD1", {12: "N"}),
        segment("MRG", {1: segments.ipp(hospital, absorbed)}) if merging else "",
        "" if merging else segments.treating_physician(subject),
        segment("PV1", {1: "1", 2: "N"}),
        segments.zfa(sent) if trigger in _WITH_CONSENT else "",
        "" if merging else segments.zfd(subject, sent),
    )


#: MetaDMPMSS observations in the order of the volet, with their labels (Transmission de documents CDA en HL7v2, meta-dmp-mss).
_FLAGS = (
    ("MASQUE_PS", "Masqué aux professionnels de Santé"),
    ("INVISIBLE_PATIENT", "Document Non Visible par le patient"),
    ("INVISIBLE_REP_LEGAUX", "Non visible par les représentants Légaux du patient"),
    ("CONNEXION_SECRETE", "Connexion Secrete"),
    ("MODIF_CONF_CODE", "Modification Confidentiality Code"),
    ("DESTDMP", "Destinataire DMP"),
    ("DESTMSSANTEPS", "Destinataire (Professionnel de Santé, organisation ou BAL applicative)"),
    ("DESTMSSANTEPAT", "Destinataire Patient"),
    ("ACK_RECEPTION", "Accusé de réception"),
    ("ACK_LECTURE_MSS", "Accusé de lecture"),
)


def document(
    envelope: Envelope,
    letter: Letter,
    situation: Situation,
    *,
    recipients: Sequence[Physician],
    flags: frozenset[str],
    mail_body: str = "",
) -> bytes:
    """A letter by ORU or MDM, as its hospital does; a replacement when the letter replaces one. ``flags`` are those worth Y."""
    hospital, subject = envelope.hospital, letter.subject
    oru = hospital.letters == "ORU"
    replacing = bool(letter.replaces)
    status = "C" if replacing else "F"
    kind = "ORU^R01^ORU_R01" if oru else f"MDM^{'T10' if replacing else 'T02'}^MDM_T02"
    code = join(letter.type[0], text(letter.type[1]), "LN")
    body = base64.b64encode(cda(letter)).decode()
    yes_no = "CE" if oru else "CWE"
    inline = "TEXT" if oru else "text"
    lines = [
        segments.msh(
            hospital,
            kind,
            envelope.control_id,
            envelope.sent_at,
            version="2.5" if oru else "2.6",
            profile="2.1^CISIS_CDA_HL7_V2",
        ),
        "" if oru else segments.evn(envelope.sent_at, letter.written_at),
        segments.pid(hospital, subject, episode=situation.episode),
        segment(
            "PV1",
            {
                1: "1",
                2: situation.patient_class,
                3: join(situation.location, *[""] * (2 - situation.location.count("^")), segments.finess(hospital)),
                7: segments.physician(situation.attending),
                19: f"{situation.visit}^^^{segments.finess(hospital)}^VN",
                44: ts(letter.admitted_at),
                45: ts(letter.left_at),
            },
        ),
        segment("ORC", {1: "RO" if replacing else "NW"}),
        segment("OBR", {1: "1", 4: code, 7: ts(letter.left_at)}),
    ]
    if not oru:
        parent = letter.replaces if replacing else ""
        fields = {1: "1", 2: letter.type[0], 3: "TEXT", 4: ts(letter.written_at), 12: letter.oid, 13: parent, 17: "AU"}
        lines.append(segment("TXA", fields))
    lines.append(segment("OBX", {1: "1", 2: "ED", 3: code, 5: f"^{inline}^XML^Base64^{body}", 11: status}))
    organisation = join(text(hospital.name), "", "", "", "", segments.STRUCTURE_AUTHORITY, "FINEG", "", "", hospital.finess)
    lines.append(segment("PRT", {2: "UC", 4: "SB^Send by^participation", 5: segments.physician(letter.author), 8: organisation}))
    lines.extend(
        segment(
            "PRT",
            {
                2: "UC",
                4: "RCT^Result(s) Copies To^participation",
                5: segments.physician(recipient),
                15: f"^^X.400^{text(recipient.address)}",
            },
        )
        for recipient in recipients
    )
    for number, (name, label) in enumerate(_FLAGS, 2):
        answer = f"{'Y' if name in flags else 'N'}^^expandedYes-NoIndicator"
        lines.append(segment("OBX", {1: str(number), 2: yes_no, 3: join(name, text(label), "MetaDMPMSS"), 5: answer, 11: "F"}))
    if mail_body:
        content = base64.b64encode(mail_body.encode()).decode()
        name = "CORPSMAIL_PS^Corps du mail pour un PS^MetaDMPMSS"
        lines.append(segment("OBX", {1: str(len(_FLAGS) + 2), 2: "ED", 3: name, 5: f"^{inline}^^Base64^{content}", 11: "F"}))
    return segments.message(*lines)


def _msh(envelope: Envelope, kind: str) -> str:
    return segments.msh(
        envelope.hospital,
        kind,
        envelope.control_id,
        envelope.sent_at,
        version="2.5^FRA^2.11",
        profile="2.11^IHE_FRANCE-2.11-PAM",
    )
