"""Invented movements of one invented visit, one after the other or drawn at random."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from liaison.care.effects import CANCELS, INSERTS, StayStatus
from liaison.care.facts import MovementAction, MovementFact, Place
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.care.stay import Stay, apply_movement, stay_changes

T0 = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
HOSPITAL = "finess:400011177"
INSERT, UPDATE, CANCEL = MovementAction.INSERT, MovementAction.UPDATE, MovementAction.CANCEL
PRESENT, DISCHARGED, CANCELLED = StayStatus.PRESENT, StayStatus.DISCHARGED, StayStatus.CANCELLED


def hour(number: float) -> datetime:
    return T0 + timedelta(hours=number)


def movement_id(name: str, authority: str = HOSPITAL) -> Identifier:
    return Identifier(kind=IdentifierKind.MOVEMENT, authority=authority, value=name)


def fact(
    trigger: str, name: str = "", at: float = 0, told: float | None = None, action: MovementAction = INSERT, **more: Any
) -> MovementFact:
    recorded = hour(at if told is None else told)
    given: dict[str, Any] = {
        "original_trigger": trigger if action is INSERT else "",
        "movement": (movement_id(name),) if name else (),
        "patient_class": "I",
        "finess": "400011177",
        "control_id": f"{trigger}-{name}-{told}",
        "recorded_at": recorded,
        "sent_at": recorded,
        **more,
    }
    return MovementFact(
        patient=(Identifier(kind=IdentifierKind.IPP, authority=HOSPITAL, value="800"),),
        action=action,
        trigger=trigger,
        visit=Identifier(kind=IdentifierKind.VISIT, authority=HOSPITAL, value="V1"),
        at=hour(at),
        **given,
    )


def at_unit(unit: str, bed: str = "") -> Place:
    return Place(uf_lodging=unit, uf_medical=unit, room="1" if bed else "", bed=bed)


def folded(*facts: MovementFact, before: Stay | None = None) -> Stay:
    stay = before
    for one in facts:
        stay = apply_movement(stay, one, stay_id="s1", patient_id="p1")
    assert stay is not None
    return stay


def same(one: Stay, other: Stay) -> bool:
    """Whether two stays are the same but for what counts the way they came about."""
    return msgspec.structs.replace(one, revision=0, told=()) == msgspec.structs.replace(other, revision=0, told=())


def told(before: Stay | None, one: MovementFact) -> list[tuple[str, str]]:
    changes = stay_changes(before, folded(one, before=before))
    return [(change.type, change.undoes) for change in changes]


ADMISSION = fact("A01", "m1", 0, place=at_unit("100", "A"), admitted_at=hour(0))
TRANSFER = fact("A02", "m2", 10, place=at_unit("200", "B"))
DISCHARGE = fact("A03", "m3", 50, place=at_unit("200", "B"), discharge_mode="8", discharge_destination="7", discharged_at=hour(50))
A11 = fact("A11", "m1", 0, 60, CANCEL, original_trigger="A01")
A12 = fact("A12", "m2", 10, 61, CANCEL, original_trigger="A02", place=at_unit("100", "A"))
A13 = fact("A13", "m3", 50, 62, CANCEL, original_trigger="A03", place=at_unit("200", "B"))


#: Every trigger that inserts, and the one that cancels it.
PAIRS = {insert: next(cancel for cancel in CANCELS if CANCELS[cancel] is effect) for insert, effect in INSERTS.items()} | {
    "A06": "A07",
    "A07": "A06",
}

#: Cases of each property: ``make nightly`` asks for more.
EXAMPLES = int(os.environ.get("LIAISON_EXAMPLES", "500"))


@st.composite
def facts_of_a_stay(draw: st.DrawFn) -> list[MovementFact]:
    """Movements with corrections and cancels, sane or not, with ZBE or without."""
    facts: list[MovementFact] = []
    with_zbe = draw(st.booleans())
    for number in range(draw(st.integers(1, 6))):
        trigger = draw(st.sampled_from(sorted(PAIRS)))
        at = draw(st.integers(0, 6))
        name = f"m{number if draw(st.booleans()) else draw(st.integers(0, 3))}" if with_zbe else ""
        unit = at_unit(draw(st.sampled_from(["100", "200", ""])))
        kind = draw(st.sampled_from("IEOR"))
        ids: dict[str, Any] = {}
        if name and draw(st.booleans()):
            ids["movement"] = (movement_id(name), movement_id(f"x{draw(st.integers(0, 3))}", "oid:1.2.3"))
        facts.append(fact(trigger, name, at, told=10 + number, place=unit, patient_class=kind, **ids))
        if draw(st.booleans()):
            moved = draw(st.integers(0, 6))
            origin = draw(st.sampled_from([trigger, ""]))
            facts.append(fact("Z99", name, moved, 20 + number, UPDATE, original_trigger=origin, place=unit))
        if draw(st.booleans()):
            facts.append(fact(PAIRS[trigger], name, at, 30 + number, CANCEL, original_trigger=trigger, patient_class=kind))
    return facts
