"""What one message costs one core, in process: split, turned into facts and a reply, folded; no journal, no sockets."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from bench.generator import TOOLS
from bench.people import ins
from bench.report import Table
from liaison.care.facts import Fact, IdentityFact, MovementFact
from liaison.care.patient import fold_identity, patient_changes
from liaison.care.stay import fold_movement
from liaison.hl7.message import Message
from liaison.hub.contracts import Sender
from liaison.hub.reading import read_hl7
from liaison.mappings.interpretation import SourceProfile

READING = Table("message", "bytes", "split µs", "facts, findings and reply µs", "fold µs", "all three µs")
ROUNDS, AT_ONCE = 40, 100
#: What the load generator writes in the place of its marks.
FILLED = {
    "TIME": "20261120101500",
    "PATIENT": "800042",
    "INS": ins(800042),
    "NAME": "LAFITTE",
    "VISIT": "0000042",
    "MOVE": "420001",
}


def reading() -> None:
    """A row for each message of the load generator; the median of rounds, so that other work on the machine counts little."""
    READING.head()
    sender, profile = Sender(source="bench"), SourceProfile(source="bench", finess="400011177")
    now = datetime.now(UTC)
    for path in sorted((TOOLS / "messages").glob("*.hl7")):
        raw = path.read_bytes().replace(b"\n", b"\r")
        for name, value in FILLED.items():
            raw = raw.replace(f"@{name}@".encode(), value.encode())
        read = read_hl7(raw, sender, profile, now=now, reply_id="1")
        if not read.facts:
            raise SystemExit(f"{path}: {read.verdict}")
        split = _cost(partial(_split, raw))
        # A reading splits its message itself.
        facts = _cost(partial(read_hl7, raw, sender, profile, now=now, reply_id="1")) - split
        fold = _cost(partial(_fold, read.facts))
        READING.row(path.stem.upper(), len(raw), *(f"{cost:.0f}" for cost in (split, facts, fold, split + facts + fold)))


def _split(raw: bytes) -> None:
    for segment in Message.parse(raw).segments:
        segment.raw_field(1)


def _fold(facts: tuple[Fact, ...]) -> None:
    """As the intake does for somebody new."""
    for fact in facts:
        if isinstance(fact, IdentityFact):
            patient_changes(None, fold_identity(None, fact, patient_id="1"))
        elif isinstance(fact, MovementFact):
            fold_movement(None, fact, stay_id="2", patient_id="1")


def _cost(work: Callable[[], object]) -> float:
    """Microseconds of processor time."""
    rounds: list[float] = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(AT_ONCE):
            work()
        rounds.append((time.process_time() - began) / AT_ONCE * 1e6)
    return statistics.median(rounds)
