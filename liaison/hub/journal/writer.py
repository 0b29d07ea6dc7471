"""The writer: one thread that takes every waiting command, lets each see what the ones before it wrote, commits once, answers all.

Group commit without a timer: a lone command is committed at once, and what arrives while a commit is under way makes the next batch.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import datetime
from itertools import chain
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import Any, TypeAlias, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError

from liaison.hub.journal.checkpoint import Checkpointer
from liaison.hub.journal.database import Database
from liaison.hub.journal.records import Record
from liaison.hub.journal.view import Cache, Command, Moment, NotAsked, View
from liaison.hub.vault.subjects import SubjectKnown
from liaison.hub.watch.meters import WriterMeter

R = TypeVar("R")

log = structlog.get_logger()

#: Commands in one batch: enough to share an fsync widely, few enough that the first of them does not wait long for the last.
MOST_COMMANDS = 48
_ROUNDS = 3
#: Of one command that leads further than most: an identifier, its document, a chain of merges, their lanes.
_MOST_ROUNDS = 12


#: How long a small batch lingers when the intake is crowded, and how long riders alone do, in seconds.
_LINGER = 0.0015
_RIDE = 0.03
#: Commands of the intake that are company enough.
_COMPANY = 24

_Waits: TypeAlias = tuple[Command[Any], asyncio.Future[Any]]


def _never() -> bool:
    return False


class CommitUnknown(Exception):
    """The commit may or may not have happened: the caller must not answer; the sender's retry and the duplicate check settle it."""


class CommandFailed(Exception):
    """The command could not be decided or written; nothing of it is in the journal. The cause says why."""


