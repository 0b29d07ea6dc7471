"""Senders that mean no good, or behave as if: what they cost, and that the others are answered as usual."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import socket
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from liaison.service.loader import load_configuration
from liaison.service.running import RunningHub
from tests.acceptance import feed
from tests.servers.eventually import eventually
from tests.servers.hub import Hub, MakeHub
from tests.servers.mllp import END, START, MllpConnection, send_once
from tests.servers.pki import Pki
from tests.servers.recorder import Recorder

CONFIGURATION = """\
[sources.ch]
kind = "mllp"
listen = "127.0.0.1:{port}"
finess = "400011177"
{more}

[destinations.platform]
kind = "webhook"
url = "{url}"

[[routes]]
events = ["*"]
to = "platform"
patients = "all"
"""

MEGABYTE = b"NTE|1||" + b"x" * 999_992 + b"\r"


def admission(number: int) -> bytes:
    person = feed.pid(ipp=f"83{number:06}", family="FIDELE", given="MARTHE")
    return feed.admission(f"OK{number}", person=person, visit=f"29{number:08}", movement=f"{number}")


class Healthy:
    """A hospital that sends one message after the other, on one connection, and reads its answers."""

    def __init__(self) -> None:
        self.answered = 0

    async def send(self, port: int) -> None:
        async with MllpConnection(port) as connection:
            while True:
                self.answered += 1
                reply = await connection.send(admission(self.answered))
                assert (reply.code, reply.control_id) == ("AA", f"OK{self.answered}")
                await asyncio.sleep(0.01)

    async def goes_on(self) -> None:
        """Thirty more of its messages are answered."""
        wanted = self.answered + 30
        await eventually(lambda: self.answered >= wanted, 30.0, what="a healthy sender is answered")


@asynccontextmanager
async def healthy(port: int) -> AsyncGenerator[Healthy]:
    sender = Healthy()
    sending = asyncio.create_task(sender.send(port))
    await sender.goes_on()
    try:
        yield sender
        assert not sending.done(), "its connection never ended"
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending


async def started(make_hub: MakeHub, port: int, platform: str, more: str = "") -> Hub:
    hub = make_hub(CONFIGURATION.format(port=port, url=platform, more=more))
    await hub.start()
    return hub


def events(hub: Hub) -> list[str]:
    return [json.loads(line)["event"] for line in hub.log.splitlines() if line.startswith("{")]


async def test_messages_of_100_megabytes_are_refused_in_bounded_memory_and_cost_the_others_nothing(
    make_hub: MakeHub, port: int, platform: str
) -> None:
    hub = await started(make_hub, port, platform)

    async def send(number: int) -> str:
        async with MllpConnection(port) as connection:
            await connection.write(START + admission(900_000 + number))
            for _ in range(100):
                await connection.write(MEGABYTE)
            await connection.write(END)
            reply = await connection.reply(120.0)
            assert reply.errors and (await connection.send(admission(910_000 + number))).code == "AA", "it may go on"
            return f"{reply.code} {reply.control_id}"

    async with healthy(port) as others:
        replies = await asyncio.gather(*(send(number) for number in range(3)))
        await others.goes_on()
    assert sorted(replies) == ["AE OK900000", "AE OK900001", "AE OK900002"]
    assert hub.peak_memory < 300_000_000, "budget, one message past it, and the program itself"
    kept = [message for message in await hub.messages() if message["verdict"] == "quarantined"]
    assert [message["size"] for message in kept] == [65_536] * 3
    assert "Traceback" not in hub.log


async def test_ten_thousand_connections_opened_and_left_cost_little_and_shut_nobody_out(
    make_hub: MakeHub, port: int, platform: str, record_property: Callable[[str, object], None]
) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most[1], most[1]))
    wanted = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 500)
    record_property("connections, as many as open files allow", wanted)
    hub = await started(make_hub, port, platform, "max_connections = 200")
    left: list[socket.socket] = []

    def open_and_leave() -> None:
        left.extend(socket.create_connection(("127.0.0.1", port), 30.0) for _ in range(wanted))

    try:
        async with healthy(port) as others:
            before = hub.peak_memory
            await asyncio.to_thread(open_and_leave)
            await others.goes_on()
            assert (await send_once(port, admission(900_000))).code == "AA", "whoever comes now gets in"
            assert hub.peak_memory - before < 60_000_000
    finally:
        for each in left:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, most)
    counted = events(hub)
    assert 1 <= counted.count("mllp.connections_full") <= 5, "not a line for each"
    assert len(hub.log) < 1_000_000
    assert await hub.stop() == 0


async def test_large_messages_that_stop_coming_hold_up_nobody_and_are_given_up(make_hub: MakeHub, port: int, platform: str) -> None:
    hub = await started(make_hub, port, platform, "frame_timeout = 120.0")
    async with healthy(port) as others, contextlib.AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(MllpConnection(port)) for _ in range(4)]

        async def drip(connection: MllpConnection) -> None:
            with contextlib.suppress(OSError):
                await connection.write(START + admission(900_000))
                for _ in range(30):
                    await connection.write(MEGABYTE)
                while True:
                    await connection.write(b"x")
                    await asyncio.sleep(1.0)

        dripping = [asyncio.create_task(drip(connection)) for connection in slow]
        await others.goes_on()
        await eventually(lambda: "mllp.frame_unfinished" in hub.log, 60.0, what="the slowest is given up, its memory being wanted")
        await others.goes_on()
        for task in dripping:
            task.cancel()
    assert hub.peak_memory < 300_000_000
    await eventually(lambda: hub.log.count("mllp.truncated") == 4, what="all are told")
    kept = [message for message in await hub.messages() if message["verdict"] == "quarantined"]
    assert kept and {message["size"] for message in kept} == {65_536}


async def test_senders_of_one_byte_a_second_are_given_up_after_the_bound(make_hub: MakeHub, port: int, platform: str) -> None:
    hub = await started(make_hub, port, platform, "frame_timeout = 3.0")
    async with healthy(port) as others, contextlib.AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(MllpConnection(port)) for _ in range(50)]

        async def drip(connection: MllpConnection) -> None:
            with contextlib.suppress(OSError):
                for byte in START + admission(900_000):
                    await connection.write(bytes([byte]))
                    await asyncio.sleep(1.0)

        dripping = [asyncio.create_task(drip(connection)) for connection in slow]
        await others.goes_on()
        assert [await connection.closed() for connection in slow] == [b""] * 50
        await others.goes_on()
        for task in dripping:
            task.cancel()
    assert events(hub).count("mllp.frame_unfinished") == 50
    kept = [message for message in await hub.messages() if message["verdict"] == "quarantined"]
    assert kept and all(0 < message["size"] < 8 for message in kept), "what came of it"


# A clock an hour off --------------------------------------------------------------------------------------------------------------


async def test_a_sender_an_hour_ahead_is_told_and_nothing_of_it_is_dropped(
    make_hub: MakeHub, port: int, platform: str, recorder: Recorder
) -> None:
    hub = await started(make_hub, port, platform)
    ahead = f"{datetime.now(UTC) + timedelta(hours=1):%Y%m%d%H%M%S}+0000".encode()
    raw = admission(1).replace(b"20261120101500||ADT", ahead + b"||ADT", 1)
    assert raw != admission(1)
    reply = await send_once(port, raw)
    assert (reply.code, reply.control_id) == ("AA", "OK1")
    await eventually(lambda: len(recorder.ids) == 2, what="its events arrive")
    (message,) = await hub.messages()
    told = json.loads(await hub.liaison("trace", message["id"], "--config", str(hub.config), "--json"))
    assert "hl7.ahead-of-time" in [finding["rule"] for finding in told["findings"]]


async def test_a_hub_whose_clock_is_set_back_by_an_hour_delivers_what_waits_and_counts_on(
    tmp_path: Path, port: int, platform: str, recorder: Recorder
) -> None:
    config = tmp_path / "liaison.toml"
    config.write_text(CONFIGURATION.format(port=port, url=platform, more=""), "utf-8")
    off = timedelta()
    recorder.status = 503
    async with RunningHub(load_configuration(config), clock=lambda: datetime.now(UTC) + off) as hub:
        assert (await send_once(port, admission(1))).code == "AA"
        await eventually(lambda: bool(hub.journal.reader.waiting(int(datetime.now(UTC).timestamp() * 1e6), beyond=0, most=9)))
        off = -timedelta(hours=1)
        recorder.status = 204
        assert (await send_once(port, admission(2))).code == "AA"
        await eventually(lambda: len(recorder.ids) == 4, 60.0, what="nothing waits for an hour")
    numbers = [event["id"] for event in recorder.events]
    assert len(set(numbers)) == 4


# A certificate that ends during a connection --------------------------------------------------------------------------------------


async def test_a_connection_ends_with_the_certificate_that_it_was_opened_with_between_two_messages(
    make_hub: MakeHub, port: int, platform: str, tmp_path: Path
) -> None:
    pki = Pki(tmp_path)
    more = f'certificate = "{pki.server()}"\nclient_ca = "{pki.ca}"'
    hub = await started(make_hub, port, platform, more)
    ends = datetime.now(UTC) + timedelta(seconds=5)
    ending, good = pki.client(pki.issue("sih.ch-dax.fr", ends=ends)), pki.client(pki.issue("sih.ch-mdm.fr"))
    async with MllpConnection(port, good) as other, MllpConnection(port, ending) as connection:
        assert (await connection.send(admission(1))).code == "AA"
        assert await connection.closed() == b"", "closed, and nothing said that was not asked for"
        assert datetime.now(UTC) >= ends.replace(microsecond=0)
        assert (await other.send(admission(2))).code == "AA"
    with pytest.raises((ssl.SSLError, OSError, asyncio.IncompleteReadError)):
        await send_once(port, admission(3), tls=ending)
    assert "mllp.peer_certificate_ended" in hub.log and "mllp.peer_certificate_ends" in hub.log
    assert [message["control_id"] for message in await hub.messages()] == ["OK1", "OK2"]
