"""Which lanes have work, in memory: a hint that may be lost or wrong at any time; the journal is asked before anything is done.

Embedded, this is the whole bus. It carries a destination's name and a lane's number, nothing of a person.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque


class ReadyLanes:
    """The lanes of one destination that are worth a look, each at most once, none that a worker has in hand.

    ``most`` bounds what is kept; past it, ``overflowed`` says that the journal knows of more.
    """

    def __init__(self, *, most: int = 20_000) -> None:
        self._most = most
        self._ready: deque[int] = deque()
        self._later: list[tuple[float, int]] = []
        #: When each sleeping lane wakes; an entry of ``_later`` that says otherwise is void.
        self._wakes: dict[int, float] = {}
        self._known: set[int] = set()
        self._busy: set[int] = set()
        #: Lanes told of while a worker had them, and when they are due.
        self._again: dict[int, float] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.Handle | None = None
        #: When the timer goes off; it cannot be asked itself, for a loop may give a plain handle for a time that is past.
        self._timer_at = 0.0
        self._closing = asyncio.Event()
        self.overflowed = False

    def __len__(self) -> int:
        return len(self._known)

    @property
    def ready(self) -> int:
        """How many lanes may be taken now."""
        return len(self._ready)

    def __repr__(self) -> str:
        return f"<ReadyLanes ready={len(self._ready)} later={len(self._later)} busy={len(self._busy)}>"

    @property
    def closed(self) -> bool:
        """Whether no more lanes are handed out."""
        return self._closing.is_set()

    def close(self) -> None:
        """Hand out no more lanes: every ``take`` answers None."""
        self._closing.set()
        if self._timer is not None:
            self._timer.cancel()
        while self._waiters:
            self._wake_one()

    async def wait_closed(self, seconds: float) -> None:
        """Return when closed, or after ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    def add(self, patient: int, at: float = 0.0) -> None:
        """A lane may have work at loop time ``at`` (0: now)."""
        if patient in self._busy:
            self._again[patient] = min(at, self._again.get(patient, at))
        elif patient in self._wakes:
            if at < self._wakes[patient]:
                self._sleep(patient, at)
        elif patient not in self._known:
            if len(self._known) >= self._most:
                self.overflowed = True
                return
            self._known.add(patient)
            if at:
                self._sleep(patient, at)
            else:
                self._ready.append(patient)
                self._wake_one()

    async def take(self) -> int | None:
        """The next lane, the caller's until ``give_back``; None once closed."""
        while not self.closed:
            if self._ready:
                patient = self._ready.popleft()
                self._known.discard(patient)
                self._busy.add(patient)
                return patient
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        return None

    def give_back(self, patient: int, at: float | None) -> None:
        """Done with a lane for now; ``at`` is when it has work again (0: now), None when as far as known it has none."""
        self._busy.discard(patient)
        again = self._again.pop(patient, None)
        if again is not None:
            at = again if at is None else min(at, again)
        if at is not None:
            self.add(patient, at)

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _sleep(self, patient: int, at: float) -> None:
        if at:
            self._wakes[patient] = at
            heapq.heappush(self._later, (at, patient))
            self._set_timer()
        else:
            del self._wakes[patient]
            self._ready.append(patient)
            self._wake_one()

    def _set_timer(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer_at <= self._later[0][0]:
                return
            self._timer.cancel()
        self._timer_at = self._later[0][0]
        self._timer = loop.call_at(self._timer_at, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._later and self._later[0][0] <= now:
            at, patient = heapq.heappop(self._later)
            if self._wakes.get(patient) == at:
                del self._wakes[patient]
                self._ready.append(patient)
                self._wake_one()
        if self._later and not self.closed:
            self._set_timer()
