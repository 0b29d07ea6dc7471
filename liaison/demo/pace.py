"""The hospital's clock in the demonstration: it starts when told, runs faster than ours, and can be paused."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta

#: At speed 1 a minute of the hospital's life passes in a second.
SECONDS_PER_SECOND = 60.0
SPEEDS = (0, 1, 10, 60)


class Pace:
    """A clock of its own. ``speed`` is one of SPEEDS; 0 pauses."""

    def __init__(self, start: datetime, speed: int = 1) -> None:
        self._then = start
        self._real = time.monotonic()
        self.speed = speed
        self._changed = asyncio.Event()

    @property
    def now(self) -> datetime:
        elapsed = time.monotonic() - self._real
        return self._then + timedelta(seconds=elapsed * self.speed * SECONDS_PER_SECOND)

    def set_speed(self, speed: int) -> None:
        """Change the speed from now on. Raises ValueError for one that is not offered."""
        if speed not in SPEEDS:
            raise ValueError("speed")
        self._then, self._real = self.now, time.monotonic()
        self.speed = speed
        self._changed.set()
        self._changed = asyncio.Event()

    async def reach(self, at: datetime) -> None:
        """Wait until the clock shows ``at``, however its speed changes meanwhile."""
        while (left := (at - self.now).total_seconds()) > 0:
            changed = self._changed
            timeout = left / (self.speed * SECONDS_PER_SECOND) if self.speed else None
            try:
                async with asyncio.timeout(timeout):
                    await changed.wait()
            except TimeoutError:
                continue
