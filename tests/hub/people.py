"""Invented people of an invented hospital, and what its messages assert of them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from itertools import count

from liaison.care.facts import (
    Addressee,
    DocumentAction,
    DocumentFact,
    DocumentFlags,
    Fact,
    IdentityAction,
    IdentityFact,
    MovementAction,
    MovementFact,
    Place,
    ReattributionFact,
)
from liaison.care.identifiers import INS_NIR_TEST, Identifier, IdentifierKind
from liaison.care.person import Ins, Professional, Traits
from liaison.finding import Finding
from liaison.hub.contracts import MessageIds, Reading, Sender, Verdict
from liaison.mappings.interpretation import SourceProfile

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
FINESS = "400011177"
SOURCE = "ch-test"
PROFILE = SourceProfile(source=SOURCE, finess=FINESS)
GP, OTHER_GP = "gp@medecin.mssante.test", "confrere@medecin.mssante.test"

_numbers = count(1)


def ipp(value: str, authority: str = f"finess:{FINESS}") -> Identifier:
    """A hospital's own number for a patient."""
    return Identifier(kind=IdentifierKind.IPP, authority=authority, value=value)


def ins(matricule: str) -> Identifier:
    """A national number, of the test OID."""
    return Identifier(kind=IdentifierKind.INS, authority=f"oid:{INS_NIR_TEST}", value=matricule)


def traits(name: str = "ESSAI", *, first: str = "ANNE", born: str = "19790328") -> Traits:
    """The five strict traits of an invented person."""
    return Traits(birth_name=name, first_given_name=first, birth_date=born, sex="F", birthplace_cog="40192")


def identity(
    number: str,
    *,
    name: str = "ESSAI",
    first: str = "ANNE",
    matricule: str = "",
    statuses: tuple[str, ...] = ("VALI",),
    minutes: float = 0,
    authority: str = f"finess:{FINESS}",
) -> IdentityFact:
    """What the PID of any message says; ``number`` empty for a message without an IPP."""
    numbers = (ipp(number, authority),) if number else ()
    return IdentityFact(
        identifiers=(*numbers, ins(matricule)) if matricule else numbers,
        traits=traits(name, first=first),
        statuses=statuses,
        ins=Ins(matricule=matricule, oid=INS_NIR_TEST) if matricule else None,
        recorded_at=NOW + timedelta(minutes=minutes),
    )


def merge(survivor: str, absorbed: str, *, minutes: float = 1) -> IdentityFact:
    """A40: the record ``absorbed`` goes into ``survivor``."""
    return IdentityFact(
        action=IdentityAction.MERGE,
        identifiers=(ipp(survivor),),
        absorbed=(ipp(absorbed),),
        traits=traits(),
        statuses=("VALI",),
        of_identity=True,
        recorded_at=NOW + timedelta(minutes=minutes),
    )


def link(one: str, other: str, *, action: IdentityAction = IdentityAction.LINK, minutes: float = 1) -> tuple[IdentityFact, ...]:
    """A24, or A37: the facts of a message that says of two records whether they are of one person."""
    at = NOW + timedelta(minutes=minutes)
    said = IdentityFact(action=action, identifiers=(ipp(one),), linked=(ipp(other),), of_identity=True, recorded_at=at)
    return identity(one, minutes=minutes), identity(other, minutes=minutes), said


def episode(value: str) -> Identifier:
    """A hospital's own number for an episode."""
    return Identifier(kind=IdentifierKind.EPISODE, authority=f"finess:{FINESS}", value=value)


def reattribution(to: str, former: str, number: str, *, minutes: float = 1) -> tuple[Fact, ...]:
    """A44: the facts of a message that gives an episode of ``former`` to ``to``."""
    at = NOW + timedelta(minutes=minutes)
    moved = ReattributionFact(patient=(ipp(to),), former=(ipp(former),), episode=episode(number), recorded_at=at)
    return identity(to, minutes=minutes), moved


def movement(
    number: str,
    visit: str,
    *,
    trigger: str = "A01",
    order: int = 1,
    action: MovementAction = MovementAction.INSERT,
    of_episode: str = "",
) -> MovementFact:
    """A movement of a patient's venue; ``order`` is its number in the venue and its hour."""
    at = NOW + timedelta(hours=order)
    return MovementFact(
        patient=(ipp(number),),
        action=action,
        trigger=trigger,
        original_trigger=trigger,
        movement=(Identifier(kind=IdentifierKind.MOVEMENT, authority=f"finess:{FINESS}", value=f"{visit}-{order}"),),
        visit=Identifier(kind=IdentifierKind.VISIT, authority=f"finess:{FINESS}", value=visit),
        episode=episode(of_episode) if of_episode else None,
        at=at,
        nature="HMS",
        patient_class="I",
        place=Place(uf_lodging=f"21{order:02d}"),
        finess=FINESS,
        admitted_at=NOW,
        recorded_at=at,
        sent_at=at,
        control_id=f"m{order}",
    )


def admission(number: str, visit: str) -> tuple[Fact, ...]:
    """The facts of an A01."""
    return identity(number), movement(number, visit)


def transfer(number: str, visit: str, order: int) -> tuple[Fact, ...]:
    """The facts of an A02: always something new to tell."""
    return identity(number), movement(number, visit, trigger="A02", order=order)


def letter(
    number: str,
    name: str,
    *to: str,
    action: DocumentAction = DocumentAction.PUBLISH,
    body: bytes = b"%PDF",
    version: int = 1,
    set_id: str = "",
    replaces: str = "",
    minutes: float = 0,
    same_patient: bool = True,
) -> DocumentFact:
    """A discharge letter to named addressees."""
    return DocumentFact(
        patient=(ipp(number),),
        action=action,
        id=name,
        set_id=set_id or name,
        version=version,
        replaces=replaces,
        type_code="11490-0",
        title="Lettre de liaison",
        level="N1",
        created_at=NOW,
        flags=DocumentFlags(
            masked_from_professionals=False,
            hidden_from_patient=False,
            hidden_from_representatives=False,
            to_professionals=True,
            to_patient=False,
        ),
        addressees=tuple(Addressee(address=address, professional=Professional(family="DURAND")) for address in to or (GP,)),
        same_patient=same_patient,
        finess=FINESS,
        digest=hashlib.sha256(body).hexdigest(),
        recorded_at=NOW + timedelta(minutes=minutes),
    )


def reading(
    *facts: Fact,
    control_id: str | None = None,
    content: bytes | None = None,
    source: str = SOURCE,
    kind: str = "ADT^A01",
    verdict: Verdict = Verdict.ACCEPTED,
    findings: tuple[Finding, ...] = (),
    establishment: str = FINESS,
    raw: bytes = b"",
) -> Reading:
    """A message that says ``facts``. Without ``control_id`` and ``content`` it is unlike any other."""
    number = next(_numbers)
    control_id = f"C{number}" if control_id is None else control_id
    content = f"content {number}".encode() if content is None else content

    def reply_as(decided: Verdict, told: tuple[Finding, ...]) -> bytes:
        code = "AE" if decided is Verdict.QUARANTINED and kind.startswith(("ORU", "MDM")) else "AA"
        return f"{code}|{control_id}|{decided}|{','.join(finding.rule for finding in told)}".encode()

    return Reading(
        raw=raw or content,
        sender=Sender(source=source),
        ids=MessageIds(kind=kind, control_id=control_id, application="DPI|CH", content=content),
        facts=facts,
        findings=findings,
        verdict=verdict,
        reply=reply_as(verdict, findings),
        reply_as=reply_as,
        establishment=establishment,
    )
