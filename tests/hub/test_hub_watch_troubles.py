"""What is wrong with a hub, from how it stands."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace

from liaison.hub.watch.standing import (
    DestinationStanding,
    DiskStanding,
    FileStanding,
    HoldStanding,
    Parts,
    SourceStanding,
    Standing,
)
from liaison.hub.watch.troubles import WORDS, Kind, Level, Limits, Trouble, duration, troubles

HOUR = 3600.0
WELL = Standing(
    at=1_800_000_000.0,
    up=48 * HOUR,
    sources={"ch": SourceStanding(silence=60.0, limit=HOUR)},
    destinations={"platform": DestinationStanding(backlog=3, oldest=2.0)},
    holds={"gcs": HoldStanding(open=4), "hospital": HoldStanding()},
    certificates={"source ch": 200.0},
    disks={"journal": DiskStanding(free=50, size=100)},
    files={"annuaire": FileStanding(age=HOUR, limit=35 * 24 * HOUR)},
)


def one(standing: Standing, limits: Limits | None = None) -> Trouble:
    (found,) = troubles(standing, limits or Limits())
    return found


def test_a_hub_that_does_well_has_no_trouble() -> None:
    assert troubles(WELL, Limits()) == ()
    assert troubles(Standing(at=0.0), Limits()) == ()


@pytest.mark.parametrize(
    ("standing", "kind", "about", "level"),
    [
        (replace(WELL, parts=Parts(reader="absent")), Kind.PART, "reader", Level.CRITICAL),
        (replace(WELL, sources={"ch": SourceStanding(refused=2)}), Kind.INTAKE, "ch", Level.CRITICAL),
        (replace(WELL, sources={"ch": SourceStanding(silence=HOUR + 1, limit=HOUR)}), Kind.SILENCE, "ch", Level.WARNING),
        (replace(WELL, sources={"ch": SourceStanding(silence=5 * HOUR, limit=HOUR)}), Kind.SILENCE, "ch", Level.CRITICAL),
        (replace(WELL, destinations={"p": DestinationStanding(backlog=1, oldest=HOUR)}), Kind.BACKLOG, "p", Level.WARNING),
        (replace(WELL, destinations={"p": DestinationStanding(backlog=1, oldest=4 * HOUR)}), Kind.BACKLOG, "p", Level.CRITICAL),
        (replace(WELL, holds={"gcs": HoldStanding(open=9, overdue=1)}), Kind.HOLD, "gcs", Level.WARNING),
        (replace(WELL, certificates={"m": 59.5}), Kind.CERTIFICATE, "m", Level.WARNING),
        (replace(WELL, certificates={"m": -1.0}), Kind.CERTIFICATE, "m", Level.CRITICAL),
        (replace(WELL, certificates={"m": None}), Kind.CERTIFICATE, "m", Level.CRITICAL),
        (replace(WELL, disks={"journal": DiskStanding(free=9, size=100)}), Kind.DISK, "journal", Level.WARNING),
        (replace(WELL, disks={"journal": DiskStanding(free=4, size=100)}), Kind.DISK, "journal", Level.CRITICAL),
        (replace(WELL, files={"annuaire": FileStanding(age=36.0, limit=35.0)}), Kind.STALE, "annuaire", Level.WARNING),
        (replace(WELL, files={"l": FileStanding(age=1.0, limit=35.0, refused="moitié")}), Kind.STALE, "l", Level.WARNING),
        (replace(WELL, full=True), Kind.INTAKE, "journal", Level.CRITICAL),
    ],
)
def test_each_trouble_is_seen(standing: Standing, kind: Kind, about: str, level: Level) -> None:
    found = one(standing)
    assert (found.kind, found.about, found.level) == (kind, about, level)
    assert found.text.endswith((".", "absent")) and about in (*found.text.split(), found.about)


def test_a_certificate_has_a_step_for_each_time_that_it_is_told() -> None:
    steps = [one(replace(WELL, certificates={"m": days})).step for days in (60.0, 31.0, 30.0, 8.0, 7.0, 0.0, -3.0)]
    assert steps == [1, 1, 2, 2, 3, 3, 3]


def test_what_the_hub_could_not_hear_is_nobodys_silence() -> None:
    silent = replace(WELL, sources={"ch": SourceStanding(silence=10 * HOUR, limit=HOUR)})
    assert troubles(replace(silent, up=0.5 * HOUR), Limits()) == ()
    assert one(replace(silent, up=1.5 * HOUR)).kind is Kind.SILENCE


def test_a_silence_that_was_told_ends_with_a_message_only() -> None:
    told = WELL.at - 3 * HOUR
    silent = SourceStanding(silence=4 * HOUR, limit=None, told=told)
    assert one(replace(WELL, up=10.0, sources={"ch": silent})).kind is Kind.SILENCE
    assert troubles(replace(WELL, sources={"ch": replace(silent, silence=2 * HOUR)}), Limits()) == ()


def test_a_source_whose_calendar_is_not_known_is_never_silent() -> None:
    assert troubles(replace(WELL, sources={"ch": SourceStanding(silence=1e6)}), Limits()) == ()


def test_silence_can_be_left_out() -> None:
    silent = replace(WELL, sources={"ch": SourceStanding(silence=9 * HOUR, limit=HOUR, told=1.0)})
    assert troubles(silent, Limits(silence=(math.inf, math.inf))) == ()


def test_what_a_person_stopped_is_refused_on_purpose() -> None:
    assert troubles(replace(WELL, sources={"ch": SourceStanding(refused=9, paused=True)}), Limits()) == ()
    waits = replace(WELL, destinations={"p": DestinationStanding(backlog=1, oldest=HOUR, paused=True)})
    assert "en pause" in one(waits).text


def test_every_kind_has_its_words() -> None:
    assert set(WORDS) == set(Kind)
    assert all(words.title and words.remedy.endswith(".") for words in WORDS.values())


@pytest.mark.parametrize(
    ("seconds", "text"), [(12, "12 s"), (60, "1 min"), (7_500, "2 h 05"), (47 * HOUR, "47 h 00"), (3 * 24 * HOUR, "3 j")]
)
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
