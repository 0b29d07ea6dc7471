"""What a message says of other hospitals' patients, parted from what it says of its own.

A source moves only its own identifiers. Whatever else it asserts may well be true (a transfer, a shared record), so it is not refused:
it is proposed, as it was said, to a person who can ask both hospitals. Pure.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from msgspec.structs import replace

from liaison.care.facts import DocumentFact, Fact, IdentityAction, IdentityFact, MovementFact, ReattributionFact, ReceiptFact
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.hl7.faults import fatal
from liaison.mappings.interpretation import SourceProfile
from liaison.private import Private
from liaison.rules.sender import is_foreign

DOCUMENT_OF_ANOTHER_HOSPITAL = fatal(
    "sender.document-of-another-hospital",
    "Le patient de ce document n'est désigné que par l'identifiant d'un autre établissement : rien n'est envoyé.",
    "Porter dans PID-3 votre propre IPP ; si cette autorité est la vôtre, demander à l'exploitant de l'ajouter à « authorities ».",
    "207",
)


class ProposalKind(enum.StrEnum):
    """What a person is asked to accept."""

    MERGE = "merge"  #: A40 that absorbs, or keeps, another hospital's patient
    IDENTIFIER_CHANGE = "identifier-change"  #: A47 on another hospital's number, or on an INS that both hospitals use
    LINK = "link"  #: PID-3 gives two hospitals' numbers to one person
    INS_MATCH = "ins-match"  #: two hospitals' patients have one qualified INS
    ASSERTION = "assertion"  #: a whole message about another hospital's patient
    STAY = "stay"  #: a movement of another hospital's stay, or an episode taken from its patient


class Proposed(Private, frozen=True, kw_only=True):
    """What is not done unless a person accepts it."""

    kind: ProposalKind
    #: As they were asserted.
    facts: tuple[Fact, ...]

    @property
    def subject(self) -> str:
        """What it is about, the same for the same assertion whenever it comes. Identifies: only a keyed digest of it is kept."""
        return "\x1f".join(part for fact in self.facts for part in _names(fact))


class Parted(Private, frozen=True, kw_only=True):
    """A message's facts: those that act, and those that are proposed."""

    facts: tuple[Fact, ...]
    proposed: tuple[Proposed, ...] = ()
    #: A letter whose patient no identifier of the source's own names: its sender must know that it stays.
    orphan: bool = False


def part(facts: tuple[Fact, ...], profile: SourceProfile) -> Parted:
    """Part the facts of one message by whose identifiers they move."""
    if not any(is_foreign(one, profile) for fact in facts for one in _moved(fact)):
        return Parted(facts=facts)
    if any(
        isinstance(fact, IdentityFact) and fact.action is IdentityAction.ASSERT and _is_elsewhere(fact.identifiers, profile)
        for fact in facts
    ):
        orphan = any(isinstance(fact, DocumentFact) for fact in facts)
        return Parted(facts=(), proposed=() if orphan else (Proposed(kind=ProposalKind.ASSERTION, facts=facts),), orphan=orphan)
    own: list[Fact] = []
    proposed: list[Proposed] = []
    for fact in facts:
        match fact:
            case IdentityFact(action=IdentityAction.ASSERT):
                kept = _own(fact.identifiers, profile)
                own.append(replace(fact, identifiers=kept))
                if kept != fact.identifiers:
                    proposed.append(Proposed(kind=ProposalKind.LINK, facts=(fact,)))
            case IdentityFact():
                if _is_elsewhere(fact.identifiers, profile) or any(is_foreign(one, profile) for one in fact.others):
                    proposed.append(Proposed(kind=KINDS[fact.action], facts=(fact,)))
                else:
                    own.append(replace(fact, identifiers=_own(fact.identifiers, profile)))
            case MovementFact():
                if is_foreign(fact.visit, profile):
                    proposed.append(Proposed(kind=ProposalKind.STAY, facts=(fact,)))
                else:
                    own.append(replace(fact, patient=_own(fact.patient, profile)))
            case ReattributionFact():
                if any(is_foreign(one, profile) for one in (*fact.former, fact.episode)):
                    proposed.append(Proposed(kind=ProposalKind.STAY, facts=(fact,)))
                else:
                    own.append(replace(fact, patient=_own(fact.patient, profile)))
            case DocumentFact():
                own.append(replace(fact, patient=_own(fact.patient, profile)))
            case ReceiptFact():
                own.append(fact)
    return Parted(facts=tuple(own), proposed=tuple(proposed))


#: What an identity fact that changes identifiers is proposed as.
KINDS = {
    IdentityAction.MERGE: ProposalKind.MERGE,
    IdentityAction.CHANGE_IDENTIFIER: ProposalKind.IDENTIFIER_CHANGE,
    # Accepted, a link leaves two records: it is no reason to make them one.
    IdentityAction.LINK: ProposalKind.ASSERTION,
    IdentityAction.UNLINK: ProposalKind.ASSERTION,
}


def _moved(fact: Fact) -> Iterable[Identifier]:
    """The identifiers by which a fact says what it moves."""
    match fact:
        case IdentityFact():
            return (*fact.identifiers, *fact.others) if fact.others else fact.identifiers
        case MovementFact():
            return (*fact.patient, fact.visit)
        case ReattributionFact():
            return (*fact.patient, *fact.former, fact.episode)
        case DocumentFact():
            return fact.patient
        case ReceiptFact():
            return ()


def _own(identifiers: tuple[Identifier, ...], profile: SourceProfile) -> tuple[Identifier, ...]:
    return tuple(one for one in identifiers if not is_foreign(one, profile))


def _is_elsewhere(identifiers: tuple[Identifier, ...], profile: SourceProfile) -> bool:
    """Whether a patient is named by other hospitals' numbers only."""
    numbers = [one for one in identifiers if one.kind is IdentifierKind.IPP]
    return bool(numbers) and all(is_foreign(one, profile) for one in numbers)


def _names(fact: Fact) -> Iterable[str]:
    match fact:
        case IdentityFact():
            yield fact.action
            for one in (*fact.identifiers, *fact.others):
                yield f"{one.kind}:{one.authority}:{one.value}"
        case MovementFact():
            yield f"{fact.visit.authority}:{fact.visit.value}:{fact.action}:{fact.trigger}:{fact.at.isoformat()}"
            yield from (f"{one.authority}:{one.value}" for one in fact.movement)
        case ReattributionFact():
            yield f"{fact.episode.authority}:{fact.episode.value}:{fact.recorded_at.isoformat()}"
        case DocumentFact():
            yield fact.id
        case ReceiptFact():
            yield fact.correlation
