"""Event declarations: read with nothing of the hub's, against the profiles' own rules."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.events.data import (
    DocumentData,
    IdentifierData,
    IdentityData,
    InsData,
    LetterData,
    PersonData,
    PlaceData,
    StayData,
    VenueData,
)
from liaison.events.envelope import Event
from liaison.events.types import TYPES
from liaison.fhir.resources import to_json
from liaison.mappings.event_to_nde import AMENDING, DECLARED, TOLD, declaration

T0 = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
IPP = IdentifierData(authority="finess:400011177", value="800")
QUALIFIED = PersonData(
    ipp=(IPP,),
    ins=InsData(matricule="279034019200185", oid="1.2.250.1.213.1.4.10"),
    statuses=("VALI",),
    birth_name="EXEMPLE",
    first_given_name="ZOE",
    given_names="ZOE MARIE",
    used_name="MODELE",
    birth_date="19790301",
    sex="F",
    birthplace_cog="40192",
)
PROVISIONAL = PersonData(ipp=(IPP,), statuses=("PROV",), birth_name="EXEMPLE", birth_date="1979", sex="U", confidential=True)


def stay_event(kind: str, *, number: str = "e1", person: PersonData = QUALIFIED, undoes: str = "", amends: Any = "") -> Event:
    venue = VenueData(
        id="s1",
        visit=IdentifierData(authority="finess:400011177", value="V1"),
        finess="400011177",
        status="present",
        place=PlaceData(uf_medical="200", uf_medical_label="CARDIOLOGIE"),
    )
    return Event(
        id=number,
        type=kind,
        subject="p1",
        source="urn:finess:400011177",
        time=T0,
        recorded_at=T0,
        data=StayData(patient=person, stay=venue, amends=amends),
        revision=1,
        undoes=undoes,
    )


def document_event(kind: str, *, number: str = "d1", undoes: str = "") -> Event:
    letter = LetterData(
        id="1.2.3", set_id="1.2", version=1, status="current", type_code="11490-0", title="Lettre", created_at=T0, digest="0" * 64
    )
    return Event(
        id=number,
        type=kind,
        subject="p1",
        source="urn:finess:400011177",
        time=T0,
        recorded_at=T0,
        data=DocumentData(patient=QUALIFIED, document=letter),
        revision=1,
        undoes=undoes,
    )


def told(event: Event, undone: Event | None = None) -> dict[str, Any]:
    made = declaration(event, undone=undone, system="urn:oid:1.2")
    assert made is not None
    resource: dict[str, Any] = json.loads(to_json(made.resource))
    check(resource)
    return resource


def extensions(element: dict[str, Any], url: str) -> list[dict[str, Any]]:
    return [one for one in element.get("extension", []) if one["url"] == url]


def check(resource: dict[str, Any]) -> None:
    """The cardinalities and invariants of NdE_EventDeclarationNdE, FRCorePatient and FRCorePatientINS that apply."""
    nde = "https://interop.esante.gouv.fr/ig/fhir/nde/StructureDefinition/"
    core = "https://hl7.fr/ig/fhir/core/StructureDefinition/"
    assert resource["resourceType"] == "CommunicationRequest"
    assert resource["meta"]["profile"] == [nde + "nde-eventdeclaration"]
    assert len(extensions(resource, nde + "event-type")) == len(extensions(resource, nde + "event-time")) == 1
    (kind,) = extensions(resource, nde + "event-type")[0]["valueCodeableConcept"]["coding"]
    assert kind["system"] == "https://mos.esante.gouv.fr/NOS/TRE_R254-TypeEvenement/FHIR/TRE-R254-TypeEvenement"
    assert kind["code"] in ("ADM", "SOR", "DOC")
    assert resource["status"] in ("active", "revoked")
    assert len(resource["payload"]) == 1 and len(resource["payload"][0]) == 1
    assert "about" not in resource
    contained = {one["id"]: one for one in resource["contained"]}
    patient, requester = contained[resource["subject"]["reference"][1:]], contained[resource["requester"]["reference"][1:]]
    assert (patient["resourceType"], requester["resourceType"]) == ("Patient", "Organization")
    assert not any(is_empty(value) for value in walk(resource)), "FHIR has no empty elements"
    with_ins = [one for one in patient.get("identifier", []) if one["system"].startswith("urn:oid:1.2.250.1.213.1.4.")]
    if patient["meta"]["profile"] == [core + "fr-core-patient-ins"]:
        assert len(with_ins) == 1
        assert extensions(patient, core + "fr-core-identity-reliability")
        (place,) = extensions(patient, "http://hl7.org/fhir/StructureDefinition/patient-birthPlace")
        assert len(extensions(place["valueAddress"], core + "fr-core-address-insee-code")) == 1
        assert patient["gender"] in ("male", "female", "unknown") and len(patient["birthDate"]) == 10
        (official,) = [name for name in patient["name"] if name["use"] == "official"]
        assert len(official["given"]) == 1
        assert len(extensions(official, core + "fr-core-patient-birth-list-given-name")) == 1
        assert sum(one["use"] == "official" for one in patient["identifier"]) == 1 or with_ins[0]["use"] == "temp"
    else:
        assert patient["meta"]["profile"] == [core + "fr-core-patient"]
        assert not with_ins, "a matricule travels in the INS profile only"
        statuses = [part["valueCoding"]["code"] for one in patient.get("extension", []) for part in one.get("extension", [])]
        assert "VALI" not in statuses


def walk(value: Any) -> list[Any]:
    if isinstance(value, dict):
        inner: list[Any] = [*value.values()]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    elif isinstance(value, list):
        inner = [*value]  # pyright: ignore[reportUnknownArgumentType]
    else:
        return [value]
    return [value, *(found for one in inner for found in walk(one))]


def is_empty(value: Any) -> bool:
    return value is None or value == "" or value == [] or value == {}


@pytest.mark.parametrize(("kind", "code"), [("stay.admitted", "ADM"), ("stay.discharged", "SOR")])
def test_a_movement_is_declared_under_its_own_identifier(kind: str, code: str) -> None:
    resource = told(stay_event(kind))
    assert resource["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == code
    assert resource["identifier"] == [{"system": "urn:oid:1.2", "value": "e1"}]
    assert resource["status"] == "active"
    assert "CARDIOLOGIE" in resource["payload"][0]["contentString"]
    assert resource["contained"][1]["identifier"][0]["value"] == "400011177"


def test_a_document_is_declared_by_its_identifier_and_without_its_content() -> None:
    payload = told(document_event("document.published"))["payload"][0]["contentReference"]
    assert payload == {
        "type": "DocumentReference",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3"},
        "display": "Lettre",
    }


def test_a_provisional_identity_travels_without_a_matricule_and_a_protected_one_says_so() -> None:
    resource = told(stay_event("stay.admitted", person=PROVISIONAL))
    patient = resource["contained"][0]
    assert patient["birthDate"] == "1979"
    assert patient["extension"][0]["extension"][0]["valueCoding"]["code"] == "PROV"
    assert resource["meta"]["security"][0]["code"] == "R"


@pytest.mark.parametrize(("amends", "status"), [("cancellation", "revoked"), ("correction", "active")])
def test_what_amends_a_declaration_is_told_under_the_identifier_of_that_declaration(amends: str, status: str) -> None:
    undone = stay_event("stay.discharged", number="e1")
    event = stay_event("stay.updated", number="e2", undoes="e1", amends=amends)
    resource = told(event, undone)
    assert resource["identifier"][0]["value"] == "e1"
    assert resource["status"] == status
    assert resource["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "SOR"


def test_a_withdrawn_document_revokes_its_declaration() -> None:
    resource = told(document_event("document.withdrawn", number="d2", undoes="d1"), document_event("document.published"))
    assert (resource["status"], resource["identifier"][0]["value"]) == ("revoked", "d1")


def test_what_nde_has_no_words_for_is_not_declared() -> None:
    undone = stay_event("stay.transferred", number="e1")
    assert declaration(stay_event("stay.transferred"), undone=None, system="s") is None
    assert declaration(stay_event("stay.updated", undoes="e1", amends="cancellation"), undone=undone, system="s") is None
    identity = Event(
        id="i1",
        type="identity.created",
        subject="p1",
        source="urn:finess:400011177",
        time=T0,
        recorded_at=T0,
        data=IdentityData(patient=QUALIFIED),
        revision=1,
    )
    assert declaration(identity, undone=None, system="s") is None


def test_what_is_told_exists() -> None:
    assert TOLD == DECLARED.keys() | AMENDING
    assert TOLD <= TYPES.keys()


@given(
    person=st.builds(
        PersonData,
        ipp=st.lists(
            st.builds(
                IdentifierData,
                authority=st.sampled_from(["finess:400011177", "oid:1.2.250.1", "local:ch/GAM"]),
                value=st.text(min_size=1, max_size=10),
            ),
            max_size=2,
        ).map(tuple),
        statuses=st.lists(st.sampled_from(["VALI", "PROV", "DOUT", "FICT"]), max_size=2).map(tuple),
        birth_name=st.text(max_size=10),
        first_given_name=st.text(max_size=10),
        given_names=st.text(max_size=10),
        used_name=st.text(max_size=10),
        used_given_name=st.text(max_size=10),
        birth_date=st.sampled_from(["", "1979", "197903", "19790301"]),
        sex=st.sampled_from(["M", "F", "U", ""]),
        birthplace_cog=st.sampled_from(["", "40192"]),
        confidential=st.booleans(),
    ),
    kind=st.sampled_from(["stay.admitted", "stay.discharged"]),
)
def test_whatever_is_known_of_a_person_the_declaration_keeps_the_profiles_rules(person: PersonData, kind: str) -> None:
    told(stay_event(kind, person=person))
