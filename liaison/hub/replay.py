"""Replay: a message in quarantine taken again with its own bytes, once what kept it there is put right.

What it asserts is taken as a new message, whose row holds the bytes from then on; the old row stays, without them, and its hold names
its successor. A message that would be quarantined once more changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from liaison.hub.contracts import Verdict
from liaison.hub.intake import Intake, Taken
from liaison.hub.journal.records import HoldRecord, Key, MessageMoved, Record, number_id
from liaison.hub.journal.view import Moment, View
from liaison.private import Private


class Replay(Private, frozen=True, kw_only=True):
    """Take a message in quarantine again."""

    hold: int
    #: With ``replays``.
    intake: Intake

    def needs(self, view: View) -> Iterable[Key]:
        """The hold, and all that taking the message needs."""
        yield ("hold", self.hold)
        yield from self.intake.needs(view)

    def decide(self, view: View, moment: Moment) -> tuple[Taken | None, tuple[Record, ...]]:
        """What the message became; None when it waits no more."""
        hold = view.hold(self.hold)
        if hold is None or not is_quarantine(hold):
            return None, ()
        taken, records = self.intake.decide(view, moment)
        if taken.answer.verdict is Verdict.QUARANTINED:
            return taken, ()
        successor = number_id(taken.answer.message_id)
        closed = replace(hold, released_at=moment.now_us, outcome="replayed", successor=successor)
        if taken.duplicate:
            # The same bytes were taken under another row meanwhile: that one is the successor.
            return taken, (closed, MessageMoved(message=hold.message))
        return taken, (*records, closed, MessageMoved(message=hold.message))


def is_quarantine(hold: HoldRecord) -> bool:
    """Whether it is a whole message, still waiting."""
    return hold.delivery is None and hold.released_at is None
