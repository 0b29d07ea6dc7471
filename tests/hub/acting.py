"""A person's decisions as commands on a bench, built as the service builds them."""

from __future__ import annotations

from liaison.hub.acts import RELEASE, CallOff, LetGo, Target
from liaison.hub.last_look import PolicyLastLook
from liaison.hub.resolution import BlindIndex
from liaison.hub.states import Work
from tests.hub.bench import Bench
from tests.hub.people import FINESS

ANY = frozenset(Work) - {Work.PENDING, Work.SENDING, Work.SUBMITTED, Work.CANCELLED, Work.SHADOWED}


def target(bench: Bench, delivery: int) -> Target:
    """A delivery with the hold that is open."""
    record = bench.journal.reader.holds.delivery(delivery)
    assert record is not None
    hold = bench.journal.reader.holds.of_delivery(delivery)
    return Target(
        delivery=delivery,
        patient=record.patient,
        destination=record.destination,
        document=record.document,
        hold=None if hold is None else hold.id,
    )


def let_go(bench: Bench, delivery: int, *, to: str = "", allowed: frozenset[Work] = ANY) -> LetGo:
    """Release or retry."""
    return LetGo(
        target=target(bench, delivery),
        allowed=allowed,
        last_look=PolicyLastLook(bench.policy),
        outcome=RELEASE,
        to=to,
        indexes=(BlindIndex(bench.vault.blind, "elsewhere"), BlindIndex(bench.vault.blind, FINESS)),
    )


def call_off(bench: Bench, delivery: int, *, received: bool = False) -> CallOff:
    """Reject or cancel."""
    return CallOff(target=target(bench, delivery), allowed=ANY | {Work.PENDING}, outcome="rejected", received=received)
