"""The MLLP server on real sockets: how many it hears, how much it holds, and stopping."""

from __future__ import annotations

import asyncio

import pytest
import structlog
import uvloop

from liaison.adapters.budget import READ_SIZE, ByteBudget
from liaison.adapters.mllp_listen import MllpListener
from liaison.adapters.mllp_settings import MllpListenSettings
from tests.adapters.mllp import MESSAGE, echo_reply, frame, listening


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


async def test_an_address_that_is_taken_is_said_at_once() -> None:
    async with listening() as running:
        assert running.listener.address is not None
        other = MllpListener("b", MllpListenSettings(listen=f"127.0.0.1:{running.listener.address[1]}"), ByteBudget(1000))
        with pytest.raises(OSError, match=r"sources\.b : .* écoute déjà"):
            await other.run(running.hub.receive)


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
