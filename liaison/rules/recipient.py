"""The right recipient of a letter: whom it is for, and whether the address is theirs. Every doubt holds. Pure.

Sources: mssante digest §1.2 (domains), §1.6 (patients), §5.2–5.3 (directory), CI-SIS Transmission (PRT RCT), PAM.fr §6.8 (ROL).
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, Protocol

from liaison.care.facts import Addressee, DocumentFact
from liaison.care.identifiers import rpps
from liaison.finding import Finding
from liaison.mssante.address import PATIENT_DOMAIN, Address, InvalidAddress, in_domains, parse_address
from liaison.mssante.directory import Ambiguous, Chosen, DirectoryEntry, Resolution
from liaison.private import Private
from liaison.rules.decision import Decision, Objection, Outcome, Owner
from liaison.rules.gates.document_flags import AddresseeKind, FlagsPolicy, check_flags
from liaison.rules.gates.identity import (
    DEROGATION,
    DEROGATION_REASON,
    PatientView,
    doubtful_identity,
    patient_mailbox,
    same_ins,
)
from liaison.rules.routing import decided


class RecipientKind(enum.StrEnum):
    """What a route's ``recipients`` may list."""

    NAMED = "named"  #: whom the message names (PRT with PRT-4 = RCT)
    TREATING_PHYSICIAN = "treating-physician"  #: ROL ODRP, by RPPS, from the directory
    REFERRER = "referrer"  #: PV1-8; known, not served yet


class DirectoryLookup(Protocol):
    """What the rules ask of the national directory (:class:`liaison.mssante.directory.Directory`)."""

    def of_professional(self, rpps: str) -> Sequence[DirectoryEntry]: ...

    def of_address(self, address: str) -> Sequence[DirectoryEntry]: ...

    def resolve(self, rpps: str, *, structures: frozenset[str] = frozenset()) -> Resolution: ...


class Letters(Private, frozen=True, kw_only=True):
    """What becomes of one document: a decision for each recipient, and what the gates noticed."""

    decisions: tuple[Decision, ...] = ()
    findings: tuple[Finding, ...] = ()


class _Candidate(Private, frozen=True, kw_only=True):
    """Somebody the letter may go to, and what finding their address already brought to light."""

    address: Address | None = None
    #: What stands in the decision as the recipient: the address, as written when it cannot be read.
    text: str = ""
    kind: AddresseeKind = AddresseeKind.PROFESSIONAL
    named: bool = True
    rpps: str = ""
    matricule: str = ""
    objection: Objection | None = None
    #: Why the letter goes there, when nothing objects.
    reason: str = ""
    rule: str = ""

    @property
    def serves(self) -> str:
        """Which of the route's ``recipients`` it is, or ``patient``."""
        if self.kind is AddresseeKind.PATIENT:
            return str(self.kind)
        return str(RecipientKind.NAMED if self.named else RecipientKind.TREATING_PHYSICIAN)


def recipients_of(
    document: DocumentFact,
    *,
    patient: PatientView,
    destination: str,
    kinds: tuple[str, ...],
    policy: FlagsPolicy = "default",
    directory: DirectoryLookup | None = None,
    known_domains: frozenset[str] | None = None,
) -> Letters:
    """Who gets this document at one destination, one decision a recipient, each address once.

    ``kinds`` are the route's ``recipients``; ``directory`` is None when none is configured; ``known_domains`` is the list of
    domains that may be written to, None when it is not checked. A letter without anybody to go to is one held decision.
    """
    candidates = _candidates(document, patient, kinds, directory)
    if not candidates:
        return Letters(decisions=(decided(_nobody(document, kinds, policy), destination=destination),))
    decisions: dict[str, Decision] = {}
    findings: dict[Finding, None] = {}
    for candidate in candidates:
        opinion = check_flags(document.flags, candidate.kind, named=candidate.named, policy=policy)
        findings.update(dict.fromkeys(opinion.findings))
        objection = (
            _other_patient(document)
            or doubtful_identity(patient.statuses)
            or same_ins(document.ins, patient.ins)
            or opinion.objection
            or candidate.objection
            or _unknown_domain(candidate.address, known_domains)
            or _not_the_patients(candidate, patient)
        )
        key = candidate.address.key if candidate.address else candidate.text
        if objection is not None:
            decisions.setdefault(key, decided(objection, destination=destination, recipient=candidate.text, kind=candidate.serves))
        else:
            decisions.setdefault(key, _delivered(candidate, patient, destination))
    return Letters(decisions=tuple(decisions.values()), findings=tuple(findings))


