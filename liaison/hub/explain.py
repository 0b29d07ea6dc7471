"""Explaining: what the hub makes of a message, said without doing it. The same reading and the same command as for real."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from liaison.care.facts import DocumentFact, ReceiptFact
from liaison.care.identifiers import IdentifierKind
from liaison.events.envelope import to_cloudevent_json
from liaison.finding import Finding
from liaison.hl7.acknowledgement import Acknowledgement, read_ack
from liaison.hl7.errors import Hl7Error
from liaison.hub.contracts import Reading
from liaison.hub.engine import OUR_FAULT, intake, quarantined
from liaison.hub.intake import Intake, Taken
from liaison.hub.journal.records import Key, PatientRecord
from liaison.hub.journal.view import Moment, View
from liaison.hub.outbox import Decided
from liaison.hub.policy import Policy
from liaison.hub.vault.keys import KEY_BYTES, master_keys
from liaison.hub.vault.sealing import Vault
from liaison.private import Private
from liaison.rules.decision import Would

#: The JSON object of ``liaison explain --json``.
Explanation: TypeAlias = dict[str, Any]


class EmptyJournal:
    """State for messages that are explained one after another: each sees what the ones before it would have changed."""

    def __init__(self) -> None:
        self._view = View()
        self._last_id = 0

    def take(self, command: Intake, at: datetime) -> Taken:
        """Decide a command as if it were taken at a time, and keep its records in memory only."""
        for _ in range(12):
            wanted: set[Key] = self._view.missing(command.needs(self._view))
            if not wanted:
                break
            for key in wanted:
                self._view.load(key, None)
        moment = Moment(at, self._last_id)
        taken, records = command.decide(self._view, moment)
        self._last_id = moment.last_id
        self._view.apply(records)
        return taken


class Explained(Private, frozen=True, kw_only=True):
    """A message as it was read, and what it would have become."""

    reading: Reading
    taken: Taken

    @property
    def kind(self) -> str:
        """``ADT^A01``, ``CDA``, ``XDM``, ``MAIL``, ``UNKNOWN``."""
        return self.reading.ids.kind or UNKNOWN

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that was noticed, in the order of the reading."""
        return self.taken.findings or self.reading.findings

    def as_json(self) -> Explanation:
        """The object of ``--json``."""
        return explain_taken(self.reading, self.taken)


class Explainer:
    """Takes readings one after another into an empty journal in memory, under a key of its own that nobody keeps."""

    def __init__(self, policy: Policy, now: datetime) -> None:
        self._policy = policy
        self._vault = Vault(master_keys(os.urandom(KEY_BYTES)))
        self._now = now
        self._journal = EmptyJournal()

    def explain(self, reading: Reading) -> Explained:
        """What the hub would make of it. Never raises for what it holds: a fault of ours quarantines it, as the hub does."""
        at = arrival(reading, self._now)
        try:
            taken = self._journal.take(intake(reading, self._policy, self._vault), at)
        except Exception:  # noqa: BLE001 - the engine does the same: a fault of ours costs this message only
            reading = quarantined(reading, OUR_FAULT)
            taken = self._journal.take(intake(reading, self._policy, self._vault), at)
        return Explained(reading=reading, taken=taken)


def arrival(reading: Reading, now: datetime) -> datetime:
    """When a message would have come, had it been sent as soon as it was recorded (EVN-2): a file out of a drawer is not late by that."""
    recorded = [fact.recorded_at for fact in reading.facts if not isinstance(fact, ReceiptFact)]
    return min(now, max(recorded, default=now))


#: Kind of what could not be told from anything.
UNKNOWN = "UNKNOWN"


def explain_taken(reading: Reading, taken: Taken) -> Explanation:
    """One message's explanation, as plain JSON values."""
    return {
        "kind": reading.ids.kind or UNKNOWN,
        "verdict": str(taken.answer.verdict),
        "acknowledgement": _acknowledgement(taken.answer.reply),
        "findings": [explain_finding(finding) for finding in taken.findings or reading.findings],
        "patient": _patient(taken.patient),
        "facts": msgspec.to_builtins(reading.facts),
        "events": [msgspec.json.decode(to_cloudevent_json(event, lane_seq=None)) for event in taken.events],
        "documents": [_document(fact) for fact in reading.facts if isinstance(fact, DocumentFact)],
        "decisions": _decisions(taken.decisions),
        "control_id": reading.ids.control_id,
        "message_id": taken.answer.message_id,
        "duplicate": taken.duplicate,
    }


def explain_finding(finding: Finding) -> Explanation:
    """A finding as plain JSON values."""
    return {
        "severity": str(finding.severity),
        "where": finding.where,
        "rule": finding.rule,
        "message": finding.message,
        "remedy": finding.remedy,
    }


def _acknowledgement(reply: bytes) -> Explanation:
    """What is answered; an empty code where the transport has no reply (a file, a mail)."""
    ack = acknowledgement_of(reply)
    if ack is None:
        return {"code": "", "text": "", "errors": []}
    errors = [
        {
            "location": error.location,
            "code": error.application or error.condition,
            "severity": str(error.severity),
            "text": error.text,
        }
        for error in ack.errors
    ]
    return {"code": ack.code, "text": ack.text, "errors": errors}


def acknowledgement_of(reply: bytes) -> Acknowledgement | None:
    """The reply as it is read by its sender; None when there is none."""
    try:
        return read_ack(reply) if reply else None
    except Hl7Error:
        return None


def _patient(record: PatientRecord | None) -> Explanation:
    if record is None:
        return {}
    state = record.state
    ipps = [{"value": one.value, "authority": one.authority} for one in state.active_identifiers if one.kind is IdentifierKind.IPP]
    return {
        "id": state.id,
        "ins": None if state.ins is None else {"value": state.ins.matricule, "oid": state.ins.oid},
        "ipp": ipps,
        "traits": None if state.traits is None else msgspec.to_builtins(state.traits),
        "statuses": list(state.statuses),
        "treating_physician": None if state.treating_physician is None else msgspec.to_builtins(state.treating_physician),
    }


def _document(fact: DocumentFact) -> Explanation:
    return {
        "type": fact.type_code,
        "label": fact.type_label,
        "id": fact.id,
        "set_id": fact.set_id,
        "version": fact.version,
        "level": fact.level,
        "title": fact.title,
        "action": str(fact.action),
    }


def _decisions(decisions: Iterable[Decided]) -> list[Explanation]:
    return [
        {
            "about": decided.about,
            "event": decided.event,
            "destination": decided.decision.destination,
            "recipient": decided.decision.recipient,
            "outcome": str(decided.decision.outcome),
            "reason": decided.decision.reason,
            "rule": decided.decision.rule,
            "owner": str(decided.decision.owner),
            **explain_would(decided.decision.would),
        }
        for decided in decisions
    ]


def explain_would(would: Would | None) -> Explanation:
    """What a shadowed decision would have been, as plain JSON values; nothing for the others."""
    if would is None:
        return {}
    return {"would": {"outcome": str(would.outcome), "reason": would.reason, "rule": would.rule, "owner": str(would.owner)}}
