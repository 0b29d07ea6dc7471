"""What a person decides of one delivery: let it leave, or not. Commands, legal by the table of ``hub/states.py``.

What is let go joins the tail of its lane, and the last look decides before as it will again when the delivery is claimed: a person
may confirm who a letter is for, never overrule a gate.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec
from msgspec.structs import replace

from liaison.care.facts import DocumentAction
from liaison.hub.claims import STILL_UNCERTAIN, LastLook, advanced, dropped_parcel, not_given, tried_once
from liaison.hub.given import given_as
from liaison.hub.journal.records import (
    DeliveryRecord,
    DocumentRecord,
    HoldRecord,
    Key,
    LaneRecord,
    ParcelRecord,
    Record,
)
from liaison.hub.journal.view import Moment, View
from liaison.hub.resolution import BlindIndex
from liaison.hub.states import BLOCKING, Work, move
from liaison.private import Private
from liaison.rules.decision import Outcome
from liaison.rules.letters import CHOSEN_BY_PERSON, CONFIRMED_BY_RELEASE, released_rule

RELEASE: Final = "released"
RETRY: Final = "retried"


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """The delivery's state now."""

    work: Work


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing was done; ``reason`` is French and names no one."""

    reason: str


ActAnswer: TypeAlias = Moved | Kept


class Target(Private, frozen=True, kw_only=True):
    """The delivery that an act is about, with its hold where it has one."""

    delivery: int
    patient: int
    destination: str
    document: int | None
    hold: int | None


def _needs(target: Target) -> Iterable[Key]:
    yield ("delivery", target.delivery)
    yield ("lane", target.patient, target.destination)
    yield ("patient", target.patient)
    if target.document is not None:
        yield ("document", target.document)
    if target.hold is not None:
        yield ("hold", target.hold)


class LetGo(Private, frozen=True, kw_only=True):
    """Send what is held, failed or expired after all; what waits to be tried again goes at once."""

    target: Target
    #: States from which this act leads on.
    allowed: frozenset[Work]
    last_look: LastLook
    #: What the hold becomes: ``RELEASE``, by which a person decides anew, or ``RETRY``, which only tries again what was decided.
    outcome: str
    #: MSSanté address in its normal form, where a person corrects it.
    to: str = ""
    #: The establishments that the document may be indexed under.
    indexes: tuple[BlindIndex, ...] = ()

    def needs(self, view: View) -> Iterable[Key]:
        """The delivery and all that the last look and the lane want to know."""
        yield from _needs(self.target)
        document = self.target.document
        if document is not None and view.knows(("document", document)) and (known := view.document(document)) is not None:
            for index in self.indexes:
                yield ("identifier", index.named("document", "", known.state.fact.id))

    def decide(self, view: View, moment: Moment) -> tuple[ActAnswer, tuple[Record, ...]]:
        """Moved, or why not."""
        delivery, target = view.delivery(self.target.delivery), self.target
        if delivery is None or delivery.work not in self.allowed:
            return Kept(reason=_NOT_FROM_HERE.get(delivery.work, _ELSEWHERE) if delivery is not None else _ELSEWHERE), ()
        lane = view.lane(target.patient, target.destination)
        now = moment.now_us
        if delivery.work in (Work.RETRYING, Work.UNCERTAIN):
            if lane is None:
                return Kept(reason=_ELSEWHERE), ()
            return Moved(work=delivery.work), (replace(delivery, due=now), replace(lane, due=now))
        hold = _open_hold(view, target)
        document = None if target.document is None else view.document(target.document)
        patient = view.patient(target.patient)
        dropped: tuple[Record, ...] = ()
        if document is not None and patient is not None and self.outcome == RELEASE:
            delivery, dropped = self._as_released(delivery, hold, patient.state.ins is not None, moment)
        if document is not None and "@" not in delivery.recipient:
            return Kept(reason="Cette lettre n'a pas de destinataire : indiquer son adresse (--to)."), ()
        objection = self.last_look(delivery, patient, document, now=now)
        if objection is not None and objection.outcome is not Outcome.DELIVER:
            return Kept(reason=objection.reason), ()
        records: list[Record] = [*dropped]
        if document is not None:
            noted = self._noted(document, delivery, view)
            if noted is None:
                return Kept(reason="Ce document a été adressé à ce destinataire par un autre envoi : refuser celui-ci."), ()
            records.append(noted)
        if lane is None:
            lane = LaneRecord(destination=target.destination, patient=target.patient)
        seq = lane.last + 1
        moved = replace(delivery, work=move(delivery.work, Work.PENDING), lane_seq=seq, due=now, created_at=now, after=None)
        records += [moved, replace(lane, last=seq, due=now if lane.idle else lane.due)]
        if hold is not None:
            records.append(replace(hold, released_at=now, outcome=self.outcome))
        return Moved(work=moved.work), tuple(records)

    def _as_released(
        self, delivery: DeliveryRecord, hold: HoldRecord | None, has_ins: bool, moment: Moment
    ) -> tuple[DeliveryRecord, tuple[Record, ...]]:
        """The letter with what the person decided of it; what the patient has today is what counts from now on."""
        confirms = bool(self.to) or (hold is not None and hold.rule in CONFIRMED_BY_RELEASE) or delivery.rule in CHOSEN_BY_PERSON
        delivery = replace(delivery, rule=released_rule(has_ins=has_ins, by_person=confirms))
        if not self.to or self.to.lower() == delivery.recipient.lower():
            return delivery, ()
        # Another mail, to somebody else: nothing of the first one goes with it, its Message-ID neither.
        fresh = replace(delivery, recipient=self.to, token=moment.token(), previous="")
        return fresh, (ParcelRecord(delivery=delivery.id, patient=delivery.patient, body=None),)

    def _noted(self, document: DocumentRecord, delivery: DeliveryRecord, view: View) -> DocumentRecord | None:
        """The document, known to be on its way to this recipient; None when it is by another mail already."""
        fact = document.state.fact
        action = DocumentAction.WITHDRAW if delivery.withdraws else fact.action
        for index in self.indexes:
            entry = view.identifier(index.named("document", "", fact.id))
            if entry is None or entry.id != document.id:
                continue
            given = given_as(index, action, delivery.destination, delivery.recipient)
            mailed = dict(document.mailed)
            if mailed.get(given, delivery.token) != delivery.token:
                return None
            mailed[given] = delivery.token
            return replace(document, mailed=tuple(mailed.items()))
        return document


class CallOff(Private, frozen=True, kw_only=True):
    """Decide that a delivery does not leave; or, with ``received``, that it arrived though nobody said so."""

    target: Target
    allowed: frozenset[Work]
    #: What the hold becomes: ``rejected`` or ``cancelled``.
    outcome: str
    received: bool = False

    def needs(self, view: View) -> Iterable[Key]:
        """The delivery, its lane, its hold and its document."""
        return _needs(self.target)

    def decide(self, view: View, moment: Moment) -> tuple[ActAnswer, tuple[Record, ...]]:
        """Moved, or why not."""
        delivery, now = view.delivery(self.target.delivery), moment.now_us
        if delivery is None or delivery.work not in self.allowed:
            return Kept(reason=_NOT_FROM_HERE.get(delivery.work, _ELSEWHERE) if delivery is not None else _ELSEWHERE), ()
        hold = _open_hold(view, self.target)
        doubtful = delivery.work is Work.UNCERTAIN or (hold is not None and hold.rule == STILL_UNCERTAIN.rule)
        if self.received and not (doubtful and delivery.work is Work.HELD):
            return Kept(reason="Seul un envoi dont l'issue est inconnue peut être dit reçu."), ()
        work = Work.SUBMITTED if self.received else Work.CANCELLED
        moved = replace(delivery, work=move(delivery.work, work), due=now)
        said = "delivered" if self.received else "cancelled"
        tried = tried_once(replace(delivery, attempts=delivery.attempts + 1), now, said, "decided by a person")
        records: list[Record] = [moved, tried, *dropped_parcel(delivery)]
        if not doubtful:
            records += not_given(delivery, view)
        lane = view.lane(self.target.patient, self.target.destination)
        if lane is not None and delivery.work in BLOCKING and delivery.lane_seq == lane.head:
            records.append(advanced(lane, now))
        if hold is not None:
            records.append(replace(hold, released_at=now, outcome="received" if self.received else self.outcome))
        return Moved(work=work), tuple(records)


class CloseQuarantine(Private, frozen=True, kw_only=True):
    """Decide that a message in quarantine stays without effect."""

    hold: int

    def needs(self, view: View) -> Iterable[Key]:
        """The hold."""
        return (("hold", self.hold),)

    def decide(self, view: View, moment: Moment) -> tuple[bool, tuple[Record, ...]]:
        """Whether it waited."""
        hold = view.hold(self.hold)
        if hold is None or hold.released_at is not None or hold.delivery is not None:
            return False, ()
        return True, (replace(hold, released_at=moment.now_us, outcome="rejected"),)


def _open_hold(view: View, target: Target) -> HoldRecord | None:
    hold = None if target.hold is None else view.hold(target.hold)
    return hold if hold is not None and hold.released_at is None else None


_ELSEWHERE = "Cet envoi n'est pas dans un état qui le permet : « liaison held show » ou « liaison trace » disent où il en est."
#: What to do instead, by the state that the delivery is in.
_NOT_FROM_HERE = {
    Work.PENDING: "Cet envoi attend déjà son tour : rien à faire.",
    Work.SENDING: "Cet envoi est en cours : recommencer dans un instant.",
    Work.RETRYING: "Cet envoi sera retenté de lui-même : « liaison retry » le retente tout de suite.",
    Work.UNCERTAIN: "Cet envoi sera retenté de lui-même : « liaison retry » le retente tout de suite.",
    Work.HELD: "Cet envoi est retenu : le libérer (liaison held release) ou le refuser (liaison held reject).",
    Work.SUBMITTED: "Cet envoi a été remis à sa destination.",
    Work.FAILED: "Cet envoi a échoué : le retenter (liaison retry) ou l'annuler (liaison cancel).",
    Work.CANCELLED: "Cet envoi est annulé.",
    Work.EXPIRED: "Cet envoi a expiré : le retenter (liaison retry) ou l'annuler (liaison cancel).",
}
