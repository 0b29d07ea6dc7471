"""Stays: movements in any order end in the same stay, and the difference tells what happened."""

from __future__ import annotations

from itertools import permutations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liaison.care.changes import remember, told_event_id
from liaison.care.effects import StayStatus
from liaison.care.facts import MovementFact, Place
from liaison.care.movement import MOVEMENTS_AT_MOST, TooManyMovementsError
from liaison.care.notes import CANCEL_OF_UNKNOWN, MOVEMENT_AFTER_DISCHARGE, UPDATE_OF_UNKNOWN
from liaison.care.person import Professional
from liaison.care.stay import Stay, apply_movement, fold_movement, stay_changes
from tests.care.stays import (
    A11,
    A12,
    A13,
    ADMISSION,
    CANCEL,
    CANCELLED,
    DISCHARGE,
    DISCHARGED,
    EXAMPLES,
    PAIRS,
    PRESENT,
    TRANSFER,
    UPDATE,
    at_unit,
    fact,
    facts_of_a_stay,
    folded,
    hour,
    movement_id,
    same,
    told,
)


def test_a_whole_stay_ends_discharged_with_its_last_place_and_destination() -> None:
    stay = folded(ADMISSION, TRANSFER, DISCHARGE)
    assert stay.status is DISCHARGED
    assert (stay.admitted_at, stay.discharged_at) == (hour(0), hour(50))
    assert (stay.place.uf_lodging, stay.place.bed) == ("200", "B")
    assert (stay.discharge_mode, stay.destination) == ("8", "7")
    assert (stay.patient_class, stay.finess, stay.revision) == ("I", "400011177", 3)


@pytest.mark.parametrize("order", list(permutations(range(5))))
def test_every_order_of_arrival_ends_in_the_same_stay(order: tuple[int, ...]) -> None:
    facts = (ADMISSION, TRANSFER, DISCHARGE, A13, A12)
    assert same(folded(*(facts[number] for number in order)), folded(*facts))


def test_the_same_fact_again_gives_back_the_very_same_stay() -> None:
    stay = folded(ADMISSION, TRANSFER)
    assert apply_movement(stay, TRANSFER, stay_id="other", patient_id="p1") is stay
    assert stay_changes(stay, stay) == ()


def test_a_resend_under_another_control_id_tells_nothing() -> None:
    stay = folded(ADMISSION, TRANSFER)
    again = msgspec.structs.replace(TRANSFER, control_id="resent", sent_at=hour(20))
    assert told(stay, again) == []


@pytest.mark.parametrize(
    ("before", "cancel", "undone"),
    [
        ((ADMISSION, TRANSFER, DISCHARGE), A13, DISCHARGE),
        ((ADMISSION, TRANSFER), A12, TRANSFER),
    ],
)
def test_a_cancel_goes_back_to_exactly_the_former_situation(
    before: tuple[MovementFact, ...], cancel: MovementFact, undone: MovementFact
) -> None:
    former = folded(*(one for one in before if one is not undone))
    after = folded(*before, cancel)
    for field in msgspec.structs.fields(Stay):
        if field.name not in ("movements", "revision"):
            assert getattr(after, field.name) == getattr(former, field.name), field.name


def test_changes_tell_each_movement_and_name_what_a_cancel_undoes() -> None:
    assert told(None, ADMISSION) == [("stay.admitted", "")]
    assert told(folded(ADMISSION), TRANSFER) == [("stay.transferred", "")]
    assert told(folded(ADMISSION, TRANSFER), DISCHARGE) == [("stay.discharged", "")]
    assert told(folded(ADMISSION, TRANSFER, DISCHARGE), A13) == [("stay.updated", "stay.discharged")]
    assert told(folded(ADMISSION, TRANSFER), A12) == [("stay.updated", "stay.transferred")]
    assert told(folded(ADMISSION), A11) == [("stay.cancelled", "stay.admitted")]


