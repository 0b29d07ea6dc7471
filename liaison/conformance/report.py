"""The report of an export: what a terminal, a page and a program are shown. No value of a message is in it, only shapes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from liaison.care.units import Unit
from liaison.conformance.export import Unread
from liaison.conformance.look import UNNAMED
from liaison.conformance.masking import shape
from liaison.conformance.silences import SILENCES, Silence
from liaison.conformance.tally import Example, FieldCount, Remark, Tally
from liaison.finding import Severity
from liaison.hl7.triggers import TRIGGERS

#: Changes when a key of the JSON changes its meaning or goes.
SCHEMA: Final = 1
#: Things to do first.
FIRST: Final = 3
#: Codes of units that are listed.
_MOST_UNITS: Final = 50
#: How a unit's code is written: anything else in its place might be a name or a patient's number, and is masked.
_UNIT: Final = re.compile(r"[A-Z0-9]{1,4}|(?=[A-Z_.-]*\d)[A-Z0-9_.-]{1,6}", re.IGNORECASE)
_CLAUSE: Final = re.compile(
    r"\(([^()]*(?:§|CP \d|annexe|\btypes? |CI-SIS|volet|RNIV|table)[^()]*)\)|((?:PAM\.fr|HL7 v2\.5) §[\d.]+)"
)
_ORDER: Final = tuple(Severity)
_ZONE: Final = ZoneInfo("Europe/Paris")
_DOCUMENTS: Final = {
    "ORU^R01": "transmission d’un document",
    "MDM^T02": "transmission d’un document",
    "MDM^T10": "remplacement d’un document",
    "MDM^T04": "suppression d’un document",
}


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the export besides its messages."""

    #: Files by rank.
    names: tuple[str, ...]
    unread: tuple[Unread, ...]
    #: When its first and last messages were sent, POSIX seconds; 0 when none says.
    first: float
    last: float


class KindLine(msgspec.Struct, frozen=True, kw_only=True):
    """The messages of one type."""

    kind: str
    meaning: str
    messages: int
    #: Without any warning or error.
    clean: int
    #: Verdict of the hub → number.
    verdicts: dict[str, int]


class FieldLine(msgspec.Struct, frozen=True, kw_only=True):
    """One field in the messages of one type."""

    kind: str
    place: str
    label: str
    #: R, RE, C, O, X; empty for a field that the profile does not name.
    usage: str
    when: str
    clause: str
    #: Messages that were to value it, and that valued it.
    due: int
    valued: int
    #: Messages that did either, and those of them without a fault there.
    concerned: int
    conformant: int


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A message in which a remark was made."""

    file: str
    position: int
    control_id: str
    shape: str


class RemarkLine(msgspec.Struct, frozen=True, kw_only=True):
    """One rule broken at one place."""

    rule: str
    severity: Severity
    place: str
    #: Messages, or stays, concerned; and their share of all messages, 0 to 1.
    count: int
    share: float
    message: str
    remedy: str
    clause: str
    examples: tuple[Place, ...]


class SilenceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the feed may say: how many messages could, and how many do."""

    rule: str
    #: None when it is said at least once.
    severity: Severity | None
    message: str
    base: str
    among: int
    said: int
    remedy: str
    clause: str


class UnitLine(msgspec.Struct, frozen=True, kw_only=True):
    """A unit's code that the referential lacks; masked when it is not written as a code is."""

    code: str
    count: int


class ToDo(msgspec.Struct, frozen=True, kw_only=True):
    """One of the first things to do."""

    remedy: str
    why: str
    rule: str


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The answer in a few words."""

    #: ``conformant``, ``remarks`` or ``errors``.
    level: str
    title: str
    text: str
    first: tuple[ToDo, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report; its JSON keys are these names."""

    schema: int
    made_at: str
    summary: Summary
    files: int
    unread: tuple[Unread, ...]
    messages: int
    #: Messages without any warning or error.
    clean: int
    #: When the first and last messages were sent, ISO 8601; empty when none says.
    first: str
    last: str
    #: Pairs MSH-3|MSH-4 → messages.
    senders: dict[str, int]
    kinds: tuple[KindLine, ...]
    remarks: tuple[RemarkLine, ...]
    sequence: tuple[RemarkLine, ...]
    silences: tuple[SilenceLine, ...]
    #: None without a referential of units.
    units: tuple[UnitLine, ...] | None
    fields: tuple[FieldLine, ...]

    @property
    def has_errors(self) -> bool:
        """Whether anything is an error or worse."""
        return self.summary.level == "errors"


