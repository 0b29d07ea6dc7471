"""What the journal knows of how the hub stands: backlog, holds, traffic by the hour, alerts. Clear columns only, so it needs no keys.

For a connection of its own, used by one thread at a time beside the writer. Each question is one short read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import func, select

from liaison.hub.holding import HoldHours, past_due
from liaison.hub.journal import schema
from liaison.hub.journal.database import open_engine
from liaison.hub.journal.holds import HoldReader
from liaison.hub.journal.records import AlertRecord, day_of
from liaison.hub.watch.calendar import HOUR, Came, Hour

#: Lanes looked at for one destination: beyond, the count and the age are of those that are due first.
MOST_LANES = 100_000
#: Microseconds that the clock of holds has to give a hold on.
_ABOUT_TO_BE_GIVEN = 5 * 60 * 1_000_000
#: Bits of an id below its millisecond, see ``records.first_id_at``.
_BITS = 20

# An id says when it was given: neither index leads to the rows themselves.
_BACKLOG = """
SELECT count(*), coalesce(sum(l.last - l.head + 1), 0), min(d.id) >> 20
FROM (SELECT patient, destination, head, last FROM lane WHERE destination = ? AND due IS NOT NULL ORDER BY due LIMIT ?) AS l
LEFT JOIN delivery AS d ON d.patient = l.patient AND d.destination = l.destination AND d.lane_seq = l.head
"""

_CAME = """
WITH told AS (
    SELECT source, id >> 20 AS at, (id >> 20) - lag(id >> 20) OVER (PARTITION BY source ORDER BY id) AS gap
    FROM message WHERE day = ? AND id >= ? AND id < ?
)
SELECT source, count(*), min(at), max(at), coalesce(max(gap), 0) FROM told GROUP BY source
"""


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What is open for one destination."""

    deliveries: int
    #: Milliseconds since 1970 of the decision that has waited longest; None when nothing waits.
    oldest: int | None


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for one owner."""

    owner: str
    holds: int
    overdue: int
    #: Those that are whole messages.
    messages: int


class WatchReader:
    """Questions about how the hub stands."""

    def __init__(self, path: Path) -> None:
        self._engine = open_engine(path, reader=True)
        self._connection = self._engine.connect()
        self._connection.exec_driver_sql("PRAGMA temp_store=MEMORY")
        self._connection.rollback()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
        self._engine.dispose()

    def _rows(self, text: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._connection.begin():
            return [tuple(row) for row in self._connection.exec_driver_sql(text, parameters)]

    def pulse(self) -> int | None:
        """When the writer last proved that it commits (microseconds); None in a journal that was never watched."""
        with self._connection.begin():
            value = self._connection.execute(select(schema.meta.c.value).where(schema.meta.c.name == "pulse")).scalar()
        return None if value is None else int(value)

    def backlog(self, destination: str, *, most: int = MOST_LANES) -> Backlog:
        """What is open for a destination, what waits for a person left out."""
        ((_, deliveries, oldest),) = self._rows(_BACKLOG, (destination, most))
        return Backlog(deliveries=deliveries, oldest=oldest)

    def waiting(self, hours: HoldHours, now: int) -> tuple[Waiting, ...]:
        """What waits for a person, by owner, at ``now`` (microseconds).

        Overdue is what its owner should have decided, and what its hospital did not decide in time and is the GCS's since. A hold
        that is due just now is about to be given on: it is not counted yet.
        """
        holds = HoldReader(self._connection, None).open()
        late = {hold.id for hold in past_due(holds, hours, now - _ABOUT_TO_BE_GIVEN)}
        found: dict[str, Waiting] = {}
        for hold in holds:
            known = found.get(hold.owner) or Waiting(owner=hold.owner, holds=0, overdue=0, messages=0)
            found[hold.owner] = Waiting(
                owner=hold.owner,
                holds=known.holds + 1,
                overdue=known.overdue + (hold.id in late or hold.escalated_at is not None),
                messages=known.messages + (hold.delivery is None),
            )
        return tuple(found.values())

    def first_hour(self) -> int | None:
        """The hour (since 1970) of the oldest message; None in an empty journal."""
        table = schema.message.c
        with self._connection.begin():
            day = self._connection.execute(select(func.min(table.day))).scalar()
            if day is None:
                return None
            number: int = self._connection.execute(select(func.min(table.id)).where(table.day == day)).scalar_one()
        return (number >> _BITS) // (HOUR * 1000)

    def came(self, begin: int, end: int) -> dict[str, Came]:
        """What each source sent between two times of one hour (milliseconds since 1970), by source."""
        start = begin - begin % (HOUR * 1000)
        rows = self._rows(_CAME, (day_of(begin << _BITS), begin << _BITS, end << _BITS))
        return {
            source: Came(messages=count, first=(first - start) // 1000, last=(last - start) // 1000, gap=gap // 1000)
            for source, count, first, last, gap in rows
        }

    def hours(self, since: int) -> tuple[Hour, ...]:
        """What was noted of hours since one (since 1970), oldest first."""
        table = schema.traffic
        with self._connection.begin():
            rows = self._connection.execute(select(table).where(table.c.hour >= since).order_by(table.c.hour)).all()
        return tuple(
            Hour(source=row.source, hour=row.hour, messages=row.messages, longest=row.longest, quiet=row.quiet) for row in rows
        )

    def alerts(self, since: int) -> tuple[AlertRecord, ...]:
        """Alerts that are open, or not told whole, or ended after a time (microseconds)."""
        table = schema.alert
        with self._connection.begin():
            rows = self._connection.execute(
                select(table).where(
                    table.c.ended_at.is_(None)
                    | table.c.end_told_at.is_(None)
                    | (table.c.ended_at > since)
                    | (table.c.since > since)
                )
            ).all()
        return tuple(AlertRecord(**row._mapping) for row in rows)  # pyright: ignore[reportPrivateUsage]
