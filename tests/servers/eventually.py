"""Waiting for a condition with a deadline, instead of for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


async def eventually(condition: Callable[[], T], deadline: float = 30.0, *, what: str = "the condition") -> T:
    """What ``condition`` answers, once it is true; fails the test after ``deadline`` seconds, saying what was waited for."""

    async def asked() -> T:
        return condition()

    return await eventually_answers(asked, deadline, what=what)


async def eventually_answers(condition: Callable[[], Awaitable[T]], deadline: float = 30.0, *, what: str = "the condition") -> T:
    """The same for a condition that has to be awaited."""
    ends = time.monotonic() + deadline
    while not (answer := await condition()):
        if time.monotonic() > ends:
            pytest.fail(f"not within {deadline:g} s: {what}; last answer {answer!r}")
        await asyncio.sleep(0.05)
    return answer
