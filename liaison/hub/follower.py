"""The follower: does in its time what enrolments ask for. All of it is in the journal, so that a start goes on where a crash ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from liaison.hub.catching_up import CatchUp
from liaison.hub.enrolling import Enrol, Enrolled, Leave, Settled, Sweep, Wanted
from liaison.hub.journal.follow_queries import FollowDue, FollowReader
from liaison.hub.journal.queries import JournalReader
from liaison.hub.journal.records import FollowStatus, microseconds
from liaison.hub.journal.writer import CommandFailed, CommitUnknown, Writer
from liaison.hub.policy import Policy
from liaison.hub.resolution import Blind
from liaison.rules.routing import followed_destinations

log = structlog.get_logger()

#: How often the journal is asked what is due, in seconds.
ASKED_EVERY: Final = 2.0
#: Lines of a list in one commit: a few milliseconds of the writer's time.
BATCH: Final = 50
#: Enrolments that are worked on at once, so that they share commits.
_TOGETHER: Final = 16


class Follower:
    """Enrols and ends enrolments, tells what is known of whoever was enrolled, cancels what waits for whoever left."""

    def __init__(
        self,
        *,
        writer: Writer,
        reader: JournalReader,
        policy: Policy,
        blind: Blind,
        clock: Callable[[], datetime],
        wake: Callable[[str, int], None],
    ) -> None:
        self._writer = writer
        self._patients = reader
        self.reader = FollowReader(reader)
        self._policy = policy
        self._blind = blind
        self._clock = clock
        self._wake = wake
        self._due = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for what is due; nothing runs where no route asks who is followed and nobody is enrolled."""
        self._task = asyncio.create_task(self._run(), name="follower")

    async def stop(self) -> None:
        """Stop between two commits."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def enrol(self, wanted: Sequence[Wanted]) -> tuple[Enrolled, ...]:
        """Enrol the people of some lines, a bounded batch a commit; what is known of them is told soon after.

        Raises CommandFailed and CommitUnknown: what was committed before stands, and the whole may be asked again.
        """
        answers: list[Enrolled] = []
        for start in range(0, len(wanted), BATCH):
            command = self.enrolment(wanted[start : start + BATCH])
            answers += await self._writer.commit(command, rides=True)
        self._due.set()
        return tuple(answers)

    def enrolment(self, wanted: Sequence[Wanted]) -> Enrol:
        """The command that enrols the people of some lines."""
        return Enrol(
            wanted=tuple(wanted),
            lists=self._policy.lists,
            blind=self._blind,
            establishments=self._policy.establishments,
            domains=self._policy.domains,
        )

    async def leave(self, name: str, blinds: Iterable[bytes], *, key: str = "") -> int:
        """End enrolments of a list; what waits is cancelled soon after. Answers how many ended."""
        every, ended = tuple(blinds), 0
        for start in range(0, len(every), BATCH):
            command = Leave(list=name, blinds=every[start : start + BATCH], key=key)
            ended += await self._writer.commit(command, rides=True)
        self._due.set()
        return ended

    async def work(self) -> bool:
        """Do what is due now; whether anything was."""
        due = self.reader.due(microseconds(self._clock()), most=_TOGETHER * 8)
        for start in range(0, len(due), _TOGETHER):
            results = await asyncio.gather(*(self._one(one) for one in due[start : start + _TOGETHER]), return_exceptions=True)
            for result in results:
                if isinstance(result, (CommandFailed, CommitUnknown)):
                    log.error("follow.failed", error=type(result.__cause__ or result).__name__)
                elif isinstance(result, BaseException):
                    raise result
            if any(isinstance(result, BaseException) for result in results):
                return False
        return bool(due)

    async def _run(self) -> None:
        while True:
            self._due.clear()
            try:
                again = await self.work()
            except Exception as error:  # noqa: BLE001 - one failed look must not end the following
                log.error("follow.fault", error=type(error).__name__)
                again = False
            if not again:
                try:
                    async with asyncio.timeout(ASKED_EVERY):
                        await self._due.wait()
                except TimeoutError:
                    continue

    async def _one(self, due: FollowDue) -> None:
        now = microseconds(self._clock())
        destinations = followed_destinations(self._policy.routes)
        if due.status is not FollowStatus.LEFT and due.until is not None and due.until <= now:
            await self._writer.commit(Leave(list=due.list, blinds=(due.blind,)), rides=True)
            log.info("follow.ended", list=due.list)
        elif due.status is not FollowStatus.LEFT:
            for patient in due.patients:
                await self._catch_up(patient, destinations)
            await self._writer.commit(Settled(list=due.list, blind=due.blind), rides=True)
            return
        for patient in due.patients:
            waiting = self.reader.open_deliveries(patient, destinations)
            if waiting:
                await self._writer.commit(Sweep(patient=patient, deliveries=waiting, policy=self._policy), rides=True)
                for destination in destinations:
                    self._wake(destination, patient)
        await self._writer.commit(Settled(list=due.list, blind=due.blind), rides=True)

    async def _catch_up(self, patient: int, destinations: tuple[str, ...]) -> None:
        known = self._patients.patient(patient)
        if known is None or known.state.merged_into or all(one.begun for one in known.follows):
            return
        given = self.reader.given(known.numbers, destinations)
        deepest = max((one.catch_up for one in self._policy.lists.values()), default=timedelta())
        command = CatchUp(patient=patient, policy=self._policy, given=given, oldest=microseconds(self._clock() - deepest))
        caught = await self._writer.commit(command, rides=True)
        for destination, lane in caught.wake:
            self._wake(destination, lane)
