from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from liaison.cda.datatypes import Code, InstanceId, Name
from liaison.cda.header import Header
from liaison.cda.parties import Actor, Device, Organisation
from liaison.cda.xds import DocumentEntry, document_entry, escape, xcn, xon


def entry(header: Header, raw: bytes = b"<a/>", masks: frozenset[str] = frozenset()) -> DocumentEntry:
    return document_entry(header, raw, masks=masks, entry_uuid="urn:uuid:1", uri="DOC0001.XML")


def test_the_values_of_a_letter(header: Header) -> None:
    made = entry(header)
    assert made.unique_id == "2.25.301"
    assert made.replaces == "2.25.299"
    assert (made.creation_time, made.service_start, made.service_stop) == ("20261120103000", "20261120073000", "20261120103000")
    assert made.type_code.label == "Lettre de liaison à la sortie d'un établissement de soins"
    assert (made.class_code.code, made.class_code.system) == ("10", "1.2.250.1.213.1.1.4.1")
    assert (made.format_code.code, made.format_code.system) == ("urn:ihe:iti:xds-sd:pdf:2008", "1.3.6.1.4.1.19376.1.2.3")
    assert (made.facility.code, made.practice_setting.code, [event.code for event in made.events]) == (
        "SA01",
        "ETABLISSEMENT",
        ["IMP"],
    )
    assert made.patient_id == "275116410204507^^^&1.2.250.1.213.1.4.10&ISO^NH"
    assert made.source_patient_id == "800042^^^&1.2.250.1.999.1&ISO^PI"
    assert made.source_patient_info == ("PID-5|DARRIEUX^ODETTE^^^^^L", "PID-5|LAFITTE^ODETTE^^^^^D", "PID-7|19751103", "PID-8|F")
    assert made.authors[0].person == "810100000017^LABAT^Maylis^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"
    assert made.authors[0].institution == ("Centre hospitalier de Mont-de-Marsan^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1400011177")
    assert made.reference_ids == (
        "D-77^^^&1.2.250.1.999.7&ISO^urn:ihe:iti:xds:2013:order",
        "V-9^^^&1.2.250.1.999.2&ISO^urn:ihe:iti:xds:2015:encounterId",
    )


def test_hash_and_size_are_those_of_the_bytes(header: Header) -> None:
    made = entry(header, b"\xef\xbb\xbf<a/>\r\n")
    assert (made.hash, made.size) == (hashlib.sha1(b"\xef\xbb\xbf<a/>\r\n").hexdigest(), 9)


def test_masks_are_translated_and_others_have_no_effect(header: Header) -> None:
    made = entry(header, masks=frozenset({"INVISIBLE_REP_LEGAUX", "MASQUE_PS", "DESTDMP"}))
    assert [code.code for code in made.confidentiality] == ["N", "MASQUE_PS", "INVISIBLE_REPRESENTANTS_LEGAUX"]


def test_without_ins_the_local_identifier_serves_twice(header: Header) -> None:
    made = entry(replace(header, patient=replace(header.patient, ids=header.patient.local_ids)))
    assert made.patient_id == made.source_patient_id == "800042^^^&1.2.250.1.999.1&ISO^PI"


def test_without_local_identifier_the_ins_serves_twice(header: Header) -> None:
    made = entry(replace(header, patient=replace(header.patient, ids=header.patient.ids[:1])))
    assert made.patient_id == made.source_patient_id == "275116410204507^^^&1.2.250.1.213.1.4.10&ISO^NH"


def test_a_second_local_identifier_goes_with_the_traits(header: Header) -> None:
    ids = (*header.patient.ids, InstanceId(root="1.2.250.1.999.3", extension="7"))
    assert (
        entry(replace(header, patient=replace(header.patient, ids=ids))).source_patient_info[0]
        == "PID-3|7^^^&1.2.250.1.999.3&ISO^PI"
    )


@pytest.mark.parametrize(
    ("root", "format_code", "scheme"),
    [
        ("1.2.250.1.213.1.1.1.29", "urn:asip:ci-sis:ldl-ses:2017", "1.2.250.1.213.1.1.4.2.282"),
        ("1.2.250.1.213.1.1.1.55", "urn:ihe:lab:xd-lab:2008", "1.3.6.1.4.1.19376.1.2.3"),
        ("1.2.250.1.213.1.1.1.47", "urn:ans:ci-sis:img-da:2022", "1.2.250.1.213.1.1.4.2.282"),
        ("1.2.250.1.213.1.1.1.9999", "urn:asipSante:modelesHorsProfils:2011", "1.2.250.1.213.1.1.4.2.282"),
    ],
)
def test_the_format_of_a_structured_document_is_its_models(header: Header, root: str, format_code: str, scheme: str) -> None:
    templates = (*header.templates[:2], InstanceId(root=root, extension="2022.01"))
    made = entry(replace(header, level="N3", media_type="", templates=templates))
    assert (made.format_code.code, made.format_code.system) == (format_code, scheme)


def test_the_most_specific_model_wins(header: Header) -> None:
    roots = ("1.2.250.1.213.1.1.1.5", "1.2.250.1.213.1.1.1.5.4", "1.2.250.1.213.1.1.1.1")
    made = entry(replace(header, level="N3", templates=tuple(InstanceId(root=root) for root in roots)))
    assert made.format_code.code == "urn:asip:ci-sis:cse-mde:2023"


def test_a_document_that_presents_itself_has_its_own_type(header: Header) -> None:
    assert entry(replace(header, presents_itself=True)).mime_type == "application/xslt+xml"


def test_an_unknown_type_keeps_its_own_label(header: Header) -> None:
    made = entry(replace(header, code=Code(code="X-1", system="1.2.3", label="Autre")))
    assert (made.type_code.code, made.type_code.label, made.class_code.code) == ("X-1", "Autre", "10")


def test_devices_patients_and_agents_have_their_own_identifier_types() -> None:
    device = Actor(ids=(InstanceId(root="1.2.3", extension="A1"),), device=Device(model="Modele", software="Logiciel"))
    assert xcn(device) == "A1^Logiciel^Modele^^^^^^&1.2.3&ISO^U^^^RI"
    agent = Actor(ids=(InstanceId(root="1.2.250.1.71.4.2.1", extension="3400011177/12"),), name=Name(family="A", given="B"))
    assert xcn(agent).endswith("^D^^^EI")
    patient = Actor(ids=(InstanceId(root="1.2.250.1.213.1.4.10", extension="275116410204507"),), name=Name(family="A"))
    assert xcn(patient).endswith("^D^^^NH")


def test_what_is_missing_is_left_empty(header: Header) -> None:
    bare = replace(
        header, created=None, authors=(), legal_authenticator=None, service_events=(), encounter=None, orders=(), replaces=None
    )
    made = entry(bare)
    assert (made.creation_time, made.service_start, made.legal_authenticator, made.facility.code, made.replaces) == (
        "",
        "",
        "",
        "",
        "",
    )
    assert xon(Organisation()) == ""


@given(st.text())
def test_escaped_text_holds_no_delimiter(text: str) -> None:
    assert not set("|^&~\r\n") & set(escape(text))
