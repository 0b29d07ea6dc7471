"""What a command sees: the records it asked for, with what the commands before it in the batch wrote laid over them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar

from liaison.hub.journal.records import (
    DeliveryRecord,
    DocumentRecord,
    EventLine,
    FollowRecord,
    HoldRecord,
    IdentifierRecord,
    Key,
    LaneRecord,
    MessageHead,
    MessageRecord,
    PatientRecord,
    ProposalHead,
    ProposalRecord,
    Record,
    Removed,
    SeenDropped,
    SeenRecord,
    StayRecord,
    SwitchRecord,
    first_id_at,
    microseconds,
)

R_co = TypeVar("R_co", covariant=True)

#: The blind indexes that have enrolments: one value for the whole journal, asked where a route asks who is followed.
ENROLLED: Key = ("enrolled", "")

#: How many values are kept between batches: up to twice as many. The writer is alone, so what it kept is the truth.
KEPT = 4_000


class NotAsked(Exception):
    """A command looked at a record that it had not asked for: a fault of the command."""


class Moment:
    """The clock, ids and randomness of one batch, given to ``decide`` so that it stays repeatable."""

    __slots__ = ("_last", "now", "now_us")

    def __init__(self, now: datetime, last_id: int) -> None:
        self.now = now
        self.now_us = microseconds(now)
        self._last = max(last_id, first_id_at(now) - 1)

    @property
    def last_id(self) -> int:
        """The highest id given so far."""
        return self._last

    def next_id(self) -> int:
        """An id higher than all before it."""
        self._last += 1
        return self._last

    @staticmethod
    def token() -> str:
        """128 bits that nobody can guess, as 32 hexadecimal digits."""
        return secrets.token_hex(16)


class View:
    """Records by key. ``None`` means that the journal has none; a key that was not loaded is a fault."""

    __slots__ = ("_cache", "_passing", "_values")

    def __init__(self, cache: Cache | None = None) -> None:
        self._values: dict[Key, Any] = {}
        self._cache = cache
        self._passing: list[Key] = []

    def missing(self, keys: Iterable[Key]) -> set[Key]:
        """Those of ``keys`` that must still be fetched."""
        values, cache = self._values, self._cache
        wanted: set[Key] = set()
        for key in keys:
            if key not in values:
                value = ABSENT if cache is None else cache.get(key)
                if value is ABSENT:
                    wanted.add(key)
                else:
                    values[key] = value
        return wanted

    @property
    def size(self) -> int:
        """How many keys are known."""
        return len(self._values)

    def load(self, key: Key, value: object) -> None:
        """Note what the journal has under ``key`` (None: nothing)."""
        self._values.setdefault(key, value)

    def load_passing(self, key: Key, value: tuple[int, ...]) -> None:
        """Note what holds for this batch only: the stays or documents of a patient, those that the batch wrote before among them."""
        of, patient = str(key[0]).removesuffix("s"), key[1]
        laid = (one.id for (kind, *_), one in self._values.items() if kind == of and one is not None and one.patient == patient)
        self.load(key, tuple(dict.fromkeys((*value, *laid))))
        self._passing.append(key)

    def knows(self, key: Key) -> bool:
        """Whether ``key`` was loaded or written."""
        return key in self._values

    def found(self, key: Key) -> bool:
        """Whether there is something under a key."""
        return self._values.get(key) is not None

    def _get(self, key: Key) -> Any:
        try:
            return self._values[key]
        except KeyError:
            raise NotAsked(key[0]) from None

    def message(self, number: int) -> MessageHead | None:
        """The verdict and reply of a message."""
        value: MessageHead | None = self._get(("message", number))
        return value

    def seen(self, name: str) -> tuple[SeenRecord, ...]:
        """The contents met under a name, oldest first."""
        value: tuple[SeenRecord, ...] | None = self._get(("seen", name))
        return value or ()

    def identifier(self, blind: bytes) -> IdentifierRecord | None:
        """Where a blind index leads."""
        value: IdentifierRecord | None = self._get(("identifier", blind))
        return value

    def patient(self, number: int) -> PatientRecord | None:
        """A patient's state."""
        value: PatientRecord | None = self._get(("patient", number))
        return value

    def stay(self, number: int) -> StayRecord | None:
        """A stay's state."""
        value: StayRecord | None = self._get(("stay", number))
        return value

    def document(self, number: int) -> DocumentRecord | None:
        """A document's state."""
        value: DocumentRecord | None = self._get(("document", number))
        return value

    def lane(self, patient: int, destination: str) -> LaneRecord | None:
        """A lane."""
        value: LaneRecord | None = self._get(("lane", patient, destination))
        return value

    def delivery(self, number: int) -> DeliveryRecord | None:
        """A delivery."""
        value: DeliveryRecord | None = self._get(("delivery", number))
        return value

    def queued(self, patient: int, destination: str, seq: int) -> int | None:
        """The id of the delivery that has a number in a lane."""
        value: int | None = self._get(("queued", patient, destination, seq))
        return value

    def proposal(self, blind: bytes) -> ProposalHead | None:
        """Whether an assertion was proposed before, and what became of it."""
        value: ProposalHead | None = self._get(("proposal", blind))
        return value

    def hold(self, number: int) -> HoldRecord | None:
        """What waits for a person, or waited."""
        value: HoldRecord | None = self._get(("hold", number))
        return value

    def doubts(self, delivery: int, attempt: int) -> int:
        """How many attempts of a delivery before one may have been taken without anybody knowing."""
        value: int | None = self._get(("doubts", delivery, attempt))
        return value or 0

    def switch(self, name: str) -> SwitchRecord | None:
        """What was stopped under a name, if it is."""
        value: SwitchRecord | None = self._get(("switch", name))
        return value if value is not None and value.since is not None else None

    def enrolled(self, blind: bytes) -> bool:
        """Whether it is worth asking for the enrolments under a blind index: most identifiers have none."""
        known: set[bytes] = self._get(ENROLLED)
        return blind in known

    def follows(self, blind: bytes) -> tuple[FollowRecord, ...]:
        """The enrolments under a blind index, one a list at most."""
        value: tuple[FollowRecord, ...] | None = self._get(("follow", blind))
        return value or ()

    def stays_of(self, patient: int) -> tuple[int, ...]:
        """The stays of a patient."""
        value: tuple[int, ...] | None = self._get(("stays", patient))
        return value or ()

    def documents_of(self, patient: int) -> tuple[int, ...]:
        """The documents of a patient."""
        value: tuple[int, ...] | None = self._get(("documents", patient))
        return value or ()

    def event(self, message: int, ordinal: int) -> EventLine | None:
        """What an event was about."""
        value: EventLine | None = self._get(("event", message, ordinal))
        return value

    def apply(self, records: Iterable[Record]) -> None:
        """Lay what a command recorded over what was loaded."""
        values = self._values
        for record in records:
            # By type, not by match: this runs a dozen times a message.
            if (lay := _LAID.get(type(record))) is not None:
                lay(values, record)

    def over(self, records: Iterable[Record]) -> View:
        """This view with ``records`` laid over it, for the one command that has decided them so far."""
        view = View()
        view._values = dict(self._values)
        view.apply(records)
        return view

    def keep(self) -> None:
        """After the commit: let the cache have what this batch saw and wrote."""
        if self._cache is not None:
            for key in self._passing:
                self._values.pop(key, None)
            self._cache.put_all(self._values)


