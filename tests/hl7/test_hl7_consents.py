from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from liaison.finding import Finding
from liaison.hl7.consents import Consents, DmpState, read_consents
from liaison.hl7.message import Message

PARIS = ZoneInfo("Europe/Paris")


def read(line: str) -> tuple[Consents, list[str]]:
    zfa = Message.parse(f"MSH|^~\\&|A\r{line}\r".encode()).first("ZFA")
    assert zfa is not None
    findings: list[Finding] = []
    return read_consents(zfa, PARIS, findings), [finding.rule for finding in findings]


@pytest.mark.parametrize(
    ("feeding", "consultation", "expected"),
    [("IO", "IC", (True, True)), ("INO", "INC", (False, False)), ("NA", "NA", (None, None)), ("", "", (None, None))],
)
def test_opposition_and_consent_are_told_apart(feeding: str, consultation: str, expected: tuple[bool | None, bool | None]) -> None:
    read_back, rules = read(f"ZFA|ACTIF|20260101|||||||{feeding}|20260101|{consultation}|20260101")
    assert (read_back.opposes_feeding, read_back.consents_to_consultation) == expected
    assert read_back.dmp is DmpState.OPEN
    assert rules == []


def test_codes_out_of_their_tables_are_not_collected() -> None:
    read_back, rules = read("ZFA|OUVERT||||||||OUI||NON")
    assert (read_back.dmp, read_back.opposes_feeding, read_back.consents_to_consultation) == (None, None, None)
    assert rules == ["hl7.consent-code"] * 3


def test_obsolete_fields_are_said() -> None:
    assert read("ZFA|ACTIF|||Y")[1] == ["hl7.consent-obsolete"]
