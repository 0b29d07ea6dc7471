"""Damage: what networks, editors, converters and ill will do to the bytes of a message, as hypothesis strategies."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from hypothesis import strategies as st

from tests.fuzz.messages import invented, official

Damage: TypeAlias = Callable[[st.DrawFn, bytes], bytes]

#: Beyond any bound of the reader: components, repetitions and fields are cut well before.
MANY = 10_000
SEPARATORS = (b"|", b"^", b"~", b"\\", b"&")
#: What stands where nobody expects it.
STRANGE = (
    b"\x00", b"\r", b"\n", b"\r\n", b"\x0b", b"\x1c", b"\x1c\r", b"\x1a", b"\x7f", b"\xef\xbb\xbf", b"\xff\xfe", b"\xc3", b"\xa0",
    b"\x85", b"\xe2\x80\xa8", "²³".encode(), "٣٤".encode(), "İ".encode(), "é".encode("cp1252"),
)  # fmt: skip
#: Values that a field may not expect.
VALUES = (
    b"", b'""', b"9" * 400, b"-1", b"1e400", b"99999999999999", b"00010101", b"99991231235959+1459", b"20260230", b"\\E\\" * 50,
    b"\\X0D0A\\", b"\\X" + b"41" * 2000 + b"\\", b"\\\\\\F\\\\S\\\\X\\", b"\\.br\\\\.sp+9999\\",
    b"\\XC3\\\\XFFFE\\", "²".encode() * 15, b"\xe9t\xe9", b"\\C0041\\\\M4141\\\\Zab\\",
    b"^^^&&ISO^INS", b"^^^&1.2.250.1.213.1.4.8&ISO^INS", b"CANCEL", b"UPDATE", b"VALI", b"Y", b"N", b"D", b"A03", b"ED", b"RP",
    b"<ClinicalDocument/>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"JVBERi0xLjQ=", b"@", b"MSH|^~\\&|", b"PID|1||",
)  # fmt: skip
#: The fields that some reader looks at: chance alone would mostly hit base64 and what nobody reads.
READ = (
    *(("MSH", field) for field in (1, 2, 3, 6, 8, 9, 10, 11, 17)), *(("EVN", field) for field in (2, 3, 6)),
    *(("PID", field) for field in (3, 5, 7, 8, 11, 18, 29, 30, 32)), *(("PV1", field) for field in (2, 3, 5, 7, 19, 36, 37, 41, 44, 51)),
    *(("ZBE", field) for field in range(1, 10)), *(("OBX", field) for field in (2, 3, 5, 11)), ("ORC", 1), ("OBR", 4), ("NTE", 4),
    *(("TXA", field) for field in (12, 13, 17)), *(("PRT", field) for field in (4, 5, 8, 15)), *(("ROL", field) for field in (2, 3, 4)),
    ("MRG", 1), ("ZFM", 2), ("ZFM", 4), ("ZFA", 9), ("ZFV", 11), ("ZFD", 4), ("PV2", 8), ("PD1", 12),
)  # fmt: skip
CHARSETS = (b"8859/1", b"8859/15", b"UNICODE UTF-8", b"ASCII", b"WINDOWS-1252", b"UTF-16", b"~", b"BIG-5", b"UNICODE UTF-8~8859/1")
NAMES = (b"PID", b"MSH", b"ZBE", b"OBX", b"PRT", b"MRG", b"BHS", b"FTS", b"ZZZ", b"msh", b"P\xc3\xa9", b"12")


def messages() -> st.SearchStrategy[bytes]:
    """Whole messages, whole."""
    return st.sampled_from([*invented(), *official()])


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A message after one to six accidents."""
    raw = draw(messages())
    for damage in draw(st.lists(st.sampled_from(ALL), min_size=1, max_size=6)):
        raw = damage(draw, raw)
    return raw


def _at(draw: st.DrawFn, length: int) -> int:
    return draw(st.integers(0, max(0, length - 1)))


def _span(draw: st.DrawFn, raw: bytes) -> tuple[int, int]:
    start = _at(draw, len(raw) + 1)
    return start, min(len(raw), start + draw(st.integers(1, 60)))


