"""Going live: what keeps a decision in although the rules would let it go, at intake and at the last look. Pure.

DESIGN §3: a source is not live at once; facts older than ``late_after`` ring no one; letters may be observed only. What is kept in by
a mode, by ``letters = "observe"`` or by a test allow-list becomes a shadow: decided and recorded, never on its way. What was decided
live and has not left when its source goes back is held for a person: nobody else can tell whether it is still to be sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

import msgspec

from liaison.care.facts import Fact, MovementAction, MovementFact, ReceiptFact
from liaison.care.identifiers import Identifier
from liaison.private import Private
from liaison.rules.decision import Decision, Objection, Outcome, Owner, Would

#: What a source's messages may do: fill the state only, be decided without leaving, or leave.
Mode: TypeAlias = Literal["live", "load", "shadow"]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far a source is on its way to being live."""

    mode: Mode = "live"
    #: ``observe``: its own system mails the GPs; ours are decided only.
    letters: Literal["send", "observe"] = "send"
    #: Older facts ring no one; None: no fact is too old.
    late_after: timedelta | None = None


class AllowList(Private, frozen=True, kw_only=True):
    """The only recipients and patients that a destination under test may be sent something for."""

    #: MSSanté addresses, in lower case.
    addresses: frozenset[str] = frozenset()
    patients: frozenset[Identifier] = frozenset()

    def admits(self, recipient: str, identifiers: Iterable[Identifier]) -> bool:
        """Whether this recipient, or a patient of these identifiers, is on the list."""
        return recipient.lower() in self.addresses or not self.patients.isdisjoint(identifiers)


class GoingLive(Private, frozen=True, kw_only=True):
    """What the configuration says of modes and tests. Empty: every source is live, every destination open."""

    sources: Mapping[str, Standing] = {}
    #: Destinations under test.
    only_to: Mapping[str, AllowList] = {}
    #: Patients for whom nothing ever leaves.
    test_patients: frozenset[Identifier] = frozenset()

    def standing(self, source: str) -> Standing:
        """Of a source; one that is not configured any more is live: what was decided for it still goes."""
        return self.sources.get(source, _LIVE)

    def keeps_nothing_in(self, source: str) -> bool:
        """Whether all that a source's messages decide may leave: then nobody need ask delivery by delivery."""
        standing = self.standing(source)
        return standing.mode == "live" and standing.letters == "send" and not self.only_to and not self.test_patients

    def objection(
        self, *, source: str, destination: str, recipient: str, is_letter: bool, identifiers: Iterable[Identifier]
    ) -> Objection | None:
        """What keeps a message's delivery in when it is taken: a drop, or a shadow; None when nothing does."""
        standing = self.standing(source)
        if self.test_patients and not self.test_patients.isdisjoint(identifiers):
            return _TEST_PATIENT
        if standing.mode != "live":
            return _LOADING if standing.mode == "load" else _SHADOWED
        if is_letter and standing.letters == "observe":
            return _OBSERVED
        allowed = self.only_to.get(destination)
        if allowed is not None and not allowed.admits(recipient, identifiers):
            return _NOT_ON_TEST_LIST
        return None

    def last_look(
        self, *, source: str, destination: str, recipient: str, is_letter: bool, identifiers: Iterable[Identifier]
    ) -> Objection | None:
        """What now keeps in a delivery that was decided while everything was open: a drop, or a hold; None when it may leave."""
        kept = self.objection(
            source=source, destination=destination, recipient=recipient, is_letter=is_letter, identifiers=identifiers
        )
        return None if kept is None else _SINCE[kept.rule]


def kept_in(decision: Decision, objection: Objection | None) -> Decision:
    """The decision with what keeps it in; what the rules drop by themselves stays dropped, for their own reason."""
    if objection is None or decision.outcome is Outcome.DROP:
        return decision
    would: Would | None = None
    if objection.outcome is Outcome.SHADOW:
        would = Would(outcome=decision.outcome, reason=decision.reason, rule=decision.rule, owner=decision.owner)
    return Decision(
        destination=decision.destination,
        recipient=decision.recipient,
        kind=decision.kind,
        outcome=objection.outcome,
        reason=objection.reason,
        rule=objection.rule,
        would=would,
    )


def lateness(fact: Fact, standing: Standing, now: datetime) -> Objection | None:
    """Drop the events of a fact that is older than its source's ``late_after``; None while it is news, or while all is loaded.

    A movement's time is the ward's (ZBE-2). A correction or a cancel is news when the hospital makes it (EVN-2), however old what it
    is about: who was told the first must be told that it does not hold. An identity's time is EVN-2.
    """
    if standing.late_after is None or standing.mode == "load" or isinstance(fact, ReceiptFact):
        return None
    at = fact.at if isinstance(fact, MovementFact) and fact.action is MovementAction.INSERT else fact.recorded_at
    return _LATE if now - at > standing.late_after else None


_LIVE: Final = Standing()
_LATE: Final = Objection(
    outcome=Outcome.DROP,
    reason="Le fait date de plus que le délai « late_after » de sa source : il est enregistré comme passé et ne prévient personne.",
    rule="golive.late",
)
_TEST_PATIENT: Final = Objection(
    outcome=Outcome.DROP,
    reason="Patient d'essai ([hub] test_patients) : rien ne sort jamais pour lui.",
    rule="golive.test-patient",
)
_LOADING: Final = Objection(
    outcome=Outcome.DROP,
    reason='La source est en chargement (mode = "load") : identités et séjours sont repris, rien ne sort.',
    rule="golive.loading",
)
_SHADOWED: Final = Objection(
    outcome=Outcome.SHADOW,
    reason='La source est en marche à blanc (mode = "shadow") : tout est décidé et enregistré, rien ne sort.',
    rule="golive.shadow",
)
_OBSERVED: Final = Objection(
    outcome=Outcome.SHADOW,
    reason='Les lettres de la source sont observées (letters = "observe") : son propre système les envoie, la plateforme non.',
    rule="golive.letters-observed",
)
_NOT_ON_TEST_LIST: Final = Objection(
    outcome=Outcome.SHADOW,
    reason="La destination est à l'essai (only_to) : ni ce destinataire ni ce patient ne sont sur sa liste.",
    rule="golive.not-on-test-list",
)


def _since(rule: str, reason: str) -> Objection:
    return Objection(outcome=Outcome.HOLD, reason=reason, rule=rule, owner=Owner.GCS)


#: What the last look says where the intake, of the same message, would say the rule on the left.
_SINCE: Final[Mapping[str, Objection]] = {
    _TEST_PATIENT.rule: _TEST_PATIENT,
    _LOADING.rule: _since(
        "golive.source-not-live",
        "La source n'est plus active depuis la décision : une personne décide une fois la source rétablie.",
    ),
    _SHADOWED.rule: _since(
        "golive.source-not-live",
        "La source n'est plus active depuis la décision : une personne décide une fois la source rétablie.",
    ),
    _OBSERVED.rule: _since(
        "golive.letters-observed-since",
        "Les lettres de la source ne sont plus qu'observées depuis la décision : une personne vérifie qui les envoie.",
    ),
    _NOT_ON_TEST_LIST.rule: _since(
        "golive.not-on-test-list-since",
        "La destination est passée à l'essai (only_to) depuis la décision : une personne décide une fois l'essai fini.",
    ),
}
