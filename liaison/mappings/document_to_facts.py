"""A transmitted document → facts: ORU^R01, MDM^T02/T10/T04.

What the message asks (action, flags, addressees) comes from HL7, what the document is comes from its own header: where both speak of
the same thing and disagree, the document is believed and a finding says so. The whole document is parsed here, before anybody is
answered: a letter cut off in its last byte must come back to its sender, not to a renderer. A PDF without CDA is wrapped in one first
(:mod:`liaison.mappings.pdf_message`), and is then a document like any other.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from liaison.care.facts import Addressee, DocumentAction, DocumentFact, DocumentFlags
from liaison.care.identifiers import IdentifierKind, finess
from liaison.care.person import Professional
from liaison.cda.header import Header, header_of
from liaison.cda.value_sets import SYSTEM_NAMES, document_type
from liaison.cda.xml import CdaError, parse
from liaison.finding import Finding, Severity
from liaison.hl7.documents import (
    ACTION_DISAGREES,
    ACTION_UNKNOWN,
    Action,
    Transmission,
    TransmittedDocument,
    read_transmission,
)
from liaison.hl7.encapsulated import Content
from liaison.hl7.faults import error, fatal, information, warning
from liaison.hl7.header import read_header
from liaison.hl7.message import Message
from liaison.hl7.movement import read_discharge_modes
from liaison.hl7.participations import Participation, Role
from liaison.hl7.professionals import read_treating_physician
from liaison.hl7.visit import Visit, read_visit
from liaison.mappings.authorities import establishment, identifier
from liaison.mappings.document_fact import document_fact, usable_document_ins
from liaison.mappings.interpretation import Interpretation, SourceProfile, Understanding
from liaison.mappings.pam_identity import Patient, identity_facts, professional, read_patient, referrers_of
from liaison.mappings.pdf_message import BarePdf, wrapping_of
from liaison.mappings.same_patient import is_same_patient
from liaison.mappings.wrapping import WRAPPED, document_number, pdf_fault, wrap
from liaison.private import Private

PID_MISSING = fatal(
    "document.patient-missing",
    "Le message de document n’a pas de segment PID : rien ne dit de quel patient il s’agit (volet Transmission, PID obligatoire).",
    "Émettre le segment PID avec PID-3 et PID-5.",
    "101",
)
TYPE_DISAGREES = warning(
    "document.type-disagrees",
    "OBR-4 et le document (/ClinicalDocument/code) n’ont pas le même type : celui du document est retenu.",
    "Porter le même code de JDV_J07 dans OBR-4, OBX-3 et le document.",
    "207",
)
ID_DISAGREES = error(
    "document.id-disagrees",
    "TXA-12 et le document (/ClinicalDocument/id) n’ont pas le même identifiant : celui du document est retenu.",
    "Porter l’identifiant du document dans TXA-12.",
    "207",
)
PARENT_DISAGREES = warning(
    "document.parent-disagrees",
    "TXA-13 et le document (relatedDocument RPLC) ne nomment pas le même document remplacé : celui du document est retenu.",
    "Porter dans TXA-13 l’identifiant du document remplacé.",
    "207",
)
NOT_A_REPLACEMENT = warning(
    "document.replaces-nothing",
    "Le message demande un remplacement et ni le document (relatedDocument RPLC) ni TXA-13 ne nomment le document remplacé.",
    "Renseigner relatedDocument[@typeCode='RPLC']/parentDocument/id dans le document.",
    "101",
)
REPLACES_UNASKED = warning(
    "document.replacement-unasked",
    "Le document dit en remplacer un autre (relatedDocument RPLC) et le message le transmet comme un nouveau document.",
    "Transmettre une nouvelle version avec ORC-1 = RO et OBX-11 = C.",
    "207",
)
SAME_DOCUMENT_TWICE = warning(
    "document.repeated",
    "Le message porte deux fois le même document (/ClinicalDocument/id) : le premier est retenu.",
    "N’émettre chaque document qu’une fois.",
    "198",
)
PDF_BESIDE_CDA = information(
    "document.pdf-beside-cda",
    "Le message porte un PDF à côté d’un CDA : le CDA est retenu, et sa partie lisible part avec lui.",
    "N’émettre que le CDA.",
)
DMP_NOT_FED = warning(
    "flags.dmp-not-fed",
    "DESTDMP = Y : cette plateforme n’alimente pas le DMP, et le document n’y est pas déposé.",
    "Laisser l’alimentation du DMP au logiciel qui la fait aujourd’hui.",
    "207",
)

_ACTIONS: Final = {
    Action.NEW: DocumentAction.PUBLISH,
    Action.REPLACE: DocumentAction.REPLACE,
    Action.DELETE: DocumentAction.WITHDRAW,
}
#: MetaDMPMSS (hl7v2 digest §5.5) → fields of DocumentFlags that may be unknown.
_FLAGS: Final = {
    "masked_from_professionals": "MASQUE_PS",
    "hidden_from_patient": "INVISIBLE_PATIENT",
    "hidden_from_representatives": "INVISIBLE_REP_LEGAUX",
    "secret_connection": "CONNEXION_SECRETE",
    "changes_confidentiality": "MODIF_CONF_CODE",
    "to_dmp": "DESTDMP",
    "to_professionals": "DESTMSSANTEPS",
    "to_patient": "DESTMSSANTEPAT",
}
#: XON-7 of a FINESS (data types N.9).
_FINESS_TYPES: Final = frozenset({"FINEJ", "FINEG", "FINESS", "IDNST"})


class _Envelope(Private, frozen=True, kw_only=True):
    """What a message says around its documents."""

    message: Message
    profile: SourceProfile
    zone: tzinfo
    patient: Patient
    visit: Visit | None
    transmission: Transmission
    action: DocumentAction
    recorded_at: datetime


def interpret_document_message(message: Message, profile: SourceProfile) -> Interpretation:
    """The identity and document facts of an ORU^R01 or MDM^T02/T10/T04; the message's own findings come first.

    NOT_UNDERSTOOD, with a fatal finding that bears its condition, when there is no patient, no certain action, or no readable
    document where one is needed (a withdrawal needs only TXA-12). Raises zoneinfo.ZoneInfoNotFoundError when the profile's time
    zone does not exist, and nothing for what the message holds.
    """
    findings = list(message.findings)
    zone = ZoneInfo(profile.time_zone)
    head = read_header(message, zone, findings)
    if message.first("PID") is None:
        findings.append(PID_MISSING.at("PID"))
    patient = read_patient(message, profile, zone, findings)
    pv1 = message.first("PV1")
    visit = read_visit(pv1, message.first("PV2"), zone, findings) if pv1 is not None else None
    transmission = read_transmission(message)
    findings.extend(map(_fatal_if_no_action, transmission.findings))
    if transmission.flags.get("DESTDMP"):
        findings.append(DMP_NOT_FED.at("OBX (DESTDMP)"))
    if patient is None or transmission.action is None or head.recorded_at is None:
        return Interpretation(understanding=Understanding.NOT_UNDERSTOOD, findings=tuple(findings))
    envelope = _Envelope(
        message=message,
        profile=profile,
        zone=zone,
        patient=patient,
        visit=visit,
        transmission=transmission,
        action=_ACTIONS[transmission.action],
        recorded_at=head.recorded_at,
    )
    facts, documents = _document_facts(envelope, findings)
    identity = identity_facts(
        message,
        head.event,
        patient,
        profile,
        zone,
        findings,
        of_identity=False,
        physician=read_treating_physician(message, findings),
        confidential=visit is not None and visit.protected,
        recorded_at=head.recorded_at,
    )
    if not facts or not identity or any(finding.severity is Severity.FATAL for finding in findings):
        return Interpretation(understanding=Understanding.NOT_UNDERSTOOD, findings=tuple(findings))
    return Interpretation(
        understanding=Understanding.UNDERSTOOD, facts=(*identity, *facts), findings=tuple(findings), documents=documents
    )


def _fatal_if_no_action(finding: Finding) -> Finding:
    """Without one certain action nothing may be done (volet Transmission: « sinon rejet »)."""
    if finding.rule in (ACTION_DISAGREES.rule, ACTION_UNKNOWN.rule):
        return msgspec.structs.replace(finding, severity=Severity.FATAL)
    return finding


def _document_facts(envelope: _Envelope, findings: list[Finding]) -> tuple[tuple[DocumentFact, ...], dict[str, bytes]]:
    """A fact for each document of the message, and the documents by digest."""
    facts: dict[str, DocumentFact] = {}
    documents: dict[str, bytes] = {}
    has_cda = any(carried.content is Content.CDA for carried in envelope.transmission.documents)
    for carried in envelope.transmission.documents:
        if not carried.body:
            continue
        if carried.content is Content.PDF:
            if has_cda:
                findings.append(PDF_BESIDE_CDA.at(carried.where))
                continue
            made = _wrapped_fact(envelope, carried, carried.body, findings)
        else:
            made = _carried_fact(envelope, carried, carried.body, findings)
        if made is None:
            continue
        fact, body = made
        if fact.id in facts:
            findings.append(SAME_DOCUMENT_TWICE.at(carried.where))
            continue
        facts[fact.id] = fact
        documents[fact.digest] = body
    if not facts and envelope.action is DocumentAction.WITHDRAW and envelope.transmission.document_id:
        fact = _withdrawn_without_document(envelope)
        facts[fact.id] = fact
    return tuple(facts.values()), documents


def _carried_fact(
    envelope: _Envelope, carried: TransmittedDocument, body: bytes, findings: list[Finding]
) -> tuple[DocumentFact, bytes] | None:
    """The fact of one CDA, with its bytes; None, with a fatal finding, when it cannot be read."""
    try:
        header = header_of(parse(body), body, zone=envelope.zone)
    except CdaError as fault:
        finding = fault.finding
        message = f"{finding.message.removesuffix('.')} ({finding.where})."
        findings.append(msgspec.structs.replace(finding, where=carried.where, message=message, condition="102"))
        return None
    findings.extend(header.findings)
    _check_agreement(envelope, header, findings)
    same = is_same_patient(envelope.message, envelope.patient, header.patient, findings)
    fact = document_fact(
        header,
        body,
        patient=envelope.patient.identifiers,
        action=envelope.action,
        same_patient=same,
        ins=usable_document_ins(header.patient, envelope.profile, findings),
        finess=envelope.profile.finess,
        recorded_at=envelope.recorded_at,
    )
    if not fact.replaces and envelope.action is DocumentAction.REPLACE:
        fact = msgspec.structs.replace(fact, replaces=envelope.transmission.parent_id)
        if not fact.replaces:
            findings.append(NOT_A_REPLACEMENT.at("TXA-13"))
    return _enveloped(fact, envelope), body


def _wrapped_fact(
    envelope: _Envelope, carried: TransmittedDocument, pdf: bytes, findings: list[Finding]
) -> tuple[DocumentFact, bytes] | None:
    """The fact of a PDF that comes without CDA, with the CDA made around it; None, with a fatal finding, when none can be."""
    if (fault := pdf_fault(pdf)) is not None:
        findings.append(fault.at(carried.where))
        return None
    bare = BarePdf(
        message=envelope.message,
        profile=envelope.profile,
        zone=envelope.zone,
        patient=envelope.patient,
        visit=envelope.visit,
        transmission=envelope.transmission,
        action=envelope.action,
        finess=_finess(envelope),
        recorded_at=envelope.recorded_at,
        position=carried.position,
    )
    wrapping = wrapping_of(bare, findings)
    if wrapping is None:
        return None
    findings.append(WRAPPED.at(carried.where))
    body = wrap(wrapping, pdf)
    header = header_of(parse(body), body, zone=envelope.zone)
    fact = document_fact(
        header,
        body,
        patient=envelope.patient.identifiers,
        action=envelope.action,
        same_patient=True,  # the header's patient is the message's
        ins=envelope.patient.ins,
        finess=envelope.profile.finess,
        recorded_at=envelope.recorded_at,
    )
    if envelope.action is DocumentAction.REPLACE and not fact.replaces and fact.set_id == fact.id:
        findings.append(NOT_A_REPLACEMENT.at("TXA-13"))
    if wrapping.author is None:
        fact = msgspec.structs.replace(fact, author=None)
    return _enveloped(fact, envelope), body


def _check_agreement(envelope: _Envelope, header: Header, findings: list[Finding]) -> None:
    """What the message and the document both say."""
    said = envelope.transmission
    if said.type_code and said.type_code != header.code.code:
        findings.append(TYPE_DISAGREES.at("OBR-4"))
    if said.document_id and said.document_id != header.id.text:
        findings.append(ID_DISAGREES.at("TXA-12"))
    replaced = header.replaces.text if header.replaces is not None else ""
    if said.parent_id and replaced and said.parent_id != replaced:
        findings.append(PARENT_DISAGREES.at("TXA-13"))
    if replaced and envelope.action is DocumentAction.PUBLISH:
        findings.append(REPLACES_UNASKED.at("ORC-1"))


def _withdrawn_without_document(envelope: _Envelope) -> DocumentFact:
    """A withdrawal that names its document by TXA-12 alone."""
    said = envelope.transmission
    system = SYSTEM_NAMES.get(said.type_system, said.type_system)
    known = document_type(said.type_code, system)
    label = known.label if known is not None else said.type_label
    number, parent = (document_number(text, _finess(envelope)) for text in (said.document_id, said.parent_id))
    fact = DocumentFact(
        patient=envelope.patient.identifiers,
        action=DocumentAction.WITHDRAW,
        id=number.text if number is not None else said.document_id,
        set_id=number.text if number is not None else said.document_id,
        version=1,
        replaces=parent.text if parent is not None else "",
        type_code=said.type_code,
        type_system=system,
        type_label=label,
        title=label,
        level="",
        created_at=envelope.recorded_at,
        same_patient=True,  # there is no document that could be of somebody else
        digest="",
        recorded_at=envelope.recorded_at,
    )
    return _enveloped(fact, envelope)


def _enveloped(fact: DocumentFact, envelope: _Envelope) -> DocumentFact:
    """The fact with what the message asks and says around the document."""
    said, visit, profile = envelope.transmission, envelope.visit, envelope.profile
    unsaid: list[Finding] = []  # authorities are spoken of where the identity is read
    sender, reply = said.participants(Role.SENDER), said.participants(Role.REPLY)
    number = visit.number if visit is not None else None
    episode = envelope.patient.episode
    zfm = envelope.message.first("ZFM")
    modes = read_discharge_modes(zfm, unsaid) if zfm is not None else None
    return msgspec.structs.replace(
        fact,
        flags=DocumentFlags(
            **{field: said.flags.get(code) for field, code in _FLAGS.items()},
            patient_may_not_reply=said.patient_may_not_reply,
            wants_delivery_receipt=said.flags.get("ACK_RECEPTION", False),
            wants_read_receipt=said.flags.get("ACK_LECTURE_MSS", False),
        ),
        addressees=tuple(_addressee(one) for one in said.participants(Role.RECIPIENT) if one.address),
        reply_to=next((one.address for one in reply if one.address), ""),
        sender_name=next((name for one in sender if (name := _name(one))), ""),
        mail_body=said.mail_body,
        mail_body_patient=said.mail_body_patient,
        visit=identifier(IdentifierKind.VISIT, number, profile, unsaid) if number is not None else None,
        episode=identifier(IdentifierKind.EPISODE, episode, profile, unsaid) if episode is not None else None,
        patient_class=visit.patient_class if visit is not None else "",
        referrers=_referrers(envelope),
        unit=visit.location.unit if visit is not None else "",
        discharge_mode=modes.mode if modes is not None else "",
        discharge_destination=modes.destination if modes is not None else "",
        discharge_finess=(finess(visit.discharged_to) or "") if visit is not None else "",
        finess=_finess(envelope),
    )


def _finess(envelope: _Envelope) -> str:
    """The establishment where the stay is, else the source's."""
    facility = envelope.visit.location.facility if envelope.visit is not None else None
    own = envelope.profile.finess
    return establishment(facility, envelope.profile) if facility is not None and not facility.is_empty else own


def _addressee(recipient: Participation) -> Addressee:
    person, organisation = recipient.person, recipient.organisation
    return Addressee(
        address=recipient.address,
        professional=professional(person) if not recipient.is_patient else None,
        organisation=(finess(organisation.id) or "") if organisation is not None and organisation.id_type in _FINESS_TYPES else "",
        organisation_name=organisation.name if organisation is not None else "",
        patient_matricule=person.id if person is not None and recipient.is_patient else "",
        unconfirmed=recipient.by_contact,
    )


def _referrers(envelope: _Envelope) -> tuple[Professional, ...]:
    """PV1-8, then ROL RP and RT, each once."""
    first = professional(envelope.visit.referring) if envelope.visit is not None else None
    others = referrers_of(envelope.message)
    return others if first is None else (first, *(one for one in others if one != first))


def _name(sender: Participation) -> str:
    """What the sender calls itself: its organisation, else the person."""
    if sender.organisation is not None and sender.organisation.name:
        return sender.organisation.name
    return f"{sender.person.given} {sender.person.family}".strip() if sender.person is not None else ""
