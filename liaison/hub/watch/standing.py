"""How a hub stands at one moment, as one value: what alerts, metrics, ``liaison check`` and a monitoring system all look at.

Nothing in it names a person: sources, destinations, parts of the machine, counts and durations.
"""

from __future__ import annotations

import msgspec


class SourceStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One source."""

    #: Seconds since it last sent something; None when it never did.
    silence: float | None = None
    #: Seconds of silence from which something is wrong now; None while its calendar is not known.
    limit: float | None = None
    #: Messages in an hour like this one, of the weeks before.
    usual: int | None = None
    #: Whether it is served.
    listening: bool = True
    #: Whether a person stopped it: then its messages are refused on purpose.
    paused: bool = False
    connections: int = 0
    #: Messages since the last look that nobody could answer, or that were refused for now.
    refused: int = 0
    #: Since when (seconds since 1970) an unusual silence is told, while it lasts.
    told: float | None = None
    #: Seconds to the answer, since the last look: ``0.5``, ``0.95``, ``0.99`` and what that part of the messages stayed below.
    ack: dict[str, float] = {}


class DestinationStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One destination."""

    #: Deliveries that are open, those that wait for a person left out.
    backlog: int = 0
    #: Seconds since the oldest of them was decided.
    oldest: float = 0.0
    #: Whether a person stopped it.
    paused: bool = False


class HoldStanding(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for one owner, the hospital or the GCS."""

    open: int = 0
    #: Those whose time is over.
    overdue: int = 0


class DiskStanding(msgspec.Struct, frozen=True, kw_only=True):
    """The disk that one part of the hub writes to, in bytes."""

    free: int
    size: int

    @property
    def percent(self) -> float:
        """How much of it is free."""
        return 100.0 * self.free / self.size if self.size else 0.0


class FileStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is published anew from time to time."""

    #: Seconds since it was.
    age: float
    #: Seconds from which it is stale.
    limit: float
    #: Why a newer one that is there is not in use, in French; empty when there is none.
    refused: str = ""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Whether each part works; a text says, in French, what is wrong, and is empty when nothing is."""

    journal: str = ""
    vault: str = ""
    reader: str = ""
    sources: str = ""
    dispatch: str = ""

    @property
    def broken(self) -> dict[str, str]:
        """Those that do not work, and why."""
        return {name: text for name in self.__struct_fields__ if (text := getattr(self, name))}


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A hub."""

    #: Seconds since 1970.
    at: float
    #: Which journal it is, by a digest of its place: two hubs on one machine must not be taken for each other.
    journal: str = ""
    #: Seconds since the hub started; what happened before, it did not watch.
    up: float = 0.0
    #: Seconds since the journal's last commit. An idle hub commits a pulse every few seconds.
    commit_age: float = 0.0
    parts: Parts = Parts()
    sources: dict[str, SourceStanding] = {}
    destinations: dict[str, DestinationStanding] = {}
    #: By owner.
    holds: dict[str, HoldStanding] = {}
    #: Messages kept whole that nobody has looked at.
    quarantined: int = 0
    #: Days left, by whose they are; below zero they are over. None when a file cannot be read.
    certificates: dict[str, float | None] = {}
    #: By part of the hub.
    disks: dict[str, DiskStanding] = {}
    #: Whether messages are refused because the journal's disk is nearly full.
    full: bool = False
    #: By file: directory, white list.
    files: dict[str, FileStanding] = {}
    #: Resident bytes by process.
    memory: dict[str, int] = {}
    #: Seconds by which the event loop was late at the last look.
    lag: float = 0.0
    #: Open alerts by kind.
    alerts: dict[str, int] = {}
    #: Alerts that could not be told yet.
    untold: int = 0
