"""What a hub counts as it goes."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from liaison.hub.contracts import Verdict
from liaison.hub.watch.meters import SECONDS, Histogram, Meters, quantile

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@given(st.lists(st.floats(0, 200), min_size=1, max_size=200), st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(values: list[float], part: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    told = quantile(histogram.bounds, histogram.counts, part)
    true = sorted(values)[max(0, math.ceil(part * len(values)) - 1)]
    assert told is not None
    low = max((bound for bound in SECONDS if bound < true), default=0.0)
    high = min((bound for bound in SECONDS if bound >= true), default=SECONDS[-1])
    assert min(low, SECONDS[-1]) <= told <= high
    assert sum(histogram.counts) == len(values) and math.isclose(histogram.total, sum(values), abs_tol=1e-6)


def test_a_quantile_of_nothing_is_not_known() -> None:
    assert quantile(SECONDS, [0] * (len(SECONDS) + 1), 0.5) is None


def test_resends_are_counted_apart_and_are_a_sign_of_life() -> None:
    meter = Meters().source("ch")
    meter.answered(Verdict.ACCEPTED, 0.002, now=NOW, duplicate=False)
    meter.answered(Verdict.ACCEPTED, 0.001, now=NOW.replace(hour=1), duplicate=True)
    assert meter.answers == {"accepted": 1} and meter.duplicates == 1
    assert meter.heard_at == NOW.replace(hour=1) and sum(meter.seconds.counts) == 2


def test_attempts_are_counted_by_what_they_came_to() -> None:
    meters = Meters()
    for outcome in ("delivered", "unavailable", "delivered"):
        meters.destination("platform").tried(outcome, 0.1)
    assert meters.destinations["platform"].attempts == {"delivered": 2, "unavailable": 1}
