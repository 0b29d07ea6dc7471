"""The shape of a value: what a vendor needs to find a fault, and nothing of whom it is about.

``DUPONT^ANNE^^^^^L`` becomes ``AAAAAA^AAAA^^^^^A``. Every letter is an A and every digit a 9, whatever the alphabet, so that nothing has to be
known of a field to mask it: a name that slipped into a code's field is masked as well.
"""

from __future__ import annotations

from typing import Final

#: Characters shown of a value; a longer one is cut, so that no free text shows even its length.
LONGEST: Final = 80
_CUT: Final = "…"


def shape(value: str) -> str:
    """``value`` with its letters as A and its digits as 9; ASCII punctuation stays, anything else becomes a middle dot."""
    masked = "".join(map(_masked, value[:LONGEST]))
    return masked + _CUT if len(value) > LONGEST else masked


def _masked(character: str) -> str:
    if character.isalpha():
        return "A"
    if character.isnumeric():
        return "9"
    return character if " " <= character <= "~" else "·"
