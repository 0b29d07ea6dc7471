"""Patients: what messages assert of an identity, merges, changes of identifiers, and what is told of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liaison.care.changes import remember, told_event_id
from liaison.care.facts import IdentityAction, IdentityFact
from liaison.care.identifiers import INS_NIR_TEST, Identifier, IdentifierKind
from liaison.care.patient import Patient, fold_identity, fold_link, fold_merge, patient_changes
from liaison.care.person import Ins, Professional, Traits

T0 = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
HOSPITAL, OTHER_HOSPITAL = "finess:400011177", "finess:400780193"
TRAITS = Traits(
    birth_name="EXEMPLE", first_given_name="ZOE", given_names="ZOE", birth_date="19790301", sex="F", birthplace_cog="40192"
)
INS = Ins(matricule="279034019200185", oid=INS_NIR_TEST)
MARTIN, PETIT = Professional(rpps="10001234567", family="MARTIN"), Professional(rpps="10007654321", family="PETIT")


def hour(number: float) -> datetime:
    return T0 + timedelta(hours=number)


def ipp(value: str, authority: str = HOSPITAL) -> Identifier:
    return Identifier(kind=IdentifierKind.IPP, authority=authority, value=value)


def ins_identifier(ins: Ins = INS) -> Identifier:
    return Identifier(kind=IdentifierKind.INS, authority=f"oid:{ins.oid}", value=ins.matricule)


def asserted(at: float = 0, *identifiers: Identifier, **more: Any) -> IdentityFact:
    return IdentityFact(identifiers=identifiers or (ipp("800"),), recorded_at=hour(at), **more)


def qualified(at: float = 0, **more: Any) -> IdentityFact:
    return asserted(at, ipp("800"), ins_identifier(), **{"traits": TRAITS, "statuses": ("VALI",), "ins": INS, **more})


def merge(at: float, into: str, absorbed: str, **more: Any) -> IdentityFact:
    return asserted(at, ipp(into), action=IdentityAction.MERGE, absorbed=(ipp(absorbed),), **more)


def folded(*facts: IdentityFact, before: Patient | None = None) -> Patient:
    patient = before
    for fact in facts:
        patient = fold_identity(patient, fact, patient_id="p1")
    assert patient is not None
    return patient


def told(before: Patient | None, after: Patient) -> list[str]:
    return [change.type for change in patient_changes(before, after)]


def test_a_first_assertion_creates_the_patient() -> None:
    patient = folded(qualified(treating_physician=MARTIN))
    assert (patient.id, patient.traits, patient.ins, patient.treating_physician) == ("p1", TRAITS, INS, MARTIN)
    assert patient.identifiers == (ipp("800"), ins_identifier())
    assert told(None, patient) == ["identity.created"]


def test_an_assertion_that_confirms_keeps_the_revision_and_tells_nothing() -> None:
    before = folded(qualified())
    after = folded(qualified(3), before=before)
    assert after.revision == before.revision
    assert told(before, after) == []
    assert folded(qualified(3), before=after) is after


def test_what_a_message_leaves_out_is_unchanged() -> None:
    before = folded(qualified(treating_physician=MARTIN))
    assert folded(asserted(1), before=before).revision == before.revision
    partial = asserted(2, traits=Traits(birth_name="EXEMPLE", used_name="MODELE"))
    after = folded(partial, before=before)
    assert after.traits == msgspec.structs.replace(TRAITS, used_name="MODELE")
    assert (after.ins, after.statuses, after.treating_physician) == (INS, ("VALI",), MARTIN)
    assert told(before, after) == ["identity.updated"]


def test_an_older_assertion_adds_identifiers_only() -> None:
    newer = folded(qualified(5))
    old = asserted(1, ipp("800"), ipp("900"), traits=msgspec.structs.replace(TRAITS, birth_name="ANCIEN"), statuses=("PROV",))
    after = folded(old, before=newer)
    assert (after.traits, after.statuses, after.ins) == (TRAITS, ("VALI",), INS)
    assert ipp("900") in after.identifiers


def test_the_treating_physician_is_the_last_recorded_one_whatever_the_order() -> None:
    facts = (
        qualified(1, treating_physician=MARTIN),
        asserted(2, treating_physician=PETIT),
        qualified(3),
    )
    for order in permutations(facts):
        assert folded(*order).treating_physician == PETIT


def test_the_ins_goes_when_a_newer_status_is_not_validated() -> None:
    before = folded(qualified())
    after = folded(asserted(1, traits=TRAITS, statuses=("PROV",)), before=before)
    assert (after.ins, after.identifiers) == (None, (ipp("800"),))
    assert told(before, after) == ["identity.identifier-changed"]


def test_the_ins_goes_when_the_strict_traits_change_without_it() -> None:
    changed = msgspec.structs.replace(TRAITS, birth_date="19790302")
    assert folded(qualified(), asserted(1, traits=changed)).ins is None
    same = msgspec.structs.replace(TRAITS, birth_name="Exemple")
    assert folded(qualified(), asserted(1, traits=same)).ins == INS


def test_a_new_ins_takes_the_place_of_the_old_one() -> None:
    nir = Ins(matricule="279034019200282", oid=INS_NIR_TEST)
    fact = asserted(1, ipp("800"), ins_identifier(nir), traits=TRAITS, statuses=("VALI",), ins=nir)
    after = folded(qualified(), fact)
    assert (after.ins, after.identifiers) == (nir, (ipp("800"), ins_identifier(nir)))


def test_another_hospital_does_not_unqualify_an_identity() -> None:
    elsewhere = asserted(9, ipp("77", OTHER_HOSPITAL), traits=Traits(birth_name="AUTRE"), statuses=("PROV",))
    after = folded(qualified(), elsewhere)
    assert (after.ins, after.traits, after.asserted_by) == (INS, TRAITS, HOSPITAL)
    assert ipp("77", OTHER_HOSPITAL) in after.identifiers


def test_a_merge_gives_the_identifiers_to_the_survivor_and_marks_the_absorbed() -> None:
    survivor = folded(qualified())
    absorbed = fold_identity(None, asserted(1, ipp("801"), treating_physician=PETIT), patient_id="p2")
    after, gone = fold_merge(survivor, absorbed, merge(2, "800", "801"), patient_id="new")
    assert gone is not None
    assert (after.id, gone.merged_into) == ("p1", "p1")
    assert ipp("801") in after.identifiers
    assert (after.active_identifiers, after.absorbed) == ((ipp("800"), ins_identifier()), ("p2",))
    assert after.treating_physician == PETIT
    assert (told(survivor, after), told(absorbed, gone)) == (["identity.merged"], [])
    again, still_gone = fold_merge(after, gone, merge(2, "800", "801"), patient_id="new")
    assert (again, still_gone) == (after, gone)


def test_the_qualified_ins_of_an_absorbed_record_does_not_qualify_the_survivor() -> None:
    survivor = fold_identity(None, asserted(0, ipp("801"), traits=TRAITS, statuses=("PROV",)), patient_id="p2")
    after, _ = fold_merge(survivor, folded(qualified()), merge(2, "801", "800"), patient_id="new")
    assert (after.ins, after.active_identifiers) == (None, (ipp("801"),))


def test_a_message_under_an_absorbed_identifier_changes_nothing_of_the_survivor() -> None:
    absorbed = fold_identity(None, asserted(1, ipp("801")), patient_id="p2")
    survivor, _ = fold_merge(folded(qualified()), absorbed, merge(2, "800", "801"), patient_id="new")
    late = asserted(3, ipp("801"), traits=Traits(birth_name="ESCLAVE"), statuses=("DOUB",))
    assert fold_identity(survivor, late, patient_id="new") is survivor


@pytest.mark.parametrize("known", [True, False])
def test_a_merge_of_an_unknown_record_is_remembered(known: bool) -> None:
    before = folded(qualified()) if known else None
    after, gone = fold_merge(before, None, merge(2, "800", "801", traits=TRAITS), patient_id="p9")
    assert gone is None
    assert (after.id, after.traits) == ("p1" if known else "p9", TRAITS)
    assert after.retired == (ipp("801"),)
    assert told(before, after) == ["identity.merged"]


def test_a_merge_told_the_other_way_round_only_changes_which_identifier_is_valid() -> None:
    absorbed = fold_identity(None, asserted(1, ipp("801")), patient_id="p2")
    survivor, _ = fold_merge(folded(asserted()), absorbed, merge(2, "800", "801"), patient_id="new")
    after, gone = fold_merge(survivor, survivor, merge(3, "801", "800"), patient_id="new")
    assert gone is None
    assert (after.id, after.merged_into, after.active_identifiers) == ("p1", "", (ipp("801"),))
    assert told(survivor, after) == ["identity.identifier-changed"]


def test_a_changed_identifier_is_retired_and_still_leads_to_the_patient() -> None:
    before = folded(asserted())
    fact = asserted(1, ipp("850"), action=IdentityAction.CHANGE_IDENTIFIER, absorbed=(ipp("800"),))
    after = folded(fact, before=before)
    assert (after.active_identifiers, after.retired) == ((ipp("850"),), (ipp("800"),))
    assert told(before, after) == ["identity.identifier-changed"]


def test_a_removed_ins_goes_with_its_history_and_the_status_stays() -> None:
    before = folded(qualified())
    fact = asserted(
        1, ipp("800"), action=IdentityAction.CHANGE_IDENTIFIER, removes_ins=True, absorbed=(ins_identifier(),), statuses=("VALI",)
    )
    after = folded(fact, before=before)
    assert (after.ins, after.identifiers, after.retired) == (None, (ipp("800"),), ())
    assert after.statuses == ("VALI",)
    assert told(before, after) == ["identity.identifier-changed"]


def test_a_changed_matricule_replaces_the_old_one_without_a_trace() -> None:
    new = Ins(matricule="179034019200169", oid=INS_NIR_TEST)
    fact = asserted(
        1,
        ipp("800"),
        ins_identifier(new),
        action=IdentityAction.CHANGE_IDENTIFIER,
        absorbed=(ins_identifier(),),
        ins=new,
        statuses=("VALI",),
        traits=msgspec.structs.replace(TRAITS, sex="M"),
    )
    after = folded(qualified(), fact)
    assert (after.ins, after.identifiers, after.retired) == (new, (ipp("800"), ins_identifier(new)), ())


def test_a_death_is_told_once_corrected_and_taken_back() -> None:
    alive = folded(qualified())
    dead = folded(qualified(1, died=True), before=alive)
    (death,) = patient_changes(alive, dead)
    assert (death.type, death.at) == ("patient.deceased", hour(1))
    dead = remember(dead, [(death, "e1")])
    assert told(dead, folded(qualified(2, died=True), before=dead)) == []
    dated = folded(qualified(3, died=True, died_at=hour(0.5)), before=dead)
    (correction,) = patient_changes(dead, dated)
    assert (correction.type, correction.cancels, told_event_id(dated, correction)) == ("identity.updated", False, "e1")
    back = folded(qualified(4, died=False), before=dated)
    (undo,) = patient_changes(dated, back)
    assert (undo.undoes, undo.cancels, told_event_id(back, undo)) == ("patient.deceased", True, "e1")
    assert back.died_at is None


def test_a_protected_person_stays_protected_when_a_message_does_not_say_so() -> None:
    assert folded(qualified(confidential=True), qualified(1)).confidential


def test_a_link_changes_nothing_but_what_is_linked() -> None:
    before = folded(qualified(0))
    fact = asserted(1, action=IdentityAction.LINK)
    after = fold_link(before, fact, other="p2")
    assert after.linked == ("p2",)
    assert told(before, after) == ["identity.linked"]
    assert msgspec.structs.replace(after, links=(), revision=before.revision) == before
    assert fold_link(after, fact, other="p2") is after
    ended = fold_link(after, asserted(2, action=IdentityAction.UNLINK), other="p2")
    assert (ended.linked, told(after, ended)) == ((), ["identity.unlinked"])
    assert folded(asserted(3), before=ended).links == ended.links


def test_a_merge_ends_the_link_of_its_two_records_and_keeps_those_with_others() -> None:
    link = asserted(1, action=IdentityAction.LINK)
    survivor = fold_link(folded(asserted(0, ipp("1"))), link, other="absorbed")
    absorbed = msgspec.structs.replace(folded(asserted(0, ipp("2"))), id="absorbed")
    absorbed = fold_link(fold_link(absorbed, link, other=survivor.id), link, other="third")
    after, _ = fold_merge(survivor, absorbed, merge(2, "1", "2"), patient_id=survivor.id)
    assert after.linked == ("third",)
    assert "identity.unlinked" not in told(survivor, after)


def test_a_merge_needs_its_own_fold() -> None:
    with pytest.raises(ValueError, match="fold_merge"):
        fold_identity(None, merge(0, "1", "2"), patient_id="p")


def test_a_patient_survives_json_and_msgpack_and_prints_nothing() -> None:
    patient = folded(qualified(treating_physician=MARTIN, died=True, died_at=hour(1), confidential=True))
    assert msgspec.json.decode(msgspec.json.encode(patient), type=Patient) == patient
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(patient), type=Patient) == patient
    assert repr(patient) == "<Patient>"


@st.composite
def assertions(draw: st.DrawFn) -> list[IdentityFact]:
    """Snapshots of one hospital, each of another hour, with physicians and deaths here and there."""
    hours = draw(st.lists(st.integers(0, 50), min_size=1, max_size=5, unique=True))
    return [
        qualified(
            at,
            traits=msgspec.structs.replace(TRAITS, birth_name=draw(st.sampled_from(["EXEMPLE", "MODELE"]))),
            treating_physician=draw(st.sampled_from([None, MARTIN, PETIT])),
            died=draw(st.sampled_from([None, True, False])),
        )
        for at in hours
    ]


@settings(max_examples=200, deadline=None)
@given(assertions(), st.data())
def test_full_snapshots_in_any_order_end_in_the_newest(facts: list[IdentityFact], data: st.DataObject) -> None:
    ordered = sorted(facts, key=lambda fact: fact.recorded_at)
    shuffled = folded(*data.draw(st.permutations(facts)), *data.draw(st.lists(st.sampled_from(facts), max_size=3)))
    expected = folded(*ordered)
    assert msgspec.structs.replace(shuffled, revision=0) == msgspec.structs.replace(expected, revision=0)
    assert shuffled.traits == ordered[-1].traits


@settings(max_examples=100, deadline=None)
@given(assertions())
def test_folding_an_identity_again_changes_and_tells_nothing(facts: list[IdentityFact]) -> None:
    patient = folded(*facts)
    assert folded(*facts, before=patient) is patient
    assert patient_changes(patient, patient) == ()
