"""Worker processes: jobs in functions that any process can import."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator

import pytest

from liaison.hub.workers import JobFailed, Workers
from tests.hub.bench import process_of


@pytest.fixture
async def workers() -> AsyncGenerator[Workers]:
    pool = Workers(1, seconds=30)
    yield pool
    await pool.close()


async def test_a_job_runs_in_another_process_and_its_own_faults_come_through(workers: Workers) -> None:
    first, second = await workers.run(process_of, 1), await workers.run(process_of, 2)
    assert first == second != os.getpid()
    with pytest.raises(ValueError, match="invalid literal"):
        await workers.run(int, "x")
    assert await workers.run(process_of, 3) == first


async def test_a_process_that_dies_fails_its_job_alone(workers: Workers) -> None:
    before = await workers.run(process_of, 1)
    with pytest.raises(JobFailed, match="died"):
        await workers.run(signal.raise_signal, signal.SIGKILL)
    assert await workers.run(process_of, 2) not in (before, os.getpid())


async def test_a_job_that_takes_too_long_is_killed_and_replaced() -> None:
    workers = Workers(1, seconds=2.0)
    hanging = asyncio.ensure_future(workers.run(time.sleep, 600))
    with pytest.raises(JobFailed, match="too long"):
        await hanging
    await workers.close()


async def test_a_pool_that_was_never_used_closes() -> None:
    await Workers().close()
