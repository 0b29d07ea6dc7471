"""A hospital's day: a mixed feed at a fixed rate with everything delivered beside it, and letters on their way to a mailbox."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.hub import Hub, running_hub
from bench.letters import Letters
from bench.mix import LETTERS_EVERY, Feed, pdf
from bench.processes import Meter
from bench.report import Table

DAY = Table(
    "offered/s",
    "acknowledged/s",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "hub CPU, cores",
    "peak memory RSS / PSS, MB",
    "letters mailed",
    "under way, at a quarter … at the end",
    "then settled in s",
    "missing",
)
START, END = b"\x0b", b"\x1c\r"
DOCTOR = "claire.dupouy@medecin.mssante.fr"
#: Bytes of the PDF: with two base64 around it and its header, messages of 10 and 300 kB.
SMALL, LARGE = 2_300, 165_000
CONNECTIONS = 16


class Offer:
    """An open loop: each message is due at its time whether the ones before were answered or not; latency counts from then."""

    def __init__(self, port: int, rate: float, seconds: float, *, connections: int = CONNECTIONS) -> None:
        self._port, self._connections, self._gap, self._seconds = port, connections, connections / rate, seconds
        self.times: list[float] = []
        self.acknowledged: list[bytes] = []

    async def run(self, feeds: Iterable[Iterator[tuple[bytes, bytes]]]) -> None:
        """Every feed on a connection of its own, one message in flight on each."""
        began = time.monotonic()
        await asyncio.gather(
            *(self._feed(feed, began + number * self._gap / self._connections) for number, feed in enumerate(feeds))
        )

    async def _feed(self, feed: Iterator[tuple[bytes, bytes]], due: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        ends = due + self._seconds
        while due < ends:
            control_id, message = next(feed)
            if (early := due - time.monotonic()) > 0:
                await asyncio.sleep(early)
            writer.write(START + message + END)
            answer = await reader.readuntil(END)
            if b"\rMSA|AA|" + control_id not in answer:
                raise SystemExit(f"answered otherwise than AA: {answer.decode()}")
            self.times.append(time.monotonic() - due)
            self.acknowledged.append(control_id)
            due += self._gap
        writer.close()


def day(work: Path, seconds: float, rates: Iterable[float]) -> None:
    """One row for each offered rate, and one of a quiet day: 300 a second, of which one is a letter."""
    DAY.head()
    for rate, letters_every in (*((rate, LETTERS_EVERY) for rate in rates), (300.0, 48)):
        small, large = Letters(pdf(SMALL), to=DOCTOR, name="SML"), Letters(pdf(LARGE), to=DOCTOR, name="LRG")
        feeds = [iter(Feed(number, small, large, letters_every=letters_every)) for number in range(1, CONNECTIONS + 1)]
        with running_hub(work / "hub", destinations=("platform",), mail=True) as hub, Meter(hub.process.pid) as whole:
            offer = Offer(hub.port, rate, seconds)
            with Meter(hub.process.pid) as taking:
                backlog = asyncio.run(_watched(offer, feeds, hub, seconds))
            settled = hub.settled()
            times = sorted(offer.times)
            DAY.row(
                f"{rate:,.0f}",
                f"{len(times) / seconds:,.0f}",
                *(f"{times[int((len(times) - 1) * share)] * 1e3:.1f}" for share in (0.5, 0.95, 0.99)),
                f"{taking.cores:.2f}",
                f"{whole.rss:.0f} / {whole.pss:.0f}",
                f"{hub.mailed():,}",
                " … ".join(f"{left:,}" for left in backlog),
                f"{settled:.1f}",
                _missing(hub, offer.acknowledged),
            )


async def _watched(offer: Offer, feeds: list[Iterator[tuple[bytes, bytes]]], hub: Hub, seconds: float) -> list[int]:
    """Run the offer; the deliveries under way at each quarter of it."""
    running = asyncio.create_task(offer.run(feeds))
    backlog: list[int] = []
    for _ in range(4):
        await asyncio.wait([running], timeout=seconds / 4)
        backlog.append(await asyncio.to_thread(hub.under_way))
    await running
    return backlog


def _missing(hub: Hub, acknowledged: list[bytes]) -> int:
    """Acknowledged messages not in the journal, events that the platform did not get, and letters that were not mailed."""
    listed = hub.control_ids()
    lost = sum(one.decode() not in listed for one in acknowledged)
    letters = sum(one.startswith((b"SML", b"LRG")) for one in acknowledged)
    events: int = hub.stats()["events"]
    return lost + (events - hub.delivered()) + (letters - hub.mailed())
