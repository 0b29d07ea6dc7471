"""A decision: what the hub does with an event or a document for one destination and one recipient, and why."""

from __future__ import annotations

import enum

from liaison.private import Private


class Outcome(enum.StrEnum):
    """What is done. ``HOLD`` waits for a person; ``DROP`` is final and right; ``SHADOW`` is decided but kept in, as its ``Would`` says."""

    DELIVER = "deliver"
    HOLD = "hold"
    DROP = "drop"
    SHADOW = "shadow"


class Owner(enum.StrEnum):
    """Who can clear a hold."""

    NOBODY = ""
    HOSPITAL = "hospital"
    GCS = "gcs"


class Would(Private, frozen=True, kw_only=True, omit_defaults=True):
    """What the rules decided about something that is kept in: what would have happened if all were live."""

    outcome: Outcome
    reason: str
    rule: str
    owner: Owner = Owner.NOBODY


class Decision(Private, frozen=True, kw_only=True, omit_defaults=True):
    """One destination's answer, in French for the person who reads it."""

    destination: str
    #: MSSanté address for a letter, empty for an event.
    recipient: str = ""
    #: Which of the route's ``recipients`` it serves, ``patient`` for the patient's own mailbox; empty for an event, or for nobody.
    kind: str = ""
    outcome: Outcome
    #: One French sentence without any identity.
    reason: str
    #: Stable name of the rule, e.g. ``gates.identity.doubtful``.
    rule: str
    owner: Owner = Owner.NOBODY
    #: With ``SHADOW`` only.
    would: Would | None = None


class Objection(Private, frozen=True, kw_only=True, cache_hash=True):
    """What a gate says when it does not let something through as it is. A gate without objection returns None."""

    outcome: Outcome
    reason: str
    rule: str
    owner: Owner = Owner.NOBODY
