"""Submission of finished mails to an MSSanté operator's server (mssante §2, §3.1): one mail, one recipient, one attempt.

The mail's bytes are sent as they are. What the server says is told by its codes (RFC 5321 §4.2, RFC 3463), never by its
text, which may repeat an address; and a patient's address is made of the INS.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from typing import Literal

import aiosmtplib
import msgspec
import structlog

from liaison.adapters.endpoint import connection_fault, parse_endpoint
from liaison.adapters.tls import client_context
from liaison.hub.contracts import Attempt, Delivered, Parcel, Refused, Unavailable, Uncertain

log = structlog.get_logger()

#: Seconds after which a connection is not used for another mail, and mails that one connection carries.
CONNECTION_LIFETIME = 240.0
MAILS_PER_CONNECTION = 100

#: Bytes of a mail in which its header is looked for.
MAX_HEADER = 64 * 1024

#: What an enhanced status code says (RFC 3463 §3), by the most precise prefix; in words for the hospital.
MEANINGS = {
    "1.1": "l'adresse n'existe pas",
    "1.2": "le domaine de l'adresse n'existe pas",
    "1.3": "l'adresse est mal formée",
    "1.6": "la boîte a déménagé",
    "1.8": "l'adresse d'expédition n'est pas reconnue",
    "1": "l'adresse n'est pas acceptée",
    "2.1": "la boîte est fermée",
    "2.2": "la boîte est pleine",
    "2.3": "le message est trop gros pour la boîte",
    "2": "la boîte n'accepte pas le message",
    "3.4": "le message est trop gros pour le serveur",
    "3": "le serveur n'accepte pas le message",
    "4": "le serveur n'a pu acheminer le message",
    "5": "le serveur n'a pas compris l'échange",
    "6": "le contenu du message n'est pas accepté",
    "7.0": "l'accès est refusé ou l'authentification demandée",
    "7.1": "l'envoi n'est pas autorisé",
    "7.8": "l'identifiant ou le mot de passe est refusé",
    "7": "la politique de sécurité du serveur refuse le message",
}

_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")
_MENTION = re.compile(r"\S*@\S*")


class SmtpSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a ``kind = "smtp"`` destination."""

    #: ``host:port`` of the operator's submission server.
    server: str
    #: The hub's own mailbox: MAIL FROM, equal to the mail's From.
    sender: str
    #: ``starttls`` (port 587), ``implicit`` (port 465), or ``none`` on loopback only.
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    #: Login name; empty: the server knows the hub by its certificate or address.
    username: str = ""
    #: Password, by reference.
    password: str = ""
    #: PEM file of the authorities that issued the server's certificate (IGC-Santé); empty: the system's.
    ca: str = ""
    #: PEM file of the hub's own certificate, when the operator asks for one.
    certificate: str = ""
    #: PEM file of its private key; empty when ``certificate`` holds it.
    key: str = ""
    #: Seconds for one whole attempt.
    timeout: float = 120.0
    #: Connections at once.
    connections: int = 2

    def __post_init__(self) -> None:
        endpoint = parse_endpoint(self.server, "server")
        if not _ADDRESS.fullmatch(self.sender):
            raise ValueError("sender : attendu une adresse de messagerie, par exemple liaison@na.mssante.fr")
        if self.tls == "none" and not endpoint.is_loopback:
            raise ValueError('tls : "none" n\'est permis que vers la machine elle-même ; écrire "starttls" ou "implicit"')
        if self.tls == "none" and (self.ca or self.certificate or self.key):
            raise ValueError('tls : "none" et ca, certificate ou key se contredisent')
        if bool(self.username) != bool(self.password):
            raise ValueError("username, password : l'un ne va pas sans l'autre")
        if self.key and not self.certificate:
            raise ValueError("certificate : nécessaire avec key")
        if self.timeout <= 0 or self.connections <= 0:
            raise ValueError("timeout, connections : doivent être positifs")


class _Session:
    """One connection to the server, ready for a mail."""

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self.client = client
        self._opened_at = time.monotonic()
        self._mails = 0

    def worn(self) -> bool:
        return (
            not self.client.is_connected
            or self._mails >= MAILS_PER_CONNECTION
            or time.monotonic() - self._opened_at > CONNECTION_LIFETIME
        )

    def begin_mail(self) -> None:
        self._mails += 1


