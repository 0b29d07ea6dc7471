"""What a running hub counts as it goes: plain numbers that cost the intake less than a microsecond a message.

Each number is written by one thread only (the event loop, or the journal's writer) and read by whoever asks, at any time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from datetime import datetime
from time import perf_counter

#: Upper bounds in seconds, the same for every duration: from a commit alone to a lost message.
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
#: Commands of one batch.
COMMANDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 48.0, 64.0, 128.0, 192.0)


class Histogram:
    """How often a value fell between two bounds; the last count is of what exceeds them all."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


def quantile(bounds: tuple[float, ...], counts: list[int], part: float) -> float | None:
    """The value below which ``part`` (0 to 1) of what was counted lies, interpolated between bounds; None when nothing was.

    What exceeds every bound is told as the highest of them: the true value is not known.
    """
    wanted, below = part * sum(counts), 0
    if not any(counts):
        return None
    for place, count in enumerate(counts[:-1]):
        if count and below + count >= wanted:
            low = bounds[place - 1] if place else 0.0
            return low + (bounds[place] - low) * max(0.0, wanted - below) / count
        below += count
    return bounds[-1]


class SourceMeter:
    """One source."""

    __slots__ = ("answers", "duplicates", "heard_at", "seconds", "unanswered")

    def __init__(self) -> None:
        #: Answers by verdict, those given again to a resend left out.
        self.answers: dict[str, int] = {}
        self.duplicates = 0
        #: Messages that nobody could answer: the commit failed, or nobody knows whether it did.
        self.unanswered = 0
        #: From the whole message in hand to its answer, durable.
        self.seconds = Histogram()
        self.heard_at: datetime | None = None

    def answered(self, verdict: str, seconds: float, *, now: datetime, duplicate: bool) -> None:
        """Count a message that was answered."""
        if duplicate:
            self.duplicates += 1
        else:
            self.answers[verdict] = self.answers.get(verdict, 0) + 1
        self.seconds.observe(seconds)
        self.heard_at = now


class DestinationMeter:
    """One destination."""

    __slots__ = ("attempts", "seconds")

    def __init__(self) -> None:
        #: Attempts by what they came to: delivered, refused, unavailable, uncertain, withheld.
        self.attempts: dict[str, int] = {}
        #: Making the parcel and bringing it there.
        self.seconds = Histogram()

    def tried(self, outcome: str, seconds: float) -> None:
        """Count an attempt."""
        self.attempts[outcome] = self.attempts.get(outcome, 0) + 1
        self.seconds.observe(seconds)


class WriterMeter:
    """The journal's writer."""

    __slots__ = ("commands", "committed_at", "failures", "seconds")

    def __init__(self) -> None:
        #: Commands of each batch.
        self.commands = Histogram(COMMANDS)
        #: Each commit, from the first row to the end of its fsync.
        self.seconds = Histogram()
        #: Batches that were rolled back, or whose commit nobody can tell of.
        self.failures = 0
        #: ``perf_counter`` of the last commit.
        self.committed_at = perf_counter()

    def committed(self, commands: int, seconds: float) -> None:
        """Count a batch that is on the disk."""
        self.commands.observe(commands)
        self.seconds.observe(seconds)
        self.committed_at = perf_counter()

    @property
    def age(self) -> float:
        """Seconds since the last commit."""
        return perf_counter() - self.committed_at


class Meters:
    """What sources and destinations do; the journal's writer counts by itself."""

    def __init__(self) -> None:
        self._sources: dict[str, SourceMeter] = {}
        self._destinations: dict[str, DestinationMeter] = {}

    def source(self, name: str) -> SourceMeter:
        """The meter of a source, made when first asked for."""
        if (meter := self._sources.get(name)) is None:
            meter = self._sources[name] = SourceMeter()
        return meter

    def destination(self, name: str) -> DestinationMeter:
        """The meter of a destination, made when first asked for."""
        if (meter := self._destinations.get(name)) is None:
            meter = self._destinations[name] = DestinationMeter()
        return meter

    @property
    def sources(self) -> Mapping[str, SourceMeter]:
        """Those that were asked for."""
        return self._sources

    @property
    def destinations(self) -> Mapping[str, DestinationMeter]:
        """Those that were asked for."""
        return self._destinations
