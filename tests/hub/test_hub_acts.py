"""What a person decides of deliveries, on a real journal."""

from __future__ import annotations

import pytest

from liaison.hub.acts import Kept, Moved
from liaison.hub.claims import Claimed, KeepParcel, NotNow
from liaison.hub.contracts import Delivered, Refused, Unavailable, Uncertain
from liaison.hub.journal.records import microseconds
from liaison.hub.last_look import PolicyLastLook
from liaison.hub.retry import RetryPolicy
from liaison.hub.states import Work
from tests.hub.acting import call_off, let_go
from tests.hub.bench import Bench, faults_of_lanes, patient_of
from tests.hub.people import GP, OTHER_GP, admission, identity, letter, reading, transfer

DOUBT, CERTAIN = ("DOUT",), ("VALI",)


def deliveries(bench: Bench, destination: str = "mail") -> list[tuple[int, str, int | None]]:
    """Id, work and place, oldest first."""
    return bench.rows("SELECT id, work, lane_seq FROM delivery WHERE destination = ? ORDER BY id", destination)


def holds(bench: Bench) -> list[tuple[str, str | None, bool]]:
    return bench.rows("SELECT rule, outcome, released_at IS NOT NULL FROM hold ORDER BY id")


def recipient(bench: Bench, delivery: int) -> str:
    record = bench.journal.reader.holds.delivery(delivery)
    assert record is not None
    return record.recipient


async def held_letter(bench: Bench, *to: str, name: str = "D1") -> int:
    """A letter that waits because its patient's identity is in doubt."""
    await bench.take(reading(identity("1", statuses=DOUBT), letter("1", name, *to)))
    return deliveries(bench)[-1][0]


async def test_what_is_released_joins_the_tail_and_leaves_once_the_gates_let_it(bench: Bench) -> None:
    number = await held_letter(bench)
    answer = await bench.commit(let_go(bench, number))
    assert isinstance(answer, Kept) and "douteuse" in answer.reason
    assert deliveries(bench) == [(number, "held", None)] and holds(bench)[-1][1:] == (None, False)

    lane = patient_of(await bench.take(reading(identity("1", statuses=CERTAIN, minutes=1), letter("1", "D2"))))
    assert await bench.commit(let_go(bench, number)) == Moved(work=Work.PENDING)
    assert [place for _, _, place in deliveries(bench)] == [2, 1]
    assert ("gates.identity.doubtful", "released", True) in holds(bench)
    bench.last_look = PolicyLastLook(bench.policy)
    for expected in (deliveries(bench)[1][0], number):
        delivery = await bench.claimed(lane, "mail")
        assert delivery.id == expected
        await bench.settle(delivery, Delivered())
    assert faults_of_lanes(bench.path) == []


async def test_what_was_released_once_is_not_released_twice(bench: Bench) -> None:
    number = await held_letter(bench)
    await bench.take(reading(identity("1", statuses=CERTAIN, minutes=1)))
    answers = await bench.together(let_go(bench, number), let_go(bench, number), call_off(bench, number))
    assert answers[0] == Moved(work=Work.PENDING) and isinstance(answers[1], Kept)
    # Between the two it was only waiting for its turn: the last word is no.
    assert answers[2] == Moved(work=Work.CANCELLED)
    assert [outcome for _, outcome, _ in holds(bench) if outcome] == ["released"]
    assert faults_of_lanes(bench.path) == []


async def test_the_last_look_decides_once_more_when_it_is_claimed(bench: Bench) -> None:
    number = await held_letter(bench)
    lane = patient_of(await bench.take(reading(identity("1", statuses=CERTAIN, minutes=1))))
    await bench.commit(let_go(bench, number))
    await bench.take(reading(identity("1", statuses=DOUBT, minutes=2)))
    bench.last_look = PolicyLastLook(bench.policy)
    assert isinstance(await bench.claim(lane, "mail"), NotNow)
    assert deliveries(bench) == [(number, "held", 1)]
    assert await bench.commit(call_off(bench, number)) == Moved(work=Work.CANCELLED)
    assert faults_of_lanes(bench.path) == []


async def test_a_wrong_address_is_corrected_and_the_letter_leaves_for_the_right_one_only(bench: Bench) -> None:
    lane = patient_of(await bench.take(reading(identity("1"), letter("1", "D1", "durand at medecin"))))
    ((number, work, _),) = deliveries(bench)
    assert work == "held" and holds(bench) == [("recipient.malformed-address", None, False)]
    refused = await bench.commit(let_go(bench, number))
    assert isinstance(refused, Kept) and "adresse" in refused.reason
    assert await bench.commit(let_go(bench, number, to=GP)) == Moved(work=Work.PENDING)
    bench.last_look = PolicyLastLook(bench.policy)
    delivery = await bench.claimed(lane, "mail")
    assert (delivery.recipient, delivery.rule) == (GP, "recipient.by-person-without-ins")
    await bench.settle(delivery, Delivered())
    # The hospital sends it again, by the right address: it has it already.
    await bench.take(reading(identity("1", minutes=1), letter("1", "D1", GP)))
    assert [work for _, work, _ in deliveries(bench)] == ["submitted"]


