from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.finding import Severity
from liaison.hl7.documents import Action, Transmission, read_transmission
from liaison.hl7.encapsulated import Content
from liaison.hl7.errors import NotHl7
from liaison.hl7.message import Message
from liaison.hl7.participations import Role

CORPUS = os.environ.get("LIAISON_CORPUS")
CDA = b'<?xml version="1.0" encoding="UTF-8"?><ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3"/></ClinicalDocument>'
B64 = base64.b64encode(CDA).decode()
ED = f"^TEXT^XML^Base64^{B64}"
FLAGS = {
    "MASQUE_PS": "N",
    "INVISIBLE_PATIENT": "N",
    "INVISIBLE_REP_LEGAUX": "N",
    "CONNEXION_SECRETE": "N",
    "MODIF_CONF_CODE": "N",
    "DESTDMP": "Y",
    "DESTMSSANTEPS": "Y",
    "DESTMSSANTEPAT": "N",
    "ACK_RECEPTION": "Y",
    "ACK_LECTURE_MSS": "N",
}
SENDER = "PRT||UC||SB^^participation|801234564895^NOM^Prenom^^^^^^ASIP-SANTE- PS&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS|||CH X^^^^^A&1.2.250.1.71.4.2.2&ISO^FINEG^^^400011177"
RECIPIENT = (
    "PRT||UC||RCT^^participation|10001234567^AUTRE^Nom^^^^^^A&1.2.250.1.71.4.2.1&ISO^D^^^RPPS||||||||||^^X.400^gp@test.mssante.fr"
)


def flag_lines(flags: dict[str, str], start: int = 2) -> list[str]:
    return [
        f"OBX|{start + rank}|CE|{code}^Libelle^MetaDMPMSS||{value}^^expandedYes-NoIndicator||||||F"
        for rank, (code, value) in enumerate(flags.items())
    ]


def transmission(
    event: str = "ORU^R01^ORU_R01",
    order: str = "NW",
    status: str = "F",
    data: str = ED,
    after_document: tuple[str, ...] = (SENDER, RECIPIENT),
    flags: list[str] | None = None,
    txa: str = "",
    charset: str = "UNICODE UTF-8",
    obr: str = "11488-4^CR^LN",
    value_type: str = "ED",
) -> Transmission:
    lines = [
        f"MSH|^~\\&|DPI|CH|PFI|PFI|20260105080000||{event}|1|T|2.5|||||FRA|{charset}|||2.1^CISIS_CDA_HL7_V2",
        "PID|1||1^^^CH&400011177&M^PI||PAT-TROIS^DOMINIQUE^DOMINIQUE^^^^L||19790328|F",
        f"ORC|{order}",
        f"OBR|1|||{obr}",
        *([txa] if txa else []),
        f"OBX|1|{value_type}|11488-4^CR^LN||{data}||||||{status}",
        *after_document,
        *(flag_lines(FLAGS) if flags is None else flags),
    ]
    return read_transmission(Message.parse("\r".join(lines).encode()))


def rules(read: Transmission) -> list[str]:
    return [finding.rule for finding in read.findings]


def test_a_conformant_oru_has_no_finding_and_gives_all_that_it_carries() -> None:
    read = transmission()
    assert rules(read) == []
    assert (read.event, read.action, read.order_control) == ("ORU^R01", Action.NEW, "NW")
    assert (read.type_code, read.type_label, read.type_system) == ("11488-4", "CR", "LN")
    (document,) = read.documents
    assert (document.position, document.status, document.body, document.content) == (1, "F", CDA, Content.CDA)
    assert read.flags == {code: value == "Y" for code, value in FLAGS.items()}
    (sender,) = read.participants(Role.SENDER)
    assert sender.person is not None and sender.organisation is not None
    assert (sender.person.id, sender.organisation.id, sender.address) == ("801234564895", "400011177", "")
    (recipient,) = read.participants(Role.RECIPIENT)
    assert recipient.address == "gp@test.mssante.fr"


@pytest.mark.parametrize(
    ("event", "order", "status", "expected"),
    [
        ("ORU^R01", "NW", "F", Action.NEW),
        ("ORU^R01", "RO", "C", Action.REPLACE),
        ("ORU^R01", "CA", "D", Action.DELETE),
        ("MDM^T02", "NW", "F", Action.NEW),
        ("MDM^T10", "RO", "C", Action.REPLACE),
        ("MDM^T04", "CA", "D", Action.DELETE),
    ],
)
def test_the_action_is_what_the_three_places_agree_on(event: str, order: str, status: str, expected: Action) -> None:
    assert transmission(event, order, status).action is expected


