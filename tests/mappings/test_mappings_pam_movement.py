"""ZBE, PV1, PV2 and ZFM to one movement, by the rules of PAM.fr and the habits of feeds."""

from __future__ import annotations

from datetime import datetime

import pytest

from liaison.care.facts import MovementAction
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.hl7.triggers import TRIGGERS, Deed
from liaison.mappings.interpretation import Understanding
from tests.mappings.pam import FINESS, PARIS, movement, read, rules


@pytest.mark.parametrize(
    ("event", "zbe4", "zbe6", "action", "original"),
    [
        ("A02", "INSERT", "", MovementAction.INSERT, "A02"),
        ("A03", "INSERT", "", MovementAction.INSERT, "A03"),
        ("A04", "INSERT", "", MovementAction.INSERT, "A04"),
        ("A05", "INSERT", "", MovementAction.INSERT, "A05"),
        ("A06", "INSERT", "", MovementAction.INSERT, "A06"),
        ("A07", "INSERT", "", MovementAction.INSERT, "A07"),
        ("A06", "CANCEL", "A07", MovementAction.CANCEL, "A07"),
        ("A07", "CANCEL", "A06", MovementAction.CANCEL, "A06"),
        ("A11", "CANCEL", "A01", MovementAction.CANCEL, "A01"),
        ("A12", "CANCEL", "A02", MovementAction.CANCEL, "A02"),
        ("A13", "CANCEL", "A03", MovementAction.CANCEL, "A03"),
        ("A38", "CANCEL", "A05", MovementAction.CANCEL, "A05"),
        ("Z99", "UPDATE", "A02", MovementAction.UPDATE, "A02"),
    ],
)
def test_zbe_4_says_what_is_done_and_zbe_6_to_what(event: str, zbe4: str, zbe6: str, action: MovementAction, original: str) -> None:
    read_back = read(event, ZBE_4=zbe4, ZBE_6=zbe6)
    moved = movement(read_back)
    assert (moved.action, moved.trigger, moved.original_trigger) == (action, event, original)
    assert rules(read_back) == []


@pytest.mark.parametrize(
    ("event", "action", "original"),
    [
        ("A01", MovementAction.INSERT, "A01"),
        ("A03", MovementAction.INSERT, "A03"),
        ("A06", MovementAction.INSERT, "A06"),
        ("A11", MovementAction.CANCEL, "A01"),
        ("A12", MovementAction.CANCEL, "A02"),
        ("A13", MovementAction.CANCEL, "A03"),
        ("A38", MovementAction.CANCEL, "A05"),
    ],
)
def test_a_feed_without_zbe_still_moves_patients_by_its_events(event: str, action: MovementAction, original: str) -> None:
    read_back = read(event, ZBE_0="")
    moved = movement(read_back)
    assert (moved.action, moved.original_trigger, moved.movement) == (action, original, ())
    assert moved.at == datetime(2026, 1, 5, 8, 3, tzinfo=PARIS)  # EVN-6
    assert rules(read_back) == ["hl7.zbe-missing"]


def test_a_correction_without_zbe_corrects_nothing() -> None:
    read_back = read("Z99", ZBE_0="")
    assert read_back.understanding is Understanding.NOT_UNDERSTOOD
    assert rules(read_back) == ["hl7.zbe-missing-in-z99"]


def test_trap_1_a_shifted_zbe_is_quarantined() -> None:
    read_back = read("A03", ZBE_3="20260109", ZBE_4="", ZBE_5="INSERT", ZBE_6="N")
    assert read_back.understanding is Understanding.NOT_UNDERSTOOD
    assert read_back.facts == ()
    assert rules(read_back) == ["hl7.zbe-shifted"]


def test_trap_3_an_update_by_an_insertion_is_a_correction_of_it() -> None:
    read_back = read("A02", ZBE_4="UPDATE")
    assert (movement(read_back).action, movement(read_back).original_trigger) == (MovementAction.UPDATE, "A02")
    assert rules(read_back) == ["hl7.zbe-update-by-insertion"]


