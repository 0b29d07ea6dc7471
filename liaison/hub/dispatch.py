"""Dispatch: brings every delivery to its end, lane by lane, destination by destination.

For each destination a few workers take lanes that may have work, claim the head in the journal, make one bounded attempt, and settle.
A slow destination never holds another back, nor a slow patient another patient.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import Protocol

import msgspec
import structlog

from liaison.hub.claims import Claim, Claimed, KeepParcel, LastLook, Needless, NotNow, Recover, Settle, Withheld
from liaison.hub.contracts import Attempt, Delivered, Destination, Parcel, Uncertain
from liaison.hub.journal.queries import JournalReader
from liaison.hub.journal.records import microseconds
from liaison.hub.journal.writer import CommandFailed, CommitUnknown, Writer
from liaison.hub.lanes import ReadyLanes
from liaison.hub.retry import RetryPolicy
from liaison.hub.switches import DELIVERIES, LETTERS, Switches, of_destination
from liaison.hub.watch.meters import Meters

log = structlog.get_logger()

#: How often the journal is asked for lanes that no hint told of, in seconds.
RELAY_EVERY = 2.0
#: How much longer than an attempt its lease runs, in seconds.
_LEASE_BEYOND = 30.0
#: Seconds between two lines about attempts that came to nothing.
_TELL_EVERY = 60.0
#: How long a worker steps back when the intake is busy, in seconds.
_STEP_BACK = 0.25
#: How long it does when its destination is stopped.
_STOPPED = 1.0
#: How long before a part that ended by itself runs again.
_AGAIN = 0.5


class Parcels(Protocol):
    """Makes the parcel of a claimed delivery: an event's envelope, or a rendered letter."""

    async def make(self, claimed: Claimed) -> Parcel | Withheld | Needless: ...


class Station(msgspec.Struct, frozen=True, kw_only=True):
    """One destination as dispatch runs it."""

    name: str
    destination: Destination
    parcels: Parcels
    retry: RetryPolicy = RetryPolicy()
    #: Deliveries under way at once, each for another patient.
    workers: int = 16
    #: Seconds that one attempt may take.
    attempt_seconds: float = 30.0
    #: How many of them go on while the intake is busy: events may wait a little, an acknowledgement may not.
    workers_under_load: int = 1
    #: Whether the destination recognises a parcel that it has already (by its id), so that an uncertain one goes again at once.
    keeps_ids: bool = True
    #: Whether nothing but letters goes there: then it rests while letters are stopped.
    only_letters: bool = False

    @property
    def switches(self) -> tuple[str, ...]:
        """What may stop it."""
        names = (DELIVERIES, of_destination(self.name))
        return (*names, LETTERS) if self.only_letters else names


