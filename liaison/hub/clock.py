"""A hub whose clock is set back or forward while it runs, or while it was off.

Ids go on from the highest ever given, so they stay unique and growing. Due times are of the wall clock: set back by an hour, it would let
everything that waits do so for an hour longer. They are moved by as much. Set forward, what waits is due at once, which hurts nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import datetime

import structlog
from msgspec.structs import replace

from liaison.hub.journal.queries import JournalReader
from liaison.hub.journal.records import Key, Record, from_microseconds, id_microseconds, microseconds
from liaison.hub.journal.view import Moment, View
from liaison.hub.journal.writer import CommandFailed, CommitUnknown, Writer
from liaison.private import Private

log = structlog.get_logger()

#: Seconds between two looks at both clocks.
_PERIOD = 5.0
#: Seconds that the wall clock may move against the other between two looks, or be behind the journal at a start, before it is told.
_STEP = 30.0
#: Deliveries moved in one go.
_TOGETHER = 500


class Sooner(Private, frozen=True, kw_only=True):
    """Move what a delivery waits for: the clock that it was told in was set back by ``by`` microseconds."""

    delivery: int
    patient: int
    destination: str
    by: int

    def needs(self, view: View) -> Iterable[Key]:
        """The delivery and its lane."""
        return ("delivery", self.delivery), ("lane", self.patient, self.destination)

    def decide(self, view: View, moment: Moment) -> tuple[bool, tuple[Record, ...]]:
        """Whether it still waited for a time to come."""
        delivery, lane = view.delivery(self.delivery), view.lane(self.patient, self.destination)
        if delivery is None or lane is None or delivery.due <= moment.now_us:
            return False, ()
        due = max(moment.now_us, delivery.due - self.by)
        moved = replace(delivery, due=due)
        if lane.due is None or delivery.lane_seq != lane.head:
            return True, (moved,)
        return True, (moved, replace(lane, due=due))


class ClockWatch:
    """Compares the wall clock with one that nobody sets."""

    def __init__(
        self,
        *,
        reader: JournalReader,
        writer: Writer,
        clock: Callable[[], datetime],
        last_id: int,
        wake: Callable[[str, int], None],
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader, self._writer, self._clock, self._wake, self._elapsed = reader, writer, clock, wake, elapsed
        #: The highest id that the journal had at the start: ids are made of the time.
        self._last_id = last_id
        self._seen: tuple[datetime, float] | None = None

    async def run(self) -> None:
        """Look now, and every few seconds, until cancelled."""
        while True:
            try:
                await self.look()
            except (CommandFailed, CommitUnknown) as error:
                log.error("hub.clock_not_followed", error=type(error).__name__)
            await asyncio.sleep(_PERIOD)

    async def look(self) -> None:
        """Compare once; tell a step, and follow one back."""
        now, elapsed = self._clock(), self._elapsed()
        before, self._seen = self._seen, (now, elapsed)
        if before is None:
            behind = (from_microseconds(id_microseconds(self._last_id)) - now).total_seconds() if self._last_id else 0.0
            if behind > _STEP:
                log.warning("hub.clock_behind_journal", seconds=round(behind))
                await self._follow(behind)
            return
        step = (now - before[0]).total_seconds() - (elapsed - before[1])
        if abs(step) > _STEP:
            log.warning("hub.clock_stepped", seconds=round(step))
        if step < -_STEP:
            await self._follow(-step)

    async def _follow(self, seconds: float) -> None:
        by, last, moved = int(seconds * 1e6), 0, 0
        while waiting := self._reader.waiting(microseconds(self._clock()), beyond=last, most=_TOGETHER):
            last = waiting[-1].delivery
            commands = [Sooner(delivery=one.delivery, patient=one.patient, destination=one.destination, by=by) for one in waiting]
            moved += sum(await asyncio.gather(*(self._writer.commit(command, rides=True) for command in commands)))
            for one in waiting:
                self._wake(one.destination, one.patient)
        log.info("hub.clock_followed", deliveries=moved)
