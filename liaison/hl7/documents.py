"""Documents in ORU^R01 and MDM^T02/T10/T04: what a hospital transmits, and what it asks to be done with it.

Source: CI-SIS volet Transmission de document(s) CDA en HL7 v2, v2.1. What the document itself says is the business of its own
format: here it is bytes.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from liaison.finding import Finding
from liaison.hl7.charset import decode
from liaison.hl7.contacts import read_contact
from liaison.hl7.dmp_metadata import MAIL_BODIES, PRACTICE_FLAGS, REQUIRED_FLAGS, FlagReader, metadata_code
from liaison.hl7.encapsulated import CONTENT_UNEXPECTED, Content, read_encapsulated, recognise
from liaison.hl7.faults import error, fatal, information, warning
from liaison.hl7.message import Message, Segment
from liaison.hl7.participations import MISPLACED, Participation, Role, read_participation
from liaison.private import Private


class Action(enum.StrEnum):
    """What the sender does with the document (volet Transmission, profils de messages)."""

    NEW = "new"
    REPLACE = "replace"
    DELETE = "delete"


#: The three places that must agree. An ORU says nothing by its event, which is always R01.
BY_ORDER_CONTROL = {"NW": Action.NEW, "RO": Action.REPLACE, "CA": Action.DELETE}
BY_RESULT_STATUS = {"F": Action.NEW, "C": Action.REPLACE, "D": Action.DELETE}
BY_EVENT = {"MDM^T02": Action.NEW, "MDM^T10": Action.REPLACE, "MDM^T04": Action.DELETE}
#: Messages that this reader is for.
DOCUMENT_EVENTS = frozenset({"ORU^R01", *BY_EVENT})

ACTION_DISAGREES = error(
    "hl7.action-disagrees",
    "L’événement de MSH-9, ORC-1 et OBX-11 ne désignent pas la même action (volet Transmission : ils doivent concorder).",
    "Aligner les trois champs : création T02/NW/F, remplacement T10/RO/C, suppression T04/CA/D.",
    "207",
)
ACTION_UNKNOWN = error(
    "hl7.action-unknown",
    "Aucun de MSH-9, ORC-1 et OBX-11 ne dit s’il s’agit d’une création, d’un remplacement ou d’une suppression.",
    "Renseigner ORC-1 (NW, RO ou CA) et OBX-11 (F, C ou D).",
    "101",
)
ORDER_CONTROL_MISSING = warning(
    "hl7.order-control-missing",
    "ORC-1 est absent ou hors de NW, RO, CA (volet Transmission, ORC obligatoire).",
    "Émettre le segment ORC avec NW, RO ou CA.",
    "101",
)
STATUS_UNKNOWN = warning(
    "hl7.result-status-unknown",
    "OBX-11 de l’OBX du document est absent ou hors de F, C, D (volet Transmission, OBX-11).",
    "Renseigner OBX-11 avec F, C ou D.",
    "103",
)
STATUS_SHIFTED = warning(
    "hl7.result-status-shifted",
    "Le statut de l’OBX du document est dans un champ voisin d’OBX-11 : il est compris.",
    "Compter les séparateurs entre OBX-5 et OBX-11 : il en faut six.",
)
DOCUMENT_MISSING = fatal(
    "hl7.document-missing",
    "Aucun OBX de type ED ne porte de document (volet Transmission, OBX 1).",
    "Émettre le document dans un OBX de type ED, OBX-5 « ^TEXT^XML^Base64^… ».",
    "101",
)
DOCUMENT_BY_REFERENCE = fatal(
    "hl7.document-by-reference",
    "L’OBX du document est un renvoi (OBX-2 = RP) : le document n’est pas dans le message, et la plateforme ne va rien chercher.",
    "Joindre le document lui-même, en base64, dans un OBX de type ED.",
    "102",
)
VALUE_TYPE = warning(
    "hl7.document-value-type",
    "Le document n’est pas dans un OBX de type ED (OBX-2) : il a été reconnu à sa forme.",
    "Écrire ED en OBX-2.",
    "102",
)
DOCUMENT_NOT_REPEATED = warning(
    "hl7.deletion-without-document",
    "La demande de suppression ne porte pas le document : elle est comprise par TXA-12.",
    "Joindre le document supprimé dans l’OBX 1 (volet Transmission, suppression).",
)
SEVERAL_DOCUMENTS = warning(
    "hl7.several-documents",
    "Un message MDM porte plusieurs documents ; le volet Transmission n’en prévoit qu’un.",
    "Émettre un message MDM par document.",
    "198",
)
TYPE_MISSING = error(
    "hl7.document-type-missing",
    "OBR-4 ne donne pas le code du type de document (volet Transmission, OBR-4, JDV_J07).",
    "Renseigner OBR-4 : code^libellé^système.",
    "101",
)
TYPE_DISAGREES = warning(
    "hl7.document-type-disagrees",
    "OBX-3 du document ne reprend pas le code d’OBR-4 (volet Transmission, OBX-3 = OBR-4).",
    "Porter le même code de type dans OBR-4 et dans OBX-3.",
    "207",
)
TYPE_SYSTEM_MISSING = information(
    "hl7.document-type-system-missing",
    "OBR-4.3 ne nomme pas le système de codage du type de document (composante 3 obligatoire quand la première est valuée).",
    "Écrire « LN » ou « TRE_A05 » dans OBR-4.3.",
)
TXA_MISSING = warning(
    "hl7.txa-missing",
    "Le segment TXA, ou l’identifiant de document TXA-12, est absent (volet Transmission, MDM, obligatoire).",
    "Émettre TXA avec l’identifiant unique du document dans TXA-12.",
    "101",
)
PARENT_MISSING = information(
    "hl7.parent-missing",
    "TXA-13 ne nomme pas le document remplacé ; il est cherché dans le document (volet Transmission, MDM^T10).",
    "Renseigner TXA-13 dans un message T10.",
)
NOT_AUTHENTICATED = error(
    "hl7.document-not-authenticated",
    "TXA-17 ne vaut pas AU : seuls les documents validés peuvent être transmis (volet Transmission, TXA-17).",
    "Ne transmettre le document qu’une fois validé, avec TXA-17 = AU.",
    "207",
)
SENDER_MISSING = warning(
    "hl7.sender-missing",
    "Aucune participation SB ne nomme l’émetteur du document (volet Transmission, segment PRT).",
    "Émettre un PRT avec PRT-4 = SB après l’OBX du document.",
)
RECIPIENT_MISSING = warning(
    "hl7.recipient-missing",
    "L’envoi par MSSanté est demandé mais aucun PRT RCT ne porte d’adresse (volet Transmission, PRT-15.4).",
    "Émettre un PRT RCT avec l’adresse MSSanté de chaque destinataire.",
    "101",
)
MAIL_BODY_UNREADABLE = warning(
    "hl7.mail-body-unreadable",
    "Le corps de mail fourni ne peut pas être décodé : le texte par défaut est employé.",
    "Encoder en base64 le texte de CORPSMAIL_PS ou CORPSMAIL_PATIENT, dans le jeu de caractères du message.",
)


class TransmittedDocument(Private, frozen=True, kw_only=True):
    """One OBX of type ED that carries a document."""

    #: Rank among the message's OBX, from 1.
    position: int
    where: str
    type_code: str
    type_label: str
    type_system: str
    #: OBX-11: F, C, D, or empty.
    status: str
    #: OBX-5.4 as written.
    encoding: str
    body: bytes | None
    content: Content


class Transmission(Private, frozen=True, kw_only=True):
    """What one ORU or MDM transmits."""

    #: ``ORU^R01``, ``MDM^T02``…
    event: str
    #: None when the places that say it disagree or say nothing: see the findings.
    action: Action | None
    #: ORC-1 as written.
    order_control: str
    #: OBR-4, falling back to OBX-3 of the document.
    type_code: str
    type_label: str
    type_system: str
    #: TXA-12 and TXA-13 as ``root`` or ``root^extension``; empty in an ORU.
    document_id: str
    parent_id: str
    documents: tuple[TransmittedDocument, ...]
    participations: tuple[Participation, ...]
    #: MetaDMPMSS flags by published code; a flag absent from the message, or contradicted in it, is absent here.
    flags: Mapping[str, bool]
    #: NTE-4 = FIN right after DESTMSSANTEPAT.
    patient_may_not_reply: bool
    mail_body: str
    mail_body_patient: str
    findings: tuple[Finding, ...]

    def participants(self, role: Role) -> tuple[Participation, ...]:
        """The participations of one role, in the sender's order."""
        return tuple(participation for participation in self.participations if participation.role is role)


