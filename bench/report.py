"""Rows of a Markdown table, printed as they come; and what machine they were measured on."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from pathlib import Path


class Table:
    """A Markdown table, to be pasted into README.md as it is."""

    def __init__(self, *columns: str) -> None:
        self._columns = columns

    def head(self) -> None:
        self.row(*self._columns)
        self.row(*("---" for _ in self._columns))

    def row(self, *cells: object) -> None:
        assert len(cells) == len(self._columns)
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)  # noqa: T201


def machine(folder: Path) -> str:
    """The machine in one line: processor, cores, memory, kernel, and what one fdatasync costs in ``folder``."""
    info = Path("/proc/cpuinfo").read_text()
    model = next(
        (line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")), platform.machine()
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{os.cpu_count()} x {model}, {memory:.0f} GB, Linux {platform.release()}, Python {platform.python_version()}, "
        f"fdatasync of 4 kB {sync_milliseconds(folder):.2f} ms (median), load average before {os.getloadavg()[0]:.1f}"
    )


def sync_milliseconds(folder: Path) -> float:
    """Median time of a 4 kB write with fdatasync."""
    times: list[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(50):
            began = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2] * 1e3
