"""The seventeen rules that PAM.fr gives movements (§5.1, §5.3, §5.4, §6.10, §7.1), each by a feed that keeps it or breaks it.

A feed that breaks one is understood as far as it can be, and what the hub makes of it is what the test says.
"""

from __future__ import annotations

import pytest

from liaison.hub.contracts import Verdict
from tests.acceptance.ward import Heard, Ward, hour, lies_in, uf, when
from tests.care.stays import folded

EMERGENCY = {"PV1_2": "E"}
SESSION = {"PV1_2": "R", "PV1_51": "V"}


def units(heard: Heard) -> tuple[str, str, str]:
    """Lodging, medical and care unit of the stay."""
    place = heard.stay.place
    return place.uf_lodging, place.uf_medical, place.uf_care


def visit(number: str) -> dict[str, str]:
    return {"PV1_19": f"{number}^^^CH&400011177&M^VN"}


# 1 to 4: responsibilities ---------------------------------------------------------------------------------------------------------


def test_zbe_rule_01_three_responsibilities_live_in_three_places() -> None:
    ward = Ward()
    admitted = ward.moves("A01", "M1", "0508", PV1_3="2111^12^B", ZBE_7=uf("2110"), ZBE_8=uf("2112"))
    assert units(admitted) == ("2111", "2110", "2112")
    assert units(ward.moves("A02", "M2", "0608", PV1_3="2111^12^B", ZBE_7=uf("2110"), ZBE_8=uf("3112"), ZBE_9="S")) == (
        "2111",
        "2110",
        "3112",
    )
    assert units(ward.moves("A02", "M3", "0708", PV1_3="3111^4^A", ZBE_7="", ZBE_8="", ZBE_9="H")) == ("3111", "2110", "3112")
    assert units(ward.moves("A02", "M4", "0808", PV1_3="3111^4^A", ZBE_7=uf("3110"), ZBE_8="", ZBE_9="M")) == (
        "3111",
        "3110",
        "3112",
    )


@pytest.mark.parametrize("event", ["A02", "A03", "A21"])
def test_zbe_rule_02_a_movement_without_its_lodging_unit_leaves_the_patient_where_they_lay(event: str) -> None:
    ward = Ward()
    ward.moves("A01", "M1", "0508", unit="2111")
    moved = ward.moves(event, "M2", "0608", PV1_3="", ZBE_7="", ZBE_8="", ZBE_9="H")
    assert units(moved) == ("2111", "2111", "2111")
    assert "hl7.uf-lodging-missing" in moved.rules


def test_zbe_rule_02_a_correction_says_only_the_unit_that_its_nature_names() -> None:
    ward = Ward()
    ward.moves("A01", "M1", "0508", unit="2111")
    assert units(ward.corrects("M1", "0508", of="A01", PV1_3="", ZBE_7=uf("3110"), ZBE_8="", ZBE_9="M")) == ("2111", "3110", "2111")


def test_zbe_rule_03_messages_that_share_zbe_1_are_one_movement() -> None:
    ward = Ward()
    ward.moves("A01", "M1", "0508", unit="2111")
    first = ward.moves("A02", "M2", "0608", **lies_in("3111") | {"ZBE_7": "", "ZBE_8": "", "ZBE_9": "H"})
    second = ward.moves("A02", "M2", "0608", PV1_3="3111^1^A", ZBE_7=uf("3110"), ZBE_8="", ZBE_9="M")
    assert (first.events, second.events) == (["stay.transferred"], ["stay.updated"])
    assert second.told[0].undoes == first.told[0].id, "the second completes the first"
    assert units(second) == ("3111", "3110", "2111")
    cancelled = ward.cancels("A12", "M2", "0608", of="A02", unit="2111")
    assert units(cancelled) == ("2111", "2111", "2111"), "one cancel takes both back"


@pytest.mark.parametrize("nature", ["HMS", "MHS", "SMH"])
def test_zbe_rule_04_a_composite_movement_is_one_whatever_its_letters_come_first(nature: str) -> None:
    ward = Ward()
    ward.moves("A01", "M1", "0508", unit="2111")
    moved = ward.moves("A02", "M2", "0608", PV1_3="3111^1^A", ZBE_7=uf("3110"), ZBE_8=uf("3112"), ZBE_9=nature)
    assert moved.events == ["stay.transferred"]
    assert units(moved) == ("3111", "3110", "3112")


