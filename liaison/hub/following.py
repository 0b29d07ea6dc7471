"""Whom an enrolment means: the binding of the lists of followed patients to the patients that the journal knows. Pure.

An enrolment names an identifier and waits until a patient has it. A patient that it was bound to stays followed under whatever number
they are known later, and through merges. Where it is not sure whom it means, what there is to tell is held and nobody is told of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from liaison.care.facts import IdentityAction, IdentityFact
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.care.person import Traits
from liaison.hub.journal.records import FollowRecord, FollowStatus, Key, PatientRecord, Record, text_id
from liaison.hub.journal.view import ENROLLED, View
from liaison.hub.resolution import BlindIndex, followed
from liaison.rules.gates.followed import Dispute, Followed, FollowList, reviewed


def follow_keys(view: View, index: BlindIndex, fact: IdentityFact) -> Iterable[Key]:
    """What must be loaded to know who is enrolled by the identifiers of a fact: as a rule one value that is always at hand."""
    yield ENROLLED
    if not view.knows(ENROLLED):
        return
    blinds = [index.enrolment(identifier) for identifier in fact.identifiers]
    if fact.action is IdentityAction.MERGE:
        for identifier in fact.absorbed:
            key: Key = ("identifier", index.of(identifier))
            entry = view.identifier(index.of(identifier)) if view.knows(key) else None
            holder = view.patient(entry.id) if entry is not None and view.knows(("patient", entry.id)) else None
            blinds += [follow.blind for follow in holder.follows] if holder is not None else []
    for blind in blinds:
        if view.enrolled(blind):
            yield ("follow", blind)
            if view.knows(("follow", blind)):
                for record in view.follows(blind):
                    yield from (("patient", number) for number in record.patients)


class Following:
    """Binds enrolments to one patient, inside one command; ``records`` is what else must be written."""

    def __init__(self, view: View, lists: Mapping[str, FollowList], now: int) -> None:
        self._view = view
        self._lists = lists
        self._now = now
        self.records: list[Record] = []

    def carried(self, survivor: PatientRecord, absorbed: PatientRecord) -> PatientRecord:
        """A merge (A40): who was followed under the absorbed identity is followed under the one that stays."""
        known = {(one.list, one.blind) for one in survivor.follows}
        if not absorbed.follows:
            return survivor
        brought = [
            # What was known of the identity that stays is of the same person: it is told now.
            replace(one, by_merge=True, begun=not self._catches_up(one.list))
            for one in absorbed.follows
            if (one.list, one.blind) not in known
        ]
        ended = {one.value for one in absorbed.state.identifiers if one.kind is IdentifierKind.INS}
        contested = "" if survivor.contested in ended else survivor.contested
        survivor = replace(survivor, follows=(*survivor.follows, *brought), contested=contested)
        for follow in absorbed.follows:
            record = self._record(follow)
            if record is not None:
                survivor = self._bound(record, survivor, gone=absorbed.id)
        return survivor

    def reviewed(self, patient: PatientRecord) -> PatientRecord:
        """The patient's enrolments once more, after their identity changed."""
        matricule = None if patient.state.ins is None else patient.state.ins.matricule
        follows = tuple([reviewed(one, matricule) for one in patient.follows])
        return patient if follows == patient.follows else replace(patient, follows=follows)

    def found(
        self, identifiers: Iterable[Identifier], before: PatientRecord | None, after: PatientRecord, index: BlindIndex
    ) -> PatientRecord:
        """The patient with the enrolments that waited for those of ``identifiers`` which are new to them."""
        known: tuple[Identifier, ...] = () if before is None else before.state.identifiers
        for identifier in identifiers:
            if identifier in known or identifier not in after.state.identifiers:
                continue
            blind = index.enrolment(identifier)
            if self._view.enrolled(blind):
                for record in self._view.follows(blind):
                    if record.status is not FollowStatus.LEFT:
                        after = self._bound(record, after, new=before is None and not after.state.absorbed)
        return after

    def _bound(self, record: FollowRecord, patient: PatientRecord, *, new: bool = False, gone: int = 0) -> PatientRecord:
        others = [self._view.patient(number) for number in record.patients if number not in (patient.id, gone)]
        bound, patient, others_after = bind(
            record, patient, [one for one in others if one is not None], lists=self._lists, now=self._now, new=new
        )
        self.records += [bound, *others_after]
        self._view = self._view.over((bound, *others_after))
        return patient

    def _catches_up(self, name: str) -> bool:
        declared = self._lists.get(name)
        return declared is not None and bool(declared.catch_up)

    def _record(self, follow: Followed) -> FollowRecord | None:
        if not self._view.knows(("follow", follow.blind)):
            return None
        return next((one for one in self._view.follows(follow.blind) if one.list == follow.list), None)


