"""Writing ER7: whole messages from values, and a message that came in with some of its fields changed.

A value is text for one component, a tuple for components, a tuple in a tuple for subcomponents, a list for repetitions::

    write_message([("MSH", {9: ("ADT", "A01", "ADT_A01"), …}), ("PID", {3: [("123", "", "", ("CHU", "400011177", "M"), "PI")]})])
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from liaison.hl7.charset import encode
from liaison.hl7.delimiters import DEFAULT_DELIMITERS, Delimiters
from liaison.hl7.errors import CannotWrite
from liaison.hl7.escapes import escape
from liaison.hl7.lines import segment_spans
from liaison.hl7.message import Message

Components: TypeAlias = str | tuple[str | tuple[str, ...], ...]
Value: TypeAlias = Components | list[Components]
#: A segment to write: its name and its fields by number. MSH-1 and MSH-2 follow from the delimiters.
SegmentValues: TypeAlias = tuple[str, Mapping[int, Value]]


def write_field(value: Value, delimiters: Delimiters = DEFAULT_DELIMITERS) -> str:
    """``value`` as one field, escaped, without empty components at its end."""
    if isinstance(value, list):
        return delimiters.repetition.join(_write_components(components, delimiters) for components in value)
    return _write_components(value, delimiters)


def write_segment(name: str, fields: Mapping[int, Value], delimiters: Delimiters = DEFAULT_DELIMITERS) -> str:
    """One segment without its end, and without empty fields at its end."""
    written = {number: text for number, value in fields.items() if (text := write_field(value, delimiters))}
    return _assemble(name, written, delimiters)


def write_message(segments: Iterable[SegmentValues], *, delimiters: Delimiters = DEFAULT_DELIMITERS, codec: str = "utf-8") -> bytes:
    """A message: each segment ended by CR (HL7 v2.5 §2.5.2). Raises CannotWrite when ``codec`` lacks a character."""
    return b"".join(_encode(write_segment(name, fields, delimiters) + "\r", codec, name) for name, fields in segments)


def rewrite(message: Message, changes: Mapping[tuple[int, int], Value]) -> bytes:
    """The message with the fields at (segment position, field number) set to new values, every other byte as it came.

    Raises CannotWrite for a position that is not there, for MSH-1 and MSH-2, and for a character that the message's set lacks.
    """
    if not changes:
        return message.raw
    text, delimiters = message.text, message.delimiters
    spans = segment_spans(text, delimiters.field)
    by_position: dict[int, dict[int, Value]] = {}
    for (position, field), value in changes.items():
        by_position.setdefault(position, {})[field] = value
    pieces: list[str] = []
    written = 0
    for position in sorted(by_position):
        if not 1 <= position <= len(spans):
            raise CannotWrite(f"the message has no segment {position}")
        start, stop = spans[position - 1]
        pieces += (text[written:start], _with_fields(text[start:stop], by_position[position], delimiters))
        written = stop
    before, after = message.envelope
    return before + _encode("".join((*pieces, text[written:])), message.charset.name, "message") + after


def _with_fields(line: str, changes: Mapping[int, Value], delimiters: Delimiters) -> str:
    fields = line.split(delimiters.field)
    shift = 1 if fields[0] == "MSH" else 0
    for number, value in sorted(changes.items()):
        if number < 1 + 2 * shift:
            raise CannotWrite(f"{fields[0]}-{number} cannot be changed")
        index = number - shift
        fields += [""] * (index + 1 - len(fields))
        fields[index] = write_field(value, delimiters)
    return delimiters.field.join(fields)


def _assemble(name: str, written: Mapping[int, str], delimiters: Delimiters) -> str:
    last = max(written, default=0)
    if min(written, default=1) < 1 or (name == "MSH" and min(written, default=3) < 3):
        raise CannotWrite(f"{name}-{min(written)} is not a field that can be set")
    numbers = range(3 if name == "MSH" else 1, last + 1)
    head = [name, delimiters.encoding_characters] if name == "MSH" else [name]
    return delimiters.field.join([*head, *(written.get(number, "") for number in numbers)])


def _write_components(value: Components, delimiters: Delimiters) -> str:
    if isinstance(value, str):
        return escape(value, delimiters)
    parts = [
        escape(part, delimiters)
        if isinstance(part, str)
        else _join([escape(subcomponent, delimiters) for subcomponent in part], delimiters.subcomponent)
        for part in value
    ]
    return _join(parts, delimiters.component)


def _join(parts: list[str], separator: str) -> str:
    return separator.join(parts).rstrip(separator)


def _encode(text: str, codec: str, place: str) -> bytes:
    try:
        return encode(text, codec)
    except UnicodeEncodeError:
        pass  # raised outside: the library's exception carries the text
    raise CannotWrite(f"the character set {codec} lacks a character of {place}")
