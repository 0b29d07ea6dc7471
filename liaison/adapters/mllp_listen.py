"""HL7 v2 over MLLP, as a server: one message outstanding a connection, answered once the hub has it (hl7v2-fr §9).

MLLP (HL7 v2.5 Implementation Guide, Appendix C; IHE ITI TF-2 App. C): the answer comes on the same connection, in
order, after the message is durable. Nothing here looks into a message: bytes in, the hub's reply out.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import secrets
import socket
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal, cast

import msgspec
import structlog
from msgspec.structs import replace

from liaison.adapters.budget import ByteBudget
from liaison.adapters.endpoint import parse_endpoint
from liaison.adapters.tls import server_context
from liaison.finding import Finding, Severity
from liaison.hl7.acknowledgement import AckError, build_ack
from liaison.hl7.framing import Event, Frame, FrameDecoder, FrameError, Noise, encode_frame
from liaison.hub.contracts import Answer, Receive, Sender

log = structlog.get_logger()

#: Frames of one connection that wait for the one before them; then its socket is not read.
MAX_PIPELINED = 64

#: Bytes a second that a large message may take to arrive, on top of ``frame_timeout``.
SLOWEST_RATE = 64 * 1024

TLS_HANDSHAKE_SECONDS = 10.0

#: Why an address cannot be listened on, by errno.
BIND_FAULTS = {
    errno.EADDRINUSE: "un autre programme y écoute déjà",
    errno.EADDRNOTAVAIL: "cette adresse n'est pas celle de la machine",
    errno.EACCES: "droits insuffisants pour ce port",
}


class MllpListenSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a ``kind = "mllp"`` source."""

    #: Address and port to listen on; port 0 takes a free one.
    listen: str
    #: ``auto``: TLS as soon as ``certificate`` is set, plain text on loopback only. ``none``: plain text, over a VPN;
    #: then ``allow`` is needed, and the hub keeps a standing warning.
    tls: Literal["auto", "none"] = "auto"
    #: PEM file of the certificate shown to peers.
    certificate: str = ""
    #: PEM file of its private key; empty when ``certificate`` holds it.
    key: str = ""
    #: PEM file of the authorities that issue the peers' certificates; when set, a peer must show one.
    client_ca: str = ""
    #: Networks (CIDR) whose peers are heard; empty: any peer that reaches the port.
    allow: tuple[str, ...] = ()
    #: Largest message, in bytes.
    max_message: int = 50_000_000
    #: Bytes outside frames that one connection may send before it is closed.
    max_noise: int = 65_536
    #: Seconds for a message to arrive whole once it began (large ones get more, at 64 kB a second).
    frame_timeout: float = 60.0
    #: Connections open at once.
    max_connections: int = 500
    #: Seconds after which an idle connection is closed; 0: never (peers keep connections open).
    max_age: float = 0.0
    #: Seconds that messages already taken have to be answered when the hub stops.
    drain: float = 10.0

    def __post_init__(self) -> None:
        endpoint = parse_endpoint(self.listen, "listen", any_port=True)
        for network in networks(self.allow):
            if network.prefixlen == 0:
                raise ValueError("allow : un réseau qui contient toutes les adresses n'est pas une liste d'autorisation")
        if self.tls == "none" and self.certificate:
            raise ValueError('tls : "none" et certificate se contredisent ; retirer l\'un des deux')
        if (self.key or self.client_ca) and not self.certificate:
            raise ValueError("certificate : nécessaire avec key ou client_ca")
        if not self.certificate and not endpoint.is_loopback:
            if self.tls != "none":
                raise ValueError(
                    "certificate : nécessaire hors de la machine ; "
                    'pour du MLLP en clair dans un VPN, écrire tls = "none" et allow = ["<réseau du pair>"]'
                )
            if not self.allow:
                raise ValueError('allow : nécessaire avec tls = "none" hors de la machine, par exemple ["10.1.0.0/16"]')
        for field in ("max_message", "max_noise", "frame_timeout", "max_connections"):
            if getattr(self, field) <= 0:
                raise ValueError(f"{field} : doit être positif")
        for field in ("max_age", "drain"):
            if getattr(self, field) < 0:
                raise ValueError(f"{field} : ne peut pas être négatif")

    def warnings(self) -> tuple[str, ...]:
        """What an operator must keep seeing, in French."""
        if self.certificate or parse_endpoint(self.listen, "listen", any_port=True).is_loopback:
            return ()
        return (f"les messages reçus sur {self.listen} circulent en clair : seul le VPN les protège",)