@pytest.mark.parametrize("event", ["A11", "A13", "Z99"])
def test_trap_4_a_missing_original_event_is_left_to_the_movement_identifier(event: str) -> None:
    read_back = read(event, ZBE_4=TRIGGERS[event].deed or "", ZBE_6="")
    assert movement(read_back).original_trigger == ""
    assert movement(read_back).movement
    assert rules(read_back) == ["hl7.zbe-original-event-missing"]


def test_an_insertion_that_says_cancel_is_left_to_a_person() -> None:
    read_back = read("A01", ZBE_4="CANCEL", ZBE_6="A01")
    assert read_back.understanding is Understanding.NOT_UNDERSTOOD
    assert rules(read_back) == ["hl7.zbe-cancel-by-insertion"]


@pytest.mark.parametrize(
    ("event", "said", "action"), [("A11", "INSERT", "CANCEL"), ("Z99", "INSERT", "UPDATE"), ("Z99", "CANCEL", "UPDATE")]
)
def test_an_event_that_can_do_one_thing_only_does_it_whatever_zbe_4_says(event: str, said: str, action: str) -> None:
    read_back = read(event, ZBE_4=said, ZBE_6="A01")
    assert movement(read_back).action.value == action
    assert rules(read_back) == ["hl7.zbe-action-contradicts-event"]


@pytest.mark.parametrize(
    ("changes", "medical", "expected"),
    [
        ({"ZBE_7": ""}, "2110", ["hl7.uf-medical-missing"]),
        ({"ZBE_7": "", "ZBE_8": ""}, "2111", ["hl7.uf-medical-missing"]),
        ({"ZBE_7": "2110"}, "2110", ["hl7.uf-component"]),
        ({"ZBE_7": "", "ZBE_9": "L"}, "", []),
    ],
)
def test_trap_6_the_medical_unit_is_looked_for_where_feeds_put_it(
    changes: dict[str, str], medical: str, expected: list[str]
) -> None:
    read_back = read("A02", **changes)
    assert movement(read_back).place.uf_medical == medical
    assert rules(read_back) == expected


@pytest.mark.parametrize(
    ("event", "changes", "said"),
    [
        ("A02", {}, True),
        ("A13", {}, True),
        ("A02", {"PV1_3": "^12^B"}, True),
        ("Z99", {"ZBE_9": "H"}, True),
        ("Z99", {"ZBE_9": "M"}, False),
        ("A54", {}, False),
    ],
)
def test_a_movement_that_must_name_its_lodging_and_does_not_is_said(event: str, changes: dict[str, str], said: bool) -> None:
    deed = TRIGGERS[event].deed or ""
    read_back = read(event, **{"PV1_3": "", "ZBE_4": deed, "ZBE_6": "A02" if deed != "INSERT" else ""} | changes)
    assert ("hl7.uf-lodging-missing" in rules(read_back)) is said


def test_trap_7_movements_that_two_systems_manage_have_two_identifiers() -> None:
    ids = movement(read("A02", ZBE_1="42^HMLyo~43^^^AGFA&1.2.3.4&ISO")).movement
    assert [(item.authority, item.value) for item in ids] == [("local:ch-mont-de-marsan/HMLyo", "42"), ("oid:1.2.3.4", "43")]


@pytest.mark.parametrize(
    ("changes", "visit", "expected"),
    [
        ({"PV1_19": ""}, "D77", ["hl7.visit-number-missing"]),
        (
            {"PV1_19": "", "PID_18": "", "PV1_5": "P9^^^CH&400011177&M^VN"},
            "P9",
            ["hl7.visit-from-preadmission", "hl7.episode-missing"],
        ),
    ],
)
def test_another_number_stands_for_the_visit(changes: dict[str, str], visit: str, expected: list[str]) -> None:
    read_back = read("A05", **changes)
    assert movement(read_back).visit == Identifier(kind=IdentifierKind.VISIT, authority=FINESS, value=visit)
    assert rules(read_back) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ZBE_2": ""}, datetime(2026, 1, 5, 8, 3, tzinfo=PARIS)),
        ({"ZBE_2": "", "EVN_6": ""}, datetime(2026, 1, 5, 8, 4, tzinfo=PARIS)),
        ({"ZBE_2": "", "EVN_6": "", "EVN_2": ""}, datetime(2026, 1, 5, 8, 5, tzinfo=PARIS)),
    ],
)
def test_a_movement_without_time_takes_the_next_best(changes: dict[str, str], expected: datetime) -> None:
    read_back = read("A01", **changes)
    assert movement(read_back).at == expected
    assert "hl7.zbe-time-missing" in rules(read_back)