async def test_a_corrected_mailbox_gets_a_mail_of_its_own(bench: Bench) -> None:
    lane = patient_of(await bench.take(reading(identity("1"), letter("1", "D1"))))
    first = await bench.claimed(lane, "mail")
    await bench.commit(KeepParcel(delivery=first.id, patient=lane, epoch=first.epoch, body=b"To: gp"))
    await bench.settle(first, Refused(code="550 5.1.1", reason="boîte inconnue"))
    assert deliveries(bench) == [(first.id, "failed", 1)]
    assert await bench.commit(let_go(bench, first.id, to=OTHER_GP)) == Moved(work=Work.PENDING)
    assert not bench.journal.reader.has_parcel(first.id)
    bench.last_look = PolicyLastLook(bench.policy)
    second = await bench.claimed(lane, "mail")
    assert (second.id, second.lane_seq, second.recipient) == (first.id, 2, OTHER_GP) and second.token != first.token
    assert holds(bench) == [("dispatch.refused", "released", True)]


async def test_a_letter_that_went_to_the_same_address_by_another_mail_stays_where_it_is(bench: Bench) -> None:
    number = await held_letter(bench)
    await bench.take(reading(identity("1", statuses=CERTAIN, minutes=1), letter("1", "D1", minutes=1)))
    (_, (again, work, _)) = deliveries(bench)
    assert work == "pending"
    kept = await bench.commit(let_go(bench, number))
    assert isinstance(kept, Kept) and "autre envoi" in kept.reason
    assert await bench.commit(call_off(bench, number)) == Moved(work=Work.CANCELLED)
    assert deliveries(bench)[1][:2] == (again, "pending")


async def test_a_released_letter_is_known_as_given_when_the_hospital_sends_it_again(bench: Bench) -> None:
    number = await held_letter(bench)
    await bench.take(reading(identity("1", statuses=CERTAIN, minutes=1)))
    await bench.commit(let_go(bench, number))
    await bench.take(reading(identity("1", minutes=2), letter("1", "D1", minutes=2)))
    assert [work for _, work, _ in deliveries(bench)] == ["pending"]


async def test_a_refused_letter_may_be_sent_again_by_its_hospital(bench: Bench) -> None:
    number = await held_letter(bench)
    assert await bench.commit(call_off(bench, number)) == Moved(work=Work.CANCELLED)
    assert ("gates.identity.doubtful", "rejected", True) in holds(bench)
    assert bench.rows("SELECT outcome, reason FROM attempt") == [("cancelled", "decided by a person")]
    await bench.take(reading(identity("1", statuses=CERTAIN, minutes=1), letter("1", "D1", minutes=1)))
    assert [work for _, work, _ in deliveries(bench)] == ["cancelled", "pending"]


async def test_what_cannot_be_confirmed_by_a_person_is_not(bench: Bench) -> None:
    await bench.take(reading(identity("1"), letter("1", "D1", same_patient=False)))
    ((number, _, _),) = deliveries(bench)
    for command in (let_go(bench, number), let_go(bench, number, to=OTHER_GP)):
        kept = await bench.commit(command)
        assert isinstance(kept, Kept) and "autre patient" in kept.reason
    assert recipient(bench, number) == GP


async def test_a_recipient_whom_the_rules_would_not_choose_today_is_confirmed_by_a_release(bench: Bench) -> None:
    lane = patient_of(await bench.take(reading(identity("1"), letter("1", "D1", GP))))
    # The same document again, addressed to somebody else.
    await bench.take(reading(identity("1", minutes=1), letter("1", "D1", OTHER_GP, minutes=1)))
    bench.last_look = PolicyLastLook(bench.policy)
    await bench.claim(lane, "mail")
    number = deliveries(bench)[0][0]
    assert deliveries(bench)[0][1] == "held" and holds(bench) == [("recipient.changed", None, False)]
    assert await bench.commit(let_go(bench, number)) == Moved(work=Work.PENDING)
    for _ in range(2):
        delivery = await bench.claimed(lane, "mail")
        await bench.settle(delivery, Delivered())
    assert {work for _, work, _ in deliveries(bench)} == {"submitted"}


