from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from liaison.conformance.masking import LONGEST, shape


def test_a_name_becomes_its_shape() -> None:
    assert shape("Dupont-Élan^Anne^^^^^L") == "AAAAAA-AAAA^AAAA^^^^^A"
    assert shape("19521117") == "99999999"
    assert shape("jeanne.essai@mail.test") == "AAAAAA.AAAAA@AAAA.AAAA"


@given(st.text(max_size=3 * LONGEST))
@example("²½٣五ßﬁǅ\u0301\u200d🩺")
def test_no_letter_and_no_digit_of_a_value_survives(value: str) -> None:
    masked = shape(value).removesuffix("…")
    assert not re.search(r"[^\W_A9]", masked)
    assert set(masked) <= {*map(chr, range(32, 127)), "·"}


@given(st.text(max_size=LONGEST))
def test_the_shape_is_kept_character_by_character(value: str) -> None:
    masked = shape(value)
    assert len(masked) == len(value)
    for before, after in zip(value, masked, strict=True):
        assert (after == "A") == before.isalpha()
        assert (after == "9") == (before.isnumeric() and not before.isalpha())


@given(st.text(min_size=LONGEST + 1, max_size=LONGEST + 200))
def test_a_long_value_does_not_even_tell_its_length(value: str) -> None:
    assert shape(value) == shape(value[:LONGEST] + "x" * 7)
    assert len(shape(value)) == LONGEST + 1


@given(st.text(max_size=LONGEST))
def test_masking_again_changes_nothing(value: str) -> None:
    assert shape(shape(value)).replace("·", "") == shape(value).replace("·", "")