# Bytes ----------------------------------------------------------------------------------------------------------------------------


def insert_bytes(draw: st.DrawFn, raw: bytes) -> bytes:
    at = _at(draw, len(raw) + 1)
    return raw[:at] + draw(st.sampled_from(STRANGE) | st.binary(max_size=8)) + raw[at:]


def delete_bytes(draw: st.DrawFn, raw: bytes) -> bytes:
    start, stop = _span(draw, raw)
    return raw[:start] + raw[stop:]


def repeat_bytes(draw: st.DrawFn, raw: bytes) -> bytes:
    start, stop = _span(draw, raw)
    return raw[:stop] + raw[start:stop] + raw[stop:]


def swap_bytes(draw: st.DrawFn, raw: bytes) -> bytes:
    start, stop = _span(draw, raw)
    middle = (start + stop) // 2
    return raw[:start] + raw[middle:stop] + raw[start:middle] + raw[stop:]


def truncate(draw: st.DrawFn, raw: bytes) -> bytes:
    return raw[: _at(draw, len(raw) + 1)]


def splice(draw: st.DrawFn, raw: bytes) -> bytes:
    other = draw(messages())
    return raw[: _at(draw, len(raw) + 1)] + other[_at(draw, len(other) + 1) :]


def put_before(draw: st.DrawFn, raw: bytes) -> bytes:
    return draw(st.sampled_from([*STRANGE, b"FHS|^~\\&|A\r", b"BHS|^~\\&|A\r", b"x" * 5_000, b"\x0b\x0b"])) + raw


def recode(draw: st.DrawFn, raw: bytes) -> bytes:
    codec = draw(st.sampled_from(["utf-16", "utf-16-be", "utf-7", "cp037", "utf-8"]))
    return raw.decode("latin-1").encode(codec, "replace")


# Fields and components ------------------------------------------------------------------------------------------------------------


def _fields(draw: st.DrawFn, raw: bytes, change: Callable[[list[bytes], int], None]) -> bytes:
    """The message after a change to the fields of one segment, at one of them."""
    lines = raw.split(b"\r")
    line = _at(draw, len(lines))
    fields = lines[line].split(b"|")
    change(fields, _at(draw, len(fields)))
    lines[line] = b"|".join(fields)
    return b"\r".join(lines)


def set_field(draw: st.DrawFn, raw: bytes) -> bytes:
    value = draw(st.sampled_from(VALUES))
    return _fields(draw, raw, lambda fields, at: fields.__setitem__(at, value))


def set_what_is_read(draw: st.DrawFn, raw: bytes) -> bytes:
    """A field, or one of its components, in a place where a reader looks."""
    places: list[tuple[int, int]] = []
    lines = raw.split(b"\r")
    for number, line in enumerate(lines):
        places += [(number, field) for name, field in READ if line.startswith(name.encode())]
    if not places:
        return raw
    number, field = draw(st.sampled_from(places))
    value = draw(st.sampled_from(VALUES) | st.sampled_from(STRANGE) | st.binary(max_size=4))
    fields = lines[number].split(b"|")
    fields += [b""] * (field + 1 - len(fields))
    parts = fields[field].split(b"^")
    rank = draw(st.integers(0, len(parts)))
    if rank == len(parts):
        fields[field] = value
    else:
        parts[rank] = draw(st.sampled_from([value, parts[rank] + value, value + parts[rank][:100]]))
        fields[field] = b"^".join(parts)
    lines[number] = b"|".join(fields)
    return b"\r".join(lines)


def set_component(draw: st.DrawFn, raw: bytes) -> bytes:
    value, separator = draw(st.sampled_from(VALUES)), draw(st.sampled_from(SEPARATORS))
    rank = draw(st.integers(0, 12))

    def change(fields: list[bytes], at: int) -> None:
        parts = fields[at].split(separator)
        parts += [b""] * (rank + 1 - len(parts))
        parts[rank] = value
        fields[at] = separator.join(parts)

    return _fields(draw, raw, change)


