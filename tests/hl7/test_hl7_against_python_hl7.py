"""Our reader and python-hl7 say the same of every message that python-hl7 can read."""

from __future__ import annotations

import os
from pathlib import Path

import hl7
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liaison.hl7.batch import split_batch
from liaison.hl7.delimiters import Delimiters
from liaison.hl7.message import Message, Segment
from liaison.hl7.writer import Components, Value, write_message

OWN = {
    "admission": "MSH|^~\\&|GAM|CH|DPI|CH|20240306||ADT^A01^ADT_A01|1|T|2.5\rPID|1||3^^^CH&40&N^PI~27^^^INS&1.2&ISO^INS||E^Z^Z^^^^L~E\r"
    'PV1|1|I|UF^1^2||""||||||||||||||V^^^CH\rZBE|1^CH|20240306||INSERT|N||^^^^^^UF^^^U1|^^^^^^UF^^^U1|HMS\r',
    "escapes": "MSH|^~\\&|A\rNTE|1||un \\F\\ deux \\S\\ trois \\T\\ quatre \\R\\ cinq \\E\\ six\r",
    "other delimiters": "MSH#*+!$#APP#ETS\rPID###1*2+3*4$5##A!F!B!S!C!R!D!E!E!T!F\r",
    "document": f"MSH|^~\\&|A\rOBX|1|ED|11490-0^L^LN||^TEXT^XML^Base64^{'QUJD' * 500}||||||F\r",
    "empty fields": "MSH|^~\\&|A\rPID|||||\rEVN|\r",
}


def assert_same(message: Message) -> None:
    """Compared over the segments: raw fields of all, and parts of those whose escapes both resolve."""
    theirs = hl7.parse("\r".join(segment.raw for segment in message.segments))
    assert len(theirs) == len(message.segments)
    for index, segment in enumerate(message.segments):
        last = index == len(message.segments) - 1  # python-hl7 strips the whole message
        assert str(theirs[index][0]) == segment.name
        assert len(theirs[index]) - 1 == segment.field_count or last
        for field in range(1, min(len(theirs[index]), segment.field_count + 1)):
            expected = str(theirs[index][field])
            assert segment.raw_field(field) == expected or (last and segment.raw_field(field).strip() == expected)
            if field > 2 or segment.name != "MSH":
                assert_same_parts(theirs, segment, field)


def assert_same_parts(theirs: hl7.Message, segment: Segment, field: int) -> None:
    for repetition in segment.repetitions(field):
        for component in range(1, repetition.components + 1):
            for subcomponent in (1, 2):
                try:
                    expected = theirs.extract_field(
                        segment.name, segment.occurrence, field, repetition.index, component, subcomponent
                    )
                except IndexError:
                    expected = ""  # python-hl7 refuses what is not there; the standard says it is empty
                ours = repetition.component(component, subcomponent)
                assert ours.strip() == (expected or "").strip(), segment.where(field, component, repetition.index)
                assert ours == segment.value(field, component, subcomponent, repetition.index)


@pytest.mark.parametrize("name", OWN)
def test_own_messages_are_read_the_same(name: str) -> None:
    assert_same(Message.parse(OWN[name].encode()))


@pytest.mark.skipif(not os.environ.get("LIAISON_CORPUS"), reason="LIAISON_CORPUS is not set")
def test_corpus_messages_are_read_the_same() -> None:
    compared = 0
    for path in sorted(Path(os.environ["LIAISON_CORPUS"], "hl7v2").iterdir()):
        if path.suffix in (".er7", ".hl7"):
            for raw in split_batch(path.read_bytes()).messages:
                assert_same(Message.parse(raw))
                compared += 1
    assert compared >= 35


COMPONENT = st.text(alphabet="abcÉœ19 |^~\\&#*+!$.", max_size=8)
FIELD = st.lists(st.tuples(COMPONENT, COMPONENT, COMPONENT), min_size=1, max_size=3)


@given(
    st.dictionaries(st.integers(1, 12), FIELD, max_size=6),
    st.sampled_from((Delimiters(), Delimiters(field="#", component="*", repetition="+", escape="!", subcomponent="$"))),
)
@settings(max_examples=60, deadline=None)
def test_what_we_write_is_read_the_same(fields: dict[int, list[tuple[str, str, str]]], delimiters: Delimiters) -> None:
    values: dict[int, Value] = {field: list[Components](repetitions) for field, repetitions in fields.items()}
    raw = write_message([("MSH", {3: "APP"}), ("ZZZ", values), ("NTE", {3: "fin"})], delimiters=delimiters)
    message = Message.parse(raw)
    assert_same(message)
    written = message.segments[1]
    for field, repetitions in fields.items():
        for index, components in enumerate(repetitions, 1):
            assert tuple(written.value(field, n, 1, index) for n in (1, 2, 3)) == components
