"""Where movements leave a stay: leaves, plans, errands, doctors, and those that are told to nobody."""

from __future__ import annotations

import pytest

from liaison.care.changes import remember, told_event_id
from liaison.care.effects import CANCELS, INSERTS, StayStatus
from liaison.care.facts import MovementFact, Place
from liaison.care.person import Professional
from liaison.care.stay import Stay, fold_movement, stay_changes
from tests.care.stays import (
    ADMISSION,
    CANCEL,
    CANCELLED,
    DISCHARGE,
    DISCHARGED,
    PAIRS,
    PRESENT,
    TRANSFER,
    UPDATE,
    at_unit,
    fact,
    folded,
    hour,
    same,
    told,
)

LEAVE = fact("A21", "p1", 20, expected_return_at=hour(44))
RETURN = fact("A22", "p2", 43)
PLANNED = fact("A16", "d1", 30, expected_discharge_at=hour(49))


def cancel(one: MovementFact, told_at: float = 90, place: Place | None = None) -> MovementFact:
    """The cancel of a movement, with the situation to return to."""
    (name,) = one.movement
    at = (one.at - hour(0)).total_seconds() / 3600
    return fact(PAIRS[one.trigger], name.value, at, told_at, CANCEL, original_trigger=one.trigger, place=place or Place())


def test_a_leave_is_told_at_both_ends_and_the_patient_stays_admitted() -> None:
    stay = folded(ADMISSION, LEAVE)
    assert (stay.status, stay.on_leave_since, stay.expected_return_at) == (PRESENT, hour(20), hour(44))
    assert told(folded(ADMISSION), LEAVE) == [("stay.leave-started", "")]
    assert told(stay, RETURN) == [("stay.leave-ended", "")]
    back = folded(RETURN, before=stay)
    assert (back.status, back.on_leave_since, back.expected_return_at) == (PRESENT, None, None)
    assert back.place == folded(ADMISSION).place


def test_zbe_rule_10_a_leave_is_cancelled_from_its_end_backwards() -> None:
    stay = folded(ADMISSION, LEAVE, RETURN)
    assert told(stay, cancel(RETURN)) == [("stay.updated", "stay.leave-ended")]
    away = folded(cancel(RETURN), before=stay)
    assert away.on_leave_since == hour(20)
    assert told(away, cancel(LEAVE)) == [("stay.updated", "stay.leave-started")]
    assert (
        same(folded(cancel(LEAVE), before=away), folded(ADMISSION, LEAVE, RETURN, cancel(LEAVE), cancel(RETURN)))
        and folded(cancel(LEAVE), before=away).on_leave_since is None
    )


@pytest.mark.parametrize("end", [DISCHARGE, fact("A01", "m9", 48)])
def test_whoever_leaves_for_good_or_is_admitted_anew_is_on_leave_no_more(end: MovementFact) -> None:
    assert folded(ADMISSION, LEAVE, end).on_leave_since is None


def test_a_second_leave_before_the_first_was_ended_keeps_the_first_day() -> None:
    again = fact("A21", "p3", 24, expected_return_at=hour(60))
    stay = folded(ADMISSION, LEAVE, again)
    assert (stay.on_leave_since, stay.expected_return_at) == (hour(20), hour(60))
    assert told(folded(ADMISSION, LEAVE), again) == [("stay.updated", "")]


def test_zbe_rule_11_a_planned_discharge_is_a_movement_before_the_discharge() -> None:
    stay = folded(ADMISSION, PLANNED)
    assert (stay.status, stay.expected_discharge_at, stay.discharged_at) == (PRESENT, hour(49), None)
    assert told(folded(ADMISSION), PLANNED) == [("stay.discharge-planned", "")]
    assert told(stay, cancel(PLANNED)) == [("stay.updated", "stay.discharge-planned")]
    assert folded(cancel(PLANNED), before=stay).expected_discharge_at is None
    later = fact("Z99", "d1", 30, 35, UPDATE, original_trigger="A16", expected_discharge_at=hour(72))
    assert told(stay, later) == [("stay.updated", "stay.discharge-planned")]
    assert folded(later, before=stay).expected_discharge_at == hour(72)
    assert folded(DISCHARGE, before=stay).status is DISCHARGED


