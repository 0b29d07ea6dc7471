"""Which entries of the blind index a message writes. Pure: the view is filled by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.care.document import DocumentFold, fold_document
from liaison.care.facts import DocumentFact
from liaison.care.identifiers import Identifier
from liaison.care.patient import fold_identity
from liaison.hub.entries import document_entries, patient_entries
from liaison.hub.journal.records import DocumentRecord, IdentifierRecord, PatientRecord, text_id
from liaison.hub.journal.view import View
from liaison.hub.resolution import BlindIndex, document_blinds
from liaison.hub.vault.keys import master_keys
from liaison.hub.vault.sealing import Vault
from tests.hub.people import identity, ins, ipp, letter

INDEX = BlindIndex(Vault(master_keys(bytes(32))).blind, "400011177")
MATRICULE = "279034019212355"


def view_of(*led: tuple[Identifier, int], holders: tuple[int, ...] = (), holds: str = "") -> View:
    """A view where each identifier of ``led`` leads to its number, everywhere too; ``holders`` exist, with IPP and INS ``holds``."""
    view = View()
    for number in (1, 2):
        fact = identity(str(number), matricule=holds)
        state = fold_identity(None, fact, patient_id=text_id(number))
        view.load(("patient", number), PatientRecord(id=number, state=state) if number in holders else None)
    for identifier, number in led:
        for blind in (INDEX.of(identifier), INDEX.everywhere(identifier)):
            view.apply([IdentifierRecord(blind=blind, target="patient", id=number)])
    for identifier in (ipp("1"), ipp("2"), ins(MATRICULE)):
        for blind in (INDEX.of(identifier), INDEX.everywhere(identifier)):
            view.load(("identifier", blind), None)
    return view


def led_to_two(view: View, *identifiers: Identifier, merged: bool = False, several: bool = False) -> set[bytes]:
    """The blind indexes that lead to patient 2 after the entries are written."""
    entries = list(patient_entries(view, INDEX, identifiers, 2, merged=merged, several=several))
    assert all(entry.id == 2 and entry.target == "patient" for entry in entries)
    return {entry.blind for entry in entries}


def test_what_led_nowhere_leads_to_the_patient_and_what_leads_there_already_is_not_written_again() -> None:
    assert led_to_two(view_of(), ipp("2"), ins(MATRICULE)) == {INDEX.of(ipp("2")), INDEX.of(ins(MATRICULE))}
    assert led_to_two(view_of((ipp("2"), 2)), ipp("2")) == set()


@pytest.mark.parametrize("merged", [False, True])
def test_a_number_of_somebody_else_follows_a_merge_only(merged: bool) -> None:
    view = view_of((ipp("1"), 1), holders=(1, 2))
    assert led_to_two(view, ipp("1"), merged=merged) == ({INDEX.of(ipp("1"))} if merged else set())


def test_a_number_whose_patient_was_erased_may_be_given_again() -> None:
    assert led_to_two(view_of((ipp("1"), 1), holders=(2,)), ipp("1")) == {INDEX.of(ipp("1"))}


@pytest.mark.parametrize(("holds", "moves"), [(MATRICULE, False), ("", True)])
@pytest.mark.parametrize("merged", [False, True])
def test_an_ins_moves_only_when_its_holder_has_it_no_more(holds: str, moves: bool, merged: bool) -> None:
    view = view_of((ins(MATRICULE), 1), holders=(1, 2), holds=holds)
    assert led_to_two(view, ins(MATRICULE), merged=merged) == ({INDEX.of(ins(MATRICULE))} if moves else set())


def test_an_ins_leads_from_every_establishment_where_there_are_several() -> None:
    blinds = {INDEX.of(ins(MATRICULE)), INDEX.everywhere(ins(MATRICULE))}
    assert led_to_two(view_of(), ins(MATRICULE), several=True) == blinds
    assert INDEX.everywhere(ipp("2")) not in led_to_two(view_of(), ipp("2"), several=True)


def test_a_patient_that_was_not_asked_for_is_not_taken_from() -> None:
    view = View()
    view.apply([IdentifierRecord(blind=INDEX.of(ipp("1")), target="patient", id=7)])
    assert led_to_two(view, ipp("1")) == set()


def known_documents(fact: DocumentFact, newest: DocumentFold | None) -> dict[bytes, DocumentRecord | None]:
    """What the blinds of ``fact`` lead to in a journal whose document 1 is the newest of its set."""
    own, of_set, *rest = document_blinds(INDEX, fact)
    record = None if newest is None else DocumentRecord(id=1, patient=1, message=1, state=newest.document)
    return {own: None, of_set: record, **dict.fromkeys(rest)}


@given(st.integers(1, 9), st.integers(1, 9))
def test_a_set_leads_to_its_highest_version_whatever_came_first(first: int, second: int) -> None:
    old, new = letter("1", "d1", set_id="s", version=first), letter("1", "d2", set_id="s", version=second)
    fold = fold_document(None, old, patient_id=text_id(1))
    entries = {entry.blind for entry in document_entries(INDEX, new, 2, known_documents(new, fold))}
    own, of_set, *_ = document_blinds(INDEX, new)
    assert own in entries and (of_set in entries) is (second >= first)
