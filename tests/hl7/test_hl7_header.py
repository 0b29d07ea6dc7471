from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from liaison.finding import Finding
from liaison.hl7.header import Header, ahead_of_time, read_header
from liaison.hl7.message import Message

PARIS = ZoneInfo("Europe/Paris")


def read(
    msh9: str = "ADT^A01^ADT_A01", msh7: str = "20260105080500", msh10: str = "1", evn: str = "EVN||20260105080400"
) -> tuple[Header, list[str]]:
    findings: list[Finding] = []
    raw = f"MSH|^~\\&|A|B|C|D|{msh7}||{msh9}|{msh10}|P|2.5\r{evn}\r"
    return read_header(Message.parse(raw.encode()), PARIS, findings), [finding.rule for finding in findings]


def test_a_conformant_header_has_no_finding() -> None:
    header, rules = read()
    assert rules == []
    assert (header.type, header.event, header.control_id) == ("ADT", "A01", "1")
    assert header.sent_at == datetime(2026, 1, 5, 8, 5, tzinfo=PARIS)
    assert header.recorded_at == header.occurred_at == datetime(2026, 1, 5, 8, 4, tzinfo=PARIS)


@pytest.mark.parametrize("msh9", ["ADT^A31^ADT_A31", "ADT^A28^ADT_A28", "ADT^A01^ADT^A01^ADT_A01"])
def test_traps_17_and_18_the_structure_is_said_and_not_relied_upon(msh9: str) -> None:
    header, rules = read(msh9)
    assert header.event == msh9.split("^")[1]
    assert rules == ["hl7.message-structure"]


def test_the_event_of_an_old_feed_is_found_in_evn() -> None:
    header, rules = read("ADT", evn="EVN|A04|20260105")
    assert header.event == "A04"
    assert rules == ["hl7.event-from-evn"]


def test_trap_25_times_of_any_precision_and_zone_are_taken() -> None:
    header, rules = read(msh7="20260105080110.703+0100", evn="EVN||202601050801")
    assert rules == []
    assert header.sent_at is not None and header.recorded_at is not None
    assert header.sent_at - header.recorded_at == timedelta(seconds=10, milliseconds=703)


@pytest.mark.parametrize(
    ("msh7", "evn", "rules"),
    [
        ("20260105", "EVN||", ["hl7.recorded-at-missing"]),
        ("", "EVN||20260105", ["hl7.sent-at-missing"]),
        ("", "EVN||", ["hl7.sent-at-missing", "hl7.time-missing"]),
    ],
)
def test_one_time_stands_in_for_the_other(msh7: str, evn: str, rules: list[str]) -> None:
    header, found = read(msh7=msh7, evn=evn)
    assert found == rules
    assert (header.sent_at is None) is ("hl7.time-missing" in rules)
    assert header.sent_at == header.recorded_at


def test_an_oru_has_no_evn_to_miss() -> None:
    assert read("ORU^R01^ORU_R01", evn="ZZZ|")[1] == []


@pytest.mark.parametrize(("msh9", "rule"), [("", "hl7.message-type-missing"), ("ADT", "hl7.event-missing")])
def test_a_message_that_does_not_say_what_it_is_is_fatal(msh9: str, rule: str) -> None:
    assert rule in read(msh9)[1]


def test_a_missing_control_id_is_said() -> None:
    assert read(msh10="")[1] == ["hl7.control-id-missing"]


@pytest.mark.parametrize(
    ("msh7", "evn2", "where"),
    [
        ("20260105080500", "20260105080400", None),
        ("20260105081900", "20260105081900", None),
        ("20260105090500", "20260105080400", "MSH-7"),
        ("20260105080500", "20260105090400", "EVN-2"),
        ("20260105080500+0000", "", "MSH-7"),
        ("", "", None),
        ("demain", "20260105", None),
    ],
)
def test_a_sender_whose_clock_is_ahead_is_told_where(msh7: str, evn2: str, where: str | None) -> None:
    raw = f"MSH|^~\\&|A|B|C|D|{msh7}||ADT^A01|1|P|2.5\rEVN||{evn2}\r"
    found = ahead_of_time(Message.parse(raw.encode()), PARIS, datetime(2026, 1, 5, 8, 5, tzinfo=PARIS))
    assert (found and (found.rule, found.where)) == (("hl7.ahead-of-time", where) if where else None)
