"""When a delivery is tried again: exponential backoff with full jitter, bounded, and never sooner than the peer asked."""

from __future__ import annotations

import msgspec


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a destination is retried. Times in seconds."""

    #: Delay before the second attempt.
    first: float = 2.0
    #: Longest delay between two attempts.
    longest: float = 600.0
    #: How long a delivery may wait in all before it expires and a person is told.
    give_up_after: float = 72 * 3600.0
    #: How long to wait before the same bytes are sent again when it is not known whether they were taken.
    uncertain: float = 30.0
    #: After how many attempts that may have been taken a person decides, where the destination does not know its parcels again.
    uncertain_attempts: int = 3

    def __post_init__(self) -> None:
        if not (0 < self.first <= self.longest and self.give_up_after > 0 and self.uncertain >= 0 and self.uncertain_attempts > 0):
            raise ValueError("retry : il faut 0 < first <= longest, give_up_after > 0, uncertain >= 0 et uncertain_attempts > 0")

    def delay(self, attempts: int, chance: float, asked: float | None = None) -> float:
        """Seconds to wait after ``attempts`` attempts; ``chance`` is uniform in [0, 1), ``asked`` what the peer asked for."""
        ceiling = min(self.longest, self.first * 2.0 ** min(attempts - 1, 30))
        wait = ceiling / 2 + chance * ceiling / 2
        return max(wait, min(asked, self.longest)) if asked is not None else wait