# 5 to 8: what may be done to a movement -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [("M2", "M3"), ("M3", "M2")])
def test_zbe_rule_05_two_movements_of_one_instant_end_the_same_in_any_order_of_arrival(order: tuple[str, str]) -> None:
    """The rule forbids them: one médicale responsibility, one nature, one time. Both are kept; ZBE-1 says which comes last."""
    ward = Ward()
    ward.moves("A01", "M1", "0508", unit="2111")
    lodging = {"M2": "3111", "M3": "3222"}
    _, last = [ward.moves("A02", name, "0608", PV1_3=f"{lodging[name]}^1^A", ZBE_7=uf("3110"), ZBE_9="MH") for name in order]
    assert last.stay.place.uf_lodging == "3222"
    assert ward.cancels("A12", "M3", "0608", of="A02", unit="2111").stay.place.uf_lodging == "3111", "the other one stands"


def test_zbe_rule_06_a_z99_that_says_cancel_cancels_nothing() -> None:
    ward = Ward()
    ward.moves("A01", "M1", "0508")
    ward.moves("A03", "M2", "0910", ZFM_2="8")
    corrected = ward.moves("Z99", "M2", "0909", action="CANCEL", of="A03")
    assert "hl7.zbe-action-contradicts-event" in corrected.rules
    assert (corrected.stay.status, corrected.stay.discharged_at) == ("discharged", hour("0909"))


def test_zbe_rule_06_a_z99_that_inserts_is_said() -> None:
    ward = Ward()
    ward.moves("A01", "M1", "0508", unit="2111")
    moved = ward.moves("Z99", "M2", "0608", action="INSERT", of="A02", unit="3111")
    assert {"hl7.zbe-action-contradicts-event", "care.update-of-unknown-movement"} <= set(moved.rules)
    assert moved.verdict is Verdict.ACCEPTED_WITH_FINDINGS
    assert moved.stay.place.uf_lodging == "3111", "its insertion was lost: it is better known late than never"


def test_zbe_rule_06_a_z99_corrects_a_movement_that_is_not_the_last() -> None:
    ward = Ward()
    ward.moves("A01", "M1", "0508", unit="2111")
    ward.moves("A02", "M2", "0608", unit="3111")
    corrected = ward.corrects("M1", "0507", of="A01", unit="2222", ZBE_5="Y")
    assert (corrected.events, corrected.told[0].historic) == (["stay.updated"], True)
    assert (corrected.stay.admitted_at, corrected.stay.place.uf_lodging) == (hour("0507"), "3111")


def test_zbe_rule_07_a_cancel_returns_to_the_situation_before_it() -> None:
    ward = Ward()
    ward.moves("A01", "M1", "0508", unit="2111")
    moved = ward.moves("A02", "M2", "0608", unit="3111")
    back = ward.cancels("A12", "M2", "0608", of="A02", unit="2111")
    assert (back.events, back.told[0].undoes) == (["stay.updated"], moved.told[0].id)
    assert units(back) == ("2111", "2111", "2111")


def test_zbe_rule_07_a_cancel_tells_where_the_patient_is_when_nothing_before_it_is_known() -> None:
    ward = Ward()
    ward.moves("A02", "M2", "0608", unit="3111")
    back = ward.cancels("A12", "M2", "0608", of="A02", unit="2111")
    assert (back.stay.status, units(back)) == ("present", ("2111", "2111", "2111"))


def test_zbe_rule_07_a_cancel_that_bears_its_own_date_is_still_of_its_movement() -> None:
    ward = Ward()
    ward.moves("A01", "M1", "0508")
    ward.moves("A03", "M2", "0910")
    back = ward.cancels("A13", "M2", "1012", of="A03")
    assert (back.stay.status, back.stay.discharged_at, back.rules) == ("present", None, [])


def test_zbe_rule_08_a_class_is_changed_back_by_cancelling_the_later_movements_first() -> None:
    ward = Ward()
    ward.moves("A04", "M1", "0508", unit="1000", **EMERGENCY)
    ward.moves("A06", "M2", "0512", unit="2111")
    ward.moves("A02", "M3", "0608", unit="3111")
    ward.cancels("A12", "M3", "0608", of="A02", unit="2111")
    back = ward.cancels("A07", "M2", "0512", of="A06", unit="1000", **EMERGENCY)
    assert (back.stay.patient_class, units(back)) == ("E", ("1000", "1000", "1000"))


