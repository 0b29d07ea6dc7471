"""A source and a destination that live in memory: for tests, for the demonstration, and to try a configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from liaison.hub.contracts import Answer, Attempt, Delivered, Parcel, Receive, Sender


class MemorySource:
    """Hands the hub what a test puts in.

    >>> source = MemorySource("ch-test")            # doctest: +SKIP
    >>> answer = await source.put(b"MSH|^~\\\\&|…")    # doctest: +SKIP
    """

    def __init__(self, name: str) -> None:
        self._sender = Sender(source=name, peer="memory")
        self._receive: Receive | None = None
        self._open = asyncio.Event()
        self._unanswered = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def run(self, receive: Receive) -> None:
        """Serve ``put`` until cancelled, then wait for the answers that are due."""
        self._receive = receive
        self._open.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._open.clear()
            await self._quiet.wait()

    async def put(self, message: bytes, *, peer: str = "") -> Answer:
        """Give one message to the hub and wait for its answer; waits for ``run`` first. Raises what ``receive`` raises."""
        await self._open.wait()
        assert self._receive is not None
        sender = Sender(source=self._sender.source, peer=peer) if peer else self._sender
        self._unanswered += 1
        self._quiet.clear()
        try:
            return await self._receive(message, sender)
        finally:
            self._unanswered -= 1
            if not self._unanswered:
                self._quiet.set()


class MemoryDestination:
    """Keeps the parcels it was given, and answers by a script.

    ``script`` gives the outcome of each attempt in turn; an exception in it is raised; after its end all is delivered.
    """

    def __init__(self, script: Iterable[Attempt | BaseException] = ()) -> None:
        #: Every parcel that an attempt was made for, in order, repeats included.
        self.parcels: list[Parcel] = []
        #: Set by a test to make ``probe`` fail.
        self.fault: OSError | None = None
        self.closed = False
        self._script: Iterator[Attempt | BaseException] = iter(script)
        self._changed = asyncio.Condition()

    async def deliver(self, parcel: Parcel) -> Attempt:
        async with self._changed:
            self.parcels.append(parcel)
            self._changed.notify_all()
        outcome = next(self._script, None)
        if outcome is None:
            return Delivered(reference=parcel.id)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def wait_for(self, count: int) -> list[Parcel]:
        """The parcels, once there are at least ``count`` of them."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.parcels) >= count)
            return list(self.parcels)

    async def probe(self) -> None:
        if self.fault is not None:
            raise self.fault

    async def close(self) -> None:
        self.closed = True