def read_transmission(message: Message) -> Transmission:
    """Read a document message; every fault is a finding, so that this never raises for what the message holds."""
    return _TransmissionReader(message).read()


class _TransmissionReader:
    """One pass over the segments after the header; the previous OBX says what a PRT or an NTE is about."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self._findings: list[Finding] = []
        self._flags = FlagReader(self._findings)
        self._documents: list[TransmittedDocument] = []
        self._participations: list[Participation] = []
        self._bodies: dict[str, str] = {}
        self._patient_may_not_reply = False
        self._refers = False
        self._event = f"{message.header.value(9).strip()}^{message.header.value(9, 2).strip()}"
        obr = message.first("OBR")
        self._type = _coded(obr, 4) if obr else ("", "", "")

    def read(self) -> Transmission:
        self._read_observations()
        order = self._message.first("ORC")
        order_control = order.value(1).strip().upper() if order else ""
        document_id, parent_id = self._read_txa()
        action = self._agree(order_control)
        self._check(action, document_id, parent_id)
        if not self._type[0] and self._documents:
            first = self._documents[0]
            self._type = (first.type_code, first.type_label, first.type_system)
        return Transmission(
            event=self._event,
            action=action,
            order_control=order_control,
            type_code=self._type[0],
            type_label=self._type[1],
            type_system=self._type[2],
            document_id=document_id,
            parent_id=parent_id,
            documents=tuple(self._documents),
            participations=tuple(self._participations),
            flags=self._flags.flags,
            patient_may_not_reply=self._patient_may_not_reply,
            mail_body=self._bodies.get("CORPSMAIL_PS", ""),
            mail_body_patient=self._bodies.get("CORPSMAIL_PATIENT", ""),
            findings=tuple(self._findings),
        )

    def _read_observations(self) -> None:
        code = previous = ""
        for segment in self._message.segments:
            name = segment.name
            if name == "OBX":
                code = self._read_observation(segment)
            elif name == "PRT":
                self._read_participation(segment, after_document=code == "document")
            elif name == "CTD":
                contact = read_contact(segment, self._findings)
                if contact is not None:
                    self._participations.append(contact)
            elif name == "NTE" and previous == "OBX" and code == "DESTMSSANTEPAT":
                self._patient_may_not_reply = self._patient_may_not_reply or segment.value(4).strip().upper() == "FIN"
            previous = name

    def _read_observation(self, segment: Segment) -> str:
        """Read one OBX; what it is about: ``document``, a MetaDMPMSS code, or nothing known."""
        code = metadata_code(segment)
        if code in MAIL_BODIES:
            self._read_mail_body(segment, code)
        elif code:
            self._flags.read(segment, code)
        elif self._is_encapsulated(segment) and self._is_document(segment):
            self._read_document(segment)
            code = "document"
        return code

    def _is_encapsulated(self, segment: Segment) -> bool:
        """Whether an OBX carries a file: of type ED, or of another that holds what only an ED should."""
        kind = segment.value(2).strip().upper()
        if kind == "RP":
            self._refers = True
        if kind == "ED" or segment.value(5, 4).strip().lower() != "base64":
            return kind == "ED"
        self._findings.append(VALUE_TYPE.at(segment.where(2)))
        return True

    def _is_document(self, segment: Segment) -> bool:
        """Whether an ED is the document: the mail that a PFI adds for practice software has another code and no subtype."""
        return not self._documents or segment.value(3).strip() == self._type[0] or bool(segment.value(5, 3).strip())

    def _read_document(self, segment: Segment) -> None:
        repetitions = segment.repetitions(5)
        data = read_encapsulated(repetitions[0], self._findings) if repetitions else None
        body = data.body if data else None
        content = recognise(body) if body else Content.UNKNOWN
        if body and content not in (Content.CDA, Content.PDF):
            self._findings.append(CONTENT_UNEXPECTED.at(segment.where(5)))
        type_code, type_label, type_system = _coded(segment, 3)
        if type_code and self._type[0] and type_code != self._type[0]:
            self._findings.append(TYPE_DISAGREES.at(segment.where(3)))
        self._documents.append(
            TransmittedDocument(
                position=segment.occurrence,
                where=segment.where(5),
                type_code=type_code,
                type_label=type_label,
                type_system=type_system,
                status=self._status(segment),
                encoding=data.encoding if data else "",
                body=body,
                content=content,
            )
        )

    def _status(self, segment: Segment) -> str:
        for field in (11, 10, 12):
            status = segment.value(field).strip().upper()
            if status in BY_RESULT_STATUS:
                if field != 11:
                    self._findings.append(STATUS_SHIFTED.at(segment.where(field)))
                return status
        self._findings.append(STATUS_UNKNOWN.at(segment.where(11)))
        return ""

    def _read_mail_body(self, segment: Segment, code: str) -> None:
        repetitions = segment.repetitions(5)
        body = read_encapsulated(repetitions[0], self._findings, tail_may_be_lost=True).body if repetitions else None
        if body is None:
            self._findings.append(MAIL_BODY_UNREADABLE.at(segment.where(5)))
        else:
            self._bodies[code] = _text(body, self._message.charset.name)

    def _read_participation(self, segment: Segment, *, after_document: bool) -> None:
        if not after_document:
            self._findings.append(MISPLACED.at(segment.where()))
        participation = read_participation(segment, self._findings)
        if participation is not None:
            self._participations.append(participation)

    def _read_txa(self) -> tuple[str, str]:
        txa = self._message.first("TXA")
        if txa is None:
            return "", ""
        if txa.value(17).strip().upper() not in ("AU", ""):
            self._findings.append(NOT_AUTHENTICATED.at("TXA-17"))
        return _document_id(txa, 12), _document_id(txa, 13)

    def _agree(self, order_control: str) -> Action | None:
        """The one action that the three places give; None, with a finding, when they contradict one another or are silent."""
        said = {BY_ORDER_CONTROL.get(order_control), BY_EVENT.get(self._event)}
        said.update(BY_RESULT_STATUS.get(document.status) for document in self._documents)
        said.discard(None)
        if order_control not in BY_ORDER_CONTROL:
            self._findings.append(ORDER_CONTROL_MISSING.at("ORC-1"))
        if len(said) == 1:
            return said.pop()
        self._findings.append((ACTION_DISAGREES if said else ACTION_UNKNOWN).at("MSH-9"))
        return None

    def _check(self, action: Action | None, document_id: str, parent_id: str) -> None:
        """The rules that need the whole message."""
        is_mdm = self._event.startswith("MDM")
        if not self._type[0]:
            self._findings.append(TYPE_MISSING.at("OBR-4"))
        elif not self._type[2]:
            self._findings.append(TYPE_SYSTEM_MISSING.at("OBR-4.3"))
        if not any(document.body for document in self._documents):
            lost = action is not Action.DELETE or not document_id
            missing = DOCUMENT_BY_REFERENCE if self._refers else DOCUMENT_MISSING
            self._findings.append((missing if lost else DOCUMENT_NOT_REPEATED).at("OBX"))
        if is_mdm:
            if len(self._documents) > 1:
                self._findings.append(SEVERAL_DOCUMENTS.at(self._documents[1].where))
            if not document_id:
                self._findings.append(TXA_MISSING.at("TXA-12"))
            if action is Action.REPLACE and not parent_id:
                self._findings.append(PARENT_MISSING.at("TXA-13"))
        to_practice_software = "LPS" in self._message.header.value(21, 2)
        self._flags.check_complete(PRACTICE_FLAGS if to_practice_software else REQUIRED_FLAGS)
        roles = {participation.role for participation in self._participations}
        if Role.SENDER not in roles:
            self._findings.append(SENDER_MISSING.at("PRT"))
        wanted = self._flags.flags.get("DESTMSSANTEPS") or self._flags.flags.get("DESTMSSANTEPAT")
        if wanted and not any(p.role is Role.RECIPIENT and p.address for p in self._participations):
            self._findings.append(RECIPIENT_MISSING.at("PRT"))


def _coded(segment: Segment, field: int) -> tuple[str, str, str]:
    """Code, label and system of a CE or CWE."""
    return segment.value(field).strip(), segment.value(field, 2).strip(), segment.value(field, 3).strip()


def _document_id(txa: Segment, field: int) -> str:
    """A document's id as ``root`` or ``root^extension`` (volet Transmission, TXA-12 and TXA-13).

    Component 3 holds the root when component 1 is the extension; alone, component 1 is the root, whatever a sender adds in
    component 2 (samples put an organisation's name there).
    """
    first, root = txa.value(field).strip(), txa.value(field, 3).strip()
    return f"{root}^{first}" if root and first else first or root


def _text(body: bytes, codec: str) -> str:
    """The text of a mail's body: in UTF-8 when it can only be that, else in the message's character set."""
    for name in ("utf-8", codec):
        try:
            return decode(body, name)
        except UnicodeDecodeError:
            continue
    return decode(body, "cp1252")
