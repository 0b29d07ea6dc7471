"""The commands by which a hub writes down what it sees of itself. None is part of taking a message."""

from __future__ import annotations

from collections.abc import Iterable

from liaison.hub.journal.records import AlertRecord, Key, MarkRecord, Record, TrafficForgotten
from liaison.hub.journal.view import Moment, View
from liaison.hub.watch.calendar import Hour
from liaison.private import Private


class Pulse(Private, frozen=True, kw_only=True):
    """Proves that the writer commits when nothing else does."""

    def needs(self, view: View) -> Iterable[Key]:
        """Nothing."""
        return ()

    def decide(self, view: View, moment: Moment) -> tuple[None, tuple[Record, ...]]:
        """The time."""
        return None, (MarkRecord(name="pulse", value=str(moment.now_us).encode()),)


class NoteHours(Private, frozen=True, kw_only=True):
    """Remember what sources sent in hours that are over, and forget those of long ago."""

    hours: tuple[Hour, ...]
    #: Hours since 1970.
    forget_before: int

    def needs(self, view: View) -> Iterable[Key]:
        """Nothing: an hour is counted from the messages, and counted again it is the same."""
        return ()

    def decide(self, view: View, moment: Moment) -> tuple[None, tuple[Record, ...]]:
        """The hours."""
        return None, (*self.hours, TrafficForgotten(before=self.forget_before))


class NoteAlerts(Private, frozen=True, kw_only=True):
    """Remember alerts as they are now: after a restart nobody is told again."""

    alerts: tuple[AlertRecord, ...]

    def needs(self, view: View) -> Iterable[Key]:
        """Nothing: one task of the hub owns its alerts."""
        return ()

    def decide(self, view: View, moment: Moment) -> tuple[None, tuple[Record, ...]]:
        """The alerts."""
        return None, self.alerts
