"""A patient: the fold of what messages assert of an identity, with merges and changes of identifiers (PAM.fr §4, ITI-30)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

import msgspec

from liaison.care.changes import Change, Remembering
from liaison.care.facts import IdentityAction, IdentityFact
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.care.links import Link, link_changes, linked_ids, links_of_both, with_link
from liaison.care.person import Ins, Professional, Traits
from liaison.private import Private

#: PID-32: the status without which no INS may be kept (PAM.fr §6.6.15).
_VALIDATED = "VALI"

T = TypeVar("T")


class Snapshot(Private, frozen=True, kw_only=True):
    """When an identifier authority last asserted an identity: what it said before that is old."""

    authority: str
    recorded_at: datetime


class GivenAway(Private, frozen=True, kw_only=True):
    """An episode of this patient's that was another's, and was given to them (A44)."""

    #: PID-18.
    episode: Identifier
    #: The other patient's opaque id.
    to: str
    recorded_at: datetime


class Patient(Remembering, frozen=True, kw_only=True, omit_defaults=True):
    """One person as the hub knows them."""

    #: The hub's opaque id.
    id: str
    #: All that lead to this patient, of all establishments, retired ones too: what the identifier index holds.
    identifiers: tuple[Identifier, ...] = ()
    #: Those of ``identifiers`` that are no longer valid: absorbed by a merge (A40) or replaced (A47). Never sent out.
    retired: tuple[Identifier, ...] = ()
    traits: Traits | None = None
    #: PID-32.
    statuses: tuple[str, ...] = ()
    #: Qualified INS; None as soon as the identity is not.
    ins: Ins | None = None
    #: Authority whose assertion ``traits``, ``statuses`` and ``ins`` are.
    asserted_by: str = ""
    snapshots: tuple[Snapshot, ...] = ()
    treating_physician: Professional | None = None
    treating_physician_at: datetime | None = None
    died: bool = False
    died_at: datetime | None = None
    death_recorded_at: datetime | None = None
    #: Set by any message that protects the stay or the person; only a person lifts it, since absence says nothing.
    confidential: bool = False
    #: Ids of the patients merged into this one.
    absorbed: tuple[str, ...] = ()
    #: Id of the patient that this one was merged into; empty while it stands for itself.
    merged_into: str = ""
    #: By the other's id.
    links: tuple[Link, ...] = ()
    given_away: tuple[GivenAway, ...] = ()
    #: When the newest assertion was recorded.
    recorded_at: datetime
    #: Counts the differences that matter; an assertion that only confirms leaves it.
    revision: int = 0

    @property
    def active_identifiers(self) -> tuple[Identifier, ...]:
        """The identifiers that are valid today."""
        return tuple(one for one in self.identifiers if one not in self.retired) if self.retired else self.identifiers

    @property
    def linked(self) -> tuple[str, ...]:
        """Ids of the other records that are this person's too."""
        return linked_ids(self.links)


_OF_ONE = (IdentityAction.ASSERT, IdentityAction.CHANGE_IDENTIFIER)


def fold_identity(before: Patient | None, fact: IdentityFact, *, patient_id: str) -> Patient:
    """``before`` after an assertion (A28, A31, any PID) or a change of identifier (A47); ``patient_id`` names a new one.

    What the message leaves out is unchanged. An assertion older than the last one of the same authority adds identifiers
    only, and one under a retired identifier changes nothing: it describes the record that was given up.
    Raises ValueError for a merge or a link, which have two patients: see fold_merge and fold_link.
    """
    if fact.action not in _OF_ONE:
        raise ValueError("this concerns two patients: use fold_merge or fold_link")
    if fact.action is IdentityAction.CHANGE_IDENTIFIER:
        return _with_identifiers_changed(before, fact, patient_id)
    if before is None:
        before = Patient(id=patient_id, recorded_at=fact.recorded_at)
    elif _is_retired(before, fact):
        return before
    return _counted(before, _asserted(before, fact))


