"""Parcels of letters: the document taken out of its message and built into a mail by a worker process, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec.structs import replace

from liaison.care.facts import DocumentAction, DocumentFact
from liaison.hub.claims import Claimed, Needless, Withheld
from liaison.hub.contracts import Parcel
from liaison.hub.journal.queries import JournalReader
from liaison.hub.parcels import lane_name
from liaison.hub.reading_file import documents_of
from liaison.hub.workers import JobFailed, Workers
from liaison.mappings.document_to_mail import LetterHeld, MailSender, Recipient, RecipientKind, letter_from_document
from liaison.mappings.interpretation import SourceProfile
from liaison.mssante.address import PATIENT_DOMAIN
from liaison.private import Private
from liaison.rules.decision import Owner


class LetterJob(Private, frozen=True, kw_only=True):
    """All that a worker needs to build one mail."""

    fact: DocumentFact
    #: The message that carries the document.
    raw: bytes
    profile: SourceProfile
    recipient: Recipient
    sender: MailSender
    message_id: str
    previous_message_id: str
    now: datetime


def build_letter(job: LetterJob) -> bytes | Withheld:
    """Build the mail of a job. Runs in a worker process."""
    document = b""
    if job.fact.action is not DocumentAction.WITHDRAW:
        # A type that was guessed is guessed the same, whatever the configuration has become since.
        profile = replace(job.profile, document_type=job.fact.type_code, document_types={})
        document = documents_of(job.raw, profile).get(job.fact.digest, b"")
        if not document:
            return Withheld(reason="Le document n'est plus dans le message qui l'a apporté.", rule="letters.document-missing")
    try:
        return letter_from_document(
            job.fact,
            document,
            recipient=job.recipient,
            sender=job.sender,
            message_id=job.message_id,
            now=job.now,
            previous_message_id=job.previous_message_id,
        )
    except LetterHeld as held:
        return Withheld(reason=held.reason, rule=held.rule, owner=Owner.HOSPITAL)


class LetterParcels:
    """Makes the parcel of a letter: rendered before its first attempt, read back for every later one."""

    def __init__(
        self,
        *,
        reader: JournalReader,
        workers: Workers,
        profiles: Mapping[str, SourceProfile],
        sender: MailSender,
        clock: Callable[[], datetime],
        sender_of: Callable[[str, str], MailSender] | None = None,
    ) -> None:
        """``sender`` is the destination's own, whose domain names every mail; ``sender_of`` is asked with source and unit, where given."""
        self._reader = reader
        self._workers = workers
        self._profiles = profiles
        self._sender = sender
        self._sender_of = sender_of
        self._clock = clock

    async def make(self, claimed: Claimed) -> Parcel | Withheld | Needless:
        """The mail of a claimed delivery, or why it may not be made."""
        delivery, document = claimed.delivery, claimed.document
        if document is None:
            return Withheld(reason="Le document n'est plus dans le journal.", rule="letters.document-missing")
        fact = document.state.fact
        if delivery.withdraws:
            fact = replace(fact, action=DocumentAction.WITHDRAW)
        previous = self._reader.last_left(delivery) if delivery.previous else ""
        if delivery.previous and not previous:
            # The version before waited for this one, or was stopped: nobody has what would be replaced or withdrawn.
            if delivery.withdraws:
                return Needless(reason="the letter withdrawn never left")
            fact = replace(fact, action=DocumentAction.PUBLISH)
        body = self._reader.parcel(delivery.id, delivery.patient) if delivery.attempts > 1 else None
        if body is None:
            built = await self._build(claimed, fact, document.message, previous)
            if isinstance(built, Withheld):
                return built
            body = built
        options = {"delivery_receipt": "1"} if fact.flags.wants_delivery_receipt else {}
        return Parcel(
            id=delivery.token,
            kind=delivery.kind,
            body=body,
            content_type="message/rfc822",
            lane=lane_name(delivery.destination, delivery.patient),
            lane_seq=delivery.lane_seq or 0,
            recipient=delivery.recipient,
            options=options,
        )

    async def _build(self, claimed: Claimed, fact: DocumentFact, message: int, previous: str) -> bytes | Withheld:
        delivery = claimed.delivery
        stored = self._reader.message(message)
        if stored is None or stored.raw is None:
            return Withheld(reason="Le message qui portait le document a été effacé.", rule="letters.document-erased")
        profile = self._profiles.get(stored.line.source)
        if profile is None:
            return Withheld(
                reason="La source de ce document n'est plus configurée : rétablissez-la ou annulez l'envoi.",
                rule="letters.source-unknown",
            )
        domain = self._sender.address.rpartition("@")[2]
        job = LetterJob(
            fact=fact,
            raw=stored.raw,
            profile=profile,
            recipient=_recipient(delivery.recipient),
            sender=self._sender if self._sender_of is None else self._sender_of(delivery.source, fact.unit),
            message_id=f"{delivery.token}@{domain}",
            previous_message_id=f"{previous}@{domain}" if previous else "",
            now=self._clock(),
        )
        try:
            return await self._workers.run(build_letter, job)
        except JobFailed:
            return Withheld(reason="Le courriel n'a pas pu être construit dans le temps imparti.", rule="letters.job-failed")


def _recipient(address: str) -> Recipient:
    is_patient = address.lower().endswith("@" + PATIENT_DOMAIN)
    return Recipient(address=address, kind=RecipientKind.PATIENT if is_patient else RecipientKind.PROFESSIONAL)
