"""Counting: what a chunk of messages adds up to. Tallies of chunks are merged in the export's order, so that the whole never depends on
who read what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

from liaison.conformance.marks import Mark
from liaison.conformance.masking import shape
from liaison.conformance.silences import SILENCES
from liaison.finding import Finding, Severity
from liaison.hl7.message import Message
from liaison.hl7.profile import Applied
from liaison.hub.contracts import Verdict

#: Examples kept of each remark.
EXAMPLES: Final = 2
#: Different codes of units, and pairs MSH-3|MSH-4, that are counted: a feed that writes rubbish must not fill the memory.
MOST_UNITS: Final = 5_000
MOST_SENDERS: Final = 100
_CONTROL_ID: Final = 60
_PLACE: Final = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+)(?:\[(\d+)\])?)?(?:\.\d+)*(?: \(.+\))?")
_GRAVE: Final = frozenset({Severity.WARNING, Severity.ERROR, Severity.FATAL})


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One message in which a remark was made, as its hospital can find it again. Of values only the shape is told."""

    file: int
    #: Position of the message in its file, from 1.
    position: int
    #: MSH-10, shortened.
    control_id: str
    #: ``PID-5 = AAAA^AAAA``; empty when the remark is about no field, or about one that is absent.
    shape: str = ""


class Remark(msgspec.Struct, kw_only=True):
    """One rule broken at one place, over all messages."""

    finding: Finding
    #: ``PID-3``, ``ZBE``, ``CDA``; empty for what is about the whole message or file.
    place: str
    #: Messages concerned.
    messages: int = 0
    examples: list[Example] = msgspec.field(default_factory=list[Example])


class KindCount(msgspec.Struct, kw_only=True):
    """The messages of one type."""

    messages: int = 0
    #: Without any warning or error.
    clean: int = 0
    verdicts: Counter[str] = msgspec.field(default_factory=Counter[str])


