"""The gate of followed patients: whom an enrolment lets a destination be told of, and whom not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from liaison.care.person import Ins, Professional
from liaison.private import Private
from liaison.rules.decision import Outcome, Owner
from liaison.rules.gates.followed import Dispute, Followed, FollowList, not_followed, reviewed
from liaison.rules.routing import Route, decide_event, last_look_event

NOW = 1_000_000
LISTS = {"pta": FollowList(opens=("platform",)), "icope": FollowList(opens=("other",)), "all": FollowList(catch_up=timedelta())}
PTA = Followed(list="pta", blind=b"1", since=0)


class Person(Private, frozen=True, kw_only=True):
    statuses: tuple[str, ...] = ()
    ins: Ins | None = None
    treating_physician: Professional | None = None
    merged_into: str = ""


def says(*follows: Followed, destination: str = "platform") -> tuple[str, str]:
    objection = not_followed(follows, LISTS, destination=destination, now=NOW)
    return ("", "") if objection is None else (str(objection.outcome), objection.rule.removeprefix("gates.followed."))


@pytest.mark.parametrize(
    ("follow", "outcome", "rule"),
    [
        (PTA, "", ""),
        (replace(PTA, list="all"), "", ""),
        (replace(PTA, list="icope"), "drop", "not-followed"),
        (replace(PTA, list="gone-from-the-configuration"), "drop", "not-followed"),
        (replace(PTA, since=NOW + 1), "drop", "not-started"),
        (replace(PTA, since=NOW), "", ""),
        (replace(PTA, until=NOW), "drop", "ended"),
        (replace(PTA, until=NOW + 1), "", ""),
        (replace(PTA, begun=False), "drop", "catching-up"),
        (replace(PTA, dispute=Dispute.TWO_PATIENTS), "hold", "two-patients"),
        (replace(PTA, dispute=Dispute.INS_LOST), "hold", "ins-lost"),
        (replace(PTA, dispute=Dispute.BIRTH_DATE), "hold", "birth-date"),
        (replace(PTA, dispute=Dispute.TWO_PATIENTS, begun=False), "hold", "two-patients"),
        (replace(PTA, dispute=Dispute.TWO_PATIENTS, until=1), "drop", "ended"),
    ],
)
def test_one_enrolment(follow: Followed, outcome: str, rule: str) -> None:
    assert says(follow) == (outcome, rule)


def test_nobody_is_followed_by_nothing() -> None:
    assert says() == ("drop", "not-followed")


def test_one_enrolment_that_opens_is_enough_and_a_doubt_is_told_before_the_rest() -> None:
    doubt = replace(PTA, dispute=Dispute.INS_LOST, blind=b"2")
    assert says(doubt, replace(PTA, until=1, blind=b"3"), PTA) == ("", "")
    assert says(replace(PTA, until=1, blind=b"3"), doubt) == ("hold", "ins-lost")


def test_a_lost_ins_is_for_the_hospital_and_two_patients_are_for_the_gcs() -> None:
    owners = {
        dispute: not_followed((replace(PTA, dispute=dispute),), LISTS, destination="platform", now=NOW)
        for dispute in (Dispute.INS_LOST, Dispute.TWO_PATIENTS, Dispute.BIRTH_DATE)
    }
    assert [objection.owner for objection in owners.values() if objection] == [Owner.HOSPITAL, Owner.GCS, Owner.GCS]


@pytest.mark.parametrize(
    ("ins", "by_merge", "has", "dispute"),
    [
        ("", False, None, ""),
        ("1", False, "1", ""),
        ("1", False, None, Dispute.INS_LOST),
        ("1", False, "2", Dispute.INS_LOST),
        ("1", True, None, ""),
        ("1", True, "2", Dispute.INS_LOST),
    ],
)
def test_an_enrolment_by_ins_holds_as_long_as_the_identity_bears_it(
    ins: str, by_merge: bool, has: str | None, dispute: str
) -> None:
    follow = replace(PTA, ins=ins, by_merge=by_merge)
    assert reviewed(follow, has).dispute == dispute
    assert reviewed(replace(follow, dispute=dispute), ins or None).dispute == "", "what comes back ends the doubt"


def test_a_doubt_about_two_patients_does_not_end_by_itself() -> None:
    disputed = replace(PTA, ins="1", dispute=Dispute.TWO_PATIENTS)
    assert reviewed(disputed, "1") == disputed


names = st.sampled_from(["pta", "icope", "all", "gone"])
enrolments = st.lists(
    st.builds(
        Followed,
        list=names,
        blind=st.binary(min_size=1, max_size=1),
        since=st.integers(0, 2 * NOW),
        until=st.none() | st.integers(0, 2 * NOW),
        begun=st.booleans(),
        dispute=st.sampled_from(["", Dispute.INS_LOST, Dispute.TWO_PATIENTS]),
    ),
    max_size=4,
).map(tuple)
ROUTES = (
    Route(events=("*",), to="platform"),
    Route(events=("stay.*",), to="other"),
    Route(events=("*",), to="wide", patients="all"),
)


@given(enrolments, st.sampled_from(["stay.admitted", "identity.created"]), st.integers(0, 2 * NOW))
def test_intake_and_last_look_agree_and_nothing_is_told_without_an_enrolment(
    follows: tuple[Followed, ...], event_type: str, now: int
) -> None:
    decisions = decide_event(
        event_type,
        routes=ROUTES,
        source="ch",
        patient=Person(),
        processing="P",
        territory="production",
        follows=follows,
        lists=LISTS,
        now=now,
    )
    for decision in decisions:
        opened = decision.destination == "wide" or any(
            LISTS[one.list].leads_to(decision.destination)
            and one.since <= now
            and (one.until is None or now < one.until)
            and one.begun
            and not one.dispute
            for one in follows
            if one.list in LISTS
        )
        assert (decision.outcome is Outcome.DELIVER) == opened
        again = last_look_event(
            event_type,
            destination=decision.destination,
            routes=ROUTES,
            source="ch",
            patient=Person(),
            follows=follows,
            lists=LISTS,
            now=now,
        )
        assert (again is None) == opened
        if again is not None:
            assert (again.outcome, again.rule) == (decision.outcome, decision.rule)
