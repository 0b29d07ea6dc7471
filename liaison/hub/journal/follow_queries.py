"""Reading the enrolments beside the writer: what is due, what waits, who is in a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from sqlalchemy import func, select, tuple_

from liaison.hub.journal import schema
from liaison.hub.journal.queries import JournalReader
from liaison.hub.journal.records import FollowRecord, FollowStatus, number_id
from liaison.hub.states import Work

#: States in which a delivery has not been given, and will not be.
_NOT_GIVEN = (Work.CANCELLED, Work.EXPIRED, Work.FAILED, Work.SHADOWED)
_OPEN = (Work.PENDING, Work.RETRYING, Work.UNCERTAIN, Work.HELD)


class FollowDue(msgspec.Struct, frozen=True, kw_only=True):
    """An enrolment for which something is to be done."""

    list: str
    blind: bytes
    status: FollowStatus
    since: int
    until: int | None
    patients: tuple[int, ...]


class FollowReader:
    """Questions about enrolments. Each opens and ends its own read."""

    def __init__(self, reader: JournalReader) -> None:
        self._reader = reader

    def due(self, before: int, *, most: int) -> tuple[FollowDue, ...]:
        """Enrolments that are due at a time (microseconds), the longest due first."""
        table = schema.follow.c
        with self._reader.connection.begin():
            rows = self._reader.connection.execute(
                select(table.list, table.blind, table.status, table.since, table.until, table.patients)
                .where(table.due.is_not(None), table.due <= before)
                .order_by(table.due)
                .limit(most)
            ).all()
        return tuple(
            FollowDue(
                list=row.list,
                blind=row.blind,
                status=FollowStatus(row.status),
                since=row.since,
                until=row.until,
                patients=tuple(number_id(one) for one in row.patients.split()),
            )
            for row in rows
        )

    def given(self, patients: Iterable[int], destinations: Iterable[str]) -> frozenset[tuple[str, int, int]]:
        """Which events some destinations were given about some patients, or are about to be: destination, message, ordinal."""
        table = schema.delivery.c
        found: set[tuple[str, int, int]] = set()
        with self._reader.connection.begin():
            for patient in patients:
                for destination in destinations:
                    rows = self._reader.connection.execute(
                        select(table.message, table.ordinal).where(
                            table.patient == patient,
                            table.destination == destination,
                            table.document.is_(None),
                            table.work.not_in([str(work) for work in _NOT_GIVEN]),
                        )
                    )
                    found |= {(destination, row.message, row.ordinal) for row in rows}
        return frozenset(found)

    def open_deliveries(self, patient: int, destinations: Iterable[str]) -> tuple[tuple[int, int | None], ...]:
        """Events that wait to leave for some destinations, held ones too; each with its open hold, if it has one."""
        table, hold = schema.delivery.c, schema.hold.c
        with self._reader.connection.begin():
            rows = self._reader.connection.execute(
                select(table.id, hold.id)
                .select_from(schema.delivery.outerjoin(schema.hold, (hold.delivery == table.id) & hold.released_at.is_(None)))
                .where(
                    table.patient == patient,
                    table.destination.in_(list(destinations)),
                    table.document.is_(None),
                    table.work.in_([str(work) for work in _OPEN]),
                )
                .order_by(table.id)
            ).all()
        return tuple((row[0], row[1]) for row in rows)

    def blinds(self, name: str) -> frozenset[bytes]:
        """Who is in a list: the blind indexes of the identifiers that it names."""
        table = schema.follow.c
        with self._reader.connection.begin():
            rows = self._reader.connection.execute(
                select(table.blind).where(table.list == name, table.status != str(FollowStatus.LEFT))
            )
            return frozenset(rows.scalars())

    def counts(self) -> dict[str, dict[str, int]]:
        """Enrolments by list and status."""
        table = schema.follow.c
        found: dict[str, dict[str, int]] = {}
        with self._reader.connection.begin():
            for name, status, number in self._reader.connection.execute(
                select(table.list, table.status, func.count()).group_by(table.list, table.status)
            ):
                found.setdefault(name, {})[status] = number
        return found

    def enrolments(self, name: str = "", *, page: int = 500) -> Iterator[FollowRecord]:
        """The enrolments that stand, opened, page by page; of one list, or of all."""
        table = schema.follow.c
        after = (b"", "")
        while True:
            asked = select(schema.follow).where(tuple_(table.blind, table.list) > after, table.status != str(FollowStatus.LEFT))
            if name:
                asked = asked.where(table.list == name)
            with self._reader.connection.begin():
                rows = self._reader.connection.execute(asked.order_by(table.blind, table.list).limit(page)).all()
            if not rows:
                return
            after = (rows[-1].blind, rows[-1].list)
            for row in rows:
                yield self._reader.opener.follow(tuple(row))
