"""One byte budget for the whole hub: what sits in buffers and in unanswered messages."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

#: What one read of a socket may bring: asyncio and uvloop both read up to 256 kB at once.
READ_SIZE = 256 * 1024

#: Seconds until those that still wait are looked at again, when others were let go on before them.
NEXT_TURN = 0.01


class Reader(Protocol):
    """What reads bytes into memory and can stop doing so."""

    @property
    def unfinished(self) -> bool:
        """Whether it holds the beginning of a message, which only reading on can complete."""
        ...

    def resume(self) -> None:
        """Read on: its turn has come."""
        ...


class ByteBudget:
    """Counts the bytes that sources hold, and says who may read on when there are too many.

    A source counts bytes once they are in memory, so ``acquire`` never fails: the limit is kept by not reading on.
    After each read a reader asks ``must_pause``; readers go on in the order in which they paused.

    Should the budget be spent on unfinished messages alone, nothing would ever be released. Then the one that has
    waited longest is completed past the limit, alone: the overshoot is one message of the largest size (and one read
    a socket).
    """

    def __init__(self, limit: int) -> None:
        if limit <= 0:
            raise ValueError("le budget mémoire doit être d'au moins un octet")
        self.limit = limit
        #: Bytes held now.
        self.held = 0
        #: Messages with the hub: each will release its bytes when it is answered.
        self._pending = 0
        self._waiting: deque[Reader] = deque()
        self._favourite: Reader | None = None
        self._next_turn: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<ByteBudget {self.held}/{self.limit} bytes, {self._pending} pending, {len(self._waiting)} waiting>"

    def acquire(self, count: int) -> None:
        """Count bytes that were read."""
        self.held += count

    def release(self, count: int) -> None:
        """Forget bytes that were thrown away."""
        self.held -= count
        if self._waiting or self._favourite is not None:
            self._admit()

    def begin(self, reader: Reader) -> None:
        """A message of this reader goes to the hub."""
        self._pending += 1
        if self._favourite is reader:
            self._favourite = None

    def end(self, count: int) -> None:
        """A message of ``count`` bytes is answered, or given up."""
        self._pending -= 1
        self.release(count)

    def must_pause(self, reader: Reader) -> bool:
        """Whether ``reader`` must stop now; if so its ``resume`` is called once, when its turn has come."""
        if self.held < self.limit or self._favourite is reader:
            return False
        if self._favourite is None and self._pending == 0 and reader.unfinished:
            self._favourite = reader
            return False
        self._waiting.append(reader)
        return True

    def forget(self, reader: Reader) -> None:
        """A reader is gone, and waits no more."""
        if reader in self._waiting:
            self._waiting.remove(reader)
        if self._favourite is reader:
            self._favourite = None
            self._admit()

    def _admit(self) -> None:
        """Let go on as many as the room allows; when nothing will make room, the first that can complete its message."""
        if self.held >= self.limit:
            if self._pending == 0 and self._favourite is None:
                self._favourite = next((reader for reader in self._waiting if reader.unfinished), None)
                if self._favourite is not None:
                    self._waiting.remove(self._favourite)
                    self._favourite.resume()
            return
        self._favourite = None
        promised = self.held
        while self._waiting and promised < self.limit:
            promised += READ_SIZE
            self._waiting.popleft().resume()
        # Those let go on may have nothing to read: the others must not wait for them.
        if self._waiting and self._next_turn is None:
            self._next_turn = asyncio.get_running_loop().call_later(NEXT_TURN, self._take_turn)

    def _take_turn(self) -> None:
        self._next_turn = None
        self._admit()