def networks(allow: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """Read CIDRs. Raises ValueError, in French."""
    try:
        return tuple(ipaddress.ip_network(entry) for entry in allow)
    except ValueError as error:
        raise ValueError("allow : attendu des réseaux comme 10.1.0.0/16 (bits d'hôte à zéro)") from error


class MllpListener:
    """A listening MLLP source.

    ``run`` raises OSError when the address cannot be taken and ValueError when a TLS file cannot be used.
    """

    def __init__(self, name: str, settings: MllpListenSettings, budget: ByteBudget) -> None:
        self.name = name
        self.settings = settings
        self.budget = budget
        #: Set once peers can connect; ``address`` then holds what the system gave.
        self.listening = asyncio.Event()
        self.address: tuple[str, int] | None = None
        self.connections: set[_Connection] = set()
        self.allowed = networks(settings.allow)
        #: Set while no peer is connected and no message is with the hub.
        self.idle = asyncio.Event()
        self.idle.set()

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
                lambda: _Connection(self, receive),
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

    def add(self, connection: _Connection) -> None:
        self.connections.add(connection)
        self.idle.clear()

    def discard(self, connection: _Connection) -> None:
        self.connections.discard(connection)
        if not self.connections:
            self.idle.set()


class _Connection(asyncio.Protocol):
    """One peer: frames in order, one of them with the hub at a time."""

    def __init__(self, listener: MllpListener, receive: Receive) -> None:
        settings = listener.settings
        self._listener = listener
        self._budget = listener.budget
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._decoder = FrameDecoder(max_message=settings.max_message, max_noise=settings.max_noise)
        #: What waits for its answer: whole messages, and those refused unread, in the order in which they came.
        self._frames: deque[Frame | FrameError] = deque()
        #: Bytes counted in the budget for what the decoder holds.
        self._partial = 0
        self._noise = 0
        self._frame_since = 0.0
        self._paused_at: float | None = None
        #: Whether the budget, not the queue of frames, stopped the reading.
        self._in_line = False
        self._write_blocked_at: float | None = None
        self._wake: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._answering = False
        self._ending = False
        self._served = False
        self._answered = 0
        self._opened_at = self._loop.time()
        self._sender = Sender(source=listener.name)

    # -- budget.Reader ---------------------------------------------------------------------------------------------

    @property
    def unfinished(self) -> bool:
        return self._decoder.pending

    def resume(self) -> None:
        self._in_line = False
        if self._paused_at is not None and self._transport is not None:
            self._frame_since += self._loop.time() - self._paused_at
            self._paused_at = None
            self._transport.resume_reading()

    # -- asyncio.Protocol ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        host, port, *_ = transport.get_extra_info("peername") or ("", 0)
        peer = f"{host}:{port}"
        self._sender = Sender(source=self._listener.name, peer=peer)
        listener = self._listener
        refusal = ""
        if not host:
            refusal = "peer already gone"
        elif not listener.listening.is_set():
            refusal = "stopping"
        elif listener.allowed and not any(ipaddress.ip_address(host) in network for network in listener.allowed):
            refusal = "peer not in allow"
        elif len(listener.connections) >= listener.settings.max_connections:
            refusal = "max_connections reached"
        if refusal:
            log.warning("mllp.connection_refused", source=listener.name, peer=peer, reason=refusal)
            self._ending = True
            self._transport.abort()
            return
        tcp = transport.get_extra_info("socket")
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.add(self)
        log.info("mllp.connection_opened", source=listener.name, peer=peer)
        self._task = self._loop.create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        decoder = self._decoder
        pending = decoder.pending
        events = decoder.feed(data)
        if not self._sort(events):
            self._close("mllp.too_noisy")
            return
        if decoder.pending and (events or not pending):
            self._frame_since = self._loop.time()
        if self._frames:
            self._wake_up()
        self._hold_if_needed()

    def eof_received(self) -> bool:
        if not self._ending:
            self._sort(self._decoder.end())
        self._ending = True
        self._wake_up()
        return self._transport is not None and self._transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._task is None:
            return
        if not self._ending:
            self._sort(self._decoder.end())
        self._ending = True
        self._transport = None
        self._budget.forget(self)
        self._drop_untaken()
        self.resume_writing()
        self._wake_up()
        log.info("mllp.connection_closed", source=self._listener.name, peer=self._sender.peer, answered=self._answered)
        if self._served:
            self._listener.discard(self)

    def pause_writing(self) -> None:
        self._write_blocked_at = self._loop.time()

    def resume_writing(self) -> None:
        self._write_blocked_at = None
        self._wake_up()

    # -- the connection's one worker -------------------------------------------------------------------------------

    async def _serve(self) -> None:
        """Hand over frame after frame; each is answered before the next is handed over."""
        try:
            while True:
                while not self._frames or self._write_blocked_at is not None:
                    if self._ending and not self._frames:
                        return
                    self._wake = self._loop.create_future()
                    await self._wake
                frame = self._frames.popleft()
                if isinstance(frame, Frame):
                    answer = await self._take(frame.payload)
                    reply = answer.reply if answer is not None else b""
                else:
                    await self._keep(frame)
                    if frame.rule != "mllp.oversize":
                        continue
                    reply = _refusal(frame)
                if not reply:
                    self.drain()
                elif self._transport is not None:
                    self._transport.write(encode_frame(reply))
                    self._answered += 1
                    if self._paused_at is not None:
                        self._read_on()
        finally:
            self._ending = True
            self._served = True
            self._drop_untaken()
            if self._transport is not None:
                self._transport.close()
            else:
                self._listener.discard(self)

    async def _take(self, frame: bytes) -> Answer | None:
        """The hub's answer; None when it has none to give: the peer gets silence, and sends again."""
        self._budget.begin(self)
        self._answering = True
        try:
            return await self._receive(frame, self._sender)
        except Exception as error:  # noqa: BLE001 - whatever it is, the peer is not answered
            log.error("mllp.receive_failed", source=self._listener.name, peer=self._sender.peer, error=type(error).__qualname__)
            return None
        finally:
            self._answering = False
            self._budget.end(len(frame))

    async def _keep(self, error: FrameError) -> None:
        """Give the hub what came of a message that was given up, to be kept; what it answers is for nobody."""
        fault = Finding(
            severity=Severity.FATAL, where="MLLP", rule=error.rule, message=error.message, remedy=error.remedy, condition="207"
        )
        try:
            await self._receive(error.head, replace(self._sender, fault=fault))
        except Exception as failure:  # noqa: BLE001 - nobody waits for it
            log.error("mllp.not_kept", source=self._listener.name, peer=self._sender.peer, error=type(failure).__qualname__)

    # -- limits ----------------------------------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """Close this connection if it has kept the hub waiting for too long."""
        settings = self._listener.settings
        if self._write_blocked_at is not None and now - self._write_blocked_at > settings.frame_timeout:
            self._close("mllp.answers_not_read")
            self.abort()
        elif self._ending:
            return
        elif self._decoder.pending and self._paused_at is None:
            if now - self._frame_since > settings.frame_timeout + self._partial / SLOWEST_RATE:
                self._tell("mllp.frame_unfinished", bytes=self._partial)
                self._sort(self._decoder.end())
                self._end_after_taken()
        elif settings.max_age and now - self._opened_at > settings.max_age and not self._frames and not self._answering:
            self._close("mllp.connection_aged")

    def drain(self) -> None:
        """Take no more; close once what was taken is answered."""
        self._drop_untaken()
        self._end_after_taken()

    def _end_after_taken(self) -> None:
        self._ending = True
        self._budget.forget(self)
        self._wake_up()

    def abort(self) -> asyncio.Task[None] | None:
        """Close now. The hub settles by itself what it was given. Returns the worker, to be waited for."""
        if self._task is not None:
            self._task.cancel()
        if self._transport is not None:
            self._transport.abort()
        return self._task

    def _hold_if_needed(self) -> None:
        if self._paused_at is not None or self._transport is None:
            return
        self._in_line = self._budget.must_pause(self)
        if self._in_line or len(self._frames) >= MAX_PIPELINED:
            self._paused_at = self._loop.time()
            self._transport.pause_reading()

    def _read_on(self) -> None:
        """After an answer: read again, unless the budget still says no."""
        if self._in_line or len(self._frames) >= MAX_PIPELINED // 2:
            return
        self._in_line = self._budget.must_pause(self)
        if not self._in_line:
            self.resume()

    def _sort(self, events: Iterable[Event]) -> bool:
        """Put what the decoder found where it belongs, and count the bytes. False: the peer sends too much noise."""
        taken = 0
        quiet = True
        for event in events:
            match event:
                case Frame():
                    taken += len(event.payload)
                    self._frames.append(event)
                case Noise():
                    if not self._noise:
                        self._tell("mllp.noise", looks_like_hl7=event.looks_like_hl7)
                    self._noise += event.count
                case FrameError():
                    self._tell(event.rule, bytes=event.size)
                    if event.head:
                        self._frames.append(event)
                    quiet = quiet and event.rule != "mllp.noise"
        held = self._decoder.held
        self._budget.acquire(held - self._partial + taken)
        self._partial = held
        return quiet and self._noise <= self._listener.settings.max_noise

    def _close(self, event: str) -> None:
        self._tell(event, bytes=self._partial)
        self.drain()

    def _tell(self, event: str, **details: object) -> None:
        log.warning(event, source=self._listener.name, peer=self._sender.peer, **details)

    def _drop_untaken(self) -> None:
        """Forget what the hub was not given: it was never answered, so the peer will send it again."""
        dropped = self._partial + sum(len(frame.payload) for frame in self._frames if isinstance(frame, Frame))
        self._frames.clear()
        self._partial = 0
        if dropped:
            self._budget.release(dropped)

    def _wake_up(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


def _refusal(error: FrameError) -> bytes:
    """AE, not to be sent again as it is: the reply to a message too large to be read (hl7v2-fr §6)."""
    return build_ack(
        None,
        "AE",
        error.message,
        (AckError(text=error.message, remedy=error.remedy),),
        control_id=secrets.token_hex(10),
        now=datetime.now(UTC),
        raw=error.head,
    )
