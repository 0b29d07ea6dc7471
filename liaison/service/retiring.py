"""Retention in a running hub: a pass now and then, in steps that give way to the intake."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog

from liaison.hub.engine import Journal
from liaison.hub.pruning import Pruner
from liaison.hub.retention import Retention

log = structlog.get_logger()

#: Seconds between two passes, and between two of a pass's steps.
_EVERY, _BREATH = 3600.0, 0.02
#: Seconds between two looks while the intake is busy, and after how many of them one step is taken all the same: an erasure, whose asker
#: waits, gives way for half a second, and age for five minutes.
_LOOK, _ASKED, _AGED = 0.25, 2, 1_200


class Retiring:
    """What a running hub does about age, from the start to ``close``."""

    def __init__(self, journal: Journal, retention: Retention, clock: Callable[[], datetime], *, busy: Callable[[], bool]) -> None:
        self._journal = journal
        self._busy = busy
        journal.eraser.idle = partial(self._idle, _ASKED)
        self.pruner = Pruner(
            path=journal.path,
            readable=journal.readable,
            writer=journal.writer,
            eraser=journal.eraser,
            retention=retention,
            clock=clock,
            idle=partial(self._idle, _AGED),
        )

    async def run(self) -> None:
        """Finish what an earlier start left to be swept, then a pass an hour, until cancelled."""
        passing = self._journal.eraser.sweep
        while True:
            try:
                await passing()
            except Exception as error:  # noqa: BLE001 - one pass that fails must not end all retention
                log.error("retention.pass_failed", error=type(error).__name__)
            await asyncio.sleep(_EVERY)
            passing = self._pass

    def close(self) -> None:
        """Close what it reads with."""
        self.pruner.close()

    async def _pass(self) -> None:
        await self.pruner.prune()

    async def _idle(self, looks: int) -> None:
        """Wait while messages wait, but not for ever: a hub may be busy all day."""
        await asyncio.sleep(_BREATH)
        for _ in range(looks):
            if not self._busy() and not self._journal.writer.waiting:
                return
            await asyncio.sleep(_LOOK)
