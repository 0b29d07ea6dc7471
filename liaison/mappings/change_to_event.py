"""From a change in care to the normalised event that tells it, with no more of the patient than its reader needs."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from liaison.care.changes import Change
from liaison.care.document import Document
from liaison.care.effects import StayStatus
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.care.identifiers import finess as normal_finess
from liaison.care.patient import Patient
from liaison.care.person import Professional, Traits
from liaison.care.stay import Stay
from liaison.events.data import (
    DischargeData,
    DocumentData,
    EventData,
    IdentifierData,
    IdentityData,
    InsData,
    LetterData,
    PersonData,
    PlaceData,
    ProfessionalData,
    StayData,
    VenueData,
)
from liaison.events.envelope import Event


def event_from_change(
    change: Change,
    *,
    event_id: str,
    patient: Patient,
    stay: Stay | None,
    document: Document | None,
    recorded_at: datetime,
    undoes: str,
    finess: str = "",
) -> Event:
    """The event for one change, from the states after it.

    ``finess`` is the establishment of the source, used where the stay or the document names none. ``undoes`` is the id that
    told_event_id gave for the change. Raises ValueError when the state that the change is about is missing.
    """
    family = change.type.partition(".")[0]
    data: EventData
    if family == "stay":
        if stay is None:
            raise ValueError("a change of a stay needs the stay")
        finess = normal_finess(stay.finess) or normal_finess(finess) or ""
        data = StayData(
            patient=_person(patient, (stay.visit.authority, f"finess:{finess}")),
            stay=_venue(stay, finess),
            treating_physician=_professional(patient.treating_physician),
            amends=_amends(change),
        )
    elif family == "document":
        if document is None:
            raise ValueError("a change of a document needs the document")
        fact = document.fact
        finess = normal_finess(fact.finess) or normal_finess(finess) or ""
        authorities = tuple(one.authority for one in fact.patient if one.kind is IdentifierKind.IPP)
        data = DocumentData(
            patient=_person(patient, authorities),
            document=_letter(document),
            visit=_identifier(fact.visit) if fact.visit is not None else None,
            treating_physician=_professional(patient.treating_physician),
            amends=_amends(change),
        )
    else:
        finess = normal_finess(patient.asserted_by.removeprefix("finess:")) or normal_finess(finess) or ""
        data = IdentityData(
            patient=_person(patient, (patient.asserted_by,)),
            treating_physician=_professional(patient.treating_physician),
            absorbed=patient.absorbed,
            linked=patient.linked,
            retired_ipp=tuple(
                _identifier(one)
                for one in patient.retired
                if one.kind is IdentifierKind.IPP and one.authority == patient.asserted_by
            ),
            deceased=patient.died,
            deceased_at=patient.died_at,
            amends=_amends(change),
        )
    return Event(
        id=event_id,
        type=change.type,
        subject=patient.id,
        source=f"urn:finess:{finess}" if finess else "urn:liaison",
        time=change.at,
        recorded_at=recorded_at,
        data=data,
        revision=change.revision,
        undoes=undoes,
        historic=change.historic,
    )


def _amends(change: Change) -> Literal["", "correction", "cancellation"]:
    if not change.undoes:
        return ""
    return "cancellation" if change.cancels else "correction"


def _person(patient: Patient, authorities: tuple[str, ...]) -> PersonData:
    """The patient for a reader of one establishment's event: another establishment's IPP is not its business."""
    traits = patient.traits or Traits(birth_name="")
    ins = patient.ins
    return PersonData(
        ipp=_ipp(patient, authorities),
        ins=InsData(matricule=ins.matricule, oid=ins.oid) if ins is not None and traits.are_strict else None,
        statuses=patient.statuses,
        birth_name=traits.birth_name,
        first_given_name=traits.first_given_name,
        given_names=traits.given_names,
        used_name=traits.used_name,
        used_given_name=traits.used_given_name,
        birth_date=traits.birth_date if traits.birth_date.isdigit() and len(traits.birth_date) in (4, 6, 8) else "",
        sex=_sex(traits.sex),
        birthplace_cog=traits.birthplace_cog,
        confidential=patient.confidential,
    )


def _ipp(patient: Patient, authorities: tuple[str, ...]) -> tuple[IdentifierData, ...]:
    known = [one for one in patient.active_identifiers if one.kind is IdentifierKind.IPP]
    own = [one for one in known if one.authority in authorities]
    if not own and len({one.authority for one in known}) == 1:
        own = known
    return tuple([_identifier(one) for one in own])


def _sex(code: str) -> Literal["M", "F", "U", ""]:
    return "M" if code == "M" else "F" if code == "F" else "U" if code == "U" else ""


def _identifier(identifier: Identifier) -> IdentifierData:
    return IdentifierData(authority=identifier.authority, value=identifier.value)


def _professional(professional: Professional | None) -> ProfessionalData | None:
    if professional is None:
        return None
    return ProfessionalData(rpps=professional.rpps, family=professional.family, given=professional.given)


def _venue(stay: Stay, finess: str) -> VenueData:
    place = stay.place
    discharged = stay.status is StayStatus.DISCHARGED
    return VenueData(
        id=stay.id,
        visit=_identifier(stay.visit),
        episode=_identifier(stay.episode) if stay.episode is not None else None,
        finess=finess,
        status=stay.status.value,
        patient_class=stay.patient_class,
        place=PlaceData(
            uf_lodging=place.uf_lodging,
            uf_medical=place.uf_medical,
            uf_medical_label=place.uf_medical_label,
            uf_care=place.uf_care,
        ),
        expected_admission_at=stay.expected_admission_at,
        admitted_at=stay.admitted_at,
        expected_discharge_at=stay.expected_discharge_at,
        on_leave_since=stay.on_leave_since,
        expected_return_at=stay.expected_return_at,
        discharged_at=stay.discharged_at,
        discharge=DischargeData(mode=stay.discharge_mode, destination=stay.destination, destination_finess=stay.destination_finess)
        if discharged
        else None,
        attending_physician=_professional(stay.attending_physician),
    )


def _letter(document: Document) -> LetterData:
    fact = document.fact
    return LetterData(
        id=document.id,
        set_id=document.set_id,
        version=document.version,
        status=document.status.value,
        replaces=document.replaces,
        type_code=fact.type_code,
        type_system=fact.type_system,
        type_label=fact.type_label,
        title=fact.title,
        created_at=fact.created_at,
        author=_professional(fact.author),
        author_organisation=fact.author_organisation,
        confidentiality=fact.confidentiality,
        digest=fact.digest,
        masked_from_professionals=bool(fact.flags.masked_from_professionals),
        hidden_from_patient=bool(fact.flags.hidden_from_patient),
    )
