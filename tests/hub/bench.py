"""A real journal in a folder, with a clock that only the test moves."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from liaison.finding import Finding
from liaison.hub.claims import Claim, ClaimAnswer, Claimed, LastLook, Needless, NotNow, Settle, Stale, Withheld
from liaison.hub.contracts import Attempt, Reading
from liaison.hub.engine import Journal, intake
from liaison.hub.intake import Taken
from liaison.hub.journal.records import DeliveryRecord, DocumentRecord, Key, PatientRecord, Record
from liaison.hub.journal.view import Command, Moment, View
from liaison.hub.policy import Policy
from liaison.hub.retry import RetryPolicy
from liaison.hub.states import BLOCKING, Work
from liaison.hub.vault.keys import master_keys
from liaison.hub.vault.ledger import Ledger
from liaison.hub.vault.sealing import Vault
from liaison.rules.decision import Objection
from liaison.rules.letters import LetterRules
from liaison.rules.routing import Route
from tests.hub.people import NOW, PROFILE, SOURCE

R = TypeVar("R")

KEYS = master_keys(bytes(range(32)))
ROUTES = (
    Route(events=("*",), to="platform", patients="all"),
    Route(documents=("11490-0",), to="mail", recipients=("named",)),
)
LEASE = 60.0


class Clock:
    """The time, until a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


def policy(*routes: Route) -> Policy:
    """Events to a platform and letters to mailboxes, unless other routes are given."""
    routes = routes or ROUTES
    destinations = tuple(dict.fromkeys(route.to for route in routes))
    return Policy(letters=LetterRules(routes=routes), profiles={SOURCE: PROFILE}, destinations=destinations)


def no_objection(
    delivery: DeliveryRecord, patient: PatientRecord | None, document: DocumentRecord | None, *, now: int
) -> Objection | None:
    """A last look that lets everything through."""
    return None


class Gate:
    """A command that keeps the writer busy until a test opens it: what is sent meanwhile makes one batch."""

    def __init__(self) -> None:
        self.reached, self._open = threading.Event(), threading.Event()

    def open(self) -> None:
        """Let the writer go on."""
        self._open.set()

    def needs(self, view: View) -> Iterable[Key]:
        return ()

    def decide(self, view: View, moment: Moment) -> tuple[None, tuple[Record, ...]]:
        self.reached.set()
        self._open.wait(30)
        return None, ()