def report_of(
    tally: Tally, sequence: Sequence[Remark], export: Export, *, units: Mapping[str, Unit] | None, now: datetime
) -> Report:
    """The report of what was counted; ``units`` is the hospital's referential, None where there is none."""
    remarks = _remark_lines(tally.remarks.values(), tally.messages, export)
    followed = _remark_lines(sequence, tally.messages, export)
    silences = tuple(_silences(tally))
    clean = sum(kind.clean for kind in tally.kinds.values())
    return Report(
        schema=SCHEMA,
        made_at=now.astimezone(UTC).isoformat(timespec="seconds"),
        summary=_summary(tally, clean, remarks, followed, silences),
        files=len(export.names),
        unread=export.unread,
        messages=tally.messages,
        clean=clean,
        first=_iso(export.first),
        last=_iso(export.last),
        senders=dict(sorted(tally.senders.items(), key=lambda one: (-one[1], one[0]))),
        kinds=tuple(
            KindLine(
                kind=name,
                meaning=meaning_of(name),
                messages=kind.messages,
                clean=kind.clean,
                verdicts=dict(sorted(kind.verdicts.items())),
            )
            for name, kind in sorted(tally.kinds.items(), key=lambda one: (-one[1].messages, one[0]))
        ),
        remarks=remarks,
        sequence=followed,
        silences=silences,
        units=None if units is None else _unmapped(tally, units),
        fields=tuple(_field_line(kind, place, count) for (kind, place), count in sorted(tally.fields.items(), key=_field_order)),
    )


def faulty_fields(report: Report) -> list[FieldLine]:
    """The fields that are not always right, those with the most faults first."""
    faulty = (line for line in report.fields if line.conformant < line.concerned)
    return sorted(faulty, key=lambda line: (line.conformant - line.concerned, line.kind, line.place))


def meaning_of(kind: str) -> str:
    """What a type of message is called in French; empty when it has no name."""
    family, _, event = kind.partition("^")
    trigger = TRIGGERS.get(event)
    if family == "ADT" and trigger is not None:
        return trigger.meaning
    return "message illisible" if kind == UNNAMED else _DOCUMENTS.get(kind, "")


def clause_in(message: str) -> str:
    """The clause that a finding's message cites; empty when it cites none."""
    match = _CLAUSE.search(message)
    return (match.group(1) or match.group(2)) if match is not None else ""


def _remark_lines(remarks: Iterable[Remark], messages: int, export: Export) -> tuple[RemarkLine, ...]:
    """Worst first: severity, then share, then names."""
    lines = (
        RemarkLine(
            rule=remark.finding.rule,
            severity=remark.finding.severity,
            place=remark.place,
            count=remark.messages,
            share=remark.messages / messages,
            message=remark.finding.message,
            remedy=remark.finding.remedy,
            clause=clause_in(remark.finding.message),
            examples=tuple(_place(example, export) for example in remark.examples),
        )
        for remark in remarks
    )
    return tuple(sorted(lines, key=lambda line: (-_ORDER.index(line.severity), -line.count, line.rule, line.place)))


def _place(example: Example, export: Export) -> Place:
    return Place(file=export.names[example.file], position=example.position, control_id=example.control_id, shape=example.shape)


def _silences(tally: Tally) -> Iterator[SilenceLine]:
    """Every thing that the feed could say: silent ones first, worst first."""
    lines = [_silence_line(silence, tally) for silence in SILENCES if tally.among[silence.rule]]
    yield from sorted(lines, key=lambda line: -1 if line.severity is None else -_ORDER.index(line.severity) - 2)


