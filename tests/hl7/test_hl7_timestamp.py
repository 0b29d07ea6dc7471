"""Times as HL7 writes them, of any precision."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.hl7.timestamp import Precision, normal_date, parse_date, parse_ts, write_ts

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("text", "at", "precision"),
    [
        ("2024", datetime(2024, 1, 1, tzinfo=PARIS), Precision.YEAR),
        ("202403", datetime(2024, 3, 1, tzinfo=PARIS), Precision.MONTH),
        ("20240306", datetime(2024, 3, 6, tzinfo=PARIS), Precision.DAY),
        ("2024030611", datetime(2024, 3, 6, 11, tzinfo=PARIS), Precision.HOUR),
        ("202403061112", datetime(2024, 3, 6, 11, 12, tzinfo=PARIS), Precision.MINUTE),
        ("20240306111213", datetime(2024, 3, 6, 11, 12, 13, tzinfo=PARIS), Precision.SECOND),
        ("20240306111213.5", datetime(2024, 3, 6, 11, 12, 13, 500_000, PARIS), Precision.FRACTION),
        ("20240306111213.1234567", datetime(2024, 3, 6, 11, 12, 13, 123_456, PARIS), Precision.FRACTION),
        ("20240306111213.703+0100", datetime(2024, 3, 6, 10, 12, 13, 703_000, UTC), Precision.FRACTION),
        ("202403061112-0330", datetime(2024, 3, 6, 14, 42, tzinfo=UTC), Precision.MINUTE),
        (" 20240306 ", datetime(2024, 3, 6, tzinfo=PARIS), Precision.DAY),
    ],
)
def test_times_of_every_precision(text: str, at: datetime, precision: Precision) -> None:
    read = parse_ts(text, PARIS)
    assert read is not None
    assert (read.at, read.precision) == (at, precision)
    assert read.at.tzinfo is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        '""',
        "20",
        "20241",
        "20241306",
        "20240230",
        "2024030625",
        "20240306111260",
        "20240306+9900",
        "2024-03-06",
        "٢٠٢٤",
        "0000",
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert parse_ts(text, PARIS) is None


def test_a_winter_hour_is_not_a_summer_hour() -> None:
    winter, summer = parse_ts("202401011200", PARIS), parse_ts("202407011200", PARIS)
    assert winter is not None and summer is not None
    assert (winter.at.utcoffset(), summer.at.utcoffset()) == (timedelta(hours=1), timedelta(hours=2))


def test_dates_without_their_time() -> None:
    assert normal_date("19790328000000+0100") == "19790328"
    assert (normal_date("197903"), normal_date("1979"), normal_date("x"), normal_date("")) == ("197903", "1979", None, None)
    assert parse_date("19790328101500") == date(1979, 3, 28)
    assert parse_date("197903") is None


def test_no_time_is_shown_in_a_repr() -> None:
    assert "1979" not in repr(parse_ts("19790328", PARIS))


@given(
    st.datetimes(timezones=st.integers(-720, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))),
    st.sampled_from(tuple(Precision)),
)
def test_what_is_written_is_read_back(at: datetime, precision: Precision) -> None:
    read = parse_ts(write_ts(at, precision), at.tzinfo or UTC)
    assert read is not None
    assert read.precision == precision
    assert timedelta(0) <= at - read.at < timedelta(days=366)
    if precision == Precision.FRACTION:
        assert at - read.at < timedelta(milliseconds=1)


def test_a_naive_time_is_not_written() -> None:
    with pytest.raises(ValueError, match="aware"):
        write_ts(datetime(2024, 1, 1))
