"""Changes: what differs between a state before and a state after. Each change becomes one event.

A state also remembers which event told each change, so that an undo or a correction can name the event it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from liaison.private import Private


class Change(Private, frozen=True, kw_only=True):
    """One thing that happened, told as the difference that a fact made."""

    #: ``<thing>.<past participle>``, e.g. ``stay.admitted``; the list is in events/types.
    type: str
    #: When it happened in the ward, not when it was told.
    at: datetime
    #: Stable key of what the change is about inside its patient: ``stay:<visit>/<movement>``, ``document:<id>``, ``identity``.
    about: str
    #: Revision of the stay, patient or document after the change.
    revision: int
    #: The type of the earlier change, about the same key, that this one undoes or corrects; empty when it undoes none.
    undoes: str = ""
    #: True when what ``undoes`` names no longer holds at all (a cancel); false when it still holds, corrected.
    cancels: bool = False
    #: Whether the change is about something older than the current situation (a historic insert or correction).
    historic: bool = False


class Told(Private, frozen=True, kw_only=True):
    """That a change about ``about`` was told by the event ``event_id`` and still holds."""

    about: str
    type: str
    event_id: str


class Remembering(Private, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the states that remember what was told about them."""

    told: tuple[Told, ...] = ()


State = TypeVar("State", bound=Remembering)

#: Changes that nothing ever undoes, but for a ``stay.updated`` that is the first to speak of its movement.
_NEVER_UNDONE = frozenset(
    {
        "stay.updated",
        "stay.cancelled",
        "identity.created",
        "identity.updated",
        "identity.merged",
        "identity.identifier-changed",
        "identity.unlinked",
        "document.withdrawn",
    }
)


def remember(state: State, told: Sequence[tuple[Change, str]]) -> State:
    """``state`` with the ids of the events that told ``told``.

    A correction leaves the event that it corrects in place: every later correction, and the cancel, name that same first
    event. A cancel takes it away, so that the same thing happening again is told as new.
    """
    known = list(state.told)
    for change, event_id in told:
        if change.cancels:
            known = [one for one in known if one.about != change.about or one.type != change.undoes]
        if change.type not in _NEVER_UNDONE or (change.type == "stay.updated" and not change.undoes):
            known.append(Told(about=change.about, type=change.type, event_id=event_id))
    kept = tuple(known)
    return state if kept == state.told else msgspec.structs.replace(state, told=kept)


def told_event_id(state: Remembering, change: Change) -> str:
    """The id of the event that ``change`` undoes or corrects; empty when it undoes none, or none was told."""
    if not change.undoes:
        return ""
    about = [one for one in state.told if one.about == change.about]
    exact = [one for one in about if one.type == change.undoes]
    return (exact or about)[-1].event_id if about else ""
