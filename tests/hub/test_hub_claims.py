"""Claiming the head of a lane and settling what came of it, on a real journal."""

from __future__ import annotations

import pytest

from liaison.hub.claims import Claimed, KeepParcel, Needless, NotNow, Recover, Stale, Withheld
from liaison.hub.contracts import Attempt, Delivered, Refused, Unavailable, Uncertain
from liaison.hub.journal.records import DeliveryRecord, DocumentRecord, PatientRecord, microseconds
from liaison.hub.retry import RetryPolicy
from liaison.rules.decision import Objection, Outcome, Owner
from tests.hub.bench import LEASE, Bench, patient_of
from tests.hub.people import admission, identity, letter, reading, transfer

DOWN, LOST = Unavailable(reason="connexion refusée"), Uncertain(reason="coupé")


async def three(bench: Bench) -> int:
    """A patient with three deliveries in a lane."""
    taken = await bench.take(reading(*admission("1", "V1")))
    await bench.take(reading(*transfer("1", "V1", 2)))
    return patient_of(taken)


async def test_a_lane_goes_in_order_and_one_at_a_time(bench: Bench) -> None:
    lane = await three(bench)
    for number in (1, 2, 3):
        delivery = await bench.claimed(lane)
        assert (delivery.lane_seq, delivery.epoch, delivery.attempts, str(delivery.work)) == (number, 1, 1, "sending")
        busy = await bench.claim(lane)
        assert isinstance(busy, NotNow) and busy.due == microseconds(bench.clock.now) + int(LEASE * 1e6)
        settled = await bench.settle(delivery, Delivered(reference="200", receipt="accepted"))
        assert isinstance(settled, NotNow) and (settled.due is None) == (number == 3)
    assert bench.lane(lane) == (4, 3, None) and await bench.claim(lane) == NotNow()
    assert bench.works() == [(1, "submitted"), (2, "submitted"), (3, "submitted")]
    assert bench.rows("SELECT number, outcome, reason FROM attempt") == [(1, "delivered", "200")] * 3
    assert bench.rows("SELECT DISTINCT status FROM receipt") == [("accepted",)]


async def test_sending_is_in_the_journal_before_the_caller_has_the_delivery(bench: Bench) -> None:
    lane = await three(bench)
    await bench.claimed(lane)
    assert bench.works()[0] == (1, "sending")


@pytest.mark.parametrize(("attempt", "work", "wait"), [(DOWN, "retrying", 1.0), (LOST, "uncertain", 30.0)])
async def test_what_is_tried_again_keeps_its_lane(bench: Bench, attempt: Attempt, work: str, wait: float) -> None:
    lane = await three(bench)
    settled = await bench.settle(await bench.claimed(lane), attempt)
    due = microseconds(bench.clock.now) + int(wait * 1e6)
    assert settled == NotNow(due=due) and bench.lane(lane) == (1, 3, due)
    assert bench.works()[0] == (1, work) and await bench.claim(lane) == NotNow(due=due)
    bench.clock.move(wait)
    again = await bench.claimed(lane)
    assert (again.lane_seq, again.attempts, again.epoch) == (1, 2, 2)


async def test_a_destination_that_knows_its_parcels_again_is_not_kept_waiting_for_proof(bench: Bench) -> None:
    lane = await three(bench)
    settled = await bench.settle(await bench.claimed(lane), LOST, keeps_ids=True)
    assert settled == NotNow(due=microseconds(bench.clock.now) + 1_000_000)


async def test_a_peer_that_asks_for_time_gets_it(bench: Bench) -> None:
    lane = await three(bench)
    settled = await bench.settle(await bench.claimed(lane), Unavailable(reason="503", retry_after=90))
    assert settled == NotNow(due=microseconds(bench.clock.now) + 90_000_000)


async def test_a_refused_delivery_frees_its_lane_with_an_alert(bench: Bench) -> None:
    lane = await three(bench)
    settled = await bench.settle(await bench.claimed(lane), Refused(code="AR", reason="inconnu"))
    assert settled == NotNow(due=microseconds(bench.clock.now))
    assert bench.works()[:2] == [(1, "failed"), (2, "pending")]
    assert bench.rows("SELECT owner, rule, reason FROM hold") == [("gcs", "dispatch.refused", "inconnu")]
    assert (await bench.claimed(lane)).lane_seq == 2


async def test_what_the_hub_itself_withholds_waits_for_a_person_outside_its_lane(bench: Bench) -> None:
    lane = await three(bench)
    await bench.settle(await bench.claimed(lane), Withheld(reason="PDF actif", rule="letters.pdf", owner=Owner.HOSPITAL))
    assert bench.works()[0] == (1, "held")
    assert bench.rows("SELECT owner, rule FROM hold") == [("hospital", "letters.pdf")]
    assert (await bench.claimed(lane)).lane_seq == 2


