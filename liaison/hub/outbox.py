"""What one message puts under way: its decisions as deliveries in their lanes, or as holds for a person."""

from __future__ import annotations

from liaison.hub.journal.records import DeliveryRecord, HoldRecord, LaneRecord, PatientRecord, Record, number_id
from liaison.hub.journal.view import Moment, View
from liaison.hub.states import Work
from liaison.private import Private
from liaison.rules.decision import Decision, Outcome


class Decided(Private, frozen=True, kw_only=True):
    """A decision as it is stored with the message."""

    #: Id of the event it is about.
    event: str
    #: Event type or document type.
    about: str
    decision: Decision


_WORK = {Outcome.DELIVER: Work.PENDING, Outcome.HOLD: Work.HELD, Outcome.SHADOW: Work.SHADOWED}


class Outbox:
    """Collects the deliveries of one message. One patient's deliveries to one destination take numbers without gaps."""

    def __init__(self, view: View, moment: Moment, *, message: int, source: str) -> None:
        self._view = view
        self._moment = moment
        self._message = message
        self._source = source
        self._lanes: dict[tuple[int, str], LaneRecord] = {}
        self._giver: int | None = None
        self._records: list[Record] = []
        self.decisions: list[Decided] = []
        #: Lanes that have work now: destination, patient.
        self.wake: dict[tuple[str, int], None] = {}

    @property
    def records(self) -> tuple[Record, ...]:
        """Deliveries, holds, and the lanes as they are after them."""
        return (*self._records, *self._lanes.values())

    def about(self, message: int, source: str) -> None:
        """What is put from now on is about an event of another message, of another source."""
        self._message, self._source = message, source

    def waits_for(self, giver: int) -> None:
        """What is put from now on leaves after what is under way for the patient ``giver``, who had it by mistake (A44)."""
        self._giver = giver

    def put(
        self,
        decision: Decision,
        *,
        patient: PatientRecord,
        new: bool,
        kind: str,
        event: str,
        ordinal: int,
        document: int | None = None,
        withdraws: bool = False,
        previous: str = "",
        wait: float = 0.0,
    ) -> DeliveryRecord | None:
        """Note a decision and put what it asks for under way; ``new`` says that the patient has no lanes yet.

        What is shadowed gets its row outside the lanes, in a state that no move leads out of, and no hold: nobody is waited for.
        ``wait`` is how many seconds it stays back for what may replace it.
        """
        self.decisions.append(Decided(event=event, about=kind, decision=decision))
        if decision.outcome is Outcome.DROP:
            return None
        work = _WORK[decision.outcome]
        now = self._moment.now_us
        due = now + int(wait * 1e6)
        lane_seq, after = None, None
        if work is Work.PENDING:
            lane = self._lane(patient.id, decision.destination, new)
            after = self._barrier(patient, decision.destination)
            lane_seq = lane.last + 1
            self._lanes[patient.id, decision.destination] = LaneRecord(
                destination=lane.destination,
                patient=lane.patient,
                head=lane.head,
                last=lane_seq,
                due=due if lane.idle else lane.due,
            )
            self.wake[decision.destination, patient.id] = None
        delivery = DeliveryRecord(
            id=self._moment.next_id(),
            destination=decision.destination,
            patient=patient.id,
            lane_seq=lane_seq,
            message=self._message,
            ordinal=ordinal,
            document=document,
            withdraws=withdraws,
            work=work,
            due=due,
            created_at=now,
            # An event is known by its own id; only a letter needs one that nobody can guess.
            token="" if document is None else self._moment.token(),
            kind=kind,
            after=after,
            source=self._source,
            rule=decision.rule if decision.would is None else decision.would.rule,
            previous=previous,
            recipient=decision.recipient,
        )
        self._records.append(delivery)
        if work is Work.HELD:
            self.hold(str(decision.owner), decision.rule, decision.reason, delivery=delivery.id)
        return delivery

    def hold(self, owner: str, rule: str, reason: str, *, delivery: int | None = None) -> None:
        """Something waits for a person: a delivery, or the whole message."""
        self._records.append(
            HoldRecord(
                id=self._moment.next_id(),
                message=self._message,
                delivery=delivery,
                owner=owner,
                rule=rule,
                reason=reason,
                since=self._moment.now_us,
            )
        )

    def _lane(self, patient: int, destination: str, new: bool) -> LaneRecord:
        if (lane := self._lanes.get((patient, destination))) is not None:
            return lane
        known = None if new else self._view.lane(patient, destination)
        return known or LaneRecord(destination=destination, patient=patient)

    def _barrier(self, patient: PatientRecord, destination: str) -> tuple[str, int, int] | None:
        """A merge and a reattribution are barriers: what was under way for who was absorbed, or had it before, leaves first.

        The newest merge's: what waits for the ones before it is ahead in the lane.
        """
        if self._giver is not None and self._giver != patient.id:
            before = self._lane(self._giver, destination, new=False)
            if not before.idle:
                return destination, before.patient, before.last
        for absorbed in reversed(patient.state.absorbed):
            lane = self._view.lane(number_id(absorbed), destination)
            if lane is not None and not lane.idle:
                return destination, lane.patient, lane.last
        return None
