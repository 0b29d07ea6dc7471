"""Movements of one stay as they were told: each with its versions, keyed by ZBE-1.

The store is a set: adding the same version twice, or versions in any order, ends in the same movements.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from datetime import datetime

import msgspec

from liaison.care.effects import CANCELS, INSERTS, Effect
from liaison.care.facts import MovementAction, MovementFact, Place
from liaison.care.identifiers import Identifier
from liaison.care.person import Professional
from liaison.private import Private

# Bound once: an enumeration's members cost a lookup at each use, and this is the hot path.
_INSERT, _UPDATE, _CANCEL = MovementAction.INSERT, MovementAction.UPDATE, MovementAction.CANCEL

#: Versions kept of one movement, beyond the last of each action: a feed that repeats itself must not make a stay grow.
_VERSIONS_KEPT = 16
#: A stay of years has a few hundred movements.
MOVEMENTS_AT_MOST = 1000


class TooManyMovementsError(ValueError):
    """One visit has more movements than any real stay: its feed reuses one visit number for everybody."""


class Version(Private, frozen=True, kw_only=True, omit_defaults=True):
    """What one message said of a movement: a MovementFact without what names the patient, the visit and the movement."""

    action: MovementAction
    trigger: str
    original_trigger: str = ""
    at: datetime
    historic: bool = False
    patient_class: str = ""
    place: Place = Place()
    finess: str = ""
    episode: Identifier | None = None
    preadmission: Identifier | None = None
    admitted_at: datetime | None = None
    discharged_at: datetime | None = None
    expected_admission_at: datetime | None = None
    expected_discharge_at: datetime | None = None
    expected_return_at: datetime | None = None
    discharge_mode: str = ""
    discharge_destination: str = ""
    discharge_finess: str = ""
    closes_episode: bool = False
    attending_physician: Professional | None = None
    referring_physician: Professional | None = None
    referrers: tuple[Professional, ...] = ()
    recorded_at: datetime
    sent_at: datetime
    control_id: str

    @property
    def effect(self) -> Effect | None:
        """What the movement does, or did before it was cancelled; None for a trigger that is in no table."""
        if self.action is _CANCEL:
            return CANCELS.get(self.trigger) or INSERTS.get(self.original_trigger)
        if self.action is _UPDATE:
            return INSERTS.get(self.original_trigger) or INSERTS.get(self.trigger)
        return INSERTS.get(self.trigger)


class Movement(Private, frozen=True, kw_only=True, omit_defaults=True):
    """One movement. ``ids`` is empty in a feed without ZBE: its versions then share effect and time."""

    ids: tuple[Identifier, ...] = ()
    #: Oldest first.
    versions: tuple[Version, ...]


class Step(Private, frozen=True, kw_only=True):
    """A movement as all its versions together leave it."""

    ids: tuple[Identifier, ...]
    effect: Effect | None
    cancelled: bool
    #: Whether the message that inserts it was received.
    inserted: bool
    #: Its time as first told, by which it is found again when there is no ZBE-1.
    first_at: datetime
    #: Content, corrections applied.
    content: Version
    #: What the cancelling message said: the situation to return to (PAM.fr §5.3.7).
    returns: Version | None = None


def version_of(fact: MovementFact) -> Version:
    """What a fact says of its movement."""
    return Version(
        action=fact.action,
        trigger=fact.trigger,
        original_trigger=fact.original_trigger,
        at=fact.at,
        historic=fact.historic,
        patient_class=fact.patient_class,
        place=fact.place,
        finess=fact.finess,
        episode=fact.episode,
        preadmission=fact.preadmission,
        admitted_at=fact.admitted_at,
        discharged_at=fact.discharged_at,
        expected_admission_at=fact.expected_admission_at,
        expected_discharge_at=fact.expected_discharge_at,
        expected_return_at=fact.expected_return_at,
        discharge_mode=fact.discharge_mode,
        discharge_destination=fact.discharge_destination,
        discharge_finess=fact.discharge_finess,
        closes_episode=fact.closes_episode,
        attending_physician=fact.attending_physician,
        referring_physician=fact.referring_physician,
        referrers=fact.referrers,
        recorded_at=fact.recorded_at,
        sent_at=fact.sent_at,
        control_id=fact.control_id,
    )


def with_version(movements: tuple[Movement, ...], ids: tuple[Identifier, ...], version: Version) -> tuple[Movement, ...]:
    """``movements`` with one more version; the very same tuple when it was known already.

    Every repetition of ZBE-1 matches: a message that names two known movements shows that they are one (PAM.fr §6.13).
    """
    same = _same(movements, ids, version)
    if not same:
        if len(movements) >= MOVEMENTS_AT_MOST:
            raise TooManyMovementsError(f"a stay holds at most {MOVEMENTS_AT_MOST} movements")
        return _inserted(movements, Movement(ids=ids if len(ids) < 2 else _sorted_ids(ids), versions=(version,)))
    known = [one for movement in same for one in movement.versions]
    all_ids = _sorted_ids({*ids, *(identifier for movement in same for identifier in movement.ids)})
    if version in known:
        if len(same) == 1 and all_ids == same[0].ids:
            return movements
    else:
        known.append(version)
    merged = Movement(ids=all_ids, versions=_kept(sorted(known, key=version_order)))
    if same == [merged]:
        return movements
    return _inserted(tuple(one for one in movements if one not in same), merged)


def steps_of(movement: Movement) -> list[Step]:
    """What a movement comes to: one step, or one for each effect when a feed reuses ZBE-1 inside a visit."""
    versions = movement.versions
    if len(versions) == 1:
        return [_step(movement.ids, versions[0].effect, versions)]
    groups: dict[str, list[Version]] = {}
    effects: dict[str, Effect | None] = {}
    loose: list[Version] = []
    for version in versions:
        effect = version.effect
        if version.action is _UPDATE or effect is None:
            loose.append(version)
        else:
            effects[effect.name] = effect
            groups.setdefault(effect.name, []).append(version)
    for version in loose:
        # A correction never inserts (PAM.fr §5.3.2): when its origin matches nothing, it is about what there is.
        effect = version.effect
        name = effect.name if effect is not None else ""
        if groups and name not in groups:
            name = next(reversed(groups))
        effects.setdefault(name, effect)
        groups.setdefault(name, []).append(version)
    return [_step(movement.ids, effects[name], sorted(group, key=version_order)) for name, group in groups.items()]


def with_loose_version(step: Step, version: Version) -> Step:
    """``step`` corrected or cancelled by a version that came without ZBE-1."""
    if version.action is _CANCEL:
        return msgspec.structs.replace(step, cancelled=True, returns=version)
    return msgspec.structs.replace(step, content=_corrected(step.content, version))


def moved(before: Place, after: Place) -> Place:
    """``before`` with the responsibilities that ``after`` names; what it leaves out stays (PAM.fr §5.1.1)."""
    if after == before:
        return before
    same_unit = after.uf_lodging in ("", before.uf_lodging)
    lodging = before if same_unit and not after.room and not after.bed else after
    medical = after if after.uf_medical else before
    label = after.uf_medical_label or (before.uf_medical_label if medical.uf_medical == before.uf_medical else "")
    return Place(
        uf_lodging=lodging.uf_lodging or before.uf_lodging,
        uf_medical=medical.uf_medical,
        uf_medical_label=label,
        uf_care=after.uf_care or before.uf_care,
        room=lodging.room,
        bed=lodging.bed,
    )


_ACTION_ORDER = {_INSERT: 0, _UPDATE: 1, _CANCEL: 2}


def version_order(version: Version) -> tuple[datetime, datetime, int, str, bytes]:
    """The order of versions: when recorded (EVN-2), when sent (MSH-7), then MSH-10; total, so that folding has one result."""
    # The action goes before MSH-10: clocks count seconds, and control ids do not sort.
    action = _ACTION_ORDER[version.action]
    return version.recorded_at, version.sent_at, action, version.control_id, msgspec.json.encode(version)


def _sorted_ids(ids: tuple[Identifier, ...] | set[Identifier]) -> tuple[Identifier, ...]:
    return tuple(sorted(set(ids), key=lambda one: (one.authority, one.value, one.kind)))


def _same(movements: tuple[Movement, ...], ids: tuple[Identifier, ...], version: Version) -> list[Movement]:
    if len(ids) == 1:
        only = ids[0]
        return [one for one in movements if only in one.ids]
    if ids:
        return [one for one in movements if any(identifier in one.ids for identifier in ids)]
    effect = version.effect
    return [one for one in movements if not one.ids and one.versions[0].at == version.at and one.versions[0].effect is effect]


def _inserted(movements: tuple[Movement, ...], one: Movement) -> tuple[Movement, ...]:
    """``movements``, which are sorted, with ``one`` in its place."""
    found = list(movements)
    insort(found, one, key=_movement_order)
    return tuple(found)


def _movement_order(movement: Movement) -> tuple[datetime, int, str, str]:
    last = movement.versions[-1]
    effect = last.effect
    first = movement.ids[0] if movement.ids else None
    rank = effect.rank if effect is not None else 0
    return last.at, rank, first.authority if first else "", first.value if first else ""


def _kept(versions: list[Version]) -> tuple[Version, ...]:
    if len(versions) <= _VERSIONS_KEPT:
        return tuple(versions)
    # The last of each action says whether the movement stands: it outlives any number of corrections.
    last = {(version.action, version.effect and version.effect.name): number for number, version in enumerate(versions)}
    keep = {*last.values(), *range(len(versions) - _VERSIONS_KEPT, len(versions))}
    return tuple(version for number, version in enumerate(versions) if number in keep)


def _step(ids: tuple[Identifier, ...], effect: Effect | None, versions: Sequence[Version]) -> Step:
    content: Version | None = None
    returns: Version | None = None
    inserted = False
    for version in versions:
        if version.action is _CANCEL:
            returns = version
            continue
        if version.action is _INSERT:
            inserted = True
            returns = None
        content = version if content is None else _corrected(content, version)
    return Step(
        ids=ids,
        effect=effect,
        cancelled=returns is not None,
        inserted=inserted,
        first_at=versions[0].at,
        content=content or versions[-1],
        returns=returns,
    )


def _corrected(before: Version, after: Version) -> Version:
    """A later version over an earlier one: what it leaves out is unchanged, but a time that moved takes its like with it."""
    same_time = after.at == before.at
    return msgspec.structs.replace(
        after,
        patient_class=after.patient_class or before.patient_class,
        place=moved(before.place, after.place),
        finess=after.finess or before.finess,
        episode=after.episode or before.episode,
        preadmission=after.preadmission or before.preadmission,
        admitted_at=after.admitted_at or (before.admitted_at if same_time else None),
        discharged_at=after.discharged_at or (before.discharged_at if same_time else None),
        expected_admission_at=after.expected_admission_at or before.expected_admission_at,
        expected_discharge_at=after.expected_discharge_at or before.expected_discharge_at,
        expected_return_at=after.expected_return_at or before.expected_return_at,
        discharge_mode=after.discharge_mode or before.discharge_mode,
        discharge_destination=after.discharge_destination or before.discharge_destination,
        discharge_finess=after.discharge_finess or before.discharge_finess,
        closes_episode=after.closes_episode or before.closes_episode,
        attending_physician=after.attending_physician or before.attending_physician,
        referring_physician=after.referring_physician or before.referring_physician,
        referrers=after.referrers or before.referrers,
    )
