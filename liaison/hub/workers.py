"""Worker processes for what is heavy or dangerous: rendering, inspecting a sender's PDF, building mails.

A job has a deadline: a process that misses it is killed and replaced, and with it nothing but that one job.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import TypeVar

import structlog

J = TypeVar("J")
R = TypeVar("R")

log = structlog.get_logger()

#: Jobs after which a process is replaced, so that what a library leaks does not add up.
_JOBS_EACH = 500
#: Address space of one process, in bytes.
_MEMORY = 2 * 1024**3
#: How far a worker stands back: a letter may take a moment longer, an acknowledgement may not.
_NICE = 10
#: Seconds between two looks at whether the hub is still there.
_LOOK_EVERY = 2.0


class JobFailed(Exception):
    """The job's process died, or the job took too long. Says which, never what the job held."""


class Workers:
    """A small pool of processes, started when first needed."""

    def __init__(self, processes: int = 1, *, seconds: float = 30.0) -> None:
        self._processes = processes
        self._seconds = seconds
        self._pool: ProcessPoolExecutor | None = None
        self._slots = asyncio.Semaphore(processes)
        #: Jobs at work or waiting, and how often a pool had to be replaced.
        self.jobs = 0
        self.replaced = 0

    @property
    def running(self) -> tuple[int, ...]:
        """The processes that were started."""
        processes: dict[int, BaseProcess] = getattr(self._pool, "_processes", None) or {}
        return tuple(processes)

    async def run(self, function: Callable[[J], R], job: J) -> R:
        """Run a function on a job in a worker; both are pickled.

        Raises:
            JobFailed: it died or ran out of time. What the function itself raises comes through.
        """
        self.jobs += 1
        try:
            async with self._slots:
                if self._pool is None:
                    self._pool = self._start()
                pool = self._pool
                try:
                    async with asyncio.timeout(self._seconds):
                        return await asyncio.get_running_loop().run_in_executor(pool, function, job)
                except TimeoutError as error:
                    self._replace(pool)
                    raise JobFailed("took too long") from error
                except BrokenProcessPool as error:
                    self._replace(pool)
                    raise JobFailed("process died") from error
        finally:
            self.jobs -= 1

    async def close(self) -> None:
        """End the processes."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._processes,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_limit,
            max_tasks_per_child=_JOBS_EACH,
        )

    def _replace(self, pool: ProcessPoolExecutor) -> None:
        self.replaced += 1
        log.error("workers.replaced")
        if self._pool is pool:
            self._pool = None
        processes: dict[int, BaseProcess] = getattr(pool, "_processes", None) or {}
        for process in list(processes.values()):
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        pool.shutdown(wait=False, cancel_futures=True)


def _limit() -> None:
    """Bound a worker, and leave Ctrl-C to the hub."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()


def _follow(parent: int) -> None:
    """End with the hub, however it ended: a killed parent leaves its pool's queues open."""
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY)
    os._exit(0)
