"""Starts a hub's journal again and again, and kills it in the middle of its work.

    python -m tests.hub.crashing FOLDER KILLS SEED

Prints the control id of every message that was answered. Each life is a fork, so that only the first pays for the imports.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path

from liaison.hub.claims import Claimed
from liaison.hub.contracts import Delivered, Unavailable
from tests.hub.bench import Bench, Clock
from tests.hub.people import identity, movement, reading

_MESSAGES = 60


async def work(folder: Path, life: int, opened: int) -> None:
    """Take messages of three patients as fast as they go, and deliver some; say what was answered.

    ``opened`` is a descriptor that is written to when the journal is open.
    """
    clock = Clock()
    clock.move(life * 3600.0)
    bench = Bench(folder, clock)
    os.write(opened, b".")

    async def one(number: int) -> None:
        person, name = str(number % 3), f"L{life}-{number}"
        facts = (identity(person), movement(person, f"V{person}-{life}", trigger="A02" if number > 2 else "A01", order=number))
        taken = await bench.take(reading(*facts, control_id=name, content=name.encode()))
        os.write(1, f"{name}\n".encode())
        if taken.patient is not None and number % 2:
            claimed = await bench.claim(taken.patient.id)
            if isinstance(claimed, Claimed):
                await bench.settle(claimed.delivery, Delivered() if number % 3 else Unavailable(reason="x"))

    await asyncio.gather(*(one(number) for number in range(_MESSAGES)))


def main(folder: Path, kills: int, seed: int) -> None:
    """One life after another."""
    chance = random.Random(seed)
    for life in range(kills):
        told, opened = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                asyncio.run(work(folder, life, opened))
            except Exception as error:  # noqa: BLE001 - a fork must never come back into its parent's code
                os.write(2, repr(error).encode())
                os._exit(1)
            os._exit(0)
        os.close(opened)
        if life % 4:  # the others are killed wherever they are, which may be while they open
            os.read(told, 1)
        os.close(told)
        time.sleep(chance.uniform(0.05, 0.35))  # a moment that nobody chose
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            raise SystemExit(f"a life ended by itself: {status}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
