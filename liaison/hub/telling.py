"""Telling: the event of each change that one message made, and where it goes."""

from __future__ import annotations

from msgspec.structs import replace

from liaison.care.changes import Change
from liaison.care.document import Document
from liaison.events.envelope import Event, to_cloudevent_json
from liaison.hub.journal.queries import event_id
from liaison.hub.journal.records import EVENTS_KEPT, EventRecord, EventRefs, PatientRecord, Record, StayRecord
from liaison.hub.journal.view import Moment
from liaison.hub.outbox import Outbox
from liaison.hub.policy import Policy
from liaison.mappings.change_to_event import event_from_change
from liaison.private import Private
from liaison.rules.decision import Decision, Objection
from liaison.rules.golive import kept_in
from liaison.rules.routing import decide_event, leaves_production


class Origin(Private, frozen=True, kw_only=True):
    """Where the facts come from, as far as deciding needs it."""

    message: int
    source: str
    establishment: str
    #: MSH-11.
    processing: str


class Telling:
    """The events of one message so far, numbered in the order in which they are told."""

    def __init__(self, origin: Origin, *, policy: Policy, moment: Moment, records: list[Record], outbox: Outbox) -> None:
        """``records`` takes the event records, ``outbox`` what is decided of them."""
        self._origin = origin
        self._policy = policy
        self._moment = moment
        self._records = records
        self._outbox = outbox
        self._loads = policy.going_live.standing(origin.source).mode == "load"
        self._open = policy.going_live.keeps_nothing_in(origin.source)
        #: What is said of the events of the fact in hand when they are no news any more.
        self.late: Objection | None = None
        self.events: list[Event] = []

    @property
    def count(self) -> int:
        """How many events were told."""
        return len(self.events)

    def tell(
        self,
        change: Change,
        undone: str,
        *,
        patient: PatientRecord,
        new: bool,
        stay: StayRecord | None = None,
        document: Document | None = None,
    ) -> str:
        """Make the event of a change and decide where it goes; answers its id. ``new`` says that the patient has no lanes yet."""
        if self.late is not None or self._loads:
            # Whoever hears of it later, of a patient followed since or by a route that asks for what is late, need not ring.
            change = replace(change, historic=True)
        ordinal = len(self.events)
        number = event_id(self._origin.message, ordinal)
        event = event_from_change(
            change,
            event_id=number,
            patient=patient.state,
            stay=None if stay is None else stay.state,
            document=document,
            finess=self._origin.establishment,
            recorded_at=self._moment.now,
            undoes=undone,
        )
        self.events.append(event)
        self._records.append(
            EventRecord(
                message=self._origin.message,
                ordinal=ordinal,
                type=change.type,
                patient=patient.id,
                at=self._moment.now_us,
                body=to_cloudevent_json(event, lane_seq=None),
            )
        )
        for decision in decide_event(
            change.type,
            routes=self._policy.routes,
            source=self._origin.source,
            patient=patient.state,
            processing=self._origin.processing,
            territory=self._policy.territory,
            late=self.late,
            follows=patient.follows,
            lists=self._policy.lists,
            now=self._moment.now_us,
        ):
            kept = self.kept_in(decision, patient, is_letter=False)
            self._outbox.put(kept, patient=patient, new=new, kind=change.type, event=number, ordinal=ordinal)
        return number

    def remembered(self, before: EventRefs, first: int) -> EventRefs:
        """The events about a state with those told from rank ``first`` on; what a test message told is never told again."""
        if len(self.events) == first or leaves_production(self._origin.processing, self._policy.territory) is not None:
            return before
        new = [(self._origin.message, ordinal) for ordinal in range(first, len(self.events))]
        return (*before, *new)[-EVENTS_KEPT:]

    def kept_in(self, decision: Decision, patient: PatientRecord, *, is_letter: bool) -> Decision:
        """The decision with what keeps it in while its source or destination is not live."""
        if self._open:
            return decision
        objection = self._policy.going_live.objection(
            source=self._origin.source,
            destination=decision.destination,
            recipient=decision.recipient,
            is_letter=is_letter,
            identifiers=patient.state.active_identifiers,
        )
        return decision if objection is None else kept_in(decision, objection)
