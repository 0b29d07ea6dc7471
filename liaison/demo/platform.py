"""The coordination platform of the demonstration: it takes CloudEvents over HTTP, each once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

MAX_EVENT = 1024 * 1024
_REMEMBERED = 20_000


class Platform:
    """Takes events, deduplicates them by source and id, and hands each new one on."""

    def __init__(self, take: Callable[[Mapping[str, Any]], object]) -> None:
        self._take = take
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def post(self, request: web.Request) -> web.Response:
        """``POST /events``: 202 for a new event, 200 for one known already, 400 for what is no CloudEvent."""
        try:
            known = msgspec.json.decode(await request.read(), type=dict[str, Any])
        except msgspec.DecodeError:
            return web.json_response({"erreur": "le corps n'est pas un objet JSON"}, status=400)
        if not all(isinstance(known.get(name), str) for name in ("specversion", "id", "source", "type")):
            return web.json_response({"erreur": "specversion, id, source et type sont nécessaires"}, status=400)
        key = (known["source"], known["id"])
        if key in self._known:
            return web.json_response({"connu": True}, status=200)
        self._known[key] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        self._take(known)
        return web.json_response({"connu": False}, status=202)


@asynccontextmanager
async def platform(take: Callable[[Mapping[str, Any]], object], host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[int]:
    """Serve until the context ends; yields the port."""
    application = web.Application(client_max_size=MAX_EVENT)
    application.router.add_post("/events", Platform(take).post)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
