"""What a person may stop, and let go on: a destination, a source, every delivery, or the letters alone. Kept in the journal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from liaison.hub.journal.records import Key, Record, SwitchRecord
from liaison.hub.journal.view import Moment, View
from liaison.private import Private

#: No letter leaves while it is stopped; events go on.
LETTERS: Final = "letters"
#: Nothing leaves at all: how a restored journal starts.
DELIVERIES: Final = "deliveries"


def of_destination(name: str) -> str:
    """The switch of one destination."""
    return f"destination/{name}"


def of_source(name: str) -> str:
    """The switch of one source."""
    return f"source/{name}"


class Turn(Private, frozen=True, kw_only=True):
    """Stop what a switch is for, or let it go on."""

    name: str
    stopped: bool

    def needs(self, view: View) -> Iterable[Key]:
        """The switch."""
        return (("switch", self.name),)

    def decide(self, view: View, moment: Moment) -> tuple[bool, tuple[Record, ...]]:
        """Whether that changed anything."""
        if (view.switch(self.name) is not None) == self.stopped:
            return False, ()
        return True, (SwitchRecord(name=self.name, since=moment.now_us if self.stopped else None),)


class Switches:
    """What is stopped, in memory: loaded at the start, told of every turn. For whoever must not ask the journal each time."""

    def __init__(self, stopped: Iterable[str] = ()) -> None:
        self._stopped = set(stopped)

    def __repr__(self) -> str:
        return f"<Switches {sorted(self._stopped)}>"

    def turned(self, name: str, *, stopped: bool) -> None:
        """A switch was turned in the journal."""
        if stopped:
            self._stopped.add(name)
        else:
            self._stopped.discard(name)

    def stopped(self, *names: str) -> bool:
        """Whether any of the switches is stopped."""
        return not self._stopped.isdisjoint(names)
