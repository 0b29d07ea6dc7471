"""Retention and erasure beside a hub that is never quiet."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from liaison.hub.retention import Retention
from liaison.service.retiring import Retiring
from tests.hub.bench import Bench, Clock, patient_of
from tests.hub.people import admission, reading


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    bench = Bench(tmp_path, Clock())
    yield bench
    await bench.journal.close()


async def test_an_erasure_ends_though_messages_never_cease(bench: Bench) -> None:
    patient = patient_of(await bench.take(reading(*admission("1", "V1"), control_id="A1")))
    retiring = Retiring(bench.journal, Retention(), bench.clock, busy=lambda: True)
    try:
        assert await bench.journal.eraser.erase(patient) is not None
    finally:
        retiring.close()
