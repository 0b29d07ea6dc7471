"""The general practitioners' mailbox server of the demonstration: an SMTP server on loopback that keeps mails for the page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from aiosmtpd.smtp import SMTP, Envelope, Session

from liaison.demo.mail import MailView, read_mail

MAX_MAIL = 30 * 1024 * 1024


class _Handler:
    def __init__(self, deliver: Callable[[MailView], object]) -> None:
        self._deliver = deliver

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # the name that aiosmtpd calls
        content = envelope.content
        raw = content if isinstance(content, bytes) else (content or "").encode()
        recipients = tuple(str(address) for address in envelope.rcpt_tos)
        mail = await asyncio.to_thread(read_mail, raw, recipients, datetime.now(UTC))
        self._deliver(mail)
        return "250 2.0.0 Courriel remis"


@asynccontextmanager
async def mailbox(deliver: Callable[[MailView], object], host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[int]:
    """Serve until the context ends; yields the port. ``deliver`` gets each mail once it is whole."""
    loop = asyncio.get_running_loop()
    handler = _Handler(deliver)

    def session() -> SMTP:
        return SMTP(handler, hostname="demo.mssante.invalid", data_size_limit=MAX_MAIL, enable_SMTPUTF8=True, loop=loop)

    server = await loop.create_server(session, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
