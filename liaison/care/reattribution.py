"""An episode that was opened for the wrong patient, and given to the right one (A44, PAM.fr §5.3): what moves, and what is told."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from liaison.care.changes import Change
from liaison.care.effects import INSERTS, StayStatus
from liaison.care.facts import ReattributionFact
from liaison.care.identifiers import Identifier
from liaison.care.patient import GivenAway, Patient
from liaison.care.stay import Stay


def gave_away(before: Patient, fact: ReattributionFact, *, to: str) -> Patient:
    """Who had the episode, after: what comes late under their numbers is the other's too."""
    kept = tuple(one for one in before.given_away if one.episode != fact.episode)
    said = GivenAway(episode=fact.episode, to=to, recorded_at=fact.recorded_at)
    return replace(before, given_away=(*kept, said))


def took_back(before: Patient, episode: Identifier) -> Patient:
    """Who has the episode now, after: that they once gave it away themselves does not hold any more."""
    kept = tuple(one for one in before.given_away if one.episode != episode)
    return before if kept == before.given_away else replace(before, given_away=kept)


def is_news(giver: Patient, taker: Patient, fact: ReattributionFact) -> bool:
    """Whether the fact is newer than what is known of its episode: of two that cross, the last recorded holds."""
    known = [one.recorded_at for patient in (giver, taker) for one in patient.given_away if one.episode == fact.episode]
    return not known or fact.recorded_at > max(known)


def heir(patient: Patient, episode: Identifier | None) -> str:
    """Id of the patient to whom an episode of this one was given; empty while it is their own."""
    return next((one.to for one in patient.given_away if one.episode == episode), "")


def gone(stay: Stay) -> Stay:
    """The stay as whoever had it is told of it: it never was."""
    return replace(stay, status=StayStatus.CANCELLED, revision=stay.revision + 1)


def given(stay: Stay, *, patient_id: str) -> Stay:
    """The stay as its new patient has it: all that happened in it is still to be told of them."""
    return replace(stay, patient_id=patient_id, revision=stay.revision + 1, told=())


def taken_back_changes(stay: Stay, *, at: datetime) -> tuple[Change, ...]:
    """What undoes all that was told of a stay and still holds: the last is that it is cancelled. Empty when nothing was told."""
    held = [one for one in stay.told if one.type != "stay.updated"]
    beginnings = [one for one in held if one.type in _BEGINNINGS]
    last = beginnings[-1] if beginnings else held[-1] if held else None
    if last is None:
        return ()
    return tuple(
        Change(
            type="stay.cancelled" if one is last else "stay.updated",
            at=at,
            about=one.about,
            revision=stay.revision + 1,
            undoes=one.type,
            cancels=True,
            historic=False,
        )
        for one in (*(one for one in held if one is not last), last)
    )


_BEGINNINGS = frozenset(effect.tells for effect in INSERTS.values() if effect.begins)
