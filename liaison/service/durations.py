"""Durations as a configuration writes them: ``"90s"``, ``"15m"``, ``"48h"``, ``"7d"``, or a number of seconds."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "j": 86_400}
_WRITTEN: Final = re.compile(r"([0-9]{1,9})\s*([smhdj])")
#: A century: no setting of a hub means more, and arithmetic on times stays within bounds.
_LONGEST: Final = 100 * 366 * 86_400
REMEDY: Final = 'Écrire un nombre entier de secondes, ou par exemple "30m", "48h", "7d".'


def duration(written: str | int) -> timedelta:
    """The duration that a setting's value means. Raises ValueError when it is none, or not positive."""
    if isinstance(written, str):
        match = _WRITTEN.fullmatch(written.strip().lower())
        if match is None:
            raise ValueError("not a duration")
        written = int(match[1]) * _UNITS[match[2]]
    if not 0 < written <= _LONGEST:
        raise ValueError("not a duration that a hub can wait")
    return timedelta(seconds=written)
