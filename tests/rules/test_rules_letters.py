"""What routes and the last look make of a letter, and what never leaves whatever comes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.care.facts import Addressee, DocumentAction, DocumentFact, DocumentFlags
from liaison.care.patient import Patient
from liaison.care.person import Ins, Professional
from liaison.care.units import Unit
from liaison.rules.decision import Decision, Objection, Outcome, Owner
from liaison.rules.gates.identity import DEROGATION, DOUBTFUL
from liaison.rules.letters import decide_letter, last_look_letter, letter_waits
from liaison.rules.routing import Route
from tests.rules.letters import (
    GP,
    INS,
    MATRICULE,
    NOW,
    OTHER_GP,
    OTHER_INS,
    PATIENT_ADDRESS,
    TWO_BOXES,
    UNKNOWN_GP,
    decide,
    letter,
    named,
    only,
    patient,
    rules,
)


def test_a_sensitive_units_letter_is_held_unless_a_route_takes_it_on_purpose() -> None:
    units = {"ch": {"7100": Unit(code="7100", sensitive=True), "7200": Unit(code="7200")}}
    sensitive, ordinary = letter(named("gp@medecin.test", GP), unit="7100"), letter(named("gp@medecin.test", GP), unit="7200")
    how = rules("named", units=units)
    assert only(ordinary, how=how).outcome is Outcome.DELIVER
    assert (only(sensitive, how=how).rule, only(sensitive, how=how).owner) == ("letters.sensitive-unit", Owner.HOSPITAL)
    on_purpose = Route(documents=("*",), to="protege", recipients=("named",), sensitive=True)
    open_too = msgspec.structs.replace(how, routes=(*how.routes, on_purpose))
    assert (only(sensitive, how=open_too).destination, only(sensitive, how=open_too).outcome) == ("protege", Outcome.DELIVER)


def test_a_route_of_some_units_takes_their_letters_only() -> None:
    how = rules(routes=(Route(documents=("*",), to="promess", recipients=("named",), units=("7200",)),))
    assert decide(letter(named("gp@medecin.test", GP), unit="7100"), how=how) == ()
    assert only(letter(named("gp@medecin.test", GP), unit="7200"), how=how).outcome is Outcome.DELIVER


def test_a_letter_waits_as_long_as_the_most_patient_route_to_a_destination_says_and_a_withdrawal_not_at_all() -> None:
    routes = tuple(Route(documents=("*",), to="promess", recipients=("named",), wait=wait) for wait in ("10m", "90s", ""))
    assert letter_waits(letter(), rules=rules(routes=routes), source="ch") == {"promess": 600.0}
    assert letter_waits(letter(action=DocumentAction.WITHDRAW), rules=rules(routes=routes), source="ch") == {}


@pytest.mark.parametrize("wait", ["10", "m", "-1m", "25h", "1.5h", "10m\n", "١m"])
def test_a_wait_that_is_none_is_refused(wait: str) -> None:
    with pytest.raises(ValueError, match="wait"):
        _ = Route(documents=("*",), to="promess", wait=wait).wait_seconds


def test_a_letter_that_no_route_takes_has_no_decision() -> None:
    assert decide(letter(named("gp@medecin.test", GP), type_code="18748-4")) == ()


def test_two_destinations_do_not_serve_one_address_twice() -> None:
    routes = tuple(Route(documents=("*",), to=to, recipients=("named",)) for to in ("promess", "copie"))
    assert [decision.destination for decision in decide(letter(named("gp@medecin.test", GP)), how=rules(routes=routes))] == [
        "promess"
    ]


def test_a_test_message_is_dropped_in_production() -> None:
    how = rules(territory="production")
    decided = decide_letter(letter(named("gp@medecin.test", GP)), rules=how, source="ch", patient=patient(), processing="T")
    assert [(decision.outcome, decision.rule) for decision in decided.decisions] == [(Outcome.DROP, "routing.test-message")]


def look_again(
    decision: Decision, document: DocumentFact, who: Patient, *, withdrawn: bool = False, replaced: bool = False
) -> Objection | None:
    return last_look_letter(
        document,
        destination=decision.destination,
        recipient=decision.recipient,
        had_ins=decision.rule != DEROGATION,
        rules=rules(),
        source="ch",
        patient=who,
        withdrawn=withdrawn,
        replaced=replaced,
    )


def look(document: DocumentFact, before: Patient, after: Patient, *, withdrawn: bool = False, replaced: bool = False) -> str:
    decision = only(document, before)
    assert decision.outcome is Outcome.DELIVER
    objection = look_again(decision, document, after, withdrawn=withdrawn, replaced=replaced)
    return f"{objection.outcome} {objection.rule}" if objection else "leaves"


def test_the_last_look_sees_what_came_since() -> None:
    document, before = letter(named("gp@medecin.test", GP)), patient()
    assert look(document, before, before) == "leaves"
    assert look(document, before, patient(statuses=("VALI", "DOUT"))) == "hold gates.identity.doubtful"
    assert look(document, before, patient(merged_into="p2")) == "hold gates.identity.merged"
    assert look(document, before, patient(ins=None, statuses=("PROV",))) == "hold gates.identity.ins-lost"
    assert look(document, patient(ins=None), patient(ins=None)) == "leaves"
    assert look(document, patient(ins=None), patient()) == "leaves"
    assert look(document, before, before, withdrawn=True) == "drop letters.withdrawn"
    assert look(document, before, before, replaced=True) == "drop letters.replaced"


def test_the_notice_of_a_withdrawal_is_not_stopped_by_the_withdrawal() -> None:
    notice = letter(named("gp@medecin.test", GP), action=DocumentAction.WITHDRAW)
    assert look(notice, patient(), patient(), withdrawn=True) == "leaves"


def test_the_last_look_holds_a_letter_for_somebody_who_is_no_longer_the_treating_physician() -> None:
    before = patient(treating_physician=Professional(rpps=GP))
    after = patient(treating_physician=Professional(rpps=OTHER_GP))
    assert look(letter(), before, after) == "hold recipient.changed"


def test_reasons_name_nobody() -> None:
    who = patient(treating_physician=Professional(rpps=GP))
    documents = (
        letter(named("gp@medecin.test", OTHER_GP), named("bad address", GP), Addressee(address=PATIENT_ADDRESS)),
        letter(),
        letter(same_patient=False),
    )
    for document in documents:
        for decision in decide(document, who):
            assert not any(value in decision.reason for value in (GP, OTHER_GP, MATRICULE, "medecin.test", "bad address"))


addressees = st.builds(
    Addressee,
    address=st.one_of(
        st.sampled_from(["gp@medecin.test", "GP@medecin.test", "autre@medecin.test", PATIENT_ADDRESS, "x@y", ""]),
        st.text(max_size=12),
    ),
    professional=st.none() | st.sampled_from([GP, OTHER_GP, TWO_BOXES, UNKNOWN_GP, ""]).map(lambda rpps: Professional(rpps=rpps)),
    patient_matricule=st.sampled_from(["", MATRICULE, OTHER_INS.matricule]),
)


people = st.builds(
    Patient,
    id=st.just("p1"),
    recorded_at=st.just(NOW),
    ins=st.sampled_from([None, INS, OTHER_INS]),
    statuses=st.sampled_from([(), ("VALI",), ("VALI", "FICT"), ("DOUB",)]),
    treating_physician=st.none() | st.sampled_from([GP, TWO_BOXES, ""]).map(lambda rpps: Professional(rpps=rpps)),
)


answers = st.none() | st.booleans()


@given(
    addressees=st.lists(addressees, max_size=4).map(tuple),
    who=people,
    flags=st.builds(
        DocumentFlags,
        masked_from_professionals=answers,
        hidden_from_patient=answers,
        to_professionals=answers,
        to_patient=answers,
        to_dmp=answers,
    ),
    same=st.booleans(),
    elsewhere=st.booleans(),
    ins=st.sampled_from([None, INS]),
)
def test_whatever_comes_nothing_leaves_that_must_not(
    addressees: tuple[Addressee, ...], who: Patient, flags: DocumentFlags, same: bool, elsewhere: bool, ins: Ins | None
) -> None:
    document = letter(*addressees, flags=flags, same_patient=same, visit_of_another=elsewhere, ins=ins)
    decisions = decide(document, who)
    assert decisions
    keys = [decision.recipient.lower() for decision in decisions if decision.recipient]
    assert len(keys) == len(set(keys))
    for decision in decisions:
        assert (decision.owner is not Owner.NOBODY) == (decision.outcome is Outcome.HOLD)
        if decision.outcome is not Outcome.DELIVER:
            continue
        assert same and not elsewhere and not set(who.statuses) & set(DOUBTFUL)
        assert ins is None or who.ins in (None, ins)
        if decision.recipient.endswith("@patient.mssante.fr"):
            assert who.ins is not None and decision.recipient == f"{who.ins.matricule}@patient.mssante.fr"
            assert flags.to_patient and not flags.hidden_from_patient
        else:
            assert not flags.masked_from_professionals and flags.to_professionals is not False
        objection = look_again(decision, document, who)
        assert objection is None
