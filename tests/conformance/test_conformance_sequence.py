from __future__ import annotations

import pytest

from liaison.conformance.examine import examine
from liaison.conformance.report import RemarkLine
from liaison.finding import Severity
from tests.conformance.feeds import HOSPITAL, NOW, adt, examined, in_memory, moved, remark


def found(*messages: bytes) -> dict[str, int]:
    return {line.rule.removeprefix("sequence."): line.count for line in examined(*messages).sequence}


def one(rule: str, *messages: bytes) -> RemarkLine:
    line = remark(examined(*messages), f"sequence.{rule}")
    assert line is not None
    return line


ADMISSION, TRANSFER, DISCHARGE = moved("A01", 1, 8), moved("A02", 2, 10), moved("A03", 3, 16)


def test_a_whole_stay_has_nothing_to_say() -> None:
    assert found(ADMISSION, TRANSFER, DISCHARGE) == {}


def test_a_stay_still_open_is_only_information() -> None:
    assert found(ADMISSION, TRANSFER) == {"never-closed": 1}
    assert one("never-closed", ADMISSION).severity is Severity.INFORMATION


def test_a_discharge_without_admission_is_told_with_its_message() -> None:
    line = one("discharge-without-admission", DISCHARGE)
    assert (line.count, line.examples[0].control_id, line.examples[0].position) == (1, "C3", 1)


def test_a_movement_without_admission_is_told_once_a_stay() -> None:
    assert found(TRANSFER, moved("A02", 4, 11), DISCHARGE) == {"movement-without-admission": 1}


def test_a_stay_that_pv1_44_says_began_before_the_export_is_not_judged() -> None:
    earlier = moved("A02", 2, 10, PV1_44="20261115120000")
    assert found(earlier, DISCHARGE) == {"begun-before": 1}
    within = moved("A02", 2, 10, PV1_44="20261120093000")
    assert found(moved("A01", 9, 8, visit="V9", ipp="9"), within, DISCHARGE) == {"movement-without-admission": 1, "never-closed": 1}


def test_a_preadmission_then_a_change_of_class_admits() -> None:
    assert found(moved("A05", 1, 8), moved("A06", 2, 9), DISCHARGE) == {}


def test_a_cancelled_admission_leaves_no_stay() -> None:
    assert found(ADMISSION, moved("A11", 2, 9, movement="M1", ZBE_4="CANCEL", ZBE_6="A01")) == {}


def test_a_movement_id_of_another_venue_is_an_error() -> None:
    line = one("movement-reused", ADMISSION, moved("A01", 2, 9, visit="V2", ipp="2", movement="M1"))
    assert (line.severity, line.count) == (Severity.ERROR, 1)


def test_the_same_id_under_another_authority_is_another_movement() -> None:
    other = moved("A01", 2, 9, visit="V2", ipp="2", ZBE_1="M1^LABO^1.2.250.1.999.7^ISO")
    assert found(ADMISSION, other) == {"never-closed": 2}


def test_several_messages_of_one_venue_may_share_a_movement() -> None:
    assert found(ADMISSION, moved("A02", 2, 10, movement="M1"), DISCHARGE) == {}


def test_a_visit_number_of_two_patients_is_an_error() -> None:
    line = one("visit-of-two-patients", ADMISSION, moved("A02", 2, 10, ipp="55"), DISCHARGE)
    assert line.severity is Severity.ERROR


def test_a_merge_explains_two_patients_of_one_visit() -> None:
    merge = adt(
        "A40",
        f"MRG|8004277^^^{HOSPITAL}^PI",
        MSH_10="C9",
        EVN_2="20261120090000",
        PID_3=f"55^^^{HOSPITAL}^PI",
        without=["PV1", "ZBE"],
    )
    assert found(ADMISSION, merge, moved("A03", 3, 16, ipp="55")) == {}


def test_a_reattribution_explains_two_patients_of_one_visit() -> None:
    given = moved("A44", 2, 9, ipp="55", ZBE_4="")
    assert "visit-of-two-patients" not in found(ADMISSION, given, moved("A03", 3, 16, ipp="55"))


@pytest.mark.parametrize(("event", "action"), [("A12", "CANCEL"), ("Z99", "UPDATE"), ("A13", "CANCEL")])
def test_a_cancel_or_correction_of_an_unknown_movement_is_told(event: str, action: str) -> None:
    odd = moved(event, 5, 12, movement="M77", ZBE_4=action, ZBE_6="A02")
    assert found(ADMISSION, odd)["movement-unknown"] == 1


def test_a_correction_that_comes_before_its_movement_is_told_apart() -> None:
    early = moved("Z99", 5, 9, movement="M2", ZBE_4="UPDATE", ZBE_6="A02")
    assert found(ADMISSION, early, TRANSFER, DISCHARGE) == {"movement-late": 1}


def test_a_correction_of_a_movement_before_the_export_is_not_judged() -> None:
    old = moved("Z99", 5, 12, movement="M77", ZBE_4="UPDATE", ZBE_6="A01", ZBE_2="20261101080000")
    assert found(ADMISSION, old) == {"begun-before": 1, "never-closed": 1}


def test_a_correction_of_a_known_movement_is_well() -> None:
    assert found(ADMISSION, moved("Z99", 2, 9, movement="M1", ZBE_4="UPDATE", ZBE_6="A01"), DISCHARGE) == {}


def test_a_movement_after_the_discharge_is_told() -> None:
    assert found(ADMISSION, DISCHARGE, moved("A02", 4, 18)) == {"movement-after-discharge": 1}


def test_a_cancelled_discharge_lets_the_patient_move() -> None:
    back = moved("A13", 4, 17, movement="M3", ZBE_4="CANCEL", ZBE_6="A03")
    assert found(ADMISSION, DISCHARGE, back, moved("A02", 5, 18)) == {"never-closed": 1}


def test_an_admission_of_a_venue_that_is_open_is_told() -> None:
    assert found(ADMISSION, moved("A01", 2, 9), DISCHARGE) == {"admitted-twice": 1}


def test_a_control_id_with_other_content_is_told() -> None:
    assert found(ADMISSION, moved("A02", 2, 10, MSH_10="C1"), DISCHARGE) == {"control-id-reused": 1}


def test_the_same_message_again_is_only_information() -> None:
    again = ADMISSION.replace(b"|20261120080000||ADT", b"|20261120080500||ADT")
    assert again != ADMISSION
    assert found(ADMISSION, again, DISCHARGE) == {"repeated": 1}


def test_messages_that_go_back_in_time_within_a_file_are_told() -> None:
    assert found(TRANSFER, ADMISSION, DISCHARGE) == {"back-in-time": 1}


def test_files_in_any_order_are_followed_by_their_times() -> None:
    report = examine(in_memory(a=DISCHARGE, b=TRANSFER, c=ADMISSION), now=NOW, workers=1)
    assert report.sequence == ()
