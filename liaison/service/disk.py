"""The room left on the journal's disk: intake stops while there still is some, and goes on by itself.

SQLite needs room to end what it began; a hub that takes messages until the disk is full can no longer even deliver.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger()

#: How long an answer of the file system is good for, in seconds.
_FRESH: Final = 1.0
#: Intake goes on when there is a tenth more than what it stopped at: else it would stop and go on with each message.
_MARGIN: Final = 10


class DiskWatch:
    """Whether the disk of a folder has less than ``keep_free`` bytes left."""

    def __init__(
        self,
        folder: Path,
        keep_free: int,
        *,
        statvfs: Callable[[Path], os.statvfs_result] = os.statvfs,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._keep_free = keep_free
        self._statvfs = statvfs
        self._clock = clock
        self._looked_at = -_FRESH
        self._full = False

    @property
    def free(self) -> int:
        """Bytes that the hub may still write."""
        status = self._statvfs(self._folder)
        return status.f_bavail * status.f_frsize

    @property
    def full(self) -> bool:
        """Whether intake must stop. Looks at most once a second; when the file system does not answer, nothing changes."""
        now = self._clock()
        if now - self._looked_at >= _FRESH:
            self._looked_at = now
            try:
                free = self.free
            except OSError as error:
                log.error("disk.unreadable", error=error.strerror)
                return self._full
            full = free < self._keep_free + (self._keep_free // _MARGIN if self._full else 0)
            if full and not self._full:
                log.error("disk.full", free=free, keep_free=self._keep_free)
            elif self._full and not full:
                log.warning("disk.free_again", free=free, keep_free=self._keep_free)
            self._full = full
        return self._full
