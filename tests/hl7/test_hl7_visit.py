from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from liaison.finding import Finding
from liaison.hl7.message import Message
from liaison.hl7.visit import Visit, read_visit, read_visit_complement

PARIS = ZoneInfo("Europe/Paris")
FULL = {
    2: "I",
    3: "UH1^12^B^CH&400011177&M^O",
    5: "P9^^^CH^VN",
    7: "10001234567^MARTIN^Paul^^^^^^A&1.2.250.1.71.4.2.1&ISO^D^^^RPPS",
    8: "^SANS NUMERO",
    19: "V1^^^CH&400011177&M^VN",
    37: "400000011",
    41: "D",
    44: "20260105080000",
    45: "20260109",
    51: "V",
}


def read(fields: dict[int, str], pv2: str = "") -> tuple[Visit, list[str]]:
    line = "PV1" + "".join(f"|{fields.get(number, '')}" for number in range(1, 53))
    message = Message.parse(f"MSH|^~\\&|A\r{line}\r{pv2}".encode())
    pv1 = message.first("PV1")
    assert pv1 is not None
    findings: list[Finding] = []
    return read_visit(pv1, message.first("PV2"), PARIS, findings), [finding.rule for finding in findings]


def test_a_conformant_visit_is_read_whole() -> None:
    visit, rules = read(FULL, "PV2|||||||||20260108\r")
    assert rules == []
    assert visit.patient_class == "I"
    assert (visit.location.unit, visit.location.room, visit.location.bed) == ("UH1", "12", "B")
    assert visit.location.facility.universal_id == "400011177"
    assert visit.number is not None and visit.preadmission is not None
    assert (visit.number.value, visit.preadmission.value) == ("V1", "P9")
    assert visit.attending is not None and visit.attending.id == "10001234567"
    assert visit.referring is not None and visit.referring.family == "SANS NUMERO"
    assert (visit.discharged_to, visit.closes_episode, visit.annuls_visit_only) == ("400000011", True, True)
    assert visit.admitted_at == datetime(2026, 1, 5, 8, tzinfo=PARIS)
    assert visit.discharged_at == datetime(2026, 1, 9, tzinfo=PARIS)
    assert visit.expected_discharge_at == datetime(2026, 1, 8, tzinfo=PARIS)


def test_nulls_are_read_as_absent() -> None:
    visit, rules = read({2: "I", 3: '""', 19: '""', 37: '""', 44: '""'})
    assert rules == []
    assert visit.number is None and visit.admitted_at is None
    assert (visit.location.unit, visit.discharged_to) == ("", "")


@pytest.mark.parametrize(("code", "rule"), [("", "hl7.patient-class-missing"), ("Z", "hl7.patient-class-unknown")])
def test_a_class_out_of_the_table_is_said(code: str, rule: str) -> None:
    visit, rules = read({2: code})
    assert visit.patient_class == ""
    assert rules == [rule]


def test_a_time_that_is_none_is_said_with_its_place() -> None:
    visit, rules = read({2: "I", 44: "lundi"})
    assert visit.admitted_at is None
    assert rules == ["hl7.time-unreadable"]


@pytest.mark.parametrize(("fields", "pv2"), [({2: "I", 16: "Y"}, ""), ({2: "I"}, "PV2" + "|" * 22 + "Y\r")])
def test_a_protected_stay_is_told_by_pv1_or_pv2(fields: dict[int, str], pv2: str) -> None:
    assert read(fields, pv2)[0].protected
    assert not read({2: "I"})[0].protected


def test_the_complement_of_the_encounter() -> None:
    zfv = Message.parse(b"MSH|^~\\&|A\rZFV|400011177^20260101|3|||||||||XX\r").first("ZFV")
    assert zfv is not None
    findings: list[Finding] = []
    complement = read_visit_complement(zfv, findings)
    assert (complement.origin, complement.transport, complement.transport_care) == ("400011177", "3", "XX")
    assert [finding.rule for finding in findings] == ["hl7.transport-care"]
