"""A burst at 1, 4, 16 and 64 connections, each then drained; and a sustained offered rate, with everything delivered beside it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench import generator
from bench.hub import DESTINATIONS, running_hub
from bench.processes import Meter, server
from bench.report import Table

BURST = Table(
    "connections",
    "acknowledged/s",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "hub CPU, cores",
    "peak memory RSS / PSS, MB",
    "messages",
    "drain s",
    "delivered/s, start to drained",
    "missing",
    "limit of the machine, /s",
)
SUSTAINED = Table(
    "offered/s",
    "acknowledged/s",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "hub CPU, cores",
    "peak memory RSS / PSS, MB",
    "deliveries left at the end",
    "drain s",
    "missing",
)


def burst(work: Path, seconds: float, connections: Iterable[int]) -> None:
    """One row for each number of connections: a hub with an empty journal, a closed loop, the drain, the count."""
    program = generator.build(work)
    BURST.head()
    for count in connections:
        with server("bench.echo") as (echo,):
            limit = generator.load(program, echo, connections=count, seconds=min(seconds, 5.0))["per_second"]
        acked = work / "acked.ids"
        acked.unlink(missing_ok=True)
        with running_hub(work / "hub") as hub, Meter(hub.process.pid) as whole:
            with Meter(hub.process.pid) as taking:
                result = generator.load(program, hub.port, connections=count, seconds=seconds, acked=acked)
            drain = hub.drain()
            BURST.row(
                count,
                f"{result['per_second']:,.0f}",
                f"{result['p50_ms']:.1f}",
                f"{result['p95_ms']:.1f}",
                f"{result['p99_ms']:.1f}",
                f"{taking.cores:.2f}",
                f"{whole.rss:.0f} / {whole.pss:.0f}",
                f"{result['ok']:,}",
                f"{drain:.1f}",
                f"{hub.delivered() / (seconds + drain):,.0f}",
                hub.missing(acked),
                f"{limit:,.0f}",
            )


def sustained(work: Path, seconds: float, rates: Iterable[float]) -> None:
    """One row for each offered rate, at 16 connections: latency counts from when a message was due."""
    program = generator.build(work)
    SUSTAINED.head()
    for rate in rates:
        acked = work / "acked.ids"
        acked.unlink(missing_ok=True)
        with running_hub(work / "hub") as hub, Meter(hub.process.pid) as whole:
            with Meter(hub.process.pid) as taking:
                result = generator.load(program, hub.port, connections=16, seconds=seconds, rate=rate, acked=acked)
            left = hub.stats()["events"] * len(DESTINATIONS) - hub.delivered()
            drain = hub.drain()
            SUSTAINED.row(
                f"{rate:,.0f}",
                f"{result['per_second']:,.0f}",
                f"{result['p50_ms']:.1f}",
                f"{result['p95_ms']:.1f}",
                f"{result['p99_ms']:.1f}",
                f"{taking.cores:.2f}",
                f"{whole.rss:.0f} / {whole.pss:.0f}",
                f"{left:,}",
                f"{drain:.1f}",
                hub.missing(acked),
            )
