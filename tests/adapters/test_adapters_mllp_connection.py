"""One connection to the MLLP server: framing, order, noise, slowness, age, and peers that die."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
import structlog

from liaison.hl7.acknowledgement import read_ack
from liaison.hub.contracts import Answer, Sender, Verdict
from tests.adapters.mllp import MESSAGE, echo_reply, frame, listening


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
