from __future__ import annotations

import pytest

from liaison.finding import Finding
from liaison.hl7.datatypes import read_xcn
from liaison.hl7.message import Message
from liaison.hl7.professionals import Scheme, TreatingPhysician, read_referrers, read_treating_physician, scheme_of

AUTHORITY = "ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO"
GP = f"10001234567^MARTIN^Anne^^^^^^{AUTHORITY}^L^^^RPPS"


def read(*lines: str) -> tuple[TreatingPhysician | None, list[str]]:
    message = Message.parse("\r".join(["MSH|^~\\&|A", *lines]).encode())
    findings: list[Finding] = []
    return read_treating_physician(message, findings), [finding.rule for finding in findings]


def test_the_rol_right_after_the_patient_names_the_treating_physician() -> None:
    physician, rules = read("PID|1", "PD1|", f"ROL||UC|ODRP|{GP}", "PV1|1|I", "ROL||UC|AT|10009999999^AUTRE")
    assert physician is not None and physician.doctor.id == "10001234567"
    assert rules == []


def test_another_role_after_the_patient_is_no_treating_physician() -> None:
    assert read("PID|1", f"ROL||UC|FHCP|{GP}") == (None, ["hl7.role-not-treating-physician"])


def test_a_treating_physician_in_the_wrong_place_is_taken_and_said() -> None:
    physician, rules = read("PID|1", "PV1|1|I", f"ROL||UC|ODRP|{GP}")
    assert physician is not None
    assert rules == ["hl7.treating-physician-misplaced"]


def test_the_repetition_with_a_rpps_is_preferred() -> None:
    physician, rules = read("PID|1", f"ROL||UC|ODRP|LOC1^MARTIN^^^^^^^CH^D^^^EI~{GP}~991234567^^^^^^^^{AUTHORITY}^^^^ADELI")
    assert physician is not None and physician.doctor.id == "10001234567"
    assert rules == []


def test_a_treating_physician_without_rpps_is_said() -> None:
    assert read("PID|1", "ROL||UC|ODRP|LOC1^MARTIN^^^^^^^CH^D^^^EI")[1] == ["hl7.treating-physician-without-rpps"]


def test_a_deletion_is_told() -> None:
    physician, _ = read("PID|1", f"ROL||DE|ODRP|{GP}")
    assert physician is not None and physician.removed


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (f"10001234567^^^^^^^^{AUTHORITY}^^^^RPPS", (Scheme.RPPS, "10001234567")),
        (f"810001234567^^^^^^^^{AUTHORITY}^^^^IDNPS", (Scheme.RPPS, "10001234567")),
        (f"810001234567^^^^^^^^{AUTHORITY}^^^^RPPS", (Scheme.RPPS, "10001234567")),
        ("810001234567^^^^^^^^ASIP-SANTE- PS^^^^", (Scheme.RPPS, "10001234567")),
        (f"0991234567^^^^^^^^{AUTHORITY}^^^^IDNPS", (Scheme.ADELI, "991234567")),
        (f"2A1234567^^^^^^^^{AUTHORITY}^^^^ADELI", (Scheme.ADELI, "2A1234567")),
        ("10001234567^^^^^^^^CH^^^^EI", (Scheme.LOCAL, "10001234567")),
        (f"3400011177/12^^^^^^^^{AUTHORITY}^^^^IDNPS", (Scheme.LOCAL, "3400011177/12")),
    ],
)
def test_trap_12_the_register_is_told_by_type_authority_and_length(written: str, expected: tuple[Scheme, str]) -> None:
    rol = Message.parse(f"MSH|^~\\&|A\rROL||UC|ODRP|{written}\r".encode()).first("ROL")
    assert rol is not None
    assert scheme_of(read_xcn(rol.repetitions(4)[0])) == expected


def test_who_sent_the_patient_stands_after_the_visit_and_nowhere_else() -> None:
    lines = [
        "MSH|^~\\&|A",
        "PID|1",
        "ROL||UC|RP|10009999990^AVANT",
        "PV1|1|I",
        "ROL||UC|RT|10000000002^CORRESPONDANT",
        "ROL||UC|RP|10000000001^ADRESSEUR",
        "ROL||DE|RP|10000000003^RETIRE",
        "ROL||UC|AT|10000000004^RESPONSABLE",
        "ROL||UC|RP|",
        "IN1|1",
        "ROL||UC|RP|10000000005^ASSUREUR",
    ]
    found = read_referrers(Message.parse("\r".join(lines).encode()))
    assert [person.family for person in found] == ["ADRESSEUR", "CORRESPONDANT"]
