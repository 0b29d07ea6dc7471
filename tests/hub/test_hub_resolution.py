"""From identifiers to the patient that they name. Pure: the view is filled by hand."""

from __future__ import annotations

import pytest

from liaison.care.facts import IdentityFact
from liaison.care.identifiers import IdentifierKind
from liaison.care.patient import Patient, fold_identity
from liaison.hub.journal.records import IdentifierRecord, PatientRecord, text_id
from liaison.hub.journal.view import NotAsked, View
from liaison.hub.resolution import BlindIndex, find_patient, followed, followed_keys, patient_keys
from liaison.hub.vault.keys import master_keys
from liaison.hub.vault.sealing import Vault
from tests.hub.people import NOW, identity, ins, ipp, traits

BLIND = Vault(master_keys(bytes(32))).blind
INDEX = BlindIndex(BLIND, "400011177")
MATRICULE = "279034019212355"


def holding(*facts: IdentityFact) -> View:
    """A view with one patient a fact, numbered from 1, each under its identifiers."""
    view = View()
    for number, fact in enumerate(facts, 1):
        view.apply([PatientRecord(id=number, state=fold_identity(None, fact, patient_id=text_id(number)))])
        view.apply([IdentifierRecord(blind=INDEX.of(one), target="patient", id=number) for one in fact.identifiers])
    return view


def found(view: View, fact: IdentityFact) -> tuple[int | None, bool]:
    for key in view.missing(patient_keys(view, INDEX, fact.identifiers)):
        view.load(key, None)
    patient, elsewhere = find_patient(view, INDEX, fact.identifiers, fact.traits)
    return None if patient is None else patient.id, elsewhere


def test_a_number_finds_its_patient_and_a_name_nobody() -> None:
    view = holding(identity("1"))
    assert found(view, identity("1", name="AUTRE")) == (1, False)
    assert found(view, identity("2")) == (None, False)


def test_a_number_of_another_authority_is_another_number() -> None:
    assert found(holding(identity("1")), identity("1", authority="oid:1.2.3")) == (None, False)


def test_an_ins_finds_where_no_number_contradicts_and_all_five_traits_are_equal() -> None:
    view = holding(identity("1", matricule=MATRICULE))
    assert found(view, identity("", matricule=MATRICULE)) == (1, False)
    assert found(view, identity("77", matricule=MATRICULE, authority="oid:1.2.3")) == (1, False)
    assert found(view, identity("2", matricule=MATRICULE)) == (None, True)
    assert found(view, identity("", matricule=MATRICULE, first="ZOE")) == (None, True)
    assert found(view, identity("", matricule=MATRICULE, name="Essai")) == (1, False)


def test_an_ins_without_strict_traits_finds_nobody() -> None:
    view = holding(identity("1", matricule=MATRICULE))
    assert find_patient(view, INDEX, (ins(MATRICULE),), None) == (None, True)
    assert find_patient(view, INDEX, (ins(MATRICULE),), traits(born="1979")) == (None, True)


def test_a_number_wins_over_the_ins_and_says_so() -> None:
    view = holding(identity("1", matricule=MATRICULE), identity("2", name="AUTRE"))
    assert found(view, identity("2", matricule=MATRICULE)) == (2, True)


def test_an_ins_that_its_holder_no_longer_has_finds_nobody() -> None:
    view = holding(identity("1"))
    view.apply([IdentifierRecord(blind=INDEX.of(ins(MATRICULE)), target="patient", id=1)])
    assert found(view, identity("", matricule=MATRICULE)) == (None, False)


@pytest.mark.parametrize("length", [1, 2, 8])
def test_a_merged_patient_is_followed_to_who_stands_for_it(length: int) -> None:
    view = View()
    for number in range(1, length + 2):
        merged = "" if number > length else text_id(number + 1)
        view.apply([PatientRecord(id=number, state=Patient(id=text_id(number), recorded_at=NOW, merged_into=merged))])
    last = followed(view, 1)
    assert last is not None and last.id == length + 1
    assert set(followed_keys(view, 1)) >= {("patient", number) for number in range(1, length + 1)}


def test_merges_in_a_circle_come_to_an_end() -> None:
    view = View()
    for number, other in ((1, 2), (2, 1)):
        view.apply([PatientRecord(id=number, state=Patient(id=text_id(number), recorded_at=NOW, merged_into=text_id(other)))])
    assert followed(view, 1) is not None and len(list(followed_keys(view, 1))) == 8


def test_keys_are_asked_for_step_by_step() -> None:
    view = View()
    (first,) = patient_keys(view, INDEX, (ipp("1"),))
    assert first == ("identifier", INDEX.of(ipp("1")))
    with pytest.raises(NotAsked):
        find_patient(view, INDEX, (ipp("1"),), None)
    view.apply([IdentifierRecord(blind=INDEX.of(ipp("1")), target="patient", id=5)])
    assert list(patient_keys(view, INDEX, (ipp("1"),))) == [first, ("patient", 5)]


def test_an_index_means_something_inside_its_establishment_only() -> None:
    other = BlindIndex(BLIND, "400099999")
    assert INDEX.of(ipp("1")) == BlindIndex(BLIND, "400011177").of(ipp("1")) != other.of(ipp("1"))
    assert INDEX.named(IdentifierKind.IPP, "a", "1") != INDEX.named(IdentifierKind.VISIT, "a", "1")
