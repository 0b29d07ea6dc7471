"""HL7 v2 over MLLP, as a server: one message outstanding a connection, answered once the hub has it (hl7v2-fr §9).

MLLP (HL7 v2.5 Implementation Guide, Appendix C; IHE ITI TF-2 App. C): the answer comes on the same connection, in
order, after the message is durable. Nothing here looks into a message: bytes in, the hub's reply out.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from liaison.adapters.allowance import Allowance
from liaison.adapters.budget import ByteBudget
from liaison.adapters.endpoint import parse_endpoint
from liaison.adapters.mllp_connection import KEEP_AGAIN, Connection
from liaison.adapters.mllp_settings import MllpListenSettings, networks
from liaison.adapters.tls import server_context
from liaison.hub.contracts import Receive

log = structlog.get_logger()

TLS_HANDSHAKE_SECONDS = 10.0

#: Bytes of messages that were given up that all connections of a source together may have kept in KEEP_AGAIN seconds.
KEPT = 1_048_576

#: Seconds between two words in the log on a source that has all the connections that it may have.
FULL_AGAIN = 60.0

#: Why an address cannot be listened on, by errno.
BIND_FAULTS = {
    errno.EADDRINUSE: "un autre programme y écoute déjà",
    errno.EADDRNOTAVAIL: "cette adresse n'est pas celle de la machine",
    errno.EACCES: "droits insuffisants pour ce port",
}


class MllpListener:
    """A listening MLLP source.

    ``run`` raises OSError when the address cannot be taken and ValueError when a TLS file cannot be used.
    """

    def __init__(
        self,
        name: str,
        settings: MllpListenSettings,
        budget: ByteBudget,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self.settings = settings
        self.budget = budget
        #: Set once peers can connect; ``address`` then holds what the system gave.
        self.listening = asyncio.Event()
        self.address: tuple[str, int] | None = None
        self.connections: set[Connection] = set()
        self.allowed = networks(settings.allow)
        self.kept = Allowance(KEPT, KEEP_AGAIN)
        #: Connections of which no message was answered yet, oldest first.
        self._silent: dict[Connection, None] = {}
        #: Connections refused, and closed for others, since the log was told.
        self._refused = self._replaced = 0
        self._full_told_at: float | None = None
        #: Set while no peer is connected and no message is with the hub.
        self.idle = asyncio.Event()
        self.idle.set()
        self.now = clock

    @property
    def is_open(self) -> bool:
        """Whether connections are still taken."""
        return self.listening.is_set()

    def __repr__(self) -> str:
        return f"<MllpListener {self.name} {self.settings.listen}, {len(self.connections)} connections>"

    async def run(self, receive: Receive) -> None:
        """Serve until cancelled; then answer what was taken, within ``drain`` seconds, and close."""
        settings = self.settings
        loop = asyncio.get_running_loop()
        endpoint = parse_endpoint(settings.listen, "listen", any_port=True)
        tls = (
            server_context(certificate=settings.certificate, key=settings.key, client_ca=settings.client_ca)
            if settings.certificate
            else None
        )
        try:
            server = await loop.create_server(
                lambda: Connection(self, receive),
                endpoint.host,
                endpoint.port,
                ssl=tls,
                ssl_handshake_timeout=TLS_HANDSHAKE_SECONDS if tls else None,
                backlog=256,
            )
        except OSError as error:
            why = BIND_FAULTS.get(error.errno or 0, "adresse inutilisable")
            raise OSError(error.errno, f"sources.{self.name} : impossible d'écouter sur {settings.listen} : {why}") from error
        host, port, *_ = server.sockets[0].getsockname()
        self.address = (host, port)
        log.info("mllp.listening", source=self.name, address=f"{host}:{port}", tls=tls is not None)
        self.listening.set()
        try:
            await self._sweep()
        finally:
            self.listening.clear()
            server.close()
            await self._drain()
            log.info("mllp.stopped", source=self.name)

    async def _sweep(self) -> None:
        """Close, now and then, what has waited too long."""
        period = min(1.0, self.settings.frame_timeout / 4)
        while True:
            await asyncio.sleep(period)
            now = asyncio.get_running_loop().time()
            for connection in tuple(self.connections):
                connection.check(now)
            self._tell_if_full(now)

    async def _drain(self) -> None:
        for connection in tuple(self.connections):
            connection.drain()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.settings.drain):
                    await self.idle.wait()
        finally:
            if self.connections:
                log.warning("mllp.drain_incomplete", source=self.name, connections=len(self.connections))
            tasks = [task for connection in tuple(self.connections) if (task := connection.abort())]
            if tasks:
                await asyncio.wait(tasks, timeout=1.0)

    @property
    def is_full(self) -> bool:
        """Whether there are as many connections as there may be."""
        return len(self.connections) >= self.settings.max_connections

    def make_room(self) -> bool:
        """Whether one more connection may come: when all are taken, the one that is idle longest is closed for it.

        Those that never sent a message go first: whoever opens connections and leaves them shuts out nobody but itself.
        """
        if not self.is_full:
            return True
        longest = next((one for one in self._silent if one.idle_since is not None), None)
        if longest is None:
            idle = [(since, id(one), one) for one in self.connections if (since := one.idle_since) is not None]
            longest = min(idle)[-1] if idle else None
        if longest is not None:
            self.discard(longest)
            longest.leave("mllp.closed_for_another")
            self._replaced += 1
        else:
            self._refused += 1
        self._tell_if_full(asyncio.get_running_loop().time())
        return longest is not None

    def _tell_if_full(self, now: float) -> None:
        """Say now and then, with counts, that connections are refused or closed for others: never a line for each of thousands."""
        if not (self._refused or self._replaced) or (self._full_told_at is not None and now - self._full_told_at < FULL_AGAIN):
            return
        self._full_told_at = now
        log.warning(
            "mllp.connections_full",
            source=self.name,
            most=self.settings.max_connections,
            refused=self._refused,
            closed_for_others=self._replaced,
        )
        self._refused = self._replaced = 0

    def add(self, connection: Connection) -> None:
        self.connections.add(connection)
        self._silent[connection] = None
        self.idle.clear()

    def heard(self, connection: Connection) -> None:
        """A first message of this connection is answered."""
        self._silent.pop(connection, None)

    def discard(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self._silent.pop(connection, None)
        if not self.connections:
            self.idle.set()
