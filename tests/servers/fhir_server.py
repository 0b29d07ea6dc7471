"""A FHIR server with what R4 §3.1.0 says of conditional create and conditional update, for CommunicationRequest only."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any

from aiohttp import web


class FhirPlatform:
    """Keeps resources by their number; ``requests`` tells what was asked, in order."""

    def __init__(self) -> None:
        self.resources: dict[str, dict[str, Any]] = {}
        #: Method, path with query, headers of each request.
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        #: Answered instead, until a test sets it back to 0.
        self.status = 0
        #: Whether an answer is lost on its way: the connection ends after the resource was kept.
        self.drops_answers = False

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncGenerator[str]:
        """Listen on a free port of loopback; gives the base URL."""
        application = web.Application()
        application.router.add_post("/fhir/CommunicationRequest", self._create)
        application.router.add_put("/fhir/CommunicationRequest", self._update)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/fhir"
        finally:
            await runner.cleanup()

    def named(self, identifier: str) -> list[str]:
        """Numbers of the resources that carry ``system|value``."""
        system, _, value = identifier.partition("|")
        wanted = {"system": system, "value": value}
        return [number for number, one in self.resources.items() if wanted in one["identifier"]]

    async def _create(self, request: web.Request) -> web.Response:
        body = await self._noted(request)
        condition = request.headers.get("If-None-Exist", "")
        if self.status:
            return web.Response(status=self.status)
        found = self.named(condition.removeprefix("identifier=")) if condition else []
        if len(found) > 1:
            return web.Response(status=412)
        if not found:
            self.resources[str(len(self.resources) + 1)] = body
        return self._answered(request, 200 if found else 201)

    async def _update(self, request: web.Request) -> web.Response:
        body = await self._noted(request)
        if self.status:
            return web.Response(status=self.status)
        found = self.named(request.query["identifier"])
        if len(found) > 1:
            return web.Response(status=412)
        self.resources[found[0] if found else str(len(self.resources) + 1)] = body
        return self._answered(request, 200 if found else 201)

    async def _noted(self, request: web.Request) -> dict[str, Any]:
        self.requests.append((request.method, request.path_qs, {**request.headers}))
        body: dict[str, Any] = json.loads(await request.read())
        return body

    def _answered(self, request: web.Request, status: int) -> web.Response:
        if self.drops_answers and request.transport is not None:
            request.transport.close()
        return web.Response(status=status)
