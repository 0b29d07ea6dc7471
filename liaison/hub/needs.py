"""What must be loaded before facts can be folded: the patients, stays and documents that they name, and the lanes of those patients."""

from __future__ import annotations

from collections.abc import Iterable

from liaison.care.facts import DocumentFact, Fact, IdentityAction, IdentityFact, MovementFact, ReattributionFact, ReceiptFact
from liaison.care.identifiers import Identifier
from liaison.hub.crossing import everywhere_keys
from liaison.hub.following import follow_keys
from liaison.hub.journal.records import Key, number_id
from liaison.hub.journal.view import View
from liaison.hub.policy import Policy
from liaison.hub.reattributing import reattribution_keys
from liaison.hub.resolution import BlindIndex, document_blinds, followed_keys, patient_keys, proposal_blind
from liaison.rules.foreign import KINDS, ProposalKind, Proposed


def fact_keys(view: View, index: BlindIndex, policy: Policy, facts: Iterable[Fact]) -> Iterable[Key]:
    """Given what is known so far; asked again until nothing is missing."""
    keys: list[Key] = []
    for fact in facts:
        match fact:
            case IdentityFact():
                keys += patient_keys(view, index, fact.identifiers)
                if fact.others:
                    keys += patient_keys(view, index, fact.others)
                if policy.several:
                    keys += _elsewhere_keys(view, index, fact)
                if policy.follows:
                    yield from follow_keys(view, index, fact)
            case MovementFact():
                keys += _stay_keys(view, index, fact.visit)
            case ReattributionFact():
                keys += reattribution_keys(view, index, fact)
            case DocumentFact():
                keys += _document_keys(view, index, fact)
                if fact.visit is not None:
                    keys += _stay_keys(view, index, fact.visit)
            case ReceiptFact():
                pass
    yield from keys
    for number in {key[1]: None for key in keys if key[0] == "patient"}:
        if isinstance(number, int):
            yield from _lane_keys(view, policy, number)


def _elsewhere_keys(view: View, index: BlindIndex, fact: IdentityFact) -> list[Key]:
    """Who has this INS in another hospital, and whether what follows from it was proposed before."""
    if fact.action is not IdentityAction.ASSERT:
        return [("proposal", proposal_blind(index, Proposed(kind=KINDS[fact.action], facts=(fact,))))]
    if fact.ins is None:
        return []
    keys = everywhere_keys(view, index, fact)
    if len(keys) > 1:
        keys.append(("proposal", proposal_blind(index, Proposed(kind=ProposalKind.INS_MATCH, facts=(fact,)))))
    return keys


def _stay_keys(view: View, index: BlindIndex, visit: Identifier) -> list[Key]:
    blind = index.of(visit)
    key: Key = ("identifier", blind)
    keys: list[Key] = [key]
    if view.knows(key) and (entry := view.identifier(blind)) is not None:
        keys.append(("stay", entry.id))
        if view.knows(("stay", entry.id)) and (stay := view.stay(entry.id)) is not None:
            keys += followed_keys(view, stay.patient)
    return keys


def _document_keys(view: View, index: BlindIndex, fact: DocumentFact) -> list[Key]:
    keys: list[Key] = []
    for blind in document_blinds(index, fact):
        key: Key = ("identifier", blind)
        keys.append(key)
        if view.knows(key) and (entry := view.identifier(blind)) is not None:
            keys.append(("document", entry.id))
            if view.knows(("document", entry.id)) and (document := view.document(entry.id)) is not None:
                keys += followed_keys(view, document.patient)
    return keys


def _lane_keys(view: View, policy: Policy, patient: int) -> Iterable[Key]:
    for destination in policy.destinations:
        yield ("lane", patient, destination)
    if view.knows(("patient", patient)) and (record := view.patient(patient)) is not None:
        for absorbed in record.state.absorbed:
            for destination in policy.destinations:
                yield ("lane", number_id(absorbed), destination)