@pytest.mark.parametrize(
    ("event", "order", "status"),
    [("ORU^R01", "RO", "F"), ("ORU^R01", "NW", "D"), ("MDM^T02", "RO", "C"), ("MDM^T04", "CA", "F"), ("MDM^T10", "NW", "C")],
)
def test_an_action_that_is_contradicted_is_none_and_an_error(event: str, order: str, status: str) -> None:
    read = transmission(event, order, status)
    assert read.action is None
    (finding,) = [finding for finding in read.findings if finding.rule == "hl7.action-disagrees"]
    assert finding.severity is Severity.ERROR and finding.condition == "207"


def test_an_action_that_nothing_says_is_an_error() -> None:
    read = transmission(order="", status="")
    assert read.action is None
    assert "hl7.action-unknown" in rules(read)


def test_trap_18_an_event_is_read_from_the_two_first_components() -> None:
    read = transmission("MDM^T02^MDM^T02^MDM_T02", txa="TXA|1|11488-4|TEXT|||||||||1.2.3|||||AU")
    assert (read.event, read.action) == ("MDM^T02", Action.NEW)
    assert rules(read) == []


@pytest.mark.parametrize(
    ("txa12", "expected"),
    [("1.2.3", "1.2.3"), ("1.2.3^Organisation", "1.2.3"), ("45^^1.2.3^ISO", "1.2.3^45"), ("^^1.2.3^ISO", "1.2.3")],
)
def test_document_ids_are_roots_with_their_extension(txa12: str, expected: str) -> None:
    read = transmission("MDM^T10", "RO", "C", txa=f"TXA|1|11488-4|TEXT|||||||||{txa12}|9.8.7||||AU")
    assert (read.document_id, read.parent_id) == (expected, "9.8.7")


def test_a_document_that_is_not_authenticated_is_an_error() -> None:
    assert "hl7.document-not-authenticated" in rules(transmission("MDM^T02", txa="TXA|1|X|TEXT|||||||||1.2.3|||||DI"))


def test_a_deletion_without_the_document_is_understood_by_its_id() -> None:
    read = transmission("MDM^T04", "CA", "D", data="", txa="TXA|1|X|TEXT|||||||||1.2.3|||||AU")
    assert read.action is Action.DELETE and read.document_id == "1.2.3"
    assert rules(read) == ["hl7.deletion-without-document"]


def test_a_message_without_a_document_is_fatal() -> None:
    read = transmission(data="")
    assert [finding.severity for finding in read.findings if finding.rule == "hl7.document-missing"] == [Severity.FATAL]


@pytest.mark.parametrize(
    "data",
    [
        f"^TEXT^XML^Base64^{B64[:40]} {B64[40:80]}\t{B64[80:]}",
        f"^TEXT^XML^Base64^{B64.rstrip('=')}",
        f"^TEXT^XML^Base64^{B64}==",
        f"^TEXT^XML^Base64^{B64[:40]}\\.br\\{B64[40:80]}\\X0D0A\\{B64[80:]}",
    ],
)
def test_trap_16_broken_base64_is_repaired_to_the_very_bytes(data: str) -> None:
    read = transmission(data=data)
    assert read.documents[0].body == CDA
    assert rules(read) == ["hl7.base64-repaired"]


@pytest.mark.parametrize("data", ["^TEXT^XML^Base64^pas du base64 !", f"^TEXT^XML^Base64^{B64[:41]}"])
def test_what_is_no_base64_is_fatal(data: str) -> None:
    read = transmission(data=data)
    assert read.documents[0].body is None
    assert {"hl7.base64-invalid", "hl7.document-missing"} <= set(rules(read))


def test_a_bare_pdf_is_recognised_and_said() -> None:
    read = transmission(data=f"^TEXT^PDF^Base64^{base64.b64encode(b'%PDF-1.7 ...').decode()}")
    assert read.documents[0].content is Content.PDF
    assert rules(read) == []


def test_a_document_that_is_only_referred_to_is_fatal() -> None:
    read = transmission(data="//serveur/partage/lettre.pdf", value_type="RP")
    assert "hl7.document-by-reference" in rules(read) and "hl7.document-missing" not in rules(read)


