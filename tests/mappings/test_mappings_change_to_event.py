"""From changes to events: what a reader gets, and what never leaves."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from liaison.care.changes import Change
from liaison.care.document import Document, document_changes, fold_document
from liaison.care.facts import DocumentAction, DocumentFact, IdentityFact, MovementAction, MovementFact, Place
from liaison.care.identifiers import INS_NIR_TEST, Identifier, IdentifierKind
from liaison.care.patient import Patient, fold_identity, fold_merge, patient_changes
from liaison.care.person import Ins, Professional, Traits
from liaison.care.stay import Stay, fold_movement
from liaison.events.data import DocumentData, IdentityData, StayData
from liaison.events.envelope import Event, from_cloudevent_json, to_cloudevent_json
from liaison.mappings.change_to_event import event_from_change

T0 = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
HOSPITAL, OTHER = "finess:400011177", "finess:400780193"
TRAITS = Traits(
    birth_name="EXEMPLE", first_given_name="ZOE", given_names="ZOE", birth_date="19790301", sex="F", birthplace_cog="40192"
)
INS = Ins(matricule="279034019200185", oid=INS_NIR_TEST)


def ipp(value: str, authority: str = HOSPITAL) -> Identifier:
    return Identifier(kind=IdentifierKind.IPP, authority=authority, value=value)


def patient(*identifiers: Identifier, **more: Any) -> Patient:
    given: dict[str, Any] = {"traits": TRAITS, "statuses": ("VALI",), "ins": INS, **more}
    fact = IdentityFact(
        identifiers=identifiers or (ipp("800"),),
        recorded_at=T0,
        treating_physician=Professional(rpps="10001234567", family="MARTIN"),
        **given,
    )
    return fold_identity(None, fact, patient_id="p1")


def admitted(**more: Any) -> tuple[Stay, Change]:
    given: dict[str, Any] = {
        "finess": "400011177",
        "place": Place(uf_lodging="100", uf_medical="200", uf_medical_label="CARDIOLOGIE", room="ROOM7", bed="BED9"),
        **more,
    }
    fact = MovementFact(
        patient=(ipp("800"),),
        action=MovementAction.INSERT,
        trigger="A01",
        original_trigger="A01",
        movement=(Identifier(kind=IdentifierKind.MOVEMENT, authority=HOSPITAL, value="m1"),),
        visit=Identifier(kind=IdentifierKind.VISIT, authority=HOSPITAL, value="V1"),
        at=T0,
        patient_class="I",
        recorded_at=T0,
        sent_at=T0,
        control_id="1",
        **given,
    )
    stay, (change,) = fold_movement(None, fact, stay_id="s1", patient_id="p1")
    return stay, change


def document() -> tuple[Document, Change]:
    fact = DocumentFact(
        patient=(ipp("800"),),
        action=DocumentAction.PUBLISH,
        id="1.2.3",
        set_id="1.2.3",
        version=1,
        type_code="11490-0",
        type_label="Lettre de liaison",
        title="Lettre de liaison à la sortie",
        level="N1",
        created_at=T0,
        mail_body="SECRETBODY",
        same_patient=True,
        finess="400011177",
        digest="0" * 64,
        recorded_at=T0,
    )
    made = fold_document(None, fact, patient_id="p1").document
    (change,) = document_changes(None, made)
    return made, change


def told(
    change: Change,
    who: Patient,
    *,
    stay: Stay | None = None,
    letter: Document | None = None,
    undoes: str = "",
    finess: str = "",
) -> Event:
    made = event_from_change(
        change,
        event_id="m1.0",
        patient=who,
        stay=stay,
        document=letter,
        recorded_at=T0 + timedelta(minutes=1),
        undoes=undoes,
        finess=finess,
    )
    assert from_cloudevent_json(to_cloudevent_json(made, lane_seq=1)) == made
    return made


def test_an_admission_tells_who_where_and_since_when() -> None:
    stay, change = admitted()
    event = told(change, patient(), stay=stay)
    assert (event.type, event.subject, event.source, event.time) == ("stay.admitted", "p1", "urn:finess:400011177", T0)
    assert event.recorded_at == T0 + timedelta(minutes=1)
    data = event.data
    assert isinstance(data, StayData)
    assert data.patient.ins is not None
    assert (data.patient.birth_name, data.patient.ins.matricule) == ("EXEMPLE", INS.matricule)
    assert [one.value for one in data.patient.ipp] == ["800"]
    assert (data.stay.status, data.stay.patient_class, data.stay.admitted_at) == ("present", "I", T0)
    assert (data.stay.place.uf_medical, data.stay.place.uf_medical_label) == ("200", "CARDIOLOGIE")
    assert data.stay.discharge is None
    assert data.treating_physician is not None
    assert data.treating_physician.rpps == "10001234567"


def test_no_more_leaves_than_a_reader_needs() -> None:
    stay, change = admitted()
    who = patient(ipp("800"), ipp("OTHERIPP", OTHER))
    body = to_cloudevent_json(told(change, who, stay=stay), lane_seq=1).decode()
    for kept_back in ("ROOM7", "BED9", "OTHERIPP"):
        assert kept_back not in body
    made, published = document()
    assert "SECRETBODY" not in to_cloudevent_json(told(published, who, letter=made), lane_seq=1).decode()


def test_an_ins_leaves_with_its_strict_traits_only() -> None:
    stay, change = admitted()
    partial = msgspec.structs.replace(patient(), traits=msgspec.structs.replace(TRAITS, birthplace_cog=""))
    data = told(change, partial, stay=stay).data
    assert isinstance(data, StayData)
    assert data.patient.ins is None


def test_traits_that_no_reader_could_take_are_left_out() -> None:
    stay, change = admitted()
    odd = patient(traits=Traits(birth_name="EXEMPLE", birth_date="1979-03", sex="O"), ins=None)
    data = told(change, odd, stay=stay).data
    assert isinstance(data, StayData)
    assert (data.patient.birth_date, data.patient.sex) == ("", "")


def test_a_patient_without_traits_can_still_be_told_of() -> None:
    stay, change = admitted()
    assert told(change, patient(traits=None, ins=None), stay=stay).subject == "p1"


@pytest.mark.parametrize(("cancels", "amends"), [(True, "cancellation"), (False, "correction")])
def test_an_amendment_names_its_event_and_its_kind(cancels: bool, amends: str) -> None:
    stay, change = admitted()
    amended = msgspec.structs.replace(change, type="stay.updated", undoes="stay.admitted", cancels=cancels, historic=True)
    event = told(amended, patient(), stay=stay, undoes="m0.0")
    assert isinstance(event.data, StayData)
    assert (event.undoes, event.historic, event.data.amends) == ("m0.0", True, amends)


def test_a_document_is_told_without_its_content() -> None:
    made, change = document()
    event = told(change, patient(), letter=made)
    assert isinstance(event.data, DocumentData)
    assert (event.type, event.source) == ("document.published", "urn:finess:400011177")
    assert (event.data.document.type_code, event.data.document.status) == ("11490-0", "current")
    body = json.loads(to_cloudevent_json(event, lane_seq=None))
    assert "laneseq" not in body
    assert body["type"] == "fr.liaison.document.published.v1"


def test_a_merge_tells_whom_and_which_ipp_it_absorbed() -> None:
    survivor = patient()
    absorbed = fold_identity(None, IdentityFact(identifiers=(ipp("801"),), recorded_at=T0), patient_id="p2")
    fact = IdentityFact(identifiers=(ipp("800"),), absorbed=(ipp("801"),), recorded_at=T0 + timedelta(hours=1))
    after, _ = fold_merge(survivor, absorbed, fact, patient_id="new")
    (change,) = patient_changes(survivor, after)
    data = told(change, after).data
    assert isinstance(data, IdentityData)
    assert (data.absorbed, [one.value for one in data.retired_ipp]) == (("p2",), ["801"])
    assert [one.value for one in data.patient.ipp] == ["800"]


def test_a_death_is_told_with_its_date() -> None:
    dead = patient(died=True, died_at=T0)
    change = patient_changes(None, dead)[1]
    event = told(change, dead)
    assert isinstance(event.data, IdentityData)
    assert (event.type, event.data.deceased, event.data.deceased_at) == ("patient.deceased", True, T0)


@pytest.mark.parametrize(
    ("authority", "finess", "source"),
    [
        (HOSPITAL, "", "urn:finess:400011177"),
        ("oid:1.2.3", "400011177", "urn:finess:400011177"),
        ("local:ch/IPP", "", "urn:liaison"),
        ("local:ch/IPP", "not a finess", "urn:liaison"),
    ],
)
def test_the_source_is_the_establishment_as_far_as_it_is_known(authority: str, finess: str, source: str) -> None:
    who = patient(ipp("800", authority))
    (change,) = patient_changes(None, who)
    assert told(change, who, finess=finess).source == source


def test_a_stay_without_a_true_finess_is_told_without_one() -> None:
    stay, change = admitted(finess="SGL")
    event = told(change, patient(), stay=stay)
    assert isinstance(event.data, StayData)
    assert (event.source, event.data.stay.finess) == ("urn:liaison", "")


def test_the_source_stands_in_for_an_establishment_that_is_not_a_finess() -> None:
    stay, change = admitted(finess="SGL")
    assert told(change, patient(), stay=stay, finess="400011177").source == "urn:finess:400011177"


def test_a_change_without_its_state_is_a_programming_error() -> None:
    _, change = admitted()
    with pytest.raises(ValueError, match="needs the stay"):
        told(change, patient())
    _, published = document()
    with pytest.raises(ValueError, match="needs the document"):
        told(published, patient())
