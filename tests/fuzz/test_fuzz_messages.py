"""Damaged messages: always a reading, a verdict and a reply, never an exception, and nobody's name where it has no business."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liaison.care.facts import IdentityFact
from liaison.hl7.errors import Hl7Error
from liaison.hl7.lines import MAX_SEGMENTS
from liaison.hl7.message import MAX_FIELDS, MAX_REPETITIONS, Message
from liaison.hub.contracts import Verdict
from liaison.hub.explain import Explainer
from liaison.hub.reading import MAX_FINDINGS
from tests.acceptance.ward import NOW, POLICY
from tests.fuzz.damage import MANY, SEPARATORS, damaged
from tests.fuzz.messages import CANARIES, invented, official
from tests.fuzz.promises import broken_by, read
from tests.mappings.pam import adt

#: Cases of each property: ``make nightly`` asks for more.
EXAMPLES = int(os.environ.get("LIAISON_EXAMPLES", "500"))
#: What folding may add to a reading's findings: notes on a state, and a control id that was used before.
ADDED = 20

fuzzed = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@fuzzed
@given(damaged())
def test_a_damaged_message_is_read_kept_as_it_came_and_answered_without_anybodys_name(raw: bytes) -> None:
    reading = read(raw)
    assert reading.raw == raw
    assert broken_by(reading) == []


@fuzzed
@given(damaged())
def test_a_damaged_file_is_answered_in_json_or_hl7_without_anybodys_name(raw: bytes) -> None:
    reading = read(raw, file=True)
    assert reading.raw == raw
    assert broken_by(reading) == []


@fuzzed
@given(st.lists(damaged(), min_size=1, max_size=4))
def test_damaged_messages_one_after_the_other_are_taken_without_a_fault_of_ours(raws: list[bytes]) -> None:
    explainer = Explainer(POLICY, NOW)
    for raw in raws:
        explained = explainer.explain(read(raw))
        assert "hub.fault" not in [finding.rule for finding in explained.findings]
        assert len(explained.findings) <= MAX_FINDINGS + ADDED
        assert explained.taken.answer.verdict in Verdict
        json.dumps(explained.as_json())
    good = explainer.explain(read(adt("A01", {"PID_3": "31^^^CH&400011177&M^PI", "PV1_19": "V31^^^CH&400011177&M^VN"}).raw))
    assert "stay.admitted" in [event.type for event in good.taken.events], "whoever comes next is admitted"


@fuzzed
@given(damaged())
def test_a_damaged_message_makes_no_more_parts_than_its_bounds(raw: bytes) -> None:
    try:
        message = Message.parse(raw)
    except Hl7Error:
        return
    assert len(message.segments) <= MAX_SEGMENTS
    for segment in message.segments[:100]:
        assert segment.field_count <= MAX_FIELDS + 1
        for field in range(1, min(segment.field_count, 40) + 1):
            assert len(segment.repetitions(field)) <= MAX_REPETITIONS + 1


@pytest.mark.parametrize(
    "field", [f"{name}_{number}" for name, number in (("PID", 3), ("PID", 5), ("PV1", 19), ("ZBE", 1), ("MSH", 9))]
)
@pytest.mark.parametrize("separator", SEPARATORS)
def test_ten_thousand_separators_in_a_field_are_bounded_work(field: str, separator: bytes) -> None:
    reading = read(adt("A01", {field: ("a" + separator.decode()) * MANY}).raw)
    assert len(reading.findings) <= MAX_FINDINGS + 1
    assert sum(len(fact.identifiers) for fact in reading.facts if isinstance(fact, IdentityFact)) <= MAX_REPETITIONS + 1


@pytest.mark.parametrize("number", range(len(invented())))
def test_what_is_damaged_is_understood_while_it_is_whole(number: int) -> None:
    """Otherwise the damage would never reach past the header."""
    whole = read(invented()[number])
    assert whole.verdict is not Verdict.QUARANTINED or "L2" in whole.ids.control_id
    assert CANARIES[0].encode() in whole.raw or whole.verdict is Verdict.IGNORED


def test_the_corpus_is_damaged_too() -> None:
    if not official():
        pytest.skip("LIAISON_CORPUS is not set: only invented messages are damaged")
    assert len(official()) > 20
