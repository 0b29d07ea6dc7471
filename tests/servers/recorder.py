"""A coordination platform that remembers every event it was posted, in the order in which it came."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any

from aiohttp import web


class Recorder:
    """Answers 204, or what a test tells it to; keeps the bytes."""

    def __init__(self) -> None:
        #: Idempotency-Key and body of each post.
        self.posts: list[tuple[str, bytes]] = []
        #: Answered to every post instead of 204, until a test sets it back.
        self.status = 204
        self._runner: web.AppRunner | None = None

    @property
    def events(self) -> list[dict[str, Any]]:
        """The bodies, as CloudEvents."""
        return [json.loads(body) for _, body in self.posts]

    @property
    def ids(self) -> set[str]:
        return {key for key, _ in self.posts}

    @property
    def quiet(self) -> bool:
        """Whether nobody is connected: all that was sent before has been taken."""
        return self._runner is None or self._runner.server is None or not self._runner.server.connections

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncGenerator[str]:
        """Listen on a free port of loopback; gives the URL."""
        application = web.Application()
        application.router.add_post("/events", self._take)
        self._runner = runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            port: int = runner.addresses[0][1]
            yield f"http://127.0.0.1:{port}/events"
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.status == 204:
            self.posts.append((request.headers.get("Idempotency-Key", ""), body))
        return web.Response(status=self.status)