def fold_merge(
    survivor: Patient | None, absorbed: Patient | None, fact: IdentityFact, *, patient_id: str
) -> tuple[Patient, Patient | None]:
    """The surviving and the absorbed patient after an A40 (PAM.fr §4.2); ``patient_id`` names a survivor that is new.

    The absorbed identifiers lead to the survivor from now on, and are retired. The same merge again changes nothing. When
    both are one patient already (a merge told the other way round), only which identifiers are valid changes.
    """
    if absorbed is not None and survivor is not None and absorbed.id == survivor.id:
        absorbed = None
    given_up = fact.absorbed
    before = survivor if survivor is not None else Patient(id=patient_id, recorded_at=fact.recorded_at)
    after = before
    if absorbed is not None:
        after = msgspec.structs.replace(
            after,
            identifiers=_union(after.identifiers, (one for one in absorbed.identifiers if one.kind is not IdentifierKind.INS)),
            retired=_union(after.retired, absorbed.retired),
            absorbed=_union(after.absorbed, (absorbed.id,)),
            confidential=after.confidential or absorbed.confidential,
            treating_physician=after.treating_physician or absorbed.treating_physician,
            treating_physician_at=after.treating_physician_at or absorbed.treating_physician_at,
            died=after.died or absorbed.died,
            died_at=after.died_at or absorbed.died_at,
            death_recorded_at=after.death_recorded_at or absorbed.death_recorded_at,
            links=links_of_both(after.links, absorbed.links, but=(after.id, absorbed.id)),
            given_away=_union(after.given_away, absorbed.given_away),
        )
        if not absorbed.merged_into:
            absorbed = msgspec.structs.replace(absorbed, merged_into=before.id, revision=absorbed.revision + 1)
    after = msgspec.structs.replace(
        after,
        identifiers=_union(after.identifiers, (*fact.identifiers, *given_up)),
        retired=_union(_without(after.retired, fact.identifiers), given_up),
    )
    return _counted(before, _asserted(after, fact)), absorbed


def fold_link(before: Patient, fact: IdentityFact, *, other: str) -> Patient:
    """``before`` after an A24 or an A37 with the patient ``other`` (PAM.fr §4.3)."""
    link = Link(other=other, linked=fact.action is IdentityAction.LINK, recorded_at=fact.recorded_at)
    links = with_link(before.links, link)
    changes = linked_ids(links) != before.linked
    return before if links == before.links else msgspec.structs.replace(before, links=links, revision=before.revision + changes)


def patient_changes(before: Patient | None, after: Patient) -> tuple[Change, ...]:
    """What to tell of a patient: at most one change of identity, and a death.

    A merge is told on the survivor, who remembers whom it absorbed; on the absorbed side there is nothing to tell.
    """
    if after.merged_into or (before is not None and before.revision == after.revision):
        return ()
    changes: list[Change] = []
    kind = _identity_change(before, after)
    if kind:
        changes.append(Change(type=kind, at=after.recorded_at, about="identity", revision=after.revision))
    if after.links:
        changes += link_changes(() if before is None else before.links, after.links, revision=after.revision)
    if after.died and (before is None or not before.died):
        at = after.died_at or after.recorded_at
        changes.append(Change(type="patient.deceased", at=at, about="death", revision=after.revision))
    elif before is not None and before.died and (not after.died or before.died_at != after.died_at):
        changes.append(
            Change(
                type="identity.updated",
                at=after.recorded_at,
                about="death",
                revision=after.revision,
                undoes="patient.deceased",
                cancels=not after.died,
            )
        )
    return tuple(changes)


def _identity_change(before: Patient | None, after: Patient) -> str:
    if before is None:
        return "identity.merged" if after.absorbed or after.retired else "identity.created"
    retired = [one for one in after.retired if one not in before.retired]
    if len(after.absorbed) > len(before.absorbed) or any(one not in before.identifiers for one in retired):
        return "identity.merged"
    if retired or (before.ins is not None and after.ins != before.ins):
        return "identity.identifier-changed"
    alike = (
        before.traits == after.traits
        and before.statuses == after.statuses
        and before.ins == after.ins
        and before.identifiers == after.identifiers
        and before.retired == after.retired
        and before.treating_physician == after.treating_physician
        and before.confidential == after.confidential
    )
    return "" if alike else "identity.updated"


