"""A document: its versions, what replaces it, whether it is withdrawn."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import datetime

import msgspec

from liaison.care import notes as rules
from liaison.care.changes import Change, Remembering, Told
from liaison.care.facts import DocumentAction, DocumentFact
from liaison.care.stay import Stay
from liaison.private import Private


class DocumentStatus(enum.StrEnum):
    """Where a document is; withdrawn is final."""

    CURRENT = "current"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"


class Document(Remembering, frozen=True, kw_only=True, omit_defaults=True):
    """One version of one document of one patient."""

    #: ClinicalDocument/id, and setId with versionNumber.
    id: str
    set_id: str
    version: int
    patient_id: str
    status: DocumentStatus
    #: Ids of the document that this one replaces, as its sender says, and of the one that replaced it.
    replaces: str = ""
    replaced_by: str = ""
    #: All that was said of it last: type, flags, addressees… what is needed to decide and to mail again.
    fact: DocumentFact
    withdrawn_at: datetime | None = None
    #: Names of rules (care/notes): what the fold had to suppose.
    notes: tuple[str, ...] = ()
    revision: int = 1

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the document's bytes."""
        return self.fact.digest


class DocumentFold(Private, frozen=True, kw_only=True):
    """What a document fact makes of a document and of those it replaces."""

    document: Document
    #: Documents of the chain that changed with it, as (before, after): they tell nothing of their own, but must be kept.
    others: tuple[tuple[Document, Document], ...] = ()
    #: The same id came with other bytes: ``document`` is what was known before, and the message is for a person.
    conflict: bool = False


def fold_document(before: Document | None, fact: DocumentFact, *, patient_id: str, chain: Iterable[Document] = ()) -> DocumentFold:
    """``before`` (the document of this id) after a fact about it.

    ``chain`` holds what else is known of the same patient under the same setId, under the id that the fact replaces, or
    replacing this id. A replaced version that comes after its replacement is replaced from the start; an unknown parent is
    accepted with a note; what is withdrawn stays so.
    """
    if before is not None:
        if fact.action is not DocumentAction.WITHDRAW and before.fact.digest != fact.digest and not _only_withdrawn(before):
            return DocumentFold(document=before, conflict=True)
        return DocumentFold(document=_again(before, fact, patient_id))
    others = [one for one in chain if one.id != fact.id]
    withdraws = fact.action is DocumentAction.WITHDRAW
    notes: set[str] = {rules.WITHDRAWAL_OF_UNKNOWN} if withdraws else set()
    successor = _successor(fact, others)
    parents = [] if withdraws else [one for one in others if _replaces(fact, one)]
    if fact.replaces and not withdraws and not any(one.id == fact.replaces for one in others):
        notes.add(rules.UNKNOWN_PARENT)
    if any(one.set_id == fact.set_id and one.version == fact.version and one.id != fact.replaces for one in others):
        notes.add(rules.SAME_VERSION)
    status = DocumentStatus.WITHDRAWN if withdraws else DocumentStatus.REPLACED if successor else DocumentStatus.CURRENT
    # What was told of the newest parent is what this document's own event replaces.
    told = max(parents, key=lambda one: one.version).told if parents else ()
    document = Document(
        id=fact.id,
        set_id=fact.set_id,
        version=fact.version,
        patient_id=patient_id,
        status=status,
        replaces=fact.replaces,
        replaced_by=successor.id if successor is not None and not withdraws else "",
        fact=fact,
        withdrawn_at=fact.recorded_at if withdraws else None,
        notes=tuple(sorted(notes)),
        told=tuple(Told(about=_about(fact.id), type=one.type, event_id=one.event_id) for one in told),
    )
    replaced = [
        (one, msgspec.structs.replace(one, status=DocumentStatus.REPLACED, replaced_by=fact.id, revision=one.revision + 1))
        for one in parents
        if one.status is DocumentStatus.CURRENT
    ]
    return DocumentFold(document=document, others=tuple(replaced))


