"""One byte budget for the whole hub: what sits in buffers and in unanswered messages."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

#: What one read of a socket may bring: asyncio and uvloop both read up to 256 kB at once.
READ_SIZE = 256 * 1024

#: From how many bytes the beginning of a message makes it a large one.
LARGE = 64 * 1024

#: Seconds until those that still wait are looked at again, when others were let go on before them.
NEXT_TURN = 0.01


class Reader(Protocol):
    """What reads bytes into memory and can stop doing so."""

    @property
    def unfinished(self) -> bool:
        """Whether it holds the beginning of a message, which only reading on can complete."""
        ...

    @property
    def large(self) -> bool:
        """Whether that beginning has LARGE bytes or more: then it may have to wait for others like it."""
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

    Beginnings of messages may take half of the budget: then large ones are completed one after the other, and whoever sends
    ordinary messages is read as usual, however slowly the large ones come.
    """

    def __init__(self, limit: int) -> None:
        if limit <= 0:
            raise ValueError("le budget mémoire doit être d'au moins un octet")
        self.limit = limit
        #: Bytes held now.
        self.held = 0
        #: Those of them that are beginnings of messages.
        self.begun = 0
        #: Messages with the hub: each will release its bytes when it is answered.
        self._pending = 0
        self._waiting: deque[Reader] = deque()
        self._favourite: Reader | None = None
        self._next_turn: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<ByteBudget {self.held}/{self.limit} bytes, {self._pending} pending, {len(self._waiting)} waiting>"

    @property
    def pressed(self) -> bool:
        """Whether somebody must wait for what others hold: whoever is slow then costs them their turn."""
        return self._counted >= self.limit or self._crowded

    @property
    def _crowded(self) -> bool:
        return self.begun >= self.limit // 2

    @property
    def _counted(self) -> int:
        """What is held, as far as others wait for it: beginnings beyond their half are the one large message that is being completed,
        unless they are very many."""
        beyond = max(0, self.begun - self.limit // 2)
        return self.held - beyond if beyond < self.limit else self.held

    def acquire(self, count: int, *, begun: int = 0) -> None:
        """Count bytes that were read; by ``begun`` the beginnings of messages became more, or less where one is whole."""
        self.held += count
        self.begun += begun

    def release(self, count: int, *, begun: int = 0) -> None:
        """Forget bytes that were thrown away, ``begun`` of them beginnings of messages."""
        self.held -= count
        self.begun -= begun
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
        full = self._counted >= self.limit
        if self._favourite is reader or not (full or (self._crowded and reader.large)):
            return False
        if self._favourite is None and reader.unfinished and not (full and self._pending):
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
        if self._counted >= self.limit:
            if self._pending == 0 and self._favourite is None:
                self._favourite = next((reader for reader in self._waiting if reader.unfinished), None)
                if self._favourite is not None:
                    self._waiting.remove(self._favourite)
                    self._favourite.resume()
            return
        if not self._crowded:
            self._favourite = None
        promised, large = self._counted, deque[Reader]()
        while self._waiting and promised < self.limit:
            reader = self._waiting.popleft()
            if self._crowded and reader.large:
                if self._favourite is not None:
                    large.append(reader)
                    continue
                self._favourite = reader
            promised += READ_SIZE
            reader.resume()
        # Those let go on may have nothing to read: the others must not wait for them.
        if self._waiting and self._next_turn is None:
            self._next_turn = asyncio.get_running_loop().call_later(NEXT_TURN, self._take_turn)
        self._waiting.extendleft(reversed(large))

    def _take_turn(self) -> None:
        self._next_turn = None
        self._admit()
