"""Going live on a real journal: what a source that is not live leaves behind, and what becomes of it later."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from liaison.care.facts import DocumentAction, MovementAction
from liaison.hub.claims import Claimed, NotNow
from liaison.hub.contracts import Delivered
from liaison.hub.engine import intake
from liaison.hub.explain import Explainer
from liaison.hub.intake import Taken
from liaison.hub.journal.records import Key
from liaison.hub.journal.view import Moment, View
from liaison.hub.last_look import PolicyLastLook
from liaison.hub.policy import Policy
from liaison.rules.decision import Outcome
from liaison.rules.golive import AllowList, GoingLive, Mode, Standing
from liaison.rules.routing import Route
from tests.hub.bench import ROUTES, Bench, faults_of_lanes, patient_of, policy
from tests.hub.people import GP, OTHER_GP, SOURCE, admission, identity, ipp, letter, movement, reading, transfer


def standing(mode: Mode = "live", **changes: object) -> Policy:
    """The bench's policy with its source so far on its way."""
    return replace(policy(), going_live=GoingLive(sources={SOURCE: Standing(mode=mode, **changes)}))  # type: ignore[arg-type]


def use(bench: Bench, chosen: Policy) -> None:
    """Go on under another configuration, as after a restart."""
    bench.policy, bench.last_look = chosen, PolicyLastLook(chosen)


def told(taken: Taken) -> list[tuple[str, str, str]]:
    """Destination, outcome and rule of each decision; of what is shadowed, what it would have been."""
    return [
        (one.decision.destination, str(one.decision.outcome), one.decision.would.rule if one.decision.would else one.decision.rule)
        for one in taken.decisions
    ]


async def test_a_shadow_is_decided_and_recorded_and_is_nowhere_on_its_way(bench: Bench) -> None:
    use(bench, standing("shadow"))
    taken = await bench.take(reading(*admission("1", "V1"), letter("1", "D1")))
    assert told(taken) == [
        ("platform", "shadow", "routing.route"),
        ("platform", "shadow", "routing.route"),
        ("platform", "shadow", "routing.route"),
        ("mail", "shadow", "gates.identity.no-ins-derogation"),
    ]
    assert bench.works() == [(None, "shadowed")] * 3 and bench.works("mail") == [(None, "shadowed")]
    assert bench.rows("SELECT * FROM lane") == [] and taken.wake == ()
    assert bench.rows("SELECT DISTINCT rule FROM delivery ORDER BY 1") == [
        ("gates.identity.no-ins-derogation",),
        ("routing.route",),
    ]
    assert bench.rows("SELECT mode FROM message") == [("shadow",)]
    assert bench.journal.reader.counts().events == 3
    assert await bench.claim(patient_of(taken)) == NotNow() == await bench.claim(patient_of(taken), "mail")


async def test_nobody_waits_for_what_would_have_been_held(bench: Bench) -> None:
    use(bench, standing("shadow"))
    taken = await bench.take(reading(identity("1", statuses=("DOUT",)), letter("1", "D1", same_patient=False)))
    assert [outcome for _, outcome, _ in told(taken)] == ["shadow", "shadow", "shadow"]
    assert {one.decision.would.outcome for one in taken.decisions if one.decision.would} == {Outcome.HOLD}
    assert bench.rows("SELECT * FROM hold") == []


async def test_a_load_fills_the_state_and_makes_no_delivery(bench: Bench) -> None:
    use(bench, standing("load"))
    taken = await bench.take(reading(*admission("1", "V1"), letter("1", "D1")))
    assert {outcome for _, outcome, _ in told(taken)} == {"drop"} and {rule for *_, rule in told(taken)} == {"golive.loading"}
    assert bench.rows("SELECT * FROM delivery") == bench.rows("SELECT * FROM hold") == bench.rows("SELECT * FROM lane") == []
    counts = bench.journal.reader.counts()
    assert (counts.patients, counts.stays, counts.documents, counts.events) == (1, 1, 1, 3)
    assert all(event.historic for event in taken.events)
    assert bench.rows("SELECT mode FROM message") == [("load",)]


async def test_once_live_the_patient_is_known_and_an_undo_names_what_was_loaded(bench: Bench) -> None:
    use(bench, standing("load"))
    loaded = await bench.take(reading(*admission("1", "V1")))
    use(bench, standing())
    taken = await bench.take(reading(identity("1"), movement("1", "V1", action=MovementAction.CANCEL)))
    assert patient_of(taken) == patient_of(loaded)
    assert [(event.type, event.undoes) for event in taken.events] == [("stay.cancelled", loaded.events[1].id)]
    assert bench.works() == [(1, "pending")]
    assert bench.rows("SELECT mode FROM message ORDER BY id") == [("load",), (None,)]


