"""HL7 v2 over MLLP, as a client: one message outstanding a connection, and an answer that is surely its own.

An answer belongs to a message when MSA-2 repeats its MSH-10 (HL7 v2.5 §2.9.2). After a timeout, or any answer that
cannot be matched, the connection is closed and never used again: a late answer must not be taken for the next message's.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Iterable
from datetime import UTC, datetime
from typing import Literal, cast

import msgspec
import structlog

from liaison.adapters.certificates import peer_certificate
from liaison.adapters.endpoint import Endpoint, PeerElsewhereError, connection_fault, parse_endpoint
from liaison.adapters.mllp_settings import Network, networks
from liaison.adapters.tls import client_context
from liaison.hl7.acknowledgement import Acknowledgement, read_ack
from liaison.hl7.errors import CONDITIONS, Hl7Error
from liaison.hl7.framing import Frame, FrameDecoder, encode_frame
from liaison.hl7.message import Message
from liaison.hub.contracts import Attempt, Delivered, Parcel, Refused, Unavailable, Uncertain
from liaison.private import Private

log = structlog.get_logger()

#: Largest acknowledgement, in bytes: an ACK with many ERR segments is a few kilobytes.
MAX_ACKNOWLEDGEMENT = 256 * 1024


class MllpSendSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a ``kind = "mllp"`` destination."""

    #: ``host:port`` of the receiver.
    address: str
    #: ``required`` by default; ``none``: plain text, on loopback or inside a VPN: then ``allow`` is needed, and the hub keeps a
    #: standing warning.
    tls: Literal["required", "none"] = "required"
    #: Networks (CIDR) of the VPN in which plain text may be sent: a receiver that turns out to be elsewhere is sent nothing.
    allow: tuple[str, ...] = ()
    #: PEM file of the authorities that issued the receiver's certificate; empty: the system's.
    ca: str = ""
    #: PEM file of the certificate to show, when the receiver asks for one.
    certificate: str = ""
    #: PEM file of its private key; empty when ``certificate`` holds it.
    key: str = ""
    #: Seconds to connect, and seconds to wait for an acknowledgement.
    timeout: float = 30.0
    #: Seconds after which a connection is closed, between two messages, and another opened.
    max_age: float = 86_400.0

    def __post_init__(self) -> None:
        parse_endpoint(self.address, "address")
        if self.tls == "none" and (self.ca or self.certificate or self.key):
            raise ValueError('tls : "none" et ca, certificate ou key se contredisent')
        if self.key and not self.certificate:
            raise ValueError("certificate : nécessaire avec key")
        if any(network.prefixlen == 0 for network in networks(self.allow)):
            raise ValueError("allow : un réseau qui contient toutes les adresses n'est pas une liste d'autorisation")
        if self.tls == "none" and not self.allow and not parse_endpoint(self.address, "address").is_loopback:
            raise ValueError('allow : nécessaire avec tls = "none" hors de la machine, par exemple ["10.1.0.0/16"]')
        for field in ("timeout", "max_age"):
            if getattr(self, field) <= 0:
                raise ValueError(f"{field} : doit être positif")

    def warnings(self) -> tuple[str, ...]:
        """What an operator must keep seeing, in French."""
        if self.tls == "none" and not parse_endpoint(self.address, "address").is_loopback:
            return (f"les messages envoyés à {self.address} circulent en clair : seul le VPN les protège",)
        return ()


class Acknowledged(Private, frozen=True, kw_only=True):
    """What became of one message that ``send_messages`` sent."""

    #: Place of the message in what was given, from 0.
    index: int
    control_id: str
    outcome: Attempt
    #: The acknowledgement as received; empty when there was none.
    reply: bytes = b""


