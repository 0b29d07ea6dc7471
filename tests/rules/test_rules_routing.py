"""Routes: which of them take an event or a document, and what is decided for each destination."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.care.person import Ins, Professional
from liaison.private import Private
from liaison.rules.decision import Objection, Outcome, Owner
from liaison.rules.gates.identity import DOUBTFUL
from liaison.rules.routing import Route, decide_event, last_look_event, routes_for_document, routes_for_event


class Person(Private, frozen=True, kw_only=True):
    statuses: tuple[str, ...] = ()
    ins: Ins | None = None
    treating_physician: Professional | None = None
    merged_into: str = ""


PLATFORM = Route(events=("stay.*", "identity.merged"), to="platform", patients="all")
LETTERS = Route(documents=("11490-0", "11488-4"), to="promess", recipients=("named",))
DAX_ONLY = Route(events=("*",), documents=("*",), to="folder", recipients=("named",), patients="all", sources=("ch-dax",))
ROUTES = (PLATFORM, LETTERS, DAX_ONLY)


def decide(event_type: str = "stay.admitted", **changes: object) -> list[tuple[str, Outcome, str]]:
    arguments: dict[str, object] = {
        "routes": ROUTES,
        "source": "ch-mdm",
        "patient": Person(),
        "processing": "P",
        "territory": "test",
        **changes,
    }
    decisions = decide_event(event_type, **arguments)  # type: ignore[arg-type]
    assert all(decision.reason and not decision.recipient for decision in decisions)
    return [(decision.destination, decision.outcome, decision.rule) for decision in decisions]


def look(person: Person) -> Objection | None:
    return last_look_event("stay.admitted", destination="platform", routes=ROUTES, source="ch-mdm", patient=person)


@pytest.mark.parametrize(
    ("event_type", "source", "taken"),
    [
        ("stay.admitted", "ch-mdm", (PLATFORM,)),
        ("stay.admitted", "ch-dax", (PLATFORM, DAX_ONLY)),
        ("identity.merged", "ch-mdm", (PLATFORM,)),
        ("identity.updated", "ch-mdm", ()),
        ("stays.admitted", "ch-mdm", ()),
        ("stay", "ch-mdm", ()),
    ],
)
def test_events_follow_exact_types_and_families(event_type: str, source: str, taken: tuple[Route, ...]) -> None:
    assert routes_for_event(ROUTES, event_type, source) == taken


def test_documents_follow_their_type_code() -> None:
    assert routes_for_document(ROUTES, "11490-0", "ch-mdm") == (LETTERS,)
    assert routes_for_document(ROUTES, "18748-4", "ch-mdm") == ()
    assert routes_for_document(ROUTES, "18748-4", "ch-dax") == (DAX_ONLY,)


def test_an_event_is_delivered_where_its_route_leads() -> None:
    assert decide() == [("platform", Outcome.DELIVER, "routing.route")]


def test_a_route_for_followed_patients_drops_while_nobody_is_followed() -> None:
    assert decide(routes=(Route(events=("*",), to="platform"),)) == [("platform", Outcome.DROP, "gates.followed.not-followed")]


def test_two_routes_to_one_destination_make_one_decision_the_wider() -> None:
    narrow = Route(events=("*",), to="platform")
    wide = Route(events=("stay.*",), to="platform", patients="all")
    for routes in ((narrow, wide), (wide, narrow), (wide, wide)):
        assert decide(routes=routes) == [("platform", Outcome.DELIVER, "routing.route")]


@pytest.mark.parametrize("code", sorted(DOUBTFUL))
def test_events_of_a_doubtful_identity_are_held_for_the_hospital(code: str) -> None:
    person = Person(statuses=("VALI", code))
    assert decide(patient=person) == [("platform", Outcome.HOLD, "gates.identity.doubtful")]
    objection = look(person)
    assert objection is not None and objection.owner is Owner.HOSPITAL and code in objection.reason


@pytest.mark.parametrize("statuses", [(), ("VALI",), ("PROV",), ("VALI", "HOMA"), ("VIDE",)])
def test_other_statuses_hold_nothing(statuses: tuple[str, ...]) -> None:
    assert decide(patient=Person(statuses=statuses))[0][1] is Outcome.DELIVER
    assert look(Person(statuses=statuses)) is None


@pytest.mark.parametrize("processing", ["T", "D"])
def test_a_test_message_never_leaves_in_production_and_does_in_test(processing: str) -> None:
    assert decide(processing=processing, territory="production") == [("platform", Outcome.DROP, "routing.test-message")]
    assert decide(processing=processing) == [("platform", Outcome.DELIVER, "routing.route")]


@pytest.mark.parametrize("processing", ["X", "", "Q"])
def test_what_msh_11_does_not_know_waits_for_the_hospital_in_production(processing: str) -> None:
    assert decide(processing=processing, territory="production") == [("platform", Outcome.HOLD, "routing.processing-unknown")]
    assert decide(processing=processing) == [("platform", Outcome.DELIVER, "routing.route")]


LATE = Objection(outcome=Outcome.DROP, reason="Trop tard.", rule="golive.late")


def test_what_is_late_rings_nobody_but_whom_it_is_told_to_on_purpose() -> None:
    state_keeper = Route(events=("stay.*",), to="dossier", patients="all", late=True)
    assert decide(routes=(PLATFORM, state_keeper), late=LATE) == [
        ("platform", Outcome.DROP, "golive.late"),
        ("dossier", Outcome.DELIVER, "routing.route"),
    ]
    assert decide(routes=(PLATFORM, state_keeper)) == [
        ("platform", Outcome.DELIVER, "routing.route"),
        ("dossier", Outcome.DELIVER, "routing.route"),
    ]


def test_of_two_routes_to_one_destination_the_one_that_takes_what_is_late_decides() -> None:
    rings, keeps = (
        Route(events=("*",), to="platform", patients="all"),
        Route(events=("stay.*",), to="platform", patients="all", late=True),
    )
    for routes in ((rings, keeps), (keeps, rings)):
        assert decide(routes=routes, late=LATE) == [("platform", Outcome.DELIVER, "routing.route")]
    assert decide("identity.updated", routes=(rings, keeps), late=LATE) == [("platform", Outcome.DROP, "golive.late")]


names = st.sampled_from(["stay", "identity", "document"])
verbs = st.sampled_from(["admitted", "created", "published"])
patterns = st.one_of(
    st.just("*"), names.map(lambda name: f"{name}.*"), st.tuples(names, verbs).map(lambda parts: f"{parts[0]}.{parts[1]}")
)
some_routes = st.lists(
    st.builds(
        Route,
        events=st.lists(patterns, max_size=3).map(tuple),
        to=st.sampled_from(["a", "b"]),
        patients=st.sampled_from(["followed", "all"]),
        sources=st.lists(st.sampled_from(["x", "y"]), max_size=2).map(tuple),
    ),
    max_size=6,
).map(tuple)


@given(some_routes, names, verbs, st.sampled_from(["x", "y"]))
def test_routing_agrees_with_its_definition(routes: tuple[Route, ...], name: str, verb: str, source: str) -> None:
    expected = tuple(
        route
        for route in routes
        if (not route.sources or source in route.sources) and {"*", f"{name}.*", f"{name}.{verb}"} & set(route.events)
    )
    assert routes_for_event(routes, f"{name}.{verb}", source) == expected
    decisions = decide_event(f"{name}.{verb}", routes=routes, source=source, patient=Person(), processing="P", territory="test")
    assert [decision.destination for decision in decisions] == list(dict.fromkeys(route.to for route in expected))
    for decision in decisions:
        wide = any(route.patients == "all" for route in expected if route.to == decision.destination)
        assert (decision.outcome is Outcome.DELIVER) == wide
