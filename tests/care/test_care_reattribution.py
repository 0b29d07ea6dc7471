"""Whose an episode is, and what is told when that changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given as cases
from hypothesis import strategies as st

from liaison.care.changes import remember
from liaison.care.effects import StayStatus
from liaison.care.facts import ReattributionFact
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.care.patient import Patient
from liaison.care.reattribution import gave_away, given, gone, heir, is_news, taken_back_changes, took_back
from liaison.care.stay import stay_changes
from tests.care.stays import ADMISSION, DISCHARGE, TRANSFER, folded

T0 = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
HOSPITAL = "finess:400011177"
EPISODE = Identifier(kind=IdentifierKind.EPISODE, authority=HOSPITAL, value="D1")


def moved(giver: str, taker: str, hours: int) -> ReattributionFact:
    def ipp(value: str) -> tuple[Identifier, ...]:
        return (Identifier(kind=IdentifierKind.IPP, authority=HOSPITAL, value=value),)

    return ReattributionFact(patient=ipp(taker), former=ipp(giver), episode=EPISODE, recorded_at=T0 + timedelta(hours=hours))


def holder(facts: list[ReattributionFact], first: str) -> str:
    """Who has the episode that began with ``first``, after facts in an order of arrival."""
    patients = {name: Patient(id=name, recorded_at=T0) for name in "ab"}
    for fact in facts:
        giver, taker = fact.former[0].value, fact.patient[0].value
        if is_news(patients[giver], patients[taker], fact):
            patients[giver] = gave_away(patients[giver], fact, to=taker)
            patients[taker] = took_back(patients[taker], EPISODE)
    return heir(patients[first], EPISODE) or first


def test_an_episode_is_its_patient_s_until_it_is_given_and_again_when_it_comes_back() -> None:
    assert holder([], "a") == "a"
    assert holder([moved("a", "b", 1)], "a") == "b"
    assert holder([moved("a", "b", 1), moved("b", "a", 2)], "a") == "a"
    patient = gave_away(Patient(id="a", recorded_at=T0), moved("a", "b", 1), to="b")
    assert heir(patient, None) == heir(patient, Identifier(kind=IdentifierKind.EPISODE, authority=HOSPITAL, value="D2")) == ""


@cases(st.lists(st.sampled_from(["ab", "ba"]), min_size=1, max_size=5), st.data())
def test_in_any_order_with_any_repetition_the_last_recorded_holds(ways: list[str], data: st.DataObject) -> None:
    facts = [moved(giver, taker, hours) for hours, (giver, taker) in enumerate(map(tuple, ways), 1)]
    shuffled = data.draw(st.permutations([*facts, *facts[:2]]))
    assert holder(shuffled, "a") == ways[-1][1] == holder(shuffled, "b")


def test_all_that_was_told_and_holds_is_undone_and_the_beginning_last() -> None:
    stay = folded(ADMISSION, TRANSFER, DISCHARGE)
    stay = remember(stay, [(change, f"e{number}") for number, change in enumerate(stay_changes(None, stay))])
    changes = taken_back_changes(stay, at=T0)
    assert [(one.type, one.undoes) for one in changes] == [
        ("stay.updated", "stay.transferred"),
        ("stay.updated", "stay.discharged"),
        ("stay.cancelled", "stay.admitted"),
    ]
    assert all(one.cancels and one.at == T0 and one.revision == stay.revision + 1 for one in changes)
    assert gone(stay).status is StayStatus.CANCELLED
    assert taken_back_changes(folded(ADMISSION), at=T0) == (), "nobody was told"


def test_the_new_patient_s_stay_is_told_from_its_beginning() -> None:
    stay = given(folded(ADMISSION, DISCHARGE), patient_id="b")
    assert (stay.patient_id, stay.told) == ("b", ())
    assert [one.type for one in stay_changes(None, stay)] == ["stay.admitted", "stay.discharged"]
