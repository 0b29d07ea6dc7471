"""The bar that shows how far a large file is read, on standard error and only for people."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from liaison.service import directory_file


@contextmanager
def reading_bar(title: str) -> Generator[directory_file.Progress | None]:
    """A bar to tell bytes to, which appears with the first; None where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(title, total=None, visible=False)
        yield lambda done, total: shown.update(task, completed=done, total=total, visible=True)
