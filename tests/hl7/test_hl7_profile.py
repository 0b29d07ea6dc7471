from __future__ import annotations

import pytest

from liaison.finding import Severity
from liaison.hl7.message import Message
from liaison.hl7.profile import PROFILES, Applied, Usage, When, apply_profile
from liaison.hl7.triggers import TRIGGERS
from tests.conformance.feeds import HOSPITAL, adt


def applied(raw: bytes) -> dict[str, Applied]:
    message = Message.parse(raw)
    found = apply_profile(message, message.header.value(9), message.header.value(9, 2))
    return {one.constraint.place: one for one in found}


def faults(raw: bytes) -> dict[str, str]:
    return {place: one.fault.rule for place, one in applied(raw).items() if one.fault is not None}


def test_a_conformant_admission_has_no_fault() -> None:
    assert faults(adt()) == {}


def test_every_constraint_stands_once_in_its_profile_and_names_its_clause() -> None:
    for profile in PROFILES.values():
        places = [constraint.place for rows in profile.values() for constraint in rows]
        assert len(places) == len(set(places))
        assert all(constraint.clause for rows in profile.values() for constraint in rows)


@pytest.mark.parametrize("field", [2, 4, 9, 10, 12, 17, 19, 20, 22, 28])
def test_a_field_that_france_forbids_in_pid_is_a_fault_when_it_is_valued(field: int) -> None:
    assert faults(adt(**{f"PID_{field}": "X"})) == {f"PID-{field}": "hl7.field-forbidden"}


@pytest.mark.parametrize("place", ["PV1-9", "PV1-40", "PV1-52", "ZBE-3", "PV2-3", "ZFA-4", "ZFV-3", "EVN-1"])
def test_other_forbidden_fields_are_faults_too(place: str) -> None:
    assert faults(adt(**{place.replace("-", "_"): "X"})) == {place: "hl7.field-forbidden"}


@pytest.mark.parametrize("place", ["PID-3", "PID-32", "EVN-2", "ZBE-1", "ZBE-4", "ZBE-9", "PV1-2", "MSH-10"])
def test_a_required_field_that_is_empty_is_a_fault(place: str) -> None:
    assert faults(adt(**{place.replace("-", "_"): ""}))[place] == "hl7.field-missing"


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (adt(PID_18=""), "PID-18"),
        (adt(PV1_19=""), "PV1-19"),
        (adt(PV1_3=""), "PV1-3"),
        (adt(PID_7=""), "PID-7"),
        (adt(ZBE_7=""), "ZBE-7"),
        (adt(ZBE_8=""), "ZBE-8"),
        (adt("Z99", ZBE_4="UPDATE"), "ZBE-6"),
        (adt("A04", PV1_2="O"), "PV2-7"),
        (adt("A40", without=["PV1", "ZBE"]), "MRG-1"),
        (adt(without=["ZBE"]), "ZBE"),
        (adt(without=["PV1"]), "PV1"),
    ],
)
def test_a_conditional_field_is_due_where_its_condition_holds(raw: bytes, place: str) -> None:
    assert faults(raw)[place] == "hl7.field-missing"
    assert applied(raw)[place].constraint.when is not When.ALWAYS


@pytest.mark.parametrize(
    "raw",
    [
        adt("A31", PID_18="", PV1_2="N", PV1_3="", PV1_19="", without=["ZBE"]),
        adt(ZBE_9="H", ZBE_7="", ZBE_8=""),
        adt(PID_3=f"1^^^{HOSPITAL}^PI", PID_7="", PID_8="", PID_11=""),
        adt("A04", PV1_2="E"),
    ],
)
def test_a_conditional_field_is_not_due_elsewhere(raw: bytes) -> None:
    assert faults(raw) == {}


def test_what_is_required_only_where_known_is_counted_and_never_a_fault() -> None:
    late = applied(adt(PV1_44=""))["PV1-44"]
    assert (late.constraint.usage, late.due, late.valued, late.fault) == (Usage.EXPECTED, True, False, None)


def test_forbidden_costs_nothing_and_missing_is_a_warning() -> None:
    forbidden, missing = applied(adt(PID_19="X"))["PID-19"].fault, applied(adt(PV1_3=""))["PV1-3"].fault
    assert forbidden is not None and forbidden.severity is Severity.INFORMATION
    assert missing is not None and missing.severity is Severity.WARNING
    assert "PAM.fr §5.1.1" in missing.message and "PV1-3" in missing.remedy


def test_a_fault_never_repeats_a_value() -> None:
    fault = applied(adt(PID_19="252114019200196"))["PID-19"].fault
    assert fault is not None and "252114019200196" not in fault.message + fault.remedy


def test_types_without_a_french_profile_are_left_alone() -> None:
    assert apply_profile(Message.parse(adt(MSH_9="SIU^S12")), "SIU", "S12") == ()


def test_every_movement_that_inserts_cancels_or_corrects_demands_a_zbe() -> None:
    for code, trigger in TRIGGERS.items():
        due = "ZBE" in faults(adt(code, without=["ZBE"]))
        assert due == (trigger.deed is not None), code
