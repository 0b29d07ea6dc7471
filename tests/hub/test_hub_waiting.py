"""Letters that wait for their next version: what comes in time leaves alone, and a stop in between loses nothing."""

from __future__ import annotations

import email
from collections.abc import AsyncGenerator
from email import policy as email_policy
from email.message import EmailMessage

import pytest

from liaison.care.facts import DocumentAction, DocumentFact
from liaison.hub.claims import Claimed, Needless, NotNow
from liaison.hub.contracts import Delivered, Parcel, Sender
from liaison.hub.engine import Engine
from liaison.hub.journal.records import microseconds
from liaison.hub.last_look import PolicyLastLook
from liaison.hub.letters import LetterParcels
from liaison.hub.parcels import EventShelf
from liaison.hub.workers import Workers
from liaison.mappings.document_to_mail import MailSender
from liaison.rules.routing import Route
from tests.hub.bench import Bench, faults_of_lanes, patient_of, policy
from tests.hub.er7 import letter_message
from tests.hub.people import PROFILE, SOURCE, identity, letter, reading

MINUTE = 60.0
WAIT = Route(documents=("11490-0",), to="mail", recipients=("named",), wait="10m")
MAILBOX = MailSender(address="liaison@na.mssante.fr", label="CH d'essai")


@pytest.fixture
def waiting(bench: Bench) -> Bench:
    bench.policy = policy(WAIT)
    bench.last_look = PolicyLastLook(bench.policy)
    return bench


@pytest.fixture
async def workers() -> AsyncGenerator[Workers]:
    pool = Workers(1, seconds=60)
    yield pool
    await pool.close()


def version(number: int) -> DocumentFact:
    """A version of one letter: the first is D1, the second replaces it…"""
    if number == 1:
        return letter("1", "D1")
    return letter(
        "1",
        f"D{number}",
        action=DocumentAction.REPLACE,
        replaces=f"D{number - 1}",
        set_id="D1",
        version=number,
        body=f"{number}".encode(),
        minutes=number,
    )


async def test_a_letter_leaves_when_its_wait_is_over_and_not_before(waiting: Bench) -> None:
    patient = patient_of(await waiting.take(reading(identity("1"), version(1))))
    due = microseconds(waiting.clock()) + 600_000_000
    assert await waiting.claim(patient, "mail") == NotNow(due=due) and waiting.lane(patient, "mail")[2] == due
    waiting.clock.move(10 * MINUTE)
    assert isinstance(await waiting.claim(patient, "mail"), Claimed)


async def test_a_version_within_the_wait_leaves_alone(waiting: Bench) -> None:
    patient = patient_of(await waiting.take(reading(identity("1"), version(1))))
    waiting.clock.move(5 * MINUTE)
    await waiting.take(reading(identity("1"), version(2)))
    waiting.clock.move(5 * MINUTE)
    answer = await waiting.claim(patient, "mail")
    assert isinstance(answer, NotNow) and waiting.works("mail") == [(1, "cancelled"), (2, "pending")]
    # The second waits for a third, and until then its lane is not due.
    later = await waiting.claim(patient, "mail")
    assert isinstance(later, NotNow) and later.due == microseconds(waiting.clock()) + 300_000_000
    assert waiting.lane(patient, "mail")[2] == later.due
    waiting.clock.move(5 * MINUTE)
    delivery = await waiting.claimed(patient, "mail")
    assert delivery.lane_seq == 2 and waiting.journal.reader.last_left(delivery) == ""
    await waiting.settle(delivery, Delivered())
    assert waiting.works("mail") == [(1, "cancelled"), (2, "submitted")] and faults_of_lanes(waiting.path) == []


async def test_a_version_that_comes_too_late_replaces_what_left_before_those_that_never_did(waiting: Bench) -> None:
    patient = patient_of(await waiting.take(reading(identity("1"), version(1))))
    waiting.clock.move(10 * MINUTE)
    first = await waiting.claimed(patient, "mail")
    await waiting.settle(first, Delivered())
    for number in (2, 3):
        await waiting.take(reading(identity("1"), version(number)))
        waiting.clock.move(MINUTE)
    waiting.clock.move(20 * MINUTE)
    assert isinstance(await waiting.claim(patient, "mail"), NotNow)
    third = await waiting.claimed(patient, "mail")
    assert third.previous and third.previous != first.token
    assert waiting.journal.reader.last_left(third) == first.token