async def test_what_expired_or_failed_is_retried_from_now(bench: Bench) -> None:
    bench.retry = RetryPolicy(give_up_after=100.0)
    lane = patient_of(await bench.take(reading(*admission("1", "V1"))))
    bench.clock.move(101.0)
    await bench.settle(await bench.claimed(lane), Unavailable(reason="x"))
    (number, work, _), *_ = deliveries(bench, "platform")
    assert work == "expired"
    assert await bench.commit(let_go(bench, number)) == Moved(work=Work.PENDING)
    await bench.settle(await bench.claimed(lane), Delivered())
    again = await bench.claimed(lane)
    assert again.id == number and again.lane_seq == 3
    await bench.settle(again, Unavailable(reason="x"))
    assert {row[0]: row[1] for row in deliveries(bench, "platform")}[number] == "retrying", "its time begins anew"
    assert faults_of_lanes(bench.path) == []


async def test_what_waits_to_be_tried_again_goes_at_once(bench: Bench) -> None:
    lane = patient_of(await bench.take(reading(*admission("1", "V1"))))
    delivery = await bench.claimed(lane)
    await bench.settle(delivery, Unavailable(reason="x"))
    assert isinstance(await bench.claim(lane), NotNow)
    assert await bench.commit(let_go(bench, delivery.id)) == Moved(work=Work.RETRYING)
    assert bench.lane(lane)[2] == microseconds(bench.clock.now)
    assert isinstance(await bench.claim(lane), Claimed)


async def test_what_is_cancelled_lets_its_lane_go_on(bench: Bench) -> None:
    lane = patient_of(await bench.take(reading(*admission("1", "V1"))))
    await bench.take(reading(*transfer("1", "V1", 2)))
    first, second, third = (number for number, _, _ in deliveries(bench, "platform"))
    await bench.settle(await bench.claimed(lane), Unavailable(reason="x"))
    for number in (second, first):
        assert await bench.commit(call_off(bench, number)) == Moved(work=Work.CANCELLED)
        assert faults_of_lanes(bench.path) == []
    assert await bench.claim(lane) == NotNow(due=microseconds(bench.clock.now)), "it passes by the second"
    assert (await bench.claimed(lane)).id == third


async def test_what_is_being_sent_or_is_over_is_left_alone(bench: Bench) -> None:
    lane = patient_of(await bench.take(reading(identity("1"))))
    delivery = await bench.claimed(lane)
    for command in (call_off(bench, delivery.id), let_go(bench, delivery.id)):
        kept = await bench.commit(command)
        assert isinstance(kept, Kept) and "en cours" in kept.reason
    await bench.settle(delivery, Delivered())
    for command in (call_off(bench, delivery.id), let_go(bench, delivery.id)):
        assert isinstance(await bench.commit(command), Kept)
    assert bench.works() == [(1, "submitted")]


async def uncertain(bench: Bench) -> tuple[int, int]:
    """A letter that may have arrived: its lane and its id."""
    lane = patient_of(await bench.take(reading(identity("1"), letter("1", "D1"))))
    number = deliveries(bench)[0][0]
    for _ in range(3):
        await bench.settle(await bench.claimed(lane, "mail"), Uncertain(reason="coupé"))
        bench.clock.move(30.0)
    assert deliveries(bench)[0][1] == "held"
    return lane, number


async def test_a_letter_of_which_nobody_knew_is_closed_as_received(bench: Bench) -> None:
    _, number = await uncertain(bench)
    assert await bench.commit(call_off(bench, number, received=True)) == Moved(work=Work.SUBMITTED)
    assert holds(bench) == [("dispatch.uncertain", "received", True)]
    await bench.take(reading(identity("1", minutes=1), letter("1", "D1", minutes=1)))
    assert len(deliveries(bench)) == 1, "it was given"


@pytest.mark.parametrize("release", [True, False])
async def test_a_letter_of_which_nobody_knows_goes_again_with_its_own_id_or_not_at_all(bench: Bench, release: bool) -> None:
    lane, number = await uncertain(bench)
    token = bench.rows("SELECT token FROM delivery WHERE document IS NOT NULL")
    if release:
        assert await bench.commit(let_go(bench, number)) == Moved(work=Work.PENDING)
        assert (await bench.claimed(lane, "mail")).token == token[0][0]
    else:
        assert await bench.commit(call_off(bench, number)) == Moved(work=Work.CANCELLED)
        await bench.take(reading(identity("1", minutes=1), letter("1", "D1", minutes=1)))
        assert len(deliveries(bench)) == 1, "it may have been given: the hospital's resend does not send it twice"


async def test_only_what_is_in_doubt_can_be_called_received(bench: Bench) -> None:
    number = await held_letter(bench)
    assert isinstance(await bench.commit(call_off(bench, number, received=True)), Kept)
    assert deliveries(bench)[0][1] == "held"
