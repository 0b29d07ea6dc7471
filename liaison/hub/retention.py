"""How long the journal keeps what, and the command that takes out what grew too old, a few hundred rows at a time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Self

import msgspec

from liaison.hub.journal.records import Cleared, Key, MarkRecord, Record, Removed, day_of, first_id_at
from liaison.hub.journal.view import Moment, View
from liaison.private import Private


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """The ``[retention]`` table: how many days the journal keeps what. Never taken out: what is still under way, or waits for a person."""

    #: Bytes of messages.
    message_days: int = 30
    #: Bodies of events, and the reasons of decisions.
    event_days: int = 365
    #: That a message came and what became of it: messages without their bytes, deliveries, attempts, receipts, decided holds and proposals, acts of operators.
    trace_days: int = 1095
    #: Identities, stays and documents of people of whom nothing was heard: their key is destroyed.
    patient_days: int = 1095


class Horizon(msgspec.Struct, frozen=True, kw_only=True):
    """The first ids that are still young enough, at one moment."""

    message: int
    event: int
    trace: int
    patient: datetime

    @classmethod
    def at(cls, now: datetime, retention: Retention) -> Self:
        """The horizon of a retention at ``now``."""
        return cls(
            message=first_id_at(now - timedelta(days=retention.message_days)),
            event=first_id_at(now - timedelta(days=retention.event_days)),
            trace=first_id_at(now - timedelta(days=retention.trace_days)),
            patient=now - timedelta(days=retention.patient_days),
        )


def bytes_of(message: int) -> tuple[Record, ...]:
    """What takes out a message's bytes."""
    key = (day_of(message), message)
    return Cleared(table="message", key=key, column="raw"), Removed(table="blob", key=key)


def events_of(message: int) -> tuple[Record, ...]:
    """What takes out a message's events and decisions."""
    key = (day_of(message), message)
    return Removed(table="event", key=key), Cleared(table="message", key=key, column="decisions")


def message_whole(message: int) -> tuple[Record, ...]:
    """What takes out a message and all that hangs on it but its deliveries, which have an age of their own."""
    return tuple(Removed(table=table, key=(day_of(message), message)) for table in ("blob", "event", "message"))


def delivery_whole(delivery: int) -> tuple[Record, ...]:
    """What takes out a delivery with its attempts and receipts."""
    return tuple(Removed(table=table, key=(day_of(delivery), delivery)) for table in ("attempt", "receipt", "parcel", "delivery"))


def numbered(table: str, number: int) -> tuple[Record, ...]:
    """What takes out a row of ``hold``, ``proposal`` or ``audit``."""
    return (Removed(table=table, key=(number,)),)


def resend(name: str, digest: bytes) -> Record:
    """What takes out one content by which a resend is recognised."""
    return Removed(table="seen", key=(name, digest))


class TakeOut(Private, frozen=True, kw_only=True):
    """Take rows out, and remember how far that came."""

    rows: tuple[Record, ...]
    marks: tuple[tuple[str, bytes], ...] = ()

    def needs(self, view: View) -> Iterable[Key]:
        """Nothing: what is old enough and closed does not change any more."""
        return ()

    def decide(self, view: View, moment: Moment) -> tuple[None, tuple[Record, ...]]:
        """The rows and the marks."""
        return None, (*self.rows, *(MarkRecord(name=name, value=value) for name, value in self.marks))