class MllpSender:
    """A receiver of HL7 messages: parcels whose body is one message, framing excluded.

    Connects at the first message, keeps the connection, and sends one message after the other.
    """

    def __init__(self, name: str, settings: MllpSendSettings, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.name = name
        self.settings = settings
        tls = client_context(ca=settings.ca, certificate=settings.certificate, key=settings.key)
        self._line = _Line(
            parse_endpoint(settings.address, "address"),
            timeout=settings.timeout,
            tls=tls if settings.tls == "required" else None,
            allowed=networks(settings.allow),
            max_age=settings.max_age,
            clock=clock,
        )
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<MllpSender {self.name} {self.settings.address}>"

    async def deliver(self, parcel: Parcel) -> Attempt:
        """One attempt, of at most three times ``timeout``: the wait for the line, the connection, the acknowledgement."""
        try:
            async with asyncio.timeout(self.settings.timeout):
                await self._turn.acquire()
        except TimeoutError:
            return Unavailable(reason="la connexion est occupée par d'autres messages")
        try:
            outcome, _ = await self._line.send(parcel.body)
        finally:
            self._turn.release()
        return outcome

    async def probe(self) -> None:
        """Connect (and negotiate TLS); sends nothing."""
        async with self._turn:
            try:
                await self._line.connect()
            except OSError as error:
                raise ConnectionError(connection_fault(error, self.settings.address)) from error

    async def close(self) -> None:
        self._line.close()


async def send_messages(
    host: str, port: int, messages: Iterable[bytes], *, wait: float = 30.0, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Acknowledged]:
    """Send messages one after the other on one connection, and tell what became of each.

    ``wait`` seconds to connect and for each acknowledgement. After an uncertain outcome the next message goes by a
    new connection; whether to go on is the caller's choice.
    """
    line = _Line(Endpoint(host, port), timeout=wait, tls=tls)
    try:
        for index, message in enumerate(messages):
            outcome, reply = await line.send(message)
            yield Acknowledged(index=index, control_id=control_id(message), outcome=outcome, reply=reply)
    finally:
        line.close()


class _Exchange(asyncio.Protocol):
    """One connection. ``spoiled`` once anything came that was not asked for: it must not be used again."""

    def __init__(self) -> None:
        self.spoiled = False
        self._decoder = FrameDecoder(max_message=MAX_ACKNOWLEDGEMENT, max_noise=MAX_ACKNOWLEDGEMENT)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self.spoiled and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self._spoil()
            return
        for event in self._decoder.feed(data):
            if isinstance(event, Frame) and not self._answer.done():
                self._answer.set_result(event.payload)
            else:
                self._spoil()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._spoil()

    async def ask(self, frame: bytes) -> bytes:
        """Send one frame and wait for one. Raises ConnectionError when the connection ends, or speaks no MLLP, before it."""
        if self._transport is None:
            raise ConnectionResetError
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(frame)
        try:
            return await self._answer
        finally:
            self._answer = None

    def close(self) -> None:
        self.spoiled = True
        if self._transport is not None:
            self._transport.abort()

    def _spoil(self) -> None:
        self.spoiled = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())


