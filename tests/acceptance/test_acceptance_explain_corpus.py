"""Every official message and document goes through ``liaison explain``: the right verdict, and findings that name its faults."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from liaison.cli.explain import explain

ENDS = "hl7.segment-ends MSH"
INS_DATES = "hl7.ins-dates"
BASE64 = "hl7.base64-repaired"
NO_SET_ID = ("cda.set-id", "cda.created-offset", "cda.performer")
ADMITTED = ("identity.created", "stay.admitted")
PUBLISHED = ("identity.created", "document.published")


class Expected(NamedTuple):
    """What a file's only message becomes. A rule may be followed by the place where it must be met."""

    verdict: str
    reply: str
    rules: Sequence[str]
    events: Sequence[str] = ()
    #: Outcomes of the letters' decisions with their rules.
    letters: Sequence[str] = ()


def remarks(*rules: str, events: Sequence[str] = (), letters: Sequence[str] = ()) -> Expected:
    return Expected("accepted-with-findings", "AA", rules, events, letters)


def ignored(*rules: str) -> Expected:
    return Expected("ignored", "AA", rules)


def kept(reply: str, *rules: str) -> Expected:
    return Expected("quarantined", reply, rules)


ACK = ignored(ENDS, "hl7.acknowledgement-ignored MSH-9")
#: The body is a short placeholder instead of a CDA.
PLACEHOLDER = kept("AE", ENDS, "hl7.document-not-cda OBX-5", "cda.not-xml OBX-5")
BATCH_WITHOUT_STAY = kept("AA", "hl7.birth-name-missing PID-5", "hl7.visit-missing PV1-19", "hl7.zbe-missing ZBE", "hl7.sex PID-8")

