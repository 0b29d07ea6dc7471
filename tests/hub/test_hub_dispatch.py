"""Dispatch on a real journal, with destinations that follow a script. The clock goes on a second whenever it is looked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from liaison.adapters.memory import MemoryDestination
from liaison.hub.claims import Claimed, Withheld
from liaison.hub.contracts import Attempt, Delivered, Destination, Parcel, Refused, Unavailable, Uncertain
from liaison.hub.dispatch import Dispatcher, Parcels, Station
from liaison.hub.lanes import ReadyLanes
from liaison.hub.parcels import EventParcels, EventShelf
from liaison.hub.retry import RetryPolicy
from tests.hub.bench import Bench, Clock, patient_of
from tests.hub.people import admission, identity, letter, reading, transfer
from tests.servers.eventually import eventually

#: Never longer than a look or two at the clock.
QUICK = RetryPolicy(first=1.0, longest=1.0, uncertain=1.0, give_up_after=1e9)
LONG = 1e9


class Going:
    """The bench's clock, one second later at each look."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self) -> datetime:
        self._clock.move(1.0)
        return self._clock()


@asynccontextmanager
async def dispatching(
    bench: Bench,
    destination: Destination,
    *,
    name: str = "platform",
    parcels: Parcels | None = None,
    workers: int = 4,
    seconds: float = LONG,
    retry: RetryPolicy = QUICK,
) -> AsyncGenerator[Dispatcher]:
    parcels = parcels or EventParcels(bench.journal.reader, EventShelf())
    station = Station(
        name=name, destination=destination, parcels=parcels, retry=retry, workers=workers, attempt_seconds=seconds, keeps_ids=True
    )
    dispatcher = Dispatcher(
        writer=bench.journal.writer,
        reader=bench.journal.reader,
        stations={name: station},
        last_look=bench.last_look,
        clock=Going(bench.clock),
    )
    await dispatcher.start()
    try:
        yield dispatcher
    finally:
        await dispatcher.stop(0.2)


def done(bench: Bench, name: str = "platform") -> bool:
    return all(due is None for (due,) in bench.rows("SELECT due FROM lane WHERE destination = ?", name))


async def test_without_any_hint_everything_is_delivered_in_order(bench: Bench) -> None:
    for number in range(1, 5):
        await bench.take(reading(*admission(str(number), f"V{number}")))
        await bench.take(reading(*transfer(str(number), f"V{number}", 2)))
    destination = MemoryDestination()
    async with dispatching(bench, destination):
        await destination.wait_for(12)
        await eventually(lambda: done(bench))
    by_lane: dict[str, list[int]] = {}
    for parcel in destination.parcels:
        by_lane.setdefault(parcel.lane, []).append(parcel.lane_seq)
    assert list(by_lane.values()) == [[1, 2, 3]] * 4
    assert {work for _, work in bench.works()} == {"submitted"}


async def test_a_hint_brings_work_at_once(bench: Bench) -> None:
    destination = MemoryDestination()
    async with dispatching(bench, destination) as dispatcher:
        taken = await bench.take(reading(identity("1")))
        for name, patient in taken.wake:
            dispatcher.wake(name, patient)
        dispatcher.wake("nowhere", 1)
        (parcel,) = await destination.wait_for(1)
    assert parcel.id == taken.events[0].id and parcel.content_type == "application/cloudevents+json"


async def test_every_failure_is_tried_again_with_the_same_bytes_before_the_next(bench: Bench) -> None:
    script: Iterable[Attempt | BaseException] = [
        Unavailable(reason="refusé"),
        Uncertain(reason="coupé"),
        ConnectionResetError("cut"),
        TimeoutError(),
        RuntimeError("a fault in an adapter"),
        Unavailable(reason="plus tard", retry_after=1.0),
    ]
    await bench.take(reading(*admission("1", "V1")))
    destination = MemoryDestination(script)
    async with dispatching(bench, destination):
        await destination.wait_for(8)
        await eventually(lambda: done(bench))
    assert [parcel.lane_seq for parcel in destination.parcels] == [1] * 7 + [2]
    assert len({parcel.body for parcel in destination.parcels[:7]}) == 1
    tried = [outcome for (outcome,) in bench.rows("SELECT outcome FROM attempt ORDER BY delivery, number")]
    expected = ["unavailable", "uncertain", "uncertain", "uncertain", "uncertain", "unavailable", "delivered", "delivered"]
    assert tried == expected