def _lay_delivery(values: dict[Key, Any], record: DeliveryRecord) -> None:
    values["delivery", record.id] = record
    if record.lane_seq is not None:
        values["queued", record.patient, record.destination, record.lane_seq] = record.id


def _lay_lane(values: dict[Key, Any], record: LaneRecord) -> None:
    values["lane", record.patient, record.destination] = record


def _lay_patient(values: dict[Key, Any], record: PatientRecord) -> None:
    values["patient", record.id] = record


def _lay_stay(values: dict[Key, Any], record: StayRecord) -> None:
    values["stay", record.id] = record
    if (known := values.get(("stays", record.patient), ABSENT)) is not ABSENT and record.id not in (known or ()):
        values["stays", record.patient] = (*(known or ()), record.id)


def _lay_document(values: dict[Key, Any], record: DocumentRecord) -> None:
    values["document", record.id] = record
    if (known := values.get(("documents", record.patient), ABSENT)) is not ABSENT and record.id not in (known or ()):
        values["documents", record.patient] = (*(known or ()), record.id)


def _lay_identifier(values: dict[Key, Any], record: IdentifierRecord) -> None:
    values["identifier", record.blind] = record


def _lay_follow(values: dict[Key, Any], record: FollowRecord) -> None:
    others = tuple(one for one in values.get(("follow", record.blind)) or () if one.list != record.list)
    values["follow", record.blind] = (*others, record)
    # Only ever added to, and shared by all batches: it says where asking is worth while, not what the answer is.
    if (enrolled := values.get(ENROLLED)) is not None:
        enrolled.add(record.blind)


