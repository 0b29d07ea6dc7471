from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.care.facts import DocumentAction, DocumentFact, IdentityFact
from liaison.care.identifiers import INS_NIR_TEST, Identifier, IdentifierKind
from liaison.care.person import Ins
from liaison.finding import Severity
from liaison.hl7.message import Message
from liaison.mappings.cda_to_facts import interpret_cda
from liaison.mappings.document_to_facts import interpret_document_message
from liaison.mappings.interpretation import Interpretation, SourceProfile, Understanding
from liaison.mappings.same_patient import APPLICATION_ERRORS, normal_name

PROFILE = SourceProfile(source="ch", finess="400011177")
INS = "275116410204507"

CDA = f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
<realmCode code="FR"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<templateId root="2.16.840.1.113883.2.8.2.1"/><templateId root="1.2.250.1.213.1.1.1.1"/>
<templateId root="1.2.250.1.213.1.1.1.29" extension="2022.01"/>
<id root="2.25.301"/>
<code code="11490-0" codeSystem="2.16.840.1.113883.6.1" displayName="LL"/>
<title>Lettre de liaison</title>
<effectiveTime value="20261120113000+0100"/>
<confidentialityCode code="R" codeSystem="2.16.840.1.113883.5.25" displayName="Restreint"/>
<languageCode code="fr-FR"/><setId root="2.25.300"/><versionNumber value="2"/>
<recordTarget><patientRole>
<id root="1.2.250.1.999.1" extension="800042"/><id root="{INS_NIR_TEST}" extension="{INS}"/>
<patient><name><family qualifier="BR">DARRIEUX</family><given>ODETTE JEANNE</given><given qualifier="BR">ODETTE</given></name>
<administrativeGenderCode code="F"/><birthTime value="19751103"/>
<birthplace><place><addr><county>64102</county></addr></place></birthplace></patient>
</patientRole></recordTarget>
<author><time value="20261120113000+0100"/><assignedAuthor><id root="1.2.250.1.71.4.2.1" extension="810100000017"/>
<assignedPerson><name><family>LABAT</family><given>Maylis</given></name></assignedPerson>
<representedOrganization><name>Médecine interne</name></representedOrganization></assignedAuthor></author>
<custodian><assignedCustodian><representedCustodianOrganization>
<id root="1.2.250.1.71.4.2.2" extension="1400011177"/><name>CH</name>
</representedCustodianOrganization></assignedCustodian></custodian>
<component><structuredBody><component><section><title>Motif</title><text>Chute</text></section></component></structuredBody></component>
</ClinicalDocument>"""
REPLACING = CDA.replace(
    "<component><structuredBody>",
    '<relatedDocument typeCode="RPLC"><parentDocument><id root="2.25.299"/></parentDocument></relatedDocument>'
    "<component><structuredBody>",
)

LINES = {
    "MSH": r"MSH|^~\&|DPI|CH|LIAISON|GCS|20261120120000||ORU^R01^ORU_R01|42|P|2.5|||||FRA|UNICODE UTF-8|||2.1^CISIS_CDA_HL7_V2",
    "PID": (
        f"PID|||800042^^^CH&1.2.250.1.999.1&ISO^PI~{INS}^^^ASIP-SANTE-INS-NIR&{INS_NIR_TEST}&ISO^INS||"
        "DARRIEUX^ODETTE^ODETTE JEANNE^^^^L||19751103|F|||^^^^^^BDL^^64102|||||||E1^^^CH&400011177&M^AN||||||||||||||VALI"
    ),
    "PV1": "PV1|1|I|MED^^^&400780284&N||||||||||||||||V9^^^CH&400011177&M^VN",
    "ORC": "ORC|NW",
    "OBR": "OBR|1|||11490-0^Lettre de liaison^LN",
    "OBX": "OBX|1|ED|11490-0^Lettre de liaison^LN||^TEXT^XML^Base64^{body}||||||F",
    "SB": "PRT||UC||SB^^participation||||CH de Mont-de-Marsan^^^^^ASIP-SANTE-ST&1.2.250.1.71.4.2.2&ISO^FINEG^^^400780284",
    "RCT": (
        "PRT||UC||RCT^^participation|810100000025^DUPOUY^Bertrand^^^^^^ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"
        "||||||||||^^X.400^bertrand.dupouy@na.mssante.fr"
    ),
    "RCTPAT": (
        f"PRT||UC||RCT^^participation|{INS}^DARRIEUX^ODETTE^^^^^^&{INS_NIR_TEST}&ISO^L^^^INS"
        f"||||||||||^^X.400^{INS}@patient.mssante.fr"
    ),
    "REPLY": "PRT||UC||REPLY^^participation|||||||||||^^X.400^secretariat@na.mssante.fr",
    "MASQUE": "OBX|2|CE|MASQUE_PS^^MetaDMPMSS||N^^expandedYes-NoIndicator||||||F",
    "PS": "OBX|3|CE|DESTMSSANTEPS^^MetaDMPMSS||Y^^expandedYes-NoIndicator||||||F",
    "PAT": "OBX|4|CE|DESTMSSANTEPAT^^MetaDMPMSS||Y^^expandedYes-NoIndicator||||||F",
    "NTE": "NTE|1|||FIN",
    "ACK": "OBX|5|CE|ACK_RECEPTION^^MetaDMPMSS||Y^^expandedYes-NoIndicator||||||F",
}


def encoded(cda: str | bytes) -> str:
    return base64.b64encode(cda.encode() if isinstance(cda, str) else cda).decode()


def message(cda: str | bytes = CDA, **changed: str) -> Interpretation:
    """The message with some lines replaced (or taken out, when empty) and its document set."""
    lines = [changed.get(name, line) for name, line in LINES.items()]
    text = "\r".join(line.replace("{body}", encoded(cda)) for line in lines if line) + "\r"
    return interpret_document_message(Message.parse(text.encode()), PROFILE)


def mdm(event: str, order: str, status: str, cda: str | bytes = CDA, txa: str = "2.25.301", parent: str = "") -> Interpretation:
    return message(
        cda,
        MSH=LINES["MSH"].replace("ORU^R01^ORU_R01", f"MDM^{event}^MDM_T02").replace("|2.5|", "|2.6|"),
        ORC=f"ORC|{order}",
        OBR=LINES["OBR"] + f"\rTXA|1|11490-0|TEXT|||||||||{txa}|{parent}||||AU",
        OBX=LINES["OBX"].removesuffix("F") + status if cda else "",
    )


def document(interpretation: Interpretation) -> DocumentFact:
    (fact,) = (fact for fact in interpretation.facts if isinstance(fact, DocumentFact))
    return fact


def rules(interpretation: Interpretation) -> set[str]:
    return {finding.rule for finding in interpretation.findings}


def fatal(interpretation: Interpretation) -> dict[str, str]:
    """Fatal rules and the condition that each gives the reply."""
    assert interpretation.understanding is Understanding.NOT_UNDERSTOOD
    assert interpretation.facts == ()
    return {finding.rule: finding.condition for finding in interpretation.findings if finding.severity is Severity.FATAL}


def test_a_letter_gives_its_patient_and_its_document() -> None:
    made = message()
    assert made.understanding is Understanding.UNDERSTOOD
    identity, fact = made.facts
    assert isinstance(identity, IdentityFact) and isinstance(fact, DocumentFact)
    assert identity.ins == fact.ins == Ins(matricule=INS, oid=INS_NIR_TEST)
    assert not identity.of_identity
    assert fact.patient == identity.identifiers
    assert fact.action is DocumentAction.PUBLISH
    assert (fact.id, fact.set_id, fact.version, fact.replaces) == ("2.25.301", "2.25.300", 2, "")
    assert (fact.type_code, fact.type_system) == ("11490-0", "2.16.840.1.113883.6.1")
    assert fact.type_label == "Lettre de liaison à la sortie d'un établissement de soins"
    assert (fact.title, fact.level, fact.confidentiality) == ("Lettre de liaison", "N3", "R")
    assert fact.created_at == datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
    assert fact.recorded_at == datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
    assert fact.author is not None and (fact.author.rpps, fact.author.family) == ("10100000017", "LABAT")
    assert fact.author_organisation == "Médecine interne"
    assert fact.same_patient
    assert fact.traits is not None and fact.traits.are_strict
    assert fact.visit == Identifier(kind=IdentifierKind.VISIT, authority="finess:400011177", value="V9")
    assert fact.episode == Identifier(kind=IdentifierKind.EPISODE, authority="finess:400011177", value="E1")
    assert (fact.patient_class, fact.finess) == ("I", "400780284")


def test_the_document_is_given_in_its_own_bytes() -> None:
    made = message()
    digest = hashlib.sha256(CDA.encode()).hexdigest()
    assert made.documents == {digest: CDA.encode()}
    assert document(made).digest == digest


def test_what_is_asked_for_the_document_goes_with_it() -> None:
    fact = document(message())
    flags = fact.flags
    assert (flags.masked_from_professionals, flags.to_professionals, flags.to_patient, flags.to_dmp) == (False, True, True, None)
    assert (flags.patient_may_not_reply, flags.wants_delivery_receipt, flags.wants_read_receipt) == (True, True, False)
    doctor, patient = fact.addressees
    assert doctor.address == "bertrand.dupouy@na.mssante.fr"
    assert doctor.professional is not None and doctor.professional.rpps == "10100000025"
    assert (patient.patient_matricule, patient.professional) == (INS, None)
    assert (fact.reply_to, fact.sender_name) == ("secretariat@na.mssante.fr", "CH de Mont-de-Marsan")


def test_who_sent_the_patient_where_they_go_and_which_unit_writes_go_with_the_document() -> None:
    pv1 = LINES["PV1"].split("|")
    pv1[8] = "10000000001^ADRESSEUR^^^^^^^^^^^RPPS"
    pv1 += [""] * (38 - len(pv1))
    pv1[37] = "400784210"
    fact = document(
        message(
            PV1="|".join(pv1)
            + "\rROL||UC|RT|10000000002^CORRESPONDANT^^^^^^^^^^^RPPS\rROL||UC|RP|10000000001^ADRESSEUR^^^^^^^^^^^RPPS\rZFM||8||7"
        )
    )
    assert [person.rpps for person in fact.referrers] == ["10000000001", "10000000002"]
    assert (fact.unit, fact.discharge_mode, fact.discharge_destination, fact.discharge_finess) == ("MED", "8", "7", "400784210")


def test_an_address_of_a_contact_segment_must_be_confirmed() -> None:
    fact = document(message(OBR=f"{LINES['OBR']}\rCTD|RCT|MARTIN^Anne|||^^X.400^gp@medecin.test||10000000001^RPPS"))
    (contact,) = (one for one in fact.addressees if one.unconfirmed)
    assert contact.address == "gp@medecin.test" and contact.professional is not None
    assert contact.professional.rpps == "10000000001"
    assert "hl7.address-in-contact" in rules(message(OBR=f"{LINES['OBR']}\rCTD|RCT|MARTIN|||^^X.400^gp@medecin.test"))


@pytest.mark.parametrize(
    ("event", "order", "status", "action"),
    [
        ("T02", "NW", "F", DocumentAction.PUBLISH),
        ("T10", "RO", "C", DocumentAction.REPLACE),
        ("T04", "CA", "D", DocumentAction.WITHDRAW),
    ],
)
def test_the_three_actions_of_an_mdm(event: str, order: str, status: str, action: DocumentAction) -> None:
    fact = document(mdm(event, order, status, REPLACING if action is DocumentAction.REPLACE else CDA))
    assert fact.action is action
    assert fact.replaces == ("2.25.299" if action is DocumentAction.REPLACE else "")


def test_the_parent_named_by_the_message_serves_when_the_document_names_none() -> None:
    made = mdm("T10", "RO", "C", CDA, parent="2.25.299")
    assert document(made).replaces == "2.25.299"
    assert "document.replaces-nothing" in rules(mdm("T10", "RO", "C", CDA))
    assert "document.parent-disagrees" in rules(mdm("T10", "RO", "C", REPLACING, parent="2.25.1"))
    assert "document.replacement-unasked" in rules(message(REPLACING))


def test_a_withdrawal_without_its_document_needs_only_its_identifier() -> None:
    made = mdm("T04", "CA", "D", b"")
    fact = document(made)
    assert (fact.action, fact.id, fact.digest, fact.type_code) == (DocumentAction.WITHDRAW, "2.25.301", "", "11490-0")
    assert fact.type_label == "Lettre de liaison à la sortie d'un établissement de soins"
    assert made.documents == {}
    assert "hl7.document-missing" in fatal(mdm("T04", "CA", "D", b"", txa=""))


@pytest.mark.parametrize(("event", "order", "status"), [("T02", "CA", "F"), ("T04", "NW", "D"), ("T10", "RO", "F")])
def test_an_uncertain_action_is_not_taken(event: str, order: str, status: str) -> None:
    assert fatal(mdm(event, order, status)) == {"hl7.action-disagrees": "207"}


@pytest.mark.parametrize(
    ("cda", "rule"),
    [
        (CDA.replace("<ClinicalDocument", "<!DOCTYPE ClinicalDocument><ClinicalDocument"), "cda.doctype"),
        (CDA[:-40], "cda.not-xml"),
        ("not a CDA at all", "cda.not-xml"),
        (CDA.replace("Chute", "&xxe;"), "cda.entity"),
        (CDA.encode().replace(b"Chute", b"Chute \xe9"), "cda.encoding"),
        ("<html/>", "cda.no-clinical-document"),
        (CDA.replace('<id root="2.25.301"/>', ""), "cda.no-id"),
    ],
)
def test_a_document_that_cannot_be_read_is_kept_for_a_person(cda: str | bytes, rule: str) -> None:
    made = message(cda)
    assert fatal(made)[rule] == "102"
    assert next(finding.where for finding in made.findings if finding.rule == rule) == "OBX-5"


def test_bad_base64_is_kept_for_a_person() -> None:
    assert fatal(message(OBX="OBX|1|ED|11490-0^L^LN||^TEXT^XML^Base64^PD94*bWw||||||F"))["hl7.base64-invalid"] == "102"


def test_no_document_and_no_patient_are_fatal() -> None:
    assert fatal(message(OBX=""))["hl7.document-missing"] == "101"
    assert fatal(message(PID=""))["document.patient-missing"] == "101"


def test_two_documents_are_two_facts_and_a_repeated_one_is_one() -> None:
    second = CDA.replace('"2.25.301"', '"2.25.302"')
    both = LINES["OBX"] + "\r" + LINES["OBX"].replace("{body}", encoded(second))
    made = message(OBX=both)
    assert [fact.id for fact in made.facts if isinstance(fact, DocumentFact)] == ["2.25.301", "2.25.302"]
    assert len(made.documents) == 2
    twice = message(OBX=LINES["OBX"] + "\r" + LINES["OBX"])
    assert document(twice).id == "2.25.301"
    assert "document.repeated" in rules(twice)


def test_where_both_speak_the_document_is_believed() -> None:
    made = message(OBR=LINES["OBR"].replace("11490-0", "11488-4"))
    assert document(made).type_code == "11490-0"
    assert "document.type-disagrees" in rules(made)
    other = mdm("T02", "NW", "F", txa="2.25.999")
    assert document(other).id == "2.25.301"
    assert "document.id-disagrees" in rules(other)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("DARRIEUX", "Darrieux"),
        (">DARRIEUX<", ">Dârrieux<"),
        ("ODETTE", "Odette"),
        ('<given qualifier="BR">ODETTE</given>', ""),
        ("800042", "900000"),  # the INS is the same
        ("<county>64102", "<county>64103"),
    ],
)
def test_the_same_patient_written_otherwise_is_the_same(old: str, new: str) -> None:
    assert old in CDA
    assert document(message(CDA.replace(old, new))).same_patient


@pytest.mark.parametrize(
    ("old", "new", "rule", "code"),
    [
        (INS, "175116410204572", "document.ins-differs", "904"),
        (">DARRIEUX<", ">DARRIEU<", "document.birth-name-differs", "904"),
        ("19751103", "19751104", "document.birth-date-differs", "904"),
        ("ODETTE", "JEANNE", "document.given-name-differs", "904"),
        ('<administrativeGenderCode code="F"/>', '<administrativeGenderCode code="M"/>', "document.sex-differs", "904"),
    ],
)
def test_another_patient_holds_the_letter(old: str, new: str, rule: str, code: str) -> None:
    made = message(CDA.replace(old, new))
    assert not document(made).same_patient
    assert rule in rules(made)
    assert APPLICATION_ERRORS[rule] == code


def test_missing_traits_hold_the_letter() -> None:
    made = message(CDA.replace('<birthTime value="19751103"/>', ""))
    assert not document(made).same_patient
    assert {"document.traits-missing", "document.ins-incomplete"} <= rules(made)
    assert document(made).ins is None


def test_without_ins_in_the_document_a_common_local_identifier_is_needed() -> None:
    without = CDA.replace(f'<id root="{INS_NIR_TEST}" extension="{INS}"/>', "")
    made = message(without)
    assert document(made).same_patient
    assert "document.ins-missing" in rules(made)
    other = message(without.replace("800042", "900000"))
    assert not document(other).same_patient
    assert "document.patient-differs" in rules(other)


def test_a_local_identifier_under_another_oid_is_another() -> None:
    without = CDA.replace(f'<id root="{INS_NIR_TEST}" extension="{INS}"/>', "")
    assert not document(message(without.replace("1.2.250.1.999.1", "1.2.250.1.999.9"))).same_patient


def test_a_local_identifier_whose_authority_is_no_oid_is_compared_by_its_value() -> None:
    without = CDA.replace(f'<id root="{INS_NIR_TEST}" extension="{INS}"/>', "")
    pid = LINES["PID"].replace("CH&1.2.250.1.999.1&ISO", "CH&400011177&M")
    assert document(message(without, PID=pid)).same_patient
    assert not document(message(without.replace("800042", "900000"), PID=pid)).same_patient


def test_a_test_ins_is_not_used_in_production() -> None:
    text = "\r".join(line.replace("{body}", encoded(CDA)) for line in LINES.values())
    production = SourceProfile(source="ch", finess="400011177", test_ins=False)
    made = interpret_document_message(Message.parse(text.encode()), production)
    assert document(made).ins is None
    assert "document.ins-test" in rules(made)


@given(st.text(max_size=30))
def test_the_normal_form_of_a_name_is_stable(name: str) -> None:
    assert normal_name(normal_name(name)) == normal_name(name)
    assert normal_name("d'Étchegoyhen-Lœuvre") == normal_name("D ETCHEGOYHEN LOEUVRE")


@given(st.binary(max_size=200))
def test_any_body_is_understood_or_fatal(body: bytes) -> None:
    made = message(body)
    assert made.understanding is Understanding.NOT_UNDERSTOOD
    assert any(finding.severity is Severity.FATAL for finding in made.findings)


def test_findings_repeat_no_value() -> None:
    made = message(CDA.replace("DARRIEUX", "LAFITTE").replace(INS, "175116410204572"))
    said = " ".join(finding.where + finding.message + finding.remedy for finding in made.findings)
    assert not any(value in said for value in ("DARRIEUX", "LAFITTE", INS, "175116410204572", "800042"))


def test_a_bare_document_is_its_patient_and_itself() -> None:
    received = datetime(2026, 11, 22, tzinfo=UTC)
    made = interpret_cda(CDA.encode(), PROFILE, received_at=received)
    identity, fact = made.facts
    assert isinstance(identity, IdentityFact) and isinstance(fact, DocumentFact)
    assert identity.ins == Ins(matricule=INS, oid=INS_NIR_TEST)
    assert Identifier(kind=IdentifierKind.IPP, authority="oid:1.2.250.1.999.1", value="800042") in identity.identifiers
    assert (fact.action, fact.addressees, fact.same_patient, fact.finess) == (DocumentAction.PUBLISH, (), True, "400011177")
    assert document(interpret_cda(REPLACING.encode(), PROFILE, received_at=received)).action is DocumentAction.REPLACE


def test_a_bare_document_without_date_is_dated_by_its_arrival() -> None:
    received = datetime(2026, 11, 22, tzinfo=UTC)
    undated = CDA.replace('<effectiveTime value="20261120113000+0100"/>', "")
    assert document(interpret_cda(undated.encode(), PROFILE, received_at=received)).created_at == received


def test_a_bare_document_of_nobody_or_unreadable_is_not_understood() -> None:
    received = datetime(2026, 11, 22, tzinfo=UTC)
    nobody = CDA.replace("800042", "").replace(INS, "")
    assert fatal(interpret_cda(nobody.encode(), PROFILE, received_at=received)) == {"document.patient-unidentified": "101"}
    assert set(fatal(interpret_cda(b"<!DOCTYPE a><a/>", PROFILE, received_at=received))) == {"cda.doctype"}


def test_official_messages_are_understood() -> None:
    import os

    if "LIAISON_CORPUS" not in os.environ:
        pytest.skip("LIAISON_CORPUS n'est pas défini : le corpus n'est pas lu")
    seen = 0
    for path in sorted((Path(os.environ["LIAISON_CORPUS"]) / "hl7v2").iterdir()):
        raw = path.read_bytes()
        if not path.name.startswith("ans_") or b"CISIS_CDA" not in raw[:400] or b"|ACK^" in raw[:200] or b"|ZAM^" in raw[:200]:
            continue
        seen += 1
        made = interpret_document_message(Message.parse(raw), PROFILE)
        if path.name.endswith("_INIT_N1.er7"):  # its document is a placeholder
            assert "cda.not-xml" in fatal(made), path.name
        else:
            # The deletion of the laboratory report carries somebody else's document.
            assert document(made).same_patient == ("ORU_CR_Bio_DEL" not in path.name), path.name
    assert seen >= 8


def test_asking_for_the_dmp_is_answered_that_it_is_not_fed() -> None:
    asked = "OBX|6|CE|DESTDMP^^MetaDMPMSS||{}^^expandedYes-NoIndicator||||||F"
    assert "flags.dmp-not-fed" in rules(message(ACK=LINES["ACK"] + "\r" + asked.format("Y")))
    assert "flags.dmp-not-fed" not in rules(message(ACK=LINES["ACK"] + "\r" + asked.format("N")))
