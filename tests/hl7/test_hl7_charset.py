"""Character sets: what was declared, what the bytes are, and what is said when the two differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.hl7.charset import CANONICAL, CHARSETS, decode, encode, encode_plainly
from liaison.hl7.message import Message

NAME = "Zoé Çelik-Œuvré"


def message(declared: str, name: str = NAME, codec: str = "utf-8", field: int = 18) -> Message:
    head = ["MSH", "^~\\&"] + [""] * 18
    head[field - 1] = declared
    return Message.parse(f"{'|'.join(head)}\rPID|||||{name}\r".encode(codec))


def seen(read: Message) -> tuple[str, str, bool, list[str]]:
    pid = read.first("PID")
    assert pid is not None
    return pid.value(5), read.charset.name, read.charset.exact, [finding.rule for finding in read.findings]


@pytest.mark.parametrize("declared", ["UNICODE UTF-8", "UTF-8", "utf-8", "UTF8", "UNICODE", "UNICODE UTF-8~8859/15"])
def test_declared_utf_8_is_taken(declared: str) -> None:
    assert seen(message(declared)) == (NAME, "utf-8", True, [])


@pytest.mark.parametrize("declared", ["8859/15", "8859-15", "ISO8859-15", "ISO-8859-15", "8859"])
def test_declared_8859_15_is_taken(declared: str) -> None:
    assert seen(message(declared, codec="iso8859-15")) == (NAME, "iso8859-15", True, [])


def test_declared_8859_1_is_taken() -> None:
    assert seen(message("8859/1", "Zoé", "iso8859-1")) == ("Zoé", "iso8859-1", True, [])


@pytest.mark.parametrize("declared", ["UNICODE UTF-8", "ASCII", "8859/15", "8859/1"])
def test_windows_bytes_are_recognised_under_any_declaration(declared: str) -> None:
    assert seen(message(declared, codec="cp1252")) == (NAME, "cp1252", False, ["hl7.charset-fallback"])


@pytest.mark.parametrize("declared", ["8859/15", "8859/1", "ASCII"])
def test_utf_8_under_another_name_is_recognised(declared: str) -> None:
    assert seen(message(declared)) == (NAME, "utf-8", False, ["hl7.charset-fallback"])


def test_capitals_before_a_space_that_does_not_break_are_not_taken_for_utf_8() -> None:
    """C9 A0 is valid UTF-8, for a letter of African languages."""
    assert seen(message("8859/1", "CAFÉ\u00a0", "iso8859-1")) == ("CAFÉ\u00a0", "iso8859-1", True, [])


@pytest.mark.parametrize(("codec", "name"), [("utf-8", "utf-8"), ("cp1252", "cp1252")])
def test_an_undeclared_set_is_found_and_told(codec: str, name: str) -> None:
    assert seen(message("", codec=codec)) == (NAME, name, False, ["hl7.charset-undeclared"])


def test_ascii_needs_no_declaration() -> None:
    assert seen(message("", "ZOE")) == ("ZOE", "ascii", True, [])


@pytest.mark.parametrize("field", [15, 16, 17, 19])
def test_a_declaration_in_another_place_counts(field: int) -> None:
    read = message("8859/1", "Zoé", "iso8859-1", field)
    assert seen(read) == ("Zoé", "iso8859-1", True, ["hl7.charset-misplaced"])
    assert read.findings[0].where == f"MSH-{field}"


def test_an_unknown_set_is_told() -> None:
    assert seen(message("KLINGON"))[3] == ["hl7.charset-unknown", "hl7.charset-undeclared"]


def test_findings_never_repeat_what_was_written() -> None:
    findings = message("KLINGON", codec="cp1252").findings
    assert "KLINGON" not in "".join(finding.message + finding.remedy for finding in findings)


@pytest.mark.parametrize(("declared", "reply"), [("8859/15", "iso8859-15"), ("", "utf-8"), ("UTF-8", "utf-8"), ("ASCII", "ascii")])
def test_the_reply_is_in_the_declared_set(declared: str, reply: str) -> None:
    assert message(declared, "ZOE").charset.reply == reply


@given(st.binary())
def test_windows_1252_takes_any_byte_and_gives_it_back(raw: bytes) -> None:
    assert encode(decode(raw, "cp1252"), "cp1252") == raw


@given(st.text(), st.sampled_from(sorted(set(CHARSETS.values()))))
def test_prose_is_always_written(text: str, codec: str) -> None:
    written = encode_plainly(text.replace("\udfff", ""), codec)
    assert decode(written, codec) is not None


def test_typography_is_simplified_only_where_it_must_be() -> None:
    assert encode_plainly("l’œuf «\u00a0à\u00a0» 3 €", "iso8859-15") == "l'œuf «\u00a0à\u00a0» 3 €".encode("iso8859-15")
    assert encode_plainly("l’œuf ☃", "iso8859-1") == b"l'oeuf ?"


def test_every_codec_has_a_name_to_write() -> None:
    assert set(CHARSETS.values()) <= set(CANONICAL)
