"""Intake: the command that takes one message, in one commit.

It is pure: the journal's writer runs it, ``explain`` runs it against an empty view, and a batch that is redone runs it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from liaison.events.envelope import Event
from liaison.finding import Finding, Severity
from liaison.hub.contracts import Answer, Reading, Verdict
from liaison.hub.journal.records import Key, MessageRecord, PatientRecord, Record, SeenDropped, SeenRecord, text_id
from liaison.hub.journal.view import Moment, View
from liaison.hub.needs import fact_keys
from liaison.hub.outbox import Decided
from liaison.hub.policy import Policy
from liaison.hub.refusals import SAME_CONTROL_ID
from liaison.hub.resolution import BlindIndex, proposal_blind
from liaison.hub.taking import Contradiction, Taking
from liaison.hub.telling import Origin
from liaison.hub.vault.sealing import pack
from liaison.private import Private
from liaison.rules.decision import Owner
from liaison.rules.foreign import DOCUMENT_OF_ANOTHER_HOSPITAL, Parted

#: Contents remembered under one control id: a feed with a constant one must not grow without end.
_CONTENTS_KEPT = 8
#: MSH-3, 4 and 10 are short in any real feed; whatever is longer is known by its digest.
_LONGEST_NAME = 300
_TAKEN = frozenset({Verdict.ACCEPTED, Verdict.ACCEPTED_WITH_FINDINGS})

_encode = msgspec.json.Encoder().encode


class Taken(Private, frozen=True, kw_only=True):
    """What a message became."""

    answer: Answer
    duplicate: bool = False
    findings: tuple[Finding, ...] = ()
    patient: PatientRecord | None = None
    events: tuple[Event, ...] = ()
    decisions: tuple[Decided, ...] = ()
    #: Lanes that have work now: destination, patient.
    wake: tuple[tuple[str, int], ...] = ()


def seen_name(reading: Reading) -> str:
    """Source, MSH-3, 4 and 10: what a resend of the message has in common with it."""
    ids = reading.ids
    name = f"{reading.sender.source}\x1f{ids.application}\x1f{ids.control_id}"
    return name if len(name) <= _LONGEST_NAME else hashlib.sha256(name.encode()).hexdigest()


class Intake(Private, frozen=True, kw_only=True):
    """Take one message."""

    reading: Reading
    policy: Policy
    index: BlindIndex
    #: Keyed digest of the content but for MSH-7.
    digest: bytes
    #: What a resend is known by, see ``seen_name``.
    name: str
    #: The reading's facts, parted by whose identifiers they move.
    parted: Parted
    #: The message in quarantine that is taken again: its own bytes are then no resend.
    replays: int | None = None

    def needs(self, view: View) -> Iterable[Key]:
        """Whether the message was seen; the patient, stay and document that it names; the lanes that may be written to."""
        name = self.name
        seen: Key = ("seen", name)
        yield seen
        if view.knows(seen):
            for entry in view.seen(name):
                if entry.digest == self.digest and entry.message != self.replays:
                    first: Key = ("message", entry.message)
                    yield first
                    # Retention may have taken it out: then this one is taken as new.
                    if not view.knows(first) or view.found(first):
                        return
        yield from fact_keys(view, self.index, self.policy, self.parted.facts)
        for proposed in self.parted.proposed:
            yield ("proposal", proposal_blind(self.index, proposed))
            yield from fact_keys(view, self.index, self.policy, proposed.facts)

    def decide(self, view: View, moment: Moment) -> tuple[Taken, tuple[Record, ...]]:
        """Fold, compare, decide; or give a resend the reply that its first coming got."""
        entries = [entry for entry in view.seen(self.name) if entry.message != self.replays]
        for entry in entries:
            if entry.digest == self.digest and (head := view.message(entry.message)) is not None:
                answer = Answer(verdict=Verdict(head.verdict), reply=head.reply, message_id=text_id(head.id))
                return Taken(answer=answer, duplicate=True), ()
        reading, number = self.reading, moment.next_id()
        taking = self._taking(number, view, moment)
        verdict, findings = reading.verdict, list(reading.findings)
        if entries and reading.ids.control_id:
            findings.append(SAME_CONTROL_ID)
        if verdict in _TAKEN:
            try:
                if self.parted.orphan:
                    raise Contradiction(DOCUMENT_OF_ANOTHER_HOSPITAL.at("PID-3"))
                taking.fold(self.parted.facts)
                for proposed in self.parted.proposed:
                    taking.proposals.put(proposed)
                findings += (*taking.findings, *taking.proposals.findings)
            except Contradiction as contradiction:
                taking = self._taking(number, view, moment)
                findings.append(contradiction.finding)
                verdict = Verdict.QUARANTINED
        if verdict is Verdict.ACCEPTED and any(finding.severity is not Severity.INFORMATION for finding in findings):
            verdict = Verdict.ACCEPTED_WITH_FINDINGS
        told = tuple(findings)
        reply = reading.reply if verdict is reading.verdict else reading.reply_as(verdict, told)
        if verdict is Verdict.QUARANTINED:
            worst = next((one for one in reversed(told) if one.severity is Severity.FATAL), _NOT_UNDERSTOOD)
            taking.outbox.hold(str(Owner.HOSPITAL), worst.rule, worst.message)
        taken = Taken(
            answer=Answer(verdict=verdict, reply=reply, message_id=text_id(number)),
            findings=told,
            patient=taking.patient,
            events=taking.events,
            decisions=tuple(taking.outbox.decisions),
            wake=tuple(taking.outbox.wake),
        )
        subject = self._subject(taking, moment)
        seen: tuple[Record, ...] = (
            SeenRecord(name=self.name, digest=self.digest, message=number),
            *(SeenDropped(name=self.name, digest=old.digest) for old in entries[: max(0, len(entries) + 1 - _CONTENTS_KEPT)]),
        )
        message = self._message(taken, number, moment, subject)
        proposals = taking.proposals.records(
            moment, message=number, source=reading.sender.source, establishment=reading.establishment, subject=subject
        )
        return taken, (message, *taking.records, *proposals, *taking.outbox.records, *seen)

    def _subject(self, taking: Taking, moment: Moment) -> str:
        """Under whose key the message is sealed: its patient's, also where another hospital's is all that it speaks of."""
        about = taking.patient or taking.proposals.concerned
        return text_id(about.id) if about is not None else f"source:{self.reading.sender.source}:{moment.now:%Y-%m}"

    def _taking(self, number: int, view: View, moment: Moment) -> Taking:
        reading = self.reading
        origin = Origin(
            message=number,
            source=reading.sender.source,
            establishment=reading.establishment,
            processing=reading.ids.processing,
        )
        return Taking(origin, policy=self.policy, index=self.index, view=view, moment=moment)

    def _message(self, taken: Taken, number: int, moment: Moment, subject: str) -> MessageRecord:
        reading = self.reading
        return MessageRecord(
            id=number,
            source=reading.sender.source,
            control_id=reading.ids.control_id[:199],
            kind=reading.ids.kind,
            verdict=str(taken.answer.verdict),
            received_at=moment.now_us,
            subject=subject,
            size=len(reading.raw),
            raw=reading.packed if reading.packed is not None else pack(reading.raw),
            reply=taken.answer.reply,
            findings=_encode(taken.findings),
            decisions=_encode(taken.decisions) if taken.decisions else None,
            mode="" if (mode := self.policy.going_live.standing(reading.sender.source).mode) == "live" else mode,
        )


_NOT_UNDERSTOOD = Finding(
    severity=Severity.FATAL, where="", rule="hub.not-understood", message="Le message n'a pas pu être compris.", condition="207"
)