MESSAGES: dict[str, Expected] = {
    "ans_lps_vague2_delete_ack.er7": ACK,
    "ans_lps_vague2_delete_message_MDM_LPS_MSS_CR_Radio_DEL_N1.er7": remarks(
        ENDS, BASE64, *NO_SET_ID, "care.withdrawal-of-unknown-document", "flags.dest-ps-absent",
        events=("identity.created", "document.withdrawn"), letters=("deliver recipient.named",),
    ),
    "ans_lps_vague2_init_ack.er7": ACK,
    "ans_lps_vague2_init_message_MDM_LPS_MSS_CR_Radio_INIT_N1.er7": PLACEHOLDER,
    "ans_lps_vague2_init_message_MDM_LPS_MSS_CR_Radio_INIT_N1_Base64.er7": remarks(
        ENDS, BASE64, *NO_SET_ID, "flags.dest-ps-absent", "flags.gp-only-row", events=PUBLISHED, letters=("deliver recipient.named",),
    ),
    "ans_lps_vague2_replace_ack.er7": ACK,
    "ans_lps_vague2_replace_message_MDM_LPS_MSS_CR_Radio_RPLC_N1.er7": remarks(
        ENDS, BASE64, *NO_SET_ID, "care.unknown-parent-document",
        events=("identity.created", "document.replaced"), letters=("deliver recipient.named",),
    ),
    "ans_pamfr_sgl_admission.er7": remarks(ENDS, f"{INS_DATES} PID-3[2]", events=ADMITTED),
    # The action is in ZBE-5: an end of period that the standard forbids was put before it.
    "ans_pamfr_sgl_sortie.er7": kept("AA", ENDS, "hl7.zbe-shifted ZBE-5"),
    "ans_pamfr_vague2_ConsentementConsultation_NonOppositionAlimentation.er7": remarks(ENDS, INS_DATES, events=ADMITTED),
    "ans_pamfr_vague2_NonConsentementConsultation_OppositionAlimentation.er7": remarks(ENDS, INS_DATES, events=ADMITTED),
    "ans_pamfr_vague2_NonRecueillieConsentementConsultation_NonOppositionAlimentation.er7": remarks(ENDS, INS_DATES, events=ADMITTED),
    "ans_transdoc_V2.1_init_Message_metier_lecture_MSS.er7": ACK,
    "ans_transdoc_V2.1_init_Message_metier_reception_DMP.er7": ACK,
    "ans_transdoc_V2.1_init_Message_metier_reception_MSS.er7": ACK,
    "ans_transdoc_vague2_delete_ack.er7": ACK,
    "ans_transdoc_vague2_delete_message_MDM_CR_Radio_DEL_N1.er7": remarks(
        ENDS, BASE64, *NO_SET_ID, "cda.family-sp", "care.withdrawal-of-unknown-document",
        events=("identity.created", "document.withdrawn"), letters=("deliver recipient.named",),
    ),
    # Its CDA is another person's than its PID: the letter is held, whoever it is for.
    "ans_transdoc_vague2_delete_message_ORU_CR_Bio_DEL_N3_SEGUR.hl7": remarks(
        ENDS, BASE64, "document.ins-differs PID-3", "document.birth-name-differs PID-5", "document.birth-date-differs PID-7",
        "document.given-name-differs PID-5", "cda.template-n1", "cda.family-sp",
        events=("identity.created", "document.withdrawn"), letters=("hold recipient.other-patient", "hold recipient.other-patient"),
    ),
    "ans_transdoc_vague2_init_message_MDM_CR_Radio_INIT_N1.er7": PLACEHOLDER,
    "ans_transdoc_vague2_init_message_MDM_CR_Radio_INIT_N1_Base64.er7": remarks(
        ENDS, *NO_SET_ID, "cda.family-sp", "flags.gp-only-row", "flags.dmp-not-fed", events=PUBLISHED, letters=("deliver recipient.named",),
    ),
    # The patient's address does not begin with the patient's INS.
    "ans_transdoc_vague2_init_message_ORU_CR_Bio_INIT_N3_SEGUR.hl7": remarks(
        ENDS, BASE64, "cda.family-sp", events=PUBLISHED, letters=("deliver recipient.named", "hold gates.identity.patient-address"),
    ),
    "ans_transdoc_vague2_replace_ack.er7": ACK,
    "ans_transdoc_vague2_replace_message_MDM_CR_Radio_RPLC_N1.er7": remarks(
        ENDS, *NO_SET_ID, "cda.family-sp", "care.unknown-parent-document",
        events=("identity.created", "document.replaced"), letters=("deliver recipient.named",),
    ),
    "ans_transdoc_vague2_replace_message_ORU_CR_Bio_RPLC_N3_SEGUR.hl7": remarks(
        ENDS, BASE64, "cda.family-sp", "care.unknown-parent-document",
        events=("identity.created", "document.replaced"), letters=("deliver recipient.named", "deliver recipient.patient"),
    ),
    # Right bytes under the right name: nothing but an information.
    "derived_8859_15_cr.hl7": Expected("accepted", "AA", (INS_DATES,), ADMITTED),
    "derived_bom_crlf.hl7": remarks(ENDS, "hl7.bom MSH", events=ADMITTED),
    "derived_cp1252_but_says_utf8.hl7": remarks("hl7.charset-fallback MSH-18", events=ADMITTED),
    # A batch header inside the message cuts it off before its PID.
    "messy_pythonhl7_sample_bad_batch1.hl7": kept("AA", "hl7.batch-structure BHS", "hl7.pid-missing PID"),
    "messy_pythonhl7_sample_bad_file2.hl7": kept("AA", "hl7.batch-structure FHS", "hl7.pid-missing PID"),
    "messy_pythonhl7_sample_batch.hl7": BATCH_WITHOUT_STAY,
    "messy_pythonhl7_sample_file.hl7": BATCH_WITHOUT_STAY,
    "messy_pythonhl7_sample_file3.hl7": kept("AA", "hl7.batch-structure FHS", *BATCH_WITHOUT_STAY.rules),
    # A laboratory result without a document.
    "messy_pythonhl7_sample_hl7.hl7": kept("AE", "hl7.action-unknown MSH-9", "hl7.document-missing OBX", "hl7.birth-date PID-7"),
    # The matricule under the OID of NIA has a wrong key: the NIR beside it is kept.
    "pamfr_spec_A31_nia_to_nir.hl7": remarks("hl7.ins-key PID-3[2]", events=("identity.created",)),
    "pamfr_spec_A47_ins_deleted.hl7": Expected("accepted", "AA", (), ("identity.created",)),
}  # fmt: skip

NOBODY, NO_ADDRESS, NO_DIRECTORY = "recipient.nobody", "recipient.named-without-address", "recipient.no-directory"


def document(*rules: str, to: str | tuple[str, ...], verdict: str = "accepted", event: str = "document.published") -> Expected:
    """A document alone has no reply; whom its header names cannot be written to without a directory, each held apart."""
    told = rules if to == NOBODY else ("flags.gp-only-row", *rules)
    held = (to,) if isinstance(to, str) else to
    return Expected(verdict, "", told, ("identity.created", event), tuple(f"hold {rule}" for rule in held))