def test_zbe_rule_08_a_class_changed_back_under_a_later_movement_leaves_what_that_movement_says() -> None:
    """The rule forbids it. The later movement was told of an inpatient, and still stands."""
    ward = Ward()
    ward.moves("A04", "M1", "0508", unit="1000", **EMERGENCY)
    changed = ward.moves("A06", "M2", "0512", unit="2111")
    ward.moves("A02", "M3", "0608", unit="3111")
    back = ward.cancels("A07", "M2", "0512", of="A06", unit="1000", ZBE_5="Y", **EMERGENCY)
    assert (back.events, back.told[0].undoes) == (["stay.updated"], changed.told[0].id)
    assert (back.stay.patient_class, back.stay.place.uf_lodging) == ("I", "3111")
    last = ward.cancels("A12", "M3", "0608", of="A02", unit="1000", **EMERGENCY)
    assert (last.stay.patient_class, last.stay.place.uf_lodging) == ("E", "1000"), "both are gone, in either order"


# 9 to 12: the timeline ------------------------------------------------------------------------------------------------------------


def test_zbe_rule_09_a_historic_insert_takes_its_place_in_the_past() -> None:
    ward = Ward()
    ward.moves("A01", "M1", "0508", unit="2111")
    ward.moves("A02", "M2", "0810", unit="3111")
    forgotten = ward.moves("A02", "M3", "0609", unit="4111", ZBE_5="Y")
    assert (forgotten.events, forgotten.told[0].historic, forgotten.told[0].time) == (["stay.transferred"], True, hour("0609"))
    assert forgotten.stay.place.uf_lodging == "3111", "the patient still lies where they lie"
    assert ward.cancels("A12", "M2", "0810", of="A02", unit="4111").stay.place.uf_lodging == "4111"


def test_zbe_rule_09_the_past_is_told_by_zbe_2_even_where_zbe_5_does_not_say_it() -> None:
    ward = Ward()
    ward.moves("A01", "M1", "0508", unit="2111")
    ward.moves("A02", "M2", "0810", unit="3111")
    forgotten = ward.moves("A02", "M3", "0609", unit="4111", ZBE_5="N")
    assert (forgotten.told[0].historic, forgotten.stay.place.uf_lodging) == (True, "3111")


def test_zbe_rule_09_a_corrected_time_moves_a_movement_to_its_new_place() -> None:
    ward = Ward()
    ward.moves("A01", "M1", "0508", unit="2111")
    ward.moves("A02", "M2", "0609", unit="3111")
    ward.moves("A02", "M3", "0810", unit="4111")
    assert ward.corrects("M2", "0909", of="A02", unit="3111").stay.place.uf_lodging == "3111"


def test_zbe_rule_10_a_permission_is_cancelled_from_its_end_backwards_under_later_movements() -> None:
    ward = Ward()
    ward.moves("A01", "M1", "0508", unit="2111")
    left = ward.moves("A21", "M2", "0610", unit="2111", PV2_47=when("0718"))
    came_back = ward.moves("A22", "M3", "0718", unit="2111")
    assert (left.events, left.stay.on_leave_since) == (["stay.leave-started"], hour("0610"))
    assert (came_back.events, came_back.stay.on_leave_since) == (["stay.leave-ended"], None)
    ward.moves("A02", "M4", "0808", unit="3111")
    away = ward.cancels("A53", "M3", "0718", of="A22", unit="2111", ZBE_5="Y")
    assert (away.told[0].undoes, away.told[0].historic) == (came_back.told[0].id, True)
    assert away.stay.on_leave_since == hour("0610"), "between the two cancels they are away"
    back = ward.cancels("A52", "M2", "0610", of="A21", unit="2111", ZBE_5="Y")
    assert (back.told[0].undoes, back.stay.on_leave_since) == (left.told[0].id, None)
    assert back.stay.place.uf_lodging == "3111"


