"""When is a silence unusual? A source's own calendar, learned hour by hour from what it sent.

A night without messages is usual for a small hospital, a minute without is not for a large one at ten; a feed that comes once a day
is silent for 23 hours, every day. So what is learned is the *longest silence* that was seen under way in each hour, and a silence is
unusual when it lasts longer than those of the same hour of the same weekday did in the weeks before. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

HOUR: Final = 3600
#: How far back is learned from, in hours: eight weeks.
REMEMBERED: Final = 8 * 7 * 24
#: A silence may last that much longer than what is usual, and this many seconds more.
MARGIN: Final = 1.5
GRACE: Final = 15 * 60.0
#: Of what was seen, the part that counts as usual: one odd week in eight changes nothing.
_USUAL: Final = 0.9
#: Seconds up to which a limit is that of a working hour.
_SHORT: Final = 2.0 * HOUR
#: Observations of the hour itself from which its weekday is known; before, working days and weekends are told apart.
_WEEKS, _DAYS = 2, 3


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """What one source sent in one hour."""

    source: str
    #: Hours since 1970, UTC.
    hour: int
    messages: int
    #: Seconds: the longest silence that was under way in this hour, from its beginning, be it hours before.
    longest: int
    #: Seconds of silence under way when the hour ended.
    quiet: int


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """The messages of one source in some part of an hour: at least one."""

    messages: int
    #: Seconds into the hour.
    first: int
    last: int
    #: The longest silence between two of them, in seconds.
    gap: int

    def then(self, later: Came) -> Came:
        """With those of the part of the hour that follows."""
        return Came(
            messages=self.messages + later.messages,
            first=self.first,
            last=later.last,
            gap=max(self.gap, later.first - self.last, later.gap),
        )


def next_hour(source: str, hour: int, before: int | None, came: Came | None) -> Hour | None:
    """What an hour (since 1970) was for a source; None while the source was never heard.

    ``before`` are the seconds of silence under way when it began, None when the source was never heard; ``came`` is what it sent, if anything.
    """
    if came is None:
        return None if before is None else Hour(source=source, hour=hour, messages=0, longest=before + HOUR, quiet=before + HOUR)
    led = came.first if before is None else before + came.first
    quiet = HOUR - came.last
    return Hour(source=source, hour=hour, messages=came.messages, longest=max(led, came.gap, quiet), quiet=quiet)


class Usual(msgspec.Struct, frozen=True, kw_only=True):
    """What is usual for a source at one hour of the week."""

    #: Seconds of silence from which something is wrong.
    limit: float
    #: Messages in such an hour, the middle one of those seen.
    messages: int


def usual(hours: Sequence[Hour], now: datetime, zone: ZoneInfo, *, without: Iterable[tuple[int, int]] = ()) -> Usual | None:
    """What is usual now; None while too little is known.

    Args:
        hours: of one source, in any order.
        now: aware.
        zone: where the source's days begin and end.
        without: hours (first, last) that are known to have been wrong, and teach nothing.
    """
    wrong = tuple(without)
    first = int(now.timestamp()) // HOUR - REMEMBERED
    kind, at = _slot(now.astimezone(zone))
    same: list[Hour] = []
    near: list[Hour] = []
    like: list[Hour] = []
    like_near: list[Hour] = []
    for each in hours:
        if each.hour < first or any(begin <= each.hour <= end for begin, end in wrong):
            continue
        day, hour = _slot_of(each.hour, zone)
        distance = abs(hour - at)
        # What is usual an hour earlier or later is usual now: people are not punctual.
        if distance > 1:
            continue
        if day == kind:
            near.append(each)
            same += [each] if not distance else []
        if (day >= 5) == (kind >= 5):
            like_near.append(each)
            like += [each] if not distance else []
    if len(same) >= _WEEKS:
        known, counted = near, same
    elif len(like) >= _DAYS:
        known, counted = like_near, like
    else:
        return None
    longest = sorted(each.longest for each in known)
    counts = sorted(each.messages for each in counted)
    limit = longest[_place(len(longest))] * MARGIN + GRACE
    # A silence that may last a night or a weekend may last a day more for each holiday beside it; others hardly change.
    rest = 24.0 * HOUR * _rested(now.astimezone(zone).date())
    return Usual(limit=limit + (rest if limit > _SHORT else min(rest, limit)), messages=counts[len(counts) // 2])


def _place(count: int) -> int:
    return max(0, -int(-count * _USUAL // 1) - 1)


def _slot(local: datetime) -> tuple[int, int]:
    """Weekday and hour of a local time: holidays are Sundays, and a working day after one is a Monday."""
    day = local.date()
    if _is_holiday(day):
        return 6, local.hour
    after = day.weekday() < 5 and _is_holiday(day - timedelta(days=1))
    return 0 if after else day.weekday(), local.hour


def _rested(day: date) -> int:
    """How many holidays that were not at a weekend anyway a silence may have lasted through, as far as a weekend ago."""
    days = (day - timedelta(days=back) for back in range(4))
    return sum(each.weekday() < 5 and _is_holiday(each) for each in days)


def _is_holiday(day: date) -> bool:
    return day in holidays(day.year)


@cache
def _local_hours(zone: ZoneInfo) -> dict[int, tuple[int, int]]:
    return {}


def _slot_of(hour: int, zone: ZoneInfo) -> tuple[int, int]:
    known = _local_hours(zone)
    if (slot := known.get(hour)) is None:
        if len(known) > 4 * REMEMBERED:
            known.clear()
        slot = known[hour] = _slot(datetime.fromtimestamp(hour * HOUR, UTC).astimezone(zone))
    return slot


@cache
def holidays(year: int) -> frozenset[date]:
    """The days on which the whole country rests (Code du travail, L3133-1)."""
    easter = _easter(year)
    fixed = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
    return frozenset(
        {date(year, month, day) for month, day in fixed}
        # Easter Monday, Ascension, Whit Monday.
        | {easter + timedelta(days=days) for days in (1, 39, 50)}
    )


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (the anonymous algorithm of 1876, after Meeus)."""
    golden, century, rest = year % 19, year // 100, year % 100
    leap, part = divmod(century, 4)
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap - correction + 15) % 30
    quarter, odd = divmod(rest, 4)
    weekday = (32 + 2 * part + 2 * quarter - epact - odd) % 7
    shift = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)
