"""A journal in a temporary folder for each test."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.hub.bench import Bench, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def bench(tmp_path: Path, clock: Clock) -> AsyncGenerator[Bench]:
    made = Bench(tmp_path, clock)
    yield made
    await made.journal.close()