def test_a_file_in_another_type_than_ed_is_taken_with_a_remark() -> None:
    read = transmission(data=f"^TEXT^PDF^Base64^{base64.b64encode(b'%PDF-1.7 ...').decode()}", value_type="ST")
    assert read.documents[0].content is Content.PDF
    assert rules(read) == ["hl7.document-value-type"]


def test_a_document_left_in_the_clear_is_taken_as_it_is() -> None:
    read = transmission(data='^TEXT^XML^A^<ClinicalDocument a="1"><title>CR \\T\\amp; suite</title></ClinicalDocument>')
    assert read.documents[0].body == b'<ClinicalDocument a="1"><title>CR &amp; suite</title></ClinicalDocument>'
    assert rules(read) == ["hl7.document-not-encoded"]


@pytest.mark.parametrize("pipes", [11, 12])
def test_trap_13_an_address_off_by_one_is_found_and_said(pipes: int) -> None:
    shifted = "PRT||UC||RCT^^participation|10001234567^AUTRE" + "|" * (pipes - 2) + "^^X.400^gp@test.mssante.fr"
    read = transmission(after_document=(SENDER, shifted))
    assert read.participants(Role.RECIPIENT)[0].address == "gp@test.mssante.fr"
    assert ("hl7.address-misplaced" in rules(read)) is (pipes != 12)


def test_a_role_is_told_by_its_code_alone() -> None:
    read = transmission(after_document=(SENDER, RECIPIENT, "PRT||UC||REPLY^autre libelle|||||||||||^^X.400^r@test.mssante.fr"))
    assert read.participants(Role.REPLY)[0].address == "r@test.mssante.fr"
    assert rules(read) == []


def test_a_participation_elsewhere_than_after_the_document_is_kept_and_said() -> None:
    read = transmission(flags=[*flag_lines(FLAGS), "PRT||UC||REPLY|||||||||||^^X.400^r@test.mssante.fr", "PRT||UC||XX"])
    assert len(read.participations) == 3
    assert rules(read) == ["hl7.participation-misplaced", "hl7.participation-misplaced", "hl7.participation-unknown"]


def test_trap_15_flags_are_told_by_their_trimmed_code_aliases_included() -> None:
    flags = dict(FLAGS) | {"ACK_LECTURE": "Y", "INVISIBLE_REPRESENTANTS_LEGAUX": "Y"}
    del flags["ACK_LECTURE_MSS"], flags["INVISIBLE_REP_LEGAUX"]
    lines = [line.replace("|MASQUE_PS^Libelle^MetaDMPMSS|", "| MASQUE_PS ^Masque|") for line in flag_lines(flags)]
    read = transmission(flags=lines)
    assert read.flags["ACK_LECTURE_MSS"] and read.flags["INVISIBLE_REP_LEGAUX"] and read.flags["MASQUE_PS"] is False
    assert sorted(rules(read)) == ["hl7.coding-system-missing", "hl7.flag-alias", "hl7.flag-alias"]


def test_trap_15_a_status_shifted_by_one_field_is_understood() -> None:
    read = transmission(status="|F")
    assert read.documents[0].status == "F"
    assert rules(read) == ["hl7.result-status-shifted"]


def test_a_flag_given_twice_with_contrary_values_is_no_flag() -> None:
    read = transmission(flags=flag_lines(FLAGS) + flag_lines({"MASQUE_PS": "Y"}, 20) + flag_lines({"MASQUE_PS": "N"}, 21))
    assert "MASQUE_PS" not in read.flags
    assert rules(read).count("hl7.flag-contradiction") == 1


def test_a_flag_that_is_neither_y_nor_n_is_an_error_and_no_flag() -> None:
    read = transmission(flags=flag_lines(dict(FLAGS) | {"DESTMSSANTEPAT": "OUI"}))
    assert "DESTMSSANTEPAT" not in read.flags
    assert rules(read) == ["hl7.flag-value", "hl7.flag-missing"]


def test_a_document_without_any_flag_says_so_once() -> None:
    assert rules(transmission(flags=[])) == ["hl7.metadata-absent"]


@pytest.mark.parametrize(("note", "expected"), [("NTE|1|||FIN", True), ("NTE|1|||fin ", True), ("NTE|1|||SUITE", False)])
def test_the_patient_may_not_reply_only_when_the_note_right_after_says_so(note: str, expected: bool) -> None:
    lines = flag_lines(FLAGS)
    at = next(rank for rank, line in enumerate(lines) if "DESTMSSANTEPAT" in line) + 1
    assert transmission(flags=[*lines[:at], note, *lines[at:]]).patient_may_not_reply is expected
    assert not transmission(flags=[*lines[: at + 1], note, *lines[at + 1 :]]).patient_may_not_reply


