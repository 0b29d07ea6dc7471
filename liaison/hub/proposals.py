"""Proposals: what a source asserted of another hospital's patient, kept as it was said until a person accepts or refuses it."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from msgspec.structs import replace

from liaison.care.facts import IdentityFact, MovementFact
from liaison.hub.crossing import holder_elsewhere
from liaison.hub.journal.records import Key, PatientRecord, ProposalRecord, ProposalState, Record
from liaison.hub.journal.view import Moment, View
from liaison.hub.needs import fact_keys
from liaison.hub.policy import Policy
from liaison.hub.resolution import Blind, BlindIndex, find_patient, patient_keys
from liaison.hub.taking import Contradiction, Taking
from liaison.hub.telling import Origin
from liaison.private import Private
from liaison.rules.foreign import ProposalKind, Proposed


class Answered(enum.StrEnum):
    """What became of an operator's answer to a proposal."""

    DONE = "done"
    #: Somebody answered before; nothing changed.
    ALREADY = "already"
    #: The state of today contradicts what was asserted then; nothing changed, and the proposal stays open.
    CONTRADICTED = "contradicted"


class Accepted(Private, frozen=True, kw_only=True):
    """What accepting a proposal did."""

    answered: Answered
    #: Why not, in French; empty otherwise.
    why: str = ""
    events: int = 0
    patient: PatientRecord | None = None
    #: Lanes that have work now: destination, patient.
    wake: tuple[tuple[str, int], ...] = ()


class AcceptProposal(Private, frozen=True, kw_only=True):
    """Do what was proposed, as if the establishment that it touches had asserted it. Its events are known by the proposal's id."""

    proposal: ProposalRecord
    policy: Policy
    index: BlindIndex

    def needs(self, view: View) -> Iterable[Key]:
        """Whether it is still open; the patients and stays that it is about; the lanes that may be written to."""
        yield ("proposal", self.proposal.blind)
        facts = self.proposal.facts
        yield from fact_keys(view, self.index, self.policy, facts)
        for fact in facts:
            if isinstance(fact, MovementFact):  # one that is proposed alone has no identity beside it
                yield from patient_keys(view, self.index, fact.patient)

    def decide(self, view: View, moment: Moment) -> tuple[Accepted, tuple[Record, ...]]:
        """Fold what was asserted, with the state as it is today."""
        proposal = self.proposal
        if not _is_open(view, proposal):
            return Accepted(answered=Answered.ALREADY), ()
        origin = Origin(message=proposal.id, source=proposal.source, establishment=proposal.establishment, processing="P")
        taking = Taking(origin, policy=self.policy, index=self.index, view=view, moment=moment, accepted=True)
        try:
            taking.accept(Proposed(kind=ProposalKind(proposal.kind), facts=proposal.facts))
        except Contradiction as contradiction:
            return Accepted(answered=Answered.CONTRADICTED, why=contradiction.finding.message), ()
        decided = _decided(proposal, ProposalState.ACCEPTED, moment)
        accepted = Accepted(
            answered=Answered.DONE, events=len(taking.events), patient=taking.patient, wake=tuple(taking.outbox.wake)
        )
        return accepted, (decided, *taking.records, *taking.outbox.records)


class RefuseProposal(Private, frozen=True, kw_only=True):
    """Never do what was proposed; the same assertion is not proposed again."""

    proposal: ProposalRecord

    def needs(self, view: View) -> Iterable[Key]:
        """Whether it is still open."""
        yield ("proposal", self.proposal.blind)

    def decide(self, view: View, moment: Moment) -> tuple[Answered, tuple[Record, ...]]:
        """Close it."""
        if not _is_open(view, self.proposal):
            return Answered.ALREADY, ()
        return Answered.DONE, (_decided(self.proposal, ProposalState.REFUSED, moment),)


class PatientsOf(Private, frozen=True, kw_only=True):
    """Whom a proposal is about today. Asked of the writer, which knows where identifiers lead; writes nothing."""

    accept: AcceptProposal

    def needs(self, view: View) -> Iterable[Key]:
        """What accepting needs."""
        yield from self.accept.needs(view)

    def decide(self, view: View, moment: Moment) -> tuple[tuple[PatientRecord, ...], tuple[Record, ...]]:
        """Each patient that an identifier of the facts leads to, once."""
        index = self.accept.index
        found: dict[int, PatientRecord] = {}
        for fact in self.accept.proposal.facts:
            if isinstance(fact, IdentityFact):
                people = [find_patient(view, index, (one,), fact.traits)[0] for one in (*fact.identifiers, *fact.others)]
                people.append(holder_elsewhere(view, index, fact) if self.accept.policy.several else None)
                found.update((one.id, one) for one in people if one is not None)
        return tuple(found.values()), ()


def accept(proposal: ProposalRecord, policy: Policy, blind: Blind) -> AcceptProposal:
    """The command that accepts a proposal."""
    return AcceptProposal(proposal=proposal, policy=policy, index=BlindIndex(blind, proposal.establishment, policy.domains))


def _is_open(view: View, proposal: ProposalRecord) -> bool:
    head = view.proposal(proposal.blind)
    return head is not None and head.id == proposal.id and head.state is ProposalState.OPEN


def _decided(proposal: ProposalRecord, state: ProposalState, moment: Moment) -> ProposalRecord:
    return replace(proposal, state=state, decided_at=moment.now_us)
