"""Reading the journal beside the writer: for dispatch, the command line and the console. Never writes, keeps no snapshot open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine, Table, func, select, tuple_

from liaison.hub.journal import schema
from liaison.hub.journal.database import open_engine
from liaison.hub.journal.holds import HoldReader
from liaison.hub.journal.records import (
    AuditRecord,
    DeliveryRecord,
    DocumentRecord,
    PatientRecord,
    ProposalRecord,
    day_of,
    from_microseconds,
    text_id,
)
from liaison.hub.journal.rows import Opener
from liaison.hub.vault.subjects import SubjectErased, SubjectKeys
from liaison.private import Private

#: Asked once a delivery when dispatch lags behind, so straight to the driver: Core's own work would cost ten times the query's.
_EVENT = "SELECT patient, body FROM event WHERE day = ? AND message = ? AND ordinal = ?"

_STOPPED = schema.switch.c.since.is_not(None)


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What ``journal stats`` prints."""

    messages: int
    events: int
    patients: int
    stays: int
    documents: int
    messages_by_verdict: dict[str, int]
    deliveries: dict[str, int]
    holds: int
    #: The same by rule: ``sender.pair`` counts the messages of a source under a name that is not its own.
    holds_by_rule: dict[str, int]
    #: What a person is asked to accept of other hospitals' patients.
    proposals: int
    #: What a person stopped: ``letters``, ``deliveries``, ``destination/<name>``, ``source/<name>``.
    stopped: tuple[str, ...]


class MessageLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of ``journal list``: nothing in it names a patient."""

    id: str
    source: str
    control_id: str
    kind: str
    received_at: str
    verdict: str
    size: int
    events: tuple[str, ...]


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery whose time has not come."""

    delivery: int
    patient: int
    destination: str


class LaneDue(msgspec.Struct, frozen=True, kw_only=True):
    """A lane that has something to do at ``due`` (microseconds)."""

    destination: str
    patient: int
    due: int


class StoredMessage(Private, frozen=True, kw_only=True):
    """A whole message with what the hub made of it."""

    line: MessageLine
    raw: bytes | None
    reply: bytes
    findings: bytes
    decisions: bytes | None
    subject: str


