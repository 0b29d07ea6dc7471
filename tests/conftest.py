"""For every test: loggers as they were. A command sets them for a process of its own; the tests share one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import structlog


@pytest.fixture(autouse=True)
def loggers_as_they_were(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what a test's command configures; a logger that it used first must not keep that for good."""
    before, configure = structlog.get_config(), structlog.configure

    def uncached(**settings: Any) -> None:
        settings["cache_logger_on_first_use"] = False
        configure(**settings)

    monkeypatch.setattr(structlog, "configure", uncached)
    yield
    configure(**before)