def test_a_discharge_says_how_and_where_to() -> None:
    moved = movement(read("A03", PV1_36="3", PV1_37="400000022", PV1_41="D", PV1_45="20260109110000", ZFM_2="7", ZFM_4="2"))
    assert (moved.discharge_mode, moved.discharge_destination, moved.discharge_finess) == ("7", "2", "400000022")
    assert moved.closes_episode
    assert moved.discharged_at == datetime(2026, 1, 9, 11, tzinfo=PARIS)


@pytest.mark.parametrize(("pv1_36", "expected"), [("4", "4"), ("F", "4"), ("6", ""), ("3", "")])
def test_the_two_tables_of_ways_out_are_not_mixed(pv1_36: str, expected: str) -> None:
    assert movement(read("A03", PV1_36=pv1_36)).discharge_mode == expected


def test_a_way_out_on_an_admission_is_no_discharge() -> None:
    assert movement(read("A01", PV1_36="4", ZFM_2="9")).discharge_mode == ""


def test_the_annulment_of_the_visit_alone_is_told_from_that_of_the_episode() -> None:
    assert movement(read("A11", ZBE_4="CANCEL", ZBE_6="A01", PV1_51="V")).cancels_visit_only
    assert not movement(read("A11", ZBE_4="CANCEL", ZBE_6="A01", PV1_51="A")).cancels_visit_only


@pytest.mark.parametrize(
    ("event", "field", "attribute"),
    [
        ("A05", "PV2_8", "expected_admission_at"),
        ("A14", "EVN_3", "expected_admission_at"),
        ("A16", "PV2_9", "expected_discharge_at"),
        ("A16", "EVN_3", "expected_discharge_at"),
        ("A21", "PV2_47", "expected_return_at"),
    ],
)
def test_what_is_planned_is_read_where_the_event_says_it(event: str, field: str, attribute: str) -> None:
    assert getattr(movement(read(event, **{field: "20260109120000"})), attribute) == datetime(2026, 1, 9, 12, tzinfo=PARIS)


def test_the_planned_time_of_another_event_is_not_that_of_a_discharge() -> None:
    assert movement(read("A02", EVN_3="20260109120000")).expected_discharge_at is None


@pytest.mark.parametrize(("event", "nature"), [("Z80", "M"), ("Z84", "S"), ("Z88", "D")])
def test_a_withdrawn_event_is_read_as_the_transfer_that_took_its_place_and_said(event: str, nature: str) -> None:
    read_back = read(event, ZBE_9="")
    assert (movement(read_back).action, movement(read_back).nature) == (MovementAction.INSERT, nature)
    assert "hl7.event-withdrawn" in rules(read_back)


def test_a_withdrawn_change_of_care_names_no_medical_unit_that_it_does_not_change() -> None:
    assert movement(read("Z84", ZBE_7="", ZBE_9="")).place.uf_medical == ""
    assert movement(read("Z80", ZBE_7="", ZBE_9="")).place.uf_medical == "2110"


@pytest.mark.parametrize("code", sorted(code for code, trigger in TRIGGERS.items() if trigger.deed is Deed.CANCEL))
def test_every_cancel_names_what_it_cancels(code: str) -> None:
    cancelled = TRIGGERS[code].cancels[0]
    fact = movement(read(code, ZBE_4="CANCEL", ZBE_6=cancelled))
    assert (fact.action, fact.original_trigger) == (MovementAction.CANCEL, cancelled)
