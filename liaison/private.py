"""Values that identify a person: they may be compared and sealed, never shown by accident."""

from __future__ import annotations

import msgspec


class Private(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of every struct that may hold an identity or health data.

    Its ``repr`` names the type and nothing else, so that a log line, a traceback or a failed assertion says what kind of
    value it was about and not whose.
    """

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    __str__ = __repr__
