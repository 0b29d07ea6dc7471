"""The MLLP server on real sockets: framing, order, limits, back-pressure, peers that die, and stopping."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import structlog
import uvloop

from liaison.adapters.budget import READ_SIZE, ByteBudget, Reader
from liaison.adapters.mllp_listen import MllpListener
from liaison.adapters.mllp_settings import MllpListenSettings
from liaison.hl7.acknowledgement import read_ack
from liaison.hub.contracts import Answer, Receive, Sender, Verdict
from liaison.rules import sender as rules
from tests.servers.authority import Authority
from tests.servers.pki import Pki
from tests.servers.ports import free_port

MESSAGE = b"MSH|^~\\&|A|B|C|D|20261122||ADT^A01|%d|P|2.5\r"


def frame(payload: bytes) -> bytes:
    return b"\x0b" + payload + b"\x1c\r"


def echo_reply(message: bytes) -> bytes:
    return b"ACK of %d bytes, %s" % (len(message), message[-12:].strip())


class Hub:
    """Takes messages; a test may hold each one, or make it fail."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, Sender]] = []
        #: What came of messages that were given up, and why.
        self.kept: list[tuple[bytes, str]] = []
        self.arrived = asyncio.Event()
        self.gate: asyncio.Event | None = None
        self.fault: Exception | None = None
        self.cancelled = False
        self.watch: Callable[[], None] = lambda: None

    async def receive(self, message: bytes, sender: Sender) -> Answer:
        if sender.fault is not None:
            self.kept.append((message, sender.fault.rule))
            return Answer(verdict=Verdict.QUARANTINED, reply=b"for nobody")
        self.taken.append((message, sender))
        self.arrived.set()
        self.watch()
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled = True
                raise
        if self.fault is not None:
            raise self.fault
        return Answer(verdict=Verdict.ACCEPTED, reply=echo_reply(message))


