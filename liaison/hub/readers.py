"""Reading in a process of its own: a message that takes too long to read, or kills its reader, costs nobody else their answer.

It also leaves the hub's own process the sockets, the fold and the writer: on two cores that is worth more than the copy it costs.
Answers leave the reader in bundles, so that after a loss nobody knows which message it had in hand: all are read again one by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import resource
import signal
import socket
import struct
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from datetime import datetime
from multiprocessing.process import BaseProcess
from typing import cast

import msgspec
import structlog

from liaison.care.facts import Fact
from liaison.finding import Finding, Severity
from liaison.hub.contracts import MessageIds, Reading, Sender, Verdict
from liaison.hub.reading import unreadable
from liaison.hub.reading_file import read_any
from liaison.mappings.interpretation import SourceProfile
from liaison.private import Private

log = structlog.get_logger()

#: Length of what follows, then the request's number.
_HEAD = struct.Struct("<II")
#: Address space of a reader, in bytes.
_MEMORY = 2 * 1024**3
#: How far a reader stands back: where cores are few, the writer that all wait for goes first.
_NICE = 5
_CHUNK = 1 << 18


class _Asked(Private, frozen=True, kw_only=True, array_like=True):
    """One message to read."""

    source: str
    peer: str
    file: bool
    now: datetime
    reply_id: str
    raw: bytes


class _Read(Private, frozen=True, kw_only=True, array_like=True):
    """What came of it: a Reading without what the asker has already."""

    ids: MessageIds
    facts: tuple[Fact, ...]
    findings: tuple[Finding, ...]
    verdict: Verdict
    reply: bytes
    packed: bytes | None
    establishment: str


class _Waiting:
    """A message at the reader."""

    __slots__ = ("asked", "frame", "future")

    def __init__(self, asked: _Asked, frame: bytes, future: asyncio.Future[_Read]) -> None:
        self.asked = asked
        self.frame = frame
        self.future = future


_ask = msgspec.msgpack.Encoder().encode
_answer = msgspec.msgpack.Decoder(_Read).decode


class ReaderLost(Exception):
    """The reader died or hung on this message."""


class Readers:
    """Reads messages in another process, which is replaced when it dies or hangs."""

    def __init__(self, profiles: Mapping[str, SourceProfile], *, seconds: float = 20.0) -> None:
        self._profiles = profiles
        self._seconds = seconds
        self._number = 0
        self._waiting: OrderedDict[int, _Waiting] = OrderedDict()
        self._process: BaseProcess | None = None
        self._line: _Line | None = None
        self._watch: asyncio.Task[None] | None = None
        #: After a loss the messages are read one at a time, until it is known which one is to blame.
        self._again: deque[int] = deque()
        self._alone: int | None = None
        self._last_progress = 0.0
        self._stopping = False
        #: How often the process had to be replaced.
        self.replaced = 0

    @property
    def process(self) -> int | None:
        """The reader's process; None while it is being replaced."""
        return self._process.pid if self._process is not None and self._process.is_alive() else None

    @property
    def waiting(self) -> int:
        """Messages at the reader."""
        return len(self._waiting)

    async def start(self) -> None:
        """Start the process and wait until it reads."""
        await self._open()
        self._watch = asyncio.create_task(self._watching(), name="reader-watch")

    async def stop(self) -> None:
        """End the process."""
        self._stopping = True
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        await self._close()

    async def read(self, raw: bytes, sender: Sender, *, now: datetime, reply_id: str) -> Reading:
        """All that a message says before any state is looked at. Never raises for what it holds."""
        profile = self._profiles[sender.source]
        asked = _Asked(source=sender.source, peer=sender.peer, file=sender.file, now=now, reply_id=reply_id, raw=raw)
        self._number = number = (self._number + 1) & 0xFFFFFFFF
        body = _ask(asked)
        waiting = _Waiting(asked, _HEAD.pack(len(body), number) + body, asyncio.get_running_loop().create_future())
        if not self._waiting:
            self._last_progress = asyncio.get_running_loop().time()
        self._waiting[number] = waiting
        if self._alone is not None:
            self._again.append(number)
        elif self._line is not None:
            self._line.send(waiting.frame)
        try:
            read = await waiting.future
        except ReaderLost:
            return unreadable(raw, sender, profile, _LOST, now, reply_id)

        def reply_as(verdict: Verdict, findings: tuple[Finding, ...]) -> bytes:
            return read_any(raw, sender, profile, now=now, reply_id=reply_id).reply_as(verdict, findings)

        return Reading(
            raw=raw,
            sender=sender,
            ids=read.ids,
            facts=read.facts,
            findings=read.findings,
            verdict=read.verdict,
            reply=read.reply,
            reply_as=reply_as,
            packed=read.packed,
            establishment=read.establishment,
        )

    def _answered(self, number: int, body: memoryview) -> None:
        self._last_progress = asyncio.get_running_loop().time()
        if (waiting := self._waiting.pop(number, None)) is not None and not waiting.future.done():
            waiting.future.set_result(_answer(body))
        if number == self._alone:
            self._next()

    def _next(self) -> None:
        """Send the next of the messages that are read one at a time."""
        self._alone = None
        while self._again and self._line is not None:
            number = self._again.popleft()
            if (waiting := self._waiting.get(number)) is not None:
                self._alone = number
                self._line.send(waiting.frame)
                return

    async def _open(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            process = multiprocessing.get_context("spawn").Process(
                target=serve, args=(theirs, dict(self._profiles)), name="liaison-reader", daemon=True
            )
            await asyncio.to_thread(process.start)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        self._process = process
        _, line = await asyncio.get_running_loop().create_connection(lambda: _Line(self._answered), sock=ours)
        self._line = line
        self._last_progress = asyncio.get_running_loop().time()
        self._again = deque(self._waiting)
        self._next()

    async def _close(self) -> None:
        line, self._line = self._line, None
        process, self._process = self._process, None
        if line is not None:
            line.close()
        if process is not None:
            process.kill()
            await asyncio.to_thread(process.join)

    async def _watching(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping:
            line, process = self._line, self._process
            if line is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        await line.lost.wait()
            dead = line is None or line.lost.is_set() or process is None or not process.is_alive()
            hung = bool(self._waiting) and loop.time() - self._last_progress > self._seconds
            if dead or hung:
                self.replaced += 1
                log.error("reader.replaced", hung=hung)
                alone = next(iter(self._waiting), None) if len(self._waiting) == 1 else self._alone
                culprit = None if alone is None else self._waiting.pop(alone, None)
                if culprit is not None and not culprit.future.done():
                    culprit.future.set_exception(ReaderLost())
                await self._close()
                try:
                    await self._open()
                except OSError as error:  # no process could be started: tried again at the next turn
                    log.error("reader.not_started", error=type(error).__name__)
                    await asyncio.sleep(1.0)


class _Line(asyncio.Protocol):
    """Our end of the pair: frames out, frames in."""

    def __init__(self, answered: Callable[[int, memoryview], None]) -> None:
        self._answered = answered
        self._held = bytearray()
        self._transport: asyncio.Transport | None = None
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is one in all but name

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    def send(self, frame: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        held = self._held
        held += data
        start, size = 0, len(held)
        with memoryview(held) as view:
            while size - start >= _HEAD.size:
                length, number = _HEAD.unpack_from(view, start)
                end = start + _HEAD.size + length
                if end > size:
                    break
                with view[start + _HEAD.size : end] as body:
                    self._answered(number, body)
                start = end
        if start:
            del held[:start]


def serve(line: socket.socket, profiles: dict[str, SourceProfile]) -> None:
    """The reader's life: read what comes, one message after the other, until the line ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ConnectionError):  # the hub is gone: nobody waits for an answer any more
        _read_on(line, profiles)


def _read_on(line: socket.socket, profiles: dict[str, SourceProfile]) -> None:
    decode = msgspec.msgpack.Decoder(_Asked).decode
    encode = msgspec.msgpack.Encoder().encode
    held = bytearray()
    while chunk := line.recv(_CHUNK):
        held += chunk
        start, out = 0, bytearray()
        while len(held) - start >= _HEAD.size:
            length, number = _HEAD.unpack_from(held, start)
            end = start + _HEAD.size + length
            if end > len(held):
                break
            asked = decode(memoryview(held)[start + _HEAD.size : end])
            start = end
            sender = Sender(source=asked.source, peer=asked.peer, file=asked.file)
            profile = profiles[asked.source]
            try:
                reading = read_any(asked.raw, sender, profile, now=asked.now, reply_id=asked.reply_id)
            except Exception:  # noqa: BLE001 - a fault of ours costs one message its reading and says nothing of what it held
                reading = unreadable(asked.raw, sender, profile, _LOST, asked.now, asked.reply_id)
            body = encode(
                _Read(
                    ids=reading.ids,
                    facts=reading.facts,
                    findings=reading.findings,
                    verdict=reading.verdict,
                    reply=reading.reply,
                    packed=reading.packed,
                    establishment=reading.establishment,
                )
            )
            out += _HEAD.pack(len(body), number) + body
            if len(out) > _CHUNK:
                line.sendall(out)
                out = bytearray()
        if out:
            line.sendall(out)
        if start:
            del held[:start]


_LOST = Finding(
    severity=Severity.FATAL,
    where="MSH",
    rule="hub.reader-lost",
    message="La lecture de ce message n'a pas abouti dans le temps imparti : il est gardé entier et l'exploitant est prévenu.",
    remedy="Vérifiez la taille et la forme du message ; l'exploitant peut le rejouer.",
    condition="207",
)
