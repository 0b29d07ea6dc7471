"""What the live page shows: the last messages, events and mails, in bounded memory, and who watches."""

from __future__ import annotations

import asyncio
import enum
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Literal, TypeAlias, cast

import msgspec

from liaison.demo import words
from liaison.demo.hospital import BY_KEY, HOSPITALS
from liaison.demo.mail import MailView
from liaison.events.types import NAMES, TYPES
from liaison.private import Private

#: How many of each are kept.
MESSAGES, PATIENTS, EVENTS_PER_PATIENT, MAILS = 300, 80, 12, 120
#: A watcher that is this many changes behind is told to load the page again.
_BEHIND = 400

Json: TypeAlias = Mapping[str, Any]

_HOSPITAL_BY_FINESS = {hospital.finess: hospital.short for hospital in HOSPITALS}


class MessageView(Private, frozen=True, kw_only=True):
    """One message of the feed, and what the hub made of it: ``explanation`` is the object of ``liaison explain --json``."""

    number: int
    at: datetime
    source: str
    kind: str
    control_id: str
    patient: str
    raw: bytes
    explanation: Json

    @property
    def title(self) -> str:
        """The document's title, else what the trigger is called."""
        documents: list[Json] = self.explanation.get("documents") or [{}]
        return str(documents[0].get("title") or "") or words.title(self.kind)

    @property
    def hospital(self) -> str:
        found = BY_KEY.get(self.source)
        return found.short if found else self.source or "Autre émetteur"

    @property
    def verdict(self) -> str:
        return str(self.explanation.get("verdict", ""))

    @property
    def findings(self) -> list[Json]:
        return list(self.explanation.get("findings") or ())

    @property
    def decisions(self) -> list[Json]:
        return list(self.explanation.get("decisions") or ())

    def count(self, outcome: str) -> int:
        return sum(decision.get("outcome") == outcome for decision in self.decisions)


class EventView(Private, frozen=True, kw_only=True):
    """One CloudEvent as the platform received it."""

    at: datetime
    event: Json

    @property
    def label(self) -> str:
        return event_label(str(self.event.get("type", "")))

    @property
    def detail(self) -> str:
        """The unit where the patient is, or the document's title."""
        data = _mapping(self.event.get("data"))
        unit = _mapping(_mapping(data.get("stay")).get("place")).get("uf_medical_label")
        return str(unit or _mapping(data.get("document")).get("title") or "")

    @property
    def amends(self) -> str:
        """``correction`` or ``cancellation`` when the event undoes another."""
        return str(_mapping(self.event.get("data")).get("amends") or "")

    @property
    def thing(self) -> str:
        """``stay``, ``identity``, ``document``…"""
        return NAMES.get(str(self.event.get("type", "")), "").partition(".")[0]

    @property
    def place(self) -> str:
        finess = str(self.event.get("source", "")).rpartition(":")[2]
        return _HOSPITAL_BY_FINESS.get(finess, finess)

    @property
    def time(self) -> datetime | None:
        """When it happened in the ward."""
        try:
            return datetime.fromisoformat(str(self.event.get("time", "")))
        except ValueError:
            return None


class Timeline(Private, frozen=True, kw_only=True):
    """One patient as the coordinator sees them: newest events first."""

    subject: str
    patient: str
    events: tuple[EventView, ...]
    total: int


Change: TypeAlias = tuple[Literal["message"], MessageView] | tuple[Literal["patient"], Timeline] | tuple[Literal["mail"], MailView]


class Notice(enum.Enum):
    """Something to a watcher only."""

    RELOAD = "reload"  #: it missed something
    STOP = "stop"  #: the page is closing


class Scene:
    """Everything that happened lately. Not thread-safe: one event loop owns it."""

    def __init__(self) -> None:
        self.messages: deque[MessageView] = deque(maxlen=MESSAGES)
        self.timelines: OrderedDict[str, Timeline] = OrderedDict()
        self.mails: deque[MailView] = deque(maxlen=MAILS)
        self.counts = {"messages": 0, "events": 0, "mails": 0, "held": 0}
        self._watchers: set[asyncio.Queue[Change | Notice]] = set()

    def record_message(self, explanation: Json, raw: bytes, source: str, at: datetime) -> MessageView:
        """A message that the hub committed."""
        self.counts["messages"] += 1
        heading = words.heading(raw)
        view = MessageView(
            number=self.counts["messages"],
            at=at,
            source=source,
            kind=heading.kind or str(explanation.get("kind", "")),
            control_id=heading.control_id or str(explanation.get("control_id", "")),
            patient=heading.patient or patient_name(explanation),
            raw=raw,
            explanation=explanation,
        )
        self.counts["held"] += view.count("hold")
        self.messages.appendleft(view)
        self._tell(("message", view))
        return view

    def record_event(self, event: Json, at: datetime) -> Timeline:
        """A CloudEvent that the platform took."""
        self.counts["events"] += 1
        subject = str(event.get("subject", ""))
        before = self.timelines.pop(subject, None)
        view = EventView(at=at, event=event)
        events = (view, *(before.events if before else ()))[:EVENTS_PER_PATIENT]
        name = patient_name(event.get("data")) or (before.patient if before else "")
        timeline = Timeline(subject=subject, patient=name, events=events, total=(before.total if before else 0) + 1)
        self.timelines[subject] = timeline
        while len(self.timelines) > PATIENTS:
            self.timelines.popitem(last=False)
        self._tell(("patient", timeline))
        return timeline

    def record_mail(self, mail: MailView) -> MailView:
        """A mail that reached the mailbox; returned with its number."""
        self.counts["mails"] += 1
        numbered = msgspec.structs.replace(mail, number=self.counts["mails"])
        self.mails.appendleft(numbered)
        self._tell(("mail", numbered))
        return numbered

    def message(self, number: int) -> MessageView | None:
        return next((view for view in self.messages if view.number == number), None)

    def mail(self, number: int) -> MailView | None:
        return next((mail for mail in self.mails if mail.number == number), None)

    @asynccontextmanager
    async def watch(self) -> AsyncGenerator[asyncio.Queue[Change | Notice]]:
        """Changes from now on."""
        queue: asyncio.Queue[Change | Notice] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            yield queue
        finally:
            self._watchers.discard(queue)

    def close(self) -> None:
        """Send the watchers home."""
        for queue in self._watchers:
            queue.put_nowait(Notice.STOP)

    def _tell(self, change: Change) -> None:
        for queue in self._watchers:
            if queue.qsize() < _BEHIND:
                queue.put_nowait(change)
            elif queue.qsize() == _BEHIND:
                queue.put_nowait(Notice.RELOAD)


def event_label(cloud_type: str) -> str:
    """What an event is called in French, from its CloudEvents type; the type itself when it is not ours."""
    return TYPES[NAMES[cloud_type]].french if cloud_type in NAMES else cloud_type


def patient_name(data: object) -> str:
    """The patient's name in an event's data, wherever its traits stand; empty when the event names nobody."""
    top = _mapping(data)
    for candidate in (top, _mapping(top.get("patient")), _mapping(top.get("identity"))):
        traits = _mapping(candidate.get("traits")) or candidate
        if family := traits.get("used_name") or traits.get("birth_name"):
            given = traits.get("used_given_name") or traits.get("first_given_name") or ""
            return f"{family} {str(given).title()}".strip()
    return ""


def _mapping(value: object) -> Json:
    return cast(Json, value) if isinstance(value, Mapping) else {}