class AttemptLine(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of a delivery."""

    number: int
    at: str
    outcome: str
    reason: str


class DeliveryLine(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery with its attempts and receipts, without its recipient."""

    id: str
    destination: str
    kind: str
    work: str
    lane_seq: int | None
    attempts: tuple[AttemptLine, ...]
    receipts: tuple[AttemptLine, ...]


class ProposalLine(msgspec.Struct, frozen=True, kw_only=True):
    """One proposal, without anybody's identity."""

    id: str
    source: str
    #: FINESS of the establishment that asserts.
    establishment: str
    kind: str
    #: The message that asserted it first.
    message: str
    state: str
    since: str
    decided_at: str | None


class JournalReader:
    """Queries on a journal file. Each call opens and ends its own read, so that checkpoints are never held up.

    ``keys`` is needed for whatever is sealed; without it only clear columns can be asked for.
    """

    def __init__(self, path: Path | Engine, keys: SubjectKeys | None = None) -> None:
        self._engine = path if isinstance(path, Engine) else open_engine(path, reader=True)
        self._connection: Connection = self._engine.connect()
        self._opener = None if keys is None else Opener(keys)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @property
    def connection(self) -> Connection:
        """For the questions that have a file of their own."""
        return self._connection

    @property
    def opener(self) -> Opener:
        """What opens sealed columns. Raises RuntimeError when this reader was given no keys."""
        return self._open

    @property
    def _open(self) -> Opener:
        if self._opener is None:
            raise RuntimeError("this reader has no keys")
        return self._opener

    def counts(self) -> Counts:
        """Counts of the whole journal."""
        table = schema.message.c
        with self._connection.begin():
            count = self._connection.execute

            def number(source: Table) -> int:
                return int(count(select(func.count()).select_from(source)).scalar() or 0)

            verdicts = {row[0]: row[1] for row in count(select(table.verdict, func.count()).group_by(table.verdict))}
            work = schema.delivery.c.work
            deliveries = {row[0]: row[1] for row in count(select(work, func.count()).group_by(work))}
            hold = schema.hold.c
            waiting = select(hold.rule, func.count()).where(hold.released_at.is_(None)).group_by(hold.rule).order_by(hold.rule)
            holds = {row[0]: row[1] for row in count(waiting)}
            return Counts(
                messages=sum(verdicts.values()),
                events=number(schema.event),
                patients=number(schema.patient),
                stays=number(schema.stay),
                documents=number(schema.document),
                messages_by_verdict=verdicts,
                deliveries=deliveries,
                holds=sum(holds.values()),
                holds_by_rule=holds,
                proposals=int(
                    count(select(func.count()).select_from(schema.proposal).where(schema.proposal.c.state == "open")).scalar() or 0
                ),
                stopped=tuple(count(select(schema.switch.c.name).where(_STOPPED).order_by(schema.switch.c.name)).scalars()),
            )

    @property
    def holds(self) -> HoldReader:
        """What waits for a person."""
        return HoldReader(self._connection, self._opener)

    def switches(self) -> dict[str, int]:
        """What a person stopped, and since when (microseconds)."""
        with self._connection.begin():
            rows = self._connection.execute(select(schema.switch).where(_STOPPED).order_by(schema.switch.c.name))
            return {row.name: row.since for row in rows}

    def proposals(self, *, state: str = "open", after: int = 0, most: int = 100) -> tuple[ProposalLine, ...]:
        """Proposals in a state (empty: in any), oldest first, from the one after ``after`` on."""
        table = schema.proposal.c
        columns = (
            table.id,
            table.source,
            table.establishment,
            table.kind,
            table.message,
            table.state,
            table.since,
            table.decided_at,
        )
        asked = select(*columns).where(table.id > after).order_by(table.id).limit(most)
        if state:
            asked = asked.where(table.state == state)
        with self._connection.begin():
            rows = self._connection.execute(asked).all()
        return tuple(
            ProposalLine(
                id=text_id(row.id),
                source=row.source,
                establishment=row.establishment,
                kind=row.kind,
                message=text_id(row.message),
                state=row.state,
                since=from_microseconds(row.since).isoformat(),
                decided_at=None if row.decided_at is None else from_microseconds(row.decided_at).isoformat(),
            )
            for row in rows
        )

    def proposal(self, number: int) -> ProposalRecord | None:
        """A proposal with the facts as they were asserted. Raises SubjectErased when its patient was."""
        with self._connection.begin():
            row = self._connection.execute(select(schema.proposal).where(schema.proposal.c.id == number)).first()
        return None if row is None else self._open.proposal(tuple(row))

    def audit(self, *, before: int | None = None, most: int = 100) -> tuple[AuditRecord, ...]:
        """Acts of operators, newest first; ``before`` is the id to go on from."""
        table = schema.audit
        query = select(table).order_by(table.c.id.desc()).limit(most)
        if before is not None:
            query = query.where(table.c.id < before)
        with self._connection.begin():
            rows = self._connection.execute(query).all()
        return tuple(self._open.audit(tuple(row)) for row in rows)

    def messages(self, *, page: int = 1_000) -> Iterator[MessageLine]:
        """Every message, oldest first, read page by page."""
        table, events = schema.message.c, schema.event.c
        after = (0, 0)
        while True:
            with self._connection.begin():
                columns = (
                    table.day,
                    table.id,
                    table.source,
                    table.control_id,
                    table.kind,
                    table.received_at,
                    table.verdict,
                    table.size,
                )
                rows = self._connection.execute(
                    select(*columns).where(tuple_(table.day, table.id) > after).order_by(table.day, table.id).limit(page)
                ).all()
                if not rows:
                    return
                last = (rows[-1].day, rows[-1].id)
                told: dict[int, list[str]] = {}
                for message, ordinal in self._connection.execute(
                    select(events.message, events.ordinal)
                    .where(tuple_(events.day, events.message) > after, tuple_(events.day, events.message) <= last)
                    .order_by(events.message, events.ordinal)
                ):
                    told.setdefault(message, []).append(event_id(message, ordinal))
            after = last
            for row in rows:
                yield MessageLine(
                    id=text_id(row.id),
                    source=row.source,
                    control_id=row.control_id,
                    kind=row.kind,
                    received_at=from_microseconds(row.received_at).isoformat(),
                    verdict=row.verdict,
                    size=row.size,
                    events=tuple(told.get(row.id, ())),
                )

    def find_messages(self, text: str) -> tuple[int, ...]:
        """Ids of the messages that a written id, an event id or a control id names."""
        found: list[int] = []
        stem = text.split("-", 1)[0]
        with self._connection.begin():
            if len(stem) == 16 and stem[0] in "01234567" and all(digit in "0123456789abcdef" for digit in stem):
                number = int(stem, 16)
                table = schema.message.c
                if self._connection.execute(select(table.id).where(table.day == day_of(number), table.id == number)).first():
                    found.append(number)
            if not found:
                rows = self._connection.execute(select(schema.message.c.id).where(schema.message.c.control_id == text).limit(50))
                found.extend(row[0] for row in rows)
        return tuple(found)

    def message(self, number: int) -> StoredMessage | None:
        """A message whole; its bytes are None when its subject was erased."""
        table, blobs, events = schema.message.c, schema.blob.c, schema.event.c
        day = day_of(number)
        with self._connection.begin():
            row = self._connection.execute(select(schema.message).where(table.day == day, table.id == number)).first()
            if row is None:
                return None
            blob = self._connection.execute(select(blobs.body).where(blobs.day == day, blobs.id == number)).scalar()
            told = self._connection.execute(
                select(events.ordinal).where(events.day == day, events.message == number).order_by(events.ordinal)
            ).scalars()
            ids = tuple(event_id(number, ordinal) for ordinal in told)
        try:
            raw: bytes | None = self._open.message(number, row.subject, row.raw, blob)
            decisions = None if row.decisions is None else self._open.decisions(number, row.subject, row.decisions)
        except SubjectErased:
            raw = decisions = None
        line = MessageLine(
            id=text_id(row.id),
            source=row.source,
            control_id=row.control_id,
            kind=row.kind,
            received_at=from_microseconds(row.received_at).isoformat(),
            verdict=row.verdict,
            size=row.size,
            events=ids,
        )
        return StoredMessage(line=line, raw=raw, reply=row.reply, findings=row.findings, decisions=decisions, subject=row.subject)

    def event_body(self, message: int, ordinal: int) -> bytes | None:
        """The encoding of an event."""
        # To the end, so that no snapshot stays open.
        rows = self._connection.connection.cursor().execute(_EVENT, (day_of(message), message, ordinal)).fetchall()
        return self._open.event(message, ordinal, *rows[0]) if rows else None

    def parcel(self, delivery: int, patient: int) -> bytes | None:
        """A letter as it was rendered, if it was."""
        table = schema.parcel.c
        with self._connection.begin():
            body = self._connection.execute(
                select(table.body).where(table.day == day_of(delivery), table.delivery == delivery)
            ).scalar()
        return None if body is None else self._open.parcel(delivery, patient, body)

    def patient(self, number: int) -> PatientRecord | None:
        """A patient's state."""
        table = schema.patient.c
        with self._connection.begin():
            row = self._connection.execute(select(table.id, table.state).where(table.id == number)).first()
        return None if row is None else self._open.patient(tuple(row))

    def document(self, number: int) -> DocumentRecord | None:
        """A document's state."""
        table = schema.document.c
        with self._connection.begin():
            row = self._connection.execute(
                select(table.id, table.patient, table.message, table.state).where(table.id == number)
            ).first()
        return None if row is None else self._open.document(tuple(row))

    def lanes_due(self, destination: str, before: int, *, most: int) -> tuple[LaneDue, ...]:
        """Lanes of a destination that are due before a time, the longest due first."""
        table = schema.lane.c
        with self._connection.begin():
            rows = self._connection.execute(
                select(table.patient, table.due)
                .where(table.destination == destination, table.due.is_not(None), table.due <= before)
                .order_by(table.due)
                .limit(most)
            ).all()
        return tuple(LaneDue(destination=destination, patient=row.patient, due=row.due) for row in rows)

    def waiting(self, after: int, *, beyond: int, most: int) -> tuple[Waiting, ...]:
        """Open deliveries that are due after a time, by id, from those ``beyond`` an id."""
        lane, delivery = schema.lane.c, schema.delivery.c
        with self._connection.begin():
            rows = self._connection.execute(
                select(delivery.id, delivery.patient, delivery.destination)
                .join(schema.lane, (delivery.patient == lane.patient) & (delivery.destination == lane.destination))
                .where(lane.due.is_not(None), delivery.lane_seq >= lane.head, delivery.due > after, delivery.id > beyond)
                .order_by(delivery.id)
                .limit(most)
            ).all()
        return tuple(Waiting(delivery=row.id, patient=row.patient, destination=row.destination) for row in rows)

    def interrupted(self) -> tuple[DeliveryRecord, ...]:
        """Deliveries that are in `sending`: after a start, those that an earlier incarnation left."""
        lane, delivery = schema.lane.c, schema.delivery
        with self._connection.begin():
            rows = self._connection.execute(
                select(delivery)
                .join(
                    schema.lane,
                    (delivery.c.patient == lane.patient)
                    & (delivery.c.destination == lane.destination)
                    & (delivery.c.lane_seq == lane.head),
                )
                .where(lane.due.is_not(None), delivery.c.work == "sending")
            ).all()
        return tuple(self._open.delivery(tuple(row)) for row in rows)

    def has_parcel(self, delivery: int) -> bool:
        """Whether a letter was rendered for a delivery."""
        table = schema.parcel.c
        with self._connection.begin():
            return (
                self._connection.execute(
                    select(table.delivery).where(table.day == day_of(delivery), table.delivery == delivery)
                ).first()
                is not None
            )

    def last_left(self, delivery: DeliveryRecord) -> str:
        """Token of the newest mail before this one, along its chain of versions, that left or may have left; empty when none did."""
        table = schema.delivery.c
        with self._connection.begin():
            # One patient's deliveries to one destination: a few rows, found by the lane's index.
            rows = self._connection.execute(
                select(table.token, table.work, table.attempts, table.previous).where(
                    table.patient == delivery.patient, table.destination == delivery.destination, table.token != ""
                )
            ).all()
        before = {row.token: row for row in rows}
        token = delivery.previous
        for _ in range(len(before)):
            row = before.get(token)
            # What is not in this lane any more (a merge moved the patient) is believed to have left.
            if row is None or row.attempts > 0 or row.work == "submitted":
                return token
            token = row.previous or ""
        return token

    def deliveries_of(self, message: int) -> tuple[DeliveryLine, ...]:
        """The deliveries that a message led to. Scans that day: for a person's question, not for the hot path."""
        table, tries, receipts = schema.delivery.c, schema.attempt.c, schema.receipt.c
        lines: list[DeliveryLine] = []
        with self._connection.begin():
            rows = self._connection.execute(
                select(table.day, table.id, table.destination, table.kind, table.work, table.lane_seq)
                .where(table.day == day_of(message), table.message == message)
                .order_by(table.id)
            ).all()
            for row in rows:
                attempts = self._connection.execute(
                    select(tries.number, tries.at, tries.outcome, tries.reason)
                    .where(tries.day == row.day, tries.delivery == row.id)
                    .order_by(tries.number)
                ).all()
                told = self._connection.execute(
                    select(receipts.number, receipts.at, receipts.status, receipts.code)
                    .where(receipts.day == row.day, receipts.delivery == row.id)
                    .order_by(receipts.number)
                ).all()
                lines.append(
                    DeliveryLine(
                        id=text_id(row.id),
                        destination=row.destination,
                        kind=row.kind,
                        work=row.work,
                        lane_seq=row.lane_seq,
                        attempts=tuple(_line(entry.number, entry.at, entry.outcome, entry.reason) for entry in attempts),
                        receipts=tuple(_line(entry.number, entry.at, entry.status, entry.code) for entry in told),
                    )
                )
        return tuple(lines)


def event_id(message: int, ordinal: int) -> str:
    """How an event is called everywhere: its message and its rank in it."""
    return f"{text_id(message)}-{ordinal}"


def _line(number: int, at: int, outcome: str, reason: str) -> AttemptLine:
    return AttemptLine(number=number, at=from_microseconds(at).isoformat(), outcome=outcome, reason=reason)
