"""A44 to facts: whose an episode is from now on."""

from __future__ import annotations

import pytest

from liaison.care.facts import IdentityFact, ReattributionFact
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.mappings.interpretation import Understanding
from tests.mappings.pam import FINESS, IPP_ID, read, rules

FORMER = Identifier(kind=IdentifierKind.IPP, authority=FINESS, value="2002")
MRG = "MRG|2002^^^CH&400011177&M^PI||D55^^^CH&400011177&M^AN"


def episode(value: str) -> Identifier:
    return Identifier(kind=IdentifierKind.EPISODE, authority=FINESS, value=value)


@pytest.mark.parametrize(("mrg", "number"), [(MRG, "D55"), (MRG.partition("||")[0], "D77")])
def test_an_episode_goes_from_mrg_to_pid(mrg: str, number: str) -> None:
    who, moved = read("A44", PID_then=mrg).facts
    assert isinstance(who, IdentityFact) and isinstance(moved, ReattributionFact)
    assert (moved.patient, moved.former, moved.episode) == (who.identifiers, (FORMER,), episode(number))
    assert moved.patient[0] == IPP_ID and moved.recorded_at == who.recorded_at


def test_several_pairs_of_one_message_are_several_reattributions() -> None:
    second = "PID|2||3003^^^CH&400011177&M^PI||AUTRE^ZOE^^^^^L||19800101|F"
    facts = read("A44", PID_then=f"{MRG}\r{second}\r{MRG.replace('2002', '4004').replace('D55', 'D66')}").facts
    moved = [fact for fact in facts if isinstance(fact, ReattributionFact)]
    assert [(one.patient[0].value, one.former[0].value, one.episode.value) for one in moved] == [
        ("1001", "2002", "D55"),
        ("3003", "4004", "D66"),
    ]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({}, "hl7.mrg-missing"),
        ({"PID_then": "MRG|"}, "hl7.mrg-missing"),
        ({"PID_then": MRG.replace("2002", "1001")}, "hl7.reattribution-to-itself"),
        ({"PID_then": MRG.partition("||")[0], "PID_18": ""}, "hl7.reattribution-without-episode"),
    ],
)
def test_a_reattribution_that_does_not_say_what_goes_where_is_left_to_a_person(changes: dict[str, str], rule: str) -> None:
    read_back = read("A44", **changes)
    assert (read_back.understanding, read_back.facts) == (Understanding.NOT_UNDERSTOOD, ())
    assert rule in rules(read_back)
