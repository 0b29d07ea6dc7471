"""Changes: what differs between a state before and a state after. Each change becomes one event."""

from __future__ import annotations

from datetime import datetime

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
    #: Whether the change is about something older than the current situation (a historic insert or correction).
    historic: bool = False
