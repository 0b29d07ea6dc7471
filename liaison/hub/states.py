"""The work state of a delivery: a table of legal moves."""

from __future__ import annotations

import enum
from collections.abc import Mapping


class Work(enum.StrEnum):
    """Where a delivery is in its work. What became of it after it left is told by its receipts."""

    PENDING = "pending"  #: waits for its turn in its lane
    SENDING = "sending"  #: committed before the first byte leaves
    RETRYING = "retrying"  #: nothing was taken; due again later
    UNCERTAIN = "uncertain"  #: it may have been taken; due again later with the same bytes
    HELD = "held"  #: waits for a person, outside its lane
    SUBMITTED = "submitted"  #: the destination has it
    FAILED = "failed"  #: the destination will never take it
    CANCELLED = "cancelled"  #: it should no longer leave
    EXPIRED = "expired"  #: it waited too long
    SHADOWED = "shadowed"  #: it would have left, but its source is not live


#: From each state, the states that may follow. A move that is not here is a fault of ours.
MOVES: Mapping[Work, frozenset[Work]] = {
    Work.PENDING: frozenset({Work.SENDING, Work.HELD, Work.CANCELLED, Work.EXPIRED}),
    Work.SENDING: frozenset({Work.SUBMITTED, Work.RETRYING, Work.UNCERTAIN, Work.FAILED, Work.HELD, Work.CANCELLED}),
    Work.RETRYING: frozenset({Work.SENDING, Work.HELD, Work.CANCELLED, Work.EXPIRED}),
    Work.UNCERTAIN: frozenset({Work.SENDING, Work.SUBMITTED, Work.HELD, Work.FAILED, Work.CANCELLED, Work.EXPIRED}),
    #: A person releases it, refuses it, or knows that it arrived.
    Work.HELD: frozenset({Work.PENDING, Work.SUBMITTED, Work.CANCELLED, Work.EXPIRED}),
    Work.SUBMITTED: frozenset(),
    Work.FAILED: frozenset({Work.PENDING, Work.CANCELLED}),
    Work.CANCELLED: frozenset(),
    Work.EXPIRED: frozenset({Work.PENDING, Work.CANCELLED}),
    Work.SHADOWED: frozenset(),
}

#: States that keep the deliveries behind them in the lane waiting.
BLOCKING = frozenset({Work.PENDING, Work.SENDING, Work.RETRYING, Work.UNCERTAIN})


class IllegalMove(Exception):
    """A delivery was asked to go where its state does not lead."""

    def __init__(self, before: Work, after: Work) -> None:
        super().__init__(f"a delivery in state {before} cannot become {after}")


def move(before: Work, after: Work) -> Work:
    """``after``, if the table allows it from ``before``.

    Raises:
        IllegalMove: it does not.
    """
    if after not in MOVES[before]:
        raise IllegalMove(before, after)
    return after
