"""The sending side of MLLP, without anything of the hub's: frames, replies, and a load that survives the hub."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Self

START, END = b"\x0b", b"\x1c\r"


class Reply:
    """An acknowledgement, split by hand."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.segments = [line.split("|") for line in raw.decode().split("\r") if line]

    def __repr__(self) -> str:
        return "\n".join("|".join(segment) for segment in self.segments)

    @property
    def code(self) -> str:
        """MSA-1."""
        return self._first("MSA")[1]

    @property
    def control_id(self) -> str:
        """MSA-2."""
        return self._first("MSA")[2]

    @property
    def text(self) -> str:
        """MSA-3."""
        msa = self._first("MSA")
        return msa[3] if len(msa) > 3 else ""

    @property
    def errors(self) -> list[list[str]]:
        """The ERR segments, field by field."""
        return [segment for segment in self.segments if segment[0] == "ERR"]

    @property
    def locations(self) -> list[str]:
        """ERR-2 of each."""
        return [error[2] for error in self.errors]

    def _first(self, name: str) -> list[str]:
        return next(segment for segment in self.segments if segment[0] == name)


class MllpConnection:
    """One connection to a hub; ``async with``. In TLS with the context of a peer, if one is given."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._port = port
        self._tls = tls

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def write(self, data: bytes) -> None:
        """Bytes as they are, without a frame."""
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, seconds: float = 30.0) -> Reply:
        """The next framed answer. Raises IncompleteReadError when the hub closes instead."""
        async with asyncio.timeout(seconds):
            frame = await self.reader.readuntil(END)
        return Reply(frame.removeprefix(START).removesuffix(END))

    async def send(self, message: bytes, seconds: float = 30.0) -> Reply:
        """Send one message in a frame, and read its answer."""
        await self.write(START + message + END)
        return await self.reply(seconds)

    async def closed(self, seconds: float = 30.0) -> bytes:
        """What still came before the hub closed the connection."""
        async with asyncio.timeout(seconds):
            with contextlib.suppress(ConnectionError):
                return await self.reader.read()
        return b""


async def send_once(port: int, message: bytes, seconds: float = 30.0, tls: ssl.SSLContext | None = None) -> Reply:
    """One message on a connection of its own."""
    async with MllpConnection(port, tls) as connection:
        return await connection.send(message, seconds)


class Load:
    """Several connections, one message in flight on each, that reconnect when the hub is gone. The control id of every message
    answered AA is written to a file, flushed, before the next is sent: what may not be lost."""

    def __init__(self, port: int, make: Callable[[int], tuple[str, bytes]], acked: Path, *, connections: int = 8) -> None:
        self._port = port
        self._make = make
        self._acked = acked
        self._connections = connections
        self._serial = 0
        #: How many were answered AA, and answered otherwise.
        self.accepted = 0
        self.other: list[str] = []
        #: Connections that ended under a message.
        self.cut = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._send()) for _ in range(self._connections)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send(self) -> None:
        with self._acked.open("ab", buffering=0) as acked:
            while True:
                try:
                    async with MllpConnection(self._port) as connection:
                        while True:
                            self._serial += 1
                            control_id, message = self._make(self._serial)
                            reply = await connection.send(message)
                            if reply.code == "AA" and reply.control_id == control_id:
                                self.accepted += 1
                                acked.write(control_id.encode() + b"\n")
                            else:
                                self.other.append(repr(reply))
                except (OSError, asyncio.IncompleteReadError):
                    self.cut += 1
                    await asyncio.sleep(0.02)
