"""The journal's SQLite file: opened, migrated, read for commands and written in one transaction a batch."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, cast

from alembic.util import CommandError
from sqlalchemy import Column, Connection, Engine, Table, create_engine, event, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, StaticPool

from liaison.hub.journal import schema
from liaison.hub.journal.migrate import migrate
from liaison.hub.journal.records import (
    Cleared,
    EventLine,
    FollowRecord,
    IdentifierRecord,
    Key,
    KeysDestroyed,
    LaneRecord,
    MarkRecord,
    MessageHead,
    MessageMoved,
    MessageRecord,
    ParcelRecord,
    PatientRecord,
    ProposalHead,
    ProposalState,
    Record,
    Removed,
    SeenDropped,
    SeenRecord,
    SwitchRecord,
    TrafficForgotten,
    day_of,
    text_id,
)
from liaison.hub.journal.rows import REPLACED, Opener, Row, Sealer, hold_of
from liaison.hub.journal.statements import chunks, clear_text, delete_text, insert_text, padded, select_in_text
from liaison.hub.journal.view import View
from liaison.hub.vault.subjects import SubjectErased, SubjectKeys

R = TypeVar("R")

#: What reading a journal file may raise: of SQLAlchemy for the journal, of sqlite3 for the subject keys.
READ_FAULTS: tuple[type[Exception], ...] = (DBAPIError, sqlite3.Error)


class JournalError(Exception):
    """The journal cannot be opened or written; says which file and what to do."""


class WrongKeys(JournalError):
    """The key file is not the one that this journal was written with."""


#: How long a connection waits for another's lock.
_BUSY_MILLISECONDS = 10_000
_WRITER_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "wal_autocheckpoint=0",
    "cache_size=-32768",
    "temp_store=MEMORY",
    f"busy_timeout={_BUSY_MILLISECONDS}",
)
_READER_PRAGMAS = ("query_only=ON", "cache_size=-8192", f"busy_timeout={_BUSY_MILLISECONDS}")

#: How many leading columns of a replaced table are its key.
_REPLACED_BY = {table: len(table.primary_key) for table in REPLACED}
_QUEUED = "SELECT id FROM delivery WHERE patient = ? AND destination = ? AND lane_seq = ?"
_ENROLLED = "SELECT DISTINCT blind FROM follow WHERE status <> 'left'"
_EVENT_LINE = (
    "SELECT event.type, message.source FROM event JOIN message ON message.day = event.day AND message.id = event.message "
    "WHERE event.day = ? AND event.message = ? AND event.ordinal = ?"
)
_DROP_SEEN = "DELETE FROM seen WHERE name = ? AND digest = ?"
_DROP_RAW = "UPDATE message SET raw = NULL WHERE day = ? AND id = ?"
_DROP_BLOB = "DELETE FROM blob WHERE day = ? AND id = ?"
_DOUBTS = """SELECT count(*) FROM attempt WHERE day = ? AND delivery = ? AND number < ?
AND outcome IN ('uncertain', 'interrupted', 'lapsed')"""
_DROP_TRAFFIC = "DELETE FROM traffic WHERE hour < ?"
_DROP_PARCEL = "DELETE FROM parcel WHERE day = ? AND delivery = ?"
_MARK = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
_UNMARK = "DELETE FROM meta WHERE name = ?"


def open_engine(path: Path | None, *, reader: bool = False) -> Engine:
    """An engine on a journal file (None: in memory, for what must leave no trace), with the pragmas of its use."""
    if path is None:
        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}, hide_parameters=True)
    else:
        engine = create_engine(
            f"sqlite:///{path}",
            poolclass=NullPool,
            connect_args={"check_same_thread": False, "cached_statements": 512},
            hide_parameters=True,
        )

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        cursor = connection.cursor()
        for pragma in _READER_PRAGMAS if reader else _WRITER_PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


class Database:
    """The writer's side of the journal. One instance, driven by one thread at a time."""

    def __init__(self, path: Path | None, keys: SubjectKeys, check_value: bytes) -> None:
        """Open, migrate and check; raises JournalError, or WrongKeys when ``check_value`` is not the journal's."""
        self._keys = keys
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="subject-keys")
        self._sealer, self._opener = Sealer(keys), Opener(keys)
        self._engine = open_engine(path)
        try:
            if path is not None:
                path.touch(mode=0o600, exist_ok=True)
                os.chmod(path, 0o600)
            migrate(self._engine)
            self._connection: Connection = self._engine.connect()
        except CommandError as error:
            raise JournalError(f"journal {path} : une version plus récente de Liaison l'a écrit ; reprenez-la.") from error
        except (DBAPIError, OSError) as error:
            fault = type(error.orig if isinstance(error, DBAPIError) else error).__name__
            raise JournalError(f"journal {path} : {fault}. Vérifiez le disque et les droits du dossier.") from error
        try:
            self._check_keys(check_value)
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return "<Database>"

    def close(self) -> None:
        """Close the file."""
        self._beside.shutdown()
        self._connection.close()
        self._engine.dispose()

    def _check_keys(self, check_value: bytes) -> None:
        stored = self._connection.execute(select(schema.meta.c.value).where(schema.meta.c.name == "key-check")).scalar()
        if stored is None:
            self._connection.execute(schema.meta.insert().values(name="key-check", value=check_value))
        elif stored != check_value:
            raise WrongKeys("le fichier de clés n'est pas celui de ce journal : restaurez celui d'origine, rien n'a été écrit.")
        self._connection.commit()

    def begun_in(self, territory: str) -> str:
        """The territory that the journal was begun in, which is ``territory`` when it is new."""
        stored = self._connection.execute(select(schema.meta.c.value).where(schema.meta.c.name == "territory")).scalar()
        if stored is None:
            # Journals of before this was noted are of test territories: no other was let start.
            old = self._connection.execute(select(schema.message.c.id).limit(1)).first() is not None
            stored = b"test" if old else territory.encode()
            self._connection.execute(schema.meta.insert().values(name="territory", value=stored))
        self._connection.commit()
        return bytes(stored).decode()

    def start_incarnation(self) -> int:
        """A number higher at each start: deliveries claimed by an earlier one are recovered."""
        stored = self._connection.execute(select(schema.meta.c.value).where(schema.meta.c.name == "incarnation")).scalar()
        number = int(stored or b"0") + 1
        self._connection.execute(schema.meta.delete().where(schema.meta.c.name == "incarnation"))
        self._connection.execute(schema.meta.insert().values(name="incarnation", value=str(number).encode()))
        self._connection.commit()
        return number

    def last_id(self) -> int:
        """The highest id ever given."""
        highest = 0
        for table in (schema.message, schema.delivery):
            day = self._connection.execute(select(func.max(table.c.day))).scalar()
            if day is not None:
                highest = max(
                    highest, self._connection.execute(select(func.max(table.c.id)).where(table.c.day == day)).scalar() or 0
                )
        for table in (schema.patient, schema.stay, schema.document, schema.hold, schema.audit, schema.proposal):
            highest = max(highest, self._connection.execute(select(func.max(table.c.id))).scalar() or 0)
        self._connection.rollback()
        return highest

    def load(self, view: View, keys: Iterable[Key]) -> None:
        """Fetch ``keys`` into ``view``, one query a table (two where a row names its subject)."""
        by_kind: dict[str, list[Key]] = {}
        for key in keys:
            by_kind.setdefault(key[0], []).append(key)
        for kind, wanted in by_kind.items():
            getattr(self, f"_load_{kind}")(view, wanted)
            if kind != "queued":
                for key in wanted:
                    view.load(key, None)

    def _in(
        self, columns: Sequence[Column[Any]], key: Column[Any], values: Sequence[Any], *, day: Column[Any] | None = None
    ) -> Iterator[Row]:
        for start in range(0, len(values), 64):
            part = list(values[start : start + 64])
            size = padded(len(part))
            part += [part[-1]] * (size - len(part))
            parameters = tuple(part) if day is None else (*part, *(day_of(value) for value in part))
            yield from self._run(select_in_text(tuple(columns), key, size, day), parameters)

    def _run(self, text: str, parameters: Row) -> list[Row]:
        """Straight to the driver: on a query of few rows Core's own work costs as much as SQLite's."""
        if not self._connection.in_transaction():
            self._connection.begin()
        try:
            rows: list[Row] = self._connection.connection.cursor().execute(text, parameters).fetchall()
        except sqlite3.Error as error:
            raise DBAPIError(None, None, error, hide_parameters=True) from error
        return rows

    def _load_message(self, view: View, keys: list[Key]) -> None:
        table = schema.message.c
        for number, verdict, reply in self._in(
            (table.id, table.verdict, table.reply), table.id, [key[1] for key in keys], day=table.day
        ):
            view.load(("message", number), MessageHead(id=number, verdict=verdict, reply=reply))

    def _load_seen(self, view: View, keys: list[Key]) -> None:
        table = schema.seen.c
        found: dict[str, list[SeenRecord]] = {}
        for name, digest, message in self._in((table.name, table.digest, table.message), table.name, [key[1] for key in keys]):
            found.setdefault(name, []).append(SeenRecord(name=name, digest=digest, message=message))
        for name, entries in found.items():
            view.load(("seen", name), tuple(sorted(entries, key=lambda entry: entry.message)))

    def _load_identifier(self, view: View, keys: list[Key]) -> None:
        table = schema.identifier.c
        for blind, target, number in self._in((table.blind, table.target, table.id), table.blind, [key[1] for key in keys]):
            view.load(("identifier", blind), IdentifierRecord(blind=blind, target=target, id=number))

    def _load_patient(self, view: View, keys: list[Key]) -> None:
        table = schema.patient.c
        for row in self._in((table.id, table.state), table.id, [key[1] for key in keys]):
            view.load(("patient", row[0]), self._unless_erased(self._opener.patient, row))

    def _load_stay(self, view: View, keys: list[Key]) -> None:
        table = schema.stay.c
        for row in self._in((table.id, table.patient, table.state), table.id, [key[1] for key in keys]):
            view.load(("stay", row[0]), self._unless_erased(self._opener.stay, row))

    def _load_document(self, view: View, keys: list[Key]) -> None:
        table = schema.document.c
        for row in self._in((table.id, table.patient, table.message, table.state), table.id, [key[1] for key in keys]):
            view.load(("document", row[0]), self._unless_erased(self._opener.document, row))

    def _unless_erased(self, opens: Callable[[Row], R], row: Row) -> R | None:
        """A state, or None when its person was erased: to the hub they were never there. A key that is merely lost is a fault."""
        try:
            return opens(row)
        except SubjectErased as error:
            if not self._keys.is_erased(str(error)):
                raise
            return None

    def _load_lane(self, view: View, keys: list[Key]) -> None:
        table = schema.lane.c
        columns = (table.patient, table.destination, table.head, table.last, table.due)
        for patient, destination, head, last, due in self._in(columns, table.patient, list({key[1]: None for key in keys})):
            lane = LaneRecord(destination=destination, patient=patient, head=head, last=last, due=due)
            view.load(("lane", patient, destination), lane)

    def _load_delivery(self, view: View, keys: list[Key]) -> None:
        table = schema.delivery.c
        for row in self._in(tuple(schema.delivery.columns), table.id, [key[1] for key in keys], day=table.day):
            view.load(("delivery", row[1]), self._opener.delivery(row))

    def _load_enrolled(self, view: View, keys: list[Key]) -> None:
        blinds = {row[0] for row in self._run(_ENROLLED, ())}
        for key in keys:
            view.load(key, blinds)

    def _load_follow(self, view: View, keys: list[Key]) -> None:
        found: dict[bytes, list[FollowRecord]] = {}
        for row in self._in(tuple(schema.follow.columns), schema.follow.c.blind, [key[1] for key in keys]):
            found.setdefault(row[0], []).append(self._opener.follow(row))
        for blind, records in found.items():
            view.load(("follow", blind), tuple(records))

    def _load_stays(self, view: View, keys: list[Key]) -> None:
        self._load_of(view, keys, schema.stay)

    def _load_documents(self, view: View, keys: list[Key]) -> None:
        self._load_of(view, keys, schema.document)

    def _load_of(self, view: View, keys: list[Key], table: Table) -> None:
        found: dict[Key, list[int]] = {key: [] for key in keys}
        for patient, number in self._in((table.c.patient, table.c.id), table.c.patient, [key[1] for key in keys]):
            found[keys[0][0], patient].append(number)
        for key, numbers in found.items():
            view.load_passing(key, tuple(numbers))

    def _load_event(self, view: View, keys: list[Key]) -> None:
        for key in keys:
            message, *ordinal = cast("tuple[int, ...]", key[1:])
            for kind, source in self._run(_EVENT_LINE, (day_of(message), message, *ordinal)):
                view.load(key, EventLine(type=kind, source=source))

    def _load_queued(self, view: View, keys: list[Key]) -> None:
        for key in keys:
            rows = self._run(_QUEUED, key[1:])
            view.load(key, rows[0][0] if rows else None)

    def _load_proposal(self, view: View, keys: list[Key]) -> None:
        table = schema.proposal.c
        for number, blind, state in self._in((table.id, table.blind, table.state), table.blind, [key[1] for key in keys]):
            view.load(("proposal", blind), ProposalHead(id=number, state=ProposalState(state)))

    def _load_hold(self, view: View, keys: list[Key]) -> None:
        for row in self._in(tuple(schema.hold.columns), schema.hold.c.id, [key[1] for key in keys]):
            view.load(("hold", row[0]), hold_of(row))

    def _load_doubts(self, view: View, keys: list[Any]) -> None:
        for key in keys:
            delivery, attempt = key[1:]
            ((count,),) = self._run(_DOUBTS, (day_of(delivery), delivery, attempt))
            view.load(key, count)

    def _load_switch(self, view: View, keys: list[Key]) -> None:
        table = schema.switch.c
        for name, since in self._in((table.name, table.since), table.name, [key[1] for key in keys]):
            view.load(("switch", name), SwitchRecord(name=name, since=since))

    def write(self, records: Sequence[Record], *, known: int) -> None:
        """Write a batch and commit it; on return it is on disk. ``known`` is the highest id that was given before it.

        Raises JournalError; then nothing was written, or the outcome is unknown.
        """
        new = {text_id(record.id) for record in records if type(record) is PatientRecord and record.id > known}
        self._keys.expect_new(new)
        self._keys.load({record.subject for record in records if type(record) is MessageRecord} - new)
        rows: dict[Table, list[Row]] = {}
        replaced: dict[Table, dict[Row, Row]] = {}
        dropped: list[tuple[str, Row]] = []
        destroyed: list[KeysDestroyed] = []
        scrubs = False
        for record in records:
            # By type, not by match: this runs a dozen times a message.
            if type(record) in _RARE:
                if isinstance(record, KeysDestroyed):
                    destroyed.append(record)
                    continue
                if taken := _taken_out(record):
                    dropped += taken
                    scrubs = scrubs or type(record) in _SCRUBBED
                    continue
            for table, row in self._sealer.rows(record):
                if (width := _REPLACED_BY.get(table)) is not None:
                    replaced.setdefault(table, {})[row[:width]] = row
                else:
                    rows.setdefault(table, []).append(row)
        for table, by_key in replaced.items():
            rows[table] = list(by_key.values())
        # New keys reach the disk while the rows are being put in, and before they are committed.
        keys = self._beside.submit(self._keys.flush)
        try:
            self._put(rows, dropped, scrubs)
        finally:
            wait((keys,))
        keys.result()
        # An erasure is in its ledger, and the keys are gone, before its rows are: a crash in between is seen at the next start.
        self._destroy(one for one in destroyed if one.in_ledger)
        self._connection.commit()
        # What only grew too old loses its rows first: a row whose key is gone and not in the ledger would be a fault.
        self._destroy(one for one in destroyed if not one.in_ledger)

    def _destroy(self, records: Iterable[KeysDestroyed]) -> None:
        for record in records:
            self._keys.destroy(record.subjects, record.at, in_ledger=record.in_ledger)

    def _put(self, rows: Mapping[Table, Sequence[Row]], dropped: Iterable[tuple[str, Row]], scrubs: bool) -> None:
        # Straight to the driver: twenty statements a batch, and Core's own work on each costs as much as SQLite's.
        if not self._connection.in_transaction():
            self._connection.begin()
        cursor = self._connection.connection.cursor()
        try:
            for table, values in rows.items():
                start = 0
                for size in chunks(len(values)):
                    part = values[start : start + size]
                    start += size
                    flat = part[0] if size == 1 else tuple(chain.from_iterable(part))
                    cursor.execute(insert_text(table, size, table in REPLACED), flat)
            if scrubs:
                # What is taken out for good must not stay readable in pages that are free.
                cursor.execute("PRAGMA secure_delete=ON")
            for text, row in dropped:
                cursor.execute(text, row)
        except sqlite3.Error as error:
            raise DBAPIError(None, None, error, hide_parameters=True) from error
        finally:
            if scrubs:
                cursor.execute("PRAGMA secure_delete=OFF")
            cursor.close()

    def rollback(self) -> None:
        """Undo what a failed ``write`` left open."""
        self._connection.rollback()

    def restart_log(self) -> bool:
        """Let the write-ahead log begin again at its start; False when a reader still needs it, which nobody waits for."""
        self._connection.exec_driver_sql("PRAGMA busy_timeout=0")
        try:
            busy = self._connection.exec_driver_sql("PRAGMA wal_checkpoint(RESTART)").one()[0]
        finally:
            self._connection.exec_driver_sql(f"PRAGMA busy_timeout={_BUSY_MILLISECONDS}")
            self._connection.rollback()
        return bool(busy == 0)


