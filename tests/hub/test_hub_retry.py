"""When a delivery is tried again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.hub.retry import RetryPolicy

POLICY = RetryPolicy(first=2.0, longest=600.0)
chances = st.floats(0, 1, exclude_max=True)


@given(attempts=st.integers(1, 10_000), chance=chances)
def test_a_wait_is_bounded_on_both_sides(attempts: int, chance: float) -> None:
    assert POLICY.first / 2 <= POLICY.delay(attempts, chance) <= POLICY.longest


@given(attempts=st.integers(1, 100), chance=chances)
def test_waits_grow_until_the_longest(attempts: int, chance: float) -> None:
    now, then = POLICY.delay(attempts, chance), POLICY.delay(attempts + 1, chance)
    assert then == pytest.approx(2 * now) or then == pytest.approx(POLICY.longest * (1 + chance) / 2)


def test_the_jitter_spreads_over_half_of_the_wait() -> None:
    assert (POLICY.delay(3, 0.0), POLICY.delay(3, 0.5)) == (4.0, 6.0)


@given(attempts=st.integers(1, 40), chance=chances, asked=st.floats(0, 1e9))
def test_never_sooner_than_the_peer_asks_nor_much_later(attempts: int, chance: float, asked: float) -> None:
    wait = POLICY.delay(attempts, chance, asked)
    assert wait >= min(asked, POLICY.longest) and wait >= POLICY.delay(attempts, chance)
    assert wait <= POLICY.longest


@pytest.mark.parametrize(
    "wrong", [{"first": 0}, {"first": 700.0}, {"give_up_after": 0}, {"uncertain": -1}, {"uncertain_attempts": 0}]
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="retry"):
        RetryPolicy(**wrong)
