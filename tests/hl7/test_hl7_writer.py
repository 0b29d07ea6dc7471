"""Writing messages, and changing one without touching the rest of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liaison.hl7.errors import CannotWrite, NotHl7
from liaison.hl7.message import Message
from liaison.hl7.writer import Components, Value, rewrite, write_message, write_segment

RAW = "MSH|^~\\&|GAM|CH|||2024||ADT^A01|7|T|2.5||||||8859/15\r\nPID|1||3^^^CH~4||ESSAI^Zoé\\F\\\n suite|\r\nPV1|1|I\r\n".encode(
    "iso8859-15"
)


def test_components_subcomponents_and_repetitions() -> None:
    fields: dict[int, Value] = {
        1: "1",
        3: [("27", "", "", ("CH", "40", "N"), "PI"), ("28",)],
        5: ("A|B", "C^D"),
        9: "",
        10: ("", ""),
    }
    assert write_segment("PID", fields) == r"PID|1||27^^^CH&40&N^PI~28||A\F\B^C\S\D"


def test_a_message_begins_with_its_delimiters_and_ends_its_segments_with_cr() -> None:
    assert write_message([("MSH", {3: "LIAISON", 9: ("ACK", "A01")}), ("MSA", {1: "AA"})]) == (
        b"MSH|^~\\&|LIAISON||||||ACK^A01\rMSA|AA\r"
    )


def test_a_character_that_the_set_lacks_is_refused_without_repeating_it() -> None:
    with pytest.raises(CannotWrite) as refusal:
        write_message([("MSH", {3: "A"}), ("PID", {5: "Œuvré"})], codec="iso8859-1")
    assert "Œ" not in str(refusal.value) and refusal.value.__context__ is None


@pytest.mark.parametrize("fields", [{0: "x"}, {-1: "x"}])
def test_fields_begin_at_one(fields: dict[int, Value]) -> None:
    with pytest.raises(CannotWrite):
        write_segment("PID", fields)


def test_the_delimiters_are_not_a_field_to_set() -> None:
    with pytest.raises(CannotWrite):
        write_segment("MSH", {2: "^~"})
    with pytest.raises(CannotWrite):
        rewrite(Message.parse(RAW), {(1, 2): "x"})
    with pytest.raises(CannotWrite):
        rewrite(Message.parse(RAW), {(9, 1): "x"})


def test_a_changed_field_leaves_every_other_byte() -> None:
    message = Message.parse(RAW)
    assert rewrite(message, {}) is message.raw
    changed = rewrite(message, {(1, 10): "8", (3, 4): ("R", "é")})
    assert changed == RAW.replace(b"|7|", b"|8|").replace(b"PV1|1|I", b"PV1|1|I||R^\xe9")
    assert rewrite(Message.parse(changed), {(1, 10): "7", (3, 4): ""}) == RAW.replace(b"PV1|1|I", b"PV1|1|I||")


@pytest.mark.parametrize(("before", "after"), [(b"\xef\xbb\xbf", b""), (b"\x0b", b"\x1c\r"), (b"bruit\r", b"")])
def test_what_surrounds_the_message_stays(before: bytes, after: bytes) -> None:
    text = "MSH|^~\\&|GAM\rPID|1||3||Zoé\r".encode()
    assert rewrite(Message.parse(before + text + after), {(2, 3): "4"}) == before + text.replace(b"|3|", b"|4|") + after


VALUES = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.dictionaries(st.integers(3, 30), st.lists(st.tuples(VALUES, st.tuples(VALUES, VALUES)), min_size=1, max_size=3)))
@settings(deadline=None)
def test_what_is_written_is_read_back(fields: dict[int, list[tuple[str, tuple[str, str]]]]) -> None:
    values: dict[int, Value] = {field: list[Components](repetitions) for field, repetitions in fields.items()}
    message = Message.parse(write_message([("MSH", {18: "UNICODE UTF-8"}), ("ZZZ", values)]))
    segment = message.segments[1]
    for field, repetitions in fields.items():
        for index, (first, (second, third)) in enumerate(repetitions, 1):
            read = tuple(segment.value(field, *place, index) for place in ((1, 1), (2, 1), (2, 2)))
            assert read == (first, second, third)


@given(
    st.integers(1, 3),
    st.integers(3, 20),
    VALUES.filter(lambda value: value.encode("iso8859-15", "ignore").decode("iso8859-15") == value),
)
@settings(deadline=None)
def test_one_field_changed_is_the_only_one(position: int, field: int, value: str) -> None:
    before = Message.parse(RAW)
    if (position, field) == (1, 18):
        return  # the character set itself
    changed = rewrite(before, {(position, field): value})
    after = Message.parse(changed)
    for old, new in zip(before.segments, after.segments, strict=True):
        for number in range(3, max(old.field_count, new.field_count) + 1):
            if (old.position, number) == (position, field):
                assert after.charset.name != before.charset.name or new.value(number) == value
            elif after.charset.name == before.charset.name:
                assert new.raw_field(number) == old.raw_field(number)


@pytest.mark.skipif(not os.environ.get("LIAISON_CORPUS"), reason="LIAISON_CORPUS is not set")
def test_corpus_messages_come_back_byte_for_byte() -> None:
    for path in sorted(Path(os.environ["LIAISON_CORPUS"], "hl7v2").iterdir()):
        if path.suffix not in (".er7", ".hl7"):
            continue
        try:
            message = Message.parse(path.read_bytes())
        except NotHl7:
            continue
        control_id = message.header.value(10)
        other = rewrite(message, {(1, 10): "LIAISON-1"})
        assert Message.parse(other).header.value(10) == "LIAISON-1"
        assert rewrite(Message.parse(other), {(1, 10): control_id}) == message.raw, path.name
