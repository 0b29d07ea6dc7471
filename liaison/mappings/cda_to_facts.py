"""A CDA that comes alone, as a file or in an archive → facts: its patient, itself, and whom its own header names.

No message around it says what to do: it is published, or replaces what its header says it replaces. Who gets it is whom the header
names (informationRecipient) and the treating physician (functionCode PCP); whether they do is for the same rules as ever.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from liaison.care.facts import Addressee, DocumentAction, DocumentFlags, IdentityFact
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.care.person import Professional
from liaison.cda.header import Header, header_of
from liaison.cda.parties import Actor
from liaison.cda.xml import CdaError, parse
from liaison.hl7.faults import fatal
from liaison.mappings.document_fact import document_fact, professional_of, usable_document_ins
from liaison.mappings.interpretation import Interpretation, SourceProfile, Understanding

NOBODY = fatal(
    "document.patient-unidentified",
    "Le document n’identifie pas son patient : ni INS qualifiée, ni IPP (CI-SIS, recordTarget).",
    "Renseigner dans l’en-tête l’IPP du patient et son INS qualifiée.",
    "101",
)

#: Schemes of a telecom that may hold an MSSanté address.
_MAILTO: Final = "mailto:"


def interpret_cda(raw: bytes, profile: SourceProfile, *, received_at: datetime) -> Interpretation:
    """The facts of a CDA that comes alone. ``received_at`` dates them where the document has no date of its own."""
    zone = ZoneInfo(profile.time_zone)
    try:
        header = header_of(parse(raw), raw, zone=zone)
    except CdaError as fault:
        return Interpretation(understanding=Understanding.NOT_UNDERSTOOD, findings=(fault.finding,))
    findings = list(header.findings)
    recorded_at = header.created.at if header.created is not None else received_at
    target = header.patient
    ins = usable_document_ins(target, profile, findings)
    identifiers = tuple(
        Identifier(kind=IdentifierKind.IPP, authority=profile.authorities.get(id.root, f"oid:{id.root}"), value=id.extension)
        for id in target.local_ids
    )
    if ins is not None:
        identifiers += (Identifier(kind=IdentifierKind.INS, authority=f"oid:{ins.oid}", value=ins.matricule),)
    if not identifiers:
        findings.append(NOBODY.at("/ClinicalDocument/recordTarget/patientRole/id"))
        return Interpretation(understanding=Understanding.NOT_UNDERSTOOD, findings=tuple(findings))
    fact = document_fact(
        header,
        raw,
        patient=identifiers,
        action=DocumentAction.REPLACE if header.replaces is not None else DocumentAction.PUBLISH,
        same_patient=True,
        ins=ins,
        finess=_custodian_finess(header) or profile.finess,
        recorded_at=recorded_at,
    )
    fact = msgspec.structs.replace(
        fact,
        # No MetaDMPMSS comes with a file: its header names those it is for, who are professionals.
        flags=DocumentFlags(to_professionals=True),
        addressees=tuple(_addressee(actor) for actor in header.recipients if _is_reachable(actor)),
    )
    identity = IdentityFact(
        identifiers=identifiers, traits=fact.traits, ins=ins, treating_physician=_treating(header), recorded_at=recorded_at
    )
    return Interpretation(
        understanding=Understanding.UNDERSTOOD,
        facts=(identity, fact),
        findings=tuple(findings),
        documents={fact.digest: raw},
    )


def _is_reachable(actor: Actor) -> bool:
    """Whether a named recipient can be written to: an address, or a number by which the directory may know one."""
    return bool(_address(actor) or actor.rpps)


def _addressee(actor: Actor) -> Addressee:
    organisation = actor.organisation
    return Addressee(
        address=_address(actor),
        professional=professional_of(actor) if actor.name is not None or actor.rpps else None,
        organisation=next((id.finess for id in organisation.ids if id.finess), "") if organisation is not None else "",
        organisation_name=organisation.name if organisation is not None else "",
    )


def _address(actor: Actor) -> str:
    organisation = actor.organisation.telecoms if actor.organisation is not None else ()
    telecoms = (*actor.telecoms, *organisation)
    return next((one.value[len(_MAILTO) :] for one in telecoms if one.value.lower().startswith(_MAILTO)), "")


def _treating(header: Header) -> Professional | None:
    physician = header.treating_physician
    return professional_of(physician) if physician is not None and (physician.rpps or physician.name is not None) else None


def _custodian_finess(header: Header) -> str:
    ids = header.custodian.ids if header.custodian is not None else ()
    return next((id.finess for id in ids if id.finess), "")