def completed_by_stay(fact: DocumentFact, stay: Stay) -> DocumentFact:
    """The fact with what its stay knows and its own message left out: who sent the patient, the unit, where the patient goes."""
    first = () if stay.referring_physician is None else (stay.referring_physician,)
    # Mode, destination and FINESS are one statement: a message that says part of it says all of it.
    leaves = bool(fact.discharge_mode or fact.discharge_destination or fact.discharge_finess)
    return msgspec.structs.replace(
        fact,
        referrers=fact.referrers or (*first, *(one for one in stay.referrers if one not in first)),
        unit=fact.unit or stay.place.uf_medical or stay.place.uf_lodging,
        discharge_mode=fact.discharge_mode if leaves else stay.discharge_mode,
        discharge_destination=fact.discharge_destination if leaves else stay.destination,
        discharge_finess=fact.discharge_finess if leaves else stay.destination_finess,
    )


def document_changes(before: Document | None, after: Document) -> tuple[Change, ...]:
    """What to tell of a document: at most one change.

    A replacement is told on the new version and names the event that told the old one; the old one tells nothing.
    """
    if before is None:
        told = after.told[-1].type if after.told else ""
        if after.status is DocumentStatus.WITHDRAWN:
            return (_change("document.withdrawn", after, undoes="document.published"),)
        historic = after.status is DocumentStatus.REPLACED
        if after.replaces or told:
            return (_change("document.replaced", after, undoes=told, historic=historic),)
        kind = "document.replaced" if after.fact.action is DocumentAction.REPLACE else "document.published"
        return (_change(kind, after, historic=historic),)
    if after.status is DocumentStatus.WITHDRAWN and before.status is not DocumentStatus.WITHDRAWN:
        told = after.told[-1].type if after.told else "document.published"
        return (_change("document.withdrawn", after, undoes=told),)
    return ()


def _again(before: Document, fact: DocumentFact, patient_id: str) -> Document:
    """A known document told again: withdrawn, or with other flags and addressees."""
    if fact.action is DocumentAction.WITHDRAW:
        if before.status is DocumentStatus.WITHDRAWN:
            return before
        return msgspec.structs.replace(
            before,
            patient_id=patient_id,
            status=DocumentStatus.WITHDRAWN,
            withdrawn_at=fact.recorded_at,
            revision=before.revision + 1,
        )
    if before.status is DocumentStatus.WITHDRAWN:
        fact_kept = fact if _only_withdrawn(before) else before.fact
        notes = tuple(sorted({*before.notes, rules.PUBLISHED_AFTER_WITHDRAWAL}))
        if notes == before.notes and fact_kept == before.fact:
            return before
        return msgspec.structs.replace(before, fact=fact_kept, notes=notes, revision=before.revision + 1)
    older = fact.recorded_at <= before.fact.recorded_at
    if older or msgspec.structs.replace(fact, recorded_at=before.fact.recorded_at) == before.fact:
        return before
    return msgspec.structs.replace(before, patient_id=patient_id, fact=fact, revision=before.revision + 1)


def _only_withdrawn(document: Document) -> bool:
    """Whether nothing but a withdrawal was ever received: its bytes are then not those of the document."""
    return document.fact.action is DocumentAction.WITHDRAW


def _replaces(fact: DocumentFact, other: Document) -> bool:
    return other.id == fact.replaces or (other.set_id == fact.set_id and other.version < fact.version)


def _successor(fact: DocumentFact, others: list[Document]) -> Document | None:
    """The newest known document that replaces the one of ``fact``."""
    later = [
        one
        for one in others
        if not _only_withdrawn(one) and (one.replaces == fact.id or (one.set_id == fact.set_id and one.version > fact.version))
    ]
    return max(later, key=lambda one: (one.version, one.id), default=None)


def _about(document_id: str) -> str:
    return f"document:{document_id}"


def _change(kind: str, document: Document, *, undoes: str = "", historic: bool = False) -> Change:
    return Change(
        type=kind,
        at=document.withdrawn_at or document.fact.created_at,
        about=_about(document.id),
        revision=document.revision,
        undoes=undoes,
        cancels=bool(undoes),
        historic=historic,
    )