#: Records that take something out for good.
_SCRUBBED = frozenset({Removed, Cleared})
#: Records that take something out of the journal, or mark the hub itself.
_RARE = frozenset({SeenDropped, ParcelRecord, MessageMoved, Removed, Cleared, MarkRecord, KeysDestroyed, TrafficForgotten})


def _taken_out(record: Record) -> tuple[tuple[str, Row], ...]:
    """The statements that take something out of the journal; none for what is put in after all."""
    match record:
        case SeenDropped(name=name, digest=digest):
            return ((_DROP_SEEN, (name, digest)),)
        case ParcelRecord(delivery=delivery, body=None):
            return ((_DROP_PARCEL, (day_of(delivery), delivery)),)
        case MessageMoved(message=message):
            return (_DROP_RAW, (day_of(message), message)), (_DROP_BLOB, (day_of(message), message))
        case Removed(table=name, key=key):
            return ((delete_text(schema.metadata.tables[name], len(key)), key),)
        case Cleared(table=name, key=key, column=column):
            return ((clear_text(schema.metadata.tables[name], len(key), column), key),)
        case TrafficForgotten(before=before):
            return ((_DROP_TRAFFIC, (before,)),)
        case MarkRecord(name=name, value=None):
            return ((_UNMARK, (name,)),)
        case MarkRecord(name=name, value=value):
            return ((_MARK, (name, value)),)
        case _:
            return ()
