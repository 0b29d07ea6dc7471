"""The audit: what each operator asked for, noted before it takes effect, and what came of it."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from msgspec.structs import replace

from liaison.hub.journal.records import AuditRecord, Key, Record
from liaison.hub.journal.view import Moment, View
from liaison.private import Private


class ActOutcome(enum.StrEnum):
    """What came of an act."""

    ASKED = "asked"  #: under way; for good when the hub died meanwhile
    DONE = "done"
    REFUSED = "refused"  #: the answer was no, and nothing changed
    FAILED = "failed"  #: a fault of ours; what of it took effect is not known


class NoteAct(Private, frozen=True, kw_only=True):
    """Note an act before it takes effect."""

    operator: str
    act: str
    target: str
    reason: str

    def needs(self, view: View) -> Iterable[Key]:
        """Nothing."""
        return ()

    def decide(self, view: View, moment: Moment) -> tuple[AuditRecord, tuple[Record, ...]]:
        """The note, to be ended with ``EndAct``."""
        noted = AuditRecord(
            id=moment.next_id(),
            at=moment.now_us,
            operator=self.operator,
            act=self.act,
            target=self.target,
            outcome=ActOutcome.ASKED,
            reason=self.reason,
        )
        return noted, (noted,)


class EndAct(Private, frozen=True, kw_only=True):
    """Say what came of an act that was noted."""

    noted: AuditRecord
    outcome: ActOutcome

    def needs(self, view: View) -> Iterable[Key]:
        """Nothing: only who noted it ends it."""
        return ()

    def decide(self, view: View, moment: Moment) -> tuple[None, tuple[Record, ...]]:
        """The note with its outcome."""
        return None, (replace(self.noted, outcome=self.outcome),)
