"""Reading one message: segments, fields, and what is forgiven."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liaison.finding import Severity
from liaison.hl7.errors import CONDITIONS, NotHl7
from liaison.hl7.lines import MAX_SEGMENTS, segment_spans
from liaison.hl7.message import NULL, Message, Segment

ADMISSION = (
    "MSH|^~\\&|GAM|CH-X|DPI|CH-X|20240306111154||ADT^A01^ADT_A01|3975|T|2.5^FRA^2.11|||||FRA|UNICODE UTF-8|FR\r"
    "EVN||20240306111154||||20240306110000\r"
    "PID|1||000003^^^CH-X&400011177&N^PI~279035121518989^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS||ESSAI^Zoé^^^^^L\r"
    'PV1|1|I|UF1^12^A||""|||||||||||||||V1^^^CH-X\r'
    "OBX|1|TX|A||premier\rOBX|2|TX|A||second\r"
)


def corpus_files() -> list[Path]:
    root = os.environ.get("LIAISON_CORPUS", "")
    return sorted(path for path in (Path(root) / "hl7v2").iterdir() if path.suffix in (".er7", ".hl7")) if root else []


def read(text: str) -> Message:
    return Message.parse(text.encode())


def only(message: Message, name: str) -> Segment:
    (segment,) = message.all(name)
    return segment


def rules(message: Message) -> list[str]:
    return [finding.rule for finding in message.findings]


def test_values_are_numbered_as_in_the_standard() -> None:
    pid = only(read(ADMISSION), "PID")
    assert pid.value(3) == "000003"
    assert pid.value(3, 4, 2) == "400011177"
    assert pid.value(3, 4, 2, 2) == "1.2.250.1.213.1.4.10"
    assert pid.value(5, 2) == "Zoé"
    assert pid.value(40) == pid.value(3, 99) == pid.value(3, 4, 9) == pid.value(3, 1, 1, 9) == ""
    assert pid.field_count == 5
    assert pid.raw_field(5) == "ESSAI^Zoé^^^^^L"


def test_the_first_field_of_msh_is_the_separator() -> None:
    header = read(ADMISSION).header
    assert (header.value(1), header.value(2), header.value(3), header.value(18)) == ("|", "^~\\&", "GAM", "UNICODE UTF-8")
    assert header.value(9, 2) == "A01"


def test_repetitions_know_their_place() -> None:
    first, second = only(read(ADMISSION), "PID").repetitions(3)
    assert (first.where, second.where) == ("PID-3", "PID-3[2]")
    assert second.component(5) == "INS"
    assert second.components == 5
    assert not only(read(ADMISSION), "PID").repetitions(2)


def test_segments_of_the_same_name_are_counted() -> None:
    first, second = read(ADMISSION).all("OBX")
    assert (first.position, second.position) == (5, 6)
    assert second.where(5, 2) == "OBX[2]-5.2"
    assert first.where() == "OBX"


def test_null_is_not_empty() -> None:
    pv1 = only(read(ADMISSION), "PV1")
    assert pv1.value(5) == NULL
    assert pv1.repetitions(5)[0].is_null
    assert pv1.value(4) == ""


def test_delimiters_come_from_the_message() -> None:
    message = read("MSH#*+!$#APP#ETS\rPID###1*2+3*4$5##A!F!B!S!C!R!D!E!E!T!F\r")
    pid = only(message, "PID")
    assert pid.value(3, 2, 2, 2) == "5"
    assert pid.value(5) == "A#B*C+D!E$F"
    assert message.header.value(3) == "APP"


@pytest.mark.parametrize("second", ["", "^", "^~\\", "^^^^", "^~\\&#x", "ABCD"])
def test_missing_encoding_characters_are_supposed_and_told(second: str) -> None:
    message = read(f"MSH|{second}|APP\rPID|||1^2\r")
    assert "hl7.encoding-characters" in rules(message)
    assert only(message, "PID").value(3, 2) == "2"


@pytest.mark.parametrize("raw", [b"MSH", b"MSH\r", b"MSHA^~\\&AGAM", b"MSH ^~\\&", b"MSH\xe9^~\\&"])
def test_a_header_without_separator_is_refused(raw: bytes) -> None:
    with pytest.raises(NotHl7) as refusal:
        Message.parse(raw)
    assert refusal.value.where == "MSH-1"


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", "hl7.no-msh"),
        (b"\x1c\r", "hl7.no-msh"),
        (b"PID|1\r", "hl7.no-msh"),
        (b"\x00\x01\x02\xff" * 50, "hl7.no-msh"),
        (b"<?xml version='1.0'?><ADT_A01/>", "hl7.xml"),
        (ADMISSION.encode("utf-16"), "hl7.utf-16"),
        (ADMISSION.encode("utf-16-le"), "hl7.utf-16"),
        (b"FHS|^~\\&\rMSH|^~\\&|\r", "hl7.batch"),
        (b"MSH|^~\\&|\r" + b"AAA\r" * (MAX_SEGMENTS + 1), "hl7.too-many-segments"),
    ],
)
def test_what_is_no_message_is_refused_with_its_reason(raw: bytes, rule: str) -> None:
    with pytest.raises(NotHl7) as refusal:
        Message.parse(raw)
    assert refusal.value.rule == rule
    assert refusal.value.finding.severity is Severity.FATAL
    assert refusal.value.condition in CONDITIONS
    assert "ESSAI" not in str(refusal.value)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r", "\n\n", "\r\n\r\n"])
def test_other_segment_ends_are_understood_and_told(end: str) -> None:
    message = read(ADMISSION.replace("\r", end))
    assert rules(message) == ["hl7.segment-ends"]
    assert [segment.raw for segment in message.segments] == [segment.raw for segment in read(ADMISSION).segments]


def test_carriage_returns_are_not_remarked_upon() -> None:
    assert not read(ADMISSION).findings
    assert not read(ADMISSION.removesuffix("\r")).findings


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_line_feed_inside_a_value_survives(end: str) -> None:
    message = read(f"MSH|^~\\&|A{end}OBX|1|TX|A||ligne 1\nRAS\nIRM le matin|suite{end}NTE|1||fin")
    assert only(message, "OBX").value(5) == "ligne 1\nRAS\nIRM le matin"
    assert only(message, "NTE").value(3) == "fin"
    assert "hl7.line-break-in-value" in rules(message)


def test_wrapped_base64_stays_in_its_field() -> None:
    message = read("MSH|^~\\&|A\rOBX|1|ED|A||^TEXT^XML^Base64^QUJD\r\nREVG\r\nR0hJ|x\rNTE|1\r")
    assert only(message, "OBX").value(5, 5) == "QUJD\r\nREVG\r\nR0hJ"
    assert len(message.segments) == 3


def test_a_bom_and_a_prologue_are_told() -> None:
    assert rules(Message.parse(b"\xef\xbb\xbf" + ADMISSION.encode())) == ["hl7.bom"]
    assert rules(read("bonjour\r\n" + ADMISSION)) == ["hl7.prologue"]
    assert not read("\x0b" + ADMISSION + "\x1c\r").findings


def test_a_second_header_is_fatal_because_the_patient_may_be_another() -> None:
    assert [finding.severity for finding in read(ADMISSION + ADMISSION).findings] == [Severity.FATAL]


def test_an_odd_segment_name_is_told() -> None:
    assert rules(read("MSH|^~\\&|A\rpid|1\r")) == ["hl7.segment-name"]


def test_nothing_of_a_patient_is_in_a_repr() -> None:
    message = read(ADMISSION)
    shown = "".join(map(repr, (message, *message.segments, *only(message, "PID").repetitions(5), message.findings)))
    assert not any(word in shown for word in ("ESSAI", "279035", "000003", "GAM"))


def test_a_large_document_is_found_without_cutting_it_up() -> None:
    body = "QUJD" * 200_000
    message = read(f"MSH|^~\\&|A\rOBX|1|ED|A||^TEXT^XML^Base64^{body}||||||F\r")
    obx = only(message, "OBX")
    assert obx.raw_component(5, 5) == obx.value(5, 5) == body
    assert obx.value(11) == "F"


def test_the_segment_gives_back_its_line() -> None:
    for segment in read(ADMISSION).segments:
        line = segment.raw
        segment.value(1)
        assert segment.raw == line


@given(st.text(alphabet="MSHPID|^~\\&A1\r\n\x0b\x1c\u00e9", max_size=120))
@settings(max_examples=200, deadline=None)
def test_any_text_after_a_header_is_read_without_loss(tail: str) -> None:
    text = "MSH|^~\\&|A" + tail
    message = read(text)
    before, after = message.envelope
    assert before + message.text.encode() + after == message.raw == text.encode()
    lines = [message.text[start:stop] for start, stop in segment_spans(message.text, "|")]
    assert [segment.raw for segment in message.segments] == lines
    for segment in message.segments:
        for field in range(1, segment.field_count + 1):
            segment.value(field, 2, 2, 2)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_message_is_read_or_refused(data: st.DataObject) -> None:
    raw = bytearray(ADMISSION.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(0, len(raw) - 1)))
        match data.draw(st.sampled_from(("flip", "cut", "insert", "drop"))):
            case "flip" if raw:
                raw[place] = data.draw(st.integers(0, 255))
            case "cut":
                del raw[place:]
            case "insert":
                raw[place:place] = data.draw(st.binary(max_size=6))
            case _:
                del raw[place : place + data.draw(st.integers(1, 40))]
    try:
        message = Message.parse(bytes(raw))
    except NotHl7 as refusal:
        assert refusal.condition in CONDITIONS
    else:
        for segment in message.segments:
            for field in range(1, segment.field_count + 1):
                assert all(repetition.component(1) is not None for repetition in segment.repetitions(field))


@pytest.mark.skipif(not corpus_files(), reason="LIAISON_CORPUS is not set")
def test_every_corpus_file_is_read_or_refused() -> None:
    for path in corpus_files():
        raw = path.read_bytes()
        try:
            message = Message.parse(raw)
        except NotHl7 as refusal:
            assert refusal.rule == "hl7.batch", path.name
        else:
            before, after = message.envelope
            assert before + message.text.encode(message.charset.name) + after == raw
            assert message.header.value(9)