async def test_what_a_destination_will_never_take_frees_the_lane(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1")))
    destination = MemoryDestination([Refused(code="AR", reason="inconnu")])
    async with dispatching(bench, destination):
        await eventually(lambda: done(bench))
    assert bench.works() == [(1, "failed"), (2, "submitted")]


class Slow(MemoryDestination):
    """Keeps the parcels of one lane waiting until it is told otherwise."""

    def __init__(self, lane: str) -> None:
        super().__init__()
        self.lane, self.free = lane, asyncio.Event()

    async def deliver(self, parcel: Parcel) -> Attempt:
        answer = await super().deliver(parcel)
        if parcel.lane == self.lane:
            await self.free.wait()
        return answer


async def test_a_slow_lane_never_stops_another(bench: Bench) -> None:
    first = await bench.take(reading(*admission("1", "V1")))
    await bench.take(reading(*admission("2", "V2")))
    destination = Slow(f"platform/{patient_of(first):016x}")
    async with dispatching(bench, destination, workers=2):
        parcels = await destination.wait_for(3)
        assert sorted((parcel.lane == destination.lane, parcel.lane_seq) for parcel in parcels) == [
            (False, 1),
            (False, 2),
            (True, 1),
        ]
        destination.free.set()
        await eventually(lambda: done(bench))


async def test_an_attempt_that_takes_too_long_is_uncertain(bench: Bench) -> None:
    first = await bench.take(reading(identity("1")))
    destination = Slow(f"platform/{patient_of(first):016x}")
    async with dispatching(bench, destination, seconds=0.01):
        await destination.wait_for(2)
        destination.free.set()
        await eventually(lambda: done(bench))
    outcomes = [outcome for (outcome,) in bench.rows("SELECT outcome FROM attempt ORDER BY number")]
    assert outcomes[0] == "uncertain" and outcomes[-1] == "delivered"


async def test_an_adapter_that_cancels_itself_is_uncertain_and_costs_no_worker(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1")))
    destination = MemoryDestination([asyncio.CancelledError()])
    async with dispatching(bench, destination, workers=1):
        await destination.wait_for(3)
        await eventually(lambda: done(bench))
    assert [parcel.lane_seq for parcel in destination.parcels] == [1, 1, 2]


class Failing:
    """Parcels that cannot be made for one patient, for a reason that nobody foresaw."""

    def __init__(self, bench: Bench, patient: int) -> None:
        self._parcels, self._patient = EventParcels(bench.journal.reader, EventShelf()), patient

    async def make(self, claimed: Claimed) -> Parcel | Withheld:
        if claimed.delivery.patient == self._patient:
            raise KeyError("unforeseen")
        return await self._parcels.make(claimed)


async def test_a_parcel_that_cannot_be_made_waits_for_a_person_and_costs_no_worker(bench: Bench) -> None:
    bad = patient_of(await bench.take(reading(*admission("1", "V1"))))
    await bench.take(reading(*admission("2", "V2")))
    destination = MemoryDestination()
    async with dispatching(bench, destination, workers=1, parcels=Failing(bench, bad)):
        await destination.wait_for(2)
        await eventually(lambda: done(bench))
    assert bench.rows("SELECT DISTINCT work FROM delivery WHERE patient = ?", bad) == [("held",)]
    assert len(bench.rows("SELECT id FROM hold WHERE owner = 'gcs'")) == 2


class Rendering:
    """Renders another body each time; reads back what the journal keeps."""

    def __init__(self, bench: Bench) -> None:
        self._reader, self.rendered = bench.journal.reader, 0

    async def make(self, claimed: Claimed) -> Parcel | Withheld:
        delivery = claimed.delivery
        body = self._reader.parcel(delivery.id, delivery.patient) if delivery.attempts > 1 else None
        if body is None:
            self.rendered += 1
            body = f"mail {self.rendered}".encode()
        return Parcel(id=delivery.token, kind="letter", body=body, content_type="message/rfc822", lane="mail/1", lane_seq=1)


@pytest.mark.parametrize("claims_before", [0, 1])
async def test_a_letter_is_rendered_once_for_all_its_attempts(bench: Bench, claims_before: int) -> None:
    patient = patient_of(await bench.take(reading(identity("1"), letter("1", "D1"))))
    for _ in range(claims_before):
        await bench.claimed(patient, "mail")  # the hub stops before anything was rendered
        await bench.reopen()
    destination = MemoryDestination([Unavailable(reason="x"), Uncertain(reason="y"), Delivered()])
    rendering = Rendering(bench)
    async with dispatching(bench, destination, name="mail", parcels=rendering):
        await eventually(lambda: done(bench, "mail"))
    assert [parcel.body for parcel in destination.parcels] == [b"mail 1"] * 3
    assert bench.rows("SELECT delivery FROM parcel") == []


async def test_what_an_earlier_hub_was_sending_goes_again_with_the_same_id(bench: Bench) -> None:
    patient = patient_of(await bench.take(reading(*admission("1", "V1"))))
    left = await bench.claimed(patient)
    await bench.reopen()
    destination = MemoryDestination()
    async with dispatching(bench, destination):
        await eventually(lambda: done(bench))
    assert [parcel.lane_seq for parcel in destination.parcels] == [1, 2]
    tried = bench.rows("SELECT outcome FROM attempt WHERE delivery = ? ORDER BY number", left.id)
    assert tried == [("interrupted",), ("delivered",)]


async def test_stopping_leaves_what_is_under_way_to_the_next_start(bench: Bench) -> None:
    first = await bench.take(reading(*admission("1", "V1")))
    destination = Slow(f"platform/{patient_of(first):016x}")
    async with dispatching(bench, destination):
        await destination.wait_for(1)
    assert destination.closed and bench.works() == [(1, "sending"), (2, "pending")]
    again = MemoryDestination()
    async with dispatching(bench, again):
        await eventually(lambda: done(bench))
    assert again.parcels[0].id == destination.parcels[0].id


@pytest.mark.parametrize("fault", [KeyError("unforeseen"), asyncio.CancelledError()])
async def test_a_part_that_ends_by_itself_runs_again(bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> None:
    monkeypatch.setattr("liaison.hub.dispatch._AGAIN", 0.0)
    monkeypatch.setattr("liaison.hub.dispatch.RELAY_EVERY", 0.001)
    faults = [fault, fault]
    give_back = ReadyLanes.give_back

    def failing(lanes: ReadyLanes, patient: int, at: float | None) -> None:
        give_back(lanes, patient, at)
        if faults:
            raise faults.pop()

    monkeypatch.setattr(ReadyLanes, "give_back", failing)
    await bench.take(reading(*admission("1", "V1")))
    destination = MemoryDestination()
    async with dispatching(bench, destination, workers=1) as dispatcher:
        await destination.wait_for(2)
        await eventually(lambda: done(bench) and not faults)
        assert dispatcher.ended == ()


async def test_a_journal_that_cannot_be_asked_for_a_moment_stops_no_relay(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    lanes_due = bench.journal.reader.lanes_due

    def sometimes(destination: str, before: int, *, most: int) -> object:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise OSError("disk")
        return lanes_due(destination, before, most=most)

    monkeypatch.setattr(bench.journal.reader, "lanes_due", sometimes)
    monkeypatch.setattr("liaison.hub.dispatch.RELAY_EVERY", 0.001)
    await bench.take(reading(*admission("1", "V1")))
    destination = MemoryDestination()
    async with dispatching(bench, destination):
        await destination.wait_for(2)
        await eventually(lambda: done(bench))
