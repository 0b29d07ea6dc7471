"""A hub that listens on a real socket, and the applications that speak to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import msgspec

from liaison.adapters.budget import ByteBudget, Reader
from liaison.adapters.mllp_listen import MllpListener
from liaison.adapters.mllp_settings import MllpListenSettings
from liaison.hub.contracts import Answer, Receive, Sender, Verdict

MESSAGE = b"MSH|^~\\&|A|B|C|D|20261122||ADT^A01|%d|P|2.5\r"


def frame(payload: bytes) -> bytes:
    return b"\x0b" + payload + b"\x1c\r"


def echo_reply(message: bytes) -> bytes:
    return b"ACK of %d bytes, %s" % (len(message), message[-12:].strip())


class Hub:
    """Takes messages; a test may hold each one, or make it fail."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, Sender]] = []
        #: What came of messages that were given up, and why.
        self.kept: list[tuple[bytes, str]] = []
        self.arrived = asyncio.Event()
        self.gate: asyncio.Event | None = None
        self.fault: Exception | None = None
        self.cancelled = False
        self.watch: Callable[[], None] = lambda: None

    async def receive(self, message: bytes, sender: Sender) -> Answer:
        if sender.fault is not None:
            self.kept.append((message, sender.fault.rule))
            return Answer(verdict=Verdict.QUARANTINED, reply=b"for nobody")
        self.taken.append((message, sender))
        self.arrived.set()
        self.watch()
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled = True
                raise
        if self.fault is not None:
            raise self.fault
        return Answer(verdict=Verdict.ACCEPTED, reply=echo_reply(message))


class WatchedBudget(ByteBudget):
    """Tells when it is full, and when a reader was stopped for it."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.full = asyncio.Event()
        self.paused = asyncio.Event()

    def acquire(self, count: int, *, begun: int = 0) -> None:
        super().acquire(count, begun=begun)
        if self.held >= self.limit:
            self.full.set()

    def must_pause(self, reader: Reader) -> bool:
        pause = super().must_pause(reader)
        if pause:
            self.paused.set()
        return pause


class Clock:
    """The time of day, until a test moves it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Peer:
    """A sending application."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> bytes:
        data = await self.reader.readuntil(b"\x1c\r")
        assert data[:1] == b"\x0b"
        return data[1:-2]

    async def closed_by_hub(self) -> bool:
        with suppress(ConnectionError):
            return await self.reader.read() == b""
        return True

    def vanish(self) -> None:
        self.writer.transport.abort()


class Running:
    def __init__(self, listener: MllpListener, budget: WatchedBudget, hub: Hub, task: asyncio.Task[None]) -> None:
        self.listener = listener
        self.budget = budget
        self.hub = hub
        self.task = task

    @asynccontextmanager
    async def peer(self, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Peer]:
        assert self.listener.address is not None
        reader, writer = await asyncio.open_connection(*self.listener.address, ssl=tls, limit=2**26)
        try:
            yield Peer(reader, writer)
        finally:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def stop(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


@asynccontextmanager
async def listening(
    *, budget: int = 256_000_000, receive: Receive | None = None, clock: Clock | None = None, **settings: object
) -> AsyncGenerator[Running]:
    hub = Hub()
    chosen = msgspec.convert({"listen": "127.0.0.1:0", "drain": 5.0, **settings}, MllpListenSettings)
    bytes_held = WatchedBudget(budget)
    listener = MllpListener("ch-test", chosen, bytes_held, clock=clock or Clock())
    task = asyncio.create_task(listener.run(receive or hub.receive))
    ready = asyncio.create_task(listener.listening.wait())
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if task.done():
        await task
    running = Running(listener, bytes_held, hub, task)
    try:
        yield running
    finally:
        await running.stop()
    assert not listener.connections
    assert listener.budget.held == 0, "every byte that was counted is given back"
