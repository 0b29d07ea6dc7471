from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.finding import Finding
from liaison.hl7.identity import Person, is_cog, read_demographics, read_person
from liaison.hl7.message import Message, Segment

NAMES = "PAT-TROIS^DOMINIQUE^DOMINIQUE MARIE^^^^L"
BIRTHPLACE = "^^^^^FRA^BDL^^40192"


def pid(**fields: str) -> Segment:
    """A PID of an invented patient; ``f5="…"`` replaces field 5."""
    values = {3: "1^^^CH&400011177&M^PI", 5: NAMES, 7: "19790328", 8: "F", 11: BIRTHPLACE, 32: "VALI"}
    values.update({int(name[1:]): value for name, value in fields.items()})
    line = "PID" + "".join(f"|{values.get(number, '')}" for number in range(1, 40))
    segment = Message.parse(f"MSH|^~\\&|A|B|C|D|20260101||ADT^A28|1|T|2.5\r{line}\r".encode()).first("PID")
    assert segment is not None
    return segment


def read(**fields: str) -> tuple[Person, list[str]]:
    findings: list[Finding] = []
    return read_person(pid(**fields), findings), [finding.rule for finding in findings]


def test_a_conformant_pid_has_no_finding() -> None:
    person, rules = read()
    assert rules == []
    assert (person.birth_name, person.first_given_name, person.given_names) == ("PAT-TROIS", "DOMINIQUE", "DOMINIQUE MARIE")
    assert (person.birth_date, person.sex, person.birthplace_cog, person.statuses) == ("19790328", "F", "40192", ("VALI",))


def test_the_used_name_is_that_of_type_d_whatever_the_order() -> None:
    person, rules = read(f5="USAGE^MARIE^^^^^D~NAISSANCE^JEANNE^JEANNE MARIE^^^^L")
    assert (person.birth_name, person.used_name, person.used_given_name) == ("NAISSANCE", "USAGE", "MARIE")
    assert rules == []


def test_a_used_name_removed_by_the_null_is_no_name() -> None:
    person, _ = read(f5='""^Oriane^^^^^D~DARK^JEANNE^JEANNE^^^^L')
    assert (person.used_name, person.used_given_name) == ("", "Oriane")


@pytest.mark.parametrize("kind", ["", "U", "B", "M"])
def test_another_type_stands_for_the_birth_name_and_is_said(kind: str) -> None:
    person, rules = read(f5=f"DARK^JEANNE^^^^^{kind}")
    assert person.birth_name == "DARK"
    assert "hl7.birth-name-type" in rules


def test_a_pseudonym_alone_is_no_birth_name() -> None:
    person, rules = read(f5="XXXX^^^^^^S")
    assert (person.birth_name, person.used_name) == ("", "XXXX")
    assert rules == ["hl7.birth-name-missing"]


def test_the_first_given_name_is_taken_from_the_list_when_left_out() -> None:
    person, rules = read(f5="DARK^^JEANNE MARIE^^^^L")
    assert person.first_given_name == "JEANNE"
    assert rules == ["hl7.first-name-from-list"]


def test_a_first_given_name_that_does_not_begin_the_list_is_said() -> None:
    assert read(f5="DARK^MARIE^JEANNE MARIE^^^^L")[1] == ["hl7.first-name-not-in-list"]


@pytest.mark.parametrize(
    ("written", "expected", "rules"),
    [
        ("19790328", "19790328", []),
        ("197903", "197903", []),
        ("1979", "1979", []),
        ("197903281030", "19790328", ["hl7.birth-date-time"]),  # trap 25
        ("19791332", "1979", ["hl7.birth-date"]),  # a lunar date left in PID-7
        ("28/03/1979", "", ["hl7.birth-date"]),
        ('""', "", []),
    ],
)
def test_trap_25_a_birth_date_is_kept_as_far_as_it_is_one(written: str, expected: str, rules: list[str]) -> None:
    person, found = read(f7=written)
    assert person.birth_date == expected
    assert found == rules


