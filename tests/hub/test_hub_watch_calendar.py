"""When a silence is unusual: learned from any feed, never rung by one that does what it always did, always by one that stopped."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from liaison.hub.watch.calendar import GRACE, HOUR, MARGIN, Came, Hour, holidays, next_hour, usual

PARIS = ZoneInfo("Europe/Paris")
#: A Monday in winter, midnight in Paris: eight weeks on, no holiday and no change of the clock.
MONDAY = datetime(2026, 1, 11, 23, tzinfo=UTC)
WEEK = 7 * 24 * HOUR


def feed(times: list[int], hours: int, start: datetime = MONDAY) -> list[Hour]:
    """What is learned of messages at ``times`` (seconds after ``start``, sorted) over a number of hours."""
    first = int(start.timestamp()) // HOUR
    learned: list[Hour] = []
    quiet: int | None = None
    for number in range(hours):
        inside = [at - number * HOUR for at in times if number * HOUR <= at < (number + 1) * HOUR]
        came: Came | None = None
        for at in inside:
            one = Came(messages=1, first=at, last=at, gap=0)
            came = one if came is None else came.then(one)
        hour = next_hour("ch", first + number, quiet, came)
        if hour is not None:
            learned.append(hour)
            quiet = hour.quiet
    return learned


def weekly(week: list[int], weeks: int) -> list[int]:
    return sorted(at + number * WEEK for number in range(weeks) for at in week)


def silence_at(times: list[int], at: int) -> int | None:
    """Seconds since the last message at a moment."""
    place = bisect_right(times, at)
    return at - times[place - 1] if place else None


messages_of_a_week = st.lists(st.integers(0, WEEK - 1), min_size=1, max_size=60).map(sorted)


@settings(max_examples=60, deadline=None)
@given(week=messages_of_a_week, moments=st.lists(st.integers(0, WEEK - 1), min_size=1, max_size=8))
def test_a_feed_that_does_what_it_did_every_week_never_rings(week: list[int], moments: list[int]) -> None:
    weeks = 5
    times = weekly(week, weeks)
    # The first hour that was ever heard begins in the middle of nothing: a whole week is known from the second on.
    learned = feed(times, (weeks - 1) * 7 * 24)
    for moment in moments:
        at = (weeks - 1) * WEEK + moment
        silence = silence_at(times, at)
        known = usual(learned, MONDAY + timedelta(seconds=at), PARIS)
        assert silence is not None and known is not None
        assert silence < known.limit


@settings(max_examples=60, deadline=None)
@given(week=messages_of_a_week, stopped=st.integers(0, WEEK - 1))
def test_a_feed_that_stopped_for_good_rings(week: list[int], stopped: int) -> None:
    weeks = 4
    learned = feed(weekly(week, weeks), weeks * 7 * 24)
    longest = max(hour.longest for hour in learned)
    last = weeks * WEEK + stopped
    # A week after its longest silence there is no hour left whose limit it has not passed.
    at = last + longest * MARGIN + GRACE + 1
    known = usual(learned, MONDAY + timedelta(seconds=at), PARIS)
    assert known is not None and at - last > known.limit


@given(st.lists(st.integers(0, HOUR - 1), min_size=1, max_size=20).map(sorted), st.integers(0, 100_000))
def test_an_hour_knows_its_longest_silence(times: list[int], before: int) -> None:
    came: Came | None = None
    for at in times:
        one = Came(messages=1, first=at, last=at, gap=0)
        came = one if came is None else came.then(one)
    hour = next_hour("ch", 7, before, came)
    assert hour is not None
    marks = [-before, *times, HOUR]
    assert hour.longest == max(later - earlier for earlier, later in pairwise(marks))
    assert (hour.messages, hour.quiet) == (len(times), HOUR - times[-1])


def test_a_night_without_messages_is_no_silence_in_a_small_hospital_and_a_morning_is() -> None:
    office_hours = [day * 24 * HOUR + hour * HOUR + minute * 60 for day in range(5) for hour in range(8, 18) for minute in (5, 35)]
    learned = feed(weekly(office_hours, 4), 4 * 7 * 24)
    for local, silent_for, rings in (
        (datetime(2026, 2, 10, 3), 10 * HOUR, False),  # Tuesday night
        (datetime(2026, 2, 14, 12), 19 * HOUR, False),  # Saturday
        (datetime(2026, 2, 9, 8, 2), 63 * HOUR, False),  # Monday, about to begin
        (datetime(2026, 2, 10, 11), 2 * HOUR, True),  # Tuesday morning
        (datetime(2026, 2, 9, 11), 65 * HOUR, True),  # Monday morning: nothing since Friday
    ):
        known = usual(learned, local.replace(tzinfo=PARIS), PARIS)
        assert known is not None
        assert (silent_for > known.limit) is rings, local


def test_a_feed_of_one_batch_a_day_is_missed_within_hours_and_not_before() -> None:
    batch = [day * 24 * HOUR + 6 * HOUR + 300 for day in range(7)]
    learned = feed(weekly(batch, 4), 4 * 7 * 24)
    early, late = datetime(2026, 2, 10, 6, 20, tzinfo=PARIS), datetime(2026, 2, 10, 9, 30, tzinfo=PARIS)
    for at, rings in ((early, False), (late, True)):
        known = usual(learned, at, PARIS)
        assert known is not None
        since = at - datetime(2026, 2, 9, 6, 5, tzinfo=PARIS)
        assert (since.total_seconds() > known.limit) is rings


def test_a_holiday_is_a_sunday() -> None:
    weekdays = [day * 24 * HOUR + hour * HOUR + 600 for day in range(5) for hour in range(24)]
    # Nothing at weekends. Easter Monday comes after seven such weeks.
    start = datetime(2026, 2, 15, 23, tzinfo=UTC)
    learned = feed(weekly(weekdays, 7), 7 * 7 * 24, start)
    at = datetime(2026, 4, 6, 15, tzinfo=PARIS)
    assert at.date() in holidays(2026)
    known, next_day = usual(learned, at, PARIS), usual(learned, at + timedelta(days=1), PARIS)
    assert known is not None and next_day is not None
    silence = 64 * HOUR  # since Friday evening
    assert silence < known.limit
    # The day after is a Monday: what began again is known by what Mondays are at this hour.
    assert silence + 24 * HOUR > next_day.limit


def test_a_long_weekend_does_not_ring() -> None:
    office_hours = [day * 24 * HOUR + hour * HOUR + minute * 60 for day in range(5) for hour in range(8, 18) for minute in (5, 35)]
    start = datetime(2026, 10, 25, 23, tzinfo=UTC)
    learned = feed(weekly(office_hours, 8), 8 * 7 * 24, start)
    # Christmas 2026 is a Friday: nothing from Thursday evening to Monday morning.
    last = datetime(2026, 12, 24, 17, 35, tzinfo=PARIS)
    for hour in range(1, 86):
        at = last + timedelta(hours=hour)
        known = usual(learned, at, PARIS)
        assert known is not None and (at - last).total_seconds() < known.limit, at
    late = usual(learned, datetime(2026, 12, 28, 11, tzinfo=PARIS), PARIS)
    assert late is not None and late.limit < 3 * HOUR


def test_the_days_of_rest_are_those_of_the_law() -> None:
    assert {date(2026, 4, 6), date(2026, 5, 14), date(2026, 5, 25), date(2026, 7, 14), date(2026, 12, 25)} <= holidays(2026)
    assert len(holidays(2026)) == 11


def test_nothing_is_known_of_a_source_that_is_new() -> None:
    steady = list(range(0, 24 * HOUR, 600))
    assert usual(feed(steady, 24), MONDAY + timedelta(days=1, hours=10), PARIS) is None


def test_after_three_working_days_the_fourth_is_known() -> None:
    steady = list(range(0, 72 * HOUR, 600))
    known = usual(feed(steady, 72), MONDAY + timedelta(days=3, hours=10), PARIS)
    assert known is not None and known.limit < HOUR and known.messages == 6


def test_hours_known_to_have_been_wrong_teach_nothing() -> None:
    steady = weekly(list(range(0, WEEK, 600)), 3)
    first = int(MONDAY.timestamp()) // HOUR
    # Each Tuesday from nine to noon the feed was broken: three weeks of three.
    broken = [(first + week * 7 * 24 + 24 + 9, first + week * 7 * 24 + 24 + 12) for week in range(3)]
    times = [at for at in steady if not any(begin <= at // HOUR + first <= end for begin, end in broken)]
    learned = feed(times, 3 * 7 * 24)
    at = MONDAY + timedelta(days=22, hours=11)
    taught, untaught = usual(learned, at, PARIS), usual(learned, at, PARIS, without=broken)
    assert taught is not None and taught.limit > 3 * HOUR
    # The other working days at this hour are known.
    assert untaught is not None and untaught.limit < HOUR
