"""An episode that was opened for the wrong patient: it is the right one's, for who was told, for what comes late and for its letters."""

from __future__ import annotations

from msgspec.structs import replace

from liaison.care.facts import DocumentAction, DocumentFact, Fact
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.events.data import StayData
from liaison.hub.claims import Claimed, NotNow
from liaison.hub.contracts import Delivered, Verdict
from liaison.hub.intake import Taken
from liaison.hub.last_look import PolicyLastLook
from liaison.rules.decision import Outcome
from tests.hub.bench import Bench, faults_of_lanes, patient_of, rules
from tests.hub.people import FINESS, episode, identity, letter, merge, movement, reading, reattribution

WRONG, RIGHT, EPISODE = "1", "2", "D1"


def stay(number: str = WRONG, *, visit: str = "V1", trigger: str = "A01", order: int = 1, of: str = EPISODE) -> tuple[Fact, ...]:
    """The facts of a message about a movement of an episode."""
    return identity(number, minutes=order), movement(number, visit, trigger=trigger, order=order, of_episode=of)


def about(number: str, visit: str = "V1", *, action: DocumentAction = DocumentAction.PUBLISH, minutes: float = 0) -> DocumentFact:
    """A letter about a visit."""
    place = Identifier(kind=IdentifierKind.VISIT, authority=f"finess:{FINESS}", value=visit)
    body = b"" if action is DocumentAction.WITHDRAW else b"%PDF"
    return replace(letter(number, "L1", action=action, body=body, minutes=minutes), visit=place)


def told(taken: Taken) -> list[tuple[str, str]]:
    """Type and subject of what is told of stays."""
    return [(one.type, one.subject) for one in taken.events if isinstance(one.data, StayData)]


async def test_who_had_it_is_told_that_it_never_was_and_who_has_it_all_that_happened(bench: Bench) -> None:
    first = await bench.take(reading(*stay()))
    last = await bench.take(reading(*stay(trigger="A03", order=5)))
    moved = await bench.take(reading(*reattribution(RIGHT, WRONG, EPISODE), kind="ADT^A44"))
    wrong = first.events[0].subject
    right = moved.events[0].subject
    assert right != wrong and patient_of(moved) != patient_of(first)
    assert told(moved) == [
        ("stay.updated", wrong),
        ("stay.cancelled", wrong),
        ("stay.admitted", right),
        ("stay.discharged", right),
    ]
    undone = [one.undoes for one in moved.events if one.subject == wrong]
    assert undone == [one.id for taken in (last, first) for one in taken.events if one.type.startswith("stay.")]
    assert bench.rows("SELECT DISTINCT patient FROM stay") == [(patient_of(moved),)]


async def test_another_episode_stays_where_it_is(bench: Bench) -> None:
    await bench.take(reading(*stay()))
    other = await bench.take(reading(*stay(visit="V2", of="D2")))
    await bench.take(reading(*reattribution(RIGHT, WRONG, EPISODE), kind="ADT^A44"))
    later = await bench.take(reading(*stay(visit="V2", trigger="A03", order=3, of="D2")))
    assert told(later) == [("stay.discharged", other.events[-1].subject)]


async def test_what_comes_late_under_the_old_number_is_the_new_patient_s(bench: Bench) -> None:
    await bench.take(reading(*stay()))
    moved = await bench.take(reading(*reattribution(RIGHT, WRONG, EPISODE), kind="ADT^A44"))
    right = moved.events[0].subject
    await bench.reopen()
    late = await bench.take(reading(*stay(trigger="A02", order=2)))
    assert (late.answer.verdict, told(late)) == (Verdict.ACCEPTED, [("stay.transferred", right)])
    fresh = await bench.take(reading(*stay(visit="V9", order=3)))
    assert told(fresh) == [("stay.admitted", right)]
    own = await bench.take(reading(*stay(RIGHT, trigger="A03", order=9)))
    assert told(own) == [("stay.discharged", right)]


async def test_the_same_again_tells_nothing_and_back_again_gives_it_back(bench: Bench) -> None:
    first = await bench.take(reading(*stay()))
    await bench.take(reading(*reattribution(RIGHT, WRONG, EPISODE), kind="ADT^A44"))
    again = await bench.take(reading(*reattribution(RIGHT, WRONG, EPISODE), kind="ADT^A44"))
    assert told(again) == []
    back = await bench.take(reading(*reattribution(WRONG, RIGHT, EPISODE, minutes=5), kind="ADT^A44"))
    wrong = first.events[0].subject
    assert told(back)[-1] == ("stay.admitted", wrong)
    old = await bench.take(reading(*reattribution(RIGHT, WRONG, EPISODE, minutes=3), kind="ADT^A44"))
    assert told(old) == []
    later = await bench.take(reading(*stay(trigger="A03", order=9)))
    assert told(later) == [("stay.discharged", wrong)]


