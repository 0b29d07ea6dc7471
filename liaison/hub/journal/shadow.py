"""What the journal holds of messages that were decided and kept in: for the report of a shadow run. Reads beside the writer."""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, and_, func, select, true, tuple_

from liaison.hub.journal import schema
from liaison.hub.journal.database import open_engine
from liaison.hub.journal.records import day_of, first_id_at, from_microseconds, microseconds
from liaison.hub.journal.rows import Opener
from liaison.hub.states import Work
from liaison.hub.vault.subjects import SubjectErased, SubjectKeys
from liaison.private import Private

#: Events whose bodies the report looks into: which stays ended in which unit, and which had a letter.
_LOOKED_INTO = ("stay.admitted", "stay.discharged", "document.published", "document.replaced")


class KeptEvent(Private, frozen=True, kw_only=True):
    """An event of such a message."""

    type: str
    #: Its CloudEvents encoding.
    body: bytes


class KeptMessage(Private, frozen=True, kw_only=True):
    """A message of a source in shadow, or one of whose decisions something was kept in."""

    id: int
    source: str
    kind: str
    verdict: str
    received_at: datetime
    #: Whether its whole source was in shadow.
    in_shadow: bool
    #: JSON.
    findings: bytes
    #: JSON; None when nothing was decided, or when its patient was erased.
    decisions: bytes | None
    events: tuple[KeptEvent, ...]


class ShadowReader:
    """Queries on a journal file. Each page opens and ends its own read, so that checkpoints are never held up."""

    def __init__(self, path: Path, keys: SubjectKeys) -> None:
        self._connection: Connection = open_engine(path, reader=True).connect()
        self._open = Opener(keys)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def count(self, since: datetime | None, source: str) -> int:
        """How many messages there are to look through."""
        with self._connection.begin():
            return int(
                self._connection.execute(select(func.count()).select_from(schema.message).where(self._of(since, source))).scalar()
                or 0
            )

    def messages(self, since: datetime | None, source: str, *, page: int = 500) -> Iterator[tuple[int, tuple[KeptMessage, ...]]]:
        """Page by page, oldest first: how many messages were looked at, and those that were kept in, of one source or of all."""
        shadowed = self._shadowed(since)
        table = schema.message.c
        columns = (
            table.day, table.id, table.source, table.kind, table.verdict, table.received_at, table.subject, table.findings,
            table.decisions, table.mode,
        )  # fmt: skip
        after = (0, 0)
        while True:
            with self._connection.begin():
                rows = self._connection.execute(
                    select(*columns)
                    .where(tuple_(table.day, table.id) > after, self._of(since, source))
                    .order_by(table.day, table.id)
                    .limit(page)
                ).all()
                if not rows:
                    return
                last = (rows[-1].day, rows[-1].id)
                kept = {row.id: row for row in rows if row.mode == "shadow" or row.id in shadowed}
                events = self._events(after, last, kept) if kept else {}
            after = last
            yield (
                len(rows),
                tuple(
                    KeptMessage(
                        id=row.id,
                        source=row.source,
                        kind=row.kind,
                        verdict=row.verdict,
                        received_at=from_microseconds(row.received_at),
                        in_shadow=row.mode == "shadow",
                        findings=row.findings,
                        decisions=self._decisions(row.id, row.subject, row.decisions),
                        events=tuple(events.get(row.id, ())),
                    )
                    for row in kept.values()
                ),
            )

    def _of(self, since: datetime | None, source: str) -> ColumnElement[bool]:
        table = schema.message.c
        period = (
            true() if since is None else and_(table.day >= day_of(first_id_at(since)), table.received_at >= microseconds(since))
        )
        return and_(period, table.source == source) if source else period

    def _shadowed(self, since: datetime | None) -> frozenset[int]:
        """Messages that led to a shadowed delivery."""
        table = schema.delivery.c
        period = true() if since is None else table.day >= day_of(first_id_at(since))
        with self._connection.begin():
            found = self._connection.execute(select(table.message).distinct().where(period, table.work == str(Work.SHADOWED)))
            return frozenset(found.scalars())

    def _events(self, after: tuple[int, int], last: tuple[int, int], kept: Container[int]) -> dict[int, list[KeptEvent]]:
        table = schema.event.c
        rows = self._connection.execute(
            select(table.message, table.ordinal, table.type, table.patient, table.body)
            .where(
                tuple_(table.day, table.message) > after,
                tuple_(table.day, table.message) <= last,
                table.type.in_(_LOOKED_INTO),
            )
            .order_by(table.message, table.ordinal)
        ).all()
        found: dict[int, list[KeptEvent]] = {}
        for row in rows:
            if row.message in kept:
                with suppress(SubjectErased):
                    body = self._open.event(row.message, row.ordinal, row.patient, row.body)
                    found.setdefault(row.message, []).append(KeptEvent(type=row.type, body=body))
        return found

    def _decisions(self, number: int, subject: str, sealed: bytes | None) -> bytes | None:
        try:
            return None if sealed is None else self._open.decisions(number, subject, sealed)
        except SubjectErased:
            return None
