"""One ER7 message, read lazily: splitting into segments is all that parsing does, the rest happens when a value is asked for.

Nothing here knows what a segment means. Values are identity and health data: no repr shows any.
"""

from __future__ import annotations

from typing import Final, final

from liaison.finding import Finding
from liaison.hl7.charset import CharsetReading, decode, read_charset
from liaison.hl7.delimiters import Delimiters, read_delimiters
from liaison.hl7.escapes import unescape
from liaison.hl7.lines import MAX_SEGMENTS, SEVERAL_MESSAGES, bounds, careful_lines, first_line_end, too_many_segments

#: The HL7 null: the sender deletes the value (HL7 v2.5 §2.5.3). An empty field leaves it as it was.
NULL: Final = '""'

#: Bounds on what one segment may make us build.
MAX_FIELDS = 1_000
MAX_REPETITIONS = 10_000
MAX_COMPONENTS = 1_000
_HEADERS = frozenset({"MSH", "FHS", "BHS"})


@final
class Repetition:
    """One repetition of a field."""

    __slots__ = ("_codec", "_components", "_delimiters", "_segment", "field", "index", "raw")

    def __init__(self, segment: Segment, field: int, index: int, raw: str, delimiters: Delimiters, codec: str) -> None:
        self._segment = segment
        self._delimiters = delimiters
        self._codec = codec
        self._components: list[str] | None = None
        self.field = field
        #: 1 for the first.
        self.index = index
        #: As in the message, nothing unescaped.
        self.raw = raw

    def component(self, n: int, subcomponent: int = 1) -> str:
        """The unescaped value, empty when absent."""
        delimiters = self._delimiters
        parts = self._components
        if parts is None:
            parts = self._components = self.raw.split(delimiters.component, MAX_COMPONENTS)
        if n > len(parts):
            return ""
        text = parts[n - 1]
        if subcomponent > 1 or delimiters.subcomponent in text:
            text = _part(text, delimiters.subcomponent, subcomponent)
        return unescape(text, delimiters, self._codec) if delimiters.escape in text else text

    @property
    def components(self) -> int:
        """How many components are written."""
        return self.raw.count(self._delimiters.component) + 1 if self.raw else 0

    @property
    def is_null(self) -> bool:
        """Whether the sender deletes the field: the first component is the HL7 null and nothing follows it."""
        return self.raw == NULL

    @property
    def where(self) -> str:
        """``PID-3[2]``; the first repetition is plain ``PID-3``."""
        return self._segment.where(self.field, repetition=self.index)

    def __repr__(self) -> str:
        return f"<Repetition {self.where}>"


@final
class Segment:
    """One segment. Fields are numbered as in the standard; in MSH, field 1 is the separator itself."""

    __slots__ = ("_codec", "_delimiters", "_fields", "_line", "name", "occurrence", "position")

    def __init__(self, line: str, position: int, occurrence: int, delimiters: Delimiters, codec: str) -> None:
        self.name = line[:3]
        #: 1-based, in the message.
        self.position = position
        #: 1-based, among the segments of the same name.
        self.occurrence = occurrence
        self._line = line
        self._fields: list[str] | None = None
        self._delimiters = delimiters
        self._codec = codec

    def value(self, field: int, component: int = 1, subcomponent: int = 1, repetition: int = 1) -> str:
        """The unescaped value; empty when absent, the two characters ``""`` when the sender deletes it."""
        fields = self._fields or self._split()
        if field >= len(fields):
            return ""
        text = fields[field]
        if not text or (field <= 2 and self.name in _HEADERS):
            return text
        delimiters = self._delimiters
        if repetition > 1 or delimiters.repetition in text:
            text = _part(text, delimiters.repetition, repetition)
        if component > 1 or delimiters.component in text:
            text = _part(text, delimiters.component, component)
        if subcomponent > 1 or delimiters.subcomponent in text:
            text = _part(text, delimiters.subcomponent, subcomponent)
        return unescape(text, delimiters, self._codec) if delimiters.escape in text else text

    def repetitions(self, field: int) -> tuple[Repetition, ...]:
        """The repetitions of a field, empty ones included; none for an absent or empty field."""
        fields = self._fields or self._split()
        text = fields[field] if field < len(fields) else ""
        if not text:
            return ()
        if self._delimiters.repetition not in text:
            return (Repetition(self, field, 1, text, self._delimiters, self._codec),)
        parts = text.split(self._delimiters.repetition, MAX_REPETITIONS)
        return tuple(Repetition(self, field, index, part, self._delimiters, self._codec) for index, part in enumerate(parts, 1))

    def raw_field(self, field: int) -> str:
        """The field exactly as written, repetitions and escapes included."""
        fields = self._fields or self._split()
        return fields[field] if field < len(fields) else ""

    def raw_component(self, field: int, component: int) -> str:
        """A component of the first repetition as written: for large encapsulated data, which has nothing to unescape."""
        delimiters = self._delimiters
        return _part(_part(self.raw_field(field), delimiters.repetition, 1), delimiters.component, component)

    @property
    def raw(self) -> str:
        """The segment exactly as written, without its end."""
        if self._fields is None:
            return self._line
        fields = self._fields
        if self.name in _HEADERS:
            fields = [fields[0], *fields[2:]]
        return self._delimiters.field.join(fields)

    @property
    def field_count(self) -> int:
        """The number of the last field written."""
        return len(self._fields or self._split()) - 1

    def where(self, field: int = 0, component: int = 0, repetition: int = 1) -> str:
        """The place of a field in a finding's words: ``PID-3[2].4``, ``OBX[3]-5`` in the third OBX, ``ZBE``."""
        place = self.name if self.occurrence == 1 else f"{self.name}[{self.occurrence}]"
        if field:
            place += f"-{field}" if repetition == 1 else f"-{field}[{repetition}]"
        return f"{place}.{component}" if component else place

    def _split(self) -> list[str]:
        separator = self._delimiters.field
        fields = self._line.split(separator, MAX_FIELDS)
        if self.name in _HEADERS:
            fields.insert(1, separator)
        self._fields = fields
        self._line = ""  # the fields hold the same characters: a large document is not kept twice
        return fields

    def __repr__(self) -> str:
        return f"<Segment {self.name} at {self.position}>"