async def test_a_shadowed_letter_counts_as_given_in_shadow_only(bench: Bench) -> None:
    use(bench, standing("shadow"))
    await bench.take(reading(identity("1"), letter("1", "D1", GP)))
    again = await bench.take(reading(identity("1"), letter("1", "D1", GP, OTHER_GP, minutes=1)))
    assert told(again) == [("mail", "drop", "letters.already-given"), ("mail", "shadow", "gates.identity.no-ins-derogation")]
    use(bench, standing())
    live = await bench.take(reading(identity("1"), letter("1", "D1", GP, minutes=2)))
    assert told(live) == [("mail", "deliver", "gates.identity.no-ins-derogation")]
    assert bench.works("mail")[-1] == (1, "pending")
    use(bench, standing("shadow"))
    back = await bench.take(reading(identity("1"), letter("1", "D1", GP, minutes=3)))
    assert told(back) == [("mail", "drop", "letters.already-given")]


async def test_a_replacement_names_no_mail_that_never_left(bench: Bench) -> None:
    use(bench, standing("shadow"))
    await bench.take(reading(identity("1"), letter("1", "D1")))
    use(bench, standing())
    second = letter("1", "D2", action=DocumentAction.REPLACE, replaces="D1", set_id="D1", version=2, body=b"second", minutes=1)
    await bench.take(reading(identity("1"), second))
    assert bench.rows("SELECT work, previous FROM delivery WHERE destination = 'mail' ORDER BY id") == [
        ("shadowed", None),
        ("pending", None),
    ]


async def test_observed_letters_stay_in_while_events_leave(bench: Bench) -> None:
    use(bench, standing(letters="observe"))
    await bench.take(reading(identity("1"), letter("1", "D1")))
    assert bench.works() == [(1, "pending"), (2, "pending")] and bench.works("mail") == [(None, "shadowed")]


@pytest.mark.parametrize("mode", ["shadow", "load"])
async def test_what_has_not_left_when_the_source_goes_back_is_held_and_stays_so(bench: Bench, mode: Mode) -> None:
    use(bench, standing())
    taken = await bench.take(reading(*admission("1", "V1"), letter("1", "D1")))
    await bench.settle(await bench.claimed(patient_of(taken)), Delivered())
    use(bench, standing(mode))
    for _ in range(2):
        assert isinstance(await bench.claim(patient_of(taken)), NotNow)
    assert isinstance(await bench.claim(patient_of(taken), "mail"), NotNow)
    assert bench.works() == [(1, "submitted"), (2, "held"), (3, "held")] and bench.works("mail") == [(1, "held")]
    assert bench.rows("SELECT DISTINCT owner, rule FROM hold") == [("gcs", "golive.source-not-live")]
    use(bench, standing())
    later = await bench.take(reading(*transfer("1", "V1", 2)))
    assert (await bench.claimed(patient_of(later))).lane_seq == 4
    assert faults_of_lanes(bench.path) == []


async def test_letters_observed_since_the_decision_are_held_and_events_are_not(bench: Bench) -> None:
    taken = await bench.take(reading(identity("1"), letter("1", "D1")))
    use(bench, standing(letters="observe"))
    assert isinstance(await bench.claim(patient_of(taken), "mail"), NotNow)
    assert bench.rows("SELECT rule FROM hold") == [("golive.letters-observed-since",)]
    assert isinstance(await bench.claim(patient_of(taken)), Claimed)


async def test_a_destination_under_test_takes_its_list_and_shadows_the_rest(bench: Bench) -> None:
    only_to = {"mail": AllowList(addresses=frozenset({OTHER_GP})), "platform": AllowList(patients=frozenset({ipp("2")}))}
    use(bench, replace(policy(), going_live=GoingLive(only_to=only_to)))
    await bench.take(reading(identity("1"), letter("1", "D1", GP, OTHER_GP)))
    assert bench.works("mail") == [(None, "shadowed"), (1, "pending")]
    assert bench.works() == [(None, "shadowed")] * 2
    await bench.take(reading(identity("2")))
    assert bench.works()[-1] == (1, "pending")


async def test_a_test_patient_gives_nothing_to_anybody(bench: Bench) -> None:
    use(bench, replace(policy(), going_live=GoingLive(test_patients=frozenset({ipp("1")}))))
    taken = await bench.take(reading(*admission("1", "V1"), letter("1", "D1")))
    assert {rule for *_, rule in told(taken)} == {"golive.test-patient"}
    assert bench.rows("SELECT * FROM delivery") == []


