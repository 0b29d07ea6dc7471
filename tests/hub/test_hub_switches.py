"""What a person stops: kept in the journal, obeyed by claims and by dispatch."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from liaison.adapters.memory import MemoryDestination
from liaison.hub.claims import Claimed, NotNow
from liaison.hub.dispatch import Dispatcher, Station
from liaison.hub.journal.records import microseconds
from liaison.hub.parcels import EventParcels, EventShelf
from liaison.hub.switches import DELIVERIES, LETTERS, Switches, Turn, of_destination
from tests.hub.bench import Bench, patient_of
from tests.hub.people import identity, letter, reading
from tests.servers.eventually import eventually


async def test_a_switch_is_turned_once_and_outlives_the_hub(bench: Bench) -> None:
    name = of_destination("mail")
    assert await bench.commit(Turn(name=name, stopped=True)) is True
    assert await bench.commit(Turn(name=name, stopped=True)) is False
    await bench.reopen()
    assert bench.journal.reader.switches() == {name: microseconds(bench.clock.now)}
    assert bench.journal.reader.counts().stopped == (name,)
    assert await bench.commit(Turn(name=name, stopped=False)) is True
    assert await bench.commit(Turn(name=name, stopped=False)) is False
    await bench.reopen()
    assert bench.journal.reader.switches() == {}


async def test_in_one_batch_the_last_turn_stands(bench: Bench) -> None:
    turns = (Turn(name=LETTERS, stopped=stopped) for stopped in (True, False, False, True))
    assert await bench.together(*turns) == [True, True, False, True]
    assert list(bench.journal.reader.switches()) == [LETTERS]
    assert await bench.together(Turn(name=LETTERS, stopped=False), Turn(name=LETTERS, stopped=True)) == [True, True]
    assert list(bench.journal.reader.switches()) == [LETTERS]
    assert await bench.together(Turn(name=LETTERS, stopped=True), Turn(name=LETTERS, stopped=False)) == [False, True]
    assert bench.journal.reader.switches() == {}


async def test_while_letters_are_stopped_none_is_claimed_and_events_are(bench: Bench) -> None:
    lane = patient_of(await bench.take(reading(identity("1"), letter("1", "D1"))))
    await bench.commit(Turn(name=LETTERS, stopped=True))
    await bench.reopen()
    rest = await bench.claim(lane, "mail")
    assert isinstance(rest, NotNow) and rest.due is not None
    # The relay does not ask for it again before then.
    assert bench.journal.reader.lanes_due("mail", rest.due - 1, most=10) == ()
    assert bench.works("mail") == [(1, "pending")]
    assert isinstance(await bench.claim(lane, "platform"), Claimed)
    await bench.commit(Turn(name=LETTERS, stopped=False))
    assert isinstance(await bench.claim(lane, "mail"), Claimed)


class Watched(Switches):
    """Counts who looked."""

    looks = 0

    def stopped(self, *names: str) -> bool:
        self.looks += 1
        return super().stopped(*names)


@asynccontextmanager
async def dispatching(bench: Bench, destination: MemoryDestination, switches: Switches) -> AsyncGenerator[Dispatcher]:
    station = Station(
        name="platform",
        destination=destination,
        parcels=EventParcels(bench.journal.reader, EventShelf()),
        workers=2,
        only_letters=True,
    )
    dispatcher = Dispatcher(
        writer=bench.journal.writer,
        reader=bench.journal.reader,
        stations={"platform": station},
        last_look=bench.last_look,
        clock=bench.clock,
        switches=switches,
    )
    await dispatcher.start()
    try:
        yield dispatcher
    finally:
        await dispatcher.stop(0.2)


@pytest.mark.parametrize("name", [of_destination("platform"), DELIVERIES, LETTERS])
async def test_a_stopped_destination_gets_nothing_until_it_goes_on(bench: Bench, name: str) -> None:
    destination, switches = MemoryDestination(), Watched({name})
    lane = patient_of(await bench.take(reading(identity("1"))))
    async with dispatching(bench, destination, switches) as dispatcher:
        dispatcher.wake("platform", lane)
        await eventually(lambda: switches.looks > 3)
        assert destination.parcels == [] and bench.works() == [(1, "pending")]
        switches.turned(name, stopped=False)
        await destination.wait_for(1)


async def test_what_stops_one_destination_leaves_the_others_alone(bench: Bench) -> None:
    destination = MemoryDestination()
    await bench.take(reading(identity("1")))
    async with dispatching(bench, destination, Switches({of_destination("mail")})):
        await destination.wait_for(1)