@final
class Message:
    """One message as it came, and what was noticed while reading its frame."""

    __slots__ = ("_lines", "_segments", "_start", "_stop", "charset", "delimiters", "findings", "raw")

    def __init__(self, raw: bytes, start: int, stop: int, delimiters: Delimiters, charset: CharsetReading,
                 lines: list[str], findings: tuple[Finding, ...]) -> None:  # fmt: skip
        #: The very bytes given to parse.
        self.raw = raw
        self.delimiters = delimiters
        self.charset = charset
        self.findings = findings
        self._start = start
        self._stop = stop
        self._lines = lines
        self._segments: tuple[Segment, ...] | None = None

    @classmethod
    def parse(cls, raw: bytes, *, charset: str = "") -> Message:
        """Read one message; ``charset`` stands for what MSH-18 says. Raises NotHl7 when there is no usable MSH, and for nothing else."""
        start, stop, findings = bounds(raw)
        end = first_line_end(raw, start, stop)
        header = raw[start:end].decode("latin-1")
        separator = header[3:4]
        second = header.find(separator, 4) if separator else -1
        delimiters, faults = read_delimiters(separator, header[4:second] if second > 0 else header[4:9])
        fields = header.split(separator, 20)
        fields.insert(1, separator)
        body = raw[start:stop]
        found, more = read_charset(body, fields, delimiters.repetition, charset)
        findings += faults + more
        text = decode(body, found.name)
        lines = text.split("\r", MAX_SEGMENTS)
        if not lines[-1]:
            lines.pop()
        # Well-formed lines are taken as they are; anything else goes the careful way.
        for line in lines:
            if line[3:4] != separator or "\n" in line or not line[:3].isupper():
                lines, faults = careful_lines(text, separator)
                findings += faults
                break
        if any(line.startswith("MSH") for line in lines[1:]):
            findings += (SEVERAL_MESSAGES,)
        if len(lines) > MAX_SEGMENTS:
            raise too_many_segments()
        return cls(raw, start, stop, delimiters, found, lines, findings)

    @property
    def text(self) -> str:
        """The message as text, from MSH to the last segment's end; decoded anew each time."""
        return decode(self.raw[self._start : self._stop], self.charset.name)

    @property
    def envelope(self) -> tuple[bytes, bytes]:
        """The bytes before and after the text: a BOM, noise, a frame's ends."""
        return self.raw[: self._start], self.raw[self._stop :]

    @property
    def segments(self) -> tuple[Segment, ...]:
        """All segments in order."""
        if self._segments is None:
            counts: dict[str, int] = {}
            delimiters, codec = self.delimiters, self.charset.name
            segments: list[Segment] = []
            for position, line in enumerate(self._lines, 1):
                name = line[:3]
                counts[name] = occurrence = counts.get(name, 0) + 1
                segments.append(Segment(line, position, occurrence, delimiters, codec))
            self._segments = tuple(segments)
            self._lines = []
        return self._segments

    def first(self, name: str) -> Segment | None:
        """The first segment of that name."""
        for segment in self.segments:
            if segment.name == name:
                return segment
        return None

    def all(self, name: str) -> tuple[Segment, ...]:
        """All segments of that name."""
        return tuple(segment for segment in self.segments if segment.name == name)

    @property
    def header(self) -> Segment:
        """MSH."""
        return self.segments[0]

    def __repr__(self) -> str:
        return f"<Message of {len(self.raw)} bytes, {len(self.segments)} segments>"


def _part(text: str, separator: str, n: int) -> str:
    """The ``n``-th part of ``text``; what follows it is not cut up."""
    parts = text.split(separator, n)
    return parts[n - 1] if n <= len(parts) else ""
