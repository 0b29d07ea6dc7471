"""An SMTP server whose behaviour a test decides, and which keeps every mail that it accepted."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Callable

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Mailbox:
    """Answers as scripted; by default accepts all. ``DROP`` as an answer cuts the connection instead."""

    DROP = "drop"

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        #: Answers to the next RCPTs and to the next mails' contents; then 250.
        self.to_recipients: list[str] = []
        self.to_contents: list[str] = []
        #: How many peers connected.
        self.connections = 0
        self.logins: list[tuple[bytes, bytes]] = []
        self._changed = asyncio.Condition()
        self._servers: list[SMTP] = []

    async def wait_for(self, count: int) -> list[Envelope]:
        """The mails, once there are at least ``count``."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.mails) >= count)
            return list(self.mails)

    # -- aiosmtpd's hooks ------------------------------------------------------------------------------------------

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        answer = self.to_recipients.pop(0) if self.to_recipients else "250 2.1.5 Ok"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.to_contents.pop(0) if self.to_contents else f"250 2.0.0 Ok: queued as Q{len(self.mails) + 1}"
        if answer == self.DROP:
            _cut(server)
            return "250 never seen"
        if answer.startswith("250"):
            async with self._changed:
                self.mails.append(envelope)
                self._changed.notify_all()
        return answer

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"correct", handled=False)

    @contextlib.asynccontextmanager
    async def serve(
        self,
        *,
        starttls: ssl.SSLContext | None = None,
        implicit: ssl.SSLContext | None = None,
        login: bool = False,
        size_limit: int = 33_554_432,
    ) -> AsyncGenerator[int]:
        """Listen on a free port of loopback; gives the port."""

        def connected() -> SMTP:
            self.connections += 1
            server = SMTP(
                self,
                data_size_limit=size_limit,
                tls_context=starttls,
                require_starttls=starttls is not None,
                authenticator=self._authenticator() if login else None,
                auth_required=login,
                hostname="mta.mssante.test",
                loop=asyncio.get_running_loop(),
            )
            self._servers.append(server)
            return server

        listener = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0, ssl=implicit)
        try:
            yield listener.sockets[0].getsockname()[1]
        finally:
            listener.close()
            self.disconnect_all()

    def disconnect_all(self) -> None:
        """Cut every connection, as a server that restarts does."""
        for server in self._servers:
            _cut(server)
        self._servers.clear()

    def _authenticator(self) -> Callable[[SMTP, Session, Envelope, str, object], AuthResult]:
        return self.authenticate


def _cut(server: SMTP) -> None:
    if isinstance(server.transport, asyncio.WriteTransport):
        server.transport.abort()