def test_fold_movement_is_apply_and_changes_at_once() -> None:
    before = folded(ADMISSION, TRANSFER)
    for one in (DISCHARGE, A12, TRANSFER):
        after, changes = fold_movement(before, one, stay_id="s1", patient_id="p1")
        assert after == folded(one, before=before)
        assert changes == stay_changes(before, after)


def test_an_annulled_admission_goes_back_to_the_preadmission_and_a_second_cancel_ends_it() -> None:
    preadmission = fact("A05", "m0", -24)
    stay = folded(preadmission)
    assert stay.status is StayStatus.PREADMITTED
    assert told(None, preadmission) == [("stay.preadmitted", "")]
    stay = folded(ADMISSION, A11, before=stay)
    assert stay.status is StayStatus.PREADMITTED
    assert told(folded(preadmission, ADMISSION), A11) == [("stay.updated", "stay.admitted")]
    a38 = fact("A38", "m0", -24, 70, CANCEL, original_trigger="A05")
    assert told(stay, a38) == [("stay.cancelled", "stay.preadmitted")]
    assert folded(a38, before=stay).status is CANCELLED


def test_an_annulled_admission_takes_its_later_movements_with_it_even_when_their_cancels_were_lost() -> None:
    assert folded(ADMISSION, TRANSFER, A11).status is CANCELLED
    assert told(folded(ADMISSION, TRANSFER), A11) == [("stay.cancelled", "stay.admitted")]


def test_a_change_of_class_and_its_cancel_by_the_opposite_trigger() -> None:
    emergency = fact("A04", "m1", 0, patient_class="E")
    inpatient = fact("A06", "m2", 3, patient_class="I", place=at_unit("300"))
    stay = folded(emergency, inpatient)
    assert (stay.status, stay.patient_class, stay.admitted_at) == (PRESENT, "I", hour(0))
    assert told(folded(emergency), inpatient) == [("stay.class-changed", "")]
    back = fact("A07", "m2", 3, 9, CANCEL, original_trigger="A06", patient_class="E")
    assert told(stay, back) == [("stay.updated", "stay.class-changed")]
    after = folded(back, before=stay)
    assert (after.status, after.patient_class, after.place) == (PRESENT, "E", Place())


def test_a_corrected_discharge_is_an_update_that_names_it_and_still_holds() -> None:
    correction = fact("Z99", "m3", 48, 70, UPDATE, original_trigger="A03", discharged_at=hour(48))
    before = folded(ADMISSION, DISCHARGE)
    after = folded(correction, before=before)
    assert (after.status, after.discharged_at, after.discharge_mode) == (DISCHARGED, hour(48), "8")
    (change,) = stay_changes(before, after)
    assert (change.type, change.undoes, change.cancels) == ("stay.updated", "stay.discharged", False)
    assert told(after, A13) == [("stay.updated", "stay.discharged")]


def test_a_corrected_time_without_pv1_45_moves_the_discharge_with_it() -> None:
    correction = fact("Z99", "m3", 48, 70, UPDATE, original_trigger="A03")
    assert folded(ADMISSION, DISCHARGE, correction).discharged_at == hour(48)


def test_a_correction_recorded_earlier_does_not_win_when_it_comes_later() -> None:
    first = fact("Z99", "m3", 47, 70, UPDATE, original_trigger="A03")
    second = fact("Z99", "m3", 48, 71, UPDATE, original_trigger="A03")
    assert folded(ADMISSION, DISCHARGE, second, first).discharged_at == hour(48)


def test_a_correction_of_an_unknown_movement_creates_it_with_a_note() -> None:
    correction = fact("Z99", "m2", 10, 12, UPDATE, original_trigger="A02", place=at_unit("200"))
    stay = folded(ADMISSION, correction)
    assert (stay.place.uf_lodging, stay.notes) == ("200", (UPDATE_OF_UNKNOWN,))
    assert folded(TRANSFER, before=stay).notes == ()