def _candidates(
    document: DocumentFact, patient: PatientView, kinds: tuple[str, ...], directory: DirectoryLookup | None
) -> list[_Candidate]:
    candidates = [_named(addressee, directory) for addressee in document.addressees] if RecipientKind.NAMED in kinds else []
    if RecipientKind.TREATING_PHYSICIAN in kinds:
        treating = _treating(patient, directory)
        # A letter that its sender already addresses to the GP needs no second way to the same person.
        reached = {candidate.rpps for candidate in candidates if candidate.rpps and candidate.objection is None}
        if treating is not None and treating.rpps not in reached:
            candidates.append(treating)
    return candidates


def _named(addressee: Addressee, directory: DirectoryLookup | None) -> _Candidate:
    number = rpps(addressee.professional.rpps) or "" if addressee.professional else ""
    if not addressee.address:
        return _named_by_number(number, directory)
    try:
        address = parse_address(addressee.address)
    except InvalidAddress as fault:
        reason = f"L'adresse d'un destinataire nommé (PRT-15) ne peut être lue : {fault.reason}"
        return _Candidate(
            text=addressee.address, rpps=number, objection=_hold("recipient.malformed-address", reason, Owner.HOSPITAL)
        )
    if address.domain == PATIENT_DOMAIN or addressee.patient_matricule:
        return _Candidate(
            address=address,
            text=address.text,
            kind=AddresseeKind.PATIENT,
            matricule=addressee.patient_matricule,
            objection=None if address.domain == PATIENT_DOMAIN else _NOT_A_PATIENT_DOMAIN,
            reason="Le patient est destinataire, à l'adresse de son INS qualifiée.",
            rule="recipient.patient",
        )
    objection, reason = _ownership(address, number, directory)
    return _Candidate(address=address, text=address.text, rpps=number, objection=objection, reason=reason, rule="recipient.named")


def _named_by_number(number: str, directory: DirectoryLookup | None) -> _Candidate:
    """Somebody named without an address, as a CDA's informationRecipient is: the directory may know the one that is theirs."""
    match directory.resolve(number) if directory is not None and number else None:
        case Chosen(entry=entry, why=why):
            address = parse_address(entry.address)
            reason = f"Destinataire nommé sans adresse, à celle de l'annuaire : {why}."
            return _Candidate(address=address, text=address.text, rpps=number, reason=reason, rule="recipient.named")
        case _:
            return _Candidate(rpps=number, objection=_NAMED_WITHOUT_ADDRESS)


def _ownership(address: Address, number: str, directory: DirectoryLookup | None) -> tuple[Objection | None, str]:
    """Whether the directory speaks against this address being the named professional's; else why the letter goes."""
    if directory is None:
        return None, "Destinataire nommé par l'émetteur (aucun annuaire n'est configuré pour rapprocher l'adresse du RPPS)."
    owners = {entry.rpps for entry in directory.of_address(address.text)}
    if number and number in owners:
        return None, "Destinataire nommé par l'émetteur ; l'annuaire confirme que l'adresse est la sienne."
    if number and owners:
        return _NOT_HIS_ADDRESS, ""
    if number and directory.of_professional(number):
        return _HAS_OTHER_ADDRESSES, ""
    if owners:
        return None, "Destinataire nommé par l'émetteur sans RPPS ; l'adresse est dans l'annuaire."
    # Organisations' and applications' boxes, and the red list, are absent from the extraction by design (digest §5.2).
    return (
        None,
        "Destinataire nommé par l'émetteur ; l'annuaire ne connaît ni l'adresse ni le professionnel (liste rouge, application).",
    )


def _treating(patient: PatientView, directory: DirectoryLookup | None) -> _Candidate | None:
    physician = patient.treating_physician
    if physician is None:
        return None
    number = rpps(physician.rpps)
    if number is None:
        return _Candidate(named=False, objection=_TREATING_WITHOUT_RPPS)
    if directory is None:
        return _Candidate(named=False, rpps=number, objection=_NO_DIRECTORY)
    match directory.resolve(number):
        case Chosen(entry=entry, why=why):
            address = parse_address(entry.address)
            return _Candidate(
                address=address,
                text=address.text,
                named=False,
                rpps=number,
                reason=f"Médecin traitant déclaré (ROL ODRP), à l'adresse de l'annuaire : {why}.",
                rule="recipient.treating-physician",
            )
        case Ambiguous():
            return _Candidate(named=False, rpps=number, objection=_TREATING_AMBIGUOUS)
        case _:
            return _Candidate(named=False, rpps=number, objection=_TREATING_WITHOUT_MAILBOX)


