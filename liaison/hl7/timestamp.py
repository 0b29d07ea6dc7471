"""Times of variable precision: ``YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]`` (HL7 v2.5 §2.A.77, TS and DTM)."""

from __future__ import annotations

import enum
import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

from liaison.private import Private

_FORM = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,9}))?)?)?)?)?)?(?:([+-])(\d\d)(\d\d))?", re.ASCII
)


class Precision(enum.IntEnum):
    """How much of a time was written. Comparable: ``DAY < MINUTE``."""

    YEAR = 1
    MONTH = 2
    DAY = 3
    HOUR = 4
    MINUTE = 5
    SECOND = 6
    FRACTION = 7


_LENGTHS = {
    Precision.YEAR: 4,
    Precision.MONTH: 6,
    Precision.DAY: 8,
    Precision.HOUR: 10,
    Precision.MINUTE: 12,
    Precision.SECOND: 14,
    Precision.FRACTION: 14,
}


class Timestamp(Private, frozen=True, kw_only=True):
    """A moment and how precisely it was told. What was not written is the beginning of the period."""

    #: Aware: in the zone that was written, else in the one the reader was given.
    at: datetime
    precision: Precision


def parse_ts(text: str, zone: tzinfo) -> Timestamp | None:
    """The time in ``text`` (first component of a TS), or None when it is empty, null or not a time."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, zone_hours, zone_minutes = match.groups()
    if sign:
        offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
        if offset > timedelta(hours=15):
            return None
        zone = timezone(-offset if sign == "-" else offset)
    try:
        at = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int(fraction.ljust(6, "0")[:6]) if fraction else 0,
            zone,
        )
    except ValueError:
        return None
    return Timestamp(at=at, precision=Precision(sum(part is not None for part in match.groups()[:7])))


def parse_date(text: str) -> date | None:
    """The day in ``text``, whatever time follows it; None when it is not as precise as a day."""
    digits = normal_date(text)
    return None if digits is None or len(digits) != 8 else date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))


def normal_date(text: str) -> str | None:
    """``YYYYMMDD``, ``YYYYMM`` or ``YYYY`` without time and zone, as birth dates are compared; None when it is not a date."""
    time = parse_ts(text, UTC)
    if time is None:
        return None
    return text.strip()[: _LENGTHS[min(time.precision, Precision.DAY)]]


def write_ts(at: datetime, precision: Precision = Precision.SECOND) -> str:
    """``at`` as HL7 writes it: the zone follows wherever a time of day is written. Raises ValueError for a naive time."""
    if at.tzinfo is None:
        raise ValueError("an HL7 time is written from an aware datetime")
    iso = at.isoformat(timespec="microseconds")  # several times faster than strftime, which each reply would wait for
    written = f"{iso[:4]}{iso[5:7]}{iso[8:10]}{iso[11:13]}{iso[14:16]}{iso[17:19]}"[: _LENGTHS[precision]]
    if precision == Precision.FRACTION:
        written += iso[19:24]
    return written if precision <= Precision.DAY else written + iso[26:29] + iso[30:32]
