"""PAM.fr messages to facts. The feed is invented: a builder writes each message from the standard's layout."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.care.facts import IdentityAction, IdentityFact, MovementAction, MovementFact
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.finding import Severity
from liaison.hl7.errors import NotHl7
from liaison.hl7.message import Message
from liaison.hl7.triggers import TRIGGERS, Handling
from liaison.mappings.interpretation import Interpretation, SourceProfile, Understanding
from liaison.mappings.pam_to_facts import interpret

CORPUS = os.environ.get("LIAISON_CORPUS")
PARIS = ZoneInfo("Europe/Paris")
PROFILE = SourceProfile(source="ch-mont-de-marsan", finess="400011177")
FINESS = "finess:400011177"
INS_BODY = "2790340192123"
MATRICULE = f"{INS_BODY}{97 - int(INS_BODY) % 97:02d}"
INS = f"{MATRICULE}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS"
IPP = "1001^^^CH&400011177&M^PI"
IPP_ID = Identifier(kind=IdentifierKind.IPP, authority=FINESS, value="1001")
UF = "Geriatrie^^^^^CH&400011177&M^UF^^^2110"

#: Segments of a conformant admission, as {field: value}.
DEFAULTS: dict[str, dict[int, str]] = {
    "EVN": {2: "20260105080400", 6: "20260105080300"},
    "PID": {
        1: "1",
        3: f"{IPP}~{INS}",
        5: "ESSAI^ANNE^ANNE MARIE^^^^L",
        7: "19790328",
        8: "F",
        11: "^^^^^FRA^BDL^^40192",
        18: "D77^^^CH&400011177&M^AN",
        30: "N",
        32: "VALI",
    },
    "PV1": {1: "1", 2: "I", 3: "2111^12^B^CH&400011177&N^O", 19: "V88^^^CH&400011177&M^VN"},
    "ZBE": {1: "M1^CH^400011177^M", 2: "20260105080000", 4: "INSERT", 5: "N", 7: UF, 8: UF, 9: "HMS"},
}


def adt(event: str, changes: dict[str, str]) -> Message:
    """A message of an event. ``PID_32`` is a field's new value, ``ZBE_0`` drops a segment, ``PID_then`` adds lines after it."""
    segments = {name: dict(fields) for name, fields in DEFAULTS.items() if f"{name}_0" not in changes}
    if event in TRIGGERS and TRIGGERS[event].deed is None:
        segments.pop("ZBE", None)
        segments["PV1"] = {2: "N"}
    structure = TRIGGERS[event].structure if event in TRIGGERS else ""
    header = {3: "DPI", 4: "CH", 7: "20260105080500", 9: f"ADT^{event}^{structure}", 10: "C1", 11: "T", 12: "2.5^FRA^2.11"}
    header |= {17: "FRA", 18: "UNICODE UTF-8"}
    for change, value in changes.items():
        name, field = change.split("_")
        if name == "MSH":
            header[int(field)] = value
        elif field not in ("0", "then"):
            segments.setdefault(name, {})[int(field)] = value
    lines = ["MSH|^~\\&|" + "|".join(header.get(number, "") for number in range(3, 22))]
    for name, fields in segments.items():
        lines.append(name + "".join(f"|{fields.get(number, '')}" for number in range(1, max(fields) + 1)))
        lines.extend(changes[then] for then in (f"{name}_then",) if then in changes)
    return Message.parse("\r".join(lines).encode())


def read(event: str, profile: SourceProfile = PROFILE, /, **changes: str) -> Interpretation:
    return interpret(adt(event, changes), profile)


def rules(read_back: Interpretation) -> list[str]:
    return [finding.rule for finding in read_back.findings]


def identity(read_back: Interpretation) -> IdentityFact:
    (fact,) = [fact for fact in read_back.facts if isinstance(fact, IdentityFact)]
    return fact


