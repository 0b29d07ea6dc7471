"""Ids, days and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.hub.journal.records import (
    DeliveryRecord,
    LaneRecord,
    day_of,
    first_id_at,
    from_microseconds,
    microseconds,
    number_id,
    text_id,
)
from liaison.hub.journal.view import Moment
from liaison.hub.states import Work

times = st.datetimes(datetime(2020, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))


@given(at=times)
def test_a_time_survives_as_microseconds(at: datetime) -> None:
    assert from_microseconds(microseconds(at)) == at


@given(at=times)
def test_the_day_of_an_id_is_the_utc_day_it_was_given(at: datetime) -> None:
    assert day_of(first_id_at(at)) == int(f"{at:%Y%m%d}")
    assert day_of(first_id_at(at) + 2**20 - 1) == int(f"{at:%Y%m%d}")


@given(first=times, second=times)
def test_ids_are_in_the_order_of_their_time(first: datetime, second: datetime) -> None:
    if abs(first - second) >= timedelta(milliseconds=1):
        assert (first < second) == (first_id_at(first) < first_id_at(second))
    assert 0 < first_id_at(first) < 2**63


@given(number=st.integers(0, 2**63 - 1))
def test_a_written_id_is_sixteen_digits_and_reads_back(number: int) -> None:
    assert len(text_id(number)) == 16 and number_id(text_id(number)) == number


def test_what_is_no_id_says_so() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        number_id("not an id")


@given(at=times, last=st.integers(0, 2**62))
def test_a_moment_gives_ids_above_all_before(at: datetime, last: int) -> None:
    moment = Moment(at, last)
    given_ids = [moment.next_id() for _ in range(3)]
    assert last < given_ids[0] < given_ids[1] < given_ids[2] == moment.last_id
    assert given_ids[0] >= first_id_at(at)


def test_tokens_cannot_be_guessed() -> None:
    tokens = {Moment.token() for _ in range(100)}
    assert len(tokens) == 100 and {len(token) for token in tokens} == {32}


def test_a_lane_is_idle_when_its_head_is_past_its_last() -> None:
    assert LaneRecord(destination="d", patient=1).idle
    assert not LaneRecord(destination="d", patient=1, head=1, last=1).idle


def test_a_record_shows_its_kind_and_nothing_else() -> None:
    delivery = DeliveryRecord(
        id=1,
        destination="mail",
        patient=1,
        lane_seq=1,
        message=1,
        ordinal=0,
        work=Work.PENDING,
        due=0,
        created_at=0,
        token="t",
        kind="k",
        recipient="gp@medecin.mssante.test",
    )
    assert repr(delivery) == str(delivery) == "<DeliveryRecord>"
