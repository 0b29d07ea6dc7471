"""Escape sequences, both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.hl7.delimiters import DEFAULT_DELIMITERS, Delimiters
from liaison.hl7.escapes import escape, unescape

OTHERS = Delimiters(field="#", component="*", repetition="+", escape="!", subcomponent="$", truncation="?")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"\F\\S\\T\\R\\E" + "\\", "|^&~\\"),
        (r"a\X41\b", "aAb"),
        (r"\XC3A9\t\XC3A9" + "\\", "été"),
        (r"une\.br\deux", "une\ndeux"),
        (r"\X0D0A" + "\\", "\r\n"),
        (r"\H\gras\N\ ", r"\H\gras\N\ "),
        (r"\H\F\N" + "\\", r"\H\F\N" + "\\"),  # the F between two sequences is a letter
        (r"\.sp2\ \Z12\ \C2842\ \M81\ ", r"\.sp2\ \Z12\ \C2842\ \M81\ "),
        (r"C:\Temp\F\x", r"C:\Temp|x"),
        (r"\X4\ \XZZ\ \Q\ ", r"\X4\ \XZZ\ \Q\ "),
        ("seul \\", "seul \\"),
        (r"\P" + "\\", r"\P" + "\\"),
    ],
)
def test_sequences_are_resolved_or_kept(written: str, meant: str) -> None:
    assert unescape(written, DEFAULT_DELIMITERS) == meant


def test_bytes_are_read_in_the_messages_set() -> None:
    assert unescape(r"\XE9" + "\\", DEFAULT_DELIMITERS, "iso8859-15") == "é"
    assert unescape(r"\XE9" + "\\", DEFAULT_DELIMITERS, "utf-8") == "é"  # not UTF-8: as the last resort reads it


def test_the_truncation_character_of_v2_7_is_known_where_it_is_declared() -> None:
    assert unescape("!P!", OTHERS) == "?"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.sampled_from((DEFAULT_DELIMITERS, OTHERS)))
def test_what_is_escaped_comes_back(value: str, delimiters: Delimiters) -> None:
    written = escape(value, delimiters)
    assert unescape(written, delimiters) == value
    assert not set(written) & {delimiters.field, delimiters.component, delimiters.repetition, delimiters.subcomponent}
    assert not set(written) & set("\r\n\x0b\x1c")


@given(st.text(alphabet="\\FSTREXHNCMZ.br0123456789ABCDEFsp+- ", max_size=40))
def test_any_text_has_a_meaning(written: str) -> None:
    assert unescape(escape(written, DEFAULT_DELIMITERS), DEFAULT_DELIMITERS) == written
    assert "\\" in unescape(written, DEFAULT_DELIMITERS) or len(unescape(written, DEFAULT_DELIMITERS)) <= len(written)
