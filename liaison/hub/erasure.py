"""The commands that make the hub forget somebody: their key first, then whatever was open, then what led to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from liaison.care.patient import Patient
from liaison.hub.journal.records import (
    AttemptRecord,
    Cleared,
    Key,
    KeysDestroyed,
    MarkRecord,
    ParcelRecord,
    Record,
    Removed,
    day_of,
    number_id,
    text_id,
)
from liaison.hub.journal.view import Moment, View
from liaison.hub.states import BLOCKING, Work, move
from liaison.private import Private

#: Set while what led to somebody who is gone may still be there: a start goes on with it.
SWEEP_DUE = "sweep-due"


class Forget(Private, frozen=True, kw_only=True):
    """Destroy the keys of one person's records, and take the records out."""

    #: The record that stands, and all that were merged into it.
    patients: tuple[int, ...]
    #: An erasure goes into the ledger; what only grew too old does not.
    in_ledger: bool

    def needs(self, view: View) -> Iterable[Key]:
        """The patients, and the enrolments that they have."""
        for number in self.patients:
            key: Key = ("patient", number)
            yield key
            if view.knows(key) and (record := view.patient(number)) is not None:
                yield from (("follow", follow.blind) for follow in record.follows)

    def decide(self, view: View, moment: Moment) -> tuple[bool, tuple[Record, ...]]:
        """Whether it was done: False when another record has been merged with these since they were looked up."""
        found = [record for number in self.patients if (record := view.patient(number)) is not None]
        if not family([record.state for record in found]) <= set(self.patients):
            return False, ()
        # Whoever is forgotten is followed no more: somebody new under the same number is not enrolled.
        followed = (Removed(table="follow", key=(follow.blind, follow.list)) for record in found for follow in record.follows)
        destroyed = KeysDestroyed(
            subjects=tuple(text_id(number) for number in self.patients), at=moment.now.isoformat(), in_ledger=self.in_ledger
        )
        removed = (Removed(table="patient", key=(number,)) for number in self.patients)
        return True, (destroyed, *removed, *followed, MarkRecord(name=SWEEP_DUE, value=b"1"))


def family(states: Iterable[Patient]) -> set[int]:
    """The records that some records name as merged with them."""
    return {number_id(name) for state in states for name in (*state.absorbed, state.merged_into) if name}


class CancelAll(Private, frozen=True, kw_only=True):
    """End whatever is under way or held for somebody who is gone."""

    patient: int
    deliveries: tuple[int, ...]
    lanes: tuple[str, ...]
    holds: tuple[int, ...]
    #: What sources asserted of them, and nobody can read any more.
    proposals: tuple[int, ...] = ()

    def needs(self, view: View) -> Iterable[Key]:
        """The deliveries and lanes."""
        for number in self.deliveries:
            yield ("delivery", number)
        for destination in self.lanes:
            yield ("lane", self.patient, destination)

    def decide(self, view: View, moment: Moment) -> tuple[int, tuple[Record, ...]]:
        """How many were ended."""
        records: list[Record] = []
        for number in self.deliveries:
            delivery = view.delivery(number)
            if delivery is None or (delivery.work not in BLOCKING and delivery.work is not Work.HELD):
                continue
            work = delivery.work
            if work is Work.SENDING:
                # What its worker hears comes under an old epoch and changes nothing.
                work = move(work, Work.UNCERTAIN)
            ended = replace(delivery, work=move(work, Work.CANCELLED), epoch=delivery.epoch + 1, due=moment.now_us)
            tried = AttemptRecord(
                delivery=number,
                number=delivery.attempts + 1,
                at=moment.now_us,
                outcome="cancelled",
                reason="dispatch.patient-missing",
            )
            records += (ended, tried, ParcelRecord(delivery=number, patient=self.patient, body=None))
        for destination in self.lanes:
            lane = view.lane(self.patient, destination)
            if lane is not None and not lane.idle:
                records.append(replace(lane, head=lane.last + 1, due=None))
        records += (Removed(table="hold", key=(number,)) for number in self.holds)
        records += (Removed(table="proposal", key=(number,)) for number in self.proposals)
        return len(records), tuple(records)


class Sweep(Private, frozen=True, kw_only=True):
    """Take out rows whose patient is gone, and what leads to rows that are."""

    #: Table and id.
    owned: tuple[tuple[str, int], ...] = ()
    #: Blind index, target, id, as they were seen to lead nowhere.
    identifiers: tuple[tuple[bytes, str, int], ...] = ()

    def needs(self, view: View) -> Iterable[Key]:
        """Where the entries of the index lead by now."""
        return [("identifier", blind) for blind, _, _ in self.identifiers]

    def decide(self, view: View, moment: Moment) -> tuple[int, tuple[Record, ...]]:
        """How many rows went."""
        records: list[Record] = [Removed(table=table, key=(number,)) for table, number in self.owned]
        for blind, target, number in self.identifiers:
            # A message may have given it to somebody else since.
            known = view.identifier(blind)
            if known is not None and (known.target, known.id) == (target, number):
                records.append(Removed(table="identifier", key=(blind,)))
        return len(records), tuple(records)


class Swept(Private, frozen=True, kw_only=True):
    """Note that nothing leads to somebody who is gone any more."""

    def needs(self, view: View) -> Iterable[Key]:
        """Nothing."""
        return ()

    def decide(self, view: View, moment: Moment) -> tuple[None, tuple[Record, ...]]:
        """The mark goes."""
        return None, (MarkRecord(name=SWEEP_DUE, value=None),)


class Strip(Private, frozen=True, kw_only=True):
    """Take the bytes out of messages in which nobody was recognised, and which speak of somebody who is erased."""

    messages: tuple[int, ...]
    holds: tuple[int, ...]

    def needs(self, view: View) -> Iterable[Key]:
        """Nothing."""
        return ()

    def decide(self, view: View, moment: Moment) -> tuple[None, tuple[Record, ...]]:
        """Bytes and decisions go; that there was a message stays."""
        records: list[Record] = []
        for number in self.messages:
            key = (day_of(number), number)
            records += (
                Cleared(table="message", key=key, column="raw"),
                Cleared(table="message", key=key, column="decisions"),
                Removed(table="blob", key=key),
            )
        records += (Removed(table="hold", key=(number,)) for number in self.holds)
        return None, tuple(records)


#: A number this short is anybody's outside of the segments that say who somebody is.
_TELLING = 6
_WHO = re.compile(rb"(?:^|[\r\n])(?:PID|MRG)\|[^\r\n]*")


def speaks_of(raw: bytes, values: Sequence[str]) -> bool:
    """Whether the bytes of a message hold one of a person's identifiers as a whole word, in PID or MRG, or anywhere if it is long."""
    who = b"\n".join(_WHO.findall(raw))
    return any(
        re.search(rb"(?<![0-9A-Za-z])" + re.escape(value.encode()) + rb"(?![0-9A-Za-z])", raw if len(value) >= _TELLING else who)
        for value in values
        if value
    )
