from __future__ import annotations

import pytest

from liaison.conformance.report import clause_in
from liaison.conformance.tally import place_of, shape_at
from liaison.finding import Severity
from liaison.hl7.message import Message
from tests.conformance.feeds import adt, examined, remark


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("PID-3[2].4", "PID-3"),
        ("OBX[3]-5", "OBX-5"),
        ("ZBE", "ZBE"),
        ("OBX (DESTDMP)", "OBX"),
        ("/ClinicalDocument/setId", "CDA"),
        ("segment 4", ""),
        ("fichier", ""),
    ],
)
def test_a_finding_is_told_under_its_field(where: str, place: str) -> None:
    assert place_of(where) == place


@pytest.mark.parametrize(
    ("where", "shape"),
    [
        ("PID-8", "PID-8 = A"),
        ("PID-3[2].1", "PID-3 = 999999999999999^^^AAAA-AAAAA-AAA-AAA&9.9.999.9.999.9.9.99&AAA^AAA"),
        ("PID-9", ""),
        ("PID[2]-5", ""),
        ("PID-3[7]", ""),
        ("ZBE", ""),
        ("MSH-2", "MSH-2 = ^~\\&"),
    ],
)
def test_an_example_shows_the_very_repetition_and_nothing_else(where: str, shape: str) -> None:
    assert shape_at(Message.parse(adt()), where) == shape


@pytest.mark.parametrize(
    ("message", "clause"),
    [
        ("PID-32 est absent alors qu’il est obligatoire : non qualifiée (PAM.fr §6.6.15).", "PAM.fr §6.6.15"),
        ("MSH-7 est absent ou n’est pas une date (HL7 v2.5 §2.15.9.7).", "HL7 v2.5 §2.15.9.7"),
        ("Aucun OBX de type ED ne porte de document (volet Transmission, OBX 1).", "volet Transmission, OBX 1"),
        ("Le document n’est pas du XML : il ne commence pas par une balise (ligne 1).", ""),
    ],
)
def test_the_clause_is_taken_out_of_the_message(message: str, clause: str) -> None:
    assert clause_in(message) == clause


def test_a_message_counts_once_for_a_rule_at_a_field() -> None:
    twice = adt(PID_5="A^B^^^^^X~C^D^^^^^Y~E^F^F^^^^L")
    line = remark(examined(twice), "hl7.name-type", "PID-5")
    assert line is not None and line.count == 1


def test_the_profile_does_not_repeat_what_a_reader_says() -> None:
    report = examined(adt(PID_32="", ZBE_3="20261121", PID_19="1"))
    told = [(line.rule, line.place) for line in report.remarks]
    assert {place for _, place in told} == {"PID-32", "ZBE-3", "PID-19", "PID-3"}
    assert not [rule for rule, _ in told if rule.startswith("hl7.field-")]


def test_a_shifted_segment_is_told_once_and_not_field_by_field() -> None:
    shifted = adt(ZBE_4="", ZBE_5="INSERT", ZBE_6="N")
    assert [line.rule for line in examined(shifted).remarks if line.place.startswith("ZBE")] == ["hl7.zbe-shifted"]


def test_the_worst_comes_first_then_the_commonest() -> None:
    report = examined(adt(PID_32="", PID_8="X"), adt(MSH_10="", PID_32=""), adt(MSH_10="C3", ZBE_1=""))
    severities = [line.severity for line in report.remarks]
    assert severities == sorted(severities, key=list(Severity).index, reverse=True)
    assert report.summary.level == "errors" and report.has_errors
    assert report.summary.first[0].rule == "hl7.control-id-missing"


def test_a_field_is_counted_as_due_valued_and_conformant() -> None:
    report = examined(adt(), adt(MSH_10="C2", PID_32=""), adt(MSH_10="C3", PID_32="RIEN"))
    (line,) = [line for line in report.fields if (line.kind, line.place) == ("ADT^A01", "PID-32")]
    assert (line.usage, line.due, line.valued, line.concerned, line.conformant) == ("R", 3, 2, 3, 1)


def test_a_type_that_is_none_is_not_repeated() -> None:
    assert [line.kind for line in examined(adt(MSH_9="ZORGLUBARD^A01")).kinds] == ["?^A01"]


def test_a_feed_without_fault_is_said_to_be_ready_whatever_it_never_says() -> None:
    report = examined(adt())
    assert report.remarks == ()
    assert (report.summary.level, report.clean, report.has_errors) == ("remarks", 1, False)
    assert report.summary.first[0].rule == "silence.treating-physician"


def test_what_a_broken_header_seems_to_say_is_not_repeated() -> None:
    report = examined(adt(MSH_4="CH\rZORGLUBARD", PID_32=""))
    assert report.senders == {}
    assert {one.control_id for line in report.remarks for one in line.examples} == {""}


@pytest.mark.parametrize(("missing", "rule"), [("PV1_3", "hl7.uf-lodging-missing"), ("ZBE_7", "hl7.uf-medical-missing")])
def test_a_field_that_is_due_and_absent_is_wrong_though_the_reader_only_remarks_it(missing: str, rule: str) -> None:
    place = missing.replace("_", "-")
    report = examined(adt(**{missing: ""}))
    line = remark(report, rule, place)
    assert line is not None and line.severity is Severity.INFORMATION
    (field,) = [one for one in report.fields if one.place == place]
    assert (field.due, field.valued, field.conformant) == (1, 0, 0)
