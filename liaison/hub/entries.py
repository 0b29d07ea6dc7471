"""Where identifiers lead: the entries of the blind index that a message's facts write, and which of them may be overwritten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from liaison.care.facts import DocumentFact
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.hub.journal.records import DocumentRecord, IdentifierRecord
from liaison.hub.journal.view import View
from liaison.hub.resolution import BlindIndex, document_blinds, followed


def patient_entries(
    view: View, index: BlindIndex, identifiers: Iterable[Identifier], number: int, *, merged: bool, several: bool
) -> Iterator[IdentifierRecord]:
    """The entries by which ``identifiers`` lead to patient ``number`` from now on; ``merged`` says that numbers may follow a merge.

    With ``several`` establishments an INS also leads there from any of them.
    """
    for identifier in identifiers:
        blind = index.of(identifier)
        known = view.identifier(blind) if view.knows(("identifier", blind)) else None
        if known is None or (known.id != number and _may_move(view, identifier, known, merged)):
            yield IdentifierRecord(blind=blind, target="patient", id=number)
        if several and identifier.kind is IdentifierKind.INS:
            yield from _everywhere(view, index, identifier, number)


def document_entries(
    index: BlindIndex, fact: DocumentFact, number: int, known: Mapping[bytes, DocumentRecord | None]
) -> Iterator[IdentifierRecord]:
    """The entries by which a document is found; ``known`` is what ``document_blinds`` of the fact led to before."""
    own, of_set, *_ = document_blinds(index, fact)
    if known[own] is None:
        yield IdentifierRecord(blind=own, target="document", id=number)
    newest = known[of_set]
    if newest is None or (newest.id != number and newest.state.version <= fact.version):
        yield IdentifierRecord(blind=of_set, target="document", id=number)
    if fact.replaces:
        yield IdentifierRecord(blind=index.named("document-successor", "", fact.replaces), target="document", id=number)


def _everywhere(view: View, index: BlindIndex, ins: Identifier, number: int) -> Iterator[IdentifierRecord]:
    blind = index.everywhere(ins)
    if view.knows(("identifier", blind)):
        known = view.identifier(blind)
        if known is None or (known.id != number and _may_move(view, ins, known, merged=False)):
            yield IdentifierRecord(blind=blind, target="patient", id=number)


def _may_move(view: View, identifier: Identifier, known: IdentifierRecord, merged: bool) -> bool:
    """Whether an identifier may lead to another patient: a number by a merge, any when nobody has it any more."""
    if merged and identifier.kind is not IdentifierKind.INS:
        return True
    if not view.knows(("patient", known.id)):
        return False
    holder = followed(view, known.id)
    return holder is None or (identifier.kind is IdentifierKind.INS and identifier not in holder.state.active_identifiers)
