"""Whatever comes in whatever order, lanes stay whole: a random life of a journal, with restarts."""

from __future__ import annotations

import asyncio
import enum
import tempfile
from pathlib import Path
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from liaison.hub.acts import Moved
from liaison.hub.claims import Claimed, Recover, Stale
from liaison.hub.contracts import Attempt, Delivered, Reading, Refused, Unavailable, Uncertain
from liaison.hub.journal.records import DeliveryRecord
from liaison.hub.retry import RetryPolicy
from liaison.hub.states import MOVES, Work
from tests.hub.acting import call_off, let_go
from tests.hub.bench import Bench, Clock, faults_of_lanes
from tests.hub.people import admission, identity, letter, merge, reading, transfer

PEOPLE = st.sampled_from(["1", "2", "3"])
ATTEMPTS: tuple[Attempt, ...] = (
    Delivered(),
    Unavailable(reason="x"),
    Uncertain(reason="x"),
    Refused(code="x", reason="x"),
)


class Deed(enum.Enum):
    """What a person does to a delivery."""

    LET_GO = "let go"
    CALL_OFF = "call off"
    RECEIVED = "received"


def message(kind: str, person: str, number: int) -> Reading:
    """One message of a random life."""
    match kind:
        case "admission":
            return reading(*admission(person, f"V{person}"))
        case "transfer":
            return reading(*transfer(person, f"V{person}", 2 + number))
        case "letter":
            return reading(identity(person, minutes=number), letter(person, f"D{person}-{number % 4}"), kind="ORU^R01")
        case "doubt":
            return reading(identity(person, statuses=("DOUT",), minutes=number))
        case _:
            return reading(merge(person, str(number % 3 + 1), minutes=number), kind="ADT^A40")


kinds = st.sampled_from(["admission", "transfer", "transfer", "letter", "doubt", "merge"])
messages = st.lists(st.tuples(kinds, PEOPLE, st.integers(0, 9)), min_size=1, max_size=4)
steps = st.one_of(
    messages,
    messages,
    st.tuples(st.sampled_from(["platform", "mail"]), st.integers(0, 5)),
    st.tuples(st.integers(0, 5), st.sampled_from(ATTEMPTS)),
    st.sampled_from([1.0, 90.0]),
    st.tuples(st.sampled_from(Deed), st.integers(0, 9)),
    st.just("restart"),
)
Step: TypeAlias = list[tuple[str, str, int]] | tuple[Deed, int] | tuple[str, int] | tuple[int, Attempt] | float | str


class Life:
    """A journal with what workers have in hand."""

    def __init__(self, folder: Path) -> None:
        self.bench = Bench(folder, Clock())
        self.bench.retry = RetryPolicy(give_up_after=200.0)
        self.in_hand: list[DeliveryRecord] = []
        self.answered = 0

    async def step(self, step: Step) -> None:
        """One thing that happens."""
        match step:
            case list():
                taken = await self.bench.take_together(*(message(*one) for one in step))
                failures = [one for one in taken if isinstance(one, BaseException)]
                assert failures == []
                self.answered += len(taken)
            case (Deed() as deed, int(pick)):
                await self.act(deed, pick)
            case (str(destination), int(pick)):
                lanes = self.bench.rows("SELECT patient FROM lane WHERE destination = ? ORDER BY patient", destination)
                if lanes:
                    answer = await self.bench.claim(lanes[pick % len(lanes)][0], destination)
                    if isinstance(answer, Claimed):
                        self.in_hand.append(answer.delivery)
            case (int(pick), attempt):
                if self.in_hand:
                    delivery = self.in_hand.pop(pick % len(self.in_hand))
                    newer = any(one.id == delivery.id and one.epoch > delivery.epoch for one in self.in_hand)
                    settled = await self.bench.settle(delivery, attempt)
                    assert not newer or isinstance(settled, Stale)
            case float(seconds):
                self.bench.clock.move(seconds)
            case _:
                await self.restart()

    async def act(self, deed: Deed, pick: int) -> None:
        """A person decides on any delivery, whether it may be decided on or not."""
        rows = self.bench.rows("SELECT id, work FROM delivery ORDER BY id")
        if not rows:
            return
        number, before = rows[pick % len(rows)]
        answer = await self.bench.commit(
            let_go(self.bench, number) if deed is Deed.LET_GO else call_off(self.bench, number, received=deed is Deed.RECEIVED)
        )
        ((after,),) = self.bench.rows("SELECT work FROM delivery WHERE id = ?", number)
        if isinstance(answer, Moved):
            assert after == answer.work and (after == before or Work(after) in MOVES[Work(before)])
        else:
            assert after == before
        # Whoever had it in hand has it no more, or still alone.
        assert after != "sending" or before == "sending"

    async def restart(self) -> None:
        """The hub stops with work in hand, and starts again."""
        await self.bench.reopen()
        for left in self.bench.journal.reader.interrupted():
            recover = Recover(delivery=left.id, patient=left.patient, destination=left.destination, may_have_left=True, wait=0.0)
            assert await self.bench.commit(recover)
        self.in_hand.clear()


@settings(max_examples=25, deadline=None)
@given(life=st.lists(steps, min_size=3, max_size=12))
def test_lanes_stay_whole(life: list[Step]) -> None:
    async def live() -> None:
        with tempfile.TemporaryDirectory() as folder:
            one = Life(Path(folder))
            try:
                for step in life:
                    await one.step(step)
                    assert faults_of_lanes(one.bench.path) == []
                assert one.bench.journal.reader.counts().messages == one.answered
            finally:
                await one.bench.journal.close()

    asyncio.run(live())
