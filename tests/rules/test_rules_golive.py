"""Going live: what keeps a decision in, whatever the rules decided."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from liaison.care.facts import IdentityFact, MovementAction
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.rules.decision import Decision, Outcome, Owner
from liaison.rules.golive import AllowList, GoingLive, Mode, Standing, kept_in, lateness
from tests.hub.people import NOW, identity, ipp, letter, movement

TEST_BOX, REAL_BOX = "essai@na.mssante.fr", "gp@na.mssante.fr"
MARIE, OTHER = ipp("1"), ipp("2")
LIST = AllowList(addresses=frozenset({TEST_BOX}), patients=frozenset({MARIE}))


def rule(
    going_live: GoingLive,
    *,
    source: str = "ch",
    destination: str = "promess",
    recipient: str = REAL_BOX,
    is_letter: bool = True,
    who: Identifier = OTHER,
) -> str:
    objection = going_live.objection(
        source=source, destination=destination, recipient=recipient, is_letter=is_letter, identifiers=(who,)
    )
    return "" if objection is None else objection.rule


@pytest.mark.parametrize(("mode", "kept"), [("live", ""), ("load", "golive.loading"), ("shadow", "golive.shadow")])
def test_only_a_live_source_lets_anything_leave(mode: Mode, kept: str) -> None:
    going_live = GoingLive(sources={"ch": Standing(mode=mode)})
    assert rule(going_live) == rule(going_live, is_letter=False, recipient="") == kept
    assert rule(going_live, source="autre") == ""


def test_observed_letters_stay_in_and_events_do_not() -> None:
    going_live = GoingLive(sources={"ch": Standing(letters="observe")})
    assert (rule(going_live), rule(going_live, is_letter=False)) == ("golive.letters-observed", "")


@pytest.mark.parametrize(
    ("destination", "recipient", "who", "kept"),
    [
        ("promess", TEST_BOX, OTHER, ""),
        ("promess", TEST_BOX.upper(), OTHER, ""),
        ("promess", REAL_BOX, MARIE, ""),
        ("promess", "", MARIE, ""),
        ("promess", REAL_BOX, OTHER, "golive.not-on-test-list"),
        ("promess", "", OTHER, "golive.not-on-test-list"),
        ("promess", REAL_BOX, replace(MARIE, kind=IdentifierKind.VISIT), "golive.not-on-test-list"),
        ("platform", REAL_BOX, OTHER, ""),
    ],
)
def test_a_destination_under_test_gets_its_list_only(destination: str, recipient: str, who: Identifier, kept: str) -> None:
    assert rule(GoingLive(only_to={"promess": LIST}), destination=destination, recipient=recipient, who=who) == kept


@pytest.mark.parametrize("mode", ["live", "load", "shadow"])
def test_for_a_test_patient_nothing_leaves_in_any_mode_nor_to_a_test_destination(mode: Mode) -> None:
    going_live = GoingLive(sources={"ch": Standing(mode=mode)}, only_to={"promess": LIST}, test_patients=frozenset({MARIE}))
    assert rule(going_live, who=MARIE, recipient=TEST_BOX) == "golive.test-patient"


@pytest.mark.parametrize(
    ("going_live", "since", "outcome"),
    [
        (GoingLive(sources={"ch": Standing(mode="shadow")}), "golive.source-not-live", Outcome.HOLD),
        (GoingLive(sources={"ch": Standing(mode="load")}), "golive.source-not-live", Outcome.HOLD),
        (GoingLive(sources={"ch": Standing(letters="observe")}), "golive.letters-observed-since", Outcome.HOLD),
        (GoingLive(only_to={"promess": LIST}), "golive.not-on-test-list-since", Outcome.HOLD),
        (GoingLive(test_patients=frozenset({OTHER})), "golive.test-patient", Outcome.DROP),
    ],
)
def test_what_has_not_left_when_its_source_goes_back_waits_for_the_gcs(going_live: GoingLive, since: str, outcome: Outcome) -> None:
    objection = going_live.last_look(source="ch", destination="promess", recipient=REAL_BOX, is_letter=True, identifiers=(OTHER,))
    assert objection is not None and (objection.rule, objection.outcome) == (since, outcome)
    assert objection.owner is (Owner.GCS if outcome is Outcome.HOLD else Owner.NOBODY)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_what_is_kept_in_still_says_what_it_would_have_been(outcome: Outcome) -> None:
    decision = Decision(
        destination="promess",
        recipient=REAL_BOX,
        kind="named",
        outcome=outcome,
        reason="Parce que.",
        rule="a.rule",
        owner=Owner.GCS,
    )
    shadow = GoingLive(sources={"ch": Standing(mode="shadow")}).objection(
        source="ch", destination="promess", recipient=REAL_BOX, is_letter=True, identifiers=()
    )
    kept = kept_in(decision, shadow)
    assert (kept.destination, kept.recipient, kept.kind) == ("promess", REAL_BOX, "named")
    if outcome is Outcome.DROP:
        assert kept == decision
    else:
        assert (kept.outcome, kept.rule, kept.owner) == (Outcome.SHADOW, "golive.shadow", Owner.NOBODY)
        assert kept.would is not None
        assert (kept.would.outcome, kept.would.reason, kept.would.rule, kept.would.owner) == (
            outcome,
            "Parce que.",
            "a.rule",
            Owner.GCS,
        )
    assert kept_in(decision, None) == decision


def test_what_is_loaded_is_dropped_whatever_it_was() -> None:
    loading = GoingLive(sources={"ch": Standing(mode="load")}).objection(
        source="ch", destination="promess", recipient="", is_letter=False, identifiers=()
    )
    held = Decision(destination="promess", outcome=Outcome.HOLD, reason="Doute.", rule="a.rule", owner=Owner.GCS)
    kept = kept_in(held, loading)
    assert (kept.outcome, kept.rule, kept.owner, kept.would) == (Outcome.DROP, "golive.loading", Owner.NOBODY, None)


DAY = Standing(late_after=timedelta(hours=24))


def aged(hours: float) -> datetime:
    """A clock that shows so many hours after NOW."""
    return NOW + timedelta(hours=hours)


def test_a_fact_is_late_from_its_delay_on_and_never_without_one() -> None:
    fact = identity("1")
    assert lateness(fact, DAY, aged(24)) is None
    late = lateness(fact, DAY, aged(24) + timedelta(microseconds=1))
    assert late is not None and (late.outcome, late.rule) == (Outcome.DROP, "golive.late")
    assert lateness(fact, Standing(), datetime(2126, 1, 1, tzinfo=UTC)) is None
    assert lateness(fact, Standing(mode="load", late_after=timedelta(seconds=1)), aged(9_000)) is None


def test_a_movement_is_as_old_as_it_is_in_the_ward() -> None:
    typed_late = replace(movement("1", "V1"), at=NOW, recorded_at=aged(30))
    assert lateness(typed_late, DAY, aged(30)) is not None


@pytest.mark.parametrize("action", [MovementAction.CANCEL, MovementAction.UPDATE])
def test_a_cancel_or_a_correction_is_news_however_old_what_it_is_about(action: MovementAction) -> None:
    about_last_week = replace(movement("1", "V1", action=action), at=NOW, recorded_at=aged(168))
    assert lateness(about_last_week, DAY, aged(169)) is None
    assert lateness(about_last_week, DAY, aged(193)) is not None


def test_a_letter_is_as_old_as_its_sending() -> None:
    fact = letter("1", "D1")
    assert lateness(replace(fact, created_at=NOW - timedelta(days=9)), DAY, aged(1)) is None
    assert lateness(fact, DAY, aged(25)) is not None


def test_what_comes_from_the_future_is_not_late() -> None:
    fact: IdentityFact = identity("1", minutes=60 * 24 * 400)
    assert lateness(fact, DAY, NOW) is None
