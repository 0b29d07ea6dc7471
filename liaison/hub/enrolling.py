"""The commands of following: enrol, leave, tell what is known, cancel what waits. Each is bounded and may be repeated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from liaison.care.identifiers import INS_OIDS, Identifier, IdentifierKind
from liaison.hub.claims import advanced
from liaison.hub.following import bind, holder_of, left
from liaison.hub.journal.records import (
    AttemptRecord,
    DeliveryRecord,
    Enrolment,
    FollowRecord,
    FollowStatus,
    Key,
    PatientRecord,
    Record,
)
from liaison.hub.journal.view import ENROLLED, Moment, View
from liaison.hub.policy import Policy
from liaison.hub.resolution import Blind, BlindIndex, followed_keys
from liaison.hub.states import Work, move
from liaison.private import Private
from liaison.rules.decision import Outcome
from liaison.rules.gates.followed import Followed, FollowList
from liaison.rules.routing import last_look_event

#: Keys of calls that an enrolment remembers.
_KEYS_KEPT: Final = 8
#: States that a delivery can be cancelled from.
_WAITS: Final = frozenset({Work.PENDING, Work.RETRYING, Work.UNCERTAIN, Work.HELD})
#: How long an enrolment in doubt waits before it is looked at again, in microseconds.
_LOOK_AGAIN: Final = 600_000_000


class Wanted(Private, frozen=True, kw_only=True):
    """One line of a list: whom to follow."""

    list: str
    identifier: Identifier
    #: FINESS that the number belongs to; empty for an INS.
    establishment: str = ""
    #: YYYYMMDD, compared with the patient's; empty when the list does not say.
    birth_date: str = ""
    #: Microseconds; None for now, and for what it was when they are enrolled already.
    since: int | None = None
    until: int | None = None
    #: Who asks, and the key of the call.
    by: str = ""
    key: str = ""


class Enrolled(Private, frozen=True, kw_only=True):
    """What became of one line."""

    list: str
    blind: bytes
    status: FollowStatus
    #: Whether the call changed anything.
    changed: bool


def reference(blind: bytes) -> str:
    """How an enrolment is called outside: opaque, and nothing without the hub's key."""
    return blind.hex()


