"""How much of something may be taken at once, and how fast that comes back: what bounds what anybody can make the hub keep."""

from __future__ import annotations


class Allowance:
    """``most`` units, which come back within ``seconds``. Times are a monotonic clock's."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
        self._rate = most / seconds
        self._left = float(most)
        self._at = 0.0

    def __repr__(self) -> str:
        return f"<Allowance {self._left:.0f}/{self.most}>"

    def take(self, wanted: int, now: float) -> int:
        """How many of ``wanted`` units are granted, at most all of them; they are taken."""
        self._left = min(float(self.most), self._left + max(0.0, now - self._at) * self._rate)
        self._at = now
        granted = min(wanted, int(self._left))
        self._left -= granted
        return granted
