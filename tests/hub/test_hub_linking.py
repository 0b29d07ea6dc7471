"""Two records that their hospital says are of one person: told on both, and nothing else of them moves."""

from __future__ import annotations

from liaison.care.facts import IdentityAction
from liaison.events.data import IdentityData
from liaison.hub.contracts import Verdict
from liaison.hub.intake import Taken
from tests.hub.bench import Bench, patient_of
from tests.hub.people import admission, identity, link, merge, reading, transfer

UNLINK = IdentityAction.UNLINK


def told(taken: Taken) -> list[tuple[str, str, tuple[str, ...]]]:
    """Type, subject and linked records of the events of a message."""
    return [(one.type, one.subject, one.data.linked) for one in taken.events if isinstance(one.data, IdentityData)]


async def test_a_link_is_told_on_both_records_and_moves_no_stay(bench: Bench) -> None:
    one = await bench.take(reading(*admission("1", "V1")))
    other = await bench.take(reading(*admission("2", "V2")))
    linked = await bench.take(reading(*link("1", "2"), kind="ADT^A24"))
    first, second = (one.events[0].subject, other.events[0].subject)
    assert sorted(told(linked)) == sorted([("identity.linked", first, (second,)), ("identity.linked", second, (first,))])
    assert patient_of(linked) == patient_of(one)
    later = await bench.take(reading(*transfer("2", "V2", 2)))
    assert patient_of(later) == patient_of(other)


async def test_its_end_names_what_it_undoes_on_each_record(bench: Bench) -> None:
    linked = await bench.take(reading(*link("1", "2"), kind="ADT^A24"))
    await bench.reopen()
    ended = await bench.take(reading(*link("1", "2", action=UNLINK, minutes=2), kind="ADT^A37"))
    assert [kind for kind, _, _ in told(ended)] == ["identity.unlinked", "identity.unlinked"]
    begun = {one.subject: one.id for one in linked.events if one.type == "identity.linked"}
    assert {one.subject: one.undoes for one in ended.events} == begun


async def test_the_same_link_again_and_an_end_of_nothing_tell_nothing(bench: Bench) -> None:
    await bench.take(reading(*link("1", "2"), kind="ADT^A24"))
    again = await bench.take(reading(*link("2", "1", minutes=1), kind="ADT^A24"))
    assert (again.answer.verdict, told(again)) == (Verdict.ACCEPTED, [])
    nothing = await bench.take(reading(*link("3", "4", action=UNLINK), kind="ADT^A37"))
    assert {kind for kind, _, _ in told(nothing)} == {"identity.created"}


async def test_a_link_of_two_numbers_of_one_record_does_nothing(bench: Bench) -> None:
    await bench.take(reading(identity("1")))
    await bench.take(reading(identity("2")))
    merged = await bench.take(reading(merge("1", "2"), kind="ADT^A40"))
    linked = await bench.take(reading(*link("1", "2", minutes=5), kind="ADT^A24"))
    assert (patient_of(linked), told(linked)) == (patient_of(merged), [])


async def test_a_link_with_a_record_that_nobody_knows_is_left_to_a_person(bench: Bench) -> None:
    _, _, alone = link("1", "2")
    taken = await bench.take(reading(identity("1"), alone, kind="ADT^A24"))
    assert taken.answer.verdict is Verdict.QUARANTINED and taken.events == ()
