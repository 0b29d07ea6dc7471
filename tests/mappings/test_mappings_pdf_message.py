"""A PDF that an ORU or MDM carries without a CDA: what is made of it, and what is said of the guesses."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from msgspec.structs import replace

from liaison.care.facts import DocumentAction, DocumentFact, IdentityFact
from liaison.care.identifiers import INS_NIR_TEST
from liaison.cda.body import embedded_pdf
from liaison.cda.header import Header, read_header
from liaison.finding import Severity
from liaison.hl7.message import Message
from liaison.mappings.document_to_facts import interpret_document_message
from liaison.mappings.interpretation import Interpretation, SourceProfile, Understanding

PROFILE = SourceProfile(source="ch", finess="400011177")
INS = "275116410204507"
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer<<>>\n%%EOF\n"
PS = "ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO"

LINES = {
    "MSH": r"MSH|^~\&|GAM|CH DE DAX|LIAISON|GCS|20261120120000||ORU^R01^ORU_R01|42|P|2.5|||||FRA|UNICODE UTF-8",
    "PID": (
        f"PID|||800042^^^CH&1.2.250.1.999.1&ISO^PI~{INS}^^^ASIP-SANTE-INS-NIR&{INS_NIR_TEST}&ISO^INS||"
        "DARRIEUX^ODETTE^ODETTE JEANNE^^^^L||19751103|F|||^^^^^^BDL^^64102|||||||||||||||||||||VALI"
    ),
    "PV1": f"PV1|1|I|3201^12^1^CH&400780284&N||||10100000033^LABAT^Maylis^^^^^^{PS}^D^^^RPPS||||||||||||V9^^^CH&1.2.250.1.999.2&ISO^VN"
    "|||||||||||||||||||||||||20261116093000|20261120140000",
    "ORC": "ORC|NW||CR-77",
    "OBR": "OBR|1||CR-77|34112-3^Compte rendu^LN|||20261119101500",
    "OBX": "OBX|1|ED|34112-3^Compte rendu^LN||^TEXT^PDF^Base64^{body}||||||F",
}


def message(pdf: bytes = PDF, profile: SourceProfile = PROFILE, lines: Mapping[str, str] = LINES, **changed: str) -> Interpretation:
    changed = {**lines, **changed}
    written = [changed.get(name, line) for name, line in LINES.items()]
    text = "\r".join(line.replace("{body}", base64.b64encode(pdf).decode()) for line in written if line) + "\r"
    return interpret_document_message(Message.parse(text.encode()), profile)


def mdm(event: str, order: str, status: str, *, txa: str, parent: str = "", pdf: bytes = PDF, more: str = "") -> Interpretation:
    return message(
        pdf,
        MSH=LINES["MSH"].replace("ORU^R01^ORU_R01", f"MDM^{event}^MDM_T02").replace("|2.5|", "|2.6|"),
        ORC=f"ORC|{order}",
        OBR=f"OBR|1|||34112-3^CR^LN\rTXA|1|34112-3|TEXT|||20261119090000||||||{txa}|{parent}||||AU{more}",
        OBX=LINES["OBX"].removesuffix("F") + status if pdf else "",
    )


def document(made: Interpretation) -> tuple[DocumentFact, Header]:
    (fact,) = (fact for fact in made.facts if isinstance(fact, DocumentFact))
    return fact, read_header(made.documents[fact.digest])


def rules(made: Interpretation) -> set[str]:
    return {finding.rule for finding in made.findings}


def fatal(made: Interpretation) -> set[str]:
    assert made.understanding is Understanding.NOT_UNDERSTOOD and made.facts == ()
    return {finding.rule for finding in made.findings if finding.severity is Severity.FATAL}


def test_a_bare_pdf_becomes_a_cda_that_says_what_its_message_says() -> None:
    made = message()
    assert made.understanding is Understanding.UNDERSTOOD
    fact, header = document(made)
    assert "document.wrapped" in rules(made)
    assert header.findings == ()
    assert (fact.level, fact.type_code, fact.title) == ("N1", "34112-3", "CR hospitalier (séjour)")
    assert fact.id == header.id.text and fact.id.startswith("2.25.")
    assert header.patient.ins is not None and header.patient.ins.text == f"{INS_NIR_TEST}^{INS}"
    assert header.patient.local_ids[0].text == "1.2.250.1.999.1^800042"
    assert (header.patient.birth_family, header.patient.given_names, header.patient.birthplace_cog) == (
        "DARRIEUX", "ODETTE JEANNE", "64102",
    )  # fmt: skip
    assert header.created is not None and header.created.at.isoformat() == "2026-11-19T10:15:00+01:00"
    assert header.custodian is not None and header.custodian.ids[0].finess == "400780284"
    event, encounter = header.service_event, header.encounter
    assert event is not None and event.start is not None and event.stop is not None
    assert event.start.at.isoformat() == "2026-11-16T09:30:00+01:00"
    assert encounter is not None and encounter.code is not None and encounter.code.code == "IMP"
    assert [one.text for one in encounter.ids] == ["1.2.250.1.999.2^V9"]
    assert encounter.place == "3201"
    assert fact.same_patient and fact.ins is not None and fact.ins.matricule == INS


def test_the_pdf_travels_as_it_came() -> None:
    fact, _ = document(made := message())
    cda = made.documents[fact.digest]
    embedded = embedded_pdf(cda)
    assert embedded is not None and embedded.content == PDF
    assert hashlib.sha256(cda).hexdigest() == fact.digest


def test_the_same_pdf_under_another_control_id_is_the_same_document() -> None:
    first = document(message())[0]
    again = document(message(MSH=LINES["MSH"].replace("20261120120000", "20261120180000").replace("|42|", "|43|")))[0]
    other = document(message(PDF.replace(b"1 0 obj", b"2 0 obj")))[0]
    assert (first.id, first.digest) == (again.id, again.digest)
    assert first.id != other.id and first.set_id == other.set_id


@pytest.mark.parametrize(
    ("changed", "rpps", "family", "rule"),
    [
        ({}, "10100000033", "LABAT", "document.author-guessed"),
        ({"PV1": "PV1|1|I|3201"}, "", "", "document.author-unknown"),
        ({"OBR": LINES["OBR"] + "|" * 25 + "10100000041&DUCASSE&Jean"}, "10100000041", "DUCASSE", ""),
        ({"OBR": LINES["OBR"] + "|" * 25 + f"10100000041^DUCASSE^Jean^^^^^^{PS}^D^^^RPPS"}, "10100000041", "DUCASSE", ""),
        ({"OBX": LINES["OBX"] + "|" * 5 + f"10100000041^DUCASSE^Jean^^^^^^{PS}^D^^^RPPS"}, "10100000041", "DUCASSE", ""),
    ],
)
def test_the_author_is_whom_the_message_names_best(changed: dict[str, str], rpps: str, family: str, rule: str) -> None:
    made = message(lines=changed)
    fact, header = document(made)
    assert header.findings == ()
    assert (fact.author.rpps, fact.author.family) == (rpps, family) if fact.author else family == ""
    assert {one for one in rules(made) if one.startswith("document.author")} == ({rule} if rule else set())
    assert header.legal_authenticator is not None and header.legal_authenticator.ids


def test_an_authenticator_of_txa_answers_for_the_document() -> None:
    txa22 = f"|||||10100000041^DUCASSE^Jean^^^^^^{PS}^D^^^RPPS"
    _, header = document(mdm("T02", "NW", "F", txa="2.25.77", more=txa22))
    assert header.legal_authenticator is not None and header.legal_authenticator.rpps == "10100000041"


def test_a_type_that_is_not_there_is_the_sources_default_and_without_one_the_message_is_kept() -> None:
    untyped = {"OBR": "OBR|1||CR-77||||20261119101500", "OBX": LINES["OBX"].replace("34112-3^Compte rendu^LN", "")}
    assert "document.type-missing" in fatal(message(profile=PROFILE, lines=untyped))
    made = message(profile=replace(PROFILE, document_type="11488-4"), lines=untyped)
    assert document(made)[0].type_code == "11488-4"
    assert "document.type-default" in rules(made)


def test_a_local_type_is_translated_and_its_label_kept() -> None:
    local = {name: LINES[name].replace("34112-3^Compte rendu^LN", "CRH^Compte rendu de chirurgie^L") for name in ("OBR", "OBX")}
    fact, header = document(made := message(profile=replace(PROFILE, document_types={"CRH": "34112-3"}), lines=local))
    assert (fact.type_code, header.title) == ("34112-3", "Compte rendu de chirurgie")
    assert "document.type-default" not in rules(made)


def test_a_date_that_only_msh_gives_is_said_to_be_guessed() -> None:
    made = message(OBR="OBR|1||CR-77|34112-3^Compte rendu^LN")
    assert document(made)[0].created_at.isoformat() == "2026-11-20T12:00:00+01:00"
    assert "document.date-guessed" in rules(made)


def test_an_ipp_without_oid_gets_a_derived_one_and_its_own_again() -> None:
    pid = LINES["PID"].replace("CH&1.2.250.1.999.1&ISO", "CH&400780284&N")
    made, again = message(PID=pid), message(PDF + b" ", PID=pid)
    assert "document.authority-without-oid" in rules(made)
    roots = {document(one)[1].patient.local_ids[0].root for one in (made, again)}
    assert len(roots) == 1 and roots.pop().startswith("2.25.")


@pytest.mark.parametrize(
    ("pdf", "rule"),
    [(PDF[:-7], "document.pdf-truncated"), (b"%PDF-1.4\n" + bytes(22_500_000) + b"%%EOF", "document.pdf-too-large")],
)
def test_a_pdf_that_is_cut_or_too_large_is_kept_for_a_person(pdf: bytes, rule: str) -> None:
    assert rule in fatal(message(pdf))


def test_what_is_neither_cda_nor_pdf_is_kept_for_a_person() -> None:
    assert {"cda.not-xml"} <= fatal(message(b"{\\rtf1 Bonjour}"))


def test_a_pdf_beside_a_cda_gives_way_to_it() -> None:
    _, header = document(made := message())
    cda = base64.b64encode(next(iter(made.documents.values()))).decode()
    both = message(OBX=LINES["OBX"].replace("{body}", cda) + "\r" + LINES["OBX"].replace("OBX|1", "OBX|2"))
    assert "document.pdf-beside-cda" in rules(both)
    assert document(both)[0].id == header.id.text


def test_a_replacement_in_an_oru_follows_its_order_number() -> None:
    first = document(message())[0]
    changed = {"ORC": "ORC|RO||CR-77", "OBX": LINES["OBX"].removesuffix("F") + "C"}
    made = message(PDF + b"%2", lines=changed, OBR=LINES["OBR"].replace("20261119101500", "20261119171500"))
    second = document(made)[0]
    assert second.action is DocumentAction.REPLACE
    assert second.set_id == first.set_id and second.version > first.version
    assert "document.replaces-nothing" not in rules(made)


def test_an_mdm_keeps_its_senders_numbers() -> None:
    published = document(mdm("T02", "NW", "F", txa="2.25.77"))[0]
    assert (published.id, published.set_id, published.version) == ("2.25.77", "2.25.77", 1)
    replaced = document(mdm("T10", "RO", "C", txa="DOC-2", parent="DOC-1", pdf=PDF + b" "))[0]
    original = document(mdm("T02", "NW", "F", txa="DOC-1"))[0]
    assert (replaced.replaces, replaced.set_id) == (original.id, original.set_id)


def test_a_withdrawal_by_number_alone_names_the_wrapped_document() -> None:
    original = document(mdm("T02", "NW", "F", txa="DOC-1"))[0]
    withdrawn = mdm("T04", "CA", "D", txa="DOC-1", pdf=b"")
    (fact,) = (fact for fact in withdrawn.facts if isinstance(fact, DocumentFact))
    assert (fact.action, fact.id) == (DocumentAction.WITHDRAW, original.id)


def test_an_unqualified_ins_never_enters_the_document() -> None:
    made = message(PID=LINES["PID"].replace("VALI", "PROV"))
    fact, header = document(made)
    assert fact.ins is None and header.patient.ins is None
    assert all(one.ins is None for one in made.facts if isinstance(one, IdentityFact))


_WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n|^~&\\\x0b\x1c"), max_size=12)


@given(family=_WORDS, given_name=_WORDS, label=_WORDS, number=_WORDS, unit=_WORDS, software=_WORDS)
def test_whatever_the_words_the_cda_is_written_and_read_back(
    family: str, given_name: str, label: str, number: str, unit: str, software: str
) -> None:
    made = message(
        MSH=LINES["MSH"].replace("GAM", software),
        PID=LINES["PID"].replace("DARRIEUX^ODETTE^ODETTE JEANNE", f"{family}^{given_name}^{given_name}"),
        PV1=LINES["PV1"].replace("3201", unit),
        OBR=f"OBR|1||{number}|LOCAL^{label}|||20261119101500",
        profile=replace(PROFILE, document_type="34112-3"),
    )
    fact, header = document(made)
    assert header.level == "N1" and header.id.text == fact.id
    assert embedded_pdf(made.documents[fact.digest]) is not None


@pytest.mark.parametrize("patient_class", ["I", "E", "O", "R", "N", ""])
@pytest.mark.parametrize("named", [True, False])
def test_the_cda_passes_the_schema_whatever_is_missing(patient_class: str, named: bool) -> None:
    place = os.environ.get("LIAISON_CORPUS")
    if place is None:
        pytest.skip("LIAISON_CORPUS is not set: the CDA schemas are not at hand")
    schema = etree.XMLSchema(etree.parse(str(Path(place) / "cda-pack/infrastructure/cda/CDA_extended.xsd")))
    pv1 = LINES["PV1"].replace("PV1|1|I", f"PV1|1|{patient_class}") if named else f"PV1|1|{patient_class}"
    made = message(PV1=pv1, OBR=LINES["OBR"] if named else "OBR|1|||34112-3^CR^LN")
    fact, header = document(made)
    schema.assertValid(etree.fromstring(made.documents[fact.digest]))
    assert not [one for one in header.findings if one.severity is not Severity.INFORMATION]
