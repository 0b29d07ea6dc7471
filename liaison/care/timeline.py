"""Where a set of movements leaves a stay: cancelled ones left out, the others in the order of their times in the ward."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise

from liaison.care import notes
from liaison.care.effects import ADMIT, DISCHARGE, LEAVE, RECLASS, RETURN, TRANSFER, Effect, StayStatus
from liaison.care.facts import MovementAction, Place
from liaison.care.identifiers import Identifier
from liaison.care.movement import Movement, Step, Version, moved, steps_of, version_order, with_loose_version
from liaison.care.person import Professional

#: Whoever is admitted or leaves for good is on leave no more, though nobody told of their return.
_ENDS_LEAVE = (ADMIT, RETURN, DISCHARGE)


class Timeline:
    """The walk through a stay's movements, and the situation at its end. Lives for one fold; never stored."""

    def __init__(self, movements: Iterable[Movement]) -> None:
        self.status = StayStatus.UNKNOWN
        self.patient_class = ""
        self.place = Place()
        self.finess = ""
        self.episode: Identifier | None = None
        self.preadmission: Identifier | None = None
        self.admitted_at: datetime | None = None
        self.expected_admission_at: datetime | None = None
        self.expected_discharge_at: datetime | None = None
        self.on_leave_since: datetime | None = None
        self.expected_return_at: datetime | None = None
        self.discharged_at: datetime | None = None
        self.discharge_mode = ""
        self.destination = ""
        self.destination_finess = ""
        self.closes_episode = False
        self.attending_physician: Professional | None = None
        self.referring_physician: Professional | None = None
        self.referrers: tuple[Professional, ...] = ()
        self.notes: tuple[str, ...] = ()
        #: All steps by time, and for each the change that tells it; empty for one that changes nothing.
        self.steps = _resolved(movements)
        self.tells: list[str] = []
        self._admission_known = False
        self._walk()

    def _walk(self) -> None:
        noted: set[str] = set()
        annulled = _annulled_from(self.steps)
        stands = False
        for step in self.steps:
            told = ""
            if step.effect is not None:
                effect = step.effect
                if step.cancelled:
                    told = effect.tells
                    if not step.inserted:
                        noted.add(notes.CANCEL_OF_UNKNOWN)
                elif annulled is not None and step.content.at >= annulled and not effect.expects:
                    pass
                else:
                    if not step.inserted:
                        noted.add(notes.UPDATE_OF_UNKNOWN)
                    if self.status not in effect.impossible:
                        told = self._apply(effect, step.content)
                        stands = True
                    elif not effect.expects:
                        noted.add(notes.MOVEMENT_AFTER_DISCHARGE)
            self.tells.append(told)
            self._belong(step)
        if not stands:
            self._return()
        if noted:
            self.notes = tuple(sorted(noted))

    def _belong(self, step: Step) -> None:
        content = step.content
        if step.cancelled:  # what was cancelled may say where the stay belongs, not change it
            self.finess = self.finess or content.finess
            self.episode = self.episode or content.episode
            self.preadmission = self.preadmission or content.preadmission
        else:
            self.finess = content.finess or self.finess
            self.episode = content.episode or self.episode
            self.preadmission = content.preadmission or self.preadmission

    def _apply(self, effect: Effect, content: Version) -> str:
        told = effect.tells
        if not told:
            self.status = effect.status if self.status is StayStatus.UNKNOWN else self.status
            return told
        was_present = self.status is StayStatus.PRESENT
        place = moved(self.place, content.place)
        if effect is ADMIT:
            if was_present and self._admission_known:
                told = "stay.class-changed" if content.patient_class not in ("", self.patient_class) else "stay.updated"
            else:
                self.admitted_at = content.admitted_at or content.at
                self._admission_known = True
                self._not_discharged()
        elif effect is RECLASS and self.status is StayStatus.PREADMITTED:
            told = "stay.admitted"
            self.admitted_at = content.admitted_at or content.at
        elif effect is TRANSFER and was_present and place == self.place:
            told = "stay.updated"
        elif effect is DISCHARGE:
            if self.status is StayStatus.DISCHARGED:
                told = "stay.updated"
            self._discharge(content)
        elif effect is LEAVE:
            if self.on_leave_since is not None:
                told = "stay.updated"
            self.on_leave_since = self.on_leave_since or content.at
            self.expected_return_at = content.expected_return_at or self.expected_return_at
        if effect in _ENDS_LEAVE:
            self.on_leave_since = self.expected_return_at = None
        if not self._admission_known:
            self.admitted_at = self.admitted_at or content.admitted_at
        self.status = effect.status
        self.place = place
        self.patient_class = content.patient_class or self.patient_class
        self.expected_admission_at = content.expected_admission_at or self.expected_admission_at
        self.expected_discharge_at = content.expected_discharge_at or self.expected_discharge_at
        self.attending_physician = content.attending_physician or self.attending_physician
        self.referring_physician = content.referring_physician or self.referring_physician
        self.referrers = content.referrers or self.referrers
        return told

    def _discharge(self, content: Version) -> None:
        self.discharged_at = content.discharged_at or content.at
        self.discharge_mode = content.discharge_mode
        self.destination = content.discharge_destination
        self.destination_finess = content.discharge_finess
        self.closes_episode = content.closes_episode

    def _not_discharged(self) -> None:
        self.discharged_at = None
        self.discharge_mode = self.destination = self.destination_finess = ""
        self.closes_episode = False

    def _return(self) -> None:
        """No movement stands: the stay is cancelled, or what a cancel says of the situation before is all that is known."""
        cancelled = [step for step in self.steps if step.cancelled and step.effect is not None]
        if not cancelled:
            return
        if any(step.effect is not None and step.effect.begins for step in cancelled):
            self.status = StayStatus.CANCELLED
            said = cancelled[0].content
        else:
            self.status = StayStatus.PRESENT
            said = cancelled[0].returns or cancelled[0].content
            self.admitted_at = said.admitted_at
        self.patient_class = said.patient_class
        self.place = said.place
        self.attending_physician = said.attending_physician
        self.referring_physician = said.referring_physician
        self.referrers = said.referrers


