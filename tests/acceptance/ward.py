"""A hub in memory that hears one invented hospital: bytes in; verdict, reply, findings, events and stay out. No server, no file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TypeVar

from liaison.care.facts import DocumentFact, Fact, IdentityFact, MovementFact
from liaison.events.data import IdentityData, PersonData, StayData, VenueData
from liaison.events.envelope import Event
from liaison.hl7.acknowledgement import Acknowledgement, read_ack
from liaison.hub.contracts import Reading, Sender, Verdict
from liaison.hub.explain import Explained, Explainer
from liaison.hub.policy import Policy
from liaison.hub.reading_file import read_any
from liaison.mappings.interpretation import SourceProfile
from liaison.rules.letters import LetterRules
from liaison.rules.routing import Route
from tests.mappings import pam

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
POLICY = Policy(
    letters=LetterRules(
        routes=(
            Route(events=("*",), to="platform", patients="all"),
            Route(documents=("*",), to="promess", recipients=("named",)),
        )
    ),
    profiles={},
    destinations=("platform", "promess"),
)
#: The hospital writes its messages on this day, one each minute, whatever the day in the ward that they tell of.
WRITTEN_FROM = datetime(2026, 2, 1)

F = TypeVar("F", bound=Fact)


class Heard:
    """What became of one message."""

    def __init__(self, explained: Explained) -> None:
        self.reading: Reading = explained.reading
        self.verdict: Verdict = explained.taken.answer.verdict
        self.duplicate = explained.taken.duplicate
        #: The rules of its findings, in their order.
        self.rules = [finding.rule for finding in explained.findings]
        self.findings = explained.findings
        self.told: Sequence[Event] = explained.taken.events
        #: Outcome, rule and recipient of each letter's decision.
        self.letters = [
            (str(one.decision.outcome), one.decision.rule, one.decision.recipient)
            for one in explained.taken.decisions
            if one.decision.destination == "promess"
        ]
        self._reply = explained.taken.answer.reply

    @cached_property
    def reply(self) -> Acknowledgement:
        """What the sender reads."""
        return read_ack(self._reply)

    @property
    def code(self) -> str:
        """MSA-1."""
        return self.reply.code

    @property
    def events(self) -> list[str]:
        """``stay.admitted``, ``stay.transferred``…"""
        return [event.type for event in self.told]

    @property
    def stay(self) -> VenueData:
        """The stay as its last event tells it."""
        return [event.data.stay for event in self.told if isinstance(event.data, StayData)][-1]

    @property
    def person(self) -> PersonData:
        """The patient as the last event tells them."""
        return [event.data.patient for event in self.told if isinstance(event.data, StayData | IdentityData)][-1]

    @property
    def movement(self) -> MovementFact:
        """The only movement that the message asserts."""
        return self._only(MovementFact)

    @property
    def identity(self) -> IdentityFact:
        """The only identity that the message asserts."""
        return self._only(IdentityFact)

    @property
    def document(self) -> DocumentFact:
        """The only document that the message carries."""
        return self._only(DocumentFact)

    def _only(self, kind: type[F]) -> F:
        (fact,) = (fact for fact in self.reading.facts if isinstance(fact, kind))
        return fact


class Ward:
    """An empty hub and the hospital that speaks to it, message after message."""

    def __init__(self, profile: SourceProfile = pam.PROFILE) -> None:
        self._profile = profile
        self._explainer = Explainer(POLICY, NOW)
        self._written = 0

    def hears(self, raw: bytes) -> Heard:
        """Read and take the bytes of one message."""
        reading = read_any(raw, Sender(source=self._profile.source), self._profile, now=NOW, reply_id="REPLY1")
        return Heard(self._explainer.explain(reading))

    def moves(
        self, event: str, movement: str, at: str, /, *, action: str = "INSERT", of: str = "", unit: str = "", **changes: str
    ) -> Heard:
        """Hear a movement. ``at`` is ``DDHH`` of January in the ward, ``of`` is ZBE-6, ``changes`` are those of ``pam.adt``."""
        return self.hears(self.written(event, movement, at, action=action, of=of, unit=unit, **changes))

    def cancels(self, event: str, movement: str, at: str, /, *, of: str, unit: str = "", **changes: str) -> Heard:
        """Hear the cancel of a movement that ``of`` inserted."""
        return self.moves(event, movement, at, action="CANCEL", of=of, unit=unit, **changes)

    def corrects(self, movement: str, at: str, /, *, of: str, unit: str = "", **changes: str) -> Heard:
        """Hear the Z99 of a movement that ``of`` inserted."""
        return self.moves("Z99", movement, at, action="UPDATE", of=of, unit=unit, **changes)

    def written(
        self, event: str, movement: str, at: str, /, *, action: str = "INSERT", of: str = "", unit: str = "", **changes: str
    ) -> bytes:
        """The bytes of a movement, recorded a minute after the one written before it."""
        self._written += 1
        recorded = (WRITTEN_FROM + timedelta(minutes=self._written)).strftime("%Y%m%d%H%M%S")
        fields = {
            "MSH_7": recorded,
            "MSH_10": f"C{self._written}",
            "EVN_2": recorded,
            "EVN_6": when(at),
            "ZBE_1": f"{movement}^CH^400011177^M",
            "ZBE_2": when(at),
            "ZBE_4": action,
            "ZBE_6": of,
        }
        if unit:
            fields |= lies_in(unit)
        return pam.adt(event, fields | changes).raw


def admitted(ward: Ward | None = None, /, **changes: str) -> Heard:
    """The first movement of a ward, which is a new one where none is given."""
    return (ward or Ward()).moves("A01", "M1", "0508", **changes)


def identity(event: str = "A28", **changes: str) -> Heard:
    """A message of identity that a new ward hears."""
    return Ward().hears(pam.adt(event, {"EVN_2": "20260201080000"} | changes).raw)


def when(at: str) -> str:
    """A time of January 2026 from ``DDHH``."""
    return f"202601{at}0000"


def hour(at: str) -> datetime:
    """The same as a time."""
    return datetime(2026, 1, int(at[:2]), int(at[2:]), tzinfo=pam.PARIS)


def lies_in(unit: str) -> dict[str, str]:
    """Changes that make one unit answer for lodging, medicine and care."""
    return {"PV1_3": f"{unit}^1^A^CH&400011177&N^O", "ZBE_7": uf(unit), "ZBE_8": uf(unit)}


def uf(unit: str) -> str:
    """A unit as ZBE-7 and ZBE-8 write it."""
    return f"Unite {unit}^^^^^CH&400011177&M^UF^^^{unit}"
