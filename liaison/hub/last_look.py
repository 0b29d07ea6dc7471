"""The last look: the gates once more when dispatch claims a delivery, with the patient and the document as they are by then."""

from __future__ import annotations

from msgspec.structs import replace

from liaison.care.document import DocumentStatus
from liaison.care.facts import DocumentAction
from liaison.hub.journal.records import DeliveryRecord, DocumentRecord, PatientRecord
from liaison.hub.policy import Policy
from liaison.rules.decision import Objection, Outcome, Owner
from liaison.rules.letters import CHOSEN_BY_PERSON, WITHOUT_INS, last_look_letter
from liaison.rules.routing import last_look_event


class PolicyLastLook:
    """The last look under one policy. Pure: the same states give the same answer."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def __call__(
        self, delivery: DeliveryRecord, patient: PatientRecord | None, document: DocumentRecord | None, *, now: int
    ) -> Objection | None:
        """What now speaks against the delivery; None when it may leave."""
        if patient is None:
            return _NOBODY
        closed = self._policy.going_live.last_look(
            source=delivery.source,
            destination=delivery.destination,
            recipient=delivery.recipient,
            is_letter=delivery.document is not None,
            identifiers=patient.state.active_identifiers,
        )
        if closed is not None:
            return closed
        if delivery.document is None:
            return last_look_event(
                delivery.kind,
                destination=delivery.destination,
                routes=self._policy.routes,
                source=delivery.source,
                patient=patient.state,
                follows=patient.follows,
                lists=self._policy.lists,
                now=now,
            )
        if document is None:
            return _NO_DOCUMENT
        state = document.state
        fact = replace(state.fact, action=DocumentAction.WITHDRAW) if delivery.withdraws else state.fact
        return last_look_letter(
            fact,
            destination=delivery.destination,
            recipient=delivery.recipient,
            had_ins=delivery.rule not in WITHOUT_INS,
            rules=self._policy.letters,
            source=delivery.source,
            patient=patient.state,
            withdrawn=state.status is DocumentStatus.WITHDRAWN,
            replaced=state.status is DocumentStatus.REPLACED,
            by_person=delivery.rule in CHOSEN_BY_PERSON,
        )


#: Erased or forgotten since: there is nobody left to tell of, and nothing that a person could decide.
_NOBODY = Objection(outcome=Outcome.DROP, reason="Le patient n'est plus dans le journal.", rule="dispatch.patient-missing")
_NO_DOCUMENT = Objection(
    outcome=Outcome.HOLD, reason="Le document n'est plus dans le journal.", rule="dispatch.document-missing", owner=Owner.GCS
)
