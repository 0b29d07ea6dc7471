"""The progress bar of long work, on standard error, one line a part; nothing where no person looks on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(*, hidden: bool = False) -> Generator[Callable[[str, int, int], None]]:
    """A function to tell of a part's name, what is done of it, and what there is to do."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    parts: dict[str, TaskID] = {}
    with Progress(*columns, console=console, transient=True, disable=hidden or not console.is_terminal) as bar:

        def told(part: str, done: int, total: int) -> None:
            if part not in parts:
                parts[part] = bar.add_task(part)
            bar.update(parts[part], completed=done, total=max(total, 1))

        yield told
