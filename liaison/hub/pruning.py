"""Retention at work: a pass over what grew too old, in steps of a few hundred rows that give way to the intake.

Each stage remembers the newest id that it dealt with, and the few that it had to pass over because something of them was still open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from liaison.hub.erasing import Eraser
from liaison.hub.journal.aged import STEP, Aged
from liaison.hub.journal.records import Record, first_id_at
from liaison.hub.journal.writer import Writer
from liaison.hub.retention import (
    Horizon,
    Retention,
    TakeOut,
    bytes_of,
    delivery_whole,
    events_of,
    message_whole,
    numbered,
    resend,
)
from liaison.hub.vault.subjects import SubjectKeys

log = structlog.get_logger()

Marked = TypeVar("Marked", int, list[int])

#: Steps that one pass gives to what it goes round and round through.
_ROUND = 400


class _Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one kind that go when they are old and closed."""

    name: str
    #: The next ids between two.
    older: Callable[[int, int], list[int]]
    #: Those that may not go.
    still_open: Callable[[], set[int]]
    before: Callable[[Horizon], int]
    taken_out: Callable[[int], tuple[Record, ...]]


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What one pass took out, and what was old enough and still open."""

    messages_without_bytes: int = 0
    messages_without_events: int = 0
    deliveries: int = 0
    holds: int = 0
    proposals: int = 0
    acts: int = 0
    messages: int = 0
    resends: int = 0
    patients: int = 0
    still_open: int = 0
    #: How much of the pass is done, from 0 to 1; below 1, asking again goes on where this ended.
    part: float = 1.0


class _Steps:
    """How many steps may still be taken; None: all that there are."""

    def __init__(self, most: int | None) -> None:
        self._left = most

    def take(self) -> bool:
        """Whether there is one more."""
        if self._left is None:
            return True
        self._left -= 1
        return self._left >= 0


class Pruner:
    """Takes out of one journal what its retention says. ``idle`` is awaited before each step."""

    def __init__(
        self,
        *,
        path: Path,
        readable: SubjectKeys,
        writer: Writer,
        eraser: Eraser,
        retention: Retention,
        clock: Callable[[], datetime],
        idle: Callable[[], Awaitable[None]],
    ) -> None:
        self._writer = writer
        self._eraser = eraser
        self._retention = retention
        self._clock = clock
        self._idle = idle
        self._aged = aged = Aged(path, readable)
        self._alone = asyncio.Lock()
        self._stages: Mapping[str, _Stage] = {
            "messages_without_bytes": _Stage(
                name="bytes",
                older=lambda after, before: aged.older("message", after, before),
                still_open=aged.open_messages,
                before=lambda horizon: horizon.message,
                taken_out=bytes_of,
            ),
            "messages_without_events": _Stage(
                name="events",
                older=lambda after, before: aged.older("message", after, before),
                still_open=aged.open_messages,
                before=lambda horizon: horizon.event,
                taken_out=events_of,
            ),
            "deliveries": _Stage(
                name="deliveries",
                older=lambda after, before: aged.older("delivery", after, before),
                still_open=aged.open_deliveries,
                before=lambda horizon: horizon.trace,
                taken_out=delivery_whole,
            ),
            "holds": _Stage(
                name="holds",
                older=lambda after, before: aged.older_numbered("hold", after, before),
                still_open=aged.open_holds,
                before=lambda horizon: horizon.trace,
                taken_out=partial(numbered, "hold"),
            ),
            "proposals": _Stage(
                name="proposals",
                older=lambda after, before: aged.older_numbered("proposal", after, before),
                still_open=aged.open_proposals,
                before=lambda horizon: horizon.trace,
                taken_out=partial(numbered, "proposal"),
            ),
            "acts": _Stage(
                name="audit",
                older=lambda after, before: aged.older_numbered("audit", after, before),
                still_open=set,
                before=lambda horizon: horizon.trace,
                taken_out=partial(numbered, "audit"),
            ),
            "messages": _Stage(
                name="messages",
                older=lambda after, before: aged.older("message", after, before),
                still_open=aged.open_messages,
                before=lambda horizon: horizon.trace,
                taken_out=message_whole,
            ),
        }

    def close(self) -> None:
        """Close what it reads with."""
        self._aged.close()

    async def prune(
        self, progress: Callable[[str, int], None] = lambda stage, count: None, *, most_steps: int | None = None
    ) -> Pruned:
        """One pass; ``progress`` is told of a stage and of how many it took out so far. ``most_steps`` ends it early.

        Raises:
            CommandFailed, CommitUnknown: the next pass goes on.
        """
        async with self._alone:
            horizon = Horizon.at(self._clock(), self._retention)
            counts: dict[str, int] = {}
            still_open = 0
            left = _Steps(most_steps)
            for place, (key, stage) in enumerate(self._stages.items()):
                counts[key], passed_over, part = await self._run(stage, horizon, partial(progress, key), left)
                still_open = max(still_open, passed_over)
                if part < 1.0:
                    return Pruned(**counts, still_open=still_open, part=(place + part) / (len(self._stages) + 1))
            counts["resends"] = await self._resends(horizon)
            progress("resends", counts["resends"])
            counts["patients"] = await self._patients(horizon)
            progress("patients", counts["patients"])
        await self._eraser.sweep()
        pruned = Pruned(**counts, still_open=still_open)
        log.info("retention.pass_done", **msgspec.to_builtins(pruned))
        return pruned

    async def _run(self, stage: _Stage, horizon: Horizon, progress: Callable[[int], None], left: _Steps) -> tuple[int, int, float]:
        """How many went, how many were passed over, and how much of the stage is done: by the time that the ids tell."""
        reached_mark, kept_mark = f"retention/{stage.name}", f"retention/{stage.name}/kept"
        before = stage.before(horizon)
        reached = await self._mark(reached_mark, int)
        kept: list[int] = await self._mark(kept_mark, list[int])
        count = 0
        first = await asyncio.to_thread(self._aged.first)
        while True:
            await self._idle()
            again, kept = kept[:STEP], kept[STEP:]
            found = again or await asyncio.to_thread(stage.older, reached, before)
            if not found:
                return count, len(await self._mark(kept_mark, list[int])), 1.0
            if not again and not left.take():
                known = await self._mark(kept_mark, list[int])
                return count, len(known), min(max(reached - first, 0) / max(before - first, 1), 0.99)
            still_open = await asyncio.to_thread(stage.still_open)
            passed_over = [number for number in found if number in still_open]
            gone = [number for number in found if number not in still_open]
            if not again:
                reached = found[-1]
            known = await self._mark(kept_mark, list[int])
            kept_now = sorted({*known, *passed_over}.difference(gone))
            rows = tuple(row for number in gone for row in stage.taken_out(number))
            marks = ((reached_mark, msgspec.json.encode(reached)), (kept_mark, msgspec.json.encode(kept_now)))
            await self._writer.commit(TakeOut(rows=rows, marks=marks), rides=True)
            count += len(gone)
            progress(count)

    async def _resends(self, horizon: Horizon) -> int:
        """What resends are recognised by goes with the traces; names are in no order of time, so a pass goes on where the last ended."""
        after: tuple[str, bytes] = ("", b"")
        if (stored := await asyncio.to_thread(self._aged.mark, "retention/seen")) is not None:
            after = msgspec.msgpack.decode(stored, type=tuple[str, bytes])
        count = 0
        for _ in range(_ROUND):
            await self._idle()
            found = await asyncio.to_thread(self._aged.seen, after)
            after = found[-1][:2] if found else ("", b"")
            old = [(name, digest) for name, digest, message in found if message < horizon.trace]
            rows = tuple(resend(name, digest) for name, digest in old)
            await self._writer.commit(TakeOut(rows=rows, marks=(("retention/seen", msgspec.msgpack.encode(after)),)), rides=True)
            count += len(old)
            if not found:
                break
        return count

    async def _patients(self, horizon: Horizon) -> int:
        """People of whom nothing was heard; a merged record goes with the one that stands."""
        before = first_id_at(horizon.patient)
        after: int = await self._mark("retention/patients", int)
        count = 0
        for _ in range(_ROUND):
            await self._idle()
            last, records = await asyncio.to_thread(self._aged.patients, after, before)
            after = last or 0
            for record in records:
                if record.state.recorded_at < horizon.patient:
                    count += await self._eraser.retire(record.id, horizon.patient)
            mark = ("retention/patients", msgspec.json.encode(after))
            await self._writer.commit(TakeOut(rows=(), marks=(mark,)), rides=True)
            if last is None:
                break
        return count

    async def _mark(self, name: str, kind: type[Marked]) -> Marked:
        stored = await asyncio.to_thread(self._aged.mark, name)
        return kind() if stored is None else msgspec.json.decode(stored, type=kind)
