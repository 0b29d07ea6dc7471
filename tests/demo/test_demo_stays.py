from __future__ import annotations

import base64
import itertools
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from liaison.care.identifiers import INS_NIR_TEST, ins_key_is_right
from liaison.demo.hospital import BY_KEY, HOSPITALS
from liaison.demo.messages import STRUCTURES
from liaison.demo.people import luhn_digit
from liaison.demo.stays import TimedMessage, simulate, simulate_region
from liaison.hl7.message import Message

START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


def region(seed: int, count: int) -> list[TimedMessage]:
    return list(itertools.islice(simulate_region(random.Random(seed), START), count))


def documents(messages: list[TimedMessage]) -> list[bytes]:
    found: list[bytes] = []
    for message in messages:
        if message.kind.startswith(("ORU", "MDM")):
            segment = next(obx for obx in Message.parse(message.raw).all("OBX") if obx.value(2) == "ED")
            found.append(base64.b64decode(segment.raw_component(5, 5), validate=True))
    return found


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32))
def test_a_feed_is_in_the_order_of_time_and_never_repeats_a_control_id(seed: int) -> None:
    messages = region(seed, 120)
    assert all(a.at <= b.at for a, b in itertools.pairwise(messages))
    assert len({message.control_id for message in messages}) == len(messages)
    assert messages[0].at >= START


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32))
def test_every_message_reads_without_a_finding_and_says_what_its_envelope_says(seed: int) -> None:
    for sent in region(seed, 120):
        message = Message.parse(sent.raw)
        header = message.header
        assert message.findings == ()
        assert f"{header.value(9)}^{header.value(9, 2)}" == sent.kind
        assert header.value(10) == sent.control_id
        assert header.value(11) == "T"
        assert sent.raw.endswith(b"\r") and b"\n" not in sent.raw
        if sent.kind.startswith("ADT"):
            assert header.value(9, 3) == STRUCTURES[header.value(9, 2)]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert region(5, 60) == region(5, 60)
    assert region(5, 60) != region(6, 60)


def test_a_matricule_travels_with_a_right_key_the_test_oid_and_a_validated_identity_only() -> None:
    carried = 0
    for sent in region(11, 300):
        pid = Message.parse(sent.raw).first("PID")
        assert pid is not None
        ins = [identifier for identifier in pid.repetitions(3) if identifier.component(5) == "INS"]
        if ins:
            carried += 1
            assert ins_key_is_right(ins[0].component(1))
            assert ins[0].component(4, 2) == INS_NIR_TEST
            assert pid.value(32) == "VALI"
            assert pid.value(5, 2) and len(pid.value(7)) == 8 and pid.value(8) in ("M", "F")
    assert carried


def test_movements_are_cancelled_and_corrected_under_the_identifier_that_inserted_them() -> None:
    inserted: dict[tuple[str, str], str] = {}
    undone = 0
    for sent in region(3, 900):
        zbe = Message.parse(sent.raw).first("ZBE")
        if zbe is None:
            continue
        key = (sent.hospital, zbe.value(1))
        trigger = sent.kind.removeprefix("ADT^")
        if zbe.value(4) == "INSERT":
            assert key not in inserted
            assert not zbe.value(6)
            inserted[key] = trigger
        else:
            undone += 1
            assert zbe.value(6) == inserted[key]
            assert (zbe.value(4) == "UPDATE") == (trigger == "Z99")
        assert not zbe.value(3)
        assert zbe.value(7, 10)
    assert undone


def test_every_kind_of_event_comes_sooner_or_later() -> None:
    kinds = {message.kind for message in region(1, 2500)}
    assert {f"ADT^{trigger}" for trigger in STRUCTURES} | {"ORU^R01", "MDM^T02", "MDM^T10"} <= kinds


def test_a_letter_follows_its_discharge_and_names_the_same_patient() -> None:
    gone: set[tuple[str, str]] = set()
    letters = 0
    for sent in region(8, 500):
        message = Message.parse(sent.raw)
        pv1 = message.first("PV1")
        assert pv1 is not None
        key = (sent.hospital, pv1.value(19))
        if sent.kind == "ADT^A03":
            gone.add(key)
        elif sent.kind.startswith(("ORU", "MDM")):
            letters += 1
            assert key in gone
            [document] = documents([sent])
            pid = message.first("PID")
            assert pid is not None
            root = etree.fromstring(document)
            ids = {(found.get("root"), found.get("extension")) for found in root.iterfind(".//{*}patientRole/{*}id")}
            assert ids == {(item.component(4, 2), item.component(1)) for item in pid.repetitions(3)}
    assert letters


def test_one_hospital_speaks_for_itself_alone() -> None:
    hospital = BY_KEY["smr-adour"]
    messages = list(itertools.islice(simulate(hospital, random.Random(2), START, present=3), 40))
    assert {message.hospital for message in messages} == {hospital.key}
    assert all(Message.parse(message.raw).header.value(3) == hospital.application for message in messages)


def test_some_patients_are_in_bed_when_the_feed_begins_and_leave_within_hours() -> None:
    soon = [message for message in region(4, 400) if message.at < START + timedelta(hours=3)]
    assert any(message.kind == "ADT^A03" for message in soon)
    assert any(message.kind.startswith(("ORU", "MDM")) for message in soon)


def test_letters_are_valid_against_the_schema_of_the_ans() -> None:
    corpus = os.environ.get("LIAISON_CORPUS")
    if not corpus:
        pytest.skip("LIAISON_CORPUS says where the CDA schemas are; it is not set")
    schema = etree.XMLSchema(etree.parse(Path(corpus) / "cda-pack/infrastructure/cda/CDA_extended.xsd"))
    checked = documents(region(13, 700))
    levels = {b"nonXMLBody" in document for document in checked}
    for document in checked:
        schema.assertValid(etree.fromstring(document))
    assert levels == {True, False}


def test_hospitals_have_valid_finess_keys_and_wards_of_their_own() -> None:
    for hospital in HOSPITALS:
        assert luhn_digit(hospital.finess[:8]) == hospital.finess[8]
        assert hospital.beds
        assert len({ward.uf for ward in hospital.wards}) == len(hospital.wards)
