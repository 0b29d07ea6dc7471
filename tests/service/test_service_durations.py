"""Durations of a configuration."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.service.durations import duration


@pytest.mark.parametrize(
    ("written", "hours"),
    [("48h", 48), (" 48 H ", 48), ("2d", 48), ("2j", 48), ("90m", 1.5), ("3600s", 1), (172_800, 48)],
)
def test_a_duration_is_read_in_its_unit(written: str | int, hours: float) -> None:
    assert duration(written) == timedelta(hours=hours)


@pytest.mark.parametrize("written", ["", "h", "48", "-1h", "1.5h", "48 heures", "4٨h", 0, -1, "0h", "999999999d", 10**12])
def test_what_is_none_is_refused(written: str | int) -> None:
    with pytest.raises(ValueError):
        duration(written)


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        assert duration(text) > timedelta(0)
    except ValueError:
        pass