class Enrol(Private, frozen=True, kw_only=True):
    """Enrol the people of some lines. Those whom nobody is known by yet wait."""

    wanted: tuple[Wanted, ...]
    lists: Mapping[str, FollowList]
    blind: Blind
    #: FINESS of every establishment that speaks: where an INS is looked for.
    establishments: tuple[str, ...]
    #: Inside which of them an authority's numbers mean something, where it is declared.
    domains: Mapping[str, str] = {}

    def blind_of(self, wanted: Wanted) -> bytes:
        """The blind index of a line's identifier."""
        return BlindIndex(self.blind, wanted.establishment, self.domains).enrolment(wanted.identifier)

    def needs(self, view: View) -> Iterable[Key]:
        """The enrolments under these identifiers, the patients they were bound to, and whoever has the identifiers now."""
        yield ENROLLED
        for wanted in self.wanted:
            blind = self.blind_of(wanted)
            yield ("follow", blind)
            if view.knows(("follow", blind)):
                for record in view.follows(blind):
                    yield from (("patient", number) for number in record.patients)
            for index, identifier in self._names(wanted):
                key: Key = ("identifier", index.of(identifier))
                yield key
                if view.knows(key) and (entry := view.identifier(index.of(identifier))) is not None:
                    yield from followed_keys(view, entry.id)

    def decide(self, view: View, moment: Moment) -> tuple[tuple[Enrolled, ...], tuple[Record, ...]]:
        """What became of each line, in order."""
        answers: list[Enrolled] = []
        records: list[Record] = []
        for wanted in self.wanted:
            answer, changed = self._one(wanted, view, moment)
            answers.append(answer)
            if changed:
                records += changed
                view = view.over(changed)
        return tuple(answers), tuple(records)

    def _one(self, wanted: Wanted, view: View, moment: Moment) -> tuple[Enrolled, tuple[Record, ...]]:
        blind = self.blind_of(wanted)
        before = next((one for one in view.follows(blind) if one.list == wanted.list), None)
        if before is not None and before.state is not None and wanted.key and wanted.key in before.state.keys:
            return Enrolled(list=wanted.list, blind=blind, status=before.status, changed=False), ()
        record = self._record(wanted, blind, before, moment)
        patients = {number: view.patient(number) for number in record.patients}
        for index, identifier in self._names(wanted):
            if (holder := holder_of(view, index, identifier)) is not None:
                patients[holder.id] = holder
        bound: dict[int, PatientRecord] = {}
        for number, patient in patients.items():
            if patient is None or (patient := bound.get(number, patient)).state.merged_into:
                continue
            others = [bound.get(other, known) for other, known in patients.items() if known is not None and other != number]
            known_others = [one for one in others if one.id in record.patients]
            record, after, changed = bind(record, patient, known_others, lists=self.lists, now=moment.now_us)
            bound |= {one.id: one for one in (after, *changed)}
        written = [one for number, one in bound.items() if one != patients[number]]
        same = not written and before is not None and _alike(before, record)
        answer = Enrolled(list=wanted.list, blind=blind, status=record.status, changed=not same)
        return answer, () if same and not wanted.key else (record, *written)

    def _record(self, wanted: Wanted, blind: bytes, before: FollowRecord | None, moment: Moment) -> FollowRecord:
        identifier = wanted.identifier
        keys = before.state.keys if before is not None and before.state is not None else ()
        state = Enrolment(
            kind=identifier.kind,
            value=identifier.value,
            establishment=wanted.establishment,
            authority=identifier.authority,
            birth_date=wanted.birth_date,
            by=wanted.by,
            keys=(*keys, wanted.key)[-_KEYS_KEPT:] if wanted.key else keys,
        )
        stands = before is not None and before.status is not FollowStatus.LEFT and before.state is not None
        if before is None or not stands:
            return FollowRecord(
                list=wanted.list,
                blind=blind,
                status=FollowStatus.WAITING,
                since=moment.now_us if wanted.since is None else wanted.since,
                until=wanted.until,
                due=wanted.until,
                subject=f"follow:{moment.now:%Y-%m}",
                state=state,
            )
        since = before.since if wanted.since is None else wanted.since
        return replace(before, since=since, until=wanted.until, due=wanted.until or before.due, state=state)

    def _names(self, wanted: Wanted) -> Iterable[tuple[BlindIndex, Identifier]]:
        """Under which names the identifier index may know the patient of a line."""
        if wanted.identifier.kind is not IdentifierKind.INS:
            yield BlindIndex(self.blind, wanted.establishment, self.domains), wanted.identifier
            return
        for establishment in self.establishments:
            index = BlindIndex(self.blind, establishment)
            for oid in sorted(INS_OIDS):
                yield index, replace(wanted.identifier, authority=f"oid:{oid}")


def _alike(before: FollowRecord, after: FollowRecord) -> bool:
    """Whether nothing but who asked, and by which call, is new."""
    mine, yours = before.state, after.state
    if mine is None or yours is None:
        return False
    return (before.since, before.until, before.status, before.patients, mine.birth_date) == (
        after.since,
        after.until,
        after.status,
        after.patients,
        yours.birth_date,
    )


class Leave(Private, frozen=True, kw_only=True):
    """End enrolments at once: the gate stops all that has not left. What they said of a person is forgotten."""

    list: str
    blinds: tuple[bytes, ...]
    key: str = ""

    def needs(self, view: View) -> Iterable[Key]:
        """The enrolments and their patients."""
        yield ENROLLED
        for blind in self.blinds:
            yield ("follow", blind)
            if view.knows(("follow", blind)):
                for record in view.follows(blind):
                    yield from (("patient", number) for number in record.patients)

    def decide(self, view: View, moment: Moment) -> tuple[int, tuple[Record, ...]]:
        """How many ended."""
        records: list[Record] = []
        ended = 0
        for blind in self.blinds:
            record = next((one for one in view.follows(blind) if one.list == self.list), None)
            if record is None or record.status is FollowStatus.LEFT:
                continue
            keys = record.state.keys if record.state is not None else ()
            if self.key and self.key in keys:
                continue
            over = replace(
                record,
                status=FollowStatus.LEFT,
                due=moment.now_us,
                subject=record.subject if record.state is not None else f"follow:{moment.now:%Y-%m}",
                state=Enrolment(keys=(*keys, self.key)[-_KEYS_KEPT:] if self.key else keys),
            )
            patients = [view.patient(number) for number in record.patients]
            changed: tuple[Record, ...] = (over, *(left(record, patient) for patient in patients if patient is not None))
            records += changed
            view = view.over(changed)
            ended += 1
        return ended, tuple(records)


