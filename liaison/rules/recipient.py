"""The right recipient of a letter: whom it is for, and whether the address is theirs. Every doubt holds. Pure.

Sources: mssante digest §1.2 (domains), §1.6 (patients), §5.2–5.3 (directory), CI-SIS Transmission (PRT RCT), PAM.fr §6.8 (ROL).
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from liaison.care.facts import DocumentAction, DocumentFact
from liaison.finding import Finding
from liaison.mssante.address import Address, in_domains
from liaison.private import Private
from liaison.rules.candidates import Candidate, RecipientKind, Register, candidates_of, hold
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


class Letters(Private, frozen=True, kw_only=True):
    """What becomes of one document: a decision for each recipient, and what the gates noticed."""

    decisions: tuple[Decision, ...] = ()
    findings: tuple[Finding, ...] = ()


def recipients_of(
    document: DocumentFact,
    *,
    patient: PatientView,
    destination: str,
    kinds: tuple[str, ...],
    register: Register,
    policy: FlagsPolicy = "default",
    known_domains: Container[str] | None = None,
    objection: Objection | None = None,
) -> Letters:
    """Who gets this document at one destination, one decision a recipient, each address once.

    ``kinds`` are the route's ``recipients``; ``known_domains`` is the list of domains that may be written to, None when it is not
    checked; ``objection`` is what speaks against the document whoever gets it. A letter without anybody to go to is one held decision,
    unless the route serves only those that not every patient has.
    """
    candidates = candidates_of(document, patient, kinds, register)
    if not candidates:
        return Letters(decisions=(decided(_nobody(document, kinds, policy), destination=destination),))
    decisions: dict[str, Decision] = {}
    findings: dict[Finding, None] = {}
    for candidate in candidates:
        opinion = check_flags(document.flags, candidate.kind, named=candidate.named, policy=policy)
        findings.update(dict.fromkeys(opinion.findings))
        against = (
            _other_patient(document)
            or _other_stay(document)
            or doubtful_identity(patient.statuses)
            or same_ins(document.ins, patient.ins)
            or opinion.objection
            or _unknown_domain(candidate.address, known_domains)
            or candidate.objection
            or _not_the_patients(candidate, patient)
            or objection
        )
        if against is not None:
            decisions.setdefault(
                candidate.key, decided(against, destination=destination, recipient=candidate.text, kind=candidate.serves)
            )
        else:
            decisions.setdefault(candidate.key, _delivered(candidate, patient, destination))
    return Letters(decisions=tuple(decisions.values()), findings=tuple(findings))


def _delivered(candidate: Candidate, patient: PatientView, destination: str) -> Decision:
    derogation = candidate.kind is AddresseeKind.PROFESSIONAL and patient.ins is None
    return Decision(
        destination=destination,
        recipient=candidate.text,
        kind=candidate.serves,
        outcome=Outcome.DELIVER,
        reason=f"{candidate.reason} {DEROGATION_REASON}" if derogation else candidate.reason,
        rule=DEROGATION if derogation else candidate.rule,
    )


#: Recipients that every letter should have one of; a referrer or a structure ahead, not every patient has.
_EXPECTED: Final = frozenset({RecipientKind.NAMED, RecipientKind.TREATING_PHYSICIAN})


def _nobody(document: DocumentFact, kinds: tuple[str, ...], policy: FlagsPolicy) -> Objection:
    """The one decision about a letter that nobody gets: right when no mail was asked for, else a doubt."""
    opinion = check_flags(document.flags, AddresseeKind.PROFESSIONAL, named=False, policy=policy)
    if opinion.objection is not None and opinion.objection.outcome is Outcome.DROP and not document.flags.to_patient:
        return opinion.objection
    if not _EXPECTED.intersection(kinds):
        return _NOT_CONCERNED
    reason = "Aucun destinataire : le message n'en nomme pas (PRT RCT)"
    if RecipientKind.TREATING_PHYSICIAN in kinds:
        reason += " et ne donne pas de médecin traitant (ROL ODRP)"
    return hold("recipient.nobody", f"{reason}.", Owner.HOSPITAL)


def _other_patient(document: DocumentFact) -> Objection | None:
    return None if document.same_patient else _OTHER_PATIENT


def _other_stay(document: DocumentFact) -> Objection | None:
    # Taking back a letter that should never have gone must not wait for anybody.
    return _OTHER_STAY if document.visit_of_another and document.action is not DocumentAction.WITHDRAW else None


def _unknown_domain(address: Address | None, known_domains: Container[str] | None) -> Objection | None:
    if address is None or known_domains is None or in_domains(address, known_domains):
        return None
    return _UNKNOWN_DOMAIN


def _not_the_patients(candidate: Candidate, patient: PatientView) -> Objection | None:
    if candidate.kind is not AddresseeKind.PATIENT or candidate.address is None:
        return None
    return patient_mailbox(candidate.address.local, candidate.matricule, patient.ins)


_OTHER_PATIENT: Final = hold(
    "recipient.other-patient",
    "Le document parle d'un autre patient que le message (recordTarget du CDA et PID-3 ou traits différents).",
    Owner.HOSPITAL,
)
_OTHER_STAY: Final = hold(
    "recipient.visit-of-another",
    "La venue ou le dossier du document est celui d'un autre patient, ou lui a été réattribué (A44) : l'établissement vérifie de qui parle la lettre.",
    Owner.HOSPITAL,
)
_UNKNOWN_DOMAIN: Final = hold(
    "recipient.unknown-domain",
    "Le domaine de l'adresse n'est pas dans la liste blanche MSSanté ou la liste des domaines permis.",
    Owner.GCS,
)
_NOT_CONCERNED: Final = Objection(
    outcome=Outcome.DROP,
    reason="La route ne sert que le médecin adresseur ou la structure de destination, et ce patient n'en a pas.",
    rule="recipient.not-concerned",
)