def _delivered(candidate: _Candidate, patient: PatientView, destination: str) -> Decision:
    derogation = candidate.kind is AddresseeKind.PROFESSIONAL and patient.ins is None
    return Decision(
        destination=destination,
        recipient=candidate.text,
        kind=candidate.serves,
        outcome=Outcome.DELIVER,
        reason=f"{candidate.reason} {DEROGATION_REASON}" if derogation else candidate.reason,
        rule=DEROGATION if derogation else candidate.rule,
    )


def _nobody(document: DocumentFact, kinds: tuple[str, ...], policy: FlagsPolicy) -> Objection:
    """The one decision about a letter that nobody gets: right when no mail was asked for, else a doubt."""
    opinion = check_flags(document.flags, AddresseeKind.PROFESSIONAL, named=False, policy=policy)
    if opinion.objection is not None and opinion.objection.outcome is Outcome.DROP and not document.flags.to_patient:
        return opinion.objection
    reason = "Aucun destinataire : le message n'en nomme pas (PRT RCT)"
    if RecipientKind.TREATING_PHYSICIAN in kinds:
        reason += " et ne donne pas de médecin traitant (ROL ODRP)"
    return _hold("recipient.nobody", f"{reason}.", Owner.HOSPITAL)


def _other_patient(document: DocumentFact) -> Objection | None:
    return None if document.same_patient else _OTHER_PATIENT


def _unknown_domain(address: Address | None, known_domains: frozenset[str] | None) -> Objection | None:
    if address is None or known_domains is None or in_domains(address, known_domains):
        return None
    return _UNKNOWN_DOMAIN


def _not_the_patients(candidate: _Candidate, patient: PatientView) -> Objection | None:
    if candidate.kind is not AddresseeKind.PATIENT or candidate.address is None:
        return None
    return patient_mailbox(candidate.address.local, candidate.matricule, patient.ins)


def _hold(rule: str, reason: str, owner: Owner) -> Objection:
    return Objection(outcome=Outcome.HOLD, reason=reason, rule=rule, owner=owner)


_OTHER_PATIENT: Final = _hold(
    "recipient.other-patient",
    "Le document parle d'un autre patient que le message (recordTarget du CDA et PID-3 ou traits différents).",
    Owner.HOSPITAL,
)
_UNKNOWN_DOMAIN: Final = _hold(
    "recipient.unknown-domain", "Le domaine de l'adresse n'est pas dans la liste des domaines permis.", Owner.GCS
)
_NOT_A_PATIENT_DOMAIN: Final = _hold(
    "recipient.patient-domain",
    f"Le destinataire est le patient, mais l'adresse n'est pas dans le domaine {PATIENT_DOMAIN}.",
    Owner.HOSPITAL,
)
_NOT_HIS_ADDRESS: Final = _hold(
    "recipient.not-their-address",
    "L'annuaire donne cette adresse à un autre que le professionnel nommé : l'établissement vérifie le destinataire.",
    Owner.HOSPITAL,
)
_HAS_OTHER_ADDRESSES: Final = _hold(
    "recipient.not-their-address",
    "L'annuaire connaît le professionnel nommé, à d'autres adresses que celle-ci : l'établissement vérifie le destinataire.",
    Owner.HOSPITAL,
)
_NAMED_WITHOUT_ADDRESS: Final = _hold(
    "recipient.named-without-address",
    "Un destinataire est nommé sans adresse MSSanté, et l'annuaire n'en donne pas une qui soit sûrement la sienne.",
    Owner.HOSPITAL,
)
_TREATING_WITHOUT_RPPS: Final = _hold(
    "recipient.treating-without-rpps",
    "Le médecin traitant est donné sans numéro RPPS : son adresse ne peut être cherchée.",
    Owner.HOSPITAL,
)
_NO_DIRECTORY: Final = _hold(
    "recipient.no-directory",
    "Aucun annuaire n'est configuré ([letters] directory) : l'adresse du médecin traitant ne peut être cherchée.",
    Owner.GCS,
)
_TREATING_AMBIGUOUS: Final = _hold(
    "recipient.treating-ambiguous",
    "Le médecin traitant a plusieurs boîtes de structures différentes dans l'annuaire : une personne choisit.",
    Owner.GCS,
)
_TREATING_WITHOUT_MAILBOX: Final = _hold(
    "recipient.treating-without-mailbox", "L'annuaire ne donne aucune boîte au médecin traitant : autre voie à trouver.", Owner.GCS
)