class Sweep(Private, frozen=True, kw_only=True):
    """Cancel what waits for a patient who is no longer followed; what another list still opens goes on."""

    patient: int
    #: Deliveries that were open when they were looked up, each with its hold, if it has one.
    deliveries: tuple[tuple[int, int | None], ...]
    policy: Policy

    def needs(self, view: View) -> Iterable[Key]:
        """The deliveries, their holds, their lanes and the patient."""
        yield ("patient", self.patient)
        for number, hold in self.deliveries:
            yield ("delivery", number)
            if hold is not None:
                yield ("hold", hold)
        for destination in self.policy.destinations:
            yield ("lane", self.patient, destination)

    def decide(self, view: View, moment: Moment) -> tuple[int, tuple[Record, ...]]:
        """How many were cancelled."""
        patient = view.patient(self.patient)
        cancelled: set[tuple[str, int | None]] = set()
        number_cancelled = 0
        records: list[Record] = []
        for number, waits in self.deliveries:
            delivery = view.delivery(number)
            if patient is None or delivery is None or delivery.work not in _WAITS:
                continue
            rule = self._unfollowed(delivery, patient, moment.now_us)
            if rule:
                tried = delivery.attempts + 1
                cancelled.add((delivery.destination, delivery.lane_seq))
                number_cancelled += 1
                records += (
                    replace(delivery, work=move(delivery.work, Work.CANCELLED)),
                    AttemptRecord(delivery=number, number=tried, at=moment.now_us, outcome="cancelled", reason=rule),
                )
                hold = None if waits is None else view.hold(waits)
                if hold is not None and hold.released_at is None:
                    records.append(replace(hold, released_at=moment.now_us, outcome="cancelled"))
        for destination in sorted({destination for destination, _ in cancelled}):
            lane = view.lane(self.patient, destination)
            while lane is not None and (destination, lane.head) in cancelled:
                lane = advanced(lane, moment.now_us)
            if lane is not None and lane != view.lane(self.patient, destination):
                records.append(lane)
        return number_cancelled, tuple(records)

    def _unfollowed(self, delivery: DeliveryRecord, patient: PatientRecord, now: int) -> str:
        if delivery.document is not None:
            return ""
        objection = last_look_event(
            delivery.kind,
            destination=delivery.destination,
            routes=self.policy.routes,
            source=delivery.source,
            patient=patient.state,
            follows=patient.follows,
            lists=self.policy.lists,
            now=now,
        )
        return objection.rule if objection is not None and objection.outcome is Outcome.DROP else ""


class Settled(Private, frozen=True, kw_only=True):
    """Note that what was due for an enrolment was done, and when there is something to do next."""

    list: str
    blind: bytes

    def needs(self, view: View) -> Iterable[Key]:
        """The enrolment and its patients."""
        yield ("follow", self.blind)
        if view.knows(("follow", self.blind)):
            for record in view.follows(self.blind):
                yield from (("patient", number) for number in record.patients)

    def decide(self, view: View, moment: Moment) -> tuple[int | None, tuple[Record, ...]]:
        """When it is due again."""
        record = next((one for one in view.follows(self.blind) if one.list == self.list), None)
        if record is None:
            return None, ()
        if record.status is FollowStatus.LEFT:
            return None, (replace(record, due=None, patients=()),)
        due = record.until
        for number in record.patients:
            patient = view.patient(number)
            if patient is not None and not patient.state.merged_into and any(_unbegun(one, record) for one in patient.follows):
                again = record.since if record.since > moment.now_us else moment.now_us + _LOOK_AGAIN
                due = again if due is None else min(due, again)
        return due, (replace(record, due=due),)


def _unbegun(follow: Followed, record: FollowRecord) -> bool:
    return (follow.list, follow.blind) == (record.list, record.blind) and not follow.begun