class Dispatcher:
    """Runs the stations until it is stopped."""

    def __init__(
        self,
        *,
        writer: Writer,
        reader: JournalReader,
        stations: Mapping[str, Station],
        last_look: LastLook,
        clock: Callable[[], datetime],
        busy: Callable[[], bool] = lambda: False,
        switches: Switches | None = None,
        meters: Meters | None = None,
    ) -> None:
        self._busy = busy
        self._switches = switches or Switches()
        self._meters = meters or Meters()
        self._writer = writer
        self._reader = reader
        self._stations = stations
        self._last_look = last_look
        self._clock = clock
        self._ready = {name: ReadyLanes() for name in stations}
        self._tasks: list[asyncio.Task[None]] = []
        #: By destination: attempts that came to nothing since the last line about them, and when that was.
        self._failures: dict[str, tuple[int, float]] = {}

    def wake(self, destination: str, patient: int) -> None:
        """A lane has work, as far as the caller knows."""
        if (lanes := self._ready.get(destination)) is not None:
            lanes.add(patient)

    async def start(self) -> None:
        """Recover what an earlier incarnation left in `sending`, then start the workers."""
        for delivery in self._reader.interrupted():
            station = self._stations.get(delivery.destination)
            may_have_left = delivery.document is None or self._reader.has_parcel(delivery.id)
            wait = 0.0 if station is None or station.keeps_ids else station.retry.uncertain
            await self._writer.commit(
                Recover(
                    delivery=delivery.id,
                    patient=delivery.patient,
                    destination=delivery.destination,
                    may_have_left=may_have_left,
                    wait=wait,
                )
            )
        for name, station in self._stations.items():
            parts = {f"dispatch-{name}-{n}": partial(self._work, station, n) for n in range(station.workers)}
            parts[f"relay-{name}"] = partial(self._relay, station)
            self._tasks += [asyncio.create_task(self._kept_up(part, run), name=part) for part, run in parts.items()]

    def switches(self, destination: str) -> tuple[str, ...]:
        """What may stop a destination."""
        return self._stations[destination].switches

    @property
    def ended(self) -> tuple[str, ...]:
        """Tasks that ended though nobody stopped them: none should."""
        return tuple(task.get_name() for task in self._tasks if task.done())

    async def stop(self, seconds: float = 10.0) -> None:
        """Stop taking lanes; attempts under way get ``seconds`` to end, and what is cut off is left as uncertain."""
        for lanes in self._ready.values():
            lanes.close()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for station in self._stations.values():
            await station.destination.close()

    async def _kept_up(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a part again when it ends though nobody stopped it: what waits must not wait for the hub's next start."""
        while True:
            try:
                await run()
                return
            except asyncio.CancelledError:
                # Somebody cancelled this task, or only something that it waited for.
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                log.error("dispatch.part_ended", part=name, error="CancelledError")
            except Exception as error:  # noqa: BLE001 - whatever it is, the part goes on
                log.error("dispatch.part_ended", part=name, error=type(error).__name__)
            await asyncio.sleep(_AGAIN)

    async def _relay(self, station: Station) -> None:
        lanes = self._ready[station.name]
        while not lanes.closed:
            if lanes.ready < 1_000 and not self._switches.stopped(*station.switches):
                lanes.overflowed = False
                try:
                    for due in self._reader.lanes_due(station.name, microseconds(self._clock()), most=5_000):
                        lanes.add(due.patient)
                except Exception as error:  # noqa: BLE001 - a read that fails once must not end the relay
                    log.error("dispatch.relay_failed", destination=station.name, error=type(error).__name__)
            await lanes.wait_closed(0.05 if lanes.overflowed and lanes.ready < 5_000 else RELAY_EVERY)

    async def _work(self, station: Station, number: int) -> None:
        lanes = self._ready[station.name]
        steps_back = number >= station.workers_under_load
        while (patient := await lanes.take()) is not None:
            if self._switches.stopped(*station.switches):
                lanes.give_back(patient, 0.0)
                await lanes.wait_closed(_STOPPED)
                continue
            if steps_back and self._busy():
                lanes.give_back(patient, 0.0)
                await lanes.wait_closed(_STEP_BACK)
                continue
            due: int | None = None
            try:
                due = await self._one(station, patient)
            except CommitUnknown:
                log.error("dispatch.commit_unknown", destination=station.name)
            except CommandFailed as error:
                log.error("dispatch.command_failed", destination=station.name, error=type(error.__cause__).__name__)
            except Exception as error:  # noqa: BLE001 - one lane's fault must not end a worker
                log.error("dispatch.fault", destination=station.name, error=type(error).__name__)
            finally:
                lanes.give_back(patient, None if due is None else self._loop_time(due))

    def _loop_time(self, due: int) -> float:
        ahead = (due - microseconds(self._clock())) / 1e6
        return 0.0 if ahead <= 0 else asyncio.get_running_loop().time() + ahead

    async def _one(self, station: Station, patient: int) -> int | None:
        """Claim the lane's head, try it, settle; answers when the lane is due again."""
        claim = Claim(
            patient=patient,
            destination=station.name,
            last_look=self._last_look,
            lease=int((station.attempt_seconds + _LEASE_BEYOND) * 1e6),
        )
        claimed = await self._writer.commit(claim, rides=True)
        if isinstance(claimed, NotNow):
            return claimed.due
        delivery = claimed.delivery
        began = perf_counter()
        outcome = await self._attempt(station, claimed)
        self._meters.destination(station.name).tried(type(outcome).__name__.lower(), perf_counter() - began)
        settled = await self._writer.commit(
            Settle(
                delivery=delivery.id,
                patient=patient,
                destination=station.name,
                epoch=delivery.epoch,
                attempt=outcome,
                retry=station.retry,
                keeps_ids=station.keeps_ids,
                chance=random.random(),
            ),
            rides=True,
        )
        self._tell(station.name, outcome)
        return settled.due if isinstance(settled, NotNow) else None

    def _tell(self, destination: str, outcome: Attempt | Withheld | Needless) -> None:
        """Log what came of an attempt: a destination that is down for a night must not fill the log, so at most a line a minute."""
        failed, told_at = self._failures.get(destination, (0, -_TELL_EVERY))
        if isinstance(outcome, Delivered | Needless):
            if failed:
                self._failures[destination] = 0, told_at
            return
        now = asyncio.get_running_loop().time()
        failed += 1
        if now - told_at >= _TELL_EVERY:
            log.warning("delivery.not_made", destination=destination, outcome=type(outcome).__name__, attempts=failed)
            failed, told_at = 0, now
        self._failures[destination] = failed, told_at

    async def _attempt(self, station: Station, claimed: Claimed) -> Attempt | Withheld | Needless:
        delivery = claimed.delivery
        try:
            parcel = await station.parcels.make(claimed)
        except Exception as error:  # noqa: BLE001 - whatever it is, trying again would only meet it again
            log.error("delivery.parcel_fault", destination=station.name, error=type(error).__name__)
            return Withheld(
                reason="L'envoi n'a pas pu être préparé : l'exploitant doit voir le journal.", rule="dispatch.parcel-fault"
            )
        if isinstance(parcel, Withheld | Needless):
            return parcel
        if delivery.document is not None and (delivery.attempts == 1 or not self._reader.has_parcel(delivery.id)):
            keep = KeepParcel(delivery=delivery.id, patient=delivery.patient, epoch=delivery.epoch, body=parcel.body)
            if not await self._writer.commit(keep):
                return Uncertain(reason="claim lost")
        try:
            async with asyncio.timeout(station.attempt_seconds):
                return await station.destination.deliver(parcel)
        except TimeoutError:
            return Uncertain(reason="attempt timed out")
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return Uncertain(reason="adapter cancelled")
        except Exception as error:  # noqa: BLE001 - the contract: any exception is Uncertain
            log.error("delivery.adapter_fault", destination=station.name, error=type(error).__name__)
            return Uncertain(reason=f"adapter fault: {type(error).__name__}")