def _asserted(before: Patient, fact: IdentityFact) -> Patient:
    authority = _authority(fact)
    at = fact.recorded_at
    last = next((one.recorded_at for one in before.snapshots if one.authority == authority), None)
    newer = last is None or at >= last
    traits, statuses, ins = before.traits, before.statuses, before.ins
    identifiers = before.identifiers
    asserted_by = before.asserted_by
    # Another authority speaks over the one whose identity is kept only when it knows more: it may not unqualify it.
    leads = newer and (asserted_by in ("", authority) or (before.ins is None and at >= before.recorded_at))
    if leads:
        traits = _overlaid(before.traits, fact.traits)
        statuses = fact.statuses or before.statuses
        asserted_by = authority
        if fact.ins is not None:
            ins = fact.ins
        elif _VALIDATED not in statuses or _strict(traits) != _strict(before.traits):
            ins = None
    elif traits is None:
        traits = fact.traits
    offered = fact.identifiers
    if ins != before.ins:
        identifiers = tuple(one for one in identifiers if one.kind is not IdentifierKind.INS)
    if ins is None or ins != fact.ins:
        offered = tuple(one for one in offered if one.kind is not IdentifierKind.INS)
    identifiers = _union(identifiers, offered)
    treating_physician, treating_physician_at = before.treating_physician, before.treating_physician_at
    if fact.treating_physician is not None and (treating_physician_at is None or at >= treating_physician_at):
        treating_physician, treating_physician_at = fact.treating_physician, at
    died, died_at, death_recorded_at = before.died, before.died_at, before.death_recorded_at
    if fact.died is not None and (death_recorded_at is None or at >= death_recorded_at):
        died, death_recorded_at = fact.died, at
        died_at = (fact.died_at or died_at) if died else None
    snapshots = before.snapshots
    if newer and at != last:
        snapshots = (*(one for one in snapshots if one.authority != authority), Snapshot(authority=authority, recorded_at=at))
    return Patient(
        id=before.id,
        identifiers=identifiers,
        retired=before.retired,
        traits=traits,
        statuses=statuses,
        ins=ins,
        asserted_by=asserted_by,
        snapshots=snapshots,
        treating_physician=treating_physician,
        treating_physician_at=treating_physician_at,
        died=died,
        died_at=died_at,
        death_recorded_at=death_recorded_at,
        confidential=before.confidential or fact.confidential,
        absorbed=before.absorbed,
        merged_into=before.merged_into,
        links=before.links,
        given_away=before.given_away,
        recorded_at=max(before.recorded_at, at),
        revision=before.revision,
        told=before.told,
    )


def _with_identifiers_changed(before: Patient | None, fact: IdentityFact, patient_id: str) -> Patient:
    if before is None:
        before = Patient(id=patient_id, recorded_at=fact.recorded_at)
    changed = before
    if fact.removes_ins:
        # The INS goes with its history, NIR and NIA alike (PAM.fr §4.4): nothing of it is kept, not even as retired.
        changed = msgspec.structs.replace(
            changed,
            ins=None,
            identifiers=tuple(one for one in changed.identifiers if one.kind is not IdentifierKind.INS),
        )
    replaced = tuple(one for one in fact.absorbed if one not in fact.identifiers)
    old_ins = {one for one in replaced if one.kind is IdentifierKind.INS}
    retired = tuple(one for one in replaced if one.kind is not IdentifierKind.INS)
    identifiers = tuple(one for one in changed.identifiers if one not in old_ins)
    ins = None if changed.ins is not None and any(one.value == changed.ins.matricule for one in old_ins) else changed.ins
    changed = msgspec.structs.replace(
        changed,
        ins=ins,
        identifiers=_union(identifiers, retired),
        retired=_union(_without(changed.retired, fact.identifiers), retired),
    )
    return _counted(before, _asserted(changed, fact))


def _counted(before: Patient, after: Patient) -> Patient:
    if before.revision and not _identity_change(before, after) and before.died == after.died and before.died_at == after.died_at:
        return before if after == before else after
    return msgspec.structs.replace(after, revision=before.revision + 1)


def _authority(fact: IdentityFact) -> str:
    for one in fact.identifiers:
        if one.kind is IdentifierKind.IPP:
            return one.authority
    return fact.identifiers[0].authority if fact.identifiers else ""


def _is_retired(patient: Patient, fact: IdentityFact) -> bool:
    ipps = [one for one in fact.identifiers if one.kind is IdentifierKind.IPP]
    return bool(patient.retired and ipps) and all(one in patient.retired for one in ipps)


def _overlaid(before: Traits | None, after: Traits | None) -> Traits | None:
    """``after`` over ``before``: a trait that is not said is unchanged."""
    if before is None or after is None or after == before:
        return after or before
    return Traits(
        birth_name=after.birth_name or before.birth_name,
        first_given_name=after.first_given_name or before.first_given_name,
        given_names=after.given_names or before.given_names,
        used_name=after.used_name or before.used_name,
        used_given_name=after.used_given_name or before.used_given_name,
        birth_date=after.birth_date or before.birth_date,
        sex=after.sex or before.sex,
        birthplace_cog=after.birthplace_cog or before.birthplace_cog,
    )


def _strict(traits: Traits | None) -> tuple[str, ...]:
    """The strict traits, by which an INS was qualified: with others it is no longer that person's."""
    return () if traits is None else traits.strict


def _union(first: tuple[T, ...], second: Iterable[T]) -> tuple[T, ...]:
    new = [one for one in second if one not in first]
    return (*first, *dict.fromkeys(new)) if new else first


def _without(first: tuple[Identifier, ...], second: tuple[Identifier, ...]) -> tuple[Identifier, ...]:
    return tuple(one for one in first if one not in second) if first else first
