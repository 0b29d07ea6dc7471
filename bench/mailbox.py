"""A mail server that costs the machine little: it takes every mail, and counts the different Message-IDs.

A second port answers ``counts`` with a line: mails taken and different ids.
"""

from __future__ import annotations

import asyncio
import re
from typing import ClassVar, cast

import uvloop

_ID = re.compile(rb"^Message-ID:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


class Mailbox(asyncio.Protocol):
    """One SMTP connection (RFC 5321), as far as a submission needs it."""

    ids: ClassVar[set[bytes]] = set()
    taken: ClassVar[int] = 0

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is not one by class
        self._transport.write(b"220 bench ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            end, size = (b"\r\n.\r\n", 5) if self._in_data else (b"\r\n", 2)
            # What came before was searched already.
            at = self._buffer.find(end, max(0, len(self._buffer) - len(data) - size))
            if at < 0:
                return
            part = bytes(self._buffer[:at])
            del self._buffer[: at + size]
            data = bytes(self._buffer)
            self._mail(part) if self._in_data else self._command(part)

    def _mail(self, mail: bytes) -> None:
        self._in_data = False
        found = _ID.search(mail[:65_536])
        Mailbox.taken += 1
        self.ids.add(found[1] if found else b"")
        self._transport.write(b"250 2.0.0 taken\r\n")

    def _command(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"EHLO":
            self._transport.write(
                b"250-bench\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n"
            )
        elif verb == b"DATA":
            self._in_data = True
            self._transport.write(b"354 go on\r\n")
        elif verb == b"QUIT":
            self._transport.write(b"221 2.0.0 bye\r\n")
            self._transport.close()
        else:
            self._transport.write(b"250 2.1.0 ok\r\n")


async def counts(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One line: mails, different ids."""
    writer.write(b"%d %d\n" % (Mailbox.taken, len(Mailbox.ids)))
    await writer.drain()
    writer.close()


async def serve() -> None:
    mails = await asyncio.get_running_loop().create_server(Mailbox, "127.0.0.1", 0)
    asked = await asyncio.start_server(counts, "127.0.0.1", 0)
    # The parent reads one number: the port of the counts, which is followed by that of the mails on the next line.
    print(asked.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    print(mails.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await mails.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