@pytest.mark.parametrize(("outcome", "work", "holds"), [(Outcome.HOLD, "held", 1), (Outcome.DROP, "cancelled", 0)])
async def test_the_last_look_stops_what_should_no_longer_leave(bench: Bench, outcome: Outcome, work: str, holds: int) -> None:
    lane = await three(bench)
    seen: list[tuple[object, object, object]] = []

    def look(
        delivery: DeliveryRecord, patient: PatientRecord | None, document: DocumentRecord | None, *, now: int
    ) -> Objection | None:
        seen.append((delivery.lane_seq, patient.id if patient else None, document))
        return Objection(outcome=outcome, reason="Non.", rule="test.no", owner=Owner.GCS) if delivery.lane_seq == 1 else None

    bench.last_look = look
    assert await bench.claim(lane) == NotNow(due=microseconds(bench.clock.now))
    assert bench.works()[0] == (1, work) and len(bench.rows("SELECT id FROM hold")) == holds
    assert (await bench.claimed(lane)).lane_seq == 2
    assert seen == [(1, lane, None), (2, lane, None)]


async def test_the_last_look_sees_the_document_of_a_letter(bench: Bench) -> None:
    taken = await bench.take(reading(identity("1"), letter("1", "D1")))
    answer = await bench.claim(patient_of(taken), "mail")
    assert isinstance(answer, Claimed) and answer.document is not None and answer.document.state.id == "D1"
    assert answer.patient == taken.patient


async def test_a_result_under_an_old_epoch_is_refused(bench: Bench) -> None:
    lane = await three(bench)
    late = await bench.claimed(lane)
    bench.clock.move(LEASE)
    current = await bench.claimed(lane)
    assert (current.id, current.epoch, current.attempts) == (late.id, 2, 2)
    before = bench.rows("SELECT * FROM delivery ORDER BY id")
    assert await bench.settle(late, Delivered()) == Stale()
    assert bench.rows("SELECT * FROM delivery ORDER BY id") == before
    assert await bench.settle(current, Delivered()) == NotNow(due=microseconds(bench.clock.now))
    assert await bench.settle(current, Delivered()) == Stale()


async def test_a_lease_that_lapses_makes_the_attempt_uncertain_for_the_last_look(bench: Bench) -> None:
    lane = await three(bench)
    await bench.claimed(lane)
    bench.clock.move(LEASE)
    seen: list[str] = []

    def look(
        delivery: DeliveryRecord, patient: PatientRecord | None, document: DocumentRecord | None, *, now: int
    ) -> Objection | None:
        seen.append(str(delivery.work))
        return None

    bench.last_look = look
    await bench.claimed(lane)
    assert seen == ["uncertain"]


@pytest.mark.parametrize("attempt", [DOWN, LOST])
async def test_what_was_tried_for_too_long_expires_with_an_alert(bench: Bench, attempt: Attempt) -> None:
    bench.retry = RetryPolicy(give_up_after=3600.0)
    lane = await three(bench)
    await bench.settle(await bench.claimed(lane), attempt)
    bench.clock.move(3600.1)
    settled = await bench.settle(await bench.claimed(lane), attempt)
    assert settled == NotNow(due=microseconds(bench.clock.now))
    assert bench.works()[:2] == [(1, "expired"), (2, "pending")]
    assert bench.rows("SELECT rule FROM hold") == [("dispatch.expired",)]
    assert len(bench.rows("SELECT number FROM attempt")) == 2


async def test_after_a_crash_what_was_being_sent_is_uncertain_and_due(bench: Bench) -> None:
    lane = await three(bench)
    await bench.claimed(lane)
    await bench.reopen()
    (left,) = bench.journal.reader.interrupted()
    recover = Recover(delivery=left.id, patient=lane, destination="platform", may_have_left=True, wait=5.0)
    assert await bench.commit(recover) is True
    assert await bench.commit(recover) is False
    due = microseconds(bench.clock.now) + 5_000_000
    assert bench.works()[0] == (1, "uncertain") and bench.lane(lane) == (1, 3, due)
    assert bench.journal.reader.interrupted() == ()
    bench.clock.move(5)
    assert (await bench.claimed(lane)).attempts == 2
    assert bench.rows("SELECT number, outcome FROM attempt") == [(1, "interrupted")]


async def test_after_a_crash_what_never_left_is_tried_at_once(bench: Bench) -> None:
    lane = await three(bench)
    left = await bench.claimed(lane)
    await bench.reopen()
    await bench.commit(Recover(delivery=left.id, patient=lane, destination="platform", may_have_left=False, wait=5.0))
    assert bench.works()[0] == (1, "retrying")
    assert isinstance(await bench.claim(lane), Claimed)


async def kept(bench: Bench, delivery: DeliveryRecord) -> bool:
    return await bench.commit(KeepParcel(delivery=delivery.id, patient=delivery.patient, epoch=delivery.epoch, body=b"From: essai"))


async def test_a_parcel_is_kept_while_its_letter_may_be_sent_again(bench: Bench) -> None:
    lane = patient_of(await bench.take(reading(identity("1"), letter("1", "D1"))))
    delivery = await bench.claimed(lane, "mail")
    assert await kept(bench, delivery)
    assert bench.journal.reader.has_parcel(delivery.id)
    await bench.settle(delivery, DOWN)
    assert bench.journal.reader.parcel(delivery.id, lane) == b"From: essai"
    bench.clock.move(10)
    await bench.settle(await bench.claimed(lane, "mail"), Delivered())
    assert bench.journal.reader.parcel(delivery.id, lane) is None