def movement(read_back: Interpretation) -> MovementFact:
    (fact,) = [fact for fact in read_back.facts if isinstance(fact, MovementFact)]
    return fact


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
    ("event", "zbe4", "zbe6", "action", "original"),
    [
        ("A02", "INSERT", "", MovementAction.INSERT, "A02"),
        ("A03", "INSERT", "", MovementAction.INSERT, "A03"),
        ("A04", "INSERT", "", MovementAction.INSERT, "A04"),
        ("A05", "INSERT", "", MovementAction.INSERT, "A05"),
        ("A06", "INSERT", "", MovementAction.INSERT, "A06"),
        ("A07", "INSERT", "", MovementAction.INSERT, "A07"),
        ("A06", "CANCEL", "A07", MovementAction.CANCEL, "A07"),
        ("A07", "CANCEL", "A06", MovementAction.CANCEL, "A06"),
        ("A11", "CANCEL", "A01", MovementAction.CANCEL, "A01"),
        ("A12", "CANCEL", "A02", MovementAction.CANCEL, "A02"),
        ("A13", "CANCEL", "A03", MovementAction.CANCEL, "A03"),
        ("A38", "CANCEL", "A05", MovementAction.CANCEL, "A05"),
        ("Z99", "UPDATE", "A02", MovementAction.UPDATE, "A02"),
    ],
)
def test_zbe_4_says_what_is_done_and_zbe_6_to_what(event: str, zbe4: str, zbe6: str, action: MovementAction, original: str) -> None:
    read_back = read(event, ZBE_4=zbe4, ZBE_6=zbe6)
    moved = movement(read_back)
    assert (moved.action, moved.trigger, moved.original_trigger) == (action, event, original)
    assert rules(read_back) == []


@pytest.mark.parametrize(
    ("event", "action", "original"),
    [
        ("A01", MovementAction.INSERT, "A01"),
        ("A03", MovementAction.INSERT, "A03"),
        ("A06", MovementAction.INSERT, "A06"),
        ("A11", MovementAction.CANCEL, "A01"),
        ("A12", MovementAction.CANCEL, "A02"),
        ("A13", MovementAction.CANCEL, "A03"),
        ("A38", MovementAction.CANCEL, "A05"),
    ],
)
def test_a_feed_without_zbe_still_moves_patients_by_its_events(event: str, action: MovementAction, original: str) -> None:
    read_back = read(event, ZBE_0="")
    moved = movement(read_back)
    assert (moved.action, moved.original_trigger, moved.movement) == (action, original, ())
    assert moved.at == datetime(2026, 1, 5, 8, 3, tzinfo=PARIS)  # EVN-6
    assert rules(read_back) == ["hl7.zbe-missing"]


def test_a_correction_without_zbe_corrects_nothing() -> None:
    read_back = read("Z99", ZBE_0="")
    assert read_back.understanding is Understanding.NOT_UNDERSTOOD
    assert rules(read_back) == ["hl7.zbe-missing-in-z99"]


def test_trap_1_a_shifted_zbe_is_quarantined() -> None:
    read_back = read("A03", ZBE_3="20260109", ZBE_4="", ZBE_5="INSERT", ZBE_6="N")
    assert read_back.understanding is Understanding.NOT_UNDERSTOOD
    assert read_back.facts == ()
    assert rules(read_back) == ["hl7.zbe-shifted"]


def test_trap_3_an_update_by_an_insertion_is_a_correction_of_it() -> None:
    read_back = read("A02", ZBE_4="UPDATE")
    assert (movement(read_back).action, movement(read_back).original_trigger) == (MovementAction.UPDATE, "A02")
    assert rules(read_back) == ["hl7.zbe-update-by-insertion"]


@pytest.mark.parametrize("event", ["A11", "A13", "Z99"])
def test_trap_4_a_missing_original_event_is_left_to_the_movement_identifier(event: str) -> None:
    read_back = read(event, ZBE_4=TRIGGERS[event].deed or "", ZBE_6="")
    assert movement(read_back).original_trigger == ""
    assert movement(read_back).movement
    assert rules(read_back) == ["hl7.zbe-original-event-missing"]


def test_an_insertion_that_says_cancel_is_left_to_a_person() -> None:
    read_back = read("A01", ZBE_4="CANCEL", ZBE_6="A01")
    assert read_back.understanding is Understanding.NOT_UNDERSTOOD
    assert rules(read_back) == ["hl7.zbe-cancel-by-insertion"]


@pytest.mark.parametrize(
    ("event", "said", "action"), [("A11", "INSERT", "CANCEL"), ("Z99", "INSERT", "UPDATE"), ("Z99", "CANCEL", "UPDATE")]
)
def test_an_event_that_can_do_one_thing_only_does_it_whatever_zbe_4_says(event: str, said: str, action: str) -> None:
    read_back = read(event, ZBE_4=said, ZBE_6="A01")
    assert movement(read_back).action.value == action
    assert rules(read_back) == ["hl7.zbe-action-contradicts-event"]


