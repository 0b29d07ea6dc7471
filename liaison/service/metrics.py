"""What Prometheus reads: the figures of a running hub, made into samples when they are asked for.

Labels name what the configuration names (sources, destinations) or what a table of the code lists (verdicts, outcomes, owners, parts).
None can hold an identity, a patient's or a delivery's id: a test looks at each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

import liaison
from liaison.hub.watch.meters import Histogram
from liaison.hub.watch.standing import Standing
from liaison.service.running import RunningHub

T = TypeVar("T")

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class HubMetrics:
    """Collects from a running hub and its last standing. One for each hub: nothing is kept in the library's own registry."""

    def __init__(self, hub: RunningHub, standing: Callable[[], Standing]) -> None:
        self._hub = hub
        self._standing = standing
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def page(self) -> bytes:
        """The page that ``/metrics`` answers."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        standing = self._standing()
        yield _gauge("liaison_info", "Version of the hub.", ("version",), {(liaison.__version__,): 1.0})
        yield _gauge("liaison_up_seconds", "Seconds since the hub started.", (), {(): standing.up})
        yield from self._intake(standing)
        yield from self._writer()
        yield from self._dispatch(standing)
        yield from self._people(standing)
        yield from self._machine(standing)

    def _intake(self, standing: Standing) -> Iterator[Metric]:
        sources = self._hub.meters.sources
        messages = CounterMetricFamily("liaison_messages", "Messages answered, resends left out.", labels=("source", "verdict"))
        duplicates = CounterMetricFamily("liaison_duplicates", "Resends, answered as the first time.", labels=("source",))
        unanswered = CounterMetricFamily("liaison_unanswered", "Messages that nobody could answer.", labels=("source",))
        seconds = HistogramMetricFamily("liaison_ack_seconds", "From a whole message to its answer, durable.", labels=("source",))
        for name, meter in sources.items():
            for verdict, count in dict(meter.answers).items():
                messages.add_metric((name, str(verdict)), count)
            duplicates.add_metric((name,), meter.duplicates)
            unanswered.add_metric((name,), meter.unanswered)
            _add_histogram(seconds, (name,), meter.seconds)
        yield from (messages, duplicates, unanswered, seconds)
        recent: dict[tuple[str, ...], float] = {
            (name, part): value for name, source in standing.sources.items() for part, value in source.ack.items()
        }
        yield _gauge("liaison_ack_recent_seconds", "The same between the last two looks.", ("source", "quantile"), recent)
        told = standing.sources
        yield _by("liaison_source_silence_seconds", "Seconds since a source's last message.", "source", told, lambda s: s.silence)
        yield _by(
            "liaison_source_silence_limit_seconds", "Silence from which it is unusual now.", "source", told, lambda s: s.limit
        )
        yield _by("liaison_source_connections", "Connections open.", "source", told, lambda s: s.connections)
        yield _by("liaison_source_paused", "1 when a person stopped the source.", "source", told, lambda s: s.paused)
        yield _by("liaison_source_listening", "1 when the source is served.", "source", told, lambda s: s.listening)

    def _writer(self) -> Iterator[Metric]:
        writer = self._hub.journal.writer
        commands = HistogramMetricFamily("liaison_batch_commands", "Commands that shared one commit.")
        _add_histogram(commands, (), writer.meter.commands)
        seconds = HistogramMetricFamily("liaison_commit_seconds", "A commit, from its first row to the end of its fsync.")
        _add_histogram(seconds, (), writer.meter.seconds)
        yield from (commands, seconds)
        failures = CounterMetricFamily("liaison_commit_failures", "Batches rolled back, or of unknown outcome.")
        failures.add_metric((), writer.meter.failures)
        yield failures
        yield _gauge("liaison_commit_age_seconds", "Seconds since the last commit.", (), {(): writer.meter.age})
        yield _gauge("liaison_writer_waiting", "Commands that wait for the next batch.", (), {(): float(writer.waiting)})

    def _dispatch(self, standing: Standing) -> Iterator[Metric]:
        attempts = CounterMetricFamily("liaison_attempts", "Attempts by what came of them.", labels=("destination", "outcome"))
        seconds = HistogramMetricFamily(
            "liaison_attempt_seconds", "An attempt, from making the parcel to its end.", labels=("destination",)
        )
        for name, meter in self._hub.meters.destinations.items():
            for outcome, count in dict(meter.attempts).items():
                attempts.add_metric((name, outcome), count)
            _add_histogram(seconds, (name,), meter.seconds)
        yield from (attempts, seconds)
        told = standing.destinations
        yield _by("liaison_destination_paused", "1 when a person stopped it.", "destination", told, lambda d: d.paused)
        yield _by("liaison_backlog_deliveries", "Deliveries under way or waiting.", "destination", told, lambda d: d.backlog)
        yield _by(
            "liaison_backlog_oldest_seconds", "Seconds since the oldest was decided.", "destination", told, lambda d: d.oldest
        )

    def _people(self, standing: Standing) -> Iterator[Metric]:
        yield _by("liaison_holds", "What waits for a person.", "owner", standing.holds, lambda hold: hold.open)
        yield _by("liaison_holds_overdue", "The part of it past its time.", "owner", standing.holds, lambda hold: hold.overdue)
        yield _gauge("liaison_quarantined", "Messages kept whole for a person.", (), {(): float(standing.quarantined)})
        yield _by("liaison_alerts_open", "Open alerts.", "kind", standing.alerts, float)
        yield _gauge("liaison_alerts_untold", "Open alerts that nobody could be told of yet.", (), {(): float(standing.untold)})

    def _machine(self, standing: Standing) -> Iterator[Metric]:
        broken = standing.parts.broken
        parts: dict[tuple[str, ...], float] = {(name,): float(name not in broken) for name in standing.parts.__struct_fields__}
        yield _gauge("liaison_part_ready", "1 when a part of the hub works.", ("part",), parts)
        yield _by(
            "liaison_certificate_days",
            "Days left of a certificate, NaN when it cannot be read.",
            "about",
            standing.certificates,
            lambda days: math.nan if days is None else days,
        )
        yield _by("liaison_disk_free_bytes", "Bytes free on a disk.", "about", standing.disks, lambda disk: disk.free)
        yield _by("liaison_disk_size_bytes", "Bytes of a disk.", "about", standing.disks, lambda disk: disk.size)
        yield _by("liaison_file_age_seconds", "Age of a reference file.", "about", standing.files, lambda file: file.age)
        yield _by("liaison_memory_bytes", "Resident memory.", "process", standing.memory, float)
        yield _gauge("liaison_loop_lag_seconds", "How late the event loop was at the last look.", (), {(): standing.lag})
        readers, workers = self._hub.readers, self._hub.workers
        yield _gauge("liaison_reader_waiting", "Messages at the reader process.", (), {(): float(readers.waiting)})
        yield _gauge("liaison_worker_processes", "Worker processes.", (), {(): float(len(workers.running))})
        yield _gauge("liaison_worker_jobs", "Jobs at the workers or waiting for one.", (), {(): float(workers.jobs)})
        replaced = CounterMetricFamily(
            "liaison_processes_replaced", "Processes replaced because they died or hung.", labels=("kind",)
        )
        replaced.add_metric(("reader",), readers.replaced)
        replaced.add_metric(("worker",), workers.replaced)
        yield replaced


def _gauge(name: str, help_text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _by(name: str, help_text: str, label: str, told: Mapping[str, T], value: Callable[[T], float | None]) -> Metric:
    values: dict[tuple[str, ...], float] = {
        (key,): float(number) for key, each in told.items() if (number := value(each)) is not None
    }
    return _gauge(name, help_text, (label,), values)


def _add_histogram(family: HistogramMetricFamily, labels: Iterable[str], histogram: Histogram) -> None:
    counts = list(histogram.counts)
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip((*histogram.bounds, math.inf), counts, strict=True):
        total += count
        buckets.append(("+Inf" if math.isinf(bound) else str(bound), float(total)))
    family.add_metric(tuple(labels), buckets, histogram.total)
