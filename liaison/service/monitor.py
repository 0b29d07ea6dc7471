"""The small HTTP listener for monitoring: ``/healthz``, ``/readyz``, ``/metrics``, ``/standing``. It answers questions and takes no orders."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import msgspec
import structlog
from aiohttp import web

from liaison.adapters.endpoint import Endpoint, parse_endpoint
from liaison.adapters.mllp_settings import networks
from liaison.adapters.tls import server_context
from liaison.hub.watch.troubles import COMMIT_LATE, duration
from liaison.service.configuration import MonitorSettings
from liaison.service.metrics import CONTENT_TYPE, HubMetrics
from liaison.service.running import RunningHub, StartError
from liaison.service.watching import Watch

log = structlog.get_logger()

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Monitor:
    """Use as an asynchronous context manager around a hub that runs and is watched."""

    def __init__(self, hub: RunningHub, watch: Watch) -> None:
        self._hub = hub
        self._watch = watch
        self._settings = hub.configuration.monitor
        self._allowed = networks(self._settings.allow)
        self._metrics = HubMetrics(hub, lambda: watch.standing)
        self._runner: web.AppRunner | None = None
        #: Where it listens; None when it does not.
        self.address: Endpoint | None = None

    async def __aenter__(self) -> Self:
        """Raises StartError when the configured address cannot be had; the default one is then done without."""
        settings = self._settings
        if not settings.listen:
            return self
        endpoint = parse_endpoint(settings.listen, "listen", any_port=True)
        application = web.Application(middlewares=[self._guard])
        for path, handler in (
            ("/healthz", self._healthz),
            ("/readyz", self._readyz),
            ("/metrics", self._page),
            ("/standing", self._standing),
        ):
            application.router.add_get(path, handler)
        self._runner = web.AppRunner(application, access_log=None, keepalive_timeout=30.0, shutdown_timeout=1.0)
        await self._runner.setup()
        tls = server_context(certificate=settings.certificate, key=settings.key) if settings.certificate else None
        try:
            await web.TCPSite(self._runner, endpoint.host, endpoint.port, ssl_context=tls).start()
        except OSError as error:
            await self._runner.cleanup()
            self._runner = None
            if settings.listen != MonitorSettings().listen:
                raise StartError(f"la supervision ne peut écouter sur {settings.listen} : {error.strerror}.") from error
            log.warning("monitor.not_listening", address=settings.listen)
            return self
        host, port, *_ = self._runner.addresses[0]
        self.address = Endpoint(host, port)
        log.info("monitor.listening", address=str(self.address), tls=tls is not None)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Who is not in ``allow`` learns nothing, not even what there is to ask."""
        if self._allowed:
            peer = request.transport.get_extra_info("peername") if request.transport is not None else None
            if not peer or not any(ipaddress.ip_address(peer[0]) in network for network in self._allowed):
                raise web.HTTPForbidden(text="")
        response = await handler(request)
        response.headers["Server"] = "Liaison"
        return response

    async def _healthz(self, _request: web.Request) -> web.Response:
        """Whether to leave the process alone: the event loop turns, or this would not be answered, and the writer commits."""
        age = self._hub.journal.writer.meter.age
        if age > COMMIT_LATE:
            return web.Response(status=503, text=f"l'écrivain du journal n'a rien validé depuis {duration(age)}\n")
        return web.Response(text="ok\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        """Whether it does all its work, and if not, which part does not."""
        broken = self._watch.parts().broken
        body = msgspec.json.encode({"ready": not broken, "broken": broken})
        return web.Response(status=503 if broken else 200, body=body, content_type="application/json")

    async def _page(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.page(), headers={"Content-Type": CONTENT_TYPE})

    async def _standing(self, _request: web.Request) -> web.Response:
        standing = msgspec.structs.replace(self._watch.standing, parts=self._watch.parts())
        return web.Response(body=msgspec.json.encode(standing), content_type="application/json")
