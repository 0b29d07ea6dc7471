"""Which lanes have work, in memory: a state machine against a simple model, on a loop whose clock only the test moves."""

from __future__ import annotations

import asyncio

import uvloop
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from liaison.hub.lanes import ReadyLanes

LANES = st.integers(1, 6)
DELAYS = st.sampled_from([0.0, 0.5, 1.0, 7.0])


class StillLoop(asyncio.SelectorEventLoop):
    """A loop whose time is a number that a test sets."""

    now = 1_000.0

    def time(self) -> float:
        return self.now


class Lanes(RuleBasedStateMachine):
    """Workers take and give back, the journal and the intake tell; the model is a table of due times."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = StillLoop()
        self.lanes = ReadyLanes(most=100)
        self.due: dict[int, float] = {}
        self.again: dict[int, float] = {}
        self.busy: set[int] = set()
        self.waiting: list[asyncio.Task[int | None]] = []

    def teardown(self) -> None:
        async def end() -> None:
            self.lanes.close()
            assert [await task for task in self.waiting] == [None] * len(self.waiting)

        self.loop.run_until_complete(end())
        self.loop.close()

    def settle(self) -> None:
        """Let the loop run what is due, then look at who took what."""

        async def turn() -> None:
            for _ in range(6):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turn())
        for task in [task for task in self.waiting if task.done()]:
            self.waiting.remove(task)
            lane = task.result()
            assert lane is not None and lane not in self.busy, "two workers have one lane"
            assert self.due.pop(lane) <= self.loop.now, "a lane was handed out before it was due"
            self.busy.add(lane)

    @rule(lane=LANES, delay=DELAYS)
    def tell(self, lane: int, delay: float) -> None:
        at = self.loop.now + delay if delay else 0.0

        async def add() -> None:
            self.lanes.add(lane, at)

        self.loop.run_until_complete(add())
        if lane in self.busy:
            self.again[lane] = min(at, self.again.get(lane, at))
        else:
            self.due[lane] = min(at, self.due.get(lane, at))
        self.settle()

    @rule()
    def take(self) -> None:
        async def start() -> asyncio.Task[int | None]:
            return asyncio.ensure_future(self.lanes.take())

        self.waiting.append(self.loop.run_until_complete(start()))
        self.settle()

    @precondition(lambda self: self.busy)
    @rule(pick=st.integers(0, 10), delay=st.one_of(st.none(), DELAYS))
    def give_back(self, pick: int, delay: float | None) -> None:
        lane = sorted(self.busy)[pick % len(self.busy)]
        at = None if delay is None else self.loop.now + delay if delay else 0.0

        async def give() -> None:
            self.lanes.give_back(lane, at)

        self.loop.run_until_complete(give())
        self.busy.discard(lane)
        times = [one for one in (at, self.again.pop(lane, None)) if one is not None]
        if times:
            self.due[lane] = min(*times, self.due.get(lane, times[0]))
        self.settle()

    @rule(seconds=st.sampled_from([0.5, 1.0, 10.0]))
    def pass_time(self, seconds: float) -> None:
        self.loop.now += seconds
        self.settle()

    @precondition(lambda self: self.waiting)
    @rule()
    def a_worker_goes_away(self) -> None:
        task = self.waiting.pop()
        task.cancel()

        async def gone() -> None:
            await asyncio.wait([task])

        self.loop.run_until_complete(gone())
        self.settle()

    @invariant()
    def nothing_due_waits_while_a_worker_does(self) -> None:
        if self.waiting:
            assert not [lane for lane, at in self.due.items() if at <= self.loop.now]

    @invariant()
    def what_is_told_is_known(self) -> None:
        assert len(self.lanes) == len(self.due)
        assert not self.lanes.overflowed


Lanes.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestLanes = Lanes.TestCase


async def test_past_its_bound_it_says_that_the_journal_knows_of_more() -> None:
    lanes = ReadyLanes(most=2)
    for lane in (1, 2, 3):
        lanes.add(lane)
    assert lanes.overflowed and len(lanes) == 2
    assert [await lanes.take(), await lanes.take()] == [1, 2]


def test_times_that_are_past_wake_their_lanes_on_the_loop_that_the_hub_runs_on() -> None:
    async def past() -> list[int | None]:
        lanes, now = ReadyLanes(), asyncio.get_running_loop().time()
        # A timer that is due already is no timer on this loop.
        for lane in (1, 2, 3):
            lanes.add(lane, now - lane)
        return [await lanes.take() for _ in range(3)]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert sorted(runner.run(past()), key=str) == [1, 2, 3]


async def test_closing_wakes_whoever_waits() -> None:
    lanes = ReadyLanes()
    waiting = [asyncio.ensure_future(lanes.take()) for _ in range(3)]
    await asyncio.sleep(0)
    lanes.close()
    assert await asyncio.gather(*waiting) == [None, None, None]
    lanes.add(1)
    assert await lanes.take() is None
    await lanes.wait_closed(60)


async def test_it_shows_numbers_only() -> None:
    lanes = ReadyLanes()
    lanes.add(7)
    assert repr(lanes) == "<ReadyLanes ready=1 later=0 busy=0>"
