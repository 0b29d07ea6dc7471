"""A hospital's referential of units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.care.units import Unit, UnitsError, read_units

GERIATRICS = Unit(code="6268", label="Gériatrie", kind="MCO", phone="05 58 00 00 00", mailbox="geriatrie@ch.test", sensitive=True)


def test_columns_come_in_any_order_and_with_either_separator() -> None:
    whole = "code;label;kind;phone;mailbox;sensitive\n6268;Gériatrie;MCO;05 58 00 00 00;geriatrie@ch.test;oui\n"
    assert read_units(whole.splitlines()) == {"6268": GERIATRICS}
    turned = '\ufeffLabel,Code\n"Soins, suite",7100\n\n'
    assert read_units(turned.splitlines(keepends=True)) == {"7100": Unit(code="7100", label="Soins, suite")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "ligne 1"),
        ("label;kind\na;b", "code obligatoire"),
        ("code;code\n1;2", "chacune une fois"),
        ("code;couleur\n1;2", "colonnes attendues"),
        ("code;label\n1;a\n1;b", "ligne 3"),
        ("code;label\n1", "ligne 2"),
        ("code;label\n;a", "ligne 2"),
        ("code;sensitive\n1;peut-être", "oui ou non"),
        ('code;label\n1;"a', "ligne 2"),
        ("code;label\n1;" + "a" * 3000, "2000"),
    ],
)
def test_what_cannot_be_read_is_refused_whole_with_its_line(text: str, said: str) -> None:
    with pytest.raises(UnitsError, match=said):
        read_units(text.splitlines())


@given(st.lists(st.text(max_size=40), max_size=8))
def test_any_lines_are_read_or_refused(lines: list[str]) -> None:
    try:
        assert all(code for code in read_units(["code;label;sensitive", *lines]))
    except UnitsError as error:
        assert "ligne" in str(error)
