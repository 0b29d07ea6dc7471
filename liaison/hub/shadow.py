"""The report of a shadow run: what would have left, been held or been dropped, and what to look at before going live.

Counts, rules and unit codes only: nothing in a report names a person or an address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta, tzinfo
from typing import Final, TypeAlias

import msgspec

from liaison.events.types import TYPES
from liaison.finding import Finding, Severity
from liaison.hub.contracts import Verdict
from liaison.hub.journal.shadow import KeptEvent, KeptMessage
from liaison.hub.outbox import Decided
from liaison.private import Private
from liaison.rules.decision import Decision, Outcome

#: Events of a document that is there to be read.
_DOCUMENTS: Final = frozenset({"document.published", "document.replaced"})


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """So many decisions alike, in one day."""

    day: str
    source: str
    destination: str
    #: Event type, or type code of a document.
    about: str
    #: ``deliver``, ``hold`` or ``drop``: what would have happened had all been live.
    outcome: str
    rule: str
    #: For a letter, which of the route's ``recipients`` it serves.
    recipients: str
    number: int


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """Something to look at before going live."""

    source: str
    #: ``quarantined``, ``held``, ``nobody``, ``late``, ``test-message``, ``unrouted``, ``no-letter``, ``silent-day``.
    what: str
    #: The rule, the type code or the day that it is about; empty for none.
    detail: str
    number: int


class UnitLine(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard of a unit (medical responsibility, else lodging)."""

    source: str
    unit: str
    admissions: int
    discharges: int
    #: Stays of the unit about which a document came.
    with_letter: int
    #: Stays that ended there about which none came.
    without_letter: int


class ShadowReport(msgspec.Struct, frozen=True, kw_only=True):
    """What ``liaison shadow --json`` prints."""

    #: First and last day that something was kept in; null for none.
    first: str | None
    last: str | None
    #: Source → verdict → messages that were taken in shadow.
    messages: dict[str, dict[str, int]]
    #: Messages of live sources of which something was kept in: observed letters, destinations under test.
    of_live_sources: int
    lines: tuple[Line, ...]
    remarks: tuple[Remark, ...]
    units: tuple[UnitLine, ...]


class _Number(Private, frozen=True, kw_only=True):
    authority: str = ""
    value: str = ""


class _Place(Private, frozen=True, kw_only=True):
    uf_lodging: str = ""
    uf_medical: str = ""


class _Venue(Private, frozen=True, kw_only=True):
    visit: _Number = _Number()
    place: _Place = _Place()


class _Letter(Private, frozen=True, kw_only=True):
    type_code: str = ""


class _Data(Private, frozen=True, kw_only=True):
    stay: _Venue | None = None
    visit: _Number | None = None
    document: _Letter | None = None


class _Body(Private, frozen=True, kw_only=True):
    """What the report looks at in an event."""

    data: _Data


_findings = msgspec.json.Decoder(tuple[Finding, ...]).decode
_decisions = msgspec.json.Decoder(tuple[Decided, ...]).decode
_body = msgspec.json.Decoder(_Body).decode

_Visit: TypeAlias = tuple[str, str, str]