class _Line:
    """The one connection to a receiver, opened when needed; replaced when spoiled, old, or outlived by the receiver's certificate."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        timeout: float,
        tls: ssl.SSLContext | None,
        allowed: tuple[Network, ...] = (),
        max_age: float | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._endpoint = endpoint
        self._allowed = allowed
        self._timeout = timeout
        self._tls = tls
        self._max_age = max_age
        self._clock = clock
        self._opened_at = 0.0
        #: Until when the certificate that the receiver showed holds.
        self._certified_until: datetime | None = None
        self._exchange: _Exchange | None = None

    async def connect(self) -> _Exchange:
        """The open connection, or a new one. Raises OSError (TimeoutError is one)."""
        if self._exchange is not None and self._exchange.usable and not self._outlived():
            return self._exchange
        self.close()
        async with asyncio.timeout(self._timeout):
            transport, self._exchange = await asyncio.get_running_loop().create_connection(
                _Exchange, self._endpoint.host, self._endpoint.port, ssl=self._tls
            )
        reached = ipaddress.ip_address(transport.get_extra_info("peername")[0])
        if self._allowed and not any(reached in network for network in self._allowed):
            self.close()
            raise PeerElsewhereError
        self._opened_at = asyncio.get_running_loop().time()
        tls = transport.get_extra_info("ssl_object")
        shown: bytes | None = tls.getpeercert(binary_form=True) if tls is not None else None
        self._certified_until = peer_certificate(shown).ends if shown is not None else None
        log.info("mllp.connected", peer=str(self._endpoint))
        return self._exchange

    def _outlived(self) -> bool:
        """Whether a new connection would be another: the receiver's certificate ended since, or this one is old."""
        if self._certified_until is not None and self._clock() >= self._certified_until:
            return True
        return self._max_age is not None and asyncio.get_running_loop().time() - self._opened_at > self._max_age

    async def send(self, message: bytes) -> tuple[Attempt, bytes]:
        """The outcome and the bytes of the acknowledgement, empty when none came."""
        try:
            frame = encode_frame(message)
        except ValueError:
            return Refused(
                code="mllp", reason="le message contient la marque de fin de trame (1C 0D) : il ne peut être envoyé"
            ), b""
        try:
            exchange = await self.connect()
        except OSError as error:
            return Unavailable(reason=connection_fault(error, str(self._endpoint))), b""
        settled = False
        try:
            async with asyncio.timeout(self._timeout):
                reply = await exchange.ask(frame)
            outcome = judge(reply, control_id(message))
            settled = not isinstance(outcome, Uncertain)
            return outcome, reply
        except TimeoutError:
            return Uncertain(reason=f"aucun acquittement de {self._endpoint} en {self._timeout:g} s"), b""
        except ConnectionError:
            return Uncertain(reason=f"connexion à {self._endpoint} coupée avant l'acquittement"), b""
        finally:
            if not settled:
                self.close()

    def close(self) -> None:
        if self._exchange is not None:
            self._exchange.close()
            self._exchange = None


def judge(reply: bytes, expected: str) -> Attempt:
    """What an acknowledgement says of the message whose MSH-10 is ``expected`` (HL7 table 0008; hl7v2-fr §6).

    Reasons are made of codes and places: the peer's own text may name a patient.
    """
    try:
        answer = read_ack(reply)
    except Hl7Error as error:
        return Uncertain(reason=f"la réponse reçue n'est pas un acquittement ({error.rule})")
    if answer.control_id.strip() != expected:
        return Uncertain(reason="l'acquittement reçu répond à un autre message (MSA-2 n'est pas MSH-10)")
    match answer.code:
        case "AA":
            return Delivered(reference=answer.control_id)
        case "CA":
            return Delivered(reference=answer.control_id, receipt="accepted")
        case "AE" | "CE":
            return Refused(code=answer.code, reason=_reason(answer))
        case "AR" | "CR":
            return Unavailable(reason=_reason(answer))
        case _:
            return Uncertain(reason="l'acquittement porte un code inconnu en MSA-1 (HL7, table 0008)")


def _reason(answer: Acknowledgement) -> str:
    """The coded part of an acknowledgement, in words."""
    faults: list[str] = []
    for error in answer.errors[:5]:
        words = CONDITIONS.get(error.condition, "erreur sans code connu")
        faults.append(f"{words} ({error.location})" if _LOCATION.fullmatch(error.location) else words)
    return f"acquittement {answer.code}" + (" : " + " ; ".join(faults) if faults else "")


_LOCATION = re.compile(r"[A-Z][A-Z0-9]{2}(\^[0-9]{0,5}){0,5}")

#: How far into a message its MSH-10 is looked for.
_MAX_HEADER = 8 * 1024


def control_id(message: bytes) -> str:
    """MSH-10; empty when there is none, or no readable MSH."""
    start = max(message.find(b"MSH", 0, _MAX_HEADER), 0)
    header = re.split(rb"[\r\n]", message[start : start + _MAX_HEADER], maxsplit=1)[0]
    try:
        return Message.parse(header).header.value(10).strip()
    except Hl7Error:
        return ""
