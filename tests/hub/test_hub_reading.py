"""From the bytes of a message to all that they say, reply included."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from liaison.care.facts import IdentityFact, MovementFact
from liaison.finding import Finding, Severity
from liaison.hl7.acknowledgement import read_ack
from liaison.hl7.message import Message
from liaison.hub.contracts import Reading, Sender, Verdict
from liaison.hub.reading import FINDINGS_CUT, LARGE, MAX_FINDINGS, bounded, read_hl7, reply_code, without_time
from liaison.mappings.document_to_facts import DMP_NOT_FED
from liaison.mappings.interpretation import SourceProfile
from tests.hub.er7 import ADMISSION, adt
from tests.hub.people import NOW, PROFILE, SOURCE

SENDER = Sender(source=SOURCE)


def read(raw: bytes) -> Reading:
    return read_hl7(raw, SENDER, PROFILE, now=NOW, reply_id="R1")


def test_an_admission_says_who_and_what() -> None:
    message = read(ADMISSION)
    assert [type(fact) for fact in message.facts] == [IdentityFact, MovementFact]
    assert (message.ids.kind, message.ids.control_id, message.ids.application) == ("ADT^A01", "C1", "DPI|CH")
    assert (message.ids.processing, message.establishment) == ("P", PROFILE.finess)
    ack = read_ack(message.reply)
    assert (ack.code, ack.control_id) == ("AA", "C1") and ack.errors == ()


def test_a_mistake_repeated_ten_thousand_times_is_not_kept_ten_thousand_times() -> None:
    message = read(adt(PID_32="~".join(["ZZZ"] * 10_000)))
    assert [finding.rule for finding in message.findings] == ["hl7.identity-status-unknown"] * MAX_FINDINGS + ["hub.findings-cut"]
    assert message.verdict is Verdict.ACCEPTED_WITH_FINDINGS


def test_the_worst_findings_are_kept_and_in_their_order() -> None:
    warning = Finding(severity=Severity.WARNING, where="ZBE-5", rule="hl7.some-warning", message="Une remarque.")
    fatal = replace(warning, severity=Severity.FATAL, rule="hl7.some-fatal")
    always = DMP_NOT_FED.at("OBX (DESTDMP)")
    kept = (*([warning] * (MAX_FINDINGS - 1)), fatal)
    assert bounded(kept) == kept
    assert bounded((warning, *kept)) == (*kept, FINDINGS_CUT)
    assert bounded((*([fatal] * MAX_FINDINGS), always)) == (*([fatal] * (MAX_FINDINGS - 1)), always, FINDINGS_CUT)


@pytest.mark.parametrize(
    ("kind", "verdict", "readable", "code"),
    [
        ("ADT", Verdict.ACCEPTED, True, "AA"),
        ("ADT", Verdict.ACCEPTED_WITH_FINDINGS, True, "AA"),
        ("ADT", Verdict.IGNORED, True, "AA"),
        ("ADT", Verdict.QUARANTINED, True, "AA"),
        ("ORU", Verdict.ACCEPTED, True, "AA"),
        ("ORU", Verdict.QUARANTINED, True, "AE"),
        ("MDM", Verdict.QUARANTINED, True, "AE"),
        ("", Verdict.QUARANTINED, True, "AE"),
        ("ADT", Verdict.QUARANTINED, False, "AE"),
        ("ADT", Verdict.REFUSED, True, "AR"),
        ("ORU", Verdict.REFUSED, True, "AR"),
    ],
)
def test_a_verdict_has_its_reply(kind: str, verdict: Verdict, readable: bool, code: str) -> None:
    assert reply_code(kind, verdict, readable=readable) == code


def test_a_message_without_control_id_is_kept_and_answered_ae() -> None:
    message = read(adt(MSH_10=""))
    assert (message.verdict, message.facts) == (Verdict.QUARANTINED, ())
    assert read_ack(message.reply).code == "AE"


def test_an_event_without_use_is_ignored_and_answered_aa() -> None:
    message = read(adt(MSH_9="ADT^A60^ADT_A60"))
    assert message.verdict is Verdict.IGNORED and read_ack(message.reply).code == "AA"


def test_of_a_strict_source_a_share_of_the_messages_is_held_against_the_tables_of_hl7() -> None:
    def structural(share: float, number: int) -> bool:
        profile = replace(PROFILE, structure_share=share)
        reading = read_hl7(adt(PID_5="", MSH_10=f"C{number}"), SENDER, profile, now=NOW, reply_id="R1")
        return any(finding.rule.startswith("hl7.structure-") for finding in reading.findings)

    assert [structural(0.0, 1), structural(1.0, 1)] == [False, True]
    looked_at = [structural(0.5, number) for number in range(20)]
    assert looked_at == [structural(0.5, number) for number in range(20)]
    assert 0 < sum(looked_at) < 20


def test_what_the_tables_say_changes_no_fact() -> None:
    plain, strict = read(ADMISSION), read_hl7(ADMISSION, SENDER, replace(PROFILE, structure_share=1.0), now=NOW, reply_id="R1")
    assert (strict.facts, strict.verdict) == (plain.facts, plain.verdict)
    assert len(strict.findings) > len(plain.findings)


def test_a_reply_for_another_verdict_names_the_faults() -> None:
    message = read(adt(MSH_9="ORU^R01^ORU_R01"))
    assert message.verdict is Verdict.QUARANTINED
    ack = read_ack(message.reply)
    assert ack.code == "AE" and ack.errors and ack.control_id == "C1"
    assert read_ack(message.reply_as(Verdict.ACCEPTED, ())).code == "AA"


def test_a_resend_with_another_time_has_the_same_content() -> None:
    assert read(ADMISSION).ids.content == read(adt(MSH_7="20261122230000")).ids.content
    assert read(ADMISSION).ids.content != read(adt(PID_5="AUTRE^ANNE^^^^^L")).ids.content
    assert read(ADMISSION).ids.content != read(adt(MSH_10="C2")).ids.content


@given(time=st.text(alphabet="0123456789+.", max_size=24))
def test_only_the_time_is_taken_out(time: str) -> None:
    raw = adt(MSH_7=time)
    stripped = without_time(raw, Message.parse(raw))
    assert stripped == without_time(ADMISSION, Message.parse(ADMISSION)) and len(stripped) == len(raw) - len(time)


NAMED = replace(PROFILE, senders=frozenset({"DPI|CH"}), others_authorities=frozenset({"finess:400099999"}))
GHT = replace(NAMED, establishments={"*|CH": PROFILE.finess, "DAX": "400780193"})


def heard(raw: bytes, profile: SourceProfile = NAMED) -> Reading:
    return read_hl7(raw, SENDER, profile, now=NOW, reply_id="R1")


def test_a_source_is_heard_under_its_own_name() -> None:
    message = heard(ADMISSION)
    assert message.verdict is Verdict.ACCEPTED and message.facts


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (adt(MSH_4="CHDAX"), "sender.pair"),
        (adt(PV1_3="2111^12^B^CHX&400099999&M"), "sender.establishment-of-another"),
        (adt(MSH_9="ORU^R01^ORU_R01", MSH_3="GAM"), "sender.pair"),
        (adt(MSH_9="ADT^A60^ADT_A60", MSH_3="GAM"), "sender.pair"),
    ],
)
def test_what_may_not_speak_is_kept_and_told_why(raw: bytes, rule: str) -> None:
    message = heard(raw)
    assert (message.verdict, message.facts, message.raw) == (Verdict.QUARANTINED, (), raw)
    assert [finding.rule for finding in message.findings if finding.rule.startswith("sender.")] == [rule]
    ack = read_ack(message.reply)
    assert ack.code == ("AE" if b"ORU" in raw else "AA")
    assert [(error.condition, bool(error.remedy)) for error in ack.errors] == [("207", True)]


def test_one_feed_carries_several_hospitals() -> None:
    here, there = heard(ADMISSION, GHT), heard(adt(PV1_3="2111^12^B^DAX"), GHT)
    assert (here.establishment, there.establishment) == (PROFILE.finess, "400780193")
    fact = there.facts[1]
    assert isinstance(fact, MovementFact) and fact.finess == "400780193"
    assert heard(adt(PV1_3="2111^12^B^AILLEURS"), GHT).verdict is Verdict.QUARANTINED


def test_where_neither_ward_nor_pair_tells_the_numbers_of_pid_do() -> None:
    """An identity message has no ward."""
    shared = replace(GHT, senders=frozenset({"DPI|GHT"}), establishments={"DAX": "400780193", "CH": PROFILE.finess})
    dax = adt(MSH_4="GHT", MSH_9="ADT^A31^ADT_A05", PV1_3="", PID_3="1001^^^DAX&400780193&M^PI")
    assert heard(dax, shared).establishment == "400780193"
    nobody = heard(adt(MSH_4="GHT", MSH_9="ADT^A31^ADT_A05", PV1_3="", PID_3="1001^^^X^PI", PID_18=""), shared)
    assert "sender.establishment-unknown" in [finding.rule for finding in nobody.findings]


def test_a_feed_that_declares_the_wrong_character_set_is_read_in_its_own() -> None:
    raw = adt(PID_5="ESSAI^CÉCILE€^CÉCILE€^^^^L").decode().encode("iso8859-15")
    lost, found = heard(raw, PROFILE), heard(raw, replace(PROFILE, charset="8859/15"))
    assert [finding.rule for finding in lost.findings] == ["hl7.charset-fallback"] and not found.findings
    fact = found.facts[0]
    assert isinstance(fact, IdentityFact) and fact.traits is not None and fact.traits.first_given_name == "CÉCILE€"
    assert b"8859/15" in found.reply


def test_a_large_message_is_packed_where_it_is_read() -> None:
    assert read(ADMISSION).packed is None
    large = read(ADMISSION + b"NTE|1||" + b"x" * LARGE + b"\r")
    assert large.packed is not None and len(large.packed) < LARGE


@given(raw=st.one_of(st.binary(max_size=400), st.binary(max_size=100).map(lambda tail: ADMISSION[:120] + tail)))
def test_whatever_comes_is_answered_and_never_raises(raw: bytes) -> None:
    message = read(raw)
    assert message.raw == raw and read_ack(message.reply).code in ("AA", "AE")
    assert message.verdict is not Verdict.QUARANTINED or not message.facts


@given(at=st.integers(0, len(ADMISSION) - 1), byte=st.integers(0, 255))
def test_an_admission_with_any_byte_changed_never_raises(at: int, byte: int) -> None:
    read(ADMISSION[:at] + bytes([byte]) + ADMISSION[at + 1 :])


def test_what_is_not_hl7_shows_nothing_of_it_in_the_reply() -> None:
    message = read(b"CANARIVILLE ANNE 279034019212355")
    assert message.verdict is Verdict.QUARANTINED and b"CANARI" not in message.reply and b"2790340" not in message.reply


def test_hprim_over_mllp_is_named() -> None:
    message = read(b"H|~^\\&|a.HPR||LABO||ORU|||CH||P|H2.1~C|202611200830\rP|1|800042||CANARIVILLE~ANNE\r")
    assert [finding.rule for finding in message.findings] == ["hprim.sante"]
    assert read_ack(message.reply).code == "AE" and "HPRIM Sant" in message.reply.decode() and b"CANARI" not in message.reply
