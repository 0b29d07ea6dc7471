"""The clock of holds at work: what a hospital does not decide in time goes to the GCS, and says so once in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from liaison.hub.holding import Escalate, HoldHours, past_due
from liaison.hub.journal.queries import JournalReader
from liaison.hub.journal.records import microseconds, text_id
from liaison.hub.journal.writer import Writer
from liaison.rules.decision import Owner

log = structlog.get_logger()

_EVERY: Final = 60.0
#: Holds given to the GCS in one pass.
_AT_ONCE: Final = 200


class HoldClock:
    """Looks once a minute."""

    def __init__(self, *, reader: JournalReader, writer: Writer, hours: HoldHours, clock: Callable[[], datetime]) -> None:
        self._reader = reader
        self._writer = writer
        self._hours = hours
        self._clock = clock

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - a look that fails has its turn again in a minute
                log.error("hold.clock_failed", error=type(error).__name__)
            await asyncio.sleep(_EVERY)

    async def look(self) -> int:
        """Give what is past due to the GCS; how many were given."""
        given = 0
        late = past_due(self._reader.holds.open(), self._hours, microseconds(self._clock()))
        for hold in [one for one in late if one.owner == Owner.HOSPITAL][:_AT_ONCE]:
            if await self._writer.commit(Escalate(hold=hold.id), rides=True):
                given += 1
                log.warning("hold.escalated", hold=text_id(hold.id), source=hold.source, rule=hold.rule, what=hold.what)
        return given