async def test_a_patient_who_becomes_one_of_the_tests_is_stopped_at_the_last_look(bench: Bench) -> None:
    taken = await bench.take(reading(identity("1")))
    use(bench, replace(policy(), going_live=GoingLive(test_patients=frozenset({ipp("1")}))))
    assert isinstance(await bench.claim(patient_of(taken)), NotNow)
    assert bench.works() == [(1, "cancelled")] and bench.rows("SELECT * FROM hold") == []


async def test_a_catch_up_changes_the_state_and_rings_no_one_but_its_letters_leave(bench: Bench) -> None:
    state_keeper = Route(events=("stay.*",), to="dossier", patients="all", late=True)
    caught_up = replace(
        policy(*ROUTES, state_keeper), going_live=GoingLive(sources={SOURCE: Standing(late_after=timedelta(hours=24))})
    )
    use(bench, caught_up)
    bench.clock.move(48 * 3_600)
    taken = await bench.take(reading(*admission("1", "V1"), letter("1", "D1")))
    assert told(taken) == [
        ("platform", "drop", "golive.late"),
        ("platform", "drop", "golive.late"),
        ("dossier", "deliver", "routing.route"),
        ("platform", "drop", "golive.late"),
        ("mail", "deliver", "gates.identity.no-ins-derogation"),
    ]
    assert all(event.historic for event in taken.events)
    assert (bench.works("dossier"), bench.works("mail"), bench.works()) == ([(1, "pending")], [(1, "pending")], [])
    counts = bench.journal.reader.counts()
    assert (counts.events, counts.stays) == (3, 1)
    now = reading(identity("1", minutes=48 * 60), replace(movement("1", "V1", trigger="A02", order=2), at=bench.clock.now))
    fresh = await bench.take(now)
    assert told(fresh) == [("platform", "deliver", "routing.route"), ("dossier", "deliver", "routing.route")]
    assert not fresh.events[0].historic


async def test_explain_tells_the_decisions_that_the_hub_itself_comes_to(bench: Bench) -> None:
    going_live = GoingLive(
        sources={SOURCE: Standing(mode="shadow", late_after=timedelta(hours=24))}, test_patients=frozenset({ipp("2")})
    )
    use(bench, replace(policy(), going_live=going_live))
    explainer = Explainer(bench.policy, bench.clock.now)
    messages = [
        reading(*admission("1", "V1"), letter("1", "D1")),
        reading(identity("2"), letter("2", "D2")),
        reading(identity("1", statuses=("DOUT",), minutes=1)),
        reading(identity("1", minutes=-1_500)),
    ]
    for message in messages:
        taken = await bench.take(message)
        explained = explainer.explain(message).as_json()["decisions"]
        assert [(one["destination"], one["outcome"], one["rule"], one["reason"]) for one in explained] == [
            (one.decision.destination, one.decision.outcome, one.decision.rule, one.decision.reason) for one in taken.decisions
        ]
        assert [one["would"]["rule"] for one in explained if "would" in one] == [
            one.decision.would.rule for one in taken.decisions if one.decision.would
        ]


async def test_a_file_out_of_a_drawer_is_explained_as_if_it_had_come_in_time(bench: Bench) -> None:
    use(bench, standing(late_after=timedelta(hours=24)))
    later = bench.clock.now + timedelta(days=400)
    explained = Explainer(bench.policy, later).explain(reading(identity("1"))).taken
    assert told(explained) == [("platform", "deliver", "routing.route")]
    typed_late = reading(
        identity("1", minutes=3_000), replace(movement("1", "V1"), recorded_at=bench.clock.now + timedelta(hours=50))
    )
    assert told(Explainer(bench.policy, later).explain(typed_late).taken)[-1] == ("platform", "drop", "golive.late")


async def test_a_live_source_asks_and_writes_what_it_did_before(bench: Bench) -> None:
    message = reading(*admission("1", "V1"))
    asked: list[list[Key]] = []
    wrote: list[list[str]] = []
    for chosen in (policy(), standing(late_after=timedelta(hours=24)), standing("shadow")):
        command, view = intake(message, chosen, bench.vault), View()
        asked.append([])
        while missing := view.missing(command.needs(view)):
            asked[-1] += sorted(missing, key=repr)
            for key in missing:
                view.load(key, None)
        _, records = command.decide(view, Moment(bench.clock.now, 0))
        wrote.append([type(record).__name__ for record in records])
    assert asked[0] == asked[1] == asked[2]
    assert wrote[0] == wrote[1]
    assert wrote[2] == [name for name in wrote[0] if name != "LaneRecord"]