@pytest.mark.parametrize("planned", [{"EVN_3": when("0911")}, {"PV2_9": when("0911")}])
def test_zbe_rule_11_a_planned_discharge_is_a_movement_before_the_discharge(planned: dict[str, str]) -> None:
    ward = Ward()
    ward.moves("A01", "M1", "0508")
    alert = ward.moves("A16", "M2", "0809", **planned)
    assert (alert.events, alert.told[0].time) == (["stay.discharge-planned"], hour("0809"))
    assert (alert.stay.status, alert.stay.expected_discharge_at) == ("present", hour("0911"))
    assert ward.moves("A03", "M3", "0915").stay.status == "discharged"


def test_zbe_rule_11_a_discharge_planned_after_the_discharge_changes_nothing_and_is_said() -> None:
    ward = Ward()
    ward.moves("A01", "M1", "0508")
    ward.moves("A03", "M2", "0910")
    late = ward.moves("A16", "M3", "0912", PV2_9=when("1010"))
    assert (late.events, late.rules) == ([], ["care.movement-after-discharge"])


def test_zbe_rule_12_a_bed_given_with_the_admission_corrects_it_and_a_later_one_is_a_movement() -> None:
    ward = Ward()
    admitted = ward.moves("A01", "M1", "0508", PV1_3="2111")
    same_time = ward.corrects("M1", "0508", of="A01", PV1_3="2111^12^B", ZBE_9="L")
    assert (same_time.events, same_time.told[0].undoes) == (["stay.updated"], admitted.told[-1].id)
    later = ward.moves("A02", "M2", "0514", PV1_3="2111^14^A", ZBE_7="", ZBE_8="", ZBE_9="L")
    assert (later.events, later.told[0].undoes) == (["stay.transferred"], "")
    assert units(later) == units(same_time) == units(admitted), "a bed is no responsibility"
    assert (later.movement.place.room, later.movement.place.bed, later.rules) == ("14", "A", [])


# 13 to 17: numbers, last venues and sessions --------------------------------------------------------------------------------------


def test_zbe_rule_13_a_visit_number_reused_for_another_patient_is_kept_for_a_person() -> None:
    ward = Ward()
    ward.moves("A01", "M1", "0508")
    ward.cancels("A11", "M1", "0508", of="A01")
    reused = ward.moves("A01", "M2", "0608", PID_3="2002^^^CH&400011177&M^PI", PID_5="AUTRE^PAUL^PAUL^^^^L")
    assert (reused.verdict, reused.code, reused.events) == (Verdict.QUARANTINED, "AA", [])
    assert reused.rules[-1] == "hub.visit-of-another-patient"


def test_zbe_rule_13_a_visit_number_reused_for_the_same_patient_begins_the_stay_again() -> None:
    ward = Ward()
    first = ward.moves("A01", "M1", "0508")
    assert ward.cancels("A11", "M1", "0508", of="A01").events == ["stay.cancelled"]
    again = ward.moves("A01", "M2", "0608", unit="3111")
    assert (again.events, again.stay.id) == (["stay.admitted"], first.stay.id)
    assert (again.stay.status, again.stay.admitted_at, again.stay.place.uf_lodging) == ("present", hour("0608"), "3111")


def test_zbe_rule_13_a_dossier_goes_on_after_the_annulment_of_one_of_its_venues() -> None:
    ward = Ward()
    ward.moves("A01", "M1", "0508")
    ward.cancels("A11", "M1", "0508", of="A01", PV1_51="V")
    next_venue = ward.moves("A01", "M2", "0608", **visit("V89"))
    assert (next_venue.events, next_venue.stay.status, next_venue.rules) == (["stay.admitted"], "present", [])
    assert next_venue.stay.episode is not None and next_venue.stay.episode.value == "D77"


def test_zbe_rule_14_an_annulled_admission_goes_back_to_its_preadmission() -> None:
    ward = Ward()
    expected = {"PV1_5": "P9^^^CH&400011177&M^VN"}
    awaited = ward.moves("A05", "M1", "0208", PV2_8=when("0508"), **expected)
    assert (awaited.events[-1], awaited.stay.status) == ("stay.preadmitted", "preadmitted")
    assert ward.moves("A01", "M2", "0508", **expected).stay.status == "present"
    annulled = ward.cancels("A11", "M2", "0508", of="A01", **expected)
    assert (annulled.events, annulled.stay.status, annulled.stay.admitted_at) == (["stay.updated"], "preadmitted", None)
    assert annulled.stay.expected_admission_at == hour("0508")
    assert ward.cancels("A38", "M1", "0208", of="A05", **expected).events == ["stay.cancelled"]


