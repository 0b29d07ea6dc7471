"""Letters of 600 kB: ORU^R01 whose OBX-5 carries a CDA N1 with a PDF, each a new document of another patient."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.hub import running_hub
from bench.letters import Letters
from bench.processes import Meter
from bench.report import Table

LARGE = Table(
    "connections",
    "message kB",
    "acknowledged/s",
    "MB/s",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "hub CPU, cores",
    "peak memory RSS / PSS, MB",
    "messages",
    "drain s",
    "missing",
)
START, END = b"\x0b", b"\x1c\r"


async def _send(port: int, letters: Iterator[tuple[bytes, bytes]], ends: float, acked: Path, times: list[float]) -> None:
    """One connection, one letter in flight, until ``ends``. Raises SystemExit for any answer but AA."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with acked.open("ab", buffering=0) as ids:
        while time.monotonic() < ends:
            control_id, message = next(letters)
            began = time.monotonic()
            writer.write(START + message + END)
            answer = await reader.readuntil(END)
            if b"\rMSA|AA|" + control_id not in answer:
                raise SystemExit(f"answered otherwise than AA: {answer.decode()}")
            times.append(time.monotonic() - began)
            ids.write(control_id + b"\n")
    writer.close()


async def _load(port: int, letters: Letters, connections: int, seconds: float, acked: Path) -> list[float]:
    times: list[float] = []
    ends, feed = time.monotonic() + seconds, map(letters.letter, itertools.count(1))
    await asyncio.gather(*(_send(port, feed, ends, acked, times) for _ in range(connections)))
    return sorted(times)


def large(work: Path, seconds: float, connections: Iterable[int], size: int = 600_000) -> None:
    """One row for each number of connections."""
    letters = Letters(random.Random(1).randbytes(size * 9 // 16 - 3_000))
    LARGE.head()
    for count in connections:
        acked = work / "acked.ids"
        acked.unlink(missing_ok=True)
        with running_hub(work / "hub") as hub, Meter(hub.process.pid) as whole:
            with Meter(hub.process.pid) as taking:
                times = asyncio.run(_load(hub.port, letters, count, seconds, acked))
            drain = hub.drain()
            length = len(letters.letter(0)[1])
            LARGE.row(
                count,
                f"{length / 1e3:.0f}",
                f"{len(times) / seconds:,.0f}",
                f"{len(times) * length / seconds / 1e6:.0f}",
                *(f"{times[int((len(times) - 1) * share)] * 1e3:.0f}" for share in (0.5, 0.95, 0.99)),
                f"{taking.cores:.2f}",
                f"{whole.rss:.0f} / {whole.pss:.0f}",
                len(times),
                f"{drain:.1f}",
                hub.missing(acked),
            )
