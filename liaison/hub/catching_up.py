"""Catching up: whoever is enrolled during or after a stay is told what the journal knows of it, once, in order, marked as such."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from liaison.care.effects import StayStatus
from liaison.hub.journal.queries import event_id
from liaison.hub.journal.records import EventRefs, Key, PatientRecord, Record, from_microseconds, microseconds
from liaison.hub.journal.view import Moment, View
from liaison.hub.outbox import Outbox
from liaison.hub.policy import Policy
from liaison.private import Private
from liaison.rules.decision import Decision, Objection, Outcome
from liaison.rules.gates.followed import CATCH_UP, Followed, opens
from liaison.rules.golive import kept_in
from liaison.rules.routing import decide_event, followed_destinations

#: Events that one patient's catching up tells at most, the newest.
MOST: Final = 500
#: Stays that are under way are told whatever their age.
_UNDER_WAY: Final = frozenset({StayStatus.PREADMITTED, StayStatus.PRESENT})


class CaughtUp(Private, frozen=True, kw_only=True):
    """What was put under way."""

    told: int = 0
    #: Lanes that have work now: destination, patient.
    wake: tuple[tuple[str, int], ...] = ()


class CatchUp(Private, frozen=True, kw_only=True):
    """Tell the destinations that a patient's new enrolments open what is known of their current and recent stays.

    Until then the intake tells these destinations nothing, so that nothing is told twice or out of order. While a source is being
    loaded it waits: what was loaded is told when the source is live.
    """

    patient: int
    policy: Policy
    #: What these destinations were given already: destination, message, ordinal.
    given: frozenset[tuple[str, int, int]]
    #: Microseconds: no list tells of what is older, but for stays that are under way.
    oldest: int

    def needs(self, view: View) -> Iterable[Key]:
        """The patient and those merged into them, their stays and documents, the events about these, the lanes."""
        own: Key = ("patient", self.patient)
        yield own
        if not view.knows(own) or (patient := view.patient(self.patient)) is None:
            return
        for number in patient.numbers:
            yield ("patient", number)
            yield ("stays", number)
            yield ("documents", number)
            for destination in self.policy.destinations:
                yield ("lane", number, destination)
            if view.knows(("stays", number)):
                yield from (("stay", stay) for stay in view.stays_of(number))
            if view.knows(("documents", number)):
                yield from (("document", document) for document in view.documents_of(number))
        events = _history(view, patient, since=self.oldest)
        yield from (("event", message, ordinal) for message, ordinal in events)

    def decide(self, view: View, moment: Moment) -> tuple[CaughtUp, tuple[Record, ...]]:
        """What is told now; from here on the intake tells what comes."""
        patient = view.patient(self.patient)
        beginning = () if patient is None else tuple(one for one in patient.follows if self._begins(one, moment.now_us))
        if patient is None or not beginning:
            return CaughtUp(), ()
        follows = tuple(replace(one, begun=True) if one in beginning else one for one in patient.follows)
        after = replace(patient, follows=follows)
        outbox = Outbox(view, moment, message=0, source="")
        missing = [(*one, view.event(*one[:2])) for one in self._missing(view, patient, beginning, moment)]
        if any(event is not None and self.policy.going_live.standing(event.source).mode == "load" for *_, event in missing):
            return CaughtUp(), ()
        for message, ordinal, destinations, event in missing:
            if event is None:
                continue
            outbox.about(message, event.source)
            for decision in decide_event(
                event.type,
                routes=self.policy.routes,
                source=event.source,
                patient=after.state,
                processing="P",
                territory=self.policy.territory,
                follows=after.follows,
                lists=self.policy.lists,
                now=moment.now_us,
            ):
                if decision.destination in destinations:
                    outbox.put(
                        kept_in(_marked(decision), self._closed(event.source, decision.destination, after)),
                        patient=after,
                        new=False,
                        kind=event.type,
                        event=event_id(message, ordinal),
                        ordinal=ordinal,
                    )
        return CaughtUp(told=len(outbox.decisions), wake=tuple(outbox.wake)), (after, *outbox.records)

    def _closed(self, source: str, destination: str, patient: PatientRecord) -> Objection | None:
        identifiers = patient.state.active_identifiers
        return self.policy.going_live.objection(
            source=source, destination=destination, recipient="", is_letter=False, identifiers=identifiers
        )

    def _missing(
        self, view: View, patient: PatientRecord, beginning: tuple[Followed, ...], moment: Moment
    ) -> Iterable[tuple[int, int, frozenset[str]]]:
        """The events that are to be told, in order, each with the destinations that were not given it."""
        wanted: dict[tuple[int, int], set[str]] = {}
        for destination in followed_destinations(self.policy.routes):
            depths = [
                self.policy.lists[one.list].catch_up
                for one in beginning
                if opens(one, self.policy.lists, destination=destination, now=moment.now_us)
            ]
            if not depths or self._told_already(patient, destination, moment.now_us):
                continue
            for message, ordinal in _history(view, patient, since=max(self.oldest, _before(moment, max(depths)))):
                if (destination, message, ordinal) not in self.given:
                    wanted.setdefault((message, ordinal), set()).add(destination)
        for message, ordinal in sorted(wanted)[-MOST:]:
            yield message, ordinal, frozenset(wanted[message, ordinal])

    def _begins(self, follow: Followed, now: int) -> bool:
        return not follow.begun and not follow.dispute and follow.since <= now and (follow.until is None or now < follow.until)

    def _told_already(self, patient: PatientRecord, destination: str, now: int) -> bool:
        """Whether an older enrolment opens the destination: then it was told as things happened."""
        return any(
            one.begun and not one.dispute and opens(one, self.policy.lists, destination=destination, now=now)
            for one in patient.follows
        )


def _history(view: View, patient: PatientRecord, *, since: int) -> EventRefs:
    """The events of the stays that are under way or were since ``since`` (microseconds), of recent documents, and of the identity.

    Looks only at what is loaded.
    """
    found: dict[tuple[int, int], None] = {}
    identity: list[tuple[int, int]] = []
    for number in patient.numbers:
        record = view.patient(number) if view.knows(("patient", number)) else None
        identity += record.events if record is not None else ()
        stays = view.stays_of(number) if view.knows(("stays", number)) else ()
        for stay in (view.stay(one) for one in stays if view.knows(("stay", one))):
            if stay is None or stay.patient != number or stay.state.status is StayStatus.CANCELLED:
                continue
            if stay.state.status in _UNDER_WAY or _recent(stay.events, since):
                found |= dict.fromkeys(stay.events)
        documents = view.documents_of(number) if view.knows(("documents", number)) else ()
        for document in (view.document(one) for one in documents if view.knows(("document", one))):
            if document is not None and _recent(document.events, since):
                found |= dict.fromkeys(document.events)
    identity.sort()
    # The last word on who they are is told however old it is.
    found |= dict.fromkeys(event for event in identity if _recent((event,), since) or event == identity[-1])
    return tuple(sorted(found))


def _recent(events: EventRefs, since: int) -> bool:
    return bool(events) and recorded_at(events[-1][0]) >= since


def recorded_at(message: int) -> int:
    """When a message was taken, in microseconds: its id says so to the millisecond."""
    return (message >> 20) * 1000


def _before(moment: Moment, depth: timedelta) -> int:
    return microseconds(from_microseconds(moment.now_us) - depth)


def _marked(decision: Decision) -> Decision:
    if decision.outcome is not Outcome.DELIVER:
        return decision
    return replace(decision, rule=CATCH_UP, reason="Le suivi du patient commence : ce qui était connu de ses séjours est dit.")
