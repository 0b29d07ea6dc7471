"""Waiting for a condition with a deadline, instead of for a time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


async def eventually(condition: Callable[[], T | Awaitable[T]], deadline: float = 30.0, *, what: str = "") -> T:
    """What ``condition`` answers, once it is true; fails the test after ``deadline`` seconds, saying what was waited for."""
    ends = time.monotonic() + deadline
    while True:
        found = condition()
        answer: T = await found if inspect.isawaitable(found) else found
        if answer:
            return answer
        if time.monotonic() > ends:
            pytest.fail(f"not within {deadline:g} s: {what or condition.__name__}; last answer {answer!r}")
        await asyncio.sleep(0.05)
