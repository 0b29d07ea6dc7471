"""Reading what waits for a person, beside the writer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Select, Table, func, select, tuple_

from liaison.hub.holding import OpenHold
from liaison.hub.journal import schema
from liaison.hub.journal.records import DeliveryRecord, HoldRecord, day_of
from liaison.hub.journal.rows import Opener, Row, hold_of

_TOGETHER = 400


class HoldReader:
    """Queries about holds. Each opens and ends its own read."""

    def __init__(self, connection: Connection, opener: Opener | None) -> None:
        self._connection = connection
        self._opener = opener

    def open(self, *, deliveries: bool = True, messages: bool = True) -> tuple[OpenHold, ...]:
        """What waits for a person, oldest first: deliveries, messages in quarantine, or both."""
        table = schema.hold
        query = select(table).where(table.c.released_at.is_(None)).order_by(table.c.id)
        if not deliveries:
            query = query.where(table.c.delivery.is_(None))
        if not messages:
            query = query.where(table.c.delivery.is_not(None))
        with self._connection.begin():
            holds = [hold_of(tuple(row)) for row in self._connection.execute(query)]
            sent = self._by_id(schema.delivery, ("destination", "kind", "work", "source", "document"), [h.delivery for h in holds])
            taken = self._by_id(schema.message, ("source", "kind"), [hold.message for hold in holds if hold.delivery is None])
        return tuple(_line(hold, sent, taken) for hold in holds)

    def find(self, number: int) -> HoldRecord | None:
        """A hold by its id, or the open hold of a delivery or of a message in quarantine by theirs."""
        table = schema.hold.c
        queries: tuple[Select[Any], ...] = (
            select(schema.hold).where(table.id == number),
            select(schema.hold).where(table.released_at.is_(None), table.delivery == number),
            select(schema.hold).where(table.released_at.is_(None), table.delivery.is_(None), table.message == number),
        )
        with self._connection.begin():
            for query in queries:
                if (row := self._connection.execute(query).first()) is not None:
                    return hold_of(tuple(row))
        return None

    def of_delivery(self, number: int) -> HoldRecord | None:
        """The hold of a delivery that is open."""
        table = schema.hold.c
        with self._connection.begin():
            row = self._connection.execute(select(schema.hold).where(table.released_at.is_(None), table.delivery == number)).first()
        return None if row is None else hold_of(tuple(row))

    def delivery(self, number: int) -> DeliveryRecord | None:
        """A delivery with its recipient."""
        if self._opener is None:
            raise RuntimeError("this reader has no keys")
        table = schema.delivery
        with self._connection.begin():
            row = self._connection.execute(select(table).where(table.c.day == day_of(number), table.c.id == number)).first()
        return None if row is None else self._opener.delivery(tuple(row))

    def count(self) -> int:
        """How many are open."""
        with self._connection.begin():
            query = select(func.count()).select_from(schema.hold).where(schema.hold.c.released_at.is_(None))
            return int(self._connection.execute(query).scalar() or 0)

    def _by_id(self, table: Table, columns: Sequence[str], numbers: Iterable[int | None]) -> dict[int, Row]:
        found: dict[int, Row] = {}
        wanted = sorted({number for number in numbers if number is not None})
        for start in range(0, len(wanted), _TOGETHER):
            keys = [(day_of(number), number) for number in wanted[start : start + _TOGETHER]]
            query = select(table.c.id, *(table.c[name] for name in columns)).where(tuple_(table.c.day, table.c.id).in_(keys))
            found |= {row[0]: tuple(row[1:]) for row in self._connection.execute(query)}
        return found


def _line(hold: HoldRecord, sent: dict[int, Row], taken: dict[int, Row]) -> OpenHold:
    destination, work, document = "", "", None
    if hold.delivery is None:
        source, kind = taken.get(hold.message, ("", ""))
        what = "message"
    else:
        destination, kind, work, source, document = sent.get(hold.delivery, ("", "", "", "", None))
        what = "event" if document is None else "letter"
    return OpenHold(
        id=hold.id,
        what=what,
        owner=hold.owner,
        rule=hold.rule,
        reason=hold.reason,
        since=hold.since,
        escalated_at=hold.escalated_at,
        message=hold.message,
        source=source,
        delivery=hold.delivery,
        destination=destination,
        kind=kind,
        work=work,
    )
