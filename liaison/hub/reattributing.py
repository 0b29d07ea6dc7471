"""What of a patient goes with an episode that is given to another (A44): found in the view, for the intake to move."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from liaison.care.facts import ReattributionFact
from liaison.care.identifiers import Identifier
from liaison.hub.journal.records import DocumentRecord, Key, PatientRecord, StayRecord
from liaison.hub.journal.view import View
from liaison.hub.resolution import BlindIndex, followed, patient_keys


def reattribution_keys(view: View, index: BlindIndex, fact: ReattributionFact) -> Iterable[Key]:
    """What must be loaded: both patients, and all stays and documents of the one that gives."""
    yield from patient_keys(view, index, fact.patient)
    yield from patient_keys(view, index, fact.former)
    for identifier in fact.former:
        blind = index.of(identifier)
        if (
            not view.knows(("identifier", blind))
            or (entry := view.identifier(blind)) is None
            or not view.knows(("patient", entry.id))
        ):
            continue
        giver = followed(view, entry.id)
        for number in () if giver is None else giver.numbers:
            yield ("stays", number)
            yield ("documents", number)
            if view.knows(("stays", number)):
                yield from (("stay", stay) for stay in view.stays_of(number))
            if view.knows(("documents", number)):
                yield from (("document", document) for document in view.documents_of(number))


def stays_of_episode(view: View, giver: PatientRecord, episode: Identifier) -> Iterator[StayRecord]:
    """The stays of an episode that are the giver's, those merged into them included."""
    for number in giver.numbers:
        for name in view.stays_of(number):
            stay = view.stay(name)
            if stay is not None and stay.patient == number and stay.state.episode == episode:
                yield stay


def documents_of_episode(
    view: View, giver: PatientRecord, episode: Identifier, visits: frozenset[Identifier]
) -> Iterator[DocumentRecord]:
    """The giver's documents about an episode: its senders name it, or one of its visits."""
    for number in giver.numbers:
        for name in view.documents_of(number):
            document = view.document(name)
            if document is None or document.patient != number:
                continue
            if document.state.fact.episode == episode or document.state.fact.visit in visits:
                yield document
