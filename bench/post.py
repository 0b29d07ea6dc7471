"""Letters from MLLP to the mailbox: how many a second, and how long a ward's structured letter takes on an idle hub."""

from __future__ import annotations

import asyncio
import base64
import itertools
import random
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bench.day import DOCTOR, LARGE, SMALL, START, Offer
from bench.hub import PATIENCE, Hub, running_hub
from bench.letters import Letters
from bench.mix import pdf
from bench.processes import Meter
from bench.report import Table
from liaison.demo.stays import simulate_region

RATE = Table("letters offered/s", "mailed/s", "hub CPU, cores", "peak memory RSS / PSS, MB", "then settled in s", "missing")
WARD = Table("letters", "median ms", "p95 ms", "longest ms")
END = b"\x1c\r"
_MASKED = re.compile(rb"\|MASQUE_PS\^[^|]*\|\|Y")


def post(work: Path, seconds: float, rate: float, wards: int) -> None:
    """A row of PDF letters at an offered rate, one in ten of 300 kB; then structured letters one by one."""
    RATE.head()
    with running_hub(work / "hub", destinations=(), mail=True) as hub, Meter(hub.process.pid) as whole:
        offer = Offer(hub.port, rate, seconds, connections=4)
        with Meter(hub.process.pid) as taking:
            asyncio.run(offer.run([_letters(number) for number in range(1, 5)]))
        settled = _mailed(hub, len(offer.acknowledged))
        RATE.row(
            f"{rate:g}",
            f"{hub.mailed() / (seconds + settled):.1f}",
            f"{taking.cores:.2f}",
            f"{whole.rss:.0f} / {whole.pss:.0f}",
            f"{settled:.1f}",
            len(offer.acknowledged) - hub.mailed(),
        )
    print(flush=True)  # noqa: T201
    WARD.head()
    with running_hub(work / "hub", destinations=(), mail=True) as hub:
        times = sorted(asyncio.run(_one_by_one(hub, list(itertools.islice(_structured(), wards)))))
        at = [times[int((len(times) - 1) * share)] * 1e3 for share in (0.5, 0.95, 1.0)]
        WARD.row(len(times), *(f"{one:.0f}" for one in at))


def _mailed(hub: Hub, count: int) -> float:
    """Wait until that many letters are in the mailbox; seconds that it took. Raises SystemExit when they stop coming on the way."""
    began = moved = time.monotonic()
    reached = -1
    while (now := hub.mailed()) < count:
        if now > reached:
            reached, moved = now, time.monotonic()
        if time.monotonic() - moved > PATIENCE:
            raise SystemExit(f"the mail stopped at {now} of {count} letters")
        time.sleep(0.02)
    return time.monotonic() - began


def _letters(rank: int) -> Iterator[tuple[bytes, bytes]]:
    small, large = Letters(pdf(SMALL), to=DOCTOR, name=f"SM{rank}"), Letters(pdf(LARGE), to=DOCTOR, name=f"LR{rank}")
    for number in itertools.count(1):
        yield (large if number % 10 == 0 else small).letter(rank * 1_000_000 + number)


def _structured() -> Iterator[bytes]:
    """Letters of the demonstration's wards that are N3 (sections, tables, no PDF), name a doctor and are of a qualified identity."""
    start = datetime(2026, 11, 20, 8, 0, tzinfo=ZoneInfo("Europe/Paris"))
    for message in simulate_region(random.Random(4), start):
        fields = message.raw.split(b"^Base64^", 1)
        named = b"|RCT^" in message.raw and b"||VALI" in message.raw and not _MASKED.search(message.raw)
        mailed = named and message.kind.startswith("ORU")
        if mailed and b"structuredBody" in base64.b64decode(fields[1].split(b"|", 1)[0]):
            yield message.raw


async def _one_by_one(hub: Hub, messages: list[bytes]) -> list[float]:
    """Seconds from the first byte sent by the ward to the mail taken by the server; the first letter is not counted."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port, limit=1 << 20)
    times: list[float] = []
    for message in messages:
        before, began = hub.mailed(), time.monotonic()
        writer.write(START + message + END)
        answer = await reader.readuntil(END)
        if b"\rMSA|AA|" not in answer:
            raise SystemExit(f"answered otherwise than AA: {answer.decode()}")
        while hub.mailed() == before:
            if time.monotonic() - began > 30:
                raise SystemExit("a letter was not mailed within 30 s")
            await asyncio.sleep(0.005)
        times.append(time.monotonic() - began)
    writer.close()
    return times[1:]
