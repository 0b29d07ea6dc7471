"""A decision: what the hub does with an event or a document for one destination and one recipient, and why."""

from __future__ import annotations

import enum

from liaison.private import Private


class Outcome(enum.StrEnum):
    """What is done. ``HOLD`` waits for a person; ``DROP`` is final and right."""

    DELIVER = "deliver"
    HOLD = "hold"
    DROP = "drop"


class Owner(enum.StrEnum):
    """Who can clear a hold."""

    NOBODY = ""
    HOSPITAL = "hospital"
    GCS = "gcs"


class Decision(Private, frozen=True, kw_only=True):
    """One destination's answer, in French for the person who reads it."""

    destination: str
    #: MSSanté address for a letter, empty for an event.
    recipient: str = ""
    outcome: Outcome
    #: One French sentence without any identity.
    reason: str
    #: Stable name of the rule, e.g. ``gates.identity.doubtful``.
    rule: str
    owner: Owner = Owner.NOBODY


class Objection(Private, frozen=True, kw_only=True):
    """What a gate says when it does not let something through as it is. A gate without objection returns None."""

    outcome: Outcome
    reason: str
    rule: str
    owner: Owner = Owner.NOBODY
