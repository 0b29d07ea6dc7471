"""The national directory at full size: how long it takes to put in use, what a lookup costs, and what it keeps in memory."""

from __future__ import annotations

import gc
import multiprocessing
import random
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from bench.extraction import NATIONAL, finesses, rppss, write_extraction
from bench.report import Table
from liaison.service.directory_file import DirectoryFiles

DIRECTORY = Table(
    "rows",
    "file MB",
    "first load s",
    "same again s",
    "open ms",
    "lookup median µs",
    "lookup p99 µs",
    "index MB",
    "memory, MB: load / in use",
)
LOOKUPS = 20_000


def directory(work: Path, rows: int = NATIONAL) -> None:
    """Print one row: a process of its own loads, another looks up."""
    source = write_extraction(work / "extraction.txt", rows)
    folder = work / "directory"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("annuaire*"):
        old.unlink()
    loaded = _apart(_load, folder, source)
    used = _apart(_use, folder, rows)
    index = sum(path.stat().st_size for path in folder.glob("annuaire-*.index"))
    DIRECTORY.head()
    DIRECTORY.row(
        f"{rows:,}",
        f"{source.stat().st_size / 1e6:.0f}",
        f"{loaded['first']:.1f}",
        f"{loaded['again']:.2f}",
        f"{used['open'] * 1e3:.1f}",
        f"{used['median'] * 1e6:.0f}",
        f"{used['p99'] * 1e6:.0f}",
        f"{index / 1e6:.0f}",
        f"{loaded['memory']:.0f} / {used['memory']:.0f}",
    )


def _load(folder: Path, source: Path) -> dict[str, float]:
    files, before = DirectoryFiles(folder), _peak()
    first = _timed(lambda: files.take(source, now=datetime.now(UTC)))
    peak = _peak()
    again = _timed(lambda: files.take(source, now=datetime.now(UTC)))
    return {"first": first, "again": again, "memory": peak - before}


def _use(folder: Path, rows: int) -> dict[str, float]:
    people, structures = list(rppss(rows)), list(finesses(rows))
    chance = random.Random(1)
    asked = [chance.choice(people) for _ in range(LOOKUPS)]
    asked_structures = [chance.choice(structures) for _ in range(LOOKUPS // 10)]
    del people, structures
    gc.collect()
    before = _resident()
    began = time.perf_counter()
    found = DirectoryFiles(folder).open()
    opened = time.perf_counter() - began
    assert found is not None and len(found) == rows
    times: list[float] = []
    for number in asked:
        began = time.perf_counter()
        entries = found.of_professional(number)
        times.append(time.perf_counter() - began)
        assert entries and found.of_address(entries[0].address)
    for number in asked_structures:
        began = time.perf_counter()
        assert found.of_structure(number)
        times.append(time.perf_counter() - began)
    times.sort()
    return {
        "open": opened,
        "median": statistics.median(times),
        "p99": times[len(times) * 99 // 100],
        "memory": _resident() - before,
    }


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _apart(work: Callable[..., dict[str, float]], *arguments: object) -> dict[str, float]:
    """What ``work`` answers in a process of its own: memory is not that of the bench."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def _peak() -> float:
    """Peak resident megabytes of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def _resident() -> float:
    """Resident megabytes of this process now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 1e6