async def test_a_parcel_is_not_kept_for_who_lost_the_claim(bench: Bench) -> None:
    lane = patient_of(await bench.take(reading(identity("1"), letter("1", "D1"))))
    late = await bench.claimed(lane, "mail")
    bench.clock.move(LEASE)
    await bench.claimed(lane, "mail")
    assert not await kept(bench, late)
    assert bench.rows("SELECT delivery FROM parcel") == []


async def test_a_letter_that_expired_keeps_its_bytes_for_a_retry_and_one_that_is_cancelled_leaves_none(bench: Bench) -> None:
    bench.retry = RetryPolicy(give_up_after=1.0)
    lane = patient_of(await bench.take(reading(identity("1"), letter("1", "D1"))))
    await bench.take(reading(identity("1"), letter("1", "D2")))
    delivery = await bench.claimed(lane, "mail")
    assert await kept(bench, delivery)
    bench.clock.move(2)
    await bench.settle(delivery, DOWN)
    assert bench.works("mail")[0] == (1, "expired") and bench.rows("SELECT delivery FROM parcel") == [(delivery.id,)]
    second = await bench.claimed(lane, "mail")
    assert await kept(bench, second)
    bench.clock.move(LEASE)

    def look(delivery: DeliveryRecord, patient: PatientRecord | None, document: DocumentRecord | None, *, now: int) -> Objection:
        return Objection(outcome=Outcome.DROP, reason="Non.", rule="test.no")

    bench.last_look = look
    await bench.claim(lane, "mail")
    assert bench.works("mail")[1] == (2, "cancelled") and bench.rows("SELECT delivery FROM parcel") == [(delivery.id,)]
    # The lease had lapsed: that attempt is told too.
    told = bench.rows("SELECT number, outcome FROM attempt WHERE delivery = ? ORDER BY number", second.id)
    assert told == [(1, "lapsed"), (2, "cancelled")]


async def test_a_lapsed_lease_leaves_its_attempt_behind(bench: Bench) -> None:
    lane = await three(bench)
    first = await bench.claimed(lane)
    bench.clock.move(LEASE)
    again = await bench.claimed(lane)
    assert again.id == first.id
    assert bench.rows("SELECT number, outcome FROM attempt") == [(1, "lapsed")]
    assert await bench.settle(first, Delivered()) == Stale()
    await bench.settle(again, Delivered())
    assert bench.rows("SELECT number, outcome FROM attempt") == [(1, "lapsed"), (2, "delivered")]


@pytest.mark.parametrize("lapses", [False, True])
async def test_after_several_attempts_that_nobody_knows_the_end_of_a_person_decides(bench: Bench, lapses: bool) -> None:
    """DESIGN §4: the same bytes again after a delay, a person only after that."""
    lane = patient_of(await bench.take(reading(identity("1"), letter("1", "D1"))))
    await bench.take(reading(identity("1"), letter("1", "D2")))
    for _ in range(2):
        delivery = await bench.claimed(lane, "mail")
        if lapses:
            bench.clock.move(LEASE)
        else:
            settled = await bench.settle(delivery, LOST)
            assert isinstance(settled, NotNow) and bench.works("mail")[0] == (1, "uncertain")
            bench.clock.move(30.0)
    # One that was not taken for sure counts for nothing.
    await bench.settle(await bench.claimed(lane, "mail"), DOWN)
    bench.clock.move(30.0)
    delivery = await bench.claimed(lane, "mail")
    assert await kept(bench, delivery)
    settled = await bench.settle(delivery, LOST)
    assert settled == NotNow(due=microseconds(bench.clock.now))
    assert bench.works("mail") == [(1, "held"), (2, "pending")]
    assert bench.rows("SELECT rule, owner FROM hold") == [("dispatch.uncertain", "gcs")]
    assert bench.rows("SELECT delivery FROM parcel") == [(delivery.id,)], "released, it goes with the same bytes"


async def test_a_destination_that_knows_its_parcels_again_gets_them_for_as_long_as_it_takes(bench: Bench) -> None:
    lane = await three(bench)
    for _ in range(5):
        await bench.settle(await bench.claimed(lane), LOST, keeps_ids=True)
        bench.clock.move(40.0)
    assert bench.works()[0] == (1, "uncertain")


async def test_a_lane_that_nobody_has_is_nothing_to_do(bench: Bench) -> None:
    assert await bench.claim(1) == NotNow()


async def test_what_has_nothing_to_send_ends_and_frees_its_lane(bench: Bench) -> None:
    lane = await three(bench)
    await bench.settle(await bench.claimed(lane), Needless(reason="no words for it"))
    assert bench.works()[0] == (1, "cancelled")
    assert (await bench.claimed(lane)).lane_seq == 2
    assert bench.rows("SELECT outcome, reason FROM attempt") == [("needless", "no words for it")]
