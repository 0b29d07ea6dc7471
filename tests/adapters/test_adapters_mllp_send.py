"""The MLLP client: whose answer is it, and what does it say."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.adapters.budget import ByteBudget
from liaison.adapters.mllp_listen import MllpListener
from liaison.adapters.mllp_send import Acknowledged, MllpSender, MllpSendSettings, control_id, judge, send_messages
from liaison.adapters.mllp_settings import MllpListenSettings
from liaison.hub.contracts import Answer, Delivered, Parcel, Refused, Sender, Unavailable, Uncertain, Verdict
from tests.servers.authority import Authority
from tests.servers.ports import free_port

Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


def message(number: int | str) -> bytes:
    return f"MSH|^~\\&|LIAISON|PFI|LOGICIEL|CABINET|20261122||MDM^T02^MDM_T02|{number}|P|2.6\rPID|1\r".encode()


def ack(code: str, number: int | str, *errors: str) -> bytes:
    head = f"MSH|^~\\&|LOGICIEL|CABINET|LIAISON|PFI|20261122||ACK|R{number}|P|2.6\rMSA|{code}|{number}\r"
    return (head + "".join(f"{error}\r" for error in errors)).encode()


def frame(payload: bytes) -> bytes:
    return b"\x0b" + payload + b"\x1c\r"


def parcel(number: int) -> Parcel:
    return Parcel(id=f"p{number}", kind="letter", body=message(number), content_type="application/hl7-v2", lane="a", lane_seq=1)


class Receiver:
    """A practice software: answers each message by the next of its behaviours, then with AA."""

    def __init__(self, *behaviours: Handler | bytes) -> None:
        self.behaviours = list(behaviours)
        self.received: list[bytes] = []
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                received = (await reader.readuntil(b"\x1c\r"))[1:-2]
                self.received.append(received)
                behaviour = self.behaviours.pop(0) if self.behaviours else frame(ack("AA", control_id(received)))
                if isinstance(behaviour, bytes):
                    writer.write(behaviour)
                else:
                    await behaviour(received, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
        handlers: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            handlers.add(asyncio.create_task(self.serve(reader, writer)))

        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            if handlers:
                await asyncio.wait(handlers)


def sender(port: int, **settings: object) -> MllpSender:
    return MllpSender(
        "cabinet", msgspec.convert({"address": f"127.0.0.1:{port}", "tls": "none", "timeout": 5.0, **settings}, MllpSendSettings)
    )


@asynccontextmanager
async def sending(receiver: Receiver, **settings: object) -> AsyncGenerator[MllpSender]:
    async with receiver.listening() as port:
        destination = sender(port, **settings)
        try:
            yield destination
        finally:
            await destination.close()


async def test_messages_go_over_one_kept_connection_and_only_when_there_is_one_to_send() -> None:
    receiver = Receiver()
    async with sending(receiver) as destination:
        assert receiver.connections == 0
        for number in (1, 2, 3):
            assert await destination.deliver(parcel(number)) == Delivered(reference=str(number))
    assert receiver.received == [message(1), message(2), message(3)]
    assert receiver.connections == 1


async def test_one_message_is_outstanding_at_a_time() -> None:
    receiver = Receiver()
    async with sending(receiver) as destination:
        outcomes = await asyncio.gather(*(destination.deliver(parcel(number)) for number in range(20)))
    assert outcomes == [Delivered(reference=str(number)) for number in range(20)]
    assert receiver.connections == 1


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (ack("CA", 1), Delivered(reference="1", receipt="accepted")),
        (
            ack("AE", 1, "ERR||PID^1^3|101^Required^HL70357|E||||DUPONT Jean"),
            Refused(code="AE", reason="acquittement AE : Champ obligatoire absent (PID^1^3)"),
        ),
        (ack("AE", 1, "ERR||DUPONT|zzz|E"), Refused(code="AE", reason="acquittement AE : erreur sans code connu")),
        (ack("CE", 1), Refused(code="CE", reason="acquittement CE")),
        (ack("AR", 1), Unavailable(reason="acquittement AR")),
        (ack("CR", 1), Unavailable(reason="acquittement CR")),
    ],
)
async def test_what_an_acknowledgement_means(reply: bytes, expected: object) -> None:
    receiver = Receiver(frame(reply))
    async with sending(receiver) as destination:
        assert await destination.deliver(parcel(1)) == expected
        assert await destination.deliver(parcel(2)) == Delivered(reference="2")
    assert receiver.connections == 1


@pytest.mark.parametrize(
    "reply",
    [
        frame(ack("AA", 999)),
        frame(ack("AA", "")),
        frame(ack("ZZ", 1)),
        frame(b"MSH|^~\\&|A|B\r"),
        frame(b"hello"),
        frame(b""),
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x0b" + b"x" * 300_000,
    ],
)
async def test_an_answer_that_is_not_surely_its_own_is_uncertain_and_costs_the_connection(reply: bytes) -> None:
    receiver = Receiver(reply)
    async with sending(receiver) as destination:
        assert isinstance(await destination.deliver(parcel(1)), Uncertain)
        assert await destination.deliver(parcel(2)) == Delivered(reference="2")
    assert receiver.connections == 2


async def test_a_late_answer_is_never_taken_for_the_next_message_s() -> None:
    """The classic loss: a receiver answers message 1 after our patience ended; message 2 must not get that answer."""
    late = asyncio.Event()

    async def answer_late(received: bytes, writer: asyncio.StreamWriter) -> None:
        await late.wait()
        writer.write(frame(ack("AA", 1)))

    receiver = Receiver(answer_late, frame(ack("AE", 2)))
    async with sending(receiver, timeout=0.1) as destination:
        first = await destination.deliver(parcel(1))
        assert isinstance(first, Uncertain)
        assert "0.1 s" in first.reason
        late.set()
        assert isinstance(await destination.deliver(parcel(2)), Refused)
    assert receiver.connections == 2


async def test_an_answer_nobody_asked_for_spoils_the_connection() -> None:
    told = asyncio.Event()

    async def answer_twice(received: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(ack("AA", 1)) + frame(ack("AA", 2)))
        await writer.drain()
        told.set()

    receiver = Receiver(answer_twice, frame(ack("AE", 2)))
    async with sending(receiver) as destination:
        assert await destination.deliver(parcel(1)) == Delivered(reference="1")
        await told.wait()
        assert isinstance(await destination.deliver(parcel(2)), Refused)
    assert receiver.connections == 2


async def test_a_receiver_that_dies_before_its_answer_leaves_it_uncertain() -> None:
    async def die(received: bytes, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    receiver = Receiver(die)
    async with sending(receiver) as destination:
        assert isinstance(await destination.deliver(parcel(1)), Uncertain)
        assert isinstance(await destination.deliver(parcel(1)), Delivered)


async def test_a_cancelled_attempt_costs_the_connection() -> None:
    arrived, never = asyncio.Event(), asyncio.Event()

    async def hang(received: bytes, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await never.wait()

    receiver = Receiver(hang)
    async with sending(receiver) as destination:
        attempt = asyncio.create_task(destination.deliver(parcel(1)))
        await arrived.wait()
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        assert await destination.deliver(parcel(2)) == Delivered(reference="2")
        never.set()
    assert receiver.connections == 2


async def test_waiting_for_the_line_is_bounded() -> None:
    arrived, never = asyncio.Event(), asyncio.Event()

    async def hang(received: bytes, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await never.wait()

    receiver = Receiver(hang)
    async with sending(receiver, timeout=0.2) as destination:
        first = asyncio.create_task(destination.deliver(parcel(1)))
        await arrived.wait()
        second = destination.deliver(parcel(2))
        outcomes = await asyncio.gather(first, second)
        assert isinstance(outcomes[0], Uncertain)
        assert not isinstance(outcomes[1], Uncertain)
        never.set()


async def test_no_receiver_is_unavailable_and_the_probe_says_where() -> None:
    port = free_port()
    destination = sender(port)
    outcome = await destination.deliver(parcel(1))
    assert isinstance(outcome, Unavailable)
    assert f"127.0.0.1:{port}" in outcome.reason
    with pytest.raises(ConnectionError, match=f"127.0.0.1:{port}"):
        await destination.probe()


async def test_a_probe_sends_nothing() -> None:
    receiver = Receiver()
    async with sending(receiver) as destination:
        await destination.probe()
        assert await destination.deliver(parcel(1)) == Delivered(reference="1")
    assert (receiver.connections, receiver.received) == (1, [message(1)])


async def test_a_message_that_would_break_the_framing_is_refused() -> None:
    body = message(1) + b"\x1c\rMSH|"
    bad = Parcel(id="p", kind="letter", body=body, content_type="application/hl7-v2", lane="a", lane_seq=1)
    assert isinstance(await sender(free_port()).deliver(bad), Refused)


async def test_tls_checks_the_receiver_s_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    for host, expected in (("127.0.0.1", Delivered), ("other.example", Unavailable)):
        receiver = Receiver()
        async with receiver.listening(tls=authority.server(host)) as port:
            destination = sender(port, tls="required", ca=authority.path)
            outcome = await destination.deliver(parcel(1))
            await destination.close()
        assert isinstance(outcome, expected)


async def test_a_connection_is_not_used_past_the_end_of_the_receiver_s_certificate(tmp_path: Path) -> None:
    authority, receiver = Authority(tmp_path), Receiver()
    today = datetime.now(UTC)
    moments = iter([today, datetime.max.replace(tzinfo=UTC)])
    async with receiver.listening(tls=authority.server("127.0.0.1")) as port:
        settings = MllpSendSettings(address=f"127.0.0.1:{port}", ca=str(authority.path), timeout=5.0)
        destination = MllpSender("cabinet", settings, clock=lambda: next(moments))
        connections: list[int] = []
        for number in range(3):
            assert isinstance(await destination.deliver(parcel(number)), Delivered)
            connections.append(receiver.connections)
        await destination.close()
    assert connections == [1, 1, 2]


@pytest.mark.parametrize(("max_age", "connections"), [(1e-9, 3), (3600.0, 1)])
async def test_an_old_connection_is_replaced_between_two_messages(max_age: float, connections: int) -> None:
    receiver = Receiver()
    async with receiver.listening() as port:
        destination = sender(port, max_age=max_age)
        for number in range(3):
            assert isinstance(await destination.deliver(parcel(number)), Delivered)
        await destination.close()
    assert receiver.connections == connections


async def test_send_messages_tells_what_became_of_each() -> None:
    async def die(received: bytes, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    receiver = Receiver(frame(ack("AA", 1)), die, frame(ack("AE", 3)))
    async with receiver.listening() as port:
        told = [one async for one in send_messages("127.0.0.1", port, [message(1), message(2), message(3)])]
    assert [(one.index, one.control_id, type(one.outcome)) for one in told] == [
        (0, "1", Delivered),
        (1, "2", Uncertain),
        (2, "3", Refused),
    ]
    assert told[0].reply == ack("AA", 1)
    assert repr(told[0]) == "<Acknowledged>"


async def test_send_messages_speaks_with_the_hub_s_own_listener() -> None:
    async def receive(body: bytes, peer: Sender) -> Answer:
        return Answer(verdict=Verdict.ACCEPTED, reply=ack("AA", control_id(body)))

    listener = MllpListener("ch-test", MllpListenSettings(listen="127.0.0.1:0"), ByteBudget(10_000_000))
    running = asyncio.create_task(listener.run(receive))
    await listener.listening.wait()
    assert listener.address is not None
    told: list[Acknowledged] = [one async for one in send_messages(*listener.address, map(message, range(50)))]
    running.cancel()
    await asyncio.wait({running})
    assert [one.outcome for one in told] == [Delivered(reference=str(number)) for number in range(50)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (message("A42"), "A42"),
        (b"\x0b\r\n" + message("A42"), "A42"),
        (b"MSH|^~\\&|A|B|C|D|2026||ADT^A01\r", ""),
        (b"MSH|^~\\&|A|B|C|D|2026||ADT^A01\nPID|1|||||||||no\r", ""),
        (b"", ""),
        (b"\x00\xff not HL7", ""),
        (b"MSH", ""),
    ],
)
def test_the_control_id_of_a_message(body: bytes, expected: str) -> None:
    assert control_id(body) == expected


@given(st.binary(max_size=300), st.text(max_size=5))
def test_no_reply_whatever_breaks_the_judgement(reply: bytes, expected: str) -> None:
    assert not isinstance(judge(b"MSH|^~\\&|" + reply, expected), Refused | Delivered | Unavailable) or b"MSA" in reply
    assert isinstance(judge(reply, expected), Uncertain | Refused | Delivered | Unavailable)
    assert isinstance(control_id(reply), str)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"address": "cabinet.example.fr"}, "address"),
        ({"address": "cabinet.example.fr:2575", "tls": "none", "ca": "/ca.pem"}, "tls"),
        ({"address": "cabinet.example.fr:2575", "tls": "none"}, "allow"),
        ({"address": "cabinet.example.fr:2575", "tls": "none", "allow": ["::/0"]}, "allow"),
        ({"address": "cabinet.example.fr:2575", "tls": "none", "allow": ["10.1.2.3/8"]}, "allow"),
        ({"address": "cabinet.example.fr:2575", "key": "/k.pem"}, "certificate"),
        ({"address": "cabinet.example.fr:2575", "max_age": 0}, "max_age"),
        ({"address": "cabinet.example.fr:2575", "timeout": 0}, "timeout"),
        ({"address": "cabinet.example.fr:2575", "host": "x"}, "host"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_by_name(settings: dict[str, object], fault: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=fault):
        msgspec.convert(settings, MllpSendSettings)


def test_plain_text_off_the_machine_keeps_a_warning() -> None:
    assert "en clair" in MllpSendSettings(address="cabinet.example.fr:2575", tls="none", allow=("10.1.0.0/16",)).warnings()[0]
    assert MllpSendSettings(address="127.0.0.1:2575", tls="none").warnings() == ()
