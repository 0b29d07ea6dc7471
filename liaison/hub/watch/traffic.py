"""What sources send, hour by hour: counted from the journal's messages once an hour is over, and the calendar that comes of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from liaison.hub.watch.calendar import HOUR, REMEMBERED, Came, Hour, Usual, next_hour, usual

#: Seconds after an hour's end from which nothing more is written into it.
_SETTLED = 60
#: Milliseconds of messages that one question counts, so that none takes long, and questions in one go.
_SLICE = 10 * 60 * 1000
_MOST_SLICES = 6 * 48


class Counts(Protocol):
    """The questions that are asked of the journal."""

    def first_hour(self) -> int | None: ...
    def came(self, begin: int, end: int) -> dict[str, Came]: ...
    def hours(self, since: int) -> tuple[Hour, ...]: ...


class Traffic:
    """What is known of the hours that are over. Used by one thread at a time."""

    def __init__(self, journal: Counts, now: datetime) -> None:
        self._journal = journal
        self._hours: dict[str, deque[Hour]] = {}
        #: The first hour that is not counted yet; None while the journal is empty.
        self._next: int | None = None
        for each in journal.hours(_hour(now) - REMEMBERED):
            self._keep(each)
            self._next = each.hour + 1

    def close_hours(self, now: datetime) -> tuple[Hour, ...]:
        """Count hours that are over and were not counted, as many as may be counted in one go; they are new."""
        current = int(now.timestamp() - _SETTLED) // HOUR
        if self._next is None:
            first = self._journal.first_hour()
            if first is None:
                return ()
            self._next = first
        # A journal whose messages were all removed, or a hub that was away for long, begins anew.
        self._next = max(self._next, current - REMEMBERED)
        closed: list[Hour] = []
        slices = 0
        while self._next < current and slices < _MOST_SLICES:
            start = self._next * HOUR * 1000
            came = self._came(start, start + HOUR * 1000)
            slices += HOUR * 1000 // _SLICE
            for source in {**self._hours, **came}:
                before = self._hours.get(source)
                # Hours that nobody counted before this one were silent: what was heard last is that much longer ago.
                quiet = None if not before else before[-1].quiet + (self._next - before[-1].hour - 1) * HOUR
                hour = next_hour(source, self._next, quiet, came.get(source))
                if hour is not None:
                    self._keep(hour)
                    closed.append(hour)
            self._next += 1
        return tuple(closed)

    def caught_up(self, now: datetime) -> bool:
        """Whether every hour that is over was counted."""
        return self._next is None or self._next >= int(now.timestamp() - _SETTLED) // HOUR

    def heard(self, now: datetime) -> dict[str, float]:
        """When each source was last heard, in seconds since 1970, as far as the journal tells."""
        last = {source: float((hours[-1].hour + 1) * HOUR - hours[-1].quiet) for source, hours in self._hours.items() if hours}
        first = self._next if self._next is not None else self._journal.first_hour()
        if first is not None:
            for hour in range(max(first, _hour(now) - 1), _hour(now) + 1):
                start = hour * HOUR * 1000
                for source, came in self._came(start, start + HOUR * 1000).items():
                    last[source] = float(hour * HOUR + came.last)
        return last

    def usual(self, source: str, now: datetime, zone: ZoneInfo, *, without: Iterable[tuple[int, int]] = ()) -> Usual | None:
        """What is usual for a source now; None while too little is known."""
        hours = self._hours.get(source)
        return None if hours is None or not self.caught_up(now) else usual(hours, now, zone, without=without)

    def _came(self, start: int, end: int) -> Mapping[str, Came]:
        whole: dict[str, Came] = {}
        for begin in range(start, end, _SLICE):
            for source, came in self._journal.came(begin, begin + _SLICE).items():
                whole[source] = whole[source].then(came) if source in whole else came
        return whole

    def _keep(self, hour: Hour) -> None:
        self._hours.setdefault(hour.source, deque(maxlen=REMEMBERED)).append(hour)


def _hour(now: datetime) -> int:
    return int(now.timestamp()) // HOUR