@pytest.mark.parametrize(
    ("changes", "medical", "expected"),
    [
        ({"ZBE_7": ""}, "2110", ["hl7.uf-medical-missing"]),
        ({"ZBE_7": "", "ZBE_8": ""}, "2111", ["hl7.uf-medical-missing"]),
        ({"ZBE_7": "2110"}, "2110", ["hl7.uf-component"]),
        ({"ZBE_7": "", "ZBE_9": "L"}, "", []),
    ],
)
def test_trap_6_the_medical_unit_is_looked_for_where_feeds_put_it(
    changes: dict[str, str], medical: str, expected: list[str]
) -> None:
    read_back = read("A02", **changes)
    assert movement(read_back).place.uf_medical == medical
    assert rules(read_back) == expected


def test_trap_7_movements_that_two_systems_manage_have_two_identifiers() -> None:
    ids = movement(read("A02", ZBE_1="42^HMLyo~43^^^AGFA&1.2.3.4&ISO")).movement
    assert [(item.authority, item.value) for item in ids] == [("local:ch-mont-de-marsan/HMLyo", "42"), ("oid:1.2.3.4", "43")]


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
    ("changes", "visit", "expected"),
    [
        ({"PV1_19": ""}, "D77", ["hl7.visit-number-missing"]),
        (
            {"PV1_19": "", "PID_18": "", "PV1_5": "P9^^^CH&400011177&M^VN"},
            "P9",
            ["hl7.visit-from-preadmission", "hl7.episode-missing"],
        ),
    ],
)
def test_another_number_stands_for_the_visit(changes: dict[str, str], visit: str, expected: list[str]) -> None:
    read_back = read("A05", **changes)
    assert movement(read_back).visit == Identifier(kind=IdentifierKind.VISIT, authority=FINESS, value=visit)
    assert rules(read_back) == expected


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


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ZBE_2": ""}, datetime(2026, 1, 5, 8, 3, tzinfo=PARIS)),
        ({"ZBE_2": "", "EVN_6": ""}, datetime(2026, 1, 5, 8, 4, tzinfo=PARIS)),
        ({"ZBE_2": "", "EVN_6": "", "EVN_2": ""}, datetime(2026, 1, 5, 8, 5, tzinfo=PARIS)),
    ],
)
def test_a_movement_without_time_takes_the_next_best(changes: dict[str, str], expected: datetime) -> None:
    read_back = read("A01", **changes)
    assert movement(read_back).at == expected
    assert "hl7.zbe-time-missing" in rules(read_back)


def test_times_are_of_the_zone_of_the_source() -> None:
    cayenne = SourceProfile(source="ch", finess="970302022", time_zone="America/Cayenne")
    assert movement(read("A01", cayenne)).at.utcoffset() == timedelta(hours=-3)


def test_a_discharge_says_how_and_where_to() -> None:
    moved = movement(read("A03", PV1_36="3", PV1_37="400000022", PV1_41="D", PV1_45="20260109110000", ZFM_2="7", ZFM_4="2"))
    assert (moved.discharge_mode, moved.discharge_destination, moved.discharge_finess) == ("7", "2", "400000022")
    assert moved.closes_episode
    assert moved.discharged_at == datetime(2026, 1, 9, 11, tzinfo=PARIS)


@pytest.mark.parametrize(("pv1_36", "expected"), [("4", "4"), ("F", "4"), ("6", ""), ("3", "")])
def test_the_two_tables_of_ways_out_are_not_mixed(pv1_36: str, expected: str) -> None:
    assert movement(read("A03", PV1_36=pv1_36)).discharge_mode == expected


def test_a_way_out_on_an_admission_is_no_discharge() -> None:
    assert movement(read("A01", PV1_36="4", ZFM_2="9")).discharge_mode == ""


def test_the_annulment_of_the_visit_alone_is_told_from_that_of_the_episode() -> None:
    assert movement(read("A11", ZBE_4="CANCEL", ZBE_6="A01", PV1_51="V")).cancels_visit_only
    assert not movement(read("A11", ZBE_4="CANCEL", ZBE_6="A01", PV1_51="A")).cancels_visit_only


@pytest.mark.parametrize("code", sorted(code for code, trigger in TRIGGERS.items() if trigger.handling is Handling.IGNORED))
def test_what_the_hub_has_no_use_for_is_ignored_and_said(code: str) -> None:
    read_back = read(code)
    assert read_back.understanding is Understanding.IGNORED
    assert read_back.facts == ()
    (finding,) = read_back.findings
    assert finding.rule in ("hl7.event-ignored", "hl7.event-withdrawn")
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
