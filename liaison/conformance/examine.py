"""Examining a whole export: chunks to worker processes, tallies and steps back in the export's order, then the report.

The answer is the same whatever the number of workers: chunks are cut by the files alone, and merged in their order.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime
from itertools import islice
from typing import Final

import msgspec

from liaison.care.units import Unit
from liaison.conformance.export import MAX_FILES, MAX_MESSAGES, TOO_MANY, ExportFile, Piece, Unread, chunks
from liaison.conformance.look import Lookout
from liaison.conformance.report import Export, Report, report_of
from liaison.conformance.sequence import Ledger
from liaison.conformance.steps import Step
from liaison.conformance.tally import Tally
from liaison.hub.explain_file import speaking_finess
from liaison.mappings.interpretation import SourceProfile

#: Below this many chunks, starting a process costs more than it saves.
_FEW: Final = 2
_AHEAD: Final = 3
#: The source that an export comes from where no configuration names any.
NEWCOMER: Final = "export"


class TookTooLong(Exception):
    """The time that was given for the examination is over."""


class WorkerLost(Exception):
    """A worker process died."""


class NothingToRead(Exception):
    """No file holds a message. ``unread`` says why of each."""

    def __init__(self, unread: Sequence[Unread]) -> None:
        super().__init__("no message")
        self.unread = tuple(unread)


def examine(
    files: Iterable[ExportFile],
    *,
    now: datetime,
    profile: SourceProfile | None = None,
    units: Mapping[str, Unit] | None = None,
    workers: int = 0,
    seconds: float = 0.0,
    tell: Callable[[int], None] = lambda _: None,
) -> Report:
    """The report of an export.

    Without a ``profile`` the messages are read as a newcomer's; with ``units`` the codes that the referential lacks are told. ``workers`` is a
    number of processes, 0 for one a core; ``seconds`` a limit, 0 for none. ``tell`` gets the bytes read so far.

    Raises:
        NothingToRead: there is no message in any file.
        WorkerLost: a worker process was killed, most often for want of memory.
        TookTooLong: ``seconds`` are over.
    """
    named = tuple(islice(files, MAX_FILES))
    unread: list[Unread] = []
    tally, steps = Tally(), list[Step]()
    deadline = time.monotonic() + seconds if seconds else None
    for part, more in _looked(chunks(named, unread, tell), profile, now, workers or os.cpu_count() or 1):
        if deadline is not None and time.monotonic() > deadline:
            raise TookTooLong
        tally.merge(part)
        steps += more
        if tally.messages >= MAX_MESSAGES:
            tally.note(TOO_MANY)
            break
    if not tally.messages:
        raise NothingToRead(unread)
    export = Export(
        names=tuple(file.name for file in named),
        unread=tuple(unread),
        first=min((step.at for step in steps if step.at), default=0.0),
        last=max((step.at for step in steps), default=0.0),
    )
    return report_of(tally, Ledger().follow(steps), export, units=units, now=now)


def _looked(
    parts: Iterator[list[Piece]], profile: SourceProfile | None, now: datetime, workers: int
) -> Iterator[tuple[Tally, list[Step]]]:
    """What each chunk adds up to, in order."""
    first = list(islice(parts, _FEW))
    if not first:
        return
    if profile is None:
        finess = next((code for piece in first[0] if (code := speaking_finess(piece.raw))), "")
        profile = SourceProfile(source=NEWCOMER, finess=finess)
    key = os.urandom(16)
    if workers == 1 or len(first) < _FEW:
        lookout = Lookout(profile, now=now, key=key)
        for part in _chained(first, parts):
            yield lookout.look(part)
        return
    executor = ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin, initargs=(profile, now, key)
    )
    try:
        waiting: deque[Future[tuple[Tally, bytes]]] = deque()
        for part in _chained(first, parts):
            waiting.append(executor.submit(_work, part))
            if len(waiting) >= workers * _AHEAD:
                yield _received(waiting.popleft())
        while waiting:
            yield _received(waiting.popleft())
    except BrokenProcessPool as lost:
        raise WorkerLost from lost
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _chained(first: list[list[Piece]], rest: Iterator[list[Piece]]) -> Iterator[list[Piece]]:
    yield from first
    yield from rest


_decode = msgspec.msgpack.Decoder(list[Step]).decode
_encode = msgspec.msgpack.Encoder().encode


def _received(future: Future[tuple[Tally, bytes]]) -> tuple[Tally, list[Step]]:
    tally, steps = future.result()
    return tally, _decode(steps)


#: The worker process's own.
_lookout: Lookout | None = None


def _begin(profile: SourceProfile, now: datetime, key: bytes) -> None:
    global _lookout  # noqa: PLW0603 - a worker process is begun once, and given its chunks one by one
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump would hold messages
    _lookout = Lookout(profile, now=now, key=key)


def _work(pieces: list[Piece]) -> tuple[Tally, bytes]:
    assert _lookout is not None, "a worker is begun before it works"
    tally, steps = _lookout.look(pieces)
    return tally, _encode(steps)