def bind(
    record: FollowRecord,
    patient: PatientRecord,
    others: Iterable[PatientRecord],
    *,
    lists: Mapping[str, FollowList],
    now: int,
    new: bool = False,
) -> tuple[FollowRecord, PatientRecord, tuple[PatientRecord, ...]]:
    """An enrolment bound to one patient more: the enrolment, the patient, and those of ``others`` that it changes.

    ``others`` are the patients that it was bound to before; ``new`` says that the journal knew nothing of the patient, so that there
    is nothing to catch up.
    """
    enrolment = record.state
    by_ins = enrolment is not None and enrolment.kind == IdentifierKind.INS
    standing = [one for one in others if not one.state.merged_into and one.id != patient.id]
    dispute = ""
    if by_ins and enrolment is not None:
        claimed_twice = patient.contested == enrolment.value or not all(_one_person(patient, one) for one in standing)
        dispute = Dispute.TWO_PATIENTS if claimed_twice else ""
    elif standing:
        # A hospital's number belongs to one patient: only a merge moves it.
        dispute = Dispute.TWO_PATIENTS
    if not dispute and enrolment is not None and _other_birth_date(enrolment.birth_date, patient.state.traits):
        dispute = Dispute.BIRTH_DATE
    declared = lists.get(record.list)
    known = next((one for one in patient.follows if (one.list, one.blind) == (record.list, record.blind)), None)
    matricule = enrolment.value if by_ins and enrolment is not None else ""
    entry = Followed(
        list=record.list,
        blind=record.blind,
        since=record.since,
        until=record.until,
        ins=matricule,
        by_merge=known is not None and known.by_merge,
        begun=known.begun if known is not None else new or declared is None or not declared.catch_up,
        dispute=dispute,
    )
    entry = reviewed(entry, None if patient.state.ins is None else patient.state.ins.matricule)
    patient = _with(patient, entry)
    changed: list[PatientRecord] = []
    if by_ins:
        # Who shares the doubt shares its end.
        for one in standing:
            mine = next((follow for follow in one.follows if (follow.list, follow.blind) == (record.list, record.blind)), None)
            if mine is not None and mine.dispute != dispute and {mine.dispute, dispute} <= {"", Dispute.TWO_PATIENTS}:
                changed.append(_with(one, replace(mine, dispute=dispute)))
    bound = replace(
        record,
        status=FollowStatus.DISPUTED if dispute else FollowStatus.ACTIVE,
        patients=tuple(dict.fromkeys((*record.patients, patient.id))),
        subject=record.subject if record.patients else text_id(patient.id),
        due=max(now, record.since) if not entry.begun or record.until is not None else record.due,
    )
    return bound, patient, tuple(changed)


def left(record: FollowRecord, patient: PatientRecord) -> PatientRecord:
    """The patient without an enrolment."""
    follows = tuple(one for one in patient.follows if (one.list, one.blind) != (record.list, record.blind))
    return replace(patient, follows=follows)


def holder_of(view: View, index: BlindIndex, identifier: Identifier) -> PatientRecord | None:
    """The patient who has an identifier today, by the index; an INS only where it still is theirs."""
    entry = view.identifier(index.of(identifier))
    if entry is None or entry.target != "patient":
        return None
    holder = followed(view, entry.id)
    if holder is None or (identifier.kind is IdentifierKind.INS and identifier not in holder.state.active_identifiers):
        return None
    return holder


def _with(patient: PatientRecord, entry: Followed) -> PatientRecord:
    others = tuple(one for one in patient.follows if (one.list, one.blind) != (entry.list, entry.blind))
    return replace(patient, follows=(*others, entry))


def _one_person(first: PatientRecord, second: PatientRecord) -> bool:
    """Whether two patients under one INS are one person in two establishments: equal strict traits, and no two numbers of one domain."""
    mine, theirs = first.state.traits, second.state.traits
    if mine is None or theirs is None or not mine.are_strict or mine.strict != theirs.strict:
        return False
    return _authorities(first).isdisjoint(_authorities(second))


def _authorities(patient: PatientRecord) -> set[str]:
    return {one.authority for one in patient.state.active_identifiers if one.kind is IdentifierKind.IPP}


def _other_birth_date(enrolled: str, traits: Traits | None) -> bool:
    return bool(enrolled) and traits is not None and bool(traits.birth_date) and traits.birth_date != enrolled