class FieldCount(msgspec.Struct, kw_only=True):
    """One field in the messages of one type."""

    usage: str = ""
    when: str = ""
    clause: str = ""
    label: str = ""
    #: Messages that were to value it, that valued it, that did either, and that did it wrong.
    due: int = 0
    valued: int = 0
    concerned: int = 0
    faulty: int = 0


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One message as it is counted."""

    kind: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    applied: tuple[Applied, ...]
    marks: frozenset[Mark]
    #: Code of the unit that it names; empty when it names none.
    unit: str
    #: ``MSH-3|MSH-4``.
    sender: str
    at: Example
    #: The message itself, for the shapes of examples; None when it could not be read.
    message: Message | None


class Tally:
    """Counts. Mutable; merged by :meth:`merge`."""

    def __init__(self) -> None:
        self.messages = 0
        self.kinds: dict[str, KindCount] = {}
        self.fields: dict[tuple[str, str], FieldCount] = {}
        self.remarks: dict[tuple[str, str], Remark] = {}
        #: Rule of a silence → messages that say it, messages that could.
        self.said: Counter[str] = Counter()
        self.among: Counter[str] = Counter()
        self.units: Counter[str] = Counter()
        self.senders: Counter[str] = Counter()

    def add(self, seen: Seen) -> None:
        """Count one message."""
        self.messages += 1
        kind = self.kinds.setdefault(seen.kind, KindCount())
        kind.messages += 1
        kind.verdicts[seen.verdict.value] += 1
        if not any(finding.severity in _GRAVE for finding in seen.findings):
            kind.clean += 1
        self._remark(seen)
        self._count_fields(seen)
        for silence in SILENCES:
            if silence.among in seen.marks:
                self.among[silence.rule] += 1
                if silence.said in seen.marks:
                    self.said[silence.rule] += 1
        _counted(self.units, seen.unit, 1, MOST_UNITS)
        _counted(self.senders, seen.sender, 1, MOST_SENDERS)

    def merge(self, later: Tally) -> None:
        """Add the tally of what comes after."""
        self.messages += later.messages
        for name, kind in later.kinds.items():
            mine = self.kinds.setdefault(name, KindCount())
            mine.messages += kind.messages
            mine.clean += kind.clean
            mine.verdicts.update(kind.verdicts)
        for key, field in later.fields.items():
            known = self.fields.get(key)
            if known is None:
                self.fields[key] = field
                continue
            known.due += field.due
            known.valued += field.valued
            known.concerned += field.concerned
            known.faulty += field.faulty
        for key, remark in later.remarks.items():
            before = self.remarks.get(key)
            if before is None:
                self.remarks[key] = remark
                continue
            before.messages += remark.messages
            before.examples = [*before.examples, *remark.examples][:EXAMPLES]
        self.said.update(later.said)
        self.among.update(later.among)
        for name, number in later.units.items():
            _counted(self.units, name, number, MOST_UNITS)
        for name, number in later.senders.items():
            _counted(self.senders, name, number, MOST_SENDERS)

    def note(self, finding: Finding, at: Example | None = None) -> None:
        """Count a remark that is about no single message."""
        remark = self.remarks.setdefault((finding.rule, ""), Remark(finding=finding, place=""))
        remark.messages += 1
        if at is not None and len(remark.examples) < EXAMPLES:
            remark.examples.append(at)

    def _remark(self, seen: Seen) -> None:
        told: set[tuple[str, str]] = set()
        for finding in seen.findings:
            place = place_of(finding.where)
            key = (finding.rule, place)
            if key in told:
                continue
            told.add(key)
            remark = self.remarks.get(key)
            if remark is None:
                remark = self.remarks[key] = Remark(finding=finding, place=place)
            elif _ORDER[finding.severity] > _ORDER[remark.finding.severity]:
                remark.finding = finding
            remark.messages += 1
            if len(remark.examples) < EXAMPLES:
                found = shape_at(seen.message, finding.where) if seen.message is not None else ""
                remark.examples.append(msgspec.structs.replace(seen.at, shape=found))

    def _count_fields(self, seen: Seen) -> None:
        faulty = {place_of(one.where) for one in seen.findings if one.severity in _GRAVE}
        for applied in seen.applied:
            constraint = applied.constraint
            place = constraint.place
            key = (seen.kind, place)
            field = self.fields.get(key)
            if field is None:
                field = self.fields[key] = FieldCount(
                    usage=constraint.usage.value, when=constraint.when.value, clause=constraint.clause, label=constraint.label
                )
            field.due += applied.due
            field.valued += applied.valued
            field.concerned += 1
            if place in faulty or applied.broken:
                field.faulty += 1
            faulty.discard(place)
        for place in faulty:
            if "-" in place:  # a field that no constraint names, and that a reader faults all the same
                field = self.fields.setdefault((seen.kind, place), FieldCount())
                field.concerned += 1
                field.faulty += 1


_ORDER: Final = {severity: rank for rank, severity in enumerate(Severity)}


def _counted(counter: Counter[str], name: str, number: int, most: int) -> None:
    if name and (name in counter or len(counter) < most):
        counter[name] += number


def place_of(where: str) -> str:
    """The field or segment that a finding is about: ``PID-3`` for ``PID-3[2].4``, ``CDA`` for a path in the document, else empty."""
    if where.startswith("/"):
        return "CDA"
    match = _PLACE.fullmatch(where)
    if match is None:
        return ""
    segment, _, field, _ = match.groups()
    return f"{segment}-{field}" if field else segment


def shape_at(message: Message, where: str) -> str:
    """The shape of the very repetition that a finding is about; empty for a segment, and for what is not there."""
    match = _PLACE.fullmatch(where)
    if match is None or match.group(3) is None:
        return ""
    name, occurrence, field, repetition = match.groups()
    number = int(occurrence or 1)
    segment = next((one for one in message.all(name) if one.occurrence == number), None)
    if segment is None:
        return ""
    repetitions = segment.repetitions(int(field))
    rank = int(repetition or 1)
    if name == "MSH" and int(field) <= 2:
        value = segment.raw_field(int(field))
    else:
        value = repetitions[rank - 1].raw if 0 < rank <= len(repetitions) else ""
    return f"{place_of(where)} = {shape(value)}" if value else ""


def without_repeats(findings: Iterable[Finding], applied: Iterable[Applied]) -> tuple[Finding, ...]:
    """The faults of the profile that no reader's finding says already: about the same field, or about the whole segment."""
    spoken: set[str] = set()
    untrusted: set[str] = set()
    for finding in findings:
        place = place_of(finding.where)
        spoken.add(place)
        if finding.severity is Severity.FATAL:
            untrusted.add(place.partition("-")[0])
    more: list[Finding] = []
    for one in applied:
        fault = one.fault
        segment = one.constraint.segment
        if fault is None or fault.where in spoken or segment in spoken or segment in untrusted:
            continue
        more.append(fault)
        if not one.constraint.field:
            spoken.add(segment)
    return tuple(more)


def shortened(control_id: str) -> str:
    """An MSH-10 as examples show it."""
    return control_id if len(control_id) <= _CONTROL_ID else f"{control_id[:_CONTROL_ID]}…"
