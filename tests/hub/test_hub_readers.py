"""Reading in another process: what one message does to its reader costs the others nothing."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncGenerator

import pytest

from liaison.hl7.acknowledgement import read_ack
from liaison.hub.contracts import Reading, Sender, Verdict
from liaison.hub.readers import Readers
from liaison.hub.reading import read_hl7
from liaison.mappings.interpretation import SourceProfile
from tests.hub.bench import rules
from tests.hub.er7 import ADMISSION, adt
from tests.hub.people import NOW, PROFILE, SOURCE

#: Its messages cannot be read, for a fault of ours.
FAULTY = SourceProfile(source="faulty", finess=PROFILE.finess, time_zone="Nowhere/At-All")


@pytest.fixture
async def readers() -> AsyncGenerator[Readers]:
    made = Readers({SOURCE: PROFILE, FAULTY.source: FAULTY})
    await made.start()
    yield made
    await made.stop()


async def read(readers: Readers, raw: bytes, source: str = SOURCE) -> Reading:
    return await readers.read(raw, Sender(source=source), now=NOW, reply_id="R1")


async def test_a_reading_is_what_it_would_be_here(readers: Readers) -> None:
    for raw in (ADMISSION, b"not HL7", ADMISSION + b"NTE|1||" + b"x" * 300_000 + b"\r"):
        there = await read(readers, raw)
        here = read_hl7(raw, Sender(source=SOURCE), PROFILE, now=NOW, reply_id="R1")
        told = (there.raw, there.ids, there.facts, there.findings, there.verdict, there.reply, there.packed, there.establishment)
        assert told == (here.raw, here.ids, here.facts, here.findings, here.verdict, here.reply, here.packed, here.establishment)
        assert there.reply_as(Verdict.QUARANTINED, ()) == here.reply_as(Verdict.QUARANTINED, ())


async def test_a_message_that_cannot_be_read_costs_the_others_nothing(readers: Readers) -> None:
    sources = [FAULTY.source if number == 10 else SOURCE for number in range(20)]
    found = await asyncio.gather(*(read(readers, adt(MSH_10=f"C{n}"), source) for n, source in enumerate(sources)))
    assert [one.verdict is Verdict.ACCEPTED for one in found] == [source == SOURCE for source in sources]
    assert [read_ack(one.reply).control_id for one in found] == [f"C{n}" for n in range(20)]
    assert rules(found[10].findings) == ["hub.reader-lost"] and found[10].raw == adt(MSH_10="C10")


async def test_a_reader_that_dies_is_replaced_and_what_it_had_is_read_again(readers: Readers) -> None:
    assert (await read(readers, ADMISSION)).verdict is Verdict.ACCEPTED
    waiting = [asyncio.ensure_future(read(readers, adt(MSH_10=f"C{n}"))) for n in range(20)]
    await asyncio.sleep(0)
    for process in multiprocessing.active_children():
        if process.name == "liaison-reader":
            process.kill()
    assert [read_ack(one.reply).control_id for one in await asyncio.gather(*waiting)] == [f"C{n}" for n in range(20)]
    assert {one.result().verdict for one in waiting} == {Verdict.ACCEPTED}