def shift_fields(draw: st.DrawFn, raw: bytes) -> bytes:
    if draw(st.booleans()):
        return _fields(draw, raw, lambda fields, at: fields.insert(at, b""))
    return _fields(draw, raw, lambda fields, at: fields.__delitem__(at))


def swap_fields(draw: st.DrawFn, raw: bytes) -> bytes:
    other = draw(st.integers(0, 40))

    def change(fields: list[bytes], at: int) -> None:
        fields[at], fields[other % len(fields)] = fields[other % len(fields)], fields[at]

    return _fields(draw, raw, change)


def repeat_value(draw: st.DrawFn, raw: bytes) -> bytes:
    """One field's value again and again, between separators of one sort."""
    separator, times = draw(st.sampled_from(SEPARATORS)), draw(st.sampled_from([2, 30, MANY]))
    return _fields(draw, raw, lambda fields, at: fields.__setitem__(at, separator.join([fields[at][:40]] * times)))


def many_separators(draw: st.DrawFn, raw: bytes) -> bytes:
    at = _at(draw, len(raw) + 1)
    return raw[:at] + draw(st.sampled_from([*SEPARATORS, b"\r", b"\n"])) * MANY + raw[at:]


# Segments -------------------------------------------------------------------------------------------------------------------------


def _segments(draw: st.DrawFn, raw: bytes, change: Callable[[list[bytes], int], None]) -> bytes:
    lines = raw.split(b"\r")
    change(lines, _at(draw, len(lines)))
    return b"\r".join(lines)


def delete_segment(draw: st.DrawFn, raw: bytes) -> bytes:
    return _segments(draw, raw, lambda lines, at: lines.__delitem__(at))


def repeat_segment(draw: st.DrawFn, raw: bytes) -> bytes:
    times = draw(st.sampled_from([2, 2, 3, 50, 600]))
    return _segments(draw, raw, lambda lines, at: lines.__setitem__(slice(at, at + 1), [lines[at][:2_000]] * times))


def move_segment(draw: st.DrawFn, raw: bytes) -> bytes:
    to = draw(st.integers(0, 20))
    return _segments(draw, raw, lambda lines, at: lines.insert(to, lines.pop(at)))


def rename_segment(draw: st.DrawFn, raw: bytes) -> bytes:
    name = draw(st.sampled_from(NAMES))
    return _segments(draw, raw, lambda lines, at: lines.__setitem__(at, name + lines[at][3:]))


def end_segments_otherwise(draw: st.DrawFn, raw: bytes) -> bytes:
    return raw.replace(b"\r", draw(st.sampled_from([b"\n", b"\r\n", b"\n\r", b"\r\r", b"\x85", b""])))


# Headers --------------------------------------------------------------------------------------------------------------------------


def change_separator(draw: st.DrawFn, raw: bytes) -> bytes:
    """MSH-1, or any other delimiter, everywhere or in the first segment alone."""
    old, new = draw(st.sampled_from(SEPARATORS)), bytes([draw(st.integers(0, 255))])
    head, end, rest = raw.partition(b"\r")
    return head.replace(old, new) + end + (rest.replace(old, new) if draw(st.booleans()) else rest)


def change_encoding_characters(draw: st.DrawFn, raw: bytes) -> bytes:
    characters = draw(st.binary(max_size=6) | st.text("^~\\&|#@$MA é", max_size=6).map(str.encode))
    return raw.replace(b"^~\\&", characters, 1)


def declare_charset(draw: st.DrawFn, raw: bytes) -> bytes:
    head, end, rest = raw.partition(b"\r")
    fields = head.split(b"|")
    fields += [b""] * (20 - len(fields))
    fields[draw(st.integers(14, 18))] = draw(st.sampled_from(CHARSETS))
    return b"|".join(fields) + end + rest


ALL: tuple[Damage, ...] = (
    insert_bytes, delete_bytes, repeat_bytes, swap_bytes, truncate, splice, put_before, recode,
    *[set_what_is_read] * 12, set_field, set_component, shift_fields, swap_fields, repeat_value, many_separators,
    delete_segment, repeat_segment, move_segment, rename_segment, end_segments_otherwise,
    change_separator, change_encoding_characters, declare_charset,
)  # fmt: skip
