"""Whose message is this: from identifiers to the patient and the stay that they name, inside one establishment.

An identifier leads only inside one establishment: two hospitals with the same numbers never meet. A patient is found by IPP first. A qualified INS finds a patient only where no IPP contradicts it and the strict traits are equal; a name finds nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Protocol

from liaison.care.facts import DocumentFact
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.care.person import Traits
from liaison.hub.journal.records import Key, PatientRecord, number_id
from liaison.hub.journal.view import View
from liaison.rules.foreign import Proposed


class Blind(Protocol):
    """The vault's blind index."""

    def __call__(self, *parts: str) -> bytes: ...


class BlindIndex:
    """Blind indexes of the identifiers that one establishment speaks of, computed once each.

    ``domains`` tells inside which establishment an authority's identifiers mean something; others mean it inside ``establishment``.
    """

    def __init__(self, blind: Blind, establishment: str, domains: Mapping[str, str] = MappingProxyType({})) -> None:
        self._blind = blind
        self._establishment = establishment
        self._domains = domains
        self._known: dict[tuple[str, str, str], bytes] = {}

    def of(self, identifier: Identifier) -> bytes:
        """Of an identifier of a patient or a stay."""
        return self.named(identifier.kind, identifier.authority, identifier.value)

    def national(self, matricule: str) -> bytes:
        """Of an INS in whatever establishment: what a list of followed patients names. The matricule alone, NIR or NIA."""
        return self._blind("follow-ins", "", "", matricule)

    def enrolment(self, identifier: Identifier) -> bytes:
        """Of an identifier as a list of followed patients names it."""
        return self.national(identifier.value) if identifier.kind is IdentifierKind.INS else self.of(identifier)

    def named(self, kind: str, authority: str, value: str) -> bytes:
        """Of anything that has a kind, an authority and a value."""
        key = (kind, authority, value)
        if (found := self._known.get(key)) is None:
            domain = self._domains.get(authority, self._establishment)
            found = self._known[key] = self._blind(kind, domain, authority, value)
        return found

    def everywhere(self, identifier: Identifier) -> bytes:
        """Of an INS, whichever hospital's patient has it."""
        key = (EVERYWHERE, identifier.authority, identifier.value)
        if (found := self._known.get(key)) is None:
            found = self._known[key] = self._blind(identifier.kind, EVERYWHERE, identifier.authority, identifier.value)
        return found


#: Stands for the establishment where an INS is looked for in all of them.
EVERYWHERE = "*"


def document_blinds(index: BlindIndex, fact: DocumentFact) -> list[bytes]:
    """Where a document may be known: under its id first, its set, what replaced it already, what it replaces."""
    blinds = [index.named("document", "", fact.id), index.named("document-set", "", fact.set_id)]
    blinds.append(index.named("document-successor", "", fact.id))
    if fact.replaces:
        blinds.append(index.named("document", "", fact.replaces))
    return blinds


def proposal_blind(index: BlindIndex, proposed: Proposed) -> bytes:
    """By what an assertion is known that was proposed before."""
    return index.named("proposal", proposed.kind, proposed.subject)


def patient_keys(view: View, index: BlindIndex, identifiers: Iterable[Identifier]) -> list[Key]:
    """What must be loaded to find the patient of ``identifiers``."""
    keys: list[Key] = []
    for identifier in identifiers:
        blind = index.of(identifier)
        key: Key = ("identifier", blind)
        keys.append(key)
        if view.knows(key) and (entry := view.identifier(blind)) is not None:
            keys += followed_keys(view, entry.id)
    return keys


def followed_keys(view: View, patient: int) -> list[Key]:
    """What must be loaded to follow a patient to the one it was merged into, and to whom episodes of theirs were given."""
    keys = _merge_keys(view, patient)
    if view.knows(keys[-1]) and (last := followed(view, patient)) is not None:
        for one in last.state.given_away:
            keys += _merge_keys(view, number_id(one.to))
    return keys


def _merge_keys(view: View, patient: int) -> list[Key]:
    keys: list[Key] = []
    for _ in range(8):
        key: Key = ("patient", patient)
        keys.append(key)
        if not view.knows(key) or (record := view.patient(patient)) is None or not record.state.merged_into:
            break
        patient = number_id(record.state.merged_into)
    return keys


def followed(view: View, patient: int) -> PatientRecord | None:
    """The patient, or the one it was merged into."""
    record = view.patient(patient)
    for _ in range(8):
        if record is None or not record.state.merged_into:
            break
        record = view.patient(number_id(record.state.merged_into))
    return record


def find_patient(
    view: View, index: BlindIndex, identifiers: Iterable[Identifier], traits: Traits | None
) -> tuple[PatientRecord | None, bool]:
    """The patient that ``identifiers`` name, and whether a qualified INS of theirs leads to somebody else."""
    by_ipp: PatientRecord | None = None
    by_ins: PatientRecord | None = None
    ipps: set[str] = set()
    for identifier in identifiers:
        entry = view.identifier(index.of(identifier))
        if identifier.kind is IdentifierKind.IPP:
            ipps.add(identifier.authority)
        if entry is None:
            continue
        if identifier.kind is IdentifierKind.IPP and by_ipp is None:
            by_ipp = followed(view, entry.id)
        elif identifier.kind is IdentifierKind.INS and by_ins is None:
            # The index remembers an INS that was withdrawn since: only who still has it is found by it.
            holder = followed(view, entry.id)
            by_ins = holder if holder is not None and identifier in holder.state.active_identifiers else None
    if by_ipp is not None:
        return by_ipp, by_ins is not None and by_ins.id != by_ipp.id
    if by_ins is None:
        return None, False
    other_number = any(known.kind is IdentifierKind.IPP and known.authority in ipps for known in by_ins.state.active_identifiers)
    if other_number or not same_strict(by_ins.state.traits, traits):
        return None, True
    return by_ins, False


def same_strict(known: Traits | None, said: Traits | None) -> bool:
    """Whether two identities have the same five strict traits, all of them."""
    if known is None or said is None:
        return False
    return known.are_strict and known.strict == said.strict