class SmtpSubmission:
    """An MSSanté operator's submission server. A parcel is a mail, finished; ``recipient`` its one addressee."""

    def __init__(self, name: str, settings: SmtpSettings) -> None:
        self.name = name
        self.settings = settings
        self._endpoint = parse_endpoint(settings.server, "server")
        self._tls = (
            None if settings.tls == "none" else client_context(ca=settings.ca, certificate=settings.certificate, key=settings.key)
        )
        self._slots = asyncio.Semaphore(settings.connections)
        self._free: list[_Session] = []

    def __repr__(self) -> str:
        return f"<SmtpSubmission {self.name} {self.settings.server}>"

    async def deliver(self, parcel: Parcel) -> Attempt:
        """One attempt. ``Delivered`` says that the server took charge (``accepted``): DSN and MDN tell the rest."""
        sender = parcel.options.get("sender") or self.settings.sender
        fault = _fault(parcel, sender)
        if fault is not None:
            return fault
        mail = _Mail(parcel, sender)
        try:
            async with asyncio.timeout(self.settings.timeout), self._session() as session:
                session.begin_mail()
                return await mail.submit(session.client)
        except aiosmtplib.SMTPResponseException as error:
            if mail.content_sent and not _is_negative(error.code):
                return Uncertain(reason=f"{self._endpoint} a répondu au message par un code qui ne veut rien dire")
            return self._judge(error)
        except (aiosmtplib.SMTPException, OSError) as error:
            if mail.content_sent:
                return Uncertain(reason=f"connexion à {self._endpoint} perdue avant la réponse au message")
            return Unavailable(reason=self._connection_fault(error))

    async def probe(self) -> None:
        """Connect, negotiate TLS, log in; no mail."""
        try:
            async with asyncio.timeout(self.settings.timeout), self._session():
                pass
        except aiosmtplib.SMTPResponseException as error:
            raise ConnectionError(f"{self._endpoint} : {_meaning(error.code, error.message)} ({error.code})") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise ConnectionError(self._connection_fault(error)) from error

    async def close(self) -> None:
        free, self._free = self._free, []
        for session in free:
            with suppress(aiosmtplib.SMTPException, OSError):
                await session.client.quit(timeout=2.0)
            session.client.close()

    @asynccontextmanager
    async def _session(self) -> AsyncGenerator[_Session]:
        """A connection of the pool, given back only when the block ends well or by an answer of the server."""
        async with self._slots:
            session = await self._reuse() or await self._open()
            try:
                yield session
            except aiosmtplib.SMTPResponseException as error:
                if error.code == 421 or not _is_negative(error.code):
                    session.client.close()
                raise
            except BaseException:
                session.client.close()
                raise
            finally:
                if session.worn():
                    session.client.close()
                else:
                    self._free.append(session)

    async def _reuse(self) -> _Session | None:
        """A free connection that still answers; RSET also forgets what was left of the mail before."""
        while self._free:
            session = self._free.pop()
            if not session.worn():
                try:
                    await session.client.rset(timeout=5.0)
                    return session
                except (aiosmtplib.SMTPException, OSError):
                    pass
            session.client.close()
        return None

    async def _open(self) -> _Session:
        settings = self.settings
        client = aiosmtplib.SMTP(
            hostname=self._endpoint.host,
            port=self._endpoint.port,
            local_hostname=settings.sender.rpartition("@")[2],
            timeout=settings.timeout,
            use_tls=settings.tls == "implicit",
            start_tls=False,
            tls_context=self._tls,
        )
        try:
            await client.connect()
            await client.ehlo()
            if settings.tls == "starttls":
                if not client.supports_extension("starttls"):
                    raise aiosmtplib.SMTPNotSupported("STARTTLS")
                await client.starttls()
                await client.ehlo()
            if settings.username:
                await client.login(settings.username, settings.password)
        except BaseException:
            client.close()
            raise
        log.info("smtp.connected", destination=self.name, server=settings.server)
        return _Session(client)

    def _connection_fault(self, error: BaseException) -> str:
        if isinstance(error, aiosmtplib.SMTPNotSupported):
            return f"{self._endpoint} ne propose pas STARTTLS ; vérifier tls et le port"
        return connection_fault(error, str(self._endpoint))

    def _judge(self, error: aiosmtplib.SMTPResponseException) -> Attempt:
        """What a negative reply says of the mail (RFC 5321 §4.2.1): 4 try again, 5 never."""
        meaning = _meaning(error.code, error.message)
        enhanced = _enhanced(error.message)
        code = f"{error.code} {enhanced}".strip()
        about_mail = isinstance(
            error, aiosmtplib.SMTPSenderRefused | aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError
        ) and not enhanced.startswith("5.7.8")
        if about_mail and 500 <= error.code < 600:
            return Refused(code=code, reason=meaning)
        return Unavailable(reason=f"{self._endpoint} a répondu {code} : {meaning}")


