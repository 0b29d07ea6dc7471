"""One MLLP connection: frames in order, one of them with the hub at a time, and everything that makes it end (hl7v2-fr §9)."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import socket
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol, cast

import structlog
from msgspec.structs import replace

from liaison.adapters.allowance import Allowance
from liaison.adapters.budget import LARGE, ByteBudget
from liaison.adapters.certificates import PeerCertificate, peer_certificate
from liaison.adapters.mllp_settings import MllpListenSettings, Network
from liaison.finding import Finding, Severity
from liaison.hl7.acknowledgement import AckError, build_ack
from liaison.hl7.framing import HEAD, Event, Frame, FrameDecoder, FrameError, Noise, encode_frame
from liaison.hub.contracts import Answer, Receive, Sender
from liaison.rules.sender import peer_is_known

log = structlog.get_logger()

#: Frames of one connection that wait for the one before them; then its socket is not read.
MAX_PIPELINED = 64

#: Bytes a second that a large message may take to arrive, on top of ``frame_timeout``.
SLOWEST_RATE = 64 * 1024

#: Seconds in which a message must come on at that rate while others wait for the memory that it holds.
PRESSED = 5.0

#: Seconds in which what one connection may have kept of messages that were given up (HEAD bytes) comes back.
KEEP_AGAIN = 60.0

#: A peer's certificate that ends sooner is told at each of its connections.
NOTICE = timedelta(days=60)


class Door(Protocol):
    """What a connection needs of the listener that it came by."""

    name: str
    settings: MllpListenSettings
    budget: ByteBudget
    allowed: tuple[Network, ...]
    #: Bytes of messages that were given up that may be kept, over all connections.
    kept: Allowance

    @property
    def is_open(self) -> bool:
        """Whether it still takes connections."""
        ...

    def now(self) -> datetime:
        """The time, for certificates."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether there are as many connections as there may be."""
        ...

    def make_room(self) -> bool:
        """Whether one more connection may come; an idle one may be closed for it."""
        ...

    def add(self, connection: Connection) -> None: ...

    def heard(self, connection: Connection) -> None:
        """A first message of it is answered."""
        ...

    def discard(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """One peer: frames in order, one of them with the hub at a time."""

    def __init__(self, listener: Door, receive: Receive) -> None:
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
        #: While others wait for memory: when the message in hand was looked at, and how much of it was there.
        self._pace: tuple[float, int] | None = None
        self._kept = Allowance(HEAD, KEEP_AGAIN)
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
        #: Whether the log tells of it: not where connections come and go for others.
        self._told = True
        self._opened_at = self._loop.time()
        #: Since when no message came.
        self._idle_since = self._opened_at
        #: Why it is to be closed at the next message boundary; empty while it may go on.
        self._leaving = ""
        self._certificate: PeerCertificate | None = None
        self._sender = Sender(source=listener.name)

    # -- budget.Reader ---------------------------------------------------------------------------------------------

    @property
    def unfinished(self) -> bool:
        return self._decoder.pending

    @property
    def large(self) -> bool:
        return self._partial >= LARGE

    def resume(self) -> None:
        self._in_line = False
        if self._paused_at is not None and self._transport is not None:
            self._frame_since += self._loop.time() - self._paused_at
            self._paused_at = self._pace = None
            self._transport.resume_reading()

    # -- asyncio.Protocol ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        host, port, *_ = transport.get_extra_info("peername") or ("", 0)
        peer = f"{host}:{port}"
        self._sender = Sender(source=self._listener.name, peer=peer)
        listener = self._listener
        refusal = self._refusal(host)
        if refusal:
            log.warning("mllp.connection_refused", source=listener.name, peer=peer, reason=refusal, **self._certificate_names())
            self._ending = True
            self._transport.abort()
            return
        self._told = not listener.is_full
        if not listener.make_room():
            self._ending = True
            self._transport.abort()
            return
        tcp = transport.get_extra_info("socket")
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.add(self)
        if self._told:
            log.info("mllp.connection_opened", source=listener.name, peer=peer, **self._certificate_names())
        if self._certificate is not None and (left := self._certificate.ends - listener.now()) < NOTICE:
            self._tell("mllp.peer_certificate_ends", days=left.days)
        self._task = self._loop.create_task(self._serve())

    def _refusal(self, host: str) -> str:
        """Why this peer is not heard; empty when it is."""
        listener, settings = self._listener, self._listener.settings
        if not host:
            return "peer already gone"
        if not listener.is_open:
            return "stopping"
        if listener.allowed and not any(ipaddress.ip_address(host) in network for network in listener.allowed):
            return "peer not in allow"
        tls = self._transport.get_extra_info("ssl_object") if self._transport is not None else None
        shown: bytes | None = tls.getpeercert(binary_form=True) if tls is not None else None
        if shown is not None:
            try:
                self._certificate = peer_certificate(shown)
            except ValueError:
                return "certificate not readable"
        if settings.peers and not peer_is_known(settings.peers, self._certificate.certificate if self._certificate else None):
            return "certificate not in peers"
        return ""

    @property
    def idle_since(self) -> float | None:
        """Since when nothing was asked of the hub; None while something is."""
        busy = self._ending or self._decoder.pending or self._frames or self._answering
        return None if busy else self._idle_since

    def _certificate_names(self) -> dict[str, object]:
        """What an operator copies into ``peers``: names of machines and authorities."""
        if self._certificate is None:
            return {}
        shown = self._certificate.certificate
        return {"san": shown.names, "issuer": shown.issuers[0]}

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
        if self._told or self._answered:
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
                    continue
                if self._transport is not None:
                    self._transport.write(encode_frame(reply))
                    if not self._answered:
                        self._listener.heard(self)
                    self._answered += 1
                    self._idle_since = self._loop.time()
                    if self._leaves():
                        self._close(self._leaving)
                    elif self._paused_at is not None:
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
        """Give the hub what came of a message that was given up, to be kept; what it answers is for nobody.

        A peer that does nothing else must not fill the journal: past its allowance, and all peers' together, it is told in the log only.
        """
        now = self._loop.time()
        head = error.head[: self._listener.kept.take(self._kept.take(len(error.head), now), now)]
        if not head:
            self._tell("mllp.not_kept", error="Allowance")
            return
        fault = Finding(
            severity=Severity.FATAL, where="MLLP", rule=error.rule, message=error.message, remedy=error.remedy, condition="207"
        )
        try:
            await self._receive(head, replace(self._sender, fault=fault))
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
            if self._too_slow(now) or now - self._frame_since > settings.frame_timeout + self._partial / SLOWEST_RATE:
                self._tell("mllp.frame_unfinished", bytes=self._partial)
                self._sort(self._decoder.end())
                self._end_after_taken()
        elif self._leaves() and not self._decoder.pending and not self._frames and not self._answering:
            self._close(self._leaving)

    def _too_slow(self, now: float) -> bool:
        """Whether the message in hand comes so slowly, while others wait for the memory that it holds, that it is given up."""
        if not self._budget.pressed:
            self._pace = None
        elif self._pace is None or self._pace[1] > self._partial:
            self._pace = (now, self._partial)
        elif now - self._pace[0] >= PRESSED:
            if self._partial - self._pace[1] < (now - self._pace[0]) * SLOWEST_RATE:
                return True
            self._pace = (now, self._partial)
        return False

    def leave(self, reason: str) -> None:
        """Close this connection, which is idle; ``reason`` is told if it ever said something."""
        self._told = self._answered > 0
        if self._told:
            self._tell(reason)
        self.drain()

    def _leaves(self) -> bool:
        """Whether the connection is to end at the next message boundary: too old, idle for too long, or its certificate has ended."""
        if not self._leaving:
            if self._certificate is not None and self._listener.now() >= self._certificate.ends:
                self._leaving = "mllp.peer_certificate_ended"
            elif self._loop.time() - self._opened_at > self._listener.settings.max_age:
                self._leaving = "mllp.connection_aged"
            elif (idle := self.idle_since) is not None and self._loop.time() - idle > self._listener.settings.max_idle:
                self._leaving = "mllp.connection_idle"
        return bool(self._leaving)

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
        self._budget.acquire(held - self._partial + taken, begun=held - self._partial)
        self._partial = held
        return quiet and self._noise <= self._listener.settings.max_noise

    def _close(self, event: str) -> None:
        self._tell(event, bytes=self._partial)
        self.drain()

    def _tell(self, event: str, **details: object) -> None:
        log.warning(event, source=self._listener.name, peer=self._sender.peer, **details)

    def _drop_untaken(self) -> None:
        """Forget what the hub was not given: it was never answered, so the peer will send it again."""
        partial, self._partial = self._partial, 0
        dropped = partial + sum(len(frame.payload) for frame in self._frames if isinstance(frame, Frame))
        self._frames.clear()
        if dropped:
            self._budget.release(dropped, begun=partial)

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
