"""The watch over a running hub: looks at it again and again, keeps its alerts, and has them told."""

from __future__ import annotations

import asyncio
import contextlib
import time
from types import TracebackType
from typing import Self

import structlog

from liaison.hub.journal.records import AlertRecord, microseconds
from liaison.hub.journal.writer import CommandFailed, CommitUnknown
from liaison.hub.watch.alerts import Telling, advance, due, told
from liaison.hub.watch.calendar import HOUR, REMEMBERED
from liaison.hub.watch.notes import NoteAlerts, NoteHours, Pulse
from liaison.hub.watch.standing import Parts, Standing
from liaison.hub.watch.troubles import Trouble, troubles
from liaison.service.looking import LOOK_FAULTS, Looker
from liaison.service.running import RunningHub
from liaison.service.telling import Teller

log = structlog.get_logger()

#: Seconds without a commit after which a pulse is committed, and between two pulses of a hub that has other things to commit.
PULSE_AFTER = 10.0
_PULSE_EVERY = 20.0
#: Seconds that a write of the watch may take before it goes on without: a disk that hangs must be told of.
_PATIENCE = 10.0
#: Seconds until a telling that failed is tried again, doubled up to the longest.
_AGAIN, _LONGEST = 5.0, 600.0
_OVER = "C'est revenu à la normale."

_Key = tuple[str, str, int]


class Watch:
    """Use as an asynchronous context manager around a hub that runs."""

    def __init__(self, hub: RunningHub) -> None:
        self._hub = hub
        settings = hub.configuration.alerts
        self._limits = settings.limits
        self._calm = int(settings.calm * 60e6)
        self._interval = hub.configuration.monitor.interval
        self._looker = Looker(hub)
        for name in hub.configuration.sources:
            hub.meters.source(name)
        for name in hub.configuration.destinations:
            hub.meters.destination(name)
        self._teller = Teller(settings, hub.configuration.hub.name, hub.configuration.folder)
        self._alerts: dict[_Key, AlertRecord] = {}
        #: What was last said of each trouble, for tellings that come after.
        self._texts: dict[tuple[str, str], str] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._tell_now = asyncio.Event()
        self._lag = 0.0
        self._failing: set[str] = set()
        #: How the hub stood at the last look.
        self.standing = Standing(at=hub.now().timestamp())

    async def __aenter__(self) -> Self:
        for name, work in (("watch-pulse", self._beat), ("watch-look", self._keep_looking), ("watch-tell", self._keep_telling)):
            self._tasks.append(asyncio.create_task(work(), name=name))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._teller.close()
        await self._looker.close()

    def parts(self) -> Parts:
        """Whether each part works, now."""
        return self._looker.parts()

    @property
    def alerts(self) -> tuple[AlertRecord, ...]:
        """Those known: open, or of the last weeks."""
        return tuple(self._alerts.values())

    async def look(self) -> None:
        """One look: how the hub stands, what is wrong with it, and what changed of its alerts."""
        try:
            standing = await self._looker.look(self.alerts, self._lag)
        except LOOK_FAULTS as error:
            self._note_fault("look", error)
            # What is in the journal cannot be read; whether the parts work can still be said.
            standing = Standing(at=self._hub.now().timestamp(), up=self.standing.up, parts=self.parts())
            self.standing = standing
        else:
            self._failing.discard("look")
            self.standing = standing
            await self._note_hours()
        await self._advance(troubles(standing, self._limits))

    async def _advance(self, found: tuple[Trouble, ...]) -> None:
        now = microseconds(self._hub.now())
        self._texts.update({(str(trouble.kind), trouble.about): trouble.text for trouble in found})
        long_ago = now - REMEMBERED * HOUR * 1_000_000
        self._alerts = {key: alert for key, alert in self._alerts.items() if alert.ended_at is None or alert.ended_at > long_ago}
        changed = advance(self.alerts, found, now, first_calm=self._calm)
        for alert in changed:
            if _key(alert) not in self._alerts:
                text = self._texts.get((alert.kind, alert.about), "")
                log.warning("alert.started", kind=alert.kind, about=alert.about, text=text)
            elif alert.ended_at is not None:
                log.info("alert.ended", kind=alert.kind, about=alert.about)
        await self._note(changed)

    async def _note(self, changed: tuple[AlertRecord, ...]) -> None:
        """Keep alerts, in the journal if it can be written: one about the journal itself must not wait for it."""
        if not changed:
            return
        self._alerts.update({_key(alert): alert for alert in changed})
        await self._commit(NoteAlerts(alerts=changed), "note")
        self._tell_now.set()

    async def _note_hours(self) -> None:
        if closed := self._looker.closed:
            forget = int(self._hub.now().timestamp()) // HOUR - REMEMBERED
            if await self._commit(NoteHours(hours=closed, forget_before=forget), "hours"):
                self._looker.closed = ()

    async def _commit(self, command: Pulse | NoteHours | NoteAlerts, what: str) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._hub.journal.writer.commit(command)
        except (CommandFailed, CommitUnknown, TimeoutError) as error:
            self._note_fault(what, error)
            return False
        self._failing.discard(what)
        return True

    def _note_fault(self, what: str, error: BaseException) -> None:
        """Once for each fault that lasts, not at every turn."""
        if what not in self._failing:
            self._failing.add(what)
            log.error("watch.failed", what=what, error=type(error).__name__)

    async def _beat(self) -> None:
        """Prove that the writer commits when nothing else does, and measure how late the event loop is."""
        last = -_PULSE_EVERY
        while True:
            began = time.monotonic()
            if self._hub.journal.writer.meter.age > PULSE_AFTER or began - last > _PULSE_EVERY:
                await self._commit(Pulse(), "pulse")
                last = began = time.monotonic()
            await asyncio.sleep(1.0)
            self._lag = max(0.0, time.monotonic() - began - 1.0)

    async def _keep_looking(self) -> None:
        """Beside the start, which must not wait for what a large journal has to tell."""
        opened = False
        while True:
            try:
                if not opened:
                    self._alerts = {_key(alert): alert for alert in await self._looker.open()}
                    opened = True
                await self.look()
            except Exception as error:  # noqa: BLE001 - whatever one look met, the next must come
                self._note_fault("look", error)
            await asyncio.sleep(max(self._interval, self._looker.rest))

    async def _keep_telling(self) -> None:
        wait = _AGAIN
        while True:
            if await self._tell():
                wait = _AGAIN
                await self._tell_now.wait()
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._tell_now.wait()
                wait = min(2 * wait, _LONGEST)
            self._tell_now.clear()

    async def _tell(self) -> bool:
        """Tell what has to be told; whether nothing is left."""
        done = True
        for alert in sorted(self.alerts, key=lambda alert: alert.since):
            now = microseconds(self._hub.now())
            telling = due(alert, now)
            # What ended while there was nobody to tell is no news for whoever is named later.
            if telling is None or (not self._teller.anybody and telling is Telling.START):
                continue
            text = _OVER if telling is Telling.END else self._texts.get((alert.kind, alert.about), "")
            if not await self._teller.tell(alert, telling, text, self._hub.now()):
                done = False
                continue
            # It may have moved on while it was being told.
            after = told(self._alerts.get(_key(alert), alert), telling, now, step=alert.step)
            self._alerts[_key(after)] = after
            await self._commit(NoteAlerts(alerts=(after,)), "note")
        return done


def _key(alert: AlertRecord) -> _Key:
    return alert.kind, alert.about, alert.since
