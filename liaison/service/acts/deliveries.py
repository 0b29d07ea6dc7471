"""Deciding on deliveries: show, release, reject what waits for a person; try again, cancel."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from liaison.care.facts import Addressee
from liaison.care.identifiers import rpps
from liaison.care.person import Professional, Traits
from liaison.hub.acts import RELEASE, RETRY, ActAnswer, CallOff, Kept, LetGo, Target
from liaison.hub.journal.queries import AttemptLine
from liaison.hub.journal.records import DeliveryRecord, DocumentRecord, HoldRecord, PatientRecord, number_id, text_id
from liaison.hub.last_look import PolicyLastLook
from liaison.hub.resolution import BlindIndex
from liaison.hub.states import Work
from liaison.hub.vault.subjects import SubjectErased
from liaison.mssante.address import InvalidAddress, parse_address
from liaison.private import Private
from liaison.rules.letters import other_owner
from liaison.service.act import Act, ActRefused, Call, HubId, WrongUse

if TYPE_CHECKING:
    from liaison.service.running import RunningHub

_RELEASED_FROM: Final = frozenset({Work.HELD, Work.FAILED, Work.EXPIRED})
_RETRIED_FROM: Final = frozenset({Work.FAILED, Work.EXPIRED, Work.RETRYING, Work.UNCERTAIN})
_CANCELLED_FROM: Final = _RELEASED_FROM | {Work.PENDING, Work.RETRYING, Work.UNCERTAIN}


class ById(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A delivery, or its hold."""

    id: HubId