class WatchedBudget(ByteBudget):
    """Tells when it is full, and when a reader was stopped for it."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.full = asyncio.Event()
        self.paused = asyncio.Event()

    def acquire(self, count: int, *, begun: int = 0) -> None:
        super().acquire(count, begun=begun)
        if self.held >= self.limit:
            self.full.set()

    def must_pause(self, reader: Reader) -> bool:
        pause = super().must_pause(reader)
        if pause:
            self.paused.set()
        return pause


class Clock:
    """The time of day, until a test moves it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Peer:
    """A sending application."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> bytes:
        data = await self.reader.readuntil(b"\x1c\r")
        assert data[:1] == b"\x0b"
        return data[1:-2]

    async def closed_by_hub(self) -> bool:
        with suppress(ConnectionError):
            return await self.reader.read() == b""
        return True

    def vanish(self) -> None:
        self.writer.transport.abort()


class Running:
    def __init__(self, listener: MllpListener, budget: WatchedBudget, hub: Hub, task: asyncio.Task[None]) -> None:
        self.listener = listener
        self.budget = budget
        self.hub = hub
        self.task = task

    @asynccontextmanager
    async def peer(self, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Peer]:
        assert self.listener.address is not None
        reader, writer = await asyncio.open_connection(*self.listener.address, ssl=tls, limit=2**26)
        try:
            yield Peer(reader, writer)
        finally:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def stop(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


@asynccontextmanager
async def listening(
    *, budget: int = 256_000_000, receive: Receive | None = None, clock: Clock | None = None, **settings: object
) -> AsyncGenerator[Running]:
    hub = Hub()
    chosen = msgspec.convert({"listen": "127.0.0.1:0", "drain": 5.0, **settings}, MllpListenSettings)
    bytes_held = WatchedBudget(budget)
    listener = MllpListener("ch-test", chosen, bytes_held, clock=clock or Clock())
    task = asyncio.create_task(listener.run(receive or hub.receive))
    ready = asyncio.create_task(listener.listening.wait())
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if task.done():
        await task
    running = Running(listener, bytes_held, hub, task)
    try:
        yield running
    finally:
        await running.stop()
    assert not listener.connections
    assert listener.budget.held == 0, "every byte that was counted is given back"


async def test_a_message_is_answered_with_the_hub_s_reply_and_its_sender_is_named() -> None:
    async with listening() as running, running.peer() as peer:
        await peer.send(frame(MESSAGE % 1))
        assert await peer.answer() == echo_reply(MESSAGE % 1)
        message, sender = running.hub.taken[0]
        assert message == MESSAGE % 1
        host, port = peer.writer.get_extra_info("sockname")
        assert sender == Sender(source="ch-test", peer=f"{host}:{port}")


async def test_nothing_is_answered_before_the_hub_has_it() -> None:
    async with listening() as running, running.peer() as peer:
        running.hub.gate = asyncio.Event()
        await peer.send(frame(MESSAGE % 1))
        await running.hub.arrived.wait()
        answer = asyncio.create_task(peer.answer())
        await asyncio.sleep(0)
        assert not answer.done()
        running.hub.gate.set()
        assert await answer == echo_reply(MESSAGE % 1)


async def test_a_peer_that_sends_byte_by_byte_is_understood() -> None:
    async with listening() as running, running.peer() as peer:
        for byte in frame(MESSAGE % 7):
            await peer.send(bytes([byte]))
        assert await peer.answer() == echo_reply(MESSAGE % 7)


async def test_pipelined_messages_are_handed_over_one_at_a_time_and_answered_in_order() -> None:
    together = 0

    async def receive(message: bytes, sender: Sender) -> Answer:
        nonlocal together
        together += 1
        assert together == 1
        await asyncio.sleep(0)
        together -= 1
        return Answer(verdict=Verdict.ACCEPTED, reply=echo_reply(message))

    async with listening(receive=receive) as running, running.peer() as peer:
        messages = [MESSAGE % number for number in range(500)]
        sending = asyncio.create_task(peer.send(b"".join(map(frame, messages))))
        assert [await peer.answer() for _ in messages] == [echo_reply(message) for message in messages]
        await sending


async def test_a_message_of_20_megabytes_passes() -> None:
    body = MESSAGE % 1 + b"x" * 20_000_000
    async with listening() as running, running.peer() as peer:
        await peer.send(frame(body))
        assert await peer.answer() == echo_reply(body)


async def test_a_message_beyond_the_limit_gets_ae_with_its_control_id_and_the_connection_serves_on() -> None:
    async with listening(max_message=1000) as running, running.peer() as peer:
        await peer.send(frame(MESSAGE % 1) + frame(MESSAGE % 4711 + b"x" * 300_000) + frame(MESSAGE % 2))
        assert await peer.answer() == echo_reply(MESSAGE % 1)
        refusal = read_ack(await peer.answer())
        assert (refusal.code, refusal.control_id) == ("AE", "4711")
        assert await peer.answer() == echo_reply(MESSAGE % 2)
    assert len(running.hub.taken) == 2
    assert [(len(head), rule) for head, rule in running.hub.kept] == [(1000, "mllp.oversize")]


async def test_a_little_noise_is_forgiven() -> None:
    async with listening() as running, running.peer() as peer:
        await peer.send(b"\r\nhello\0\xff" + frame(MESSAGE % 1))
        assert await peer.answer() == echo_reply(MESSAGE % 1)


async def test_64_kb_of_noise_close_the_connection_and_no_other() -> None:
    async with listening() as running, running.peer() as loud, running.peer() as quiet:
        with suppress(ConnectionError):
            await loud.send(b"\xff" * 65_537)
        assert await loud.closed_by_hub()
        await quiet.send(frame(MESSAGE % 1))
        assert await quiet.answer() == echo_reply(MESSAGE % 1)


async def test_noise_between_frames_is_counted_over_the_whole_connection() -> None:
    async with listening(max_noise=100) as running, running.peer() as peer:
        await peer.send(b"n" * 60 + frame(MESSAGE % 1))
        assert await peer.answer() == echo_reply(MESSAGE % 1)
        await peer.send(b"n" * 60 + frame(MESSAGE % 2))
        assert await peer.closed_by_hub()


async def test_a_frame_that_does_not_end_in_time_costs_its_connection_only() -> None:
    async with listening(frame_timeout=0.05) as running, running.peer() as slow, running.peer() as quick:
        with structlog.testing.capture_logs() as logs:
            await slow.send(b"\x0bMSH|")
            assert await slow.closed_by_hub()
        assert "mllp.frame_unfinished" in [entry["event"] for entry in logs]
        await quick.send(frame(MESSAGE % 1))
        assert await quick.answer() == echo_reply(MESSAGE % 1)
    assert [message for message, _ in running.hub.taken] == [MESSAGE % 1]
    assert running.hub.kept == [(b"MSH|", "mllp.truncated")]


async def test_a_slow_loris_is_closed_although_it_never_stops_sending() -> None:
    async with listening(frame_timeout=0.05) as running, running.peer() as slow:

        async def drip() -> None:
            await slow.send(b"\x0b")
            while True:
                await slow.send(b"M")
                await asyncio.sleep(0.005)

        dripping = asyncio.create_task(drip())
        assert await slow.closed_by_hub()
        dripping.cancel()
        with suppress(ConnectionError, asyncio.CancelledError):
            await dripping
    assert not running.hub.taken


async def test_a_peer_that_never_reads_its_answers_is_closed() -> None:
    async def receive(message: bytes, sender: Sender) -> Answer:
        return Answer(verdict=Verdict.ACCEPTED, reply=b"y" * 8_000_000)

    async with listening(receive=receive, frame_timeout=0.1) as running, running.peer() as peer:
        assert isinstance(peer.writer.transport, asyncio.Transport)
        peer.writer.transport.pause_reading()
        with structlog.testing.capture_logs() as logs:
            await peer.send(frame(MESSAGE % 1) * 3)
            await running.listener.idle.wait()
        assert "mllp.answers_not_read" in [entry["event"] for entry in logs]


async def test_an_idle_connection_is_kept() -> None:
    async with listening(frame_timeout=0.02) as running, running.peer() as idle, running.peer() as loris:
        await loris.send(b"\x0b")
        assert await loris.closed_by_hub()  # so the sweep has passed
        await idle.send(frame(MESSAGE % 1))
        assert await idle.answer() == echo_reply(MESSAGE % 1)


async def test_an_idle_connection_past_its_age_is_closed() -> None:
    async with listening(frame_timeout=0.04, max_age=0.01) as running, running.peer() as peer:
        assert await peer.closed_by_hub()


async def test_a_connection_past_its_age_ends_after_the_message_in_hand_is_answered() -> None:
    async with listening(max_age=0.000001) as running, running.peer() as peer:
        with structlog.testing.capture_logs() as logs:
            await peer.send(frame(MESSAGE % 1) + frame(MESSAGE % 2))
            assert await peer.answer() == echo_reply(MESSAGE % 1)
            assert await peer.closed_by_hub()
        assert "mllp.connection_aged" in [entry["event"] for entry in logs]
    assert [message for message, _ in running.hub.taken] == [MESSAGE % 1], "what was not answered is sent again by its sender"


async def test_a_truncated_frame_and_then_the_end_is_kept_and_not_taken() -> None:
    async with listening() as running, running.peer() as peer:
        with structlog.testing.capture_logs() as logs:
            await peer.send(frame(MESSAGE % 1) + frame(MESSAGE % 2)[:-3])
            peer.writer.write_eof()
            assert await peer.answer() == echo_reply(MESSAGE % 1)
            assert await peer.closed_by_hub()
        assert "mllp.truncated" in [entry["event"] for entry in logs]
        assert not any("A01" in str(entry) for entry in logs)
    assert len(running.hub.taken) == 1
    assert running.hub.kept == [((MESSAGE % 2)[: len(frame(MESSAGE % 2)[:-3]) - 1], "mllp.truncated")]


async def test_a_peer_that_ends_its_side_still_gets_its_answers() -> None:
    async with listening() as running, running.peer() as peer:
        await peer.send(frame(MESSAGE % 1) + frame(MESSAGE % 2))
        peer.writer.write_eof()
        assert [await peer.answer(), await peer.answer()] == [echo_reply(MESSAGE % 1), echo_reply(MESSAGE % 2)]
        assert await peer.closed_by_hub()


async def test_a_peer_that_dies_mid_frame_leaves_nothing_behind() -> None:
    async with listening() as running:
        async with running.peer() as peer:
            await peer.send(frame(MESSAGE % 1) + b"\x0bMSH|half")
            await peer.answer()
            peer.vanish()
        async with running.peer() as peer:
            await peer.send(frame(MESSAGE % 2))
            assert await peer.answer() == echo_reply(MESSAGE % 2)
    assert len(running.hub.taken) == 2


async def test_a_peer_that_dies_while_its_message_is_taken_does_not_untake_it() -> None:
    finished = asyncio.Event()

    async def receive(message: bytes, sender: Sender) -> Answer:
        arrived.set()
        await gate.wait()
        finished.set()
        return Answer(verdict=Verdict.ACCEPTED, reply=echo_reply(message))

    arrived, gate = asyncio.Event(), asyncio.Event()
    async with listening(receive=receive) as running:
        async with running.peer() as peer:
            await peer.send(frame(MESSAGE % 1))
            await arrived.wait()
            peer.vanish()
        gate.set()
        await finished.wait()


@pytest.mark.parametrize("silence", ["fault", "empty reply"])
async def test_when_the_hub_has_no_answer_the_peer_gets_none_and_sends_again(silence: str) -> None:
    async def receive(message: bytes, sender: Sender) -> Answer:
        if silence == "fault":
            raise RuntimeError("the journal is gone")
        return Answer(verdict=Verdict.REFUSED, reply=b"")

    async with listening(receive=receive) as running, running.peer() as peer:
        with structlog.testing.capture_logs() as logs:
            await peer.send(frame(MESSAGE % 1))
            assert await peer.closed_by_hub()
        assert ("mllp.receive_failed" in [entry["event"] for entry in logs]) == (silence == "fault")
        assert not any("journal" in str(entry) for entry in logs)


async def test_stopping_answers_what_was_taken_and_takes_no_more() -> None:
    async with listening() as running, running.peer() as busy, running.peer() as idle:
        gate = running.hub.gate = asyncio.Event()
        await busy.send(frame(MESSAGE % 1) + frame(MESSAGE % 2))
        await running.hub.arrived.wait()
        running.task.cancel()
        assert await idle.closed_by_hub()
        assert not running.task.done()
        gate.set()
        assert await busy.answer() == echo_reply(MESSAGE % 1)
        assert await busy.closed_by_hub()
        with pytest.raises(asyncio.CancelledError):
            await running.task
        assert running.listener.address is not None
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*running.listener.address)
    assert len(running.hub.taken) == 1
    assert not running.hub.cancelled


async def test_stopping_is_bounded() -> None:
    async with listening(drain=0.05) as running, running.peer() as peer:
        running.hub.gate = asyncio.Event()
        await peer.send(frame(MESSAGE % 1))
        await running.hub.arrived.wait()
        await running.stop()
        assert await peer.closed_by_hub()
        assert running.hub.cancelled


async def test_the_budget_bounds_what_is_held_and_everything_is_answered() -> None:
    """Sixteen peers pipeline 48 MB through 2 MB of budget."""
    most = 0
    async with listening(budget=2_000_000) as running:

        def watch() -> None:
            nonlocal most
            most = max(most, running.budget.held)

        running.hub.watch = watch
        body = MESSAGE % 1 + b"x" * 1_000_000

        async def one() -> None:
            async with running.peer() as peer:
                sending = asyncio.create_task(peer.send(frame(body) * 3))
                for _ in range(3):
                    assert await peer.answer() == echo_reply(body)
                await sending

        await asyncio.gather(*(one() for _ in range(16)))
        assert 0 < most <= 2_000_000 + len(body) + 16 * READ_SIZE
    assert len(running.hub.taken) == 48


async def test_a_full_budget_stops_the_reading_of_others_until_an_answer() -> None:
    async with listening(budget=100_000) as running, running.peer() as first, running.peer() as second:
        gate = running.hub.gate = asyncio.Event()
        await first.send(frame(MESSAGE % 1 + b"x" * 200_000))
        await running.hub.arrived.wait()
        big = MESSAGE % 2 + b"y" * 40_000_000
        sending = asyncio.create_task(second.send(frame(big)))
        await running.budget.paused.wait()
        assert running.budget.held <= len(MESSAGE) + 200_000 + READ_SIZE
        assert not sending.done()
        gate.set()
        assert await first.answer() == echo_reply(MESSAGE % 1 + b"x" * 200_000)
        assert await second.answer() == echo_reply(big)  # larger than the budget, and completed all the same
        await sending


async def test_a_silent_half_message_cannot_hold_the_budget_for_ever() -> None:
    async with listening(budget=100_000, frame_timeout=0.1) as running, running.peer() as silent, running.peer() as other:
        await silent.send(b"\x0b" + b"x" * 150_000)
        await running.budget.full.wait()
        body = MESSAGE % 1 + b"y" * 150_000
        await other.send(frame(body))
        assert await other.answer() == echo_reply(body)
        assert await silent.closed_by_hub()


async def test_peers_outside_allow_are_not_heard() -> None:
    async with listening(allow=["10.1.0.0/16"]) as running, running.peer() as peer:
        assert await peer.closed_by_hub()
    async with listening(allow=["127.0.0.0/8"]) as running, running.peer() as peer:
        await peer.send(frame(MESSAGE % 1))
        assert await peer.answer() == echo_reply(MESSAGE % 1)


async def test_a_connection_beyond_their_number_is_refused_while_all_are_at_work() -> None:
    async with listening(max_connections=1) as running, running.peer() as first:
        running.hub.gate = asyncio.Event()
        with structlog.testing.capture_logs() as logs:
            await first.send(frame(MESSAGE % 1))
            await running.hub.arrived.wait()
            async with running.peer() as second:
                assert await second.closed_by_hub()
        running.hub.gate.set()
        assert await first.answer() == echo_reply(MESSAGE % 1)
    (told,) = [entry for entry in logs if entry["event"] == "mllp.connections_full"]
    assert (told["most"], told["refused"], told["closed_for_others"]) == (1, 1, 0)


async def test_a_connection_beyond_their_number_takes_the_place_of_one_that_never_spoke_or_was_idle_longest() -> None:
    async with listening(max_connections=3) as running, running.peer() as old, running.peer() as recent, running.peer() as mute:
        with structlog.testing.capture_logs() as logs:
            for number, peer in enumerate((old, recent)):
                await peer.send(frame(MESSAGE % number))
                await peer.answer()
            async with running.peer() as newcomer:
                assert await mute.closed_by_hub()
                await newcomer.send(frame(MESSAGE % 3))
                assert await newcomer.answer() == echo_reply(MESSAGE % 3)
                async with running.peer() as another:
                    assert await old.closed_by_hub()
                    await another.send(frame(MESSAGE % 4))
                    assert await another.answer() == echo_reply(MESSAGE % 4)
            await recent.send(frame(MESSAGE % 5))
            assert await recent.answer() == echo_reply(MESSAGE % 5)
        events = [entry["event"] for entry in logs]
        assert events.count("mllp.connections_full") == 1, "not a line for each"
        assert events.count("mllp.closed_for_another") == 1, "the one that had something to say"


async def test_a_connection_without_a_message_for_too_long_is_closed_and_one_at_work_is_not() -> None:
    async with listening(frame_timeout=0.04, max_idle=0.03) as running, running.peer() as idle, running.peer() as busy:
        running.hub.gate = asyncio.Event()
        await busy.send(frame(MESSAGE % 1))
        assert await idle.closed_by_hub()
        assert len(running.listener.connections) == 1
        running.hub.gate.set()
        assert await busy.answer() == echo_reply(MESSAGE % 1)


async def test_what_is_kept_of_messages_that_were_given_up_is_bounded_for_each_connection_and_for_all() -> None:
    too_large = frame(b"MSH|^~\\&|" + b"x" * 100_000)
    async with listening(max_message=90_000) as running:
        with structlog.testing.capture_logs() as logs:
            async with running.peer() as peer:
                for _ in range(3):
                    await peer.send(too_large)
                    assert b"|AE|" in await peer.answer(), "it is answered whether or not it is kept"
            assert sum(len(head) for head, _ in running.hub.kept) < 66_000
            for _ in range(20):
                async with running.peer() as peer:
                    await peer.send(too_large)
                    await peer.answer()
        assert 1_000_000 < sum(len(head) for head, _ in running.hub.kept) < 1_100_000
        assert "mllp.not_kept" in [entry["event"] for entry in logs]


async def test_an_address_that_is_taken_is_said_at_once() -> None:
    async with listening() as running:
        assert running.listener.address is not None
        other = MllpListener("b", MllpListenSettings(listen=f"127.0.0.1:{running.listener.address[1]}"), ByteBudget(1000))
        with pytest.raises(OSError, match=r"sources\.b : .* écoute déjà"):
            await other.run(running.hub.receive)


async def test_mutual_tls(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path)
    trusted = authority.client(authority.issue("sih.ch-test.fr"))
    anonymous = authority.client()
    wrong = authority.client(stranger.issue("sih.ch-test.fr"))
    async with listening(certificate=authority.issue("127.0.0.1"), client_ca=authority.path) as running:
        async with running.peer(trusted) as peer:
            await peer.send(frame(MESSAGE % 1))
            assert await peer.answer() == echo_reply(MESSAGE % 1)
        for context in (anonymous, wrong):
            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                async with running.peer(context) as peer:
                    await peer.send(frame(MESSAGE % 2))
                    await peer.answer()
    assert len(running.hub.taken) == 1


def known(*peers: tuple[str, str]) -> list[dict[str, str]]:
    return [{"san": san, "issuer": issuer} for san, issuer in peers]


async def refused(running: Running, context: ssl.SSLContext) -> bool:
    """Whether a peer that shows this certificate is hung up on."""
    with suppress(ssl.SSLError, ConnectionError):
        async with running.peer(context) as peer:
            return await peer.closed_by_hub()
    return True


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_only_the_peers_that_are_named_are_heard_by_name_and_by_issuer(
    tmp_path: Path, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    pki, other = Pki(tmp_path, "AC Une"), Pki(tmp_path, "AC Autre")
    both = tmp_path / "both.pem"
    both.write_text(Path(pki.ca).read_text() + Path(other.ca).read_text())
    shown = [
        pki.client(pki.issue("sih.ch-dax.fr")),
        pki.client(pki.issue("sih.ch-mdm.fr")),
        pki.client(other.issue("sih.ch-dax.fr")),
    ]
    certificate, peers = pki.server(), known(("sih.ch-dax.fr", "AC Une"))

    async def exchange() -> None:
        async with listening(certificate=certificate, client_ca=str(both), peers=peers) as running:
            with structlog.testing.capture_logs() as logs:
                async with running.peer(shown[0]) as peer:
                    await peer.send(frame(MESSAGE % 1))
                    assert await peer.answer() == echo_reply(MESSAGE % 1)
                for context in shown[1:]:
                    assert await refused(running, context)
            assert len(running.hub.taken) == 1
        told = [(entry["san"], entry["issuer"]) for entry in logs if entry.get("reason") == "certificate not in peers"]
        assert told == [(("sih.ch-mdm.fr",), "CN=AC Une,O=Essai"), (("sih.ch-dax.fr",), "CN=AC Autre,O=Essai")]

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(exchange())


async def test_a_certificate_that_ends_during_a_connection_ends_it_between_two_messages(tmp_path: Path) -> None:
    pki, clock = Pki(tmp_path), Clock()
    soon = pki.client(pki.issue("sih.ch-dax.fr", ends=datetime.now(UTC) + timedelta(days=5)))
    long = pki.client(pki.issue("sih.ch-mdm.fr"))
    certificate = pki.server()
    with structlog.testing.capture_logs() as logs:
        async with (
            listening(clock=clock, certificate=certificate, client_ca=pki.ca, frame_timeout=0.5) as running,
            running.peer(soon) as peer,
            running.peer(long) as other,
        ):
            await peer.send(frame(MESSAGE % 1))
            assert await peer.answer() == echo_reply(MESSAGE % 1)
            gate = running.hub.gate = asyncio.Event()
            running.hub.arrived.clear()
            await peer.send(frame(MESSAGE % 2) + frame(MESSAGE % 3))
            await running.hub.arrived.wait()
            clock.ahead = timedelta(days=6)
            gate.set()
            assert await peer.answer() == echo_reply(MESSAGE % 2), "the message in hand has its answer"
            assert await peer.closed_by_hub()
            await other.send(frame(MESSAGE % 4))
            assert await other.answer() == echo_reply(MESSAGE % 4)
        assert [message for message, _ in running.hub.taken] == [MESSAGE % 1, MESSAGE % 2, MESSAGE % 4]
    events = [(entry["event"], entry.get("days")) for entry in logs]
    assert ("mllp.peer_certificate_ends", 4) in events and ("mllp.peer_certificate_ended", None) in events


async def test_an_idle_connection_ends_with_its_certificate(tmp_path: Path) -> None:
    pki, clock = Pki(tmp_path), Clock()
    soon = pki.client(pki.issue("sih.ch-dax.fr", ends=datetime.now(UTC) + timedelta(days=5)))
    certificate = pki.server()
    async with (
        listening(clock=clock, certificate=certificate, client_ca=pki.ca, frame_timeout=0.1) as running,
        running.peer(soon) as peer,
    ):
        await peer.send(frame(MESSAGE % 1))
        await peer.answer()
        clock.ahead = timedelta(days=6)
        assert await peer.closed_by_hub()


async def test_a_certificate_that_has_ended_is_not_heard(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    ended = pki.client(pki.issue("sih.ch-dax.fr", ends=datetime.now(UTC) - timedelta(days=1)))
    async with listening(certificate=pki.server(), client_ca=pki.ca) as running:
        assert await refused(running, ended)
    assert not running.hub.taken


def test_it_works_the_same_on_uvloop() -> None:
    async def exchange() -> None:
        async with listening(budget=200_000) as running, running.peer() as first, running.peer() as second:
            for number, peer in ((1, first), (2, second)):
                await peer.send(frame(MESSAGE % number + b"x" * 300_000) + frame(MESSAGE % number))
            for number, peer in ((1, first), (2, second)):
                assert await peer.answer() == echo_reply(MESSAGE % number + b"x" * 300_000)
                assert await peer.answer() == echo_reply(MESSAGE % number)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(exchange())


async def test_a_certificate_that_cannot_be_read_is_said_by_its_path() -> None:
    listener = MllpListener("a", MllpListenSettings(listen="127.0.0.1:0", certificate="/nowhere.pem"), ByteBudget(1000))
    with pytest.raises(ValueError, match=r"/nowhere\.pem"):
        await listener.run(Hub().receive)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"listen": "2575"}, "listen"),
        ({"listen": "::1:2575"}, "listen"),
        ({"listen": "0.0.0.0:2575"}, "certificate"),
        ({"listen": "0.0.0.0:2575", "tls": "none"}, "allow"),
        ({"listen": "0.0.0.0:2575", "tls": "none", "allow": ["0.0.0.0/0"]}, "allow"),
        ({"listen": "0.0.0.0:2575", "tls": "none", "allow": ["10.1.2.3/16"]}, "allow"),
        ({"listen": "127.0.0.1:2575", "tls": "none", "certificate": "/c.pem"}, "tls"),
        ({"listen": "127.0.0.1:2575", "client_ca": "/ca.pem"}, "certificate"),
        ({"listen": "127.0.0.1:2575", "max_message": 0}, "max_message"),
        ({"listen": "127.0.0.1:2575", "max_age": 0}, "max_age"),
        ({"listen": "127.0.0.1:2575", "drain": -1}, "drain"),
        ({"listen": "127.0.0.1:2575", "peers": [{"san": "a", "issuer": "b"}]}, "client_ca"),
        ({"listen": "127.0.0.1:2575", "peers": [{"san": "a"}]}, "issuer"),
        ({"listen": "127.0.0.1:2575", "certificate": "/c", "client_ca": "/a", "peers": [{"san": "", "issuer": "b"}]}, "san"),
        ({"listen": "127.0.0.1:2575", "port": 1}, "port"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_by_name(settings: dict[str, object], fault: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=fault):
        msgspec.convert(settings, MllpListenSettings)


def test_plain_text_off_the_machine_keeps_a_warning() -> None:
    plain = MllpListenSettings(listen="0.0.0.0:2575", tls="none", allow=("10.1.0.0/16",))
    assert "en clair" in plain.warnings()[0]
    assert MllpListenSettings(listen=f"127.0.0.1:{free_port()}").warnings() == ()


def test_tls_that_hears_everybody_keeps_a_warning() -> None:
    tls = MllpListenSettings(listen="0.0.0.0:2575", certificate="/c.pem", client_ca="/ca.pem")
    assert "client_ca" in tls.warnings()[0] and not tls.knows_its_peers
    assert "quiconque" in msgspec.structs.replace(tls, client_ca="").warnings()[0]
    named = msgspec.structs.replace(tls, peers=(rules.Peer(san="sih.ch-dax.fr", issuer="AC"),))
    assert named.warnings() == () and named.knows_its_peers
