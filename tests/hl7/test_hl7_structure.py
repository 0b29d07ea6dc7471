"""The structure of a message by HL7's own tables, told without any value."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liaison.finding import Severity
from liaison.hl7.errors import NotHl7
from liaison.hl7.message import Message
from liaison.hl7.structure import MAX_SEGMENTS, structure_findings
from tests.hub.er7 import ADMISSION, adt, letter_message


def told(raw: bytes) -> set[tuple[str, str]]:
    """Rules and places, without those about tables of codes, which the French ones are not in."""
    return {(one.rule, one.where) for one in structure_findings(Message.parse(raw)) if one.rule != "hl7.structure-table"}


@pytest.mark.parametrize("raw", [ADMISSION, letter_message(), letter_message(replaces=True)])
def test_a_conformant_message_has_no_fault_of_structure_though_it_has_french_segments(raw: bytes) -> None:
    assert told(raw) == set()


@pytest.mark.parametrize(
    ("raw", "rule", "where"),
    [
        (ADMISSION.replace(b"EVN|", b"ZZZ|"), "hl7.structure-missing", "EVN"),
        (ADMISSION.replace(b"PV1|", b"PV1|1|I\rPV1|"), "hl7.structure-repeated", "PV1"),
        (adt(PID_5=""), "hl7.structure-missing", "PID-5"),
        (adt(PV1_2=""), "hl7.structure-missing", "PV1-2"),
        (adt(PID_8="F~M"), "hl7.structure-repeated", "PID-8"),
        (adt(MSH_12="2.9"), "hl7.structure-not-checked", "MSH-9"),
        (ADMISSION + b"NTE|1||x\r" * MAX_SEGMENTS, "hl7.structure-too-long", "MSH"),
    ],
)
def test_each_departure_is_told_with_its_place(raw: bytes, rule: str, where: str) -> None:
    assert (rule, where) in told(raw)


def test_a_field_that_is_too_long_to_look_at_is_not_said_to_be_absent() -> None:
    many = "~".join(f"{number}^^^CH&400011177&M^PI" for number in range(90))
    assert ("hl7.structure-missing", "PID-3") not in told(adt(PID_3=many))


def test_a_french_code_is_only_said_not_to_be_in_hl7_s_table() -> None:
    (one,) = [one for one in structure_findings(Message.parse(ADMISSION)) if one.where == "PID-32"]
    assert (one.rule, one.severity) == ("hl7.structure-table", Severity.INFORMATION)


def test_a_place_is_a_segment_s_or_a_field_s_and_never_a_component_s_of_nowhere() -> None:
    for raw in (adt(PID_18="D77^^^CH&400011177&M^XX"), adt(PID_3="1001^^^CH&400011177&M^ZZ")):
        places = {one.where for one in structure_findings(Message.parse(raw))}
        assert "" in places and all(re.fullmatch(r"([A-Z][A-Z0-9]{2}(-\d+)?)?", place) for place in places), places


def test_no_value_is_told() -> None:
    raw = adt(PID_3="SECRETIPP^^^X^^^^^^^^^^^", PID_5="SECRETNOM^^^^^^Z", PID_8="SECRETSEXE", PV1_2="SECRET", PID_32="SECRET")
    assert "SECRET" not in repr([(one.where, one.message, one.remedy) for one in structure_findings(Message.parse(raw))])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(ADMISSION) - 1), st.binary(max_size=6)), min_size=1, max_size=6))
def test_no_content_makes_it_fail(changes: list[tuple[int, bytes]]) -> None:
    raw = bytearray(ADMISSION)
    for place, what in changes:
        raw[place : place + len(what)] = what
    try:
        message = Message.parse(bytes(raw))
    except NotHl7:
        return
    for finding in structure_findings(message):
        assert finding.rule.startswith("hl7.structure-")
