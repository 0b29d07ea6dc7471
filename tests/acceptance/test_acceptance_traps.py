"""Traps seen in French feeds and official samples, from a message's bytes to what becomes of it: movements and identities.

The numbers are of one list of twenty-seven, which goes on in test_acceptance_traps_letters and test_acceptance_traps_wire. Messages are
invented. Trap 26, people's data in public test code, is a rule for whoever writes here: what a test can see of it is that no file of the
project writes a whole production INS.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from liaison.care.identifiers import ins_key_is_right
from liaison.hub.contracts import Verdict
from tests.acceptance.ward import Ward, admitted, hour, identity, lies_in, when
from tests.mappings.pam import FINESS, INS, IPP, MATRICULE

ROOT = Path(__file__).parents[2]


def test_trap_01_a_shifted_zbe_is_kept_for_a_person_and_moves_nobody() -> None:
    ward = Ward()
    admitted(ward)
    shifted = ward.moves("A03", "M2", "0910", ZBE_3=when("0910"), ZBE_4="", ZBE_5="INSERT", ZBE_6="N", ZBE_7="", ZBE_10="HMS")
    assert (shifted.verdict, shifted.code, shifted.events, shifted.reading.facts) == (Verdict.QUARANTINED, "AA", [], ())
    assert shifted.rules == ["hl7.zbe-shifted"]
    assert ward.moves("A02", "M3", "1008", unit="3111").stay.status == "present", "nobody was discharged"


def test_trap_02_one_zbe_1_in_five_venues_is_five_movements() -> None:
    ward = Ward()
    venues = [{"PV1_19": f"V{number}^^^CH&400011177&M^VN"} for number in range(5)]
    stays = {ward.moves("A01", "312", f"{5 + number:02}08", **venue).stay.id for number, venue in enumerate(venues)}
    assert len(stays) == 5
    gone = ward.cancels("A11", "312", "0608", of="A01", **venues[1])
    assert (gone.events, gone.stay.visit.value) == (["stay.cancelled"], "V1")
    assert ward.moves("A02", "313", "1108", unit="3111", **venues[2]).stay.status == "present"


def test_trap_03_an_update_by_an_insertion_corrects_what_is_known_and_inserts_what_is_not() -> None:
    ward = Ward()
    admitted(ward)
    lost = ward.moves("A02", "M2", "0608", action="UPDATE", unit="3111")
    assert (lost.events, lost.rules) == (
        ["stay.transferred"],
        ["hl7.zbe-update-by-insertion", "care.update-of-unknown-movement"],
    )
    again = ward.moves("A02", "M2", "0609", action="UPDATE", unit="3222")
    assert (again.events, again.told[0].undoes) == (["stay.updated"], lost.told[0].id)
    assert again.stay.place.uf_lodging == "3222"


def test_trap_04_a_cancel_and_a_correction_without_zbe_6_find_their_movement_by_zbe_1() -> None:
    ward = Ward()
    admitted(ward)
    left = ward.moves("A03", "M2", "0910")
    corrected = ward.corrects("M2", "0911", of="")
    assert (corrected.stay.discharged_at, corrected.rules) == (hour("0911"), ["hl7.zbe-original-event-missing"])
    cancelled = ward.cancels("A13", "M2", "0911", of="")
    assert (cancelled.stay.status, cancelled.told[0].undoes) == ("present", left.told[0].id)


@pytest.mark.parametrize(
    ("said", "read", "rule"),
    [
        ("", "", "hl7.zbe-nature-missing"),
        ("S^Changement de responsabilité de soins", "S", ""),
        ("HM", "HM", "hl7.zbe-nature-combination"),
        ("HMC", "HMC", "hl7.zbe-nature-combination"),
        ("Mutation", "", "hl7.zbe-nature-unknown"),
    ],
)
def test_trap_05_the_nature_is_a_set_of_letters_and_no_other_stops_a_movement(said: str, read: str, rule: str) -> None:
    ward = Ward()
    admitted(ward)
    moved = ward.moves("A02", "M2", "0608", unit="3111", ZBE_9=said)
    assert (moved.movement.nature, moved.events) == (read, ["stay.transferred"])
    assert moved.rules == ([rule] if rule else [])


@pytest.mark.parametrize(
    ("changes", "medical", "rule"),
    [
        ({}, "3111", ""),
        ({"ZBE_7": "3110"}, "3110", "hl7.uf-component"),
        ({"ZBE_7": "", "ZBE_8": "Soins^^^^^^UF^^^3112"}, "3112", "hl7.uf-medical-missing"),
        ({"ZBE_7": "", "ZBE_8": ""}, "3111", "hl7.uf-medical-missing"),
    ],
)
def test_trap_06_the_medical_unit_is_looked_for_where_feeds_put_it(changes: dict[str, str], medical: str, rule: str) -> None:
    ward = Ward()
    admitted(ward)
    moved = ward.moves("A02", "M2", "0608", **lies_in("3111") | changes)
    assert moved.stay.place.uf_medical == medical
    assert moved.rules == ([rule] if rule else [])


def test_trap_07_a_movement_named_as_a_cx_is_the_one_named_as_an_ei() -> None:
    ward = Ward()
    admitted(ward)
    ward.moves("A03", "M2", "0910")
    cancelled = ward.cancels("A13", "M2", "0910", of="A03", ZBE_1="M2^^^CH&400011177&M")
    assert (cancelled.stay.status, cancelled.rules) == ("present", ["hl7.zbe-identifier-cx"])


def test_trap_07_a_movement_of_two_systems_is_cancelled_under_either_name() -> None:
    ward = Ward()
    admitted(ward)
    ward.moves("A03", "", "0910", ZBE_1="42^HMLyo~43^AGFA")
    cancelled = ward.cancels("A13", "", "0910", of="A03", ZBE_1="43^AGFA")
    assert (cancelled.stay.status, cancelled.rules) == ("present", [])
    assert ward.moves("A03", "", "1010", ZBE_1="43^HMLyo").events == ["stay.discharged"], "the same number of another system"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"PID_32": "PROV"}, "hl7.ins-not-validated"),
        ({"PID_32": ""}, "hl7.ins-not-validated"),
        ({"PID_3": f"{IPP}~2790340192123123456789^^^ASIP-SANTE-INS-C&1.2.250.1.213.1.4.2&ISO^NH"}, "hl7.ins-c"),
        ({"PID_3": f"{IPP}~{INS.replace('.4.10', '.4.9')}", "PID_32": "PROV"}, "hl7.ins-not-validated"),
    ],
)
def test_trap_08_an_ins_that_may_not_be_used_is_dropped_and_the_message_kept(changes: dict[str, str], rule: str) -> None:
    heard = admitted(**changes)
    assert heard.verdict in (Verdict.ACCEPTED, Verdict.ACCEPTED_WITH_FINDINGS)
    assert (heard.events[-1], heard.person.ins) == ("stay.admitted", None)
    assert rule in heard.rules
    assert [one.value for one in heard.person.ipp] == ["1001"]


def test_trap_09_an_identity_that_does_not_say_its_status_is_not_qualified() -> None:
    heard = admitted(PID_32="")
    assert (heard.person.statuses, heard.person.ins) == ((), None)
    assert "hl7.identity-status-missing" in heard.rules


@pytest.mark.parametrize(
    ("birthplace", "rules"),
    [
        ("^^^^^FRA^BDL^^40192", []),
        ("^^^^^FRA^BDL^40192", ["hl7.birthplace-component"]),
        ("^^^^^FRA^BDL^BDL^40192", []),
        ("^^^^^FRA^^BDL^BDL^40192", ["hl7.birthplace-component"]),
        ("^^^^^100^BDL^^40192", ["hl7.country-code"]),
        ("1 RUE^^DAX^^40100^99100^H~^^^^^^BDL^^40192", ["hl7.country-code"]),
    ],
)
def test_trap_10_the_place_of_birth_is_found_beside_its_component(birthplace: str, rules: list[str]) -> None:
    heard = admitted(PID_11=birthplace)
    assert (heard.person.birthplace_cog, heard.rules) == ("40192", rules)
    assert heard.person.ins is not None, "the five traits are there"


@pytest.mark.parametrize(
    ("cx4", "authority"),
    [
        ("CH&400011177&M", FINESS),
        ("CH&1400011177&M", FINESS),  # ten digits: the type before the FINESS
        ("400011177", FINESS),
        ("1.2.250.1.999.1", "oid:1.2.250.1.999.1"),
        ("CH&&M", "local:ch-mont-de-marsan/CH"),
        ("&&M", "local:ch-mont-de-marsan/"),
    ],
)
def test_trap_11_an_authority_is_one_whatever_form_it_is_written_in(cx4: str, authority: str) -> None:
    heard = identity(PID_3=f"1001^^^{cx4}^PI")
    assert [(one.authority, one.value) for one in heard.person.ipp] == [(authority, "1001")]
    assert ("hl7.authority-missing" in heard.rules) is (cx4 == "&&M")


@pytest.mark.parametrize(
    "doctor",
    [
        "10001234567^MARTIN^Anne^^^^^^ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO^D^^^RPPS",
        "810001234567^MARTIN^Anne^^^^^^ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO^D^^^RPPS",
        "810001234567^MARTIN^Anne^^^^^^ASIP-SANTE-PS&1.2.250.1.71.4&ISO^D^^^IDNPS",  # the OID is cut
        "10001234567^MARTIN^Anne^^^^^^ASIP-SANTE- PS",
        "100 0123 4567^MARTIN^Anne^^^^^^ASIP-SANTE-PS^D^^^ RPPS ",
    ],
)
def test_trap_12_a_doctor_is_the_same_however_the_number_is_written(doctor: str) -> None:
    heard = admitted(PID_then=f"ROL||UC|ODRP|{doctor}")
    physician = heard.identity.treating_physician
    assert physician is not None and (physician.rpps, physician.family) == ("10001234567", "MARTIN")
    assert "hl7.treating-physician-without-rpps" not in heard.rules


@pytest.mark.parametrize("kind", ["SVR", "SRV", "UF"])
def test_trap_12_the_kind_of_a_unit_is_not_what_names_it(kind: str) -> None:
    assert admitted(ZBE_7=f"Chirurgie^^^^^CH&400011177&M^{kind}^^^3110").stay.place.uf_medical == "3110"


@pytest.mark.parametrize("trait", ["PID_5", "PID_7", "PID_8", "PID_11"])
def test_trap_24_an_ins_without_its_five_traits_goes_no_further(trait: str) -> None:
    heard = admitted(**{trait: ""})
    assert "hl7.ins-without-traits" in heard.rules
    assert heard.person.ins is None
    assert MATRICULE not in str(heard.reading.facts)


#: A matricule with its key, then within one identifier the OID of production, as HL7 and CDA write it.
_REAL = re.compile(r"\b(\d{5}[0-9AB]\d{9})\b[^~|\r\n]{0,40}1\.2\.250\.1\.213\.1\.4\.[89](?!\d)")


_REAL_CDA = re.compile(r'1\.2\.250\.1\.213\.1\.4\.[89]"\s+extension="(\d{5}[0-9AB]\d{9})"')


def real_ins(text: str) -> list[str]:
    return [found for pattern in (_REAL, _REAL_CDA) for found in pattern.findall(text) if ins_key_is_right(found)]


def test_trap_26_no_file_of_the_project_writes_a_whole_production_ins() -> None:
    planted = INS.replace(".4.10", ".4.8")
    assert real_ins(planted) == real_ins(f'<id root="1.2.250.1.213.1.4.8" extension="{MATRICULE}"/>') == [MATRICULE]
    folders = [ROOT / name for name in ("liaison", "tests", "bench", "docs")]
    written = [path for folder in folders for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert len(written) > 400
    assert [str(path.relative_to(ROOT)) for path in written if real_ins(path.read_text("utf-8", errors="replace"))] == []