def test_a_cancel_that_comes_first_waits_for_what_it_cancels() -> None:
    stay = folded(ADMISSION, A12)
    assert stay.notes == (CANCEL_OF_UNKNOWN,)
    assert (stay.status, stay.place.uf_lodging) == (PRESENT, "100")
    assert told(stay, TRANSFER) == []
    assert folded(TRANSFER, before=stay).place.uf_lodging == "100"


@pytest.mark.parametrize(
    ("cancel", "status", "change"),
    [
        (A11, CANCELLED, ("stay.cancelled", "stay.admitted")),
        (A12, PRESENT, ("stay.updated", "stay.transferred")),
        (A13, PRESENT, ("stay.updated", "stay.discharged")),
    ],
)
def test_a_cancel_of_an_unknown_stay_says_where_the_patient_is(
    cancel: MovementFact, status: StayStatus, change: tuple[str, str]
) -> None:
    stay = folded(cancel)
    assert (stay.status, stay.place) == (status, cancel.place)
    assert told(None, cancel) == [change]


def test_a_movement_after_the_discharge_is_kept_and_changes_nothing_until_the_discharge_is_cancelled() -> None:
    late = fact("A02", "m4", 55, place=at_unit("400"))
    stay = folded(ADMISSION, DISCHARGE, late)
    assert (stay.status, stay.place.uf_lodging, stay.notes) == (DISCHARGED, "200", (MOVEMENT_AFTER_DISCHARGE,))
    assert told(folded(ADMISSION, DISCHARGE), late) == []
    after = folded(A13, before=stay)
    assert (after.status, after.place.uf_lodging, after.notes) == (PRESENT, "400", ())


def test_a_new_admission_opens_a_discharged_stay_again() -> None:
    again = fact("A01", "m5", 72, patient_class="R")
    stay = folded(ADMISSION, DISCHARGE, again)
    assert (stay.status, stay.admitted_at, stay.discharged_at, stay.discharge_mode) == (PRESENT, hour(72), None, "")
    assert told(folded(ADMISSION, DISCHARGE), again) == [("stay.admitted", "")]


def test_what_comes_late_is_told_as_historic() -> None:
    (change,) = stay_changes(folded(ADMISSION, DISCHARGE), folded(ADMISSION, DISCHARGE, TRANSFER))
    assert (change.type, change.historic, change.at) == ("stay.transferred", True, hour(10))
    (change,) = stay_changes(folded(ADMISSION), folded(ADMISSION, TRANSFER))
    assert not change.historic
    declared = fact("A02", "m2", 10, place=at_unit("200"), historic=True)
    (change,) = stay_changes(folded(ADMISSION), folded(ADMISSION, declared))
    assert change.historic


def test_a_transfer_that_moves_nobody_is_an_update() -> None:
    rate = fact("A02", "m2", 10, nature="D", place=at_unit("100", "A"))
    assert told(folded(ADMISSION), rate) == [("stay.updated", "")]


def test_all_repetitions_of_zbe_1_match() -> None:
    other = movement_id("x9", "oid:1.2.3")
    mine = folded(ADMISSION, TRANSFER)
    both = msgspec.structs.replace(A12, movement=(other, movement_id("m2")))
    cancel_by_other = msgspec.structs.replace(A12, movement=(other,), control_id="o")
    known_by_both = msgspec.structs.replace(TRANSFER, movement=(movement_id("m2"), other))
    assert same(folded(both, before=mine), folded(both, ADMISSION, TRANSFER))
    stay = folded(ADMISSION, known_by_both, cancel_by_other)
    assert (stay.status, stay.place.uf_lodging, len(stay.movements)) == (PRESENT, "100", 2)


def test_one_movement_id_for_a_whole_visit_still_makes_a_stay() -> None:
    constant = [msgspec.structs.replace(one, movement=(movement_id("1"),)) for one in (ADMISSION, TRANSFER, DISCHARGE, A13)]
    stay = folded(*constant)
    assert (stay.status, stay.place.uf_lodging, len(stay.movements)) == (PRESENT, "200", 1)


