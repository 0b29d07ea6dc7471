"""Whatever the modes do meanwhile, nothing of a source that is not live is ever anybody's to send: a random life of a real journal."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from liaison.care.identifiers import Identifier
from liaison.hub.claims import Claimed
from liaison.hub.contracts import Attempt, Delivered, Reading, Refused, Unavailable, Uncertain
from liaison.hub.journal.records import DeliveryRecord
from liaison.hub.last_look import PolicyLastLook
from liaison.rules.golive import AllowList, GoingLive, Mode, Standing
from tests.hub.bench import Bench, Clock, faults_of_lanes, policy
from tests.hub.people import GP, OTHER_GP, admission, identity, ipp, letter, merge, reading, transfer

R = TypeVar("R")

SOURCES = ("one", "two")
PEOPLE = ("1", "2", "3")
ATTEMPTS: tuple[Attempt, ...] = (Delivered(), Unavailable(reason="x"), Uncertain(reason="x"), Refused(code="x", reason="x"))
MODES: tuple[Mode, ...] = ("live", "live", "load", "shadow")

standings = st.builds(Standing, mode=st.sampled_from(MODES), letters=st.sampled_from(["send", "observe"]))
NOTHING: dict[str, AllowList] = {}
NOBODY: frozenset[Identifier] = frozenset()
some_people = st.frozensets(st.sampled_from([ipp(person) for person in PEOPLE]), max_size=1)
lists = st.builds(AllowList, addresses=st.frozensets(st.sampled_from([GP, OTHER_GP]), max_size=1), patients=some_people)
configurations = st.builds(
    GoingLive,
    sources=st.fixed_dictionaries(dict.fromkeys(SOURCES, standings)),
    only_to=st.one_of(st.just(NOTHING), st.dictionaries(st.sampled_from(["platform", "mail"]), lists, max_size=2)),
    test_patients=st.one_of(st.just(NOBODY), some_people),
)
kinds = st.sampled_from(["letter", "admission", "letter", "transfer", "letter", "doubt", "merge"])
messages = st.tuples(st.sampled_from(SOURCES), kinds, st.sampled_from(PEOPLE), st.integers(0, 9))


def message(source: str, kind: str, person: str, number: int) -> Reading:
    """One message of a random life."""
    match kind:
        case "admission":
            return reading(*admission(person, f"V{person}"), source=source)
        case "transfer":
            return reading(*transfer(person, f"V{person}", 2 + number), source=source)
        case "letter":
            to = (GP, OTHER_GP)[number % 2]
            return reading(identity(person, minutes=number), letter(person, f"D{person}-{number % 4}", to), source=source)
        case "doubt":
            return reading(identity(person, statuses=("DOUT",), minutes=number), source=source)
        case _:
            return reading(merge(person, str(number % 3 + 1), minutes=number), kind="ADT^A40", source=source)


class GoingLiveOfTwoSources(RuleBasedStateMachine):
    """Two hospitals go live, back, and live again, while workers claim whatever they can."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._folder = tempfile.TemporaryDirectory()
        self.bench = self.run(self.made())
        self.in_hand: list[DeliveryRecord] = []
        self.shadowed: set[int] = set()
        self.use(GoingLive(sources=dict.fromkeys(SOURCES, Standing())))

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        return self._runner.run(work)

    async def made(self) -> Bench:
        return Bench(Path(self._folder.name), Clock())

    def teardown(self) -> None:
        self.run(self.bench.journal.close())
        self._runner.close()
        self._folder.cleanup()

    def use(self, going_live: GoingLive) -> None:
        self.going_live = going_live
        self.bench.policy = replace(policy(), going_live=going_live)
        self.bench.last_look = PolicyLastLook(self.bench.policy)

    @rule(going_live=configurations)
    def go_on_under(self, going_live: GoingLive) -> None:
        """Another configuration; what the workers had in hand is lost with the process that had it, and its leases end."""
        self.in_hand.clear()
        self.bench.clock.move(90)
        self.use(going_live)

    @rule(batch=st.lists(messages, min_size=1, max_size=3))
    def take(self, batch: list[tuple[str, str, str, int]]) -> None:
        taken = self.run(self.bench.take_together(*(message(*one) for one in batch)))
        assert [one for one in taken if isinstance(one, BaseException)] == []

    @rule()
    def claim_every_lane(self) -> None:
        for patient, destination in self.bench.rows("SELECT patient, destination FROM lane WHERE due IS NOT NULL"):
            answer = self.run(self.bench.claim(patient, destination))
            if isinstance(answer, Claimed):
                self.may_leave(answer)
                self.in_hand.append(answer.delivery)

    def may_leave(self, claimed: Claimed) -> None:
        delivery, patient = claimed.delivery, claimed.patient
        assert patient is not None
        standing, who = self.going_live.sources[delivery.source], set(patient.state.active_identifiers)
        assert standing.mode == "live"
        assert delivery.document is None or standing.letters == "send"
        assert not who & self.going_live.test_patients
        allowed = self.going_live.only_to.get(delivery.destination)
        assert allowed is None or delivery.recipient in allowed.addresses or who & allowed.patients

    @precondition(lambda self: bool(self.in_hand))
    @rule(pick=st.integers(0, 9), attempt=st.sampled_from(ATTEMPTS), seconds=st.sampled_from([1.0, 90.0]))
    def settle(self, pick: int, attempt: Attempt, seconds: float) -> None:
        self.run(self.bench.settle(self.in_hand.pop(pick % len(self.in_hand)), attempt))
        self.bench.clock.move(seconds)

    @invariant()
    def what_is_shadowed_stays_so_and_was_never_tried(self) -> None:
        rows = self.bench.rows("SELECT id, lane_seq, epoch, attempts FROM delivery WHERE work = 'shadowed'")
        assert {row[1:] for row in rows} <= {(None, 0, 0)}
        assert {row[0] for row in rows} >= self.shadowed
        self.shadowed = {row[0] for row in rows}

    @invariant()
    def what_was_taken_in_a_mode_keeps_it(self) -> None:
        works = self.bench.rows(
            "SELECT DISTINCT m.mode, d.work FROM delivery d JOIN message m ON m.id = d.message WHERE m.mode IS NOT NULL"
        )
        assert set(works) <= {("shadow", "shadowed")}
        assert (
            self.bench.rows("SELECT h.id FROM hold h JOIN message m ON m.id = h.message WHERE h.delivery AND m.mode IS NOT NULL")
            == []
        )

    @invariant()
    def lanes_stay_whole(self) -> None:
        assert faults_of_lanes(self.bench.path) == []


GoingLiveOfTwoSources.TestCase.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
TestGoingLive = GoingLiveOfTwoSources.TestCase
