"""WAL checkpoints that neither let the log grow nor stall the writer.

A passive pass copies pages while the writer goes on; when little is left the writer itself, between two batches, runs the short
RESTART that lets the log begin again at its start. Passive alone never catches up with a busy writer; automatic ones stall it.
"""

from __future__ import annotations

import threading
from pathlib import Path

import structlog
from sqlalchemy.exc import DBAPIError

from liaison.hub.journal.database import Database, open_engine

log = structlog.get_logger()

#: Records written since the last restart from which a pass is worth it: some 6,000 pages, 24 MB of log.
_WORTH = 10_000
#: Pages that the writer may copy by itself in a RESTART.
_LITTLE = 1_200


class Checkpointer:
    """A thread with a connection of its own, woken by the writer."""

    def __init__(self, path: Path) -> None:
        self._records = 0
        self._engine = open_engine(path)
        self._wake = threading.Event()
        self._restart = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="journal-checkpoint", daemon=True)
        self._thread.start()

    def between_batches(self, database: Database, records: int) -> None:
        """Called by the writer: finish a checkpoint that is nearly done, or wake the thread when the log has grown."""
        self._records += records
        if self._restart.is_set():
            self._restart.clear()
            try:
                if database.restart_log():
                    self._records = 0
            except DBAPIError:
                log.warning("journal.checkpoint_failed")
        elif self._records > _WORTH and not self._wake.is_set():
            self._wake.set()

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        self._wake.set()
        self._thread.join()
        self._engine.dispose()

    def _run(self) -> None:
        with self._engine.connect() as connection:
            while True:
                self._wake.wait()
                if self._stopping:
                    return
                for _ in range(8):
                    try:
                        _, pages, copied = connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").one()
                        connection.rollback()
                    except DBAPIError:
                        log.warning("journal.checkpoint_busy")
                        break
                    if pages - copied < _LITTLE:
                        self._restart.set()
                        break
                self._wake.clear()
