"""Where hospitals meet: one person with one INS in two of them, and what one says of the other's patients.

They are recognised only where both asked for it, and what is not a source's own to do is proposed.
"""

from __future__ import annotations

from collections.abc import Mapping

from liaison.care.facts import IdentityFact
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.finding import Finding
from liaison.hl7.faults import Fault
from liaison.hub.journal.records import Key, PatientRecord, ProposalRecord
from liaison.hub.journal.view import Moment, View
from liaison.hub.policy import Policy
from liaison.hub.resolution import BlindIndex, find_patient, followed, followed_keys, proposal_blind, same_strict
from liaison.mappings.interpretation import SourceProfile
from liaison.rules.foreign import ProposalKind, Proposed
from liaison.rules.sender import INS_MET, PROPOSED, is_foreign


def ins_of(fact: IdentityFact) -> Identifier | None:
    """The qualified INS of an identity."""
    return next((one for one in fact.identifiers if one.kind is IdentifierKind.INS), None) if fact.ins is not None else None


def everywhere_keys(view: View, index: BlindIndex, fact: IdentityFact) -> list[Key]:
    """What must be loaded to know who has this INS, in whatever hospital."""
    ins = ins_of(fact)
    if ins is None:
        return []
    blind = index.everywhere(ins)
    key: Key = ("identifier", blind)
    if view.knows(key) and (entry := view.identifier(blind)) is not None:
        return [key, *followed_keys(view, entry.id)]
    return [key]


def holder_elsewhere(view: View, index: BlindIndex, fact: IdentityFact) -> PatientRecord | None:
    """The other hospital's patient who has the INS of ``fact``; None when nobody has it, or the speaker's own patient."""
    ins = ins_of(fact)
    if ins is None:
        return None
    entry = view.identifier(index.everywhere(ins))
    holder = None if entry is None else followed(view, entry.id)
    if holder is None or ins not in holder.state.active_identifiers:
        return None
    here = view.identifier(index.of(ins))
    own = None if here is None else followed(view, here.id)
    return None if own is not None and own.id == holder.id else holder


def met(
    view: View, index: BlindIndex, fact: IdentityFact, before: PatientRecord | None, *, establishment: str, policy: Policy
) -> PatientRecord | Proposed | None:
    """The patient, recognised by INS in another hospital where both asked for it; or that this is to be proposed."""
    holder = holder_elsewhere(view, index, fact)
    if holder is None or (before is not None and before.id == holder.id):
        return before
    if before is None and may_match(holder, fact, establishment=establishment, policy=policy):
        return holder
    return Proposed(kind=ProposalKind.INS_MATCH, facts=(fact,))


def may_match(holder: PatientRecord, fact: IdentityFact, *, establishment: str, policy: Policy) -> bool:
    """Whether an INS may recognise the holder: asked for by every hospital concerned, all strict traits equal, no number against it."""
    numbers = [one for one in holder.state.active_identifiers if one.kind is IdentifierKind.IPP]
    domains = {policy.domains.get(one.authority) for one in numbers}
    said = {one.authority for one in fact.identifiers if one.kind is IdentifierKind.IPP}
    return (
        bool(numbers)
        and establishment in policy.matching
        and all(domain in policy.matching for domain in domains)
        and not any(one.authority in said for one in numbers)
        and same_strict(holder.state.traits, fact.traits)
    )


def is_shared(record: PatientRecord | None, profile: SourceProfile | None) -> bool:
    """Whether another hospital has a number for this patient."""
    if record is None or profile is None:
        return False
    return any(one.kind is IdentifierKind.IPP and is_foreign(one, profile) for one in record.state.active_identifiers)


#: What a sender is told of each kind of proposal, and where.
_TOLD: Mapping[ProposalKind, tuple[Fault, str]] = {
    ProposalKind.MERGE: (PROPOSED, "MRG-1"),
    ProposalKind.IDENTIFIER_CHANGE: (PROPOSED, "MRG-1"),
    ProposalKind.LINK: (PROPOSED, "PID-3"),
    ProposalKind.ASSERTION: (PROPOSED, "PID-3"),
    ProposalKind.STAY: (PROPOSED, "PV1-19"),
    ProposalKind.INS_MATCH: (INS_MET, "PID-3"),
}


class Proposals:
    """What one message proposes: collected while its facts are folded, recorded once it is known whom it is about."""

    def __init__(self, view: View, index: BlindIndex) -> None:
        self._view = view
        self._index = index
        self._new: dict[bytes, Proposed] = {}
        #: The patient of whom something is proposed.
        self.concerned: PatientRecord | None = None
        self.findings: list[Finding] = []

    def put(self, proposed: Proposed) -> None:
        """Leave to a person what is not the source's own to do."""
        fault, where = _TOLD[proposed.kind]
        self.findings.append(fault.at(where))
        blind = proposal_blind(self._index, proposed)
        if self._view.proposal(blind) is None:
            self._new[blind] = proposed
        for fact in proposed.facts:
            if isinstance(fact, IdentityFact):
                for names in (fact.identifiers, fact.others):
                    self.concerned = self.concerned or find_patient(self._view, self._index, names, None)[0]

    def records(self, moment: Moment, *, message: int, source: str, establishment: str, subject: str) -> tuple[ProposalRecord, ...]:
        """What was never proposed before, sealed under ``subject``."""
        if not self._new:
            return ()
        return tuple(
            ProposalRecord(
                id=moment.next_id(),
                blind=blind,
                source=source,
                establishment=establishment,
                kind=str(proposed.kind),
                message=message,
                since=moment.now_us,
                subject=subject,
                facts=proposed.facts,
            )
            for blind, proposed in self._new.items()
        )
