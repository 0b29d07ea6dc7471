"""The commands that move a delivery: claim the head of a lane, settle what came of the attempt, keep its parcel.

`sending` is committed before the first byte leaves, and a settlement under an old epoch changes nothing: two workers can never both
believe that a delivery is theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeAlias

import msgspec
from msgspec.structs import replace

from liaison.hub.contracts import Attempt, Delivered, Refused, Unavailable, Uncertain
from liaison.hub.journal.records import (
    AttemptRecord,
    DeliveryRecord,
    DocumentRecord,
    HoldRecord,
    Key,
    LaneRecord,
    ParcelRecord,
    PatientRecord,
    ReceiptRecord,
    Record,
)
from liaison.hub.journal.view import Moment, View
from liaison.hub.retry import RetryPolicy
from liaison.hub.states import Work, move
from liaison.hub.switches import LETTERS
from liaison.private import Private
from liaison.rules.decision import Objection, Outcome, Owner


class Claimed(Private, frozen=True, kw_only=True):
    """The delivery is the caller's until its lease ends."""

    delivery: DeliveryRecord
    document: DocumentRecord | None
    patient: PatientRecord | None


class NotNow(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing to do in this lane before ``due`` (microseconds); None: nothing at all, or not before another lane moves."""

    due: int | None = None


class Stale(msgspec.Struct, frozen=True):
    """The settlement came too late: somebody else has the delivery."""


ClaimAnswer: TypeAlias = Claimed | NotNow


class LastLook(Protocol):
    """The gates once more, with what is known now (``now`` in microseconds). Pure."""

    def __call__(
        self, delivery: DeliveryRecord, patient: PatientRecord | None, document: DocumentRecord | None, *, now: int
    ) -> Objection | None: ...


class Withheld(msgspec.Struct, frozen=True, kw_only=True):
    """The hub itself will not send this parcel as it is: it could not be rendered, or what it holds is dangerous."""

    reason: str
    rule: str
    owner: Owner = Owner.GCS


class Needless(msgspec.Struct, frozen=True, kw_only=True):
    """There is nothing to send: the destination's format has no words for it, or what it would undo never left."""

    reason: str


#: How long a lane whose head is a letter rests while letters are stopped, in microseconds.
_LETTERS_REST = 30_000_000

_CLAIMABLE = frozenset({Work.PENDING, Work.RETRYING, Work.UNCERTAIN})


class Claim(Private, frozen=True, kw_only=True):
    """Take the oldest open delivery of a lane, if it is due and nothing speaks against it now."""

    patient: int
    destination: str
    last_look: LastLook
    #: Microseconds until the claim lapses.
    lease: int

    def needs(self, view: View) -> Iterable[Key]:
        """The lane, its head, and what the last look wants to know."""
        lane_key: Key = ("lane", self.patient, self.destination)
        yield lane_key
        if not view.knows(lane_key) or (lane := view.lane(self.patient, self.destination)) is None or lane.idle:
            return
        queued: Key = ("queued", self.patient, self.destination, lane.head)
        yield queued
        if not view.knows(queued) or (number := view.queued(self.patient, self.destination, lane.head)) is None:
            return
        yield ("delivery", number)
        yield ("patient", self.patient)
        if view.knows(("delivery", number)) and (delivery := view.delivery(number)) is not None:
            if delivery.document is not None:
                yield ("document", delivery.document)
                yield ("switch", LETTERS)
            if delivery.after is not None:
                yield ("lane", delivery.after[1], delivery.after[0])

    def decide(self, view: View, moment: Moment) -> tuple[ClaimAnswer, tuple[Record, ...]]:
        """Claimed with the delivery in `sending`, or when to ask again."""
        lane = view.lane(self.patient, self.destination)
        if lane is None or lane.idle:
            return NotNow(), ()
        number = view.queued(self.patient, self.destination, lane.head)
        delivery = None if number is None else view.delivery(number)
        if delivery is None or delivery.work not in (*_CLAIMABLE, Work.SENDING):
            passed = advanced(lane, moment.now_us)
            return NotNow(due=passed.due), (passed,)
        if delivery.due > moment.now_us:
            # A letter that waits for its next version came to the lane's head: the lane is not due before it.
            return NotNow(due=delivery.due), () if lane.due == delivery.due else (replace(lane, due=delivery.due),)
        if delivery.after is not None:
            destination, absorbed, last = delivery.after
            before = view.lane(absorbed, destination)
            if before is not None and not before.idle and before.head <= last:
                return NotNow(due=moment.now_us + 250_000), ()
        if delivery.document is not None and view.switch(LETTERS) is not None:
            due = moment.now_us + _LETTERS_REST
            return NotNow(due=due), (replace(lane, due=due),)
        lapsed: tuple[Record, ...] = ()
        if delivery.work is Work.SENDING:
            # The lease ended without an answer: whoever had it may have sent it.
            lapsed = (tried_once(delivery, moment.now_us, "lapsed", "nobody said what came of it"),)
            delivery = replace(delivery, work=move(Work.SENDING, Work.UNCERTAIN))
        patient = view.patient(self.patient)
        document = None if delivery.document is None else view.document(delivery.document)
        objection = self.last_look(delivery, patient, document, now=moment.now_us)
        if objection is not None and objection.outcome is not Outcome.DELIVER:
            answer, stopped = self._stopped(lane, delivery, objection, moment)
            return answer, (*lapsed, *stopped)
        due = moment.now_us + self.lease
        taken = replace(
            delivery,
            work=move(delivery.work, Work.SENDING),
            epoch=delivery.epoch + 1,
            attempts=delivery.attempts + 1,
            due=due,
        )
        return Claimed(delivery=taken, document=document, patient=patient), (*lapsed, taken, replace(lane, due=due))

    def _stopped(
        self, lane: LaneRecord, delivery: DeliveryRecord, objection: Objection, moment: Moment
    ) -> tuple[NotNow, tuple[Record, ...]]:
        passed = advanced(lane, moment.now_us)
        if objection.outcome is Outcome.HOLD:
            stopped = replace(delivery, work=move(delivery.work, Work.HELD))
            return NotNow(due=passed.due), (stopped, passed, _hold(delivery, objection, moment))
        stopped = replace(delivery, work=move(delivery.work, Work.CANCELLED))
        tried = AttemptRecord(
            delivery=delivery.id, number=delivery.attempts + 1, at=moment.now_us, outcome="cancelled", reason=objection.rule
        )
        return NotNow(due=passed.due), (stopped, passed, tried, *dropped_parcel(delivery))


class Settle(Private, frozen=True, kw_only=True):
    """Record what an attempt came to, and let the lane go on or wait."""

    delivery: int
    patient: int
    destination: str
    epoch: int
    attempt: Attempt | Withheld | Needless
    retry: RetryPolicy
    #: Whether the destination recognises a parcel that it has already: then the same may go again without waiting for proof.
    keeps_ids: bool = True
    #: Uniform in [0, 1): the jitter.
    chance: float

    def needs(self, view: View) -> Iterable[Key]:
        """The delivery, its lane, and the document that a letter gives."""
        key: Key = ("delivery", self.delivery)
        yield key
        yield ("lane", self.patient, self.destination)
        if view.knows(key) and (delivery := view.delivery(self.delivery)) is not None:
            if delivery.document is not None:
                yield ("document", delivery.document)
            if self._repeats_blindly:
                yield ("doubts", delivery.id, delivery.attempts)

    @property
    def _repeats_blindly(self) -> bool:
        """Whether to send it again might be to send it twice."""
        return isinstance(self.attempt, Uncertain) and not self.keeps_ids

    def decide(self, view: View, moment: Moment) -> tuple[NotNow | Stale, tuple[Record, ...]]:
        """When the lane has something to do next, or Stale."""
        delivery, lane = view.delivery(self.delivery), view.lane(self.patient, self.destination)
        if delivery is None or lane is None or delivery.epoch != self.epoch or delivery.work is not Work.SENDING:
            return Stale(), ()
        now = moment.now_us
        passed = advanced(lane, now)
        match self.attempt:
            case Delivered(reference=reference, receipt=receipt):
                done = replace(delivery, work=move(delivery.work, Work.SUBMITTED), due=now)
                told = ReceiptRecord(delivery=delivery.id, number=delivery.attempts, at=now, status=receipt)
                tried = tried_once(delivery, now, "delivered", reference)
                return NotNow(due=passed.due), (done, passed, tried, told, *dropped_parcel(delivery))
            case Refused(code=code, reason=reason):
                failed = replace(delivery, work=move(delivery.work, Work.FAILED), due=now)
                objection = Objection(outcome=Outcome.HOLD, reason=reason, rule="dispatch.refused", owner=Owner.GCS)
                return NotNow(due=passed.due), (
                    failed,
                    passed,
                    tried_once(delivery, now, "refused", f"{code} {reason}"),
                    _hold(delivery, objection, moment),
                    *not_given(delivery, view),
                )
            case Withheld(reason=reason, rule=rule, owner=owner):
                held = replace(delivery, work=move(delivery.work, Work.HELD))
                objection = Objection(outcome=Outcome.HOLD, reason=reason, rule=rule, owner=owner)
                return NotNow(due=passed.due), (
                    held,
                    passed,
                    tried_once(delivery, now, "withheld", rule),
                    _hold(delivery, objection, moment),
                )
            case Needless(reason=reason):
                cancelled = replace(delivery, work=move(delivery.work, Work.CANCELLED), due=now)
                return NotNow(due=passed.due), (cancelled, passed, tried_once(delivery, now, "needless", reason))
            case Unavailable(reason=reason, retry_after=asked):
                wait = self.retry.delay(delivery.attempts, self.chance, asked)
                return self._later(delivery, lane, Work.RETRYING, wait, "unavailable", reason, view, moment)
            case Uncertain(reason=reason):
                wait = self.retry.delay(delivery.attempts, self.chance)
                if self._repeats_blindly:
                    if view.doubts(delivery.id, delivery.attempts) + 1 >= self.retry.uncertain_attempts:
                        held = replace(delivery, work=move(delivery.work, Work.HELD))
                        tried = tried_once(delivery, now, "uncertain", reason)
                        return NotNow(due=passed.due), (held, passed, tried, _hold(delivery, STILL_UNCERTAIN, moment))
                    wait = max(wait, self.retry.uncertain)
                return self._later(delivery, lane, Work.UNCERTAIN, wait, "uncertain", reason, view, moment)

    def _later(
        self,
        delivery: DeliveryRecord,
        lane: LaneRecord,
        work: Work,
        wait: float,
        outcome: str,
        reason: str,
        view: View,
        moment: Moment,
    ) -> tuple[NotNow, tuple[Record, ...]]:
        now = moment.now_us
        tried = tried_once(delivery, now, outcome, reason)
        waiting = replace(delivery, work=move(delivery.work, work), due=now + int(wait * 1e6))
        if now - delivery.created_at > self.retry.give_up_after * 1e6:
            passed = advanced(lane, now)
            objection = Objection(
                outcome=Outcome.HOLD,
                reason="La destination n'a pas répondu dans le délai imparti : une personne décide.",
                rule="dispatch.expired",
                owner=Owner.GCS,
            )
            expired = replace(waiting, work=move(waiting.work, Work.EXPIRED), due=now)
            return NotNow(due=passed.due), (
                expired,
                passed,
                tried,
                _hold(delivery, objection, moment),
                *not_given(delivery, view),
            )
        return NotNow(due=waiting.due), (waiting, replace(lane, due=waiting.due), tried)


class KeepParcel(Private, frozen=True, kw_only=True):
    """Seal a rendered letter into the journal before its first attempt: retries send these bytes."""

    delivery: int
    patient: int
    epoch: int
    body: bytes

    def needs(self, view: View) -> Iterable[Key]:
        """The delivery."""
        return (("delivery", self.delivery),)

    def decide(self, view: View, moment: Moment) -> tuple[bool, tuple[Record, ...]]:
        """Whether the delivery is still the caller's."""
        delivery = view.delivery(self.delivery)
        if delivery is None or delivery.epoch != self.epoch or delivery.work is not Work.SENDING:
            return False, ()
        return True, (ParcelRecord(delivery=self.delivery, patient=self.patient, body=self.body),)


class Recover(Private, frozen=True, kw_only=True):
    """At start: what an earlier incarnation was sending becomes due at once, as uncertain."""

    delivery: int
    patient: int
    destination: str
    #: Whether bytes may have left: a letter whose parcel was never kept did not.
    may_have_left: bool
    #: Seconds to wait before the same bytes go again.
    wait: float

    def needs(self, view: View) -> Iterable[Key]:
        """The delivery and its lane."""
        return ("delivery", self.delivery), ("lane", self.patient, self.destination)

    def decide(self, view: View, moment: Moment) -> tuple[bool, tuple[Record, ...]]:
        """Whether something was recovered."""
        delivery, lane = view.delivery(self.delivery), view.lane(self.patient, self.destination)
        if delivery is None or lane is None or delivery.work is not Work.SENDING:
            return False, ()
        work = Work.UNCERTAIN if self.may_have_left else Work.RETRYING
        due = moment.now_us + (int(self.wait * 1e6) if self.may_have_left else 0)
        tried = tried_once(delivery, moment.now_us, "interrupted", "the hub stopped")
        return True, (replace(delivery, work=move(delivery.work, work), due=due), replace(lane, due=due), tried)


#: The destination does not know its parcels again, and to send once more might be to send twice.
STILL_UNCERTAIN = Objection(
    outcome=Outcome.HOLD,
    reason="Plusieurs envois ont pu aboutir sans réponse : une personne demande au destinataire s'il a reçu la lettre.",
    rule="dispatch.uncertain",
    owner=Owner.GCS,
)


def advanced(lane: LaneRecord, now: int) -> LaneRecord:
    """The lane after its head left it."""
    head = lane.head + 1
    return replace(lane, head=head, due=now if head <= lane.last else None)


def _hold(delivery: DeliveryRecord, objection: Objection, moment: Moment) -> HoldRecord:
    return HoldRecord(
        id=moment.next_id(),
        message=delivery.message,
        delivery=delivery.id,
        owner=str(objection.owner),
        rule=objection.rule,
        reason=objection.reason,
        since=moment.now_us,
    )


def not_given(delivery: DeliveryRecord, view: View) -> tuple[Record, ...]:
    """A letter that never left was not given: the hospital may send the document again."""
    document = None if delivery.document is None else view.document(delivery.document)
    if document is None:
        return ()
    return (replace(document, mailed=tuple(given for given in document.mailed if given[1] != delivery.token)),)


def tried_once(delivery: DeliveryRecord, now: int, outcome: str, reason: str) -> AttemptRecord:
    return AttemptRecord(delivery=delivery.id, number=delivery.attempts, at=now, outcome=outcome, reason=reason[:300])


def dropped_parcel(delivery: DeliveryRecord) -> tuple[Record, ...]:
    """A letter's bytes are of no more use once nothing will send them again."""
    return () if delivery.document is None else (ParcelRecord(delivery=delivery.id, patient=delivery.patient, body=None),)
