"""A transmitted document → facts: ORU^R01, MDM^T02/T10/T04, and a bare CDA file.

What the message asks (action, flags, addressees) comes from HL7, what the document is comes from its own header: where both speak of
the same thing and disagree, the document is believed and a finding says so. The whole document is parsed here, before anybody is
answered: a letter cut off in its last byte must come back to its sender, not to a renderer.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from liaison.care.facts import Addressee, DocumentAction, DocumentFact, DocumentFlags, IdentityFact
from liaison.care.identifiers import INS_OIDS, INS_TEST_OIDS, Identifier, IdentifierKind, finess, ins_key_is_right
from liaison.care.person import Ins, Professional, Traits
from liaison.cda import parties
from liaison.cda.datatypes import InstanceId
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
from liaison.hl7.faults import error, fatal, warning
from liaison.hl7.header import read_header
from liaison.hl7.message import Message
from liaison.hl7.participations import Participation, Role
from liaison.hl7.professionals import read_treating_physician
from liaison.hl7.visit import Visit, read_visit
from liaison.mappings.authorities import establishment, identifier
from liaison.mappings.interpretation import Interpretation, SourceProfile, Understanding
from liaison.mappings.pam_identity import Patient, identity_facts, professional, read_patient
from liaison.mappings.same_patient import is_same_patient
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
NOBODY = fatal(
    "document.patient-unidentified",
    "Le document n’identifie pas son patient : ni INS qualifiée, ni IPP (CI-SIS, recordTarget).",
    "Renseigner dans l’en-tête l’IPP du patient et son INS qualifiée.",
    "101",
)
INS_KEY = warning(
    "document.ins-key",
    "La clé du matricule INS du document est fausse : l’INS du document n’est pas employée.",
    "Porter le matricule et sa clé tels que rendus par le téléservice INSi.",
    "102",
)
INS_TEST = warning(
    "document.ins-test",
    "Le document porte une INS de test ou de démonstration dans un flux de production : elle n’est pas employée.",
    "N’émettre que les OID 1.2.250.1.213.1.4.8 et 1.2.250.1.213.1.4.9 en production.",
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


def interpret_cda(raw: bytes, profile: SourceProfile, *, received_at: datetime) -> Interpretation:
    """The facts of a CDA that comes alone, as a file: its patient and the document, published to nobody in particular.

    ``received_at`` dates the facts where the document has no date of its own.
    """
    zone = ZoneInfo(profile.time_zone)
    try:
        header = header_of(parse(raw), raw, zone=zone)
    except CdaError as fault:
        return Interpretation(understanding=Understanding.NOT_UNDERSTOOD, findings=(fault.finding,))
    findings = list(header.findings)
    recorded_at = header.created.at if header.created is not None else received_at
    target = header.patient
    ins = _usable_ins(target, profile, findings)
    identifiers = tuple(
        Identifier(kind=IdentifierKind.IPP, authority=f"oid:{id.root}", value=id.extension) for id in target.local_ids
    )
    if ins is not None:
        identifiers += (Identifier(kind=IdentifierKind.INS, authority=f"oid:{ins.oid}", value=ins.matricule),)
    if not identifiers:
        findings.append(NOBODY.at("/ClinicalDocument/recordTarget/patientRole/id"))
        return Interpretation(understanding=Understanding.NOT_UNDERSTOOD, findings=tuple(findings))
    fact = _document_fact(
        header,
        raw,
        patient=identifiers,
        action=DocumentAction.REPLACE if header.replaces is not None else DocumentAction.PUBLISH,
        same_patient=True,
        ins=ins,
        finess=_custodian_finess(header) or profile.finess,
        recorded_at=recorded_at,
    )
    identity = IdentityFact(identifiers=identifiers, traits=fact.traits, ins=ins, recorded_at=recorded_at)
    return Interpretation(
        understanding=Understanding.UNDERSTOOD,
        facts=(identity, fact),
        findings=tuple(findings),
        documents={fact.digest: raw},
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
    for carried in envelope.transmission.documents:
        if not carried.body:
            continue
        fact = _carried_fact(envelope, carried, carried.body, findings)
        if fact is None:
            continue
        if fact.id in facts:
            findings.append(SAME_DOCUMENT_TWICE.at(carried.where))
            continue
        facts[fact.id] = fact
        documents[fact.digest] = carried.body
    if not facts and envelope.action is DocumentAction.WITHDRAW and envelope.transmission.document_id:
        fact = _withdrawn_without_document(envelope)
        facts[fact.id] = fact
    return tuple(facts.values()), documents


def _carried_fact(envelope: _Envelope, carried: TransmittedDocument, body: bytes, findings: list[Finding]) -> DocumentFact | None:
    """The fact of one document; None, with a fatal finding, when it cannot be read."""
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
    fact = _document_fact(
        header,
        body,
        patient=envelope.patient.identifiers,
        action=envelope.action,
        same_patient=same,
        ins=_usable_ins(header.patient, envelope.profile, findings),
        finess=envelope.profile.finess,
        recorded_at=envelope.recorded_at,
    )
    if not fact.replaces and envelope.action is DocumentAction.REPLACE:
        fact = msgspec.structs.replace(fact, replaces=envelope.transmission.parent_id)
        if not fact.replaces:
            findings.append(NOT_A_REPLACEMENT.at("TXA-13"))
    return _enveloped(fact, envelope)


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


def _document_fact(
    header: Header,
    raw: bytes,
    *,
    patient: tuple[Identifier, ...],
    action: DocumentAction,
    same_patient: bool,
    ins: Ins | None,
    finess: str,
    recorded_at: datetime,
) -> DocumentFact:
    """What the document itself says."""
    known = document_type(header.code.code, header.code.system)
    label = known.label if known is not None else header.code.label
    level = header.confidentiality.code if header.confidentiality is not None else ""
    author = _author(header)
    organisation = author.organisation if author is not None and author.organisation is not None else header.custodian
    target = header.patient
    return DocumentFact(
        patient=patient,
        action=action,
        id=header.id.text,
        set_id=header.set_id.text if header.set_id is not None else header.id.text,
        version=header.version or 1,
        replaces=header.replaces.text if header.replaces is not None else "",
        type_code=header.code.code,
        type_system=header.code.system,
        type_label=label,
        title=header.title or label,
        level=header.level,
        created_at=header.created.at if header.created is not None else recorded_at,
        author=_professional(author) if author is not None else None,
        author_organisation=organisation.name if organisation is not None else "",
        confidentiality=level if level in ("N", "R", "V") else "N",
        same_patient=same_patient,
        ins=ins,
        traits=Traits(
            birth_name=target.birth_family,
            first_given_name=target.first_given,
            given_names=target.given_names,
            used_name=target.used_family,
            used_given_name=target.used_given,
            birth_date=target.birth_date,
            sex="U" if target.gender == "UN" else target.gender if target.gender in ("M", "F") else "",
            birthplace_cog=target.birthplace_cog,
        ),
        finess=finess,
        digest=hashlib.sha256(raw).hexdigest(),
        recorded_at=recorded_at,
    )


def _withdrawn_without_document(envelope: _Envelope) -> DocumentFact:
    """A withdrawal that names its document by TXA-12 alone."""
    said = envelope.transmission
    system = SYSTEM_NAMES.get(said.type_system, said.type_system)
    known = document_type(said.type_code, system)
    label = known.label if known is not None else said.type_label
    fact = DocumentFact(
        patient=envelope.patient.identifiers,
        action=DocumentAction.WITHDRAW,
        id=said.document_id,
        set_id=said.document_id,
        version=1,
        replaces=said.parent_id,
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
    facility = visit.location.facility if visit is not None else None
    sender, reply = said.participants(Role.SENDER), said.participants(Role.REPLY)
    number = visit.number if visit is not None else None
    episode = envelope.patient.episode
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
        finess=establishment(facility, profile) if facility is not None and not facility.is_empty else profile.finess,
    )


def _addressee(recipient: Participation) -> Addressee:
    person, organisation = recipient.person, recipient.organisation
    return Addressee(
        address=recipient.address,
        professional=professional(person) if not recipient.is_patient else None,
        organisation=(finess(organisation.id) or "") if organisation is not None and organisation.id_type in _FINESS_TYPES else "",
        organisation_name=organisation.name if organisation is not None else "",
        patient_matricule=person.id if person is not None and recipient.is_patient else "",
    )


def _name(sender: Participation) -> str:
    """What the sender calls itself: its organisation, else the person."""
    if sender.organisation is not None and sender.organisation.name:
        return sender.organisation.name
    return f"{sender.person.given} {sender.person.family}".strip() if sender.person is not None else ""


def _author(header: Header) -> parties.Actor | None:
    """Who answers for the document: its one human author, else, among several or none, the legal authenticator."""
    people = [author for author in header.authors if author.name is not None]
    return people[0] if len(people) == 1 else header.legal_authenticator or next(iter(people), None)


def _professional(actor: parties.Actor) -> Professional:
    first: InstanceId | None = actor.id
    return Professional(
        rpps=actor.rpps,
        local_id=f"{first.root}:{first.extension}" if first is not None and not actor.rpps else "",
        family=actor.name.family if actor.name is not None else "",
        given=actor.name.given if actor.name is not None else "",
    )


def _custodian_finess(header: Header) -> str:
    ids = header.custodian.ids if header.custodian is not None else ()
    return next((id.finess for id in ids if id.finess), "")


def _usable_ins(target: parties.Patient, profile: SourceProfile, findings: list[Finding]) -> Ins | None:
    """The INS of the document where it is qualified (digest cda-fr §1.1): one number, its key, all the traits."""
    ins = target.ins
    if ins is None or not target.has_strict_traits or len({id.extension for id in target.ids if id.root in INS_OIDS}) > 1:
        return None
    place = "/ClinicalDocument/recordTarget/patientRole/id"
    if ins.root in INS_TEST_OIDS and not profile.test_ins:
        findings.append(INS_TEST.at(place))
        return None
    if not ins_key_is_right(ins.extension):
        findings.append(INS_KEY.at(place))
        return None
    return Ins(matricule=ins.extension, oid=ins.root)
