"""The gate of followed patients: news for a coordination platform (partage) are told of those who are enrolled, and of nobody else.

Sources: CSP L1110-4 and L1110-12 (sharing inside a care team), L6327-1 (DAC); DESIGN §3 "gates are per channel". Letters (échange)
do not look at it. An enrolment stands in the patient's own record, so that deciding asks the journal for nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import msgspec

from liaison.private import Private
from liaison.rules.decision import Objection, Outcome, Owner


class FollowList(msgspec.Struct, frozen=True, kw_only=True):
    """One list (a programme), as the configuration declares it."""

    #: Destinations that it opens; empty for every destination that a route serves for followed patients.
    opens: tuple[str, ...] = ()
    #: How far back the news of recent stays are told when somebody is enrolled; zero for not at all.
    catch_up: timedelta = timedelta(days=30)

    def leads_to(self, destination: str) -> bool:
        """Whether it opens a destination."""
        return not self.opens or destination in self.opens


class Dispute:
    """Why it is not known whom an enrolment means. Plain texts, because they are kept in records."""

    INS_LOST: Final = "ins-lost"
    TWO_PATIENTS: Final = "two-patients"
    BIRTH_DATE: Final = "birth-date"


class Followed(Private, frozen=True, kw_only=True, omit_defaults=True):
    """One enrolment, as it stands in the record of a patient."""

    list: str
    #: Blind index of the identifier by which they were enrolled; with the list it names the enrolment.
    blind: bytes
    #: Microseconds since 1970; ``until`` None for no end.
    since: int
    until: int | None = None
    #: Matricule, when they were enrolled by INS.
    ins: str = ""
    #: Whether it came to this patient by a merge: then having no INS is no contradiction, another one is.
    by_merge: bool = False
    #: False until what the journal knew was told: what comes meanwhile is told with it, in order.
    begun: bool = True
    #: One of ``Dispute``, or empty.
    dispute: str = ""


def not_followed(follows: tuple[Followed, ...], lists: Mapping[str, FollowList], *, destination: str, now: int) -> Objection | None:
    """What speaks against telling ``destination`` of a patient at ``now`` (microseconds); None when an enrolment opens it."""
    objections: list[Objection] = []
    for follow in follows:
        declared = lists.get(follow.list)
        if declared is None or not declared.leads_to(destination):
            continue
        objection = _standing(follow, now)
        if objection is None:
            return None
        objections.append(objection)
    # A dispute is what a person must know of; the others only say when.
    return next((one for one in objections if one.outcome is Outcome.HOLD), objections[0] if objections else NOT_FOLLOWED)


def opens(follow: Followed, lists: Mapping[str, FollowList], *, destination: str, now: int) -> bool:
    """Whether this enrolment alone lets ``destination`` be told, what it must catch up apart."""
    declared = lists.get(follow.list)
    return declared is not None and declared.leads_to(destination) and follow.since <= now and not _ended(follow, now)


def reviewed(follow: Followed, matricule: str | None) -> Followed:
    """The enrolment after its patient's qualified INS became ``matricule`` (None: there is none any more)."""
    if not follow.ins or follow.dispute not in ("", Dispute.INS_LOST):
        return follow
    lost = matricule != follow.ins and not (matricule is None and follow.by_merge)
    dispute = Dispute.INS_LOST if lost else ""
    return follow if dispute == follow.dispute else msgspec.structs.replace(follow, dispute=dispute)


def _standing(follow: Followed, now: int) -> Objection | None:
    if _ended(follow, now):
        return _ENDED
    if follow.since > now:
        return _NOT_STARTED
    if follow.dispute:
        return _DISPUTES.get(follow.dispute, _TWO_PATIENTS)
    return None if follow.begun else CATCHING_UP


def _ended(follow: Followed, now: int) -> bool:
    return follow.until is not None and follow.until <= now


#: Rule of a delivery that tells what was known before somebody was enrolled; the envelope says so.
CATCH_UP: Final = "gates.followed.catch-up"

NOT_FOLLOWED: Final = Objection(
    outcome=Outcome.DROP,
    reason="La route ne sert que les patients suivis, et aucune liste de suivi n'ouvre cette destination pour ce patient.",
    rule="gates.followed.not-followed",
)
CATCHING_UP: Final = Objection(
    outcome=Outcome.DROP,
    reason="Le suivi commence : cet événement est dit avec le rattrapage, dans l'ordre.",
    rule="gates.followed.catching-up",
)
_NOT_STARTED = Objection(
    outcome=Outcome.DROP, reason="Le suivi du patient n'a pas encore commencé.", rule="gates.followed.not-started"
)
_ENDED = Objection(outcome=Outcome.DROP, reason="Le suivi du patient est terminé.", rule="gates.followed.ended")
_INS_LOST = Objection(
    outcome=Outcome.HOLD,
    reason="Le patient est suivi par une INS que son identité ne porte plus : l'établissement la requalifie, ou le suivi est retiré.",
    rule="gates.followed.ins-lost",
    owner=Owner.HOSPITAL,
)
_TWO_PATIENTS = Objection(
    outcome=Outcome.HOLD,
    reason="Deux patients portent l'INS de l'inscription au suivi : retirer l'inscription et inscrire le bon patient par son IPP.",
    rule="gates.followed.two-patients",
    owner=Owner.GCS,
)
_BIRTH_DATE = Objection(
    outcome=Outcome.HOLD,
    reason="La date de naissance de l'inscription au suivi n'est pas celle du patient : corriger ou retirer l'inscription.",
    rule="gates.followed.birth-date",
    owner=Owner.GCS,
)
_DISPUTES: Final[Mapping[str, Objection]] = {
    Dispute.INS_LOST: _INS_LOST,
    Dispute.TWO_PATIENTS: _TWO_PATIENTS,
    Dispute.BIRTH_DATE: _BIRTH_DATE,
}