def _annulled_from(steps: list[Step]) -> datetime | None:
    """When an admission was annulled and none other stands: nothing after it counts, whatever cancels were lost."""
    annulled: datetime | None = None
    for step in steps:
        if step.effect is ADMIT:
            if not step.cancelled:
                return None
            annulled = annulled or step.content.at
    return annulled


def _order(step: Step) -> tuple[datetime, int, str, str]:
    first = step.ids[0] if step.ids else None
    rank = step.effect.rank if step.effect is not None else 0
    return step.content.at, rank, first.authority if first else "", first.value if first else ""


def _sort(steps: list[Step]) -> None:
    # Movements are kept in this order but for corrected and cancelled ones: mostly there is nothing to do.
    if any(one.content.at >= next_one.content.at for one, next_one in pairwise(steps)):
        steps.sort(key=_order)


def _resolved(movements: Iterable[Movement]) -> list[Step]:
    """The steps by time, corrections and cancels that came without ZBE-1 applied to what they must be about."""
    steps: list[Step] = []
    loose: list[Version] = []
    for movement in movements:
        for step in steps_of(movement):
            if not step.ids and not step.inserted:
                loose.extend(movement.versions)
            else:
                steps.append(step)
    _sort(steps)
    for version in sorted(loose, key=version_order):
        _attach(steps, version)
    if loose:
        _sort(steps)
    return steps


def _attach(steps: list[Step], version: Version) -> None:
    cancels = version.action is MovementAction.CANCEL
    effect = version.effect
    for number in range(len(steps) - 1, -1, -1):
        step = steps[number]
        if step.cancelled or step.content.at > version.at or (effect is not None and step.effect is not effect):
            continue
        steps[number] = with_loose_version(step, version)
        return
    steps.append(
        Step(
            ids=(),
            effect=effect,
            cancelled=cancels,
            inserted=False,
            first_at=version.at,
            content=version,
            returns=version if cancels else None,
        )
    )
