"""The source and the destination that live in memory."""

from __future__ import annotations

import asyncio

import pytest

from liaison.adapters.memory import MemoryDestination, MemorySource
from liaison.hub.contracts import Answer, Delivered, Destination, Parcel, Refused, Sender, Source, Unavailable, Verdict


def parcel(name: str) -> Parcel:
    return Parcel(id=name, kind="stay.admitted", body=b"{}", content_type="application/json", lane="a", lane_seq=1)


async def echo(message: bytes, sender: Sender) -> Answer:
    return Answer(verdict=Verdict.ACCEPTED, reply=f"{sender.source} {sender.peer} ".encode() + message)


async def test_put_waits_for_the_hub_and_gives_its_answer() -> None:
    source = MemorySource("ch-test")
    early = asyncio.create_task(source.put(b"1"))
    running = asyncio.create_task(source.run(echo))
    assert (await early).reply == b"ch-test memory 1"
    assert (await source.put(b"2", peer="10.1.0.5:4000")).reply == b"ch-test 10.1.0.5:4000 2"
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_stopping_waits_for_the_answers_that_are_due() -> None:
    gate = asyncio.Event()

    async def slow(message: bytes, sender: Sender) -> Answer:
        await gate.wait()
        return await echo(message, sender)

    source = MemorySource("ch-test")
    running = asyncio.create_task(source.run(slow))
    putting = asyncio.create_task(source.put(b"1"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.sleep(0)
    assert not running.done()
    gate.set()
    assert (await putting).verdict is Verdict.ACCEPTED
    await asyncio.wait({running})


async def test_put_raises_what_the_hub_raises() -> None:
    async def broken(message: bytes, sender: Sender) -> Answer:
        raise RuntimeError("journal")

    source = MemorySource("ch-test")
    running = asyncio.create_task(source.run(broken))
    with pytest.raises(RuntimeError, match="journal"):
        await source.put(b"1")
    running.cancel()
    await asyncio.wait({running})


async def test_a_destination_keeps_parcels_and_follows_its_script() -> None:
    destination = MemoryDestination([Unavailable(reason="plus tard"), ConnectionResetError("cut"), Refused(code="1", reason="non")])
    assert await destination.deliver(parcel("a")) == Unavailable(reason="plus tard")
    with pytest.raises(ConnectionResetError):
        await destination.deliver(parcel("a"))
    assert await destination.deliver(parcel("a")) == Refused(code="1", reason="non")
    assert await destination.deliver(parcel("b")) == Delivered(reference="b")
    assert [one.id for one in destination.parcels] == ["a", "a", "a", "b"]


async def test_a_test_can_wait_for_parcels() -> None:
    destination = MemoryDestination()
    waiting = asyncio.create_task(destination.wait_for(2))
    await destination.deliver(parcel("a"))
    await destination.deliver(parcel("b"))
    assert [one.id for one in await waiting] == ["a", "b"]


async def test_a_probe_can_be_made_to_fail() -> None:
    destination = MemoryDestination()
    await destination.probe()
    destination.fault = ConnectionRefusedError("down")
    with pytest.raises(ConnectionRefusedError):
        await destination.probe()
    await destination.close()
    assert destination.closed


async def test_they_keep_the_contracts() -> None:
    source: Source = MemorySource("a")
    destination: Destination = MemoryDestination()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await source.run(echo)
    assert await destination.deliver(parcel("a")) == Delivered(reference="a")
