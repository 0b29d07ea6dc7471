"""The limit of the machine and of the generator: a server that answers AA to every frame and does nothing else."""

from __future__ import annotations

import asyncio
from typing import cast

import uvloop

START, END = b"\x0b", b"\x1c\r"


class Echo(asyncio.Protocol):
    """One connection; the load generator keeps one message in flight on it."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is not one by class

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(END)) >= 0:
            frame, self._buffer = self._buffer[1:end], self._buffer[end + 2 :]
            control_id = frame.split(b"|", 10)[9]
            self._transport.write(
                START + rb"MSH|^~\&|||||||ACK|1|P|2.5" + b"\rMSA|AA|" + control_id + b"|Message pris en charge.\r" + END
            )


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the parent reads it
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
