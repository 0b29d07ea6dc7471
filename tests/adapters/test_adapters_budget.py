"""The one byte budget: who stops reading, who goes on, and that somebody always does."""

from __future__ import annotations

import asyncio

import pytest

from liaison.adapters.budget import READ_SIZE, ByteBudget


class Reader:
    """A reader that a test moves by hand."""

    def __init__(self, *, unfinished: bool = False, large: bool = False) -> None:
        self.unfinished = unfinished
        self.large = large
        self.resumed = asyncio.Event()

    def resume(self) -> None:
        self.resumed.set()


async def test_nobody_pauses_below_the_limit() -> None:
    budget = ByteBudget(100)
    budget.acquire(99)
    assert not budget.must_pause(Reader())


async def test_a_paused_reader_goes_on_once_an_answer_made_room() -> None:
    budget, busy, waiting = ByteBudget(100), Reader(), Reader(unfinished=True)
    budget.acquire(120)
    budget.begin(busy)
    assert budget.must_pause(waiting)
    assert not waiting.resumed.is_set()
    budget.end(120)
    assert waiting.resumed.is_set()
    assert budget.held == 0


async def test_readers_go_on_in_the_order_in_which_they_paused() -> None:
    budget, busy = ByteBudget(100), Reader()
    order: list[int] = []

    class Numbered(Reader):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        def resume(self) -> None:
            order.append(self.number)
            super().resume()

    budget.acquire(100)
    budget.begin(busy)
    readers = [Numbered(number) for number in range(5)]
    assert all(budget.must_pause(reader) for reader in readers)
    budget.end(100)
    assert order == [0]  # one read may spend the budget again
    await readers[-1].resumed.wait()  # the first had nothing to read: the others are not kept waiting for it
    assert order == [0, 1, 2, 3, 4]


async def test_room_for_several_reads_lets_several_go_on_at_once() -> None:
    budget, busy = ByteBudget(4 * READ_SIZE), Reader()
    budget.acquire(4 * READ_SIZE)
    budget.begin(busy)
    readers = [Reader() for _ in range(6)]
    assert all(budget.must_pause(reader) for reader in readers)
    budget.end(2 * READ_SIZE)
    assert [reader.resumed.is_set() for reader in readers] == [True, True, False, False, False, False]
    for reader in readers:
        budget.forget(reader)


async def test_a_budget_spent_on_unfinished_messages_lets_one_alone_be_completed() -> None:
    budget, first, second, idle = ByteBudget(100), Reader(unfinished=True), Reader(unfinished=True), Reader()
    budget.acquire(150)
    assert budget.must_pause(idle)  # holds nothing: completing it would free nothing
    assert not budget.must_pause(first)
    assert budget.must_pause(second)
    budget.acquire(50)
    assert not budget.must_pause(first)  # still the same one
    budget.begin(first)
    assert budget.must_pause(first)
    budget.end(80)  # 120 are held, none on its way: now the second is completed, past the idle one
    assert second.resumed.is_set()
    assert not idle.resumed.is_set()


async def test_the_one_being_completed_gives_up_its_place_when_it_goes_away() -> None:
    budget, first, second = ByteBudget(100), Reader(unfinished=True), Reader(unfinished=True)
    budget.acquire(150)
    assert not budget.must_pause(first)
    assert budget.must_pause(second)
    budget.forget(first)
    assert second.resumed.is_set()


async def test_a_reader_that_is_gone_is_not_resumed() -> None:
    budget, busy, gone, waiting = ByteBudget(100), Reader(), Reader(), Reader()
    budget.acquire(100)
    budget.begin(busy)
    assert budget.must_pause(gone)
    assert budget.must_pause(waiting)
    budget.forget(gone)
    budget.end(100)
    assert waiting.resumed.is_set()
    assert not gone.resumed.is_set()


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="budget"):
        ByteBudget(0)


def test_its_repr_tells_its_state() -> None:
    budget = ByteBudget(100)
    budget.acquire(7)
    assert repr(budget) == "<ByteBudget 7/100 bytes, 0 pending, 0 waiting>"


async def test_large_beginnings_that_fill_their_half_wait_for_one_another_and_for_nobody_else() -> None:
    budget = ByteBudget(100)
    first, second, ordinary = Reader(unfinished=True, large=True), Reader(unfinished=True, large=True), Reader(unfinished=True)
    budget.acquire(50, begun=50)
    assert budget.pressed
    assert not budget.must_pause(first), "one of them is completed"
    assert budget.must_pause(second)
    budget.acquire(60, begun=60)
    assert not budget.must_pause(ordinary), "what the favourite needs beyond their half is not taken from the others"
    assert not budget.must_pause(first)
    budget.acquire(0, begun=-80)
    budget.begin(first)
    budget.end(80)
    assert second.resumed.is_set()
    assert (budget.held, budget.begun) == (30, 30)


async def test_when_the_favourite_is_given_up_the_next_large_one_has_its_turn() -> None:
    budget = ByteBudget(100)
    readers = [Reader(unfinished=True, large=True) for _ in range(3)]
    budget.acquire(90, begun=90)
    assert [budget.must_pause(reader) for reader in readers] == [False, True, True]
    budget.release(30, begun=30)
    budget.forget(readers[0])
    assert [reader.resumed.is_set() for reader in readers[1:]] == [True, False]


async def test_very_many_beginnings_stop_everybody() -> None:
    budget = ByteBudget(100)
    budget.acquire(160, begun=160)
    assert not budget.must_pause(Reader(unfinished=True)), "someone has to go on"
    assert budget.must_pause(Reader(unfinished=True))