class ShadowTally:
    """Counts messages one after another, then tells the report. ``zone_of`` tells in whose days a source counts."""

    def __init__(self, zone_of: Callable[[str], tzinfo]) -> None:
        self._zone_of = zone_of
        self._lines: Counter[tuple[str, str, str, str, str, str, str]] = Counter()
        self._remarks: Counter[tuple[str, str, str]] = Counter()
        self._verdicts: dict[str, Counter[str]] = {}
        self._days: dict[str, set[date]] = {}
        self._of_live = 0
        self._admitted: Counter[tuple[str, str]] = Counter()
        #: Visit → the unit that it ended in; visits about which a document came.
        self._unit_of: dict[_Visit, str] = {}
        self._ended: dict[_Visit, str] = {}
        self._written: set[_Visit] = set()

    def add(self, message: KeptMessage) -> None:
        """One more message."""
        day = message.received_at.astimezone(self._zone_of(message.source)).date()
        self._days.setdefault(message.source, set()).add(day)
        decisions = _decisions(message.decisions) if message.decisions else ()
        if message.in_shadow:
            self._verdicts.setdefault(message.source, Counter())[message.verdict] += 1
            self._quarantined(message)
            for event in message.events:
                self._event(message.source, event, {one.about for one in decisions})
        else:
            self._of_live += 1
        for decided in decisions:
            # Of a live source only what was kept in is told: the rest left, and is in the journal.
            if message.in_shadow or decided.decision.would is not None:
                self._decided(message.source, day, decided.about, decided.decision)

    def report(self) -> ShadowReport:
        """What was counted so far."""
        days = sorted(day for each in self._days.values() for day in each)
        for visit in self._ended:
            if visit not in self._written:
                self._remarks[visit[0], "no-letter", ""] += 1
        for source, heard in self._days.items():
            for day in _between(min(heard), max(heard)):
                if day not in heard and source in self._verdicts:
                    self._remarks[source, "silent-day", day.isoformat()] += 1
        return ShadowReport(
            first=days[0].isoformat() if days else None,
            last=days[-1].isoformat() if days else None,
            messages={source: dict(sorted(counts.items())) for source, counts in sorted(self._verdicts.items())},
            of_live_sources=self._of_live,
            lines=tuple(
                Line(
                    day=day,
                    source=source,
                    destination=destination,
                    about=about,
                    outcome=outcome,
                    rule=rule,
                    recipients=recipients,
                    number=number,
                )
                for (day, source, destination, about, outcome, rule, recipients), number in sorted(self._lines.items())
            ),
            remarks=tuple(
                Remark(source=source, what=what, detail=detail, number=number)
                for (source, what, detail), number in sorted(self._remarks.items())
            ),
            units=tuple(self._units()),
        )

    def _quarantined(self, message: KeptMessage) -> None:
        if message.verdict == Verdict.QUARANTINED:
            fatal = [one.rule for one in _findings(message.findings) if one.severity is Severity.FATAL]
            self._remarks[message.source, "quarantined", fatal[-1] if fatal else ""] += 1

    def _decided(self, source: str, day: date, about: str, decision: Decision) -> None:
        outcome = decision.outcome if decision.would is None else decision.would.outcome
        rule = decision.rule if decision.would is None else decision.would.rule
        self._lines[day.isoformat(), source, decision.destination, about, str(outcome), rule, decision.kind] += 1
        if rule == "recipient.nobody":
            self._remarks[source, "nobody", about] += 1
        elif outcome is Outcome.HOLD:
            self._remarks[source, "held", rule] += 1
        elif rule == "golive.late":
            self._remarks[source, "late", ""] += 1
        elif rule == "routing.test-message":
            self._remarks[source, "test-message", ""] += 1

    def _event(self, source: str, event: KeptEvent, decided: set[str]) -> None:
        data = _body(event.body).data
        if event.type in _DOCUMENTS:
            if data.visit is not None:
                self._written.add((source, data.visit.authority, data.visit.value))
            if data.document is not None and not decided - TYPES.keys():
                self._remarks[source, "unrouted", data.document.type_code] += 1
        elif data.stay is not None:
            visit = (source, data.stay.visit.authority, data.stay.visit.value)
            unit = data.stay.place.uf_medical or data.stay.place.uf_lodging
            self._unit_of[visit] = unit
            if event.type == "stay.discharged":
                self._ended[visit] = unit
            else:
                self._admitted[source, unit] += 1

    def _units(self) -> Iterator[UnitLine]:
        written = Counter((visit[0], unit) for visit, unit in self._unit_of.items() if visit in self._written)
        ended = Counter((visit[0], unit) for visit, unit in self._ended.items())
        without = Counter((visit[0], unit) for visit, unit in self._ended.items() if visit not in self._written)
        for source, unit in sorted(self._admitted.keys() | written.keys() | ended.keys()):
            yield UnitLine(
                source=source,
                unit=unit,
                admissions=self._admitted[source, unit],
                discharges=ended[source, unit],
                with_letter=written[source, unit],
                without_letter=without[source, unit],
            )


def _between(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)