def test_a_feed_without_zbe_is_understood_by_trigger_and_time() -> None:
    admission, transfer, discharge = (msgspec.structs.replace(one, movement=()) for one in (ADMISSION, TRANSFER, DISCHARGE))
    cancel = fact("A13", "", 52, 62, CANCEL)
    correction = fact("Z99", "", 51, 61, UPDATE, original_trigger="A03", discharge_mode="7")
    facts = (admission, transfer, discharge, correction)
    stay = folded(*facts)
    assert (stay.status, stay.discharge_mode, stay.discharged_at) == (DISCHARGED, "7", hour(51))
    assert [change.type for change in stay_changes(folded(*facts[:3]), stay)] == ["stay.updated"]
    for order in permutations((*facts, cancel)):
        after = folded(*order)
        assert (after.status, after.place.uf_lodging) == (PRESENT, "200")
        assert same(after, folded(*facts, cancel))
    assert told(stay, cancel) == [("stay.updated", "stay.discharged")]


def test_an_unknown_trigger_is_kept_and_changes_nothing() -> None:
    stay = folded(fact("A60", "m7", 5))
    assert (stay.status, stay_changes(None, stay)) == (StayStatus.UNKNOWN, ())


def test_a_bed_is_not_inherited_by_another_unit_but_a_medical_change_keeps_it() -> None:
    elsewhere = fact("A02", "m2", 10, place=Place(uf_lodging="200"))
    assert folded(ADMISSION, elsewhere).place == Place(uf_lodging="200", uf_medical="100")
    medical = fact("A02", "m2", 10, nature="M", place=Place(uf_lodging="100", uf_medical="300", uf_medical_label="CARDIOLOGIE"))
    assert folded(ADMISSION, medical).place == Place(
        uf_lodging="100", uf_medical="300", uf_medical_label="CARDIOLOGIE", room="1", bed="A"
    )


def test_an_undo_names_the_event_it_undoes_however_often_it_was_corrected() -> None:
    stay: Stay | None = None
    ids: dict[str, str] = {}
    correction = fact("Z99", "m3", 48, 55, UPDATE, original_trigger="A03")
    for number, one in enumerate((ADMISSION, DISCHARGE, correction, A13, fact("A03", "m9", 60))):
        after, changes = fold_movement(stay, one, stay_id="s1", patient_id="p1")
        (change,) = changes
        ids[f"{one.trigger}@{number}"] = told_event_id(after, change)
        stay = remember(after, [(change, f"e{number}")])
    assert ids == {"A01@0": "", "A03@1": "", "Z99@2": "e1", "A13@3": "e1", "A03@4": ""}
    assert stay is not None
    assert [entry.event_id for entry in stay.told] == ["e0", "e4"]


def test_what_was_told_is_found_when_a_second_id_sorts_first() -> None:
    stay = folded(ADMISSION)
    stay = remember(stay, [(change, "e0") for change in stay_changes(None, stay)])
    both = msgspec.structs.replace(A11, movement=(movement_id("m1"), movement_id("a0", "finess:0")))
    after, (change,) = fold_movement(stay, both, stay_id="s1", patient_id="p1")
    assert told_event_id(after, change) == "e0"


def test_a_stay_is_given_to_the_patient_that_the_hub_names() -> None:
    stay = folded(ADMISSION)
    moved = apply_movement(stay, ADMISSION, stay_id="s1", patient_id="p2")
    assert (moved.patient_id, stay_changes(stay, moved)) == ("p2", ())


def test_no_feed_makes_a_stay_grow_without_bound() -> None:
    stay = folded(ADMISSION, DISCHARGE, A13)
    for number in range(40):
        stay = folded(fact("Z99", "m3", 50, 70 + number, UPDATE, original_trigger="A03"), before=stay)
    assert stay.status is PRESENT
    assert max(len(one.versions) for one in stay.movements) <= 18
    full = tuple(stay.movements[:1]) * MOVEMENTS_AT_MOST
    with pytest.raises(TooManyMovementsError):
        apply_movement(msgspec.structs.replace(stay, movements=full), TRANSFER, stay_id="s1", patient_id="p1")


