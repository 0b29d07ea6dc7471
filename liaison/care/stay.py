"""A stay (venue): the fold of its movements, and the changes that a fact made to it.

The fold is a function of the set of movement facts, so any order of arrival, with any repetition, ends in the same stay; only
``revision`` and ``told`` count what happened on the way.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from liaison.care.changes import Change, Remembering
from liaison.care.effects import Effect, StayStatus
from liaison.care.facts import MovementFact, Place
from liaison.care.identifiers import Identifier
from liaison.care.movement import Movement, Step, steps_of, version_of, with_version
from liaison.care.person import Professional
from liaison.care.timeline import Timeline


class Stay(Remembering, frozen=True, kw_only=True, omit_defaults=True):
    """One venue of one patient. All but the first three fields and the last follow from ``movements``."""

    #: The hub's opaque ids.
    id: str
    patient_id: str
    #: PV1-19.
    visit: Identifier
    #: Everything told, cancelled or not.
    movements: tuple[Movement, ...] = ()

    status: StayStatus = StayStatus.UNKNOWN
    #: PV1-2: E I O R V N.
    patient_class: str = ""
    place: Place = Place()
    #: FINESS of the establishment.
    finess: str = ""
    #: PID-18.
    episode: Identifier | None = None
    preadmission: Identifier | None = None
    #: PV1-44 of the admission, else its ZBE-2.
    admitted_at: datetime | None = None
    expected_admission_at: datetime | None = None
    expected_discharge_at: datetime | None = None
    #: Since when the patient is away and expected back; None while they are there.
    on_leave_since: datetime | None = None
    expected_return_at: datetime | None = None
    #: PV1-45 of the discharge, else its ZBE-2; None while the patient is there.
    discharged_at: datetime | None = None
    #: ZFM-2, else PV1-36.
    discharge_mode: str = ""
    #: ZFM-4.
    destination: str = ""
    #: PV1-37.
    destination_finess: str = ""
    #: PV1-41 = D.
    closes_episode: bool = False
    attending_physician: Professional | None = None
    #: PV1-8, then those of ROL RP and RT.
    referring_physician: Professional | None = None
    referrers: tuple[Professional, ...] = ()
    #: Names of rules (care/notes): what the fold had to suppose.
    notes: tuple[str, ...] = ()

    #: Counts the facts that taught something.
    revision: int = 0


def fold_movement(before: Stay | None, fact: MovementFact, *, stay_id: str, patient_id: str) -> tuple[Stay, tuple[Change, ...]]:
    """apply_movement and stay_changes at once: the timeline is walked once instead of twice."""
    after, timeline = _applied(before, fact, stay_id, patient_id)
    if timeline is None:
        return after, ()
    return after, _changes(before, after, timeline)


def apply_movement(before: Stay | None, fact: MovementFact, *, stay_id: str, patient_id: str) -> Stay:
    """``before`` with one more movement fact; ``before`` itself when the fact teaches nothing.

    ``stay_id`` names a stay that is new; ``patient_id`` is the patient whom the hub knows by the fact's identifiers.
    Raises TooManyMovementsError.
    """
    return _applied(before, fact, stay_id, patient_id)[0]


def stay_changes(before: Stay | None, after: Stay) -> tuple[Change, ...]:
    """What to tell of the difference between two folds of one stay, oldest first.

    - a movement that now stands tells its own change (``stay.admitted``, ``stay.transferred``…);
    - a cancelled one undoes it: ``stay.cancelled`` when the stay is gone with it, else ``stay.updated``;
    - a corrected one is ``stay.updated`` that names what it corrects.
    """
    if before is not None and before.movements == after.movements:
        return ()
    return _changes(before, after, Timeline(after.movements))


def _applied(before: Stay | None, fact: MovementFact, stay_id: str, patient_id: str) -> tuple[Stay, Timeline | None]:
    known = before.movements if before is not None else ()
    movements = with_version(known, fact.movement, version_of(fact))
    if before is not None and movements is known and before.patient_id == patient_id:
        return before, None
    end = Timeline(movements)
    after = Stay(
        id=stay_id if before is None else before.id,
        patient_id=patient_id,
        visit=fact.visit if before is None else before.visit,
        movements=movements,
        status=end.status,
        patient_class=end.patient_class,
        place=end.place,
        finess=end.finess,
        episode=end.episode,
        preadmission=end.preadmission,
        admitted_at=end.admitted_at,
        expected_admission_at=end.expected_admission_at,
        expected_discharge_at=end.expected_discharge_at,
        on_leave_since=end.on_leave_since,
        expected_return_at=end.expected_return_at,
        discharged_at=end.discharged_at,
        discharge_mode=end.discharge_mode,
        destination=end.destination,
        destination_finess=end.destination_finess,
        closes_episode=end.closes_episode,
        attending_physician=end.attending_physician,
        referring_physician=end.referring_physician,
        referrers=end.referrers,
        notes=end.notes,
        revision=1 if before is None else before.revision + 1,
        told=() if before is None else before.told,
    )
    return after, end


def _changes(before: Stay | None, after: Stay, now: Timeline) -> tuple[Change, ...]:
    touched, past = _difference(before, after)
    newest = max((number for number, step in enumerate(now.steps) if now.tells[number] and not step.cancelled), default=-1)
    changes: list[Change] = []
    for number, step in enumerate(now.steps):
        effect = step.effect
        if effect is None or not effect.tells or step.ids not in touched:
            continue
        old = next((past[key] for key in _keys(step) if key in past), None)
        told, undoes, about = now.tells[number], "", _about(after, step)
        if step.cancelled:
            if old is not None and old.cancelled:
                continue
            undoes = _told_type(after, about, effect)
            gone = after.status is StayStatus.CANCELLED and effect.begins
            told = "stay.cancelled" if gone else "stay.updated"
        elif old is not None and not old.cancelled:
            if _matter(old) == _matter(step):
                continue
            undoes = _told_type(after, about, effect)
            told = "stay.updated"
        if told:
            changes.append(
                Change(
                    type=told,
                    at=step.content.at,
                    about=about,
                    revision=after.revision,
                    undoes=undoes,
                    cancels=step.cancelled,
                    historic=number < newest or step.content.historic,
                )
            )
    return tuple(changes)


_Key: TypeAlias = tuple[str, str, str]


def _difference(before: Stay | None, after: Stay) -> tuple[list[tuple[Identifier, ...]], dict[_Key, Step]]:
    """The ids of the movements that differ, and the steps that they were before."""
    known = before.movements if before is not None else ()
    if all(one.ids for one in after.movements):
        same = {id(one) for one in known}
        differ = [one for one in after.movements if id(one) not in same and one not in known]
        touched = [one.ids for one in differ]
        ids = [identifier for one in touched for identifier in one]
        old = [step for one in known if any(identifier in ids for identifier in one.ids) for step in steps_of(one)]
    else:  # what comes without ZBE-1 may be about any other movement
        touched = [one.ids for one in after.movements]
        old = Timeline(known).steps
    return touched, {key: step for step in old for key in _keys(step)}


def _keys(step: Step) -> list[_Key]:
    """What finds a step again in another fold: its effect, with any of its ids, or its first time where there is none."""
    effect = step.effect
    if effect is None:
        return []
    if not step.ids:
        return [(effect.name, "", str(step.first_at.timestamp()))]
    return [(effect.name, one.authority, one.value) for one in step.ids]


def _told_type(stay: Stay, about: str, effect: Effect) -> str:
    """What was told of this movement, as far as the stay remembers; else what such a movement tells."""
    told = [one.type for one in stay.told if one.about == about]
    return effect.tells if effect.tells in told or not told else told[-1]


def _about(stay: Stay, step: Step) -> str:
    visit = stay.visit.value
    if not step.ids:
        effect = step.effect.name if step.effect is not None else ""
        return f"stay:{visit}/{effect}@{step.first_at.timestamp():.0f}"
    names = [f"stay:{visit}/{one.value}^{one.authority}" for one in step.ids]
    if len(names) == 1 or not stay.told:
        return names[0]
    # A repetition of ZBE-1 that came later may sort first: what was told keeps its name.
    told = {one.about for one in stay.told}
    return next((name for name in names if name in told), names[0])


def _matter(step: Step) -> tuple[object, ...]:
    """What makes two versions of a movement different to anybody outside."""
    content = step.content
    return (
        content.at,
        content.patient_class,
        content.place,
        content.finess,
        content.episode,
        content.admitted_at,
        content.discharged_at,
        content.expected_admission_at,
        content.expected_discharge_at,
        content.expected_return_at,
        content.discharge_mode,
        content.discharge_destination,
        content.discharge_finess,
        content.closes_episode,
        content.attending_physician,
        content.referring_physician,
    )
