"""A day's export of a large hospital, examined by ``liaison conformance``: how long it takes, and what it keeps in memory."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

from bench.letters import Letters
from bench.mix import Feed, pdf
from bench.report import Table

#: Messages of the export, and of each of its files.
MESSAGES, A_FILE = 100_000, 5_000
EXPORT = Table("messages", "of them letters", "export MB", "processes", "seconds", "messages/s", "peak memory of one process, MB")
#: A letter after so many stays is none.
NO_LETTERS = 10**9
_SMALL, _LARGE = 10_000, 300_000


def conformance(work: Path, *, letters_every: int) -> None:
    """One row; ``letters_every`` says after how many stays a letter comes."""
    folder = work / "export"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    size = _write(folder, letters_every)
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "liaison", "conformance", "--json", str(folder)], capture_output=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode not in (0, 1):
        raise SystemExit(f"liaison conformance: {done.stderr.decode()}")
    report = json.loads(done.stdout)
    assert report["messages"] == MESSAGES
    letters = sum(line["messages"] for line in report["kinds"] if not line["kind"].startswith("ADT"))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
    EXPORT.row(
        f"{MESSAGES:,}",
        f"{letters:,}",
        f"{size / 1e6:.0f}",
        os.cpu_count(),
        f"{seconds:.1f}",
        f"{MESSAGES / seconds:,.0f}",
        f"{peak:.0f}",
    )
    shutil.rmtree(folder)


def _write(folder: Path, letters_every: int) -> int:
    """The export's files, one message after the other in each; how many bytes they hold."""
    feed = iter(Feed(1, Letters(pdf(_SMALL), name="SML"), Letters(pdf(_LARGE), name="LRG"), letters_every=letters_every))
    size = 0
    for number in range(MESSAGES // A_FILE):
        content = b"".join(message for _, message in islice(feed, A_FILE))
        (folder / f"{number:03}.hl7").write_bytes(content)
        size += len(content)
    return size
