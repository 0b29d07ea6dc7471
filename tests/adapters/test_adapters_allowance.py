"""What may be taken at once, and how it comes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from liaison.adapters.allowance import Allowance


def test_what_was_taken_comes_back_with_time_and_never_beyond_the_most() -> None:
    allowance = Allowance(100, 10.0)
    assert allowance.take(80, 1_000.0) == 80
    assert allowance.take(80, 1_000.0) == 20
    assert allowance.take(1, 1_000.0) == 0
    assert allowance.take(80, 1_005.0) == 50
    assert allowance.take(500, 9_000.0) == 100


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0, 5)), max_size=40))
def test_in_any_time_no_more_is_granted_than_the_most_and_what_came_back(asked: list[tuple[int, float]]) -> None:
    allowance, now, granted = Allowance(100, 10.0), 0.0, 0
    for wanted, later in asked:
        now += later
        one = allowance.take(wanted, now)
        assert 0 <= one <= wanted
        granted += one
    assert granted <= 100 + 10 * now + 1e-6