class Writer:
    """Drives a Database from one thread; ``commit`` may be awaited from one event loop."""

    def __init__(self, database: Database, clock: Callable[[], datetime], *, checkpointer: Checkpointer | None = None) -> None:
        self._database = database
        self._clock = clock
        self._checkpointer = checkpointer
        self._cache = Cache()
        self._last_id = database.last_id()
        self._written = 0
        self._waiting: SimpleQueue[tuple[Command[Any], asyncio.Future[Any], bool] | None] = SimpleQueue()
        self._riders: list[_Waits] = []
        self._ended = False
        #: Whether many wait for an answer of the intake; set by whoever knows.
        self.crowded: Callable[[], bool] = _never
        self.meter = WriterMeter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)

    def start(self) -> None:
        """Start the thread; answers are given on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Commit what waits, then end the thread and close the journal. What comes later is refused."""
        self._stopped = True
        self._waiting.put(None)
        if self._loop is not None:
            await asyncio.to_thread(self._thread.join)
        if self._checkpointer is not None:
            self._checkpointer.stop()
        self._database.close()

    async def commit(self, command: Command[R], *, rides: bool = False) -> R:
        """Put a command through; returns its answer after the fsync. Cancelling the wait does not un-take the command.

        ``rides`` says that it may wait a moment for others to share the fsync with, when the intake is crowded.

        Raises:
            CommandFailed: its decision or its rows failed; nothing of it was written.
            CommitUnknown: nobody can say.
        """
        if self._loop is None:
            raise RuntimeError("the writer was not started")
        if self._stopped:
            raise CommandFailed("the writer was stopped")
        future: asyncio.Future[R] = self._loop.create_future()
        self._waiting.put((command, future, rides))
        return await future

    @property
    def last_id(self) -> int:
        """The highest id given so far."""
        return self._last_id

    @property
    def waiting(self) -> int:
        """Commands that wait for the next batch."""
        return self._waiting.qsize()

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            answers = self._commit_batch(batch)
            assert self._loop is not None
            self._loop.call_soon_threadsafe(_answer, answers)
            if self._checkpointer is not None:
                self._checkpointer.between_batches(self._database, self._written)

    def _next_batch(self) -> list[_Waits] | None:
        """All that waits, up to a bound; None when there is nothing more and the writer was told to stop.

        A lone command is taken at once. When the intake is crowded the others are about to come, and a small batch would cost them all
        a whole fsync: it lingers a moment for company, and what rides waits longer than what somebody waits for.
        """
        batch: list[_Waits] = []
        riders = self._riders
        wait: float | None = None
        while not self._ended:
            try:
                item = self._waiting.get(timeout=wait)
            except Empty:
                break
            if item is None:
                self._ended = True
                break
            command, future, rides = item
            (riders if rides else batch).append((command, future))
            taken = len(batch) + len(riders)
            if taken >= MOST_COMMANDS:
                break
            if not self._waiting.empty():
                continue
            if not self.crowded() or len(batch) >= _COMPANY:
                break
            wait = _LINGER if batch else _RIDE
        batch += riders
        riders.clear()
        return batch or None

    def _commit_batch(self, batch: list[_Waits]) -> list[tuple[asyncio.Future[Any], Any]]:
        try:
            return self._attempt_batch(batch)
        except SubjectKnown as error:
            self._recover(error)
            return self._commit_batch(batch)  # under the next ids
        except Exception as error:  # noqa: BLE001 - a state that does not open, a row that is refused: the thread must go on
            self._recover(error)
            if len(batch) == 1:
                ((command, future),) = batch
                return [(future, _failure(CommandFailed(type(command).__name__), error))]
        # What one command needs or writes must not cost the others their answer: once more, each alone.
        return [answer for one in batch for answer in self._commit_batch([one])]

    def _attempt_batch(self, batch: list[_Waits]) -> list[tuple[asyncio.Future[Any], Any]]:
        view = View(self._cache)
        moment = Moment(self._clock(), self._last_id)
        try:
            return self._decide_and_write(batch, view, moment)
        finally:
            # Even where nobody knows whether the rows are there, no other row may ever take their ids.
            self._last_id = moment.last_id

    def _decide_and_write(self, batch: list[_Waits], view: View, moment: Moment) -> list[tuple[asyncio.Future[Any], Any]]:
        asking: list[Command[Any]] = [command for command, _ in batch]
        for _ in range(_ROUNDS):
            asked = [(command, tuple(command.needs(view))) for command in asking]
            wanted = view.missing(chain.from_iterable(keys for _, keys in asked))
            if not wanted:
                break
            self._database.load(view, wanted)
            # Only what was found leads further: a command that nothing is known of has asked its last.
            asking = [command for command, keys in asked if any(view.found(key) for key in keys)]
        answers: list[tuple[asyncio.Future[Any], Any]] = []
        records: list[Record] = []
        for command, future in batch:
            try:
                answer, decided = self._decide(command, view, moment)
            except DBAPIError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a command's data made it do must cost nobody else
                answers.append((future, _failure(CommandFailed(type(command).__name__), error)))
                continue
            view.apply(decided)
            records.extend(decided)
            answers.append((future, answer))
        if records:
            began = perf_counter()
            try:
                self._database.write(records, known=self._last_id)
            except DBAPIError as error:
                if error.connection_invalidated or _is_disk_fault(error):
                    self._recover(error)
                    unknown = CommitUnknown()
                    return [(future, unknown) for _, future in batch]
                raise
            self.meter.committed(len(batch), perf_counter() - began)
        self._written = len(records)
        view.keep()
        return answers

    def _decide(self, command: Command[R], view: View, moment: Moment) -> tuple[R, tuple[Record, ...]]:
        try:
            return command.decide(view, moment)
        except NotAsked:
            # What a command before it in the batch wrote leads further than what was fetched for all: fetch and decide again.
            for _ in range(_MOST_ROUNDS):
                known = view.size
                if wanted := view.missing(command.needs(view)):
                    self._database.load(view, wanted)
                elif view.size == known:  # what came out of the cache may lead further too
                    break
            return command.decide(view, moment)

    def _recover(self, error: Exception) -> None:
        self.meter.failures += 1
        log.error("journal.batch_failed", error=type(getattr(error, "orig", None) or error).__name__)
        self._written = 0
        self._cache.forget()
        try:
            self._database.rollback()
        except DBAPIError:
            log.error("journal.rollback_failed")


def _is_disk_fault(error: DBAPIError) -> bool:
    name = getattr(error.orig, "sqlite_errorname", "")
    return str(name).startswith(("SQLITE_IOERR", "SQLITE_FULL", "SQLITE_CORRUPT"))


def _failure(failure: CommandFailed, cause: BaseException) -> CommandFailed:
    failure.__cause__ = cause
    return failure


def _answer(answers: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, answer in answers:
        if not future.done():
            if isinstance(answer, (CommandFailed, CommitUnknown)):
                future.set_exception(answer)
            else:
                future.set_result(answer)