DOCUMENTS: dict[str, Expected] = {
    "BIO-CR-BIO_2024.01_TSH_1.xml": document(to="recipient.treating-without-rpps"),
    # Inside the body, which only the Schematron of its model looks at: nothing in the header says it.
    "BROKEN_LDL-SES_no-treatment-section-template.xml": document(to=(NO_ADDRESS, NO_ADDRESS, NO_DIRECTORY)),
    # languageCode stands before realmCode.
    "BROKEN_LDL-SES_xsd-order.xml": document(
        "cda.element-order /ClinicalDocument/realmCode", to=(NO_ADDRESS, NO_ADDRESS, NO_DIRECTORY), verdict="accepted-with-findings"
    ),
    "CSE-MDE_2023.01.xml": document("document.ins-key", to=NO_DIRECTORY, verdict="accepted-with-findings"),
    "DLU-EHPAD-FLUDT_2022.01.xml": document(to=(NO_ADDRESS, NO_DIRECTORY)),
    "DOC_NON_STRUCTURE_CDA-R2-N1.xml": document(to=NOBODY),
    "IMG_CR_IMG_2024.01_CDA-R2-Niveau-1.xml": document("care.unknown-parent-document", to=NO_DIRECTORY, event="document.replaced"),
    "LDL-EES_2022.01.xml": document(to=NO_DIRECTORY),
    "LDL-SES_2022.01.xml": document(to=(NO_ADDRESS, NO_ADDRESS, NO_DIRECTORY)),
    "TLM-CR_2022.01.xml": document(to=NO_ADDRESS),
    "VSM_1.4_2022.01.xml": document(to=NO_DIRECTORY),
    "eP-MED-DM_2024.01_PosoStruct.xml": document("cda.byte-order-mark octet 1", to=NOBODY),
}


def explained(path: Path) -> list[dict[str, Any]]:
    """The objects of ``--json``, whether it printed one or a list."""
    result = CliRunner().invoke(explain, ["--json", str(path)], catch_exceptions=False)
    answer: Any = json.loads(result.stdout)
    found: list[dict[str, Any]] = [answer] if "kind" in answer else answer
    verdicts = {one["verdict"] for one in found}
    assert result.exit_code == (1 if verdicts & {"quarantined", "refused"} else 0)
    return found


def check(one: dict[str, Any], expected: Expected) -> None:
    assert one["verdict"] == expected.verdict
    assert one["acknowledgement"]["code"] == expected.reply
    assert [event["type"] for event in one["events"]] == [f"fr.liaison.{name}.v1" for name in expected.events]
    told = {f"{finding['rule']} {finding['where']}" for finding in one["findings"]}
    told |= {finding["rule"] for finding in one["findings"]}
    assert [rule for rule in expected.rules if rule not in told] == []
    if not expected.rules:
        assert one["findings"] == []
    letters = [f"{decision['outcome']} {decision['rule']}" for decision in one["decisions"] if decision["destination"] == "promess"]
    assert letters == list(expected.letters)
    for finding in one["findings"]:
        assert finding["message"] and finding["where"], finding["rule"]
        assert finding["remedy"] or finding["severity"] == "information", finding["rule"]


@pytest.mark.parametrize("name", MESSAGES)
def test_each_message(name: str, corpus: Path) -> None:
    (one,) = explained(corpus / "hl7v2" / name)
    check(one, MESSAGES[name])


def test_a_batch_of_two(corpus: Path) -> None:
    both = explained(corpus / "hl7v2" / "messy_pythonhl7_sample_batch2.hl7")
    assert len(both) == 2
    for one in both:
        check(one, BATCH_WITHOUT_STAY)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_document(name: str, corpus: Path) -> None:
    (one,) = explained(corpus / "cda" / name)
    assert one["kind"] == "CDA"
    check(one, DOCUMENTS[name])


def test_the_tables_name_every_file(corpus: Path) -> None:
    messages = {path.name for path in (corpus / "hl7v2").iterdir()} - {"MANIFEST.tsv", "messy_pythonhl7_sample_batch2.hl7"}
    documents = {path.name for path in (corpus / "cda").iterdir()} - {"MANIFEST.tsv"}
    assert (set(MESSAGES), set(DOCUMENTS)) == (messages, documents)


def test_every_file_has_its_page(corpus: Path) -> None:
    for path in [*(corpus / "hl7v2").glob("*.*7"), *(corpus / "cda").glob("*.xml")]:
        result = CliRunner().invoke(explain, [str(path)], catch_exceptions=False)
        assert "Remarques" in result.output