class _Mail:
    """One mail on its way through one connection."""

    def __init__(self, parcel: Parcel, sender: str) -> None:
        self._parcel = parcel
        self._sender = sender
        #: From here on the server may have taken the mail.
        self.content_sent = False

    async def submit(self, client: aiosmtplib.SMTP) -> Attempt:
        """MAIL, RCPT, DATA. Raises aiosmtplib's exceptions."""
        body, recipient = self._parcel.body, self._parcel.recipient
        limit = client.esmtp_extensions.get("size", "")
        if limit.isdigit() and 0 < int(limit) < len(body):
            return Refused(code="552 5.3.4", reason=f"le message ({len(body)} octets) dépasse la taille permise ({limit} octets)")
        mail_options: list[str] = [f"SIZE={len(body)}"] if client.supports_extension("size") else []
        recipient_options: list[str] = []
        if not body.isascii():
            if not client.supports_extension("8bitmime"):
                return Refused(code="554 5.6.1", reason="le message est codé sur 8 bits, ce que le serveur n'accepte pas")
            mail_options.append("BODY=8BITMIME")
        if client.supports_extension("dsn"):  # RFC 3461 §4
            mail_options.append("RET=HDRS")
            if len(envid := _xtext(self._parcel.id)) <= 100:
                mail_options.append(f"ENVID={envid}")
            recipient_options += ["NOTIFY=SUCCESS,FAILURE,DELAY", f"ORCPT=rfc822;{_xtext(recipient)}"]
        await client.mail(self._sender, options=mail_options)
        await client.rcpt(recipient, options=recipient_options)
        self.content_sent = True
        reply = await client.data(body)
        return Delivered(reference=_MENTION.sub("…", f"{reply.code} {reply.message}")[:200], receipt="accepted")


def _fault(parcel: Parcel, sender: str) -> Refused | None:
    """What makes a parcel unfit to be sent at all: ours to mend, never the server's."""
    if not _ADDRESS.fullmatch(parcel.recipient):
        return Refused(code="553 5.1.3", reason="l'adresse du destinataire est mal formée")
    if not _ADDRESS.fullmatch(sender):
        return Refused(code="553 5.1.7", reason="l'adresse d'expédition est mal formée")
    header = BytesHeaderParser().parsebytes(parcel.body[:MAX_HEADER])
    authors = [address.lower() for _, address in getaddresses([str(value) for value in header.get_all("From", [])])]
    if authors != [sender.lower()]:
        return Refused(code="550 5.7.1", reason="l'adresse de From n'est pas celle de l'expédition (MAIL FROM)")
    return None


def _is_negative(code: int) -> bool:
    """Whether a reply surely says that the mail was not taken (RFC 5321 §4.2.1); aiosmtplib gives -1 for what is no reply."""
    return 400 <= code < 600


def _xtext(text: str) -> str:
    """RFC 3461 §4: printable US-ASCII but ``+`` and ``=``; the rest as ``+XX``."""
    return "".join(
        character if "!" <= character <= "~" and character not in "+=" else "".join(f"+{byte:02X}" for byte in character.encode())
        for character in text
    )


def _enhanced(message: str) -> str:
    match = _ENHANCED.match(message)
    return match.group(1) if match else ""


def _meaning(code: int, message: str) -> str:
    """The words for a reply, from its enhanced code when it has one."""
    _, _, detail = _enhanced(message).partition(".")
    for key in (detail, detail.partition(".")[0]):
        if key in MEANINGS:
            return MEANINGS[key]
    if code == 552:
        return "le message dépasse la taille permise"
    return "le serveur demande d'attendre" if 400 <= code < 500 else "le serveur refuse le message"