async def test_a_stop_in_between_loses_neither_version(waiting: Bench) -> None:
    patient = patient_of(await waiting.take(reading(identity("1"), version(1))))
    await waiting.reopen()
    await waiting.take(reading(identity("1"), version(2)))
    await waiting.reopen()
    waiting.clock.move(10 * MINUTE)
    assert isinstance(await waiting.claim(patient, "mail"), NotNow)
    await waiting.reopen()
    assert (await waiting.claimed(patient, "mail")).lane_seq == 2
    due = [lane.patient for lane in waiting.journal.reader.lanes_due("mail", microseconds(waiting.clock()) + 10**12, most=9)]
    assert due == [patient]


async def test_the_same_letter_again_while_it_waits_makes_no_second_delivery(waiting: Bench) -> None:
    await waiting.take(reading(identity("1"), version(1)))
    taken = await waiting.take(reading(identity("1"), version(1), control_id="OTHER"))
    (decided,) = (one.decision for one in taken.decisions)
    assert decided.rule == "letters.already-given" and waiting.works("mail") == [(1, "pending")]


async def test_the_mail_of_a_version_whose_earlier_one_never_left_replaces_nothing(waiting: Bench, workers: Workers) -> None:
    engine = Engine(journal=waiting.journal, policy=waiting.policy, clock=waiting.clock, shelf=EventShelf())
    parcels = LetterParcels(
        reader=waiting.journal.reader,
        workers=workers,
        profiles={SOURCE: PROFILE},
        sender=MAILBOX,
        clock=waiting.clock,
        sender_of=lambda source, unit: MailSender(
            address="urgences@na.mssante.fr", label=f"{source} {unit}", phone="05 58 00 00 00"
        ),
    )
    await engine.receive(letter_message(), Sender(source=SOURCE))
    await engine.receive(letter_message(replaces=True, control_id="43"), Sender(source=SOURCE))
    waiting.clock.move(10 * MINUTE)
    ((patient,),) = waiting.rows("SELECT patient FROM lane WHERE destination = 'mail'")
    assert isinstance(await waiting.claim(patient, "mail"), NotNow)
    claimed = await waiting.claim(patient, "mail")
    assert isinstance(claimed, Claimed)
    parcel = await parcels.make(claimed)
    assert isinstance(parcel, Parcel)
    mail = email.message_from_bytes(parcel.body, policy=email_policy.default)
    assert isinstance(mail, EmailMessage)
    text = str(mail.get_body(("plain",)))
    assert "REMPLACE" not in text and mail["In-Reply-To"] is None
    assert mail["From"].addresses[0].display_name == f"{SOURCE} MED" and "05 58 00 00 00" in text
    # The sender is the unit's, the Message-ID stays in the hub's own domain.
    assert str(mail["From"].addresses[0].addr_spec) == "urgences@na.mssante.fr" and "@na.mssante.fr" in mail["Message-ID"]


async def test_a_withdrawal_within_the_wait_is_told_to_nobody(waiting: Bench, workers: Workers) -> None:
    engine = Engine(journal=waiting.journal, policy=waiting.policy, clock=waiting.clock, shelf=EventShelf())
    parcels = LetterParcels(
        reader=waiting.journal.reader, workers=workers, profiles={SOURCE: PROFILE}, sender=MAILBOX, clock=waiting.clock
    )
    await engine.receive(letter_message(), Sender(source=SOURCE))
    await engine.receive(letter_message(withdraws=True, control_id="43"), Sender(source=SOURCE))
    waiting.clock.move(10 * MINUTE)
    ((patient,),) = waiting.rows("SELECT patient FROM lane WHERE destination = 'mail'")
    assert isinstance(await waiting.claim(patient, "mail"), NotNow)
    claimed = await waiting.claim(patient, "mail")
    assert isinstance(claimed, Claimed)
    needless = await parcels.make(claimed)
    assert isinstance(needless, Needless)
    await waiting.settle(claimed.delivery, needless)
    assert waiting.works("mail") == [(1, "cancelled"), (2, "cancelled")]
    assert waiting.rows("SELECT count(*) FROM hold") == [(0,)] and faults_of_lanes(waiting.path) == []