def test_a_stay_survives_json_and_msgpack() -> None:
    stay = remember(folded(ADMISSION, TRANSFER, DISCHARGE, A13), [])
    stay = remember(stay, [(change, "e") for change in stay_changes(None, stay)])
    assert stay.told
    for encode, decode in ((msgspec.json.encode, msgspec.json.decode), (msgspec.msgpack.encode, msgspec.msgpack.decode)):
        body = encode(stay)
        read = decode(body, type=Stay)
        assert read == stay
        assert encode(read) == body
        assert folded(TRANSFER, before=read) is read


def test_a_stay_says_nothing_of_itself_when_printed() -> None:
    assert repr(folded(ADMISSION)) == "<Stay>"


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_any_order_with_any_repetition_ends_in_the_same_stay(data: st.DataObject) -> None:
    facts = data.draw(facts_of_a_stay())
    expected = folded(*facts)
    shuffled = data.draw(st.permutations(facts))
    repeated = data.draw(st.lists(st.sampled_from(facts), max_size=5))
    assert same(folded(*shuffled, *repeated), expected)
    assert same(folded(*repeated, *shuffled), expected)


@settings(max_examples=EXAMPLES, deadline=None)
@given(facts_of_a_stay(), st.data())
def test_what_was_lost_and_sent_again_ends_in_the_same_stay(facts: list[MovementFact], data: st.DataObject) -> None:
    lost = data.draw(st.sets(st.integers(0, len(facts) - 1), max_size=len(facts) - 1))
    arrived = [one for number, one in enumerate(facts) if number not in lost]
    assert same(folded(*arrived, *facts), folded(*facts))


@settings(max_examples=EXAMPLES, deadline=None)
@given(facts_of_a_stay())
def test_folding_the_same_again_changes_and_tells_nothing(facts: list[MovementFact]) -> None:
    stay = folded(*facts)
    again = folded(*facts, before=stay)
    assert again is stay
    assert msgspec.json.decode(msgspec.json.encode(stay), type=Stay) == stay


@settings(max_examples=EXAMPLES, deadline=None)
@given(facts_of_a_stay())
def test_every_undo_names_an_event_that_was_told_and_still_held(facts: list[MovementFact]) -> None:
    stay: Stay | None = None
    held: set[str] = set()
    for number, one in enumerate(facts):
        after, changes = fold_movement(stay, one, stay_id="s1", patient_id="p1")
        assert changes == stay_changes(stay, after)
        for change in changes:
            undone = told_event_id(after, change)
            assert not undone or undone in held
            assert change.revision == after.revision
        numbered = [(change, f"e{number}.{ordinal}") for ordinal, change in enumerate(changes)]
        stay = remember(after, numbered)
        held = {entry.event_id for entry in stay.told}


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.sampled_from(["A02", "A06", "A07"]), max_size=4), st.sampled_from(["A02", "A03", "A06", "A07"]))
def test_inserting_then_cancelling_the_last_movement_restores_the_situation(past: list[str], last: str) -> None:
    facts = [fact("A01", "m", 0, place=at_unit("100", "A"))]
    facts += [fact(one, f"m{number}", number + 1, place=at_unit(f"{number}")) for number, one in enumerate(past)]
    former = folded(*facts)
    done = fact(last, "last", 9, place=at_unit("900", "Z"), patient_class="O", attending_physician=Professional(rpps="10001234567"))
    undone = fact(PAIRS[last], "last", 9, 12, CANCEL, original_trigger=last, place=at_unit("wrong"))
    after = folded(done, undone, before=former)
    restored = msgspec.structs.replace(after, movements=former.movements, revision=former.revision)
    assert restored == former
