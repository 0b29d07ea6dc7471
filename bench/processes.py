"""Processes around a measurement: a server that announces its port, and what a process and its children cost."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def server(module: str, ports: int = 1) -> Generator[list[int]]:
    """``python -m module`` in a process of its own, which prints its ports first, one a line."""
    with subprocess.Popen([sys.executable, "-m", module], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield [int(process.stdout.readline()) for _ in range(ports)]
        finally:
            process.kill()


def family(pid: int) -> list[int]:
    """A process and all that came from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children, those that ended included."""
    ticks = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            ticks += sum(map(int, Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return ticks / _TICKS


def memory(pid: int) -> tuple[float, float]:
    """Resident megabytes of a process and its children, summed: each counted whole (RSS), shared pages counted once (PSS)."""
    totals = {"Rss:": 0, "Pss:": 0}
    for one in family(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(" ")
                if name in totals:
                    totals[name] += int(rest.split()[0])
    return totals["Rss:"] / 1024, totals["Pss:"] / 1024


class Meter:
    """What a process and its children cost while the block runs: CPU in cores, peak memory in megabytes."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.cores = self.rss = self.pss = 0.0

    def __enter__(self) -> Self:
        self._began, self._cpu = os.times().elapsed, cpu_seconds(self._pid)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()
        self.cores = (cpu_seconds(self._pid) - self._cpu) / (os.times().elapsed - self._began)

    def _watch(self) -> None:
        while True:
            rss, pss = memory(self._pid)
            self.rss, self.pss = max(self.rss, rss), max(self.pss, pss)
            if self._end.wait(1.0):
                return