class Bench:
    """Puts commands through a journal's writer and looks at the rows."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.clock = clock
        self.path = folder / "journal.db"
        self.vault = Vault(KEYS)
        self.ledger = Ledger(folder / "erasures")
        self.policy = policy()
        self.last_look: LastLook = no_objection
        self.retry = RetryPolicy()
        self.open()

    def open(self) -> None:
        """Open the journal, as a start of the hub does."""
        self.journal = Journal(self.path, self.vault, self.clock, ledger=self.ledger)
        self.journal.writer.start()

    async def reopen(self) -> None:
        """Stop the hub and start it again."""
        await self.journal.close()
        self.open()

    async def commit(self, command: Command[R]) -> R:
        """Put one command through."""
        return await self.journal.writer.commit(command)

    async def together(self, *commands: Command[Any]) -> list[Any]:
        """Put commands through in one batch; answers or exceptions, in order."""
        gate = Gate()
        first = asyncio.ensure_future(self.commit(gate))
        await asyncio.to_thread(gate.reached.wait, 30)
        waiting = [asyncio.ensure_future(self.commit(command)) for command in commands]
        await asyncio.sleep(0)  # each puts its command at its first step
        assert self.journal.writer.waiting == len(commands)
        gate.open()
        await first
        return await asyncio.gather(*waiting, return_exceptions=True)

    def intake(self, message: Reading) -> Command[Taken]:
        """The command that takes a message."""
        return intake(message, self.policy, self.vault)

    async def take(self, message: Reading) -> Taken:
        """Take one message."""
        return await self.commit(self.intake(message))

    async def take_together(self, *messages: Reading) -> list[Any]:
        """Take messages in one batch."""
        return await self.together(*(intake(message, self.policy, self.vault) for message in messages))

    async def claim(self, patient: int, destination: str = "platform") -> ClaimAnswer:
        """Claim the head of a lane."""
        lease = int(LEASE * 1e6)
        return await self.commit(Claim(patient=patient, destination=destination, last_look=self.last_look, lease=lease))

    async def claimed(self, patient: int, destination: str = "platform") -> DeliveryRecord:
        """Claim the head of a lane, which must be there."""
        answer = await self.claim(patient, destination)
        assert isinstance(answer, Claimed)
        return answer.delivery

    async def settle(
        self, delivery: DeliveryRecord, attempt: Attempt | Withheld | Needless, *, keeps_ids: bool = False
    ) -> NotNow | Stale:
        """Say what came of an attempt."""
        return await self.commit(
            Settle(
                delivery=delivery.id,
                patient=delivery.patient,
                destination=delivery.destination,
                epoch=delivery.epoch,
                attempt=attempt,
                retry=self.retry,
                keeps_ids=keeps_ids,
                chance=0.0,
            )
        )

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What the file says."""
        with sqlite3.connect(self.path) as connection:
            found = connection.execute(query, values).fetchall()
        connection.close()
        return found

    def works(self, destination: str = "platform") -> list[tuple[int | None, str]]:
        """Lane numbers and work states of a destination's deliveries, oldest first."""
        return self.rows("SELECT lane_seq, work FROM delivery WHERE destination = ? ORDER BY id", destination)

    def lane(self, patient: int, destination: str = "platform") -> tuple[int, int, int | None]:
        """Head, last and due of a lane."""
        ((head, last, due),) = self.rows(
            "SELECT head, last, due FROM lane WHERE patient = ? AND destination = ?", patient, destination
        )
        return head, last, due


def process_of(_job: int) -> int:
    """The process that a job runs in."""
    return os.getpid()


def rules(findings: Iterable[Finding]) -> list[str]:
    """Names of the rules that findings are about."""
    return [finding.rule for finding in findings]


def patient_of(taken: Taken) -> int:
    """The number of the patient that a message was about."""
    assert taken.patient is not None
    return taken.patient.id


def faults_of_lanes(path: Path) -> list[str]:
    """What is wrong with the lanes of a journal file: gaps, a head that is not the oldest open delivery, a due time of nothing."""
    faults: list[str] = []
    numbers: dict[tuple[int, str], dict[int, Work]] = {}
    with closing(sqlite3.connect(path)) as connection:
        for patient, destination, seq, work in connection.execute("SELECT patient, destination, lane_seq, work FROM delivery"):
            if seq is None:
                # A person may refuse what was held from the start.
                faults += [] if work in (Work.HELD, Work.SHADOWED, Work.CANCELLED) else [f"{work} without a place"]
            elif seq in (lane := numbers.setdefault((patient, destination), {})):
                faults.append(f"{seq} twice")
            else:
                lane[seq] = Work(work)
        lanes = connection.execute("SELECT patient, destination, head, last, due FROM lane").fetchall()
    if {(patient, destination) for patient, destination, *_ in lanes} != set(numbers):
        faults.append("deliveries without a lane, or a lane without deliveries")
    for patient, destination, head, last, due in lanes:
        lane = numbers.get((patient, destination), {})
        first = min((seq for seq, work in lane.items() if work in BLOCKING), default=last + 1)
        # What is let go again leaves its number behind for one at the tail; numbers from the head on are all there.
        if not set(lane) <= set(range(1, last + 1)) or not set(range(head, last + 1)) <= set(lane):
            faults.append(f"{sorted(lane)} up to {last} from {head}")
        # A claim passes by what was cancelled while it waited.
        if not head <= first or any(lane[seq] is not Work.CANCELLED for seq in range(head, min(first, last + 1)) if seq in lane):
            faults.append(f"head {head} where {first} is the first open")
        if (due is None) != (head > last):
            faults.append(f"due {due} with head {head} of {last}")
        if any(work not in (Work.PENDING, Work.CANCELLED) for seq, work in lane.items() if seq > max(head, first)):
            faults.append("work behind the head")
    return faults