async def test_it_follows_who_has_it_through_a_merge(bench: Bench) -> None:
    await bench.take(reading(*stay()))
    await bench.take(reading(*reattribution(RIGHT, WRONG, EPISODE), kind="ADT^A44"))
    merged = await bench.take(reading(merge("3", RIGHT, minutes=5), kind="ADT^A40"))
    await bench.reopen()
    late = await bench.take(reading(*stay(trigger="A02", order=2)))
    assert merged.patient is not None and told(late) == [("stay.transferred", merged.patient.state.id)]


async def test_from_somebody_unknown_there_is_nothing_to_give_and_it_is_said(bench: Bench) -> None:
    taken = await bench.take(reading(*reattribution(RIGHT, "77", EPISODE), kind="ADT^A44"))
    assert (taken.answer.verdict, rules(taken.findings)) == (Verdict.ACCEPTED_WITH_FINDINGS, ["hub.reattribution-of-unknown"])
    assert told(taken) == []


async def test_a_letter_that_waits_for_its_mail_is_held_when_its_visit_becomes_another_s(bench: Bench) -> None:
    bench.last_look = PolicyLastLook(bench.policy)
    first = await bench.take(reading(*stay(), about(WRONG)))
    await bench.take(reading(*reattribution(RIGHT, WRONG, EPISODE), kind="ADT^A44"))
    assert not isinstance(await bench.claim(patient_of(first), "mail"), Claimed)
    assert bench.works("mail") == [(1, "held")]
    assert bench.rows("SELECT rule FROM hold") == [("recipient.visit-of-another",)]


async def test_a_letter_about_another_patient_s_visit_is_held_and_taking_it_back_is_not(bench: Bench) -> None:
    await bench.take(reading(*stay()))
    await bench.take(reading(*reattribution(RIGHT, WRONG, EPISODE), kind="ADT^A44"))
    taken = await bench.take(reading(identity(WRONG), about(WRONG)))
    (decision,) = [one.decision for one in taken.decisions if one.decision.destination == "mail"]
    assert (decision.outcome, decision.rule) == (Outcome.HOLD, "recipient.visit-of-another")
    right = await bench.take(reading(identity(RIGHT), replace(about(RIGHT), id="L2", set_id="L2")))
    (decision,) = [one.decision for one in right.decisions if one.decision.destination == "mail"]
    assert decision.outcome is Outcome.DELIVER


async def test_a_letter_that_names_no_visit_is_known_by_its_episode(bench: Bench) -> None:
    bench.last_look = PolicyLastLook(bench.policy)
    of_episode = replace(letter(WRONG, "L1"), episode=episode(EPISODE))
    first = await bench.take(reading(*stay(), of_episode))
    await bench.take(reading(*reattribution(RIGHT, WRONG, EPISODE), kind="ADT^A44"))
    assert not isinstance(await bench.claim(patient_of(first), "mail"), Claimed)
    late = await bench.take(reading(identity(WRONG), replace(of_episode, id="L3", set_id="L3")))
    (decision,) = [one.decision for one in late.decisions if one.decision.destination == "mail"]
    assert (decision.outcome, decision.rule) == (Outcome.HOLD, "recipient.visit-of-another")


async def test_a_letter_that_went_to_the_wrong_patient_s_doctor_can_be_taken_back(bench: Bench) -> None:
    bench.last_look = PolicyLastLook(bench.policy)
    first = await bench.take(reading(*stay(), about(WRONG)))
    await bench.settle(await bench.claimed(patient_of(first), "mail"), Delivered())
    await bench.take(reading(*reattribution(RIGHT, WRONG, EPISODE), kind="ADT^A44"))
    await bench.take(reading(identity(WRONG), about(WRONG, action=DocumentAction.WITHDRAW, minutes=5)))
    assert (await bench.claimed(patient_of(first), "mail")).withdraws


async def test_what_was_under_way_for_who_had_it_leaves_before_what_is_told_of_who_has_it(bench: Bench) -> None:
    first = await bench.take(reading(*stay()))
    moved = await bench.take(reading(*reattribution(RIGHT, WRONG, EPISODE), kind="ADT^A44"))
    wrong, right = patient_of(first), patient_of(moved)
    await bench.settle(await bench.claimed(right), Delivered())  # that they were created
    assert isinstance(await bench.claim(right), NotNow)
    for _ in range(3):
        await bench.settle(await bench.claimed(wrong), Delivered())
    assert (await bench.claimed(right)).kind == "stay.admitted"
    assert faults_of_lanes(bench.path) == []


async def test_all_of_it_in_one_batch_is_as_one_after_the_other(bench: Bench) -> None:
    first, moved, late = await bench.take_together(
        reading(*stay()), reading(*reattribution(RIGHT, WRONG, EPISODE), kind="ADT^A44"), reading(*stay(trigger="A02", order=2))
    )
    assert [kind for kind, _ in told(moved)] == ["stay.cancelled", "stay.admitted"]
    assert told(late) == [("stay.transferred", moved.events[0].subject)]
    assert first.events[0].subject != moved.events[0].subject