@pytest.mark.parametrize(("written", "expected"), [("O", "U"), ("1", ""), ("A", "")])
def test_a_sex_out_of_the_table_is_said(written: str, expected: str) -> None:
    person, rules = read(f8=written)
    assert person.sex == expected
    assert rules == ["hl7.sex"]


@pytest.mark.parametrize(
    ("written", "expected", "rules"),
    [
        ("1 rue X^^PARIS^^75007^FRA^H~^^^^^^BDL^^63220", "63220", []),
        ("^^^^^^BDL^63220", "63220", ["hl7.birthplace-component"]),  # in XAD-8
        ("^^^^^^BDL^BDL^78200", "78200", []),  # after two BDL
        ("^^^^^BDL^BDL^78200", "78200", ["hl7.birthplace-component"]),
        ("^^^^^100^BDL^^2A004", "2A004", ["hl7.country-code"]),
        ("^^AJACCIO^^20000^FRA^BDL", "", ["hl7.birthplace-cog"]),
        ("1 rue X^^PARIS^^75007^FRA^H", "", []),
    ],
)
def test_trap_10_the_birthplace_is_found_where_feeds_put_it(written: str, expected: str, rules: list[str]) -> None:
    person, found = read(f11=written)
    assert person.birthplace_cog == expected
    assert found == rules


def test_trap_9_an_absent_status_is_said_and_is_no_status() -> None:
    person, rules = read(f32="")
    assert person.statuses == ()
    assert rules == ["hl7.identity-status-missing"]


def test_attributes_ride_beside_the_status() -> None:
    person, rules = read(f32="VALI~HOMA~XXXX")
    assert person.statuses == ("VALI", "HOMA")
    assert rules == ["hl7.identity-status-unknown"]


@pytest.mark.parametrize(
    ("indicator", "date", "expected"),
    [
        ("Y", "", (True, "")),
        ("", "20260105", (True, "20260105")),
        ("N", "", (False, "")),
        ("", '""', (False, "")),
        ("", "", (None, "")),
    ],
)
def test_death_is_told_by_the_indicator_or_the_date(indicator: str, date: str, expected: tuple[bool | None, str]) -> None:
    person, _ = read(f29=date, f30=indicator)
    assert (person.died, person.died_on) == expected


def test_forbidden_fields_are_said_and_not_read() -> None:
    _, rules = read(f19="279035121518989", f22="X")
    assert rules == ["hl7.pid-forbidden-field", "hl7.pid-forbidden-field"]


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n\x0b\x1c"), max_size=30), max_size=40))
def test_no_content_makes_the_reading_of_a_pid_fail(fields: list[str]) -> None:
    message = Message.parse(("MSH|^~\\&|A\rPID|" + "|".join(fields)).encode())
    segment = message.first("PID")
    findings: list[Finding] = []
    if segment is not None:
        read_person(segment, findings)
    shown = "".join(finding.message + finding.where for finding in findings)
    assert not any(len(field) > 12 and field in shown for field in fields)


def test_the_corrected_birth_date_and_the_way_of_collection_are_read_from_zfd() -> None:
    segment = Message.parse(b"MSH|^~\\&|A\rZFD|||Y|Y|INSI|20211201|PA\r").first("ZFD")
    assert segment is not None
    findings: list[Finding] = []
    read = read_demographics(segment, findings)
    assert (read.birth_date_corrected, read.collection_mode, read.proof) == (True, "INSI", "PA")
    assert findings == []


@pytest.mark.parametrize(
    ("code", "expected"), [("40192", True), ("2A004", True), ("2C004", False), ("4019", False), ("99350", True)]
)
def test_a_cog_has_five_characters_and_corsica_its_letters(code: str, expected: bool) -> None:
    assert is_cog(code) is expected
