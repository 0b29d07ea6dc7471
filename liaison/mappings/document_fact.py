"""What a document's own header says → the document fact, whatever way the document came by."""

from __future__ import annotations

import hashlib
from datetime import datetime

from liaison.care.facts import DocumentAction, DocumentFact
from liaison.care.identifiers import INS_OIDS, INS_TEST_OIDS, Identifier, ins_key_is_right
from liaison.care.person import Ins, Professional, Traits
from liaison.cda import parties
from liaison.cda.datatypes import InstanceId
from liaison.cda.header import Header
from liaison.cda.value_sets import document_type
from liaison.finding import Finding
from liaison.hl7.faults import warning
from liaison.mappings.interpretation import SourceProfile

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


def document_fact(
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
    author = author_of(header)
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
        author=professional_of(author) if author is not None else None,
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


def author_of(header: Header) -> parties.Actor | None:
    """Who answers for the document: its one human author, else, among several or none, the legal authenticator."""
    people = [author for author in header.authors if author.name is not None]
    return people[0] if len(people) == 1 else header.legal_authenticator or next(iter(people), None)


def professional_of(actor: parties.Actor) -> Professional:
    first: InstanceId | None = actor.id
    return Professional(
        rpps=actor.rpps,
        local_id=f"{first.root}:{first.extension}" if first is not None and not actor.rpps else "",
        family=actor.name.family if actor.name is not None else "",
        given=actor.name.given if actor.name is not None else "",
    )


def usable_document_ins(target: parties.Patient, profile: SourceProfile, findings: list[Finding]) -> Ins | None:
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
