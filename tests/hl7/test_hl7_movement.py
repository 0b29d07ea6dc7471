from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.finding import Finding, Severity
from liaison.hl7.message import Message, Segment
from liaison.hl7.movement import NATURE_LETTERS, Zbe, read_discharge_modes, read_zbe
from liaison.hl7.triggers import Deed

PARIS = ZoneInfo("Europe/Paris")
UF = "Chirurgie^^^^^CH&400011177&M^UF^^^6268"


def segment(line: str) -> Segment:
    found = Message.parse(f"MSH|^~\\&|A\r{line}\r".encode()).first(line[:3])
    assert found is not None
    return found


def read(line: str) -> tuple[Zbe | None, list[str]]:
    findings: list[Finding] = []
    return read_zbe(segment(line), PARIS, findings), [finding.rule for finding in findings]


def test_a_conformant_zbe_has_no_finding() -> None:
    zbe, rules = read(f"ZBE|42^CH^400011177^M|20260105080000||INSERT|N||{UF}|{UF}|HMS")
    assert rules == [] and zbe is not None
    assert (zbe.action, zbe.historic, zbe.original_event, zbe.nature) == (Deed.INSERT, False, "", "HMS")
    assert zbe.at == datetime(2026, 1, 5, 8, tzinfo=PARIS)
    assert (zbe.medical.code, zbe.medical.label, zbe.care.code) == ("6268", "Chirurgie", "6268")
    (identifier,) = zbe.identifiers
    assert (identifier.value, identifier.authority.namespace) == ("42", "CH")


@pytest.mark.parametrize("action", ["INSERT", "UPDATE", "CANCEL"])
def test_trap_1_a_zbe_shifted_by_one_field_is_not_read(action: str) -> None:
    findings: list[Finding] = []
    shifted = segment(f"ZBE|002^CH|20240306110000|20260309102840||{action}|N||Urgences^^^^^^UF^^^8782||HMS")
    assert read_zbe(shifted, PARIS, findings) is None
    (finding,) = findings
    assert (finding.rule, finding.where, finding.severity) == ("hl7.zbe-shifted", "ZBE-5", Severity.FATAL)


@pytest.mark.parametrize(
    ("nature", "expected", "rules"),
    [
        ("HMS", "HMS", []),
        ("S^Changement de responsabilite de soins", "S", []),
        ("HM", "HM", ["hl7.zbe-nature-combination"]),
        ("HMC", "HMC", ["hl7.zbe-nature-combination"]),
        ("", "", ["hl7.zbe-nature-missing"]),
        ("SOINS", "", ["hl7.zbe-nature-unknown"]),
    ],
)
def test_trap_5_the_nature_is_read_letter_by_letter(nature: str, expected: str, rules: list[str]) -> None:
    zbe, found = read(f"ZBE|42^CH|20260105||INSERT|N||||{nature}")
    assert zbe is not None and zbe.nature == expected
    assert found == rules


def test_trap_7_the_identifier_may_be_a_cx_or_repeat() -> None:
    zbe, rules = read("ZBE|42^^^CH&1.2.3.4&ISO|20260105||INSERT|N||||HMS")
    assert zbe is not None and zbe.identifiers[0].authority.oid == "1.2.3.4"
    assert rules == ["hl7.zbe-identifier-cx"]
    zbe, rules = read("ZBE|42^HMLyo~43^AGFA|20260105||INSERT|N||||HMS")
    assert zbe is not None and [(cx.value, cx.authority.namespace) for cx in zbe.identifiers] == [("42", "HMLyo"), ("43", "AGFA")]
    assert rules == []


def test_trap_6_a_unit_code_left_in_the_name_is_taken_for_the_code() -> None:
    zbe, rules = read("ZBE|42^CH|20260105||INSERT|N||6268|Soins de suite|HMS")
    assert zbe is not None
    assert (zbe.medical.code, zbe.care.code, zbe.care.label) == ("6268", "", "Soins de suite")
    assert rules == ["hl7.uf-component"]


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        ("ZBE|42^CH|20260105|20260106|INSERT|N||||HMS", ["hl7.zbe-end-forbidden"]),
        ("ZBE||20260105||INSERT|N||||HMS", ["hl7.zbe-identifier-missing"]),
        ("ZBE|42^CH|20260105|||N||||HMS", ["hl7.zbe-action-missing"]),
        ("ZBE|42^CH|20260105||INSERT|||||HMS", ["hl7.zbe-historic-missing"]),
        ("ZBE|42^CH|hier||INSERT|N||||HMS", ["hl7.time-unreadable"]),
    ],
)
def test_each_fault_is_said(line: str, rules: list[str]) -> None:
    zbe, found = read(line)
    assert zbe is not None
    assert found == rules


@given(
    identifier=st.from_regex(r"[A-Za-z0-9]{1,12}", fullmatch=True),
    action=st.sampled_from(list(Deed)),
    historic=st.booleans(),
    nature=st.sets(st.sampled_from(sorted(NATURE_LETTERS)), min_size=1).map(sorted).map("".join),
    at=st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)),
)
def test_whatever_a_conformant_zbe_says_is_read(identifier: str, action: Deed, historic: bool, nature: str, at: datetime) -> None:
    zbe, _ = read(f"ZBE|{identifier}^CH|{at:%Y%m%d%H%M%S}||{action}|{'Y' if historic else 'N'}|A01|{UF}|{UF}|{nature}")
    assert zbe is not None
    assert (zbe.identifiers[0].value, zbe.action, zbe.historic, zbe.nature) == (identifier, action, historic, nature)
    assert zbe.at == at.replace(microsecond=0, tzinfo=PARIS)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n\x0b\x1c"), max_size=120))
def test_no_content_makes_the_reading_fail(text: str) -> None:
    read(f"ZBE|{text}")
    findings: list[Finding] = []
    read_discharge_modes(segment(f"ZFM|{text}"), findings)


def test_the_way_out_is_read_where_its_codes_are_known() -> None:
    findings: list[Finding] = []
    modes = read_discharge_modes(segment("ZFM|8|9|8|7"), findings)
    assert (modes.mode, modes.destination, findings) == ("9", "7", [])
    modes = read_discharge_modes(segment("ZFM|8|XX||Z"), findings)
    assert (modes.mode, modes.destination) == ("", "")
    assert [finding.where for finding in findings] == ["ZFM-2", "ZFM-4"]
