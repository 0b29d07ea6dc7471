"""Letters: the decisions about one document over all routes, and the last look before a mail leaves. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from liaison.care.facts import DocumentAction, DocumentFact
from liaison.finding import Finding
from liaison.rules.decision import Decision, Objection, Outcome, Owner
from liaison.rules.gates.document_flags import FlagsPolicy
from liaison.rules.gates.identity import DEROGATION, PatientView, ins_lost, merged_identity
from liaison.rules.recipient import DirectoryLookup, Letters, recipients_of
from liaison.rules.routing import Route, decided, leaves_production, routes_for_document


class LetterRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration fixes for every letter."""

    routes: tuple[Route, ...]
    territory: Literal["test", "production"] = "test"
    policy: FlagsPolicy = "default"
    directory: DirectoryLookup | None = None
    #: Domains that may be written to; None when they are not checked.
    known_domains: frozenset[str] | None = None


def decide_letter(document: DocumentFact, *, rules: LetterRules, source: str, patient: PatientView, processing: str) -> Letters:
    """One decision for each recipient of a document, over all the routes that take its type from this source.

    Empty when no route takes it. Routes to one destination add up their recipients; an address that a destination already
    serves is not served again by another. ``processing`` is MSH-11.
    """
    kinds: dict[str, tuple[str, ...]] = {}
    for route in routes_for_document(rules.routes, document.type_code, source):
        kinds[route.to] = kinds.get(route.to, ()) + route.recipients
    test_message = leaves_production(processing, rules.territory)
    if test_message is not None:
        return Letters(decisions=tuple(decided(test_message, destination=destination) for destination in kinds))
    decisions: list[Decision] = []
    findings: dict[Finding, None] = {}
    served: set[str] = set()
    for destination, wanted in kinds.items():
        letters = recipients_of(
            document,
            patient=patient,
            destination=destination,
            kinds=wanted,
            policy=rules.policy,
            directory=rules.directory,
            known_domains=rules.known_domains,
        )
        findings.update(dict.fromkeys(letters.findings))
        decisions += [decision for decision in letters.decisions if decision.recipient.lower() not in served]
        served |= {decision.recipient.lower() for decision in letters.decisions if decision.outcome is Outcome.DELIVER}
    return Letters(decisions=tuple(decisions), findings=tuple(findings))


def last_look_letter(
    document: DocumentFact,
    *,
    destination: str,
    recipient: str,
    had_ins: bool,
    rules: LetterRules,
    source: str,
    patient: PatientView,
    withdrawn: bool = False,
    replaced: bool = False,
) -> Objection | None:
    """What now speaks against a letter that was to be delivered; None when it may leave.

    Decides the letter again with the patient's and document's current state, so that whatever came since counts: a doubt on
    the identity, a merge, a lost INS, a changed directory. ``had_ins`` says whether the patient had a qualified INS when it
    was decided (the decision's rule is not :data:`DEROGATION`). ``withdrawn`` and ``replaced`` tell what became of the
    document since; the mail that announces a withdrawal is itself not stopped by it.
    """
    if document.action is not DocumentAction.WITHDRAW and (withdrawn or replaced):
        return _WITHDRAWN if withdrawn else _REPLACED
    merged = merged_identity(patient.merged_into)
    if merged is not None:
        return merged
    # MSH-11 does not change: what it stops was stopped at intake.
    letters = decide_letter(document, rules=rules, source=source, patient=patient, processing="P")
    again = next((now for now in letters.decisions if (now.destination, now.recipient) == (destination, recipient)), None)
    if again is None:
        return _NO_LONGER_RECIPIENT
    if again.outcome is not Outcome.DELIVER:
        return Objection(outcome=again.outcome, reason=again.reason, rule=again.rule, owner=again.owner)
    return ins_lost() if had_ins and again.rule == DEROGATION else None


_WITHDRAWN = Objection(
    outcome=Outcome.DROP, reason="Le document a été retiré par son émetteur depuis la décision.", rule="letters.withdrawn"
)
_REPLACED = Objection(
    outcome=Outcome.DROP,
    reason="Le document a été remplacé par une version plus récente, qui part à sa place.",
    rule="letters.replaced",
)
_NO_LONGER_RECIPIENT = Objection(
    outcome=Outcome.HOLD,
    reason="Le destinataire n'est plus celui que les règles désignent aujourd'hui : une personne confirme l'envoi.",
    rule="recipient.changed",
    owner=Owner.GCS,
)
