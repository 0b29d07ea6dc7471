"""One telling when something goes wrong, one when it is over, nothing between: the life of an alert, as a table of moves. Pure.

What comes and goes must not ring each time: the more often it began within a day, the longer it must be calm before it is over.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from liaison.hub.journal.records import AlertRecord
from liaison.hub.watch.troubles import Trouble

_MINUTE: Final = 60_000_000
_DAY: Final = 24 * 60 * _MINUTE
#: Microseconds without the trouble until it is over, the first time; doubled at each beginning of the same day.
CALM: Final = 10 * _MINUTE
LONGEST_CALM: Final = 6 * 60 * _MINUTE


class Telling(enum.StrEnum):
    """What is to be told of an alert."""

    START = "start"
    END = "end"


def advance(known: Iterable[AlertRecord], found: Iterable[Trouble], now: int, *, first_calm: int = CALM) -> tuple[AlertRecord, ...]:
    """The alerts that are new or changed, from those known and what is wrong ``now`` (microseconds).

    ``known`` are at least the open ones and those that began within the last day.
    """
    known = tuple(known)
    wrong = {(str(trouble.kind), trouble.about): trouble for trouble in found}
    opened = {(alert.kind, alert.about): alert for alert in known if alert.ended_at is None}
    changed: list[AlertRecord] = []
    for key, trouble in wrong.items():
        alert = opened.get(key)
        if alert is None:
            changed.append(AlertRecord(kind=key[0], about=key[1], since=now, step=trouble.step))
        elif alert.calm_since is not None or trouble.step > alert.step:
            changed.append(replace(alert, calm_since=None, step=max(alert.step, trouble.step)))
    for key, alert in opened.items():
        if key in wrong:
            continue
        if alert.calm_since is None:
            changed.append(replace(alert, calm_since=now))
        else:
            beginnings = sum((one.kind, one.about) == key and one.since > now - _DAY for one in known)
            if now - alert.calm_since >= calm(beginnings, first_calm):
                changed.append(replace(alert, ended_at=alert.calm_since))
    return tuple(changed)


def calm(beginnings: int, first: int = CALM) -> int:
    """Microseconds without the trouble after which it is over, when it began that often within a day."""
    return min(first << min(max(0, beginnings - 1), 16), max(first, LONGEST_CALM))


def due(alert: AlertRecord, now: int) -> Telling | None:
    """What has to be told of an alert, if anything.

    One that was over before anybody could be told is told once, as over, within a day: later it is no news.
    """
    if alert.ended_at is None:
        return Telling.START if alert.told_step < alert.step else None
    fresh = alert.told_at is not None or now - alert.ended_at < _DAY
    return Telling.END if alert.end_told_at is None and fresh else None


def told(alert: AlertRecord, telling: Telling, now: int, *, step: int) -> AlertRecord:
    """The alert after it was told, up to a step."""
    if telling is Telling.END:
        return replace(alert, end_told_at=now)
    return replace(alert, told_step=step, told_at=now)


def telling_id(alert: AlertRecord, telling: Telling) -> str:
    """What one telling is called: the same when it is repeated because nobody knows whether it arrived."""
    name = f"{alert.kind}\x1f{alert.about}\x1f{alert.since}\x1f{telling}\x1f{alert.step if telling is Telling.START else 0}"
    return hashlib.sha256(name.encode()).hexdigest()[:32]