class Release(ById, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A delivery to let go, with the recipient's address where it is corrected."""

    to: str = ""


class Rejection(ById, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A delivery to give up; ``received`` says that the recipient has the letter."""

    received: bool = False


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a delivery."""

    delivery: str
    work: str


class ShownPatient(Private, frozen=True, kw_only=True):
    """Who it is about."""

    id: str
    traits: Traits | None
    #: PID-32.
    statuses: tuple[str, ...]
    #: Matricule of the qualified INS; empty without one.
    ins: str
    #: Kind, authority and value of each.
    identifiers: tuple[str, ...]
    #: Id of the patient that this one was merged into; else empty.
    merged_into: str


class ShownDocument(Private, frozen=True, kw_only=True):
    """A letter's document."""

    title: str
    type: str
    status: str
    created_at: datetime
    author: Professional | None
    organisation: str
    addressees: tuple[Addressee, ...]


class Shown(Private, frozen=True, kw_only=True):
    """What a person needs to decide: health data."""

    delivery: str
    message: str
    destination: str
    work: str
    kind: str
    recipient: str
    #: Null when nothing holds it.
    hold: str | None
    owner: str
    rule: str
    reason: str
    #: Null when it was erased.
    patient: ShownPatient | None
    #: Null for an event.
    document: ShownDocument | None
    attempts: tuple[AttemptLine, ...]


async def show(hub: RunningHub, asked: ById, _call: Call) -> Shown:
    """What a delivery is, for whom, and why it waits."""
    delivery, hold = _found(hub, asked.id)
    patient, document = _subject(hub, delivery)
    (line,) = [one for one in hub.journal.reader.deliveries_of(delivery.message) if one.id == text_id(delivery.id)]
    return Shown(
        delivery=text_id(delivery.id),
        message=text_id(delivery.message),
        destination=delivery.destination,
        work=delivery.work,
        kind=delivery.kind,
        recipient=delivery.recipient,
        hold=text_id(hold.id) if hold is not None else None,
        owner=hold.owner if hold is not None else "",
        rule=hold.rule if hold is not None else delivery.rule,
        reason=hold.reason if hold is not None else "",
        patient=None if patient is None else _patient(patient),
        document=None if document is None else _document(document),
        attempts=line.attempts,
    )


async def release(hub: RunningHub, asked: Release, _call: Call) -> Decided:
    """Let what is held leave: the last look decides now, and again when it is claimed."""
    delivery, hold = _found(hub, asked.id)
    to = _corrected(hub, delivery, asked.to) if asked.to else ""
    return await _let_go(hub, delivery, hold, allowed=_RELEASED_FROM, outcome=RELEASE, to=to)


async def retry(hub: RunningHub, asked: ById, _call: Call) -> Decided:
    """Try again what failed or expired, or at once what waits to be tried again."""
    delivery, hold = _found(hub, asked.id)
    return await _let_go(hub, delivery, hold, allowed=_RETRIED_FROM, outcome=RETRY)


async def reject(hub: RunningHub, asked: Rejection, _call: Call) -> Decided:
    """Decide that what is held does not leave, or that it arrived."""
    delivery, hold = _found(hub, asked.id)
    return await _call_off(hub, delivery, hold, allowed=_RELEASED_FROM, outcome="rejected", received=asked.received)


async def cancel(hub: RunningHub, asked: ById, _call: Call) -> Decided:
    """Decide that a delivery does not leave, whatever it waits for."""
    delivery, hold = _found(hub, asked.id)
    return await _call_off(hub, delivery, hold, allowed=_CANCELLED_FROM, outcome="cancelled")


async def _let_go(
    hub: RunningHub, delivery: DeliveryRecord, hold: HoldRecord | None, *, allowed: frozenset[Work], outcome: str, to: str = ""
) -> Decided:
    command = LetGo(
        target=_target(delivery, hold),
        allowed=allowed,
        last_look=PolicyLastLook(hub.policy),
        outcome=outcome,
        to=to,
        indexes=_indexes(hub, delivery),
    )
    return _answered(hub, delivery, await hub.journal.writer.commit(command))


async def _call_off(
    hub: RunningHub,
    delivery: DeliveryRecord,
    hold: HoldRecord | None,
    *,
    allowed: frozenset[Work],
    outcome: str,
    received: bool = False,
) -> Decided:
    command = CallOff(target=_target(delivery, hold), allowed=allowed, outcome=outcome, received=received)
    return _answered(hub, delivery, await hub.journal.writer.commit(command))


def _answered(hub: RunningHub, delivery: DeliveryRecord, answer: ActAnswer) -> Decided:
    if isinstance(answer, Kept):
        raise ActRefused(answer.reason)
    hub.dispatcher.wake(delivery.destination, delivery.patient)
    return Decided(delivery=text_id(delivery.id), work=answer.work)


def _found(hub: RunningHub, text: str) -> tuple[DeliveryRecord, HoldRecord | None]:
    """A delivery by its own id or its hold's, with the hold that is open."""
    holds, number = hub.journal.reader.holds, number_id(text)
    hold = holds.find(number)
    if hold is not None and hold.delivery is None:
        raise WrongUse("c'est un message en quarantaine : « liaison quarantine ».")
    delivery = holds.delivery(number if hold is None or hold.delivery is None else hold.delivery)
    if delivery is None:
        raise ActRefused("aucun envoi ni aucune retenue de cet identifiant (« liaison held list » les donne).")
    return delivery, hold if hold is not None and hold.released_at is None else holds.of_delivery(delivery.id)


def _target(delivery: DeliveryRecord, hold: HoldRecord | None) -> Target:
    return Target(
        delivery=delivery.id,
        patient=delivery.patient,
        destination=delivery.destination,
        document=delivery.document,
        hold=None if hold is None else hold.id,
    )


def _subject(hub: RunningHub, delivery: DeliveryRecord) -> tuple[PatientRecord | None, DocumentRecord | None]:
    reader = hub.journal.reader
    try:
        patient = reader.patient(delivery.patient)
        return patient, None if delivery.document is None else reader.document(delivery.document)
    except SubjectErased:
        return None, None


def _indexes(hub: RunningHub, delivery: DeliveryRecord) -> tuple[BlindIndex, ...]:
    """Under which establishments the document may be known: the one it names, or its source's."""
    if delivery.document is None or (document := _subject(hub, delivery)[1]) is None:
        return ()
    profile = hub.policy.profiles.get(delivery.source)
    names = (document.state.fact.finess, "" if profile is None else profile.finess, delivery.source)
    return tuple(BlindIndex(hub.journal.vault.blind, name) for name in dict.fromkeys(names) if name)


def _corrected(hub: RunningHub, delivery: DeliveryRecord, text: str) -> str:
    """The address in its normal form, once nothing in the directory speaks against its being the recipient's."""
    if delivery.document is None:
        raise WrongUse("un événement n'a pas d'adresse : --to ne vaut que pour une lettre.")
    try:
        address = parse_address(text)
    except InvalidAddress as fault:
        raise WrongUse(fault.reason) from None
    patient, document = _subject(hub, delivery)
    if patient is None or document is None:
        raise ActRefused("le patient ou le document a été effacé.")
    number, structure = _meant(delivery, patient, document)
    objection = other_owner(address.text, rpps=number, structure=structure, rules=hub.policy.letters)
    if objection is not None:
        raise ActRefused(objection.reason)
    return address.text


def _meant(delivery: DeliveryRecord, patient: PatientRecord, document: DocumentRecord) -> tuple[str, str]:
    """RPPS and FINESS of whom the letter is for; empty where nobody said."""
    kind, _, number = delivery.recipient.partition(":")
    if kind in ("rpps", "finess") and number:
        return (number, "") if kind == "rpps" else ("", number)
    for addressee in document.state.fact.addressees:
        if addressee.address.strip().lower() == delivery.recipient.lower():
            professional = addressee.professional
            return "" if professional is None else rpps(professional.rpps) or "", addressee.organisation
    # Without an address, a letter is for the treating physician or for nobody.
    treating = patient.state.treating_physician
    return "" if treating is None or delivery.recipient else rpps(treating.rpps) or "", ""


def _patient(patient: PatientRecord) -> ShownPatient:
    state = patient.state
    return ShownPatient(
        id=text_id(patient.id),
        traits=state.traits,
        statuses=state.statuses,
        ins="" if state.ins is None else state.ins.matricule,
        identifiers=tuple(f"{one.kind} {one.authority} {one.value}" for one in state.active_identifiers),
        merged_into=state.merged_into,
    )


def _document(document: DocumentRecord) -> ShownDocument:
    fact = document.state.fact
    return ShownDocument(
        title=fact.title,
        type=fact.type_code,
        status=document.state.status,
        created_at=fact.created_at,
        author=fact.author,
        organisation=fact.author_organisation,
        addressees=fact.addressees,
    )


ACTS = (
    Act(name="held.show", arguments=ById, run=show, target="id", shows_health_data=True),
    Act(name="held.release", arguments=Release, run=release, target="id"),
    Act(name="held.reject", arguments=Rejection, run=reject, target="id"),
    Act(name="retry", arguments=ById, run=retry, target="id"),
    Act(name="cancel", arguments=ById, run=cancel, target="id"),
)
