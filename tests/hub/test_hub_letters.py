"""Letters taken out of their message and built into mails by a worker process."""

from __future__ import annotations

import email
from collections.abc import AsyncGenerator
from email import policy as email_policy
from email.message import EmailMessage

import pytest

from liaison.hub.claims import Claimed, KeepParcel, Withheld
from liaison.hub.contracts import Delivered, Parcel, Sender, Unavailable
from liaison.hub.engine import Engine
from liaison.hub.last_look import PolicyLastLook
from liaison.hub.letters import LetterParcels
from liaison.hub.parcels import EventShelf
from liaison.hub.workers import JobFailed, Workers
from liaison.mappings.document_to_mail import MailSender
from tests.hub.bench import Bench
from tests.hub.er7 import GP_ADDRESS, letter_message
from tests.hub.people import PROFILE, SOURCE

MAILBOX = MailSender(address="liaison@na.mssante.fr", label="CH d'essai", nil="DEV935997")


class Post:
    """Takes letter messages, claims their mails and makes their parcels."""

    def __init__(self, bench: Bench, workers: Workers) -> None:
        bench.last_look = PolicyLastLook(bench.policy)
        self.bench = bench
        self.engine = Engine(journal=bench.journal, policy=bench.policy, clock=bench.clock, shelf=EventShelf())
        self.parcels = self.made_with(workers)

    def made_with(self, workers: Workers, source: str = SOURCE) -> LetterParcels:
        """Parcels as a hub that knows this source makes them."""
        return LetterParcels(
            reader=self.bench.journal.reader,
            workers=workers,
            profiles={source: PROFILE},
            sender=MAILBOX,
            clock=self.bench.clock,
        )

    async def claim(self) -> Claimed:
        """The next mail."""
        ((patient,),) = self.bench.rows("SELECT patient FROM lane WHERE destination = 'mail'")
        claimed = await self.bench.claim(patient, "mail")
        assert isinstance(claimed, Claimed)
        return claimed

    async def make(self, claimed: Claimed) -> Parcel:
        """Its parcel."""
        parcel = await self.parcels.make(claimed)
        assert isinstance(parcel, Parcel)
        return parcel


@pytest.fixture
async def post(bench: Bench) -> AsyncGenerator[Post]:
    workers = Workers(1, seconds=60)
    yield Post(bench, workers)
    await workers.close()


def parsed(parcel: Parcel) -> EmailMessage:
    message = email.message_from_bytes(parcel.body, policy=email_policy.default)
    assert isinstance(message, EmailMessage)
    return message


async def test_a_letter_its_retry_and_its_withdrawal(post: Post) -> None:
    sender = Sender(source=SOURCE)
    answer = await post.engine.receive(letter_message(), sender)
    assert b"MSA|AA|42" in answer.reply
    claimed = await post.claim()
    parcel = await post.make(claimed)
    assert (parcel.recipient, parcel.content_type, parcel.lane_seq) == (GP_ADDRESS, "message/rfc822", 1)
    mail = parsed(parcel)
    assert mail["To"] == GP_ADDRESS and mail["Message-ID"] == f"<{claimed.delivery.token}@na.mssante.fr>"
    assert any(str(part.get_filename()).upper().endswith(".ZIP") for part in mail.iter_attachments())

    keep = KeepParcel(
        delivery=claimed.delivery.id, patient=claimed.delivery.patient, epoch=claimed.delivery.epoch, body=parcel.body
    )
    assert await post.bench.commit(keep)
    await post.bench.settle(claimed.delivery, Unavailable(reason="x"))
    post.bench.clock.move(3600)
    again = await post.claim()
    assert (await post.make(again)).body == parcel.body
    await post.bench.settle(again.delivery, Delivered())

    await post.engine.receive(letter_message(withdraws=True, control_id="43"), sender)
    withdrawal = parsed(await post.make(await post.claim()))
    assert withdrawal["To"] == GP_ADDRESS and withdrawal["Message-ID"] != mail["Message-ID"]
    assert mail["Message-ID"] in str(withdrawal)
    assert not any(str(part.get_filename()).upper().endswith(".ZIP") for part in withdrawal.iter_attachments())


async def test_a_letter_whose_job_fails_waits_for_a_person(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(*_args: object) -> object:
        raise JobFailed("process died")

    await post.engine.receive(letter_message(), Sender(source=SOURCE))
    monkeypatch.setattr(Workers, "run", failing)
    withheld = await post.parcels.make(await post.claim())
    assert isinstance(withheld, Withheld) and withheld.rule == "letters.job-failed"


async def test_a_letter_whose_source_is_no_longer_configured_waits_for_a_person(post: Post) -> None:
    await post.engine.receive(letter_message(), Sender(source=SOURCE))
    withheld = await post.made_with(Workers(), "another").make(await post.claim())
    assert isinstance(withheld, Withheld) and withheld.rule == "letters.source-unknown"
