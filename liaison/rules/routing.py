"""Routing: which destinations an event or a document goes to, and the decision for each event. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from liaison.rules.decision import Decision, Objection, Outcome, Owner
from liaison.rules.gates.followed import NOT_FOLLOWED, Followed, FollowList, not_followed
from liaison.rules.gates.identity import PatientView, doubtful_identity

_CACHE = 4096
NO_LISTS: Mapping[str, FollowList] = {}
_WAIT = re.compile(r"([0-9]{1,5}) ?([smh])")
_UNITS = {"s": 1, "m": 60, "h": 3600}
#: A letter is of use today.
LONGEST_WAIT = 24 * 3600.0


class Route(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """One ``[[routes]]`` table: what goes where. Empty ``sources`` means every source."""

    #: Event types that this route takes: exact (``stay.admitted``), a whole family (``stay.*``), or everything (``*``).
    events: tuple[str, ...] = ()
    #: Document type codes (LOINC, JDV_J07) that this route takes, or ``*``.
    documents: tuple[str, ...] = ()
    #: Key of the destination in ``[destinations.…]``.
    to: str
    #: Who gets a letter: ``named`` (whom the message names, PRT RCT), ``treating-physician`` (ROL ODRP), ``referrer`` (PV1-8, ROL RP and RT)
    #: and ``destination-structure`` (PV1-37), the last three at the directory's address.
    recipients: tuple[str, ...] = ()
    #: For whom events are told (partage): ``followed`` patients only, or ``all``. Letters (échange) do not look at it.
    patients: Literal["followed", "all"] = "followed"
    #: Legal basis, in words, of ``patients = "all"``.
    basis: str = ""
    #: Keys of the sources that this route listens to; empty for all.
    sources: tuple[str, ...] = ()
    #: Whether events older than their source's ``late_after`` go there too, as ``historic``: for a destination that keeps a state.
    late: bool = False
    #: Codes of the units (UF) whose letters this route takes; empty for all.
    units: tuple[str, ...] = ()
    #: Whether it takes letters of the units that the referential calls sensitive; without such a route they are held.
    sensitive: bool = False
    #: How long a letter waits for its next version before it leaves: ``10m``, ``90s``, ``2h``. A version that comes meanwhile leaves alone.
    wait: str = ""

    @property
    def wait_seconds(self) -> float:
        """``wait`` in seconds. Raises ValueError when it is not written so."""
        return _seconds(self.wait) if self.wait else 0.0


@functools.lru_cache(maxsize=_CACHE)
def routes_for_event(routes: tuple[Route, ...], event_type: str, source: str) -> tuple[Route, ...]:
    """The routes, in their order, that take an event of this type (``stay.admitted``) from this source."""
    return tuple(route for route in routes if _listens(route, source) and takes_event(route, event_type))


@functools.lru_cache(maxsize=_CACHE)
def routes_for_document(routes: tuple[Route, ...], type_code: str, source: str, unit: str = "") -> tuple[Route, ...]:
    """The routes, in their order, that take a document of this type code from this source and unit."""
    return tuple(
        route
        for route in routes
        if _listens(route, source)
        and ("*" in route.documents or type_code in route.documents)
        and (not route.units or unit in route.units)
    )


def leaves_production(processing: str, territory: str) -> Objection | None:
    """Keep in what a sender does not send as production (MSH-11, table 0103) in a production territory.

    T and D are dropped. What the table does not know is held: nobody can tell whether it is a test, and MSH-11 is required
    (HL7 v2.5 §2.15.9.11). An absent one reads as P. In a test territory every destination is one for tests.
    """
    if territory != "production" or processing == "P":
        return None
    if processing in ("T", "D"):
        return Objection(
            outcome=Outcome.DROP,
            reason=f"Message d'essai (MSH-11 = {processing}) : rien n'en sort vers une destination de production.",
            rule="routing.test-message",
        )
    return _PROCESSING_UNKNOWN


@functools.lru_cache(maxsize=64)
def followed_destinations(routes: tuple[Route, ...]) -> tuple[str, ...]:
    """The destinations that are told of followed patients only; empty when no route asks who is followed."""
    return tuple(dict.fromkeys(route.to for route in routes if route.events and route.patients == "followed"))


def decide_event(
    event_type: str,
    *,
    routes: tuple[Route, ...],
    source: str,
    patient: PatientView,
    processing: str,
    territory: str,
    late: Objection | None = None,
    follows: tuple[Followed, ...] = (),
    lists: Mapping[str, FollowList] = NO_LISTS,
    now: int = 0,
) -> tuple[Decision, ...]:
    """One decision for each destination that a route leads this event to.

    ``event_type`` is the change's own (``stay.admitted``), ``processing`` MSH-11, ``territory`` ``test`` or ``production``; ``late``
    is what speaks against an event that is no news any more, where a route does not ask for those too; ``follows`` are the
    patient's enrolments under the ``lists`` that are declared, ``now`` in microseconds.
    """
    test_message, doubt = leaves_production(processing, territory), doubtful_identity(patient.statuses)
    return _decide(routes, event_type, source, test_message, late, doubt, _opened(routes, follows, lists, now))


def last_look_event(
    event_type: str,
    *,
    destination: str,
    routes: tuple[Route, ...],
    source: str,
    patient: PatientView,
    follows: tuple[Followed, ...] = (),
    lists: Mapping[str, FollowList] = NO_LISTS,
    now: int = 0,
) -> Objection | None:
    """The gates again, when an event's delivery is about to leave: is its patient still followed, and their identity sure?

    A merged patient's events still go: they come first. A route that is gone since takes nothing back.
    """
    leading = _widest(routes, event_type, source, None).get(destination)
    if leading is not None and leading.patients == "followed":
        objection = not_followed(follows, lists, destination=destination, now=now)
        if objection is not None:
            return objection
    return doubtful_identity(patient.statuses)


def _opened(
    routes: tuple[Route, ...], follows: tuple[Followed, ...], lists: Mapping[str, FollowList], now: int
) -> tuple[tuple[str, Objection | None], ...]:
    """What the gate of followed patients says of each destination that asks; empty for the many who are not enrolled at all."""
    if not follows:
        return ()
    return tuple((to, not_followed(follows, lists, destination=to, now=now)) for to in followed_destinations(routes))


@functools.lru_cache(maxsize=_CACHE)
def _widest(routes: tuple[Route, ...], event_type: str, source: str, late: Objection | None) -> Mapping[str, Route]:
    """For each destination the route that leads there."""
    best: dict[str, Route] = {}
    for route in routes_for_event(routes, event_type, source):
        # Two routes to one destination make one decision: the one that takes what is late, then the one for more patients' events.
        kept = best.get(route.to)
        if kept is None or _reach(kept, late) < _reach(route, late):
            best[route.to] = route
    return best


def _reach(route: Route, late: Objection | None) -> tuple[bool, bool]:
    return late is None or route.late, route.patients == "all"


@functools.lru_cache(maxsize=_CACHE)
def _decide(
    routes: tuple[Route, ...],
    event_type: str,
    source: str,
    test_message: Objection | None,
    late: Objection | None,
    doubt: Objection | None,
    opened: tuple[tuple[str, Objection | None], ...],
) -> tuple[Decision, ...]:
    says = dict(opened)
    return tuple(
        _decision(route, event_type, test_message, says.get(to, NOT_FOLLOWED), late, doubt)
        for to, route in _widest(routes, event_type, source, late).items()
    )


def _decision(
    route: Route,
    event_type: str,
    test_message: Objection | None,
    unfollowed: Objection | None,
    late: Objection | None,
    doubt: Objection | None,
) -> Decision:
    objection = test_message or (unfollowed if route.patients == "followed" else None) or (None if route.late else late) or doubt
    if objection is not None:
        return decided(objection, destination=route.to)
    whom = "ce patient est suivi" if route.patients == "followed" else "pour tous les patients"
    return Decision(
        destination=route.to,
        outcome=Outcome.DELIVER,
        reason=f"La route vers « {route.to} » prend les événements {event_type}, {whom}.",
        rule="routing.route",
    )


def decided(objection: Objection, *, destination: str, recipient: str = "", kind: str = "") -> Decision:
    """A gate's objection as the decision for one destination and recipient."""
    return Decision(
        destination=destination,
        recipient=recipient,
        kind=kind,
        outcome=objection.outcome,
        reason=objection.reason,
        rule=objection.rule,
        owner=objection.owner,
    )


def _seconds(text: str) -> float:
    match = _WAIT.fullmatch(text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else LONGEST_WAIT + 1
    if seconds > LONGEST_WAIT:
        raise ValueError("a wait is a number of s, m or h, at most a day")
    return float(seconds)


def _listens(route: Route, source: str) -> bool:
    return not route.sources or source in route.sources


def takes_event(route: Route, event_type: str) -> bool:
    """Whether one of the route's patterns means events of this type."""
    return any(_matches(pattern, event_type) for pattern in route.events)


def _matches(pattern: str, event_type: str) -> bool:
    return pattern in ("*", event_type) or (pattern.endswith(".*") and event_type.startswith(pattern[:-1]))


_PROCESSING_UNKNOWN = Objection(
    outcome=Outcome.HOLD,
    reason="MSH-11 n'est ni P, ni T, ni D : rien ne dit si le message est un essai, l'établissement corrige son émission.",
    rule="routing.processing-unknown",
    owner=Owner.HOSPITAL,
)