def test_zbe_rule_14_the_preadmission_is_found_by_the_visit_where_pv1_5_is_not_repeated() -> None:
    ward = Ward()
    ward.moves("A05", "M1", "0208", PV1_5="P9^^^CH&400011177&M^VN")
    ward.moves("A01", "M2", "0508")
    assert ward.cancels("A11", "M2", "0508", of="A01").stay.status == "preadmitted"


def closes_episode(*heard: Heard) -> bool:
    """Whether the stay of these movements is the last venue of its dossier; no event tells it."""
    return folded(*(one.movement for one in heard)).closes_episode


def test_zbe_rule_15_a_discharge_says_whether_it_is_the_last_venue() -> None:
    ward = Ward()
    admitted = ward.moves("A01", "M1", "0508")
    last, not_last = (ward.moves("A03", "M2", "0910", PV1_41=said) for said in ("D", "N"))
    assert closes_episode(admitted, last)
    assert not closes_episode(admitted, not_last)
    assert closes_episode(admitted, not_last, ward.corrects("M2", "0910", of="A03", PV1_41="D"))
    assert not closes_episode(admitted, last, ward.cancels("A13", "M2", "0910", of="A03"))


def test_zbe_rule_15_a_last_venue_announced_before_the_discharge_is_not_believed() -> None:
    ward = Ward()
    admitted = ward.moves("A01", "M1", "0508", PV1_41="D")
    moved = ward.moves("A02", "M2", "0608", PV1_41="D")
    assert not closes_episode(admitted, moved)
    assert not closes_episode(admitted, moved, ward.moves("A03", "M3", "0910"))


def test_zbe_rule_16_each_session_is_a_stay_of_one_dossier() -> None:
    ward = Ward()
    stays = set[str]()
    for number, day in enumerate(("05", "07", "09")):
        venue = SESSION | visit(f"S{number}")
        came = ward.moves("A01", f"M{number}A", f"{day}08", **venue)
        left = ward.moves("A03", f"M{number}D", f"{day}12", **venue)
        assert (came.events[-1:], left.events) == (["stay.admitted"], ["stay.discharged"])
        assert (left.stay.patient_class, left.stay.episode) == ("R", came.stay.episode)
        stays.add(left.stay.id)
    assert len(stays) == 3
    annulled = ward.cancels("A11", "M1A", "0708", of="A01", **SESSION, **visit("S1"))
    assert (annulled.events, annulled.stay.visit.value) == (["stay.cancelled"], "S1")
    again = ward.corrects("M0D", "0513", of="A03", **SESSION, **visit("S0"))
    assert again.stay.status == "discharged", "the sessions before and after stand"


def test_zbe_rule_16_sessions_under_one_number_are_one_stay_that_begins_again() -> None:
    """The rule asks for a venue each. What counts is that the patient is here when they are, and gone when they are gone."""
    ward = Ward()
    told = [
        ward.moves(event, f"M{number}", at, **SESSION)
        for number, (event, at) in enumerate([("A01", "0508"), ("A03", "0512"), ("A01", "0708"), ("A03", "0712")])
    ]
    assert [one.events[-1] for one in told] == ["stay.admitted", "stay.discharged"] * 2
    assert [one.stay.status for one in told] == ["present", "discharged"] * 2
    assert len({one.stay.id for one in told}) == 1
    assert (told[-1].stay.admitted_at, told[-1].stay.discharged_at) == (hour("0708"), hour("0712"))


def test_zbe_rule_17_a_forgotten_session_without_a_venue_of_its_own_is_inserted_in_the_past() -> None:
    ward = Ward()
    numbers = SESSION | {"PV1_19": ""}
    for number, (event, at) in enumerate([("A01", "0508"), ("A03", "0512"), ("A01", "0908"), ("A03", "0912")]):
        assert ward.moves(event, f"M{number}", at, **numbers).rules == ["hl7.visit-number-missing"]
    came = ward.moves("A01", "M8", "0708", ZBE_5="Y", **numbers)
    left = ward.moves("A03", "M9", "0712", ZBE_5="Y", **numbers)
    assert (came.events, left.events) == (["stay.admitted"], ["stay.discharged"])
    assert came.told[0].historic and left.told[0].historic
    assert (left.stay.admitted_at, left.stay.discharged_at) == (hour("0908"), hour("0912")), "the last session is the situation"