def _lay_seen(values: dict[Key, Any], record: SeenRecord) -> None:
    kept = values.get(("seen", record.name)) or ()
    # A replay takes the place of the message that it takes again.
    values["seen", record.name] = (*(entry for entry in kept if entry.digest != record.digest), record)


def _lay_seen_dropped(values: dict[Key, Any], record: SeenDropped) -> None:
    kept = values.get(("seen", record.name)) or ()
    values["seen", record.name] = tuple(entry for entry in kept if entry.digest != record.digest)


def _lay_message(values: dict[Key, Any], record: MessageRecord) -> None:
    values["message", record.id] = MessageHead(id=record.id, verdict=record.verdict, reply=record.reply)


def _lay_proposal(values: dict[Key, Any], record: ProposalRecord) -> None:
    values["proposal", record.blind] = ProposalHead(id=record.id, state=record.state)


def _lay_hold(values: dict[Key, Any], record: HoldRecord) -> None:
    values["hold", record.id] = record


def _lay_switch(values: dict[Key, Any], record: SwitchRecord) -> None:
    values["switch", record.name] = record


def _lay_removed(values: dict[Key, Any], record: Removed) -> None:
    match record.table:
        case "patient" | "stay" | "document" | "identifier" | "hold":
            values[record.table, record.key[0]] = None
        case "message" | "delivery" if len(record.key) == 2:
            values[record.table, record.key[1]] = None
        # Of several rows under one key, what is not known stays unknown.
        case "seen" if known := values.get(("seen", record.key[0])):
            values["seen", record.key[0]] = tuple(entry for entry in known if entry.digest != record.key[1])
        case "follow" if known := values.get(("follow", record.key[0])):
            values["follow", record.key[0]] = tuple(one for one in known if one.list != record.key[1])
        case _:
            pass


#: Records that a later command of the same batch may ask for; the others only grow the journal.
_LAID: Mapping[type[Any], Callable[[dict[Key, Any], Any], None]] = {
    DeliveryRecord: _lay_delivery,
    LaneRecord: _lay_lane,
    PatientRecord: _lay_patient,
    StayRecord: _lay_stay,
    DocumentRecord: _lay_document,
    IdentifierRecord: _lay_identifier,
    SeenRecord: _lay_seen,
    SeenDropped: _lay_seen_dropped,
    MessageRecord: _lay_message,
    ProposalRecord: _lay_proposal,
    HoldRecord: _lay_hold,
    SwitchRecord: _lay_switch,
    FollowRecord: _lay_follow,
    Removed: _lay_removed,
}


class _Absent:
    """Not known: something else than None, which says that the journal has nothing."""


ABSENT = _Absent()


class Cache:
    """Last values by key, in two generations: what was not seen again while a new one filled up is forgotten with the old.

    Two plain dicts, because this takes in twenty values a message.
    """

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._new: dict[Key, object] = {}
        self._old: dict[Key, object] = {}

    def get(self, key: Key) -> object:
        """What is known of ``key`` (None: that there is nothing), or ABSENT."""
        value = self._new.get(key, ABSENT)
        return self._old.get(key, ABSENT) if value is ABSENT else value

    def put_all(self, values: Mapping[Key, object]) -> None:
        """Know values, those that were asked for once more among them."""
        self._new.update(values)
        if len(self._new) >= self._most:
            self._old, self._new = self._new, {}

    def forget(self) -> None:
        """Forget all: after a rollback nothing that was kept can be trusted."""
        self._new.clear()
        self._old.clear()


class Command(Protocol[R_co]):
    """One write: what state it needs, then, purely and repeatably, what to record and what to answer."""

    def needs(self, view: View) -> Iterable[Key]:
        """Keys that it wants, given those known so far; asked until nothing is missing, at most three rounds."""
        ...

    def decide(self, view: View, moment: Moment) -> tuple[R_co, tuple[Record, ...]]:
        """The answer and the records. May raise: then nothing of this command is recorded."""
        ...