def _silence_line(silence: Silence, tally: Tally) -> SilenceLine:
    said = tally.said[silence.rule]
    return SilenceLine(
        rule=silence.rule,
        severity=None if said else silence.severity,
        message=silence.message,
        base=silence.base,
        among=tally.among[silence.rule],
        said=said,
        remedy=silence.remedy,
        clause=silence.clause,
    )


def _unmapped(tally: Tally, units: Mapping[str, Unit]) -> tuple[UnitLine, ...]:
    missing = [(code, count) for code, count in tally.units.items() if code not in units]
    missing.sort(key=lambda one: (-one[1], one[0]))
    return tuple(
        UnitLine(code=code if _UNIT.fullmatch(code) else shape(code), count=count) for code, count in missing[:_MOST_UNITS]
    )


def _field_order(item: tuple[tuple[str, str], FieldCount]) -> tuple[str, str, int]:
    (kind, place), _ = item
    segment, _, field = place.partition("-")
    return kind, segment, int(field or 0)


def _field_line(kind: str, place: str, count: FieldCount) -> FieldLine:
    return FieldLine(
        kind=kind,
        place=place,
        label=count.label,
        usage=count.usage,
        when=count.when,
        clause=count.clause,
        due=count.due,
        valued=count.valued,
        concerned=count.concerned,
        conformant=count.concerned - count.faulty,
    )


def _summary(
    tally: Tally, clean: int, remarks: Sequence[RemarkLine], sequence: Sequence[RemarkLine], silences: Sequence[SilenceLine]
) -> Summary:
    total = tally.messages
    lost = sum(kind.verdicts["quarantined"] for kind in tally.kinds.values())
    ranked = sorted((*remarks, *sequence), key=lambda line: (-_ORDER.index(line.severity), -line.count))
    worst = ranked[0].severity if ranked else Severity.INFORMATION
    said = f"Sans erreur ni avertissement : {number(clean)} sur {number(total)} ({percent(clean, total)})."
    if worst in (Severity.FATAL, Severity.ERROR):
        level, title = "errors", "Des erreurs sont à corriger avant l’ouverture du flux"
        if lost:
            said += f" Non compris, et donc sans effet : {number(lost)}."
        else:
            said += " Tous seraient compris."
    elif worst is Severity.WARNING or any(line.severity is Severity.WARNING for line in silences):
        level, title = "remarks", "Le flux est compris ; des écarts restent à corriger"
        said += " Aucune erreur : la marche à blanc peut commencer."
    else:
        level, title = "conformant", "Le flux est conforme à ce qui est vérifié ici"
        said += " La marche à blanc peut commencer."
    return Summary(level=level, title=title, text=said, first=tuple(_first(ranked, silences, total)))


def _first(ranked: Sequence[RemarkLine], silences: Sequence[SilenceLine], total: int) -> Iterator[ToDo]:
    """The first things to do: what is worst and commonest, each remedy once; then what is never said."""
    told: set[str] = set()
    for line in ranked:
        if line.severity is not Severity.INFORMATION and line.remedy and line.remedy not in told and len(told) < FIRST:
            told.add(line.remedy)
            count = f"{number(line.count)} fois ({percent(line.count, total)} des messages)"
            yield ToDo(remedy=line.remedy, why=f"{line.message} {count}.", rule=line.rule)
    for silence in silences:
        if silence.severity is Severity.WARNING and len(told) < FIRST:
            told.add(silence.remedy)
            yield ToDo(
                remedy=silence.remedy,
                why=f"Jamais dit, sur {number(silence.among)} {silence.base} : {silence.message}",
                rule=silence.rule,
            )


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, _ZONE).isoformat(timespec="minutes") if at else ""


def percent(part: int, whole: int) -> str:
    """``12,5 %``: one decimal, never rounded to none or to all."""
    if not whole or part in (0, whole):
        return "0 %" if not part else "100 %"
    share = min(max(100 * part / whole, 0.1), 99.9)
    return f"{share:.1f}".replace(".", ",") + " %"


def number(value: int) -> str:
    """``1 234`` with the narrow space of French numbers."""
    return f"{value:,}".replace(",", "\u202f")