def test_a_pending_admission_is_awaited_until_it_comes_or_is_cancelled() -> None:
    pending = fact("A14", "w1", -5, expected_admission_at=hour(0))
    stay = folded(pending)
    assert (stay.status, stay.expected_admission_at) == (StayStatus.PREADMITTED, hour(0))
    assert told(None, pending) == [("stay.preadmitted", "")]
    assert told(stay, cancel(pending)) == [("stay.cancelled", "stay.preadmitted")]
    assert folded(cancel(pending), before=stay).status is CANCELLED
    assert folded(ADMISSION, before=stay).status is PRESENT


def test_a_bed_that_is_awaited_from_the_emergency_room_takes_nobody_out_of_it() -> None:
    emergency = fact("A04", "u1", 0, patient_class="E", place=at_unit("URG"))
    pending = fact("A14", "w1", 1, place=at_unit("300"))
    stay = folded(emergency, pending)
    assert (stay.status, stay.place.uf_lodging, stay.notes) == (PRESENT, "URG", ())
    assert told(folded(emergency), pending) == []


@pytest.mark.parametrize("trigger", ["A09", "A10", "A15", "Z82", "Z86"])
def test_what_is_planned_or_passes_moves_nobody_and_is_told_to_nobody(trigger: str) -> None:
    errand = fact(trigger, "e1", 10, place=at_unit("BLOC"))
    before = folded(ADMISSION)
    after = folded(errand, before=before)
    assert (after.place, after.status, len(after.movements)) == (before.place, PRESENT, 2)
    assert told(before, errand) == []
    assert told(after, cancel(errand)) == []
    correction = fact("Z99", "e1", 11, 12, UPDATE, original_trigger=trigger, place=at_unit("IRM"))
    assert told(after, correction) == []


@pytest.mark.parametrize("trigger", ["A09", "A15", "A16", "A21", "A54"])
def test_of_a_stay_that_is_known_by_one_movement_only_the_patient_is_there(trigger: str) -> None:
    assert folded(fact(trigger, "x1", 5)).status is PRESENT


def test_another_doctor_is_told_and_named_when_undone() -> None:
    first, second = Professional(rpps="10001234567", family="RÉAULT"), Professional(rpps="10007654321", family="DUPOUY")
    admission = fact("A01", "m1", 0, attending_physician=first)
    entrusted = fact("A54", "r1", 8, attending_physician=second)
    stay: Stay | None = None
    named: list[tuple[str, str]] = []
    for number, one in enumerate((admission, entrusted, cancel(entrusted))):
        after, (change,) = fold_movement(stay, one, stay_id="s1", patient_id="p1")
        named.append((change.type, told_event_id(after, change)))
        stay = remember(after, [(change, f"e{number}")])
    assert named == [("stay.admitted", ""), ("stay.updated", ""), ("stay.updated", "e1")]
    assert stay is not None and stay.attending_physician == first
    assert folded(admission, entrusted).attending_physician == second


@pytest.mark.parametrize("trigger", ["A16", "A21", "A22", "A54", "A09", "A15"])
def test_after_the_discharge_none_of_them_changes_anything(trigger: str) -> None:
    late = fact(trigger, "l1", 60, expected_discharge_at=hour(70))
    before = folded(ADMISSION, DISCHARGE)
    after = folded(late, before=before)
    assert (after.status, after.on_leave_since, after.expected_discharge_at) == (DISCHARGED, None, None)
    assert stay_changes(before, after) == ()


@pytest.mark.parametrize(("insert", "cancelled_by"), [("Z80", "Z81"), ("Z84", "Z85"), ("Z88", "Z89")])
def test_a_withdrawn_transfer_moves_and_is_cancelled_as_a_transfer(insert: str, cancelled_by: str) -> None:
    old = fact(insert, "m2", 10, place=at_unit("200", "B"))
    stay = folded(ADMISSION, old)
    assert stay.place == folded(ADMISSION, TRANSFER).place
    undone = folded(fact(cancelled_by, "m2", 10, 61, CANCEL, original_trigger=insert), before=stay)
    assert undone.place == folded(ADMISSION).place


def test_every_insertion_has_its_cancel_and_every_cancel_its_insertion() -> None:
    assert {id(effect) for effect in INSERTS.values()} == {id(effect) for effect in CANCELS.values()}
    assert len({effect.rank for effect in INSERTS.values()}) == len({effect.name for effect in INSERTS.values()})