@pytest.mark.parametrize(("charset", "codec"), [("UNICODE UTF-8", "utf-8"), ("8859/15", "iso8859-15"), ("8859/15", "utf-8")])
def test_mail_bodies_are_text_whatever_they_are_encoded_in(charset: str, codec: str) -> None:
    body = base64.b64encode("Cher confrère, ci-joint le compte rendu.".encode(codec)).decode()
    lines = [
        f"OBX|12|ED|CORPSMAIL_PS^Corps^MetaDMPMSS||^TEXT^^Base64^{body}||||||F",
        f"OBX|13|ED|CORPSMAIL_PATIENT^Corps^MetaDMPMSS||^TEXT^^Base64^{base64.b64encode(b'Bonjour').decode()}||||||F",
    ]
    read = transmission(flags=flag_lines(FLAGS) + lines, charset=charset)
    assert read.mail_body == "Cher confrère, ci-joint le compte rendu."
    assert read.mail_body_patient == "Bonjour"
    assert len(read.documents) == 1


def test_a_truncated_mail_body_loses_its_last_character_only() -> None:
    body = base64.b64encode(b"Bonjour Anne").decode() + "Q"
    line = f"OBX|12|ED|CORPSMAIL_PS^Corps^MetaDMPMSS||^TEXT^^Base64^{body}||||||F"
    assert transmission(flags=[*flag_lines(FLAGS), line]).mail_body == "Bonjour Anne"


def test_a_requested_mail_without_any_address_is_said() -> None:
    assert rules(transmission(after_document=(SENDER,))) == ["hl7.recipient-missing"]


def test_a_missing_type_falls_back_to_the_one_of_the_observation() -> None:
    read = transmission(obr="")
    assert read.type_code == "11488-4"
    assert rules(read) == ["hl7.document-type-missing"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["OBX|1|ED|", "OBX|2|CE|", "PRT|", "NTE|1|", "TXA|", "ORC|", "OBR|1|||", "ZZZ|"]),
            st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n\x0b\x1c"), max_size=80),
        ),
        max_size=12,
    )
)
def test_no_content_makes_the_reading_fail(lines: list[tuple[str, str]]) -> None:
    raw = "\r".join(["MSH|^~\\&|A|B|C|D|20260105||ORU^R01|1|T|2.5", *(name + text for name, text in lines)])
    read = read_transmission(Message.parse(raw.encode()))
    assert all(finding.rule.startswith("hl7.") and finding.message and finding.where for finding in read.findings)


@given(st.binary(min_size=1, max_size=400), st.lists(st.integers(0, 500), max_size=5), st.booleans())
def test_trap_16_base64_survives_blanks_anywhere_and_lost_padding(body: bytes, blanks: list[int], padded: bool) -> None:
    text = base64.b64encode(body).decode()
    text = text if padded else text.rstrip("=")
    for position in blanks:
        text = text[: position % len(text)] + " " + text[position % len(text) :]
    assert transmission(data=f"^TEXT^XML^Base64^{text}").documents[0].body == body


@pytest.mark.skipif(not CORPUS, reason="LIAISON_CORPUS is not set: the official examples are not at hand")
def test_every_document_message_of_the_corpus_gives_its_document_and_action() -> None:
    read = 0
    for path in sorted(Path(CORPUS or "", "hl7v2").glob("ans_*")):
        try:
            message = Message.parse(path.read_bytes())
        except NotHl7:
            continue
        if message.header.value(9) not in ("ORU", "MDM"):
            continue
        found = read_transmission(message)
        expected = {"DEL": Action.DELETE, "RPLC": Action.REPLACE, "INIT": Action.NEW}
        assert found.action is next(action for mark, action in expected.items() if mark in path.name), path.name
        (document,) = found.documents
        assert document.body, path.name
        placeholder = path.name.endswith("INIT_N1.er7")
        assert document.content is (Content.TEXT if placeholder else Content.CDA), path.name
        assert found.participants(Role.SENDER) and found.participants(Role.RECIPIENT), path.name
        assert not [finding for finding in found.findings if finding.severity is Severity.FATAL], path.name
        read += 1
    assert read >= 10
