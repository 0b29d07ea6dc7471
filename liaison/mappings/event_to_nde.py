"""From a normalised event to an event declaration (NdE 3.0, flux 3 EmissionEvenement): a CommunicationRequest with its FR Core patient.

NdE has codes for an admission, a discharge and a document, for nothing else. What corrects or undoes one of these is told as an
update of the declaration that it is about: corrected, or ``revoked``. All else has no place there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from liaison.events.data import DocumentData, IdentityData, PersonData, StayData
from liaison.events.envelope import Event
from liaison.fhir import codes
from liaison.fhir.resources import (
    Address,
    CodeableConcept,
    Coding,
    CommunicationRequest,
    Extension,
    HumanName,
    Identifier,
    Meta,
    Organization,
    Patient,
    Payload,
    Reference,
)
from liaison.private import Private

#: Event types that are declared, and their code in TRE_R254.
DECLARED: Mapping[str, str] = {
    "stay.admitted": "ADM",
    "stay.discharged": "SOR",
    "document.published": "DOC",
    "document.replaced": "DOC",
}
#: Event types that may change an earlier declaration.
AMENDING = frozenset({"stay.updated", "stay.cancelled", "document.withdrawn"})
#: What may be routed to such a platform.
TOLD = frozenset(DECLARED) | AMENDING

_GENDERS: Mapping[str, Literal["male", "female", "unknown"]] = {"M": "male", "F": "female", "U": "unknown"}


class Declaration(Private, frozen=True, kw_only=True):
    """A resource, and the event whose declaration it makes (or, when ``amends``, replaces)."""

    resource: CommunicationRequest
    event_id: str
    amends: bool


def declaration(event: Event, *, undone: Event | None, system: str) -> Declaration | None:
    """What to tell of an event, or None when NdE has no words for it.

    ``undone`` is the event that ``event.undoes`` names, if any; ``system`` the namespace of the hub's event ids.
    """
    if undone is not None and undone.type in DECLARED:
        cancelled = _cancels(event)
        # What is revoked is told as it was; what is corrected, as it is now.
        told = undone if cancelled else event
        resource = _request(told, DECLARED[undone.type], undone.id, event.recorded_at, system, "revoked" if cancelled else "active")
        return Declaration(resource=resource, event_id=undone.id, amends=True)
    code = DECLARED.get(event.type)
    if code is None:
        return None
    resource = _request(event, code, event.id, event.recorded_at, system, "active")
    return Declaration(resource=resource, event_id=event.id, amends=False)


def _cancels(event: Event) -> bool:
    return event.type == "document.withdrawn" or (
        isinstance(event.data, StayData | DocumentData) and event.data.amends == "cancellation"
    )


def _request(
    event: Event, code: str, event_id: str, authored_on: datetime, system: str, status: Literal["active", "revoked"]
) -> CommunicationRequest:
    person = event.data.patient
    kind = Coding(system=codes.EVENT_TYPES, code=code, display=codes.EVENT_LABELS[code])
    security = (Coding(system=codes.CONFIDENTIALITY, code="R"),) if person.confidential else ()
    return CommunicationRequest(
        meta=Meta(profile=(codes.EVENT_DECLARATION,), security=security),
        contained=(patient(person), organization(event.source.removeprefix("urn:finess:"))),
        extension=(
            Extension(url=codes.EVENT_TYPE, value_codeable_concept=CodeableConcept(coding=(kind,))),
            Extension(url=codes.EVENT_TIME, value_date_time=event.time.isoformat()),
        ),
        identifier=(Identifier(system=system, value=event_id),),
        status=status,
        subject=Reference(reference="#pat"),
        payload=(_payload(event),),
        authored_on=authored_on.isoformat(),
        requester=Reference(reference="#org"),
    )


def _payload(event: Event) -> Payload:
    """One sentence on the stay; for a document its identifier, never its content."""
    match event.data:
        case DocumentData(document=document):
            root, _, extension = document.id.partition("^")
            uri = f"urn:{'uuid' if '-' in root else 'oid'}:{root}"
            known = Identifier(system=uri, value=extension) if extension else Identifier(system=codes.URIS, value=uri)
            display = document.type_label or document.title
            return Payload(content_reference=Reference(type="DocumentReference", identifier=known, display=display))
        case StayData(stay=stay):
            ward = stay.place.uf_medical_label or stay.place.uf_medical or stay.place.uf_lodging
            return Payload(content_string=" ".join((_SENTENCES[event.type], f"({ward})")) if ward else _SENTENCES[event.type])
        case IdentityData():
            raise ValueError("an event of identity is not declared")


_SENTENCES: Mapping[str, str] = {
    "stay.admitted": "Admission du patient",
    "stay.discharged": "Sortie du patient",
    "stay.updated": "Séjour corrigé",
    "stay.cancelled": "Venue annulée",
}


def patient(person: PersonData) -> Patient:
    """The FR Core patient: in the INS profile, and with a matricule, only for a qualified identity."""
    ins = person.ins
    identifiers = [_ipp(one.authority, one.value) for one in person.ipp]
    extensions: list[Extension] = []
    names = [_official(person)] if person.birth_name else []
    if ins is not None:
        name, use = codes.INS_TYPES[ins.oid]
        kind = CodeableConcept(coding=(Coding(system=codes.IDENTIFIER_TYPES_FR, code=name),))
        identifiers.insert(0, Identifier(use=use, type=kind, system=f"urn:oid:{ins.oid}", value=ins.matricule))
        extensions += [_reliability("VALI"), _birth_place(person.birthplace_cog)]
    else:
        extensions += [_reliability(status) for status in person.statuses if status != "VALI"]
        if person.birthplace_cog:
            extensions.append(_birth_place(person.birthplace_cog))
    if person.used_name:
        given = (person.used_given_name or person.first_given_name,)
        names.append(HumanName(use="usual", family=person.used_name, given=tuple(name for name in given if name)))
    return Patient(
        id="pat",
        meta=Meta(profile=(codes.PATIENT if ins is None else codes.PATIENT_INS,)),
        extension=tuple(extensions),
        identifier=tuple(identifiers),
        name=tuple(names),
        gender=_GENDERS.get(person.sex, ""),
        birth_date="-".join(part for part in (person.birth_date[:4], person.birth_date[4:6], person.birth_date[6:8]) if part),
    )


def organization(finess: str) -> Organization:
    """The establishment that speaks, by its FINESS."""
    kind = CodeableConcept(coding=(Coding(system=codes.IDENTIFIER_TYPES_FR, code="FINEG"),))
    known = (Identifier(type=kind, system=codes.FINESS, value=finess),) if len(finess) == 9 else ()
    return Organization(
        id="org",
        meta=Meta(profile=(codes.ORGANIZATION,)),
        identifier=known,
        name="" if known else "Établissement non précisé",
    )


def _official(person: PersonData) -> HumanName:
    every = person.given_names or person.first_given_name
    return HumanName(
        extension=(Extension(url=codes.GIVEN_NAMES, value_string=every),) if every else (),
        use="official",
        family=person.birth_name,
        given=(person.first_given_name,) if person.first_given_name else (),
    )


def _ipp(authority: str, value: str) -> Identifier:
    scheme, _, number = authority.partition(":")
    # A FINESS alone names the establishment and not its numbering: R4 wants a namespace, which this one is by our own word.
    systems = {"oid": f"urn:oid:{number}", "finess": f"{codes.FINESS}/{number}/ipp"}
    kind = CodeableConcept(coding=(Coding(system=codes.IDENTIFIER_TYPES, code="PI"),))
    return Identifier(use="usual", type=kind, system=systems.get(scheme, f"urn:liaison:{authority}"), value=value)


def _reliability(status: str) -> Extension:
    part = Extension(url="identityStatus", value_coding=Coding(system=codes.IDENTITY_STATUS, code=status))
    return Extension(url=codes.IDENTITY_RELIABILITY, extension=(part,))


def _birth_place(cog: str) -> Extension:
    code = Extension(url=codes.INSEE_CODE, value_coding=Coding(system=codes.COMMUNES, code=cog))
    return Extension(url=codes.BIRTH_PLACE, value_address=Address(extension=(code,)))
