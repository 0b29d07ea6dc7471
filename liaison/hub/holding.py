"""The clock of holds: by when somebody should have decided, and who is asked next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from liaison.hub.journal.records import Key, Record
from liaison.hub.journal.view import Moment, View
from liaison.private import Private
from liaison.rules.decision import Owner

_HOUR = 3_600_000_000


class HoldHours(msgspec.Struct, frozen=True, kw_only=True):
    """The ``[holds]`` table: how long each owner has to decide, in plain hours: nights, Sundays and holidays count, for the patient
    who went home on a Friday is at home on Saturday. What the hospital leaves undecided goes to the GCS, whose time begins then."""

    #: Hours that a hospital has for a letter.
    hospital_letters: float = 24.0
    #: For an event.
    hospital_events: float = 48.0
    #: For a message in quarantine.
    hospital_messages: float = 48.0
    #: Hours that the GCS has for a letter.
    gcs_letters: float = 8.0
    #: For an event.
    gcs_events: float = 24.0
    #: For a message in quarantine.
    gcs_messages: float = 24.0

    def __post_init__(self) -> None:
        for key in self.__struct_fields__:
            if not 0 < getattr(self, key) <= 8_760:
                raise ValueError(f"{key} : entre 0 et 8760 heures")

    def due(self, hold: OpenHold) -> int:
        """When its owner should have decided, in microseconds since 1970."""
        hours: float = getattr(self, f"{'gcs' if hold.owner == Owner.GCS else 'hospital'}_{hold.what}s")
        return (hold.escalated_at or hold.since) + int(hours * _HOUR)


class OpenHold(msgspec.Struct, frozen=True, kw_only=True):
    """Something that waits for a person; nothing in it names a patient."""

    id: int
    #: ``letter``, ``event`` or ``message``.
    what: str
    #: ``hospital`` or ``gcs``.
    owner: str
    rule: str
    #: One French sentence without identity.
    reason: str
    #: Microseconds since 1970.
    since: int
    escalated_at: int | None
    message: int
    #: Key of the source.
    source: str
    delivery: int | None = None
    destination: str = ""
    #: Event or document type, or the message's.
    kind: str = ""
    #: Work state of the delivery.
    work: str = ""


def past_due(holds: Iterable[OpenHold], hours: HoldHours, now: int) -> tuple[OpenHold, ...]:
    """Those whose owner should have decided by ``now`` (microseconds)."""
    return tuple(hold for hold in holds if hours.due(hold) <= now)


def count_by_owner(holds: Iterable[OpenHold]) -> Mapping[str, int]:
    """How many each owner has."""
    counts = {Owner.HOSPITAL.value: 0, Owner.GCS.value: 0}
    for hold in holds:
        counts[hold.owner] = counts.get(hold.owner, 0) + 1
    return counts


class Escalate(Private, frozen=True, kw_only=True):
    """Give a hold that its hospital did not decide in time to the GCS."""

    hold: int

    def needs(self, view: View) -> Iterable[Key]:
        """The hold."""
        return (("hold", self.hold),)

    def decide(self, view: View, moment: Moment) -> tuple[bool, tuple[Record, ...]]:
        """Whether it was still the hospital's to decide."""
        hold = view.hold(self.hold)
        if hold is None or hold.released_at is not None or hold.owner != Owner.HOSPITAL:
            return False, ()
        return True, (replace(hold, owner=Owner.GCS.value, escalated_at=moment.now_us),)
