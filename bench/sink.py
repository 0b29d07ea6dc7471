"""Two destinations that cost the machine little: an HTTP server that counts the ids it was posted and answers 204.

``POST /<destination>`` counts its Idempotency-Key; ``GET /counts`` answers posts and different ids by destination, as JSON;
``GET /<destination>`` the different ids, one a line.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from typing import ClassVar, cast

import uvloop

DONE = b"HTTP/1.1 204 No Content\r\n\r\n"


class Sink(asyncio.Protocol):
    """One connection, kept alive; requests may come in pieces."""

    posts: ClassVar[Counter[str]] = Counter()
    ids: ClassVar[defaultdict[str, set[bytes]]] = defaultdict(set)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is not one by class

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(buffer[:end])
            size = int(field(head, b"\r\ncontent-length:") or b"0")
            if len(buffer) < end + 4 + size:
                return
            del buffer[: end + 4 + size]
            method, path, _ = head.split(b" ", 2)
            self._answer(method, path[1:].decode(), field(head, b"\r\nidempotency-key:"))

    def _answer(self, method: bytes, destination: str, key: bytes) -> None:
        if method == b"POST":
            self.posts[destination] += 1
            self.ids[destination].add(key)
            self._transport.write(DONE)
            return
        if destination == "counts":
            body = json.dumps({name: {"posts": self.posts[name], "ids": len(ids)} for name, ids in self.ids.items()}).encode()
        else:
            body = b"\n".join(self.ids[destination])
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def field(head: bytes, name: bytes) -> bytes:
    """The value of a header field; ``name`` in lower case."""
    at = head.lower().find(name)
    if at < 0:
        return b""
    end = head.find(b"\r\n", at + 2)
    return head[at + len(name) : end if end >= 0 else None].strip()


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the parent reads it
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
