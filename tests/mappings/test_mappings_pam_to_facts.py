"""PAM.fr messages to facts: what a message as a whole comes to, and whom it is about."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.care.facts import IdentityAction, IdentityFact, MovementAction
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.finding import Severity
from liaison.hl7.errors import NotHl7
from liaison.hl7.message import Message
from liaison.hl7.triggers import TRIGGERS, Handling
from liaison.mappings.interpretation import SourceProfile, Understanding
from liaison.mappings.pam_to_facts import interpret
from tests.mappings.pam import FINESS, INS, INS_BODY, IPP, IPP_ID, MATRICULE, PARIS, PROFILE, identity, movement, read, rules

CORPUS = os.environ.get("LIAISON_CORPUS")


def test_a_conformant_admission_is_two_facts_and_no_finding() -> None:
    read_back = read("A01")
    assert read_back.understanding is Understanding.UNDERSTOOD
    assert rules(read_back) == []
    who, moved = identity(read_back), movement(read_back)
    assert who.identifiers[0] == IPP_ID
    assert who.ins is not None and who.ins.oid == "1.2.250.1.213.1.4.10" and who.ins.matricule == MATRICULE
    assert who.identifiers[1] == Identifier(kind=IdentifierKind.INS, authority="oid:1.2.250.1.213.1.4.10", value=MATRICULE)
    assert who.traits is not None and who.traits.are_strict
    assert (who.action, who.of_identity, who.statuses, who.died) == (IdentityAction.ASSERT, False, ("VALI",), False)
    assert moved.patient == who.identifiers
    assert (moved.action, moved.trigger, moved.original_trigger) == (MovementAction.INSERT, "A01", "A01")
    assert moved.movement == (Identifier(kind=IdentifierKind.MOVEMENT, authority=FINESS, value="M1"),)
    assert moved.visit == Identifier(kind=IdentifierKind.VISIT, authority=FINESS, value="V88")
    assert moved.episode == Identifier(kind=IdentifierKind.EPISODE, authority=FINESS, value="D77")
    assert moved.at == datetime(2026, 1, 5, 8, tzinfo=PARIS)
    assert (moved.place.uf_lodging, moved.place.uf_medical, moved.place.uf_care) == ("2111", "2110", "2110")
    assert (moved.place.uf_medical_label, moved.place.room, moved.place.bed) == ("Geriatrie", "12", "B")
    assert (moved.nature, moved.patient_class, moved.finess, moved.historic) == ("HMS", "I", "400011177", False)
    assert (moved.recorded_at.minute, moved.sent_at.minute, moved.control_id) == (4, 5, "C1")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"PID_32": "PROV"}, "hl7.ins-not-validated"),
        ({"PID_32": ""}, "hl7.ins-not-validated"),
        ({"PID_32": "VALI~DOUT"}, "hl7.ins-doubtful"),
        ({"PID_11": ""}, "hl7.ins-without-traits"),  # trap 24
        ({"PID_8": "U"}, "hl7.ins-without-traits"),
        ({"PID_7": "1979"}, "hl7.ins-without-traits"),
        ({"PID_3": f"{IPP}~{MATRICULE[:14]}{(int(MATRICULE[14]) + 1) % 10}^^^A&1.2.250.1.213.1.4.10&ISO^INS"}, "hl7.ins-key"),
        ({"PID_3": f"{IPP}~{MATRICULE}^^^A&1.2.3.4&ISO^INS"}, "hl7.ins-authority"),
        ({"PID_3": f"{IPP}~{MATRICULE}^^^A&1.2.250.1.213.1.4.10&ISO"}, "hl7.ins-type"),
        ({"PID_3": f"{IPP}~1234567890123456789012^^^A&1.2.250.1.213.1.4.2&ISO^NH"}, "hl7.ins-c"),
        ({"ZFD_4": "Y"}, "hl7.ins-birth-date-corrected"),
    ],
)
def test_traps_8_and_24_an_ins_that_may_not_be_used_is_dropped_and_the_message_kept(changes: dict[str, str], rule: str) -> None:
    read_back = read("A28", **changes)
    assert read_back.understanding is Understanding.UNDERSTOOD
    assert identity(read_back).ins is None
    assert identity(read_back).identifiers == (IPP_ID,)
    assert rule in rules(read_back)


def test_the_nir_for_billing_is_never_an_ins_though_it_has_the_same_oid() -> None:
    read_back = read("A28", PID_3=f"{IPP}~{MATRICULE}^^^ASIP-SANTE-NIR&1.2.250.1.213.1.4.8&ISO^NH")
    assert identity(read_back).identifiers == (IPP_ID,)
    assert rules(read_back) == []


def test_a_test_ins_is_dropped_where_the_profile_is_not_of_test() -> None:
    production = SourceProfile(source="ch", finess="400011177", test_ins=False)
    assert rules(read("A28", production)) == ["hl7.ins-test"]


def test_with_a_nia_and_a_nir_the_nir_is_kept() -> None:
    nia = INS.replace(".4.10", ".4.9")
    nir = INS.replace(".4.10", ".4.8")
    fact = identity(read("A31", PID_3=f"{IPP}~{nia}~{nir}"))
    assert fact.ins is not None and fact.ins.oid == "1.2.250.1.213.1.4.8"
    assert len(fact.identifiers) == 2


def test_two_different_ins_of_one_authority_are_none() -> None:
    other = f"{INS_BODY[:12]}4"
    other += f"{97 - int(other) % 97:02d}^^^A&1.2.250.1.213.1.4.10&ISO^INS"
    read_back = read("A31", PID_3=f"{IPP}~{INS}~{other}")
    assert identity(read_back).ins is None
    assert rules(read_back) == ["hl7.ins-ambiguous"]


@pytest.mark.parametrize(
    ("cx4", "authority", "expected"),
    [
        ("CH&400011177&M", "finess:400011177", []),
        ("&&M", "local:ch-mont-de-marsan/", ["hl7.authority-missing"]),
        ("CH&&M", "local:ch-mont-de-marsan/CH", []),
        ("CH&1400011177&M", "finess:400011177", []),
        ("400011177", "finess:400011177", []),
        ("1.2.250.1.999.1", "oid:1.2.250.1.999.1", []),
        ("SITE-B", "finess:400022222", []),
        ("&SITE-B&L", "finess:400022222", []),
        ("", "local:ch-mont-de-marsan/", ["hl7.authority-missing"]),
    ],
)
def test_trap_11_every_form_of_an_authority_has_one_name(cx4: str, authority: str, expected: list[str]) -> None:
    profile = SourceProfile(source="ch-mont-de-marsan", finess="400011177", authorities={"SITE-B": "finess:400022222"})
    read_back = read("A28", profile, PID_3=f"1001^^^{cx4}^PI")
    assert identity(read_back).identifiers == (Identifier(kind=IdentifierKind.IPP, authority=authority, value="1001"),)
    assert rules(read_back) == expected


def test_an_identifier_without_type_stands_for_the_ipp() -> None:
    read_back = read("A28", PID_3="1001^^^CH&400011177&M")
    assert identity(read_back).identifiers == (IPP_ID,)
    assert rules(read_back) == ["hl7.patient-identifier-type"]


@pytest.mark.parametrize(("numbers", "understanding"), [(100, Understanding.UNDERSTOOD), (101, Understanding.NOT_UNDERSTOOD)])
def test_a_patient_with_more_numbers_than_anybody_has_is_left_to_a_person(numbers: int, understanding: Understanding) -> None:
    read_back = read("A01", PID_3="~".join(f"{number}^^^CH&400011177&M^PI" for number in range(numbers)))
    assert read_back.understanding is understanding
    assert ("hl7.too-many-identifiers" in rules(read_back)) == (understanding is Understanding.NOT_UNDERSTOOD)


@pytest.mark.parametrize("event", ["A28", "A31"])
def test_an_identity_event_is_one_fact_of_identity(event: str) -> None:
    read_back = read(event)
    assert identity(read_back).of_identity
    assert len(read_back.facts) == 1
    assert rules(read_back) == []


def test_trap_17_an_excluded_update_is_one_of_identity_and_said() -> None:
    read_back = read("A08")
    assert identity(read_back).of_identity
    assert rules(read_back) == ["hl7.event-excluded"]


def test_a_merge_absorbs_what_mrg_names() -> None:
    read_back = read("A40", PID_then="MRG|2002^^^CH&400011177&M^PI")
    fact = identity(read_back)
    assert (fact.action, fact.identifiers[0]) == (IdentityAction.MERGE, IPP_ID)
    assert fact.absorbed == (Identifier(kind=IdentifierKind.IPP, authority=FINESS, value="2002"),)


def test_a_merge_of_several_pairs_is_several_facts() -> None:
    second = "PID|2||3003^^^CH&400011177&M^PI||AUTRE^PAUL^^^^^L|||||||||||||||||||||||||||VALI"
    lines = f"MRG|2002^^^CH&400011177&M^PI\r{second}\rMRG|4004^^^CH&400011177&M^PI"
    facts = read("A40", PID_then=lines).facts
    pairs = [(fact.identifiers[0].value, fact.absorbed[0].value) for fact in facts if isinstance(fact, IdentityFact)]
    assert pairs == [("1001", "2002"), ("3003", "4004")]


@pytest.mark.parametrize(
    ("event", "mrg", "rule"),
    [
        ("A40", "ZZZ|", "hl7.mrg-missing"),
        ("A40", "MRG|", "hl7.mrg-missing"),
        ("A40", f"MRG|{IPP}", "hl7.merge-itself"),
        ("A47", "ZZZ|", "hl7.mrg-missing"),
    ],
)
def test_a_merge_that_does_not_say_what_it_absorbs_is_left_to_a_person(event: str, mrg: str, rule: str) -> None:
    read_back = read(event, PID_then=mrg)
    assert read_back.understanding is Understanding.NOT_UNDERSTOOD
    assert rules(read_back) == [rule]


SECOND_PID = "PID|1||2002^^^CH&400011177&M^PI||ESSAI^ANNA^^^^^L||19790328|F"


@pytest.mark.parametrize(("event", "action"), [("A24", IdentityAction.LINK), ("A37", IdentityAction.UNLINK)])
def test_a_link_asserts_both_records_and_joins_none(event: str, action: IdentityAction) -> None:
    first, second, link = (fact for fact in read(event, PID_then=SECOND_PID).facts if isinstance(fact, IdentityFact))
    other = Identifier(kind=IdentifierKind.IPP, authority=FINESS, value="2002")
    assert (first.action, second.action) == (IdentityAction.ASSERT, IdentityAction.ASSERT)
    assert (first.identifiers[0], second.identifiers) == (IPP_ID, (other,))
    assert (link.action, link.identifiers, link.linked, link.absorbed) == (action, first.identifiers, (other,), ())


def test_two_records_with_the_same_ins_may_be_linked() -> None:
    again = SECOND_PID.replace("^PI|", f"^PI~{INS}|") + f"{'|' * 3}^^^^^FRA^BDL^^40192{'|' * 21}VALI"
    assert len(read("A24", PID_then=again).facts) == 3


@pytest.mark.parametrize(
    ("second", "rule"),
    [
        ({}, "hl7.link-without-second-patient"),
        ({"PID_then": SECOND_PID.replace("2002", "1001")}, "hl7.link-itself"),
        ({"PID_then": SECOND_PID.replace("2002^^^CH&400011177&M^PI", "")}, "hl7.patient-identifier-missing"),
    ],
)
def test_a_link_that_does_not_name_two_records_is_left_to_a_person(second: dict[str, str], rule: str) -> None:
    read_back = read("A24", **second)
    assert (read_back.understanding, read_back.facts) == (Understanding.NOT_UNDERSTOOD, ())
    assert rule in rules(read_back)


def test_a_changed_identifier_replaces_the_one_of_mrg() -> None:
    fact = identity(read("A47", PID_then="MRG|2002^^^CH&400011177&M^PI"))
    assert (fact.action, fact.removes_ins) == (IdentityAction.CHANGE_IDENTIFIER, False)
    assert fact.absorbed[0].value == "2002"


def test_the_null_under_an_ins_authority_deletes_the_ins() -> None:
    deletion = INS.replace(MATRICULE, '""')
    read_back = read("A47", PID_3=f"{IPP}~{deletion}", PID_32="PROV", PID_then=f"MRG|{INS}")
    fact = identity(read_back)
    assert (fact.action, fact.removes_ins, fact.ins) == (IdentityAction.CHANGE_IDENTIFIER, True, None)
    assert fact.absorbed == (Identifier(kind=IdentifierKind.INS, authority="oid:1.2.250.1.213.1.4.10", value=MATRICULE),)
    assert rules(read_back) == []


def test_an_ins_deletion_elsewhere_is_said_and_not_applied() -> None:
    read_back = read("A31", PID_3=f"{IPP}~{INS.replace(MATRICULE, chr(34) * 2)}")
    assert not identity(read_back).removes_ins
    assert rules(read_back) == ["hl7.ins-deletion-outside-a47"]


def test_the_treating_physician_and_the_protection_are_of_the_identity() -> None:
    gp = "ROL||UC|ODRP|810001234567^MARTIN^Anne^^^^^^A&1.2.250.1.71.4.2.1&ISO^L^^^IDNPS"
    fact = identity(read("A01", PID_then=f"PD1||||||||||||Y\r{gp}"))
    assert fact.treating_physician is not None and fact.treating_physician.rpps == "10001234567"
    assert fact.confidential


def test_a_removed_treating_physician_leaves_an_empty_one() -> None:
    gp = "ROL||DE|ODRP|10001234567^MARTIN^Anne^^^^^^A&1.2.250.1.71.4.2.1&ISO^L^^^RPPS"
    fact = identity(read("A01", PID_then=gp))
    assert fact.treating_physician is not None and fact.treating_physician.rpps == ""


def test_death_is_told_with_its_time() -> None:
    fact = identity(read("A31", PID_29="202601050712", PID_30="Y"))
    assert (fact.died, fact.died_at) == (True, datetime(2026, 1, 5, 7, 12, tzinfo=PARIS))


@pytest.mark.parametrize(
    ("event", "changes", "rule"),
    [
        ("A01", {"PV1_19": "", "PID_18": ""}, "hl7.visit-missing"),
        ("A01", {"PID_0": ""}, "hl7.pid-missing"),
        ("A01", {"PID_3": ""}, "hl7.patient-identifier-missing"),
        ("A01", {"PID_3": INS, "PID_32": "PROV"}, "hl7.patient-identifier-missing"),
        ("A28", {"MSH_7": "", "EVN_2": ""}, "hl7.time-missing"),
        ("A28", {"MSH_9": ""}, "hl7.message-type-missing"),
        ("A28", {"MSH_9": "ADT"}, "hl7.event-missing"),
        ("A28", {"MSH_10": ""}, "hl7.control-id-missing"),
    ],
)
def test_without_what_no_fact_can_be_made_of_the_message_is_left_to_a_person(
    event: str, changes: dict[str, str], rule: str
) -> None:
    read_back = read(event, **changes)
    assert read_back.understanding is Understanding.NOT_UNDERSTOOD
    assert read_back.facts == ()
    (fatal,) = [finding for finding in read_back.findings if finding.severity is Severity.FATAL]
    assert (fatal.rule, fatal.condition) == (rule, "101")
    assert fatal.remedy


def test_times_are_of_the_zone_of_the_source() -> None:
    cayenne = SourceProfile(source="ch", finess="970302022", time_zone="America/Cayenne")
    assert movement(read("A01", cayenne)).at.utcoffset() == timedelta(hours=-3)


@pytest.mark.parametrize("code", sorted(code for code, trigger in TRIGGERS.items() if trigger.handling is Handling.IGNORED))
def test_what_the_hub_has_no_use_for_is_ignored_and_said(code: str) -> None:
    read_back = read(code)
    assert read_back.understanding is Understanding.IGNORED
    assert read_back.facts == ()
    (finding,) = read_back.findings
    assert finding.rule == "hl7.event-ignored"
    assert finding.severity is Severity.INFORMATION


def test_an_unknown_event_is_ignored_by_design() -> None:
    assert (read("A99").understanding, rules(read("A99"))) == (Understanding.IGNORED, ["hl7.event-unknown"])


@pytest.mark.parametrize(
    ("msh9", "rule"),
    [
        ("ACK^A01^ACK", "hl7.acknowledgement-ignored"),
        ("ZAM^Z02^ZAM_Z01", "hl7.acknowledgement-ignored"),
        ("SIU^S12", "hl7.message-type-ignored"),
    ],
)
def test_other_types_are_ignored_and_said(msh9: str, rule: str) -> None:
    read_back = read("A01", MSH_9=msh9)
    assert (read_back.understanding, rules(read_back)) == (Understanding.IGNORED, [rule])


def test_findings_name_no_value_and_speak_french() -> None:
    read_back = read(
        "A01", PID_3="SECRETIPP", PID_5="SECRETNOM^^^^^^Z", PID_8="SECRET", PID_32="SECRET", ZBE_9="SECRET", PV1_2="SECRET"
    )
    assert len(read_back.findings) >= 6
    for finding in read_back.findings:
        assert "SECRET" not in finding.message + finding.remedy + finding.where
        assert finding.message.endswith(".")


@given(
    event=st.sampled_from(sorted(TRIGGERS)),
    changes=st.dictionaries(
        st.sampled_from(
            [
                f"{name}_{field}"
                for name, last in (("PID", 33), ("PV1", 52), ("ZBE", 9), ("EVN", 7), ("ZFM", 5), ("ZFD", 8))
                for field in range(1, last)
            ]
        ),
        st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n\x0b\x1c|"), max_size=30)
        | st.sampled_from(['""', "Y", "VALI", "²²²²²²²²²²²²²²²^^^A&1.2.250.1.213.1.4.10&ISO^INS", "20260230", "CANCEL", "~~^^&&"]),
        max_size=8,
    ),
)
def test_no_content_makes_the_interpretation_fail(event: str, changes: dict[str, str]) -> None:
    read_back = read(event, **changes)
    fatal = any(finding.severity is Severity.FATAL for finding in read_back.findings)
    assert fatal is (read_back.understanding is Understanding.NOT_UNDERSTOOD)
    assert bool(read_back.facts) is (read_back.understanding is Understanding.UNDERSTOOD)


@pytest.mark.skipif(not CORPUS, reason="LIAISON_CORPUS is not set: the official examples are not at hand")
def test_every_adt_of_the_corpus_is_understood_but_the_shifted_one() -> None:
    expected = {"ans_pamfr_sgl_sortie.er7": "hl7.zbe-shifted", "messy_pythonhl7_sample_batch2.hl7": "hl7.several-messages"}
    seen = 0
    for path in sorted(Path(CORPUS or "", "hl7v2").iterdir()):
        try:
            message = Message.parse(path.read_bytes())
        except NotHl7:
            continue
        if message.header.value(9) != "ADT":
            continue
        seen += 1
        read_back = interpret(message, PROFILE)
        if path.name in expected:
            assert read_back.understanding is Understanding.NOT_UNDERSTOOD, path.name
            assert expected[path.name] in rules(read_back), path.name
        else:
            assert read_back.understanding is Understanding.UNDERSTOOD, path.name
            assert identity(read_back).ins is not None or identity(read_back).removes_ins, path.name
    assert seen >= 10
