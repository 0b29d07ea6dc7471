"""Letters: the decisions about one document over all routes, and the last look before a mail leaves. Pure."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from liaison.care.facts import Addressee, DocumentAction, DocumentFact
from liaison.care.units import Unit
from liaison.finding import Finding
from liaison.rules.candidates import DirectoryLookup, RecipientKind, Register, hold, is_of_structure
from liaison.rules.decision import Decision, Objection, Outcome, Owner
from liaison.rules.gates.document_flags import FlagsPolicy
from liaison.rules.gates.identity import DEROGATION, PatientView, ins_lost, merged_identity
from liaison.rules.recipient import Letters, recipients_of
from liaison.rules.routing import Route, decided, leaves_production, routes_for_document


class LetterRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration fixes for every letter."""

    routes: tuple[Route, ...]
    territory: Literal["test", "production"] = "test"
    policy: FlagsPolicy = "default"
    directory: DirectoryLookup | None = None
    #: Domains that may be written to; None when they are not checked.
    known_domains: Container[str] | None = None
    #: Addresses in lower case that the region vouches for though the directory does not list them.
    partners: frozenset[str] = frozenset()
    #: RPPS or FINESS → the mailbox to prefer among several.
    preferred: Mapping[str, str] = {}
    #: Source → its units by code.
    units: Mapping[str, Mapping[str, Unit]] = {}

    @property
    def asks_the_stay(self) -> bool:
        """Whether a letter's decision depends on what only its stay may know."""
        asked = (RecipientKind.REFERRER, RecipientKind.DESTINATION_STRUCTURE)
        return bool(self.units) or any(route.units or any(kind in asked for kind in route.recipients) for route in self.routes)

    def unit(self, source: str, code: str) -> Unit | None:
        """A unit of a source's referential."""
        return self.units.get(source, {}).get(code)


def letter_waits(document: DocumentFact, *, rules: LetterRules, source: str) -> Mapping[str, float]:
    """Destination → seconds that a letter waits there for its next version; a withdrawal waits for nothing."""
    if document.action is DocumentAction.WITHDRAW:
        return {}
    waits: dict[str, float] = {}
    for route in routes_for_document(rules.routes, document.type_code, source, document.unit):
        if route.wait:
            waits[route.to] = max(waits.get(route.to, 0.0), route.wait_seconds)
    return waits


def decide_letter(document: DocumentFact, *, rules: LetterRules, source: str, patient: PatientView, processing: str) -> Letters:
    """One decision for each recipient of a document, over all the routes that take its type from this source.

    Empty when no route takes it. Routes to one destination add up their recipients; an address that a destination already
    serves is not served again by another. ``processing`` is MSH-11.
    """
    kinds: dict[str, tuple[str, ...]] = {}
    routes = routes_for_document(rules.routes, document.type_code, source, document.unit)
    unit = rules.unit(source, document.unit)
    sensitive = unit is not None and unit.sensitive
    meant_for_it = tuple(route for route in routes if route.sensitive) if sensitive else ()
    for route in meant_for_it or routes:
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
            register=Register(directory=rules.directory, partners=rules.partners, preferred=rules.preferred),
            policy=rules.policy,
            known_domains=rules.known_domains,
            objection=_SENSITIVE if sensitive and not meant_for_it else None,
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
    by_person: bool = False,
) -> Objection | None:
    """What now speaks against a letter that was to be delivered; None when it may leave.

    Decides the letter again with the patient's and document's current state, so that whatever came since counts: a doubt on
    the identity, a merge, a lost INS, a changed directory. ``had_ins`` says whether the patient had a qualified INS when it
    was decided (the decision's rule is not :data:`DEROGATION`). ``withdrawn`` and ``replaced`` tell what became of the
    document since; the mail that announces a withdrawal is itself not stopped by it. ``by_person`` says that a person confirmed
    or corrected the recipient: then all is decided again but whether the routes would choose them.
    """
    if document.action is not DocumentAction.WITHDRAW and (withdrawn or replaced):
        return _WITHDRAWN if withdrawn else _REPLACED
    merged = merged_identity(patient.merged_into)
    if merged is not None:
        return merged
    if by_person:
        document, rules = _addressed_to(document, rules, recipient)
    # MSH-11 does not change: what it stops was stopped at intake.
    letters = decide_letter(document, rules=rules, source=source, patient=patient, processing="P")
    again = next((now for now in letters.decisions if (now.destination, now.recipient) == (destination, recipient)), None)
    if again is None:
        return _NO_LONGER_RECIPIENT
    if again.outcome is not Outcome.DELIVER:
        return Objection(outcome=again.outcome, reason=again.reason, rule=again.rule, owner=again.owner)
    return ins_lost() if had_ins and again.rule == DEROGATION else None


def released_rule(*, has_ins: bool, by_person: bool) -> str:
    """The rule by which a letter leaves that a person releases: what the patient has today is what counts from now on."""
    if by_person:
        return BY_PERSON if has_ins else BY_PERSON_WITHOUT_INS
    return RELEASED if has_ins else DEROGATION


def other_owner(address: str, *, rpps: str, structure: str, rules: LetterRules) -> Objection | None:
    """What speaks against writing to ``address`` in the place of a professional or a structure: the directory gives it to others.

    An address that the directory does not know passes: services' and applications' boxes, and the red list, are not in it
    (mssante digest §5.2); the person who wrote it down answers for it.
    """
    rows = () if rules.directory is None or address.lower() in rules.partners else rules.directory.of_address(address)
    owners = {entry.rpps for entry in rows if entry.rpps}
    if rpps and owners and rpps not in owners:
        return _ANOTHERS
    return _ANOTHERS if structure and rows and not any(is_of_structure(entry, structure) for entry in rows) else None


def _addressed_to(document: DocumentFact, rules: LetterRules, recipient: str) -> tuple[DocumentFact, LetterRules]:
    """The document as if it named this recipient alone, and rules whose routes take whom it names: the person vouches for them."""
    routes = tuple(replace(route, recipients=(RecipientKind.NAMED.value,)) if route.recipients else route for route in rules.routes)
    vouched = replace(rules, routes=routes, partners=rules.partners | {recipient.lower()})
    return replace(document, addressees=(Addressee(address=recipient),)), vouched


#: Rules of a letter that a person released: as it was decided, or to a recipient whom they confirmed or corrected; the last while the
#: patient had no qualified INS.
RELEASED: Final = "letters.released"
BY_PERSON: Final = "recipient.by-person"
BY_PERSON_WITHOUT_INS: Final = "recipient.by-person-without-ins"
#: Rules that say that a person chose the recipient, and that the patient had no qualified INS when it was decided.
CHOSEN_BY_PERSON: Final = frozenset({BY_PERSON, BY_PERSON_WITHOUT_INS})
WITHOUT_INS: Final = frozenset({DEROGATION, BY_PERSON_WITHOUT_INS})
#: Holds that say no more than that a person should confirm the recipient: a release is that confirmation.
CONFIRMED_BY_RELEASE: Final = frozenset(
    {"recipient.changed", "recipient.not-their-address", "recipient.not-in-directory", "recipient.unconfirmed-contact"}
)

_ANOTHERS = hold(
    "recipient.not-their-address",
    "L'annuaire donne cette adresse à un autre que le destinataire de la lettre : l'établissement la renvoie s'il change.",
    Owner.HOSPITAL,
)
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
_SENSITIVE: Final = hold(
    "letters.sensitive-unit",
    "La lettre vient d'une unité dite sensible par son établissement, et aucune route ne les prend (sensitive = true).",
    Owner.HOSPITAL,
)
