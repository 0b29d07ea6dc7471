"""Acknowledgements: what a sender gets, and what a peer's answer says."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import hl7
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liaison.finding import Finding, Severity
from liaison.hl7.acknowledgement import AckError, build_ack, erl, error_of, read_ack
from liaison.hl7.errors import Hl7Error, NotHl7
from liaison.hl7.message import Message

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=ZoneInfo("Europe/Paris"))
ADT = "MSH|^~\\&|GAM|CH-X|LIAISON|PFI|20240306||ADT^A03^ADT_A03|39\\T\\75|T|2.5^FRA^2.11|||||FRA|8859/15\rPID|1\r"
MISSING = AckError(
    location="PID^1^3", condition="101", severity=Severity.ERROR, text="L’identifiant du patient manque", remedy="Émettre PID-3"
)


def reply(raw: bytes, *errors: AckError, code: str = "AA", text: str = "") -> Message:
    try:
        message = Message.parse(raw)
    except NotHl7:
        message = None
    return Message.parse(build_ack(message, code, text, errors, control_id="R1", now=NOW, raw=raw))


def test_the_reply_is_addressed_to_the_sender() -> None:
    header = reply(ADT.encode()).header
    assert [header.value(number) for number in (3, 4, 5, 6)] == ["LIAISON", "PFI", "GAM", "CH-X"]
    assert header.raw_field(9) == "ACK^A03^ACK"
    assert [header.value(number) for number in (7, 10, 11, 17, 18)] == ["20261122103000+0100", "R1", "T", "FRA", "8859/15"]
    assert header.raw_field(12) == "2.5^FRA^2.11"


def test_msa_names_the_message_as_its_sender_wrote_it() -> None:
    raw = build_ack(Message.parse(ADT.encode()), "AA", "", (), control_id="R1", now=NOW, raw=ADT.encode())
    assert raw.endswith(b"\rMSA|AA|39\\T\\75\r")


@pytest.mark.parametrize(
    ("kind", "version"), [("ORU^R01^ORU_R01", "2.5"), ("MDM^T02^MDM_T02", "2.6"), ("MDM^T02^MDM^T02^MDM_T02", "2.6")]
)
def test_the_version_follows_the_volet(kind: str, version: str) -> None:
    header = reply(ADT.replace("ADT^A03^ADT_A03", kind).encode()).header
    assert header.value(12) == version
    assert header.raw_field(9) == "ACK^" + kind.split("^")[1] + "^ACK"


def test_errors_say_where_what_and_what_to_do() -> None:
    answer = reply(ADT.encode(), MISSING, AckError(application="903", text="Pas d’INS"), code="AE", text="Rejeté | à revoir")
    assert answer.segments[1].value(3) == "Rejeté | à revoir"
    first, second = answer.all("ERR")
    assert [first.value(2, n) for n in (1, 2, 3)] == ["PID", "1", "3"]
    assert [first.value(3, n) for n in (1, 2, 3)] == ["101", "Champ obligatoire absent", "HL70357"]
    assert (first.value(4), first.value(5), first.value(7)) == ("E", "", "Émettre PID-3")
    assert first.value(8) == "L'identifiant du patient manque"  # 8859/15 has no typographic apostrophe
    assert (second.value(3), second.value(5), second.value(5, 2)) == ("207", "903", "Aucune INS dans le document CDA")


@pytest.mark.parametrize("codec", ["utf-8", "iso8859-15", "iso8859-1"])
def test_the_reply_is_in_the_senders_character_set(codec: str) -> None:
    declared = {"utf-8": "UNICODE UTF-8", "iso8859-15": "8859/15", "iso8859-1": "8859/1"}[codec]
    raw = ADT.replace("8859/15", declared).encode()
    answer = build_ack(Message.parse(raw), "AE", "Refusé", (MISSING,), control_id="R1", now=NOW, raw=raw)
    assert "Refusé" in answer.decode(codec)
    assert not Message.parse(answer).findings


def test_other_delimiters_are_answered_in_kind() -> None:
    raw = b"MSH#*+!$#GAM#CH#LIAISON#PFI#2024##ADT*A01#77#P#2.5\r"
    answer = build_ack(Message.parse(raw), "AE", "a#b", (MISSING,), control_id="R1", now=NOW, raw=raw)
    assert answer.startswith(b"MSH#*+!$#LIAISON#PFI#GAM#CH#")
    told = read_ack(answer)
    assert (told.control_id, told.text, told.errors[0].location) == ("77", "a#b", "PID^1^3")


@pytest.mark.parametrize(
    ("raw", "control_id"),
    [
        (b"", ""),
        (b"\x00\xff garbage", ""),
        (b"bla bla MSH|^~\\&|A|B|C|D|2024||ADT^A01|99|P|2.5", "99"),
        (b"BHS|^~\\&|\rMSH|^~\\&|A|B|C|D|2024||ADT^A01|99|P|2.5\r", "99"),
        (b"<ADT><MSH><MSH.10>44</MSH.10></MSH></ADT>", "44"),
        ("MSH|^~\\&|A|B|C|D|2024||ADT^A01|12|P|2.5\r".encode("utf-16"), "12"),
        (b"MSH", ""),
        (b"MSH|", ""),
        (b"MSH|||||||||55", "55"),
    ],
)
def test_what_cannot_be_read_is_answered_all_the_same(raw: bytes, control_id: str) -> None:
    answer = reply(raw, MISSING, code="AR", text="Illisible")
    assert answer.segments[1].value(2) == control_id
    assert answer.header.value(11) == "P"
    assert answer.header.value(12).startswith("2.")


@pytest.mark.parametrize("truncation", ["\x0b", "\x1c", "\n", "\x7f", " "])
def test_a_fifth_encoding_character_that_cannot_be_written_is_not_repeated(truncation: str) -> None:
    assert reply(ADT.replace("^~\\&", f"^~\\&{truncation}", 1).encode()).header.value(2) == "^~\\&"


def test_a_reply_cannot_be_broken_by_what_it_copies() -> None:
    raw = b"MSH|^~\\&|A\x1cB\x0b|C|||2024||ADT^A01\x00|1\x1c2|P|2.5\r"
    answer = build_ack(Message.parse(raw), "AA", "", (), control_id="R1", now=NOW, raw=raw)
    assert not set(answer) & {0x0B, 0x1C, 0x00}
    assert read_ack(answer).control_id == "12"


@pytest.mark.parametrize(
    ("where", "location"),
    [
        ("PID-3[2].4", "PID^1^3^2^4"),
        ("MSH-12", "MSH^1^12"),
        ("OBX[3]-5", "OBX^3^5"),
        ("PV1-3.4.2", "PV1^1^3^1^4^2"),
        ("ZBE", "ZBE^1"),
        ("/ClinicalDocument/setId", ""),
        ("segment 4", ""),
    ],
)
def test_places_become_locations(where: str, location: str) -> None:
    assert erl(where) == location


def test_a_finding_becomes_an_error() -> None:
    finding = Finding(severity=Severity.FATAL, where="PID-3", rule="hl7.x", message="Il manque", remedy="Ajouter", condition="101")
    assert error_of(finding) == AckError(
        location="PID^1^3", condition="101", severity=Severity.FATAL, text="Il manque", remedy="Ajouter"
    )


def test_a_peers_answer_is_read() -> None:
    told = read_ack(b"MSH|^~\\&|A|B|C|D|2024||ACK|1|P|2.5\rMSA| ae |77|non\rERR||PID^1^3|101^absent^HL70357|F|||quoi|pourquoi\r")
    assert (told.code, told.control_id, told.text) == ("AE", "77", "non")
    assert told.errors == (AckError(location="PID^1^3", condition="101", severity=Severity.FATAL, text="pourquoi", remedy="quoi"),)


def test_an_answer_of_before_v2_5_is_read() -> None:
    told = read_ack(b"MSH|^~\\&|A|B|C|D|2024||ACK|1|P|2.3\rMSA|AE|77\rERR|PID^1^3^101&absent&HL70357\r")
    assert told.errors == (AckError(location="PID^1^3", condition="101", text="absent"),)


def test_an_answer_without_msa_acknowledges_nothing() -> None:
    with pytest.raises(Hl7Error) as refusal:
        read_ack(b"MSH|^~\\&|A\rPID|1\r")
    assert refusal.value.rule == "hl7.no-msa"


def test_python_hl7_reads_our_reply() -> None:
    raw = ADT.encode()
    theirs = hl7.parse(
        build_ack(Message.parse(raw), "AE", "Refusé", (MISSING,), control_id="R1", now=NOW, raw=raw).decode("iso8859-15")
    )
    assert theirs.extract_field("MSA", 1, 1) == "AE"
    assert theirs.extract_field("ERR", 1, 3) == "101"


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)


@given(TEXT, TEXT, st.sampled_from(("UNICODE UTF-8", "", "8859/1")))
@settings(deadline=None)
def test_any_text_comes_back(text: str, remedy: str, declared: str) -> None:
    raw = ADT.replace("8859/15", declared).encode()
    told = read_ack(build_ack(Message.parse(raw), "AE", text, (AckError(text=remedy),), control_id="R1", now=NOW, raw=raw))
    assert told.code == "AE" and told.control_id == "39&75"
    if declared != "8859/1":
        assert (told.text, told.errors[0].text or "Erreur interne à l’application") == (
            text,
            remedy or "Erreur interne à l’application",
        )


@given(st.binary(max_size=80), st.sampled_from((b"", b"MSH", b"MSH|", b"MSH|^~\\&|A|B|C|D|1||ADT^A01|")))
@settings(deadline=None)
def test_anything_gets_an_answer_that_can_be_read(tail: bytes, head: bytes) -> None:
    answer = reply(head + tail, code="AR", text="Illisible")
    assert answer.segments[1].value(1) == "AR"
    assert len(answer.segments) == 2


@pytest.mark.skipif(not os.environ.get("LIAISON_CORPUS"), reason="LIAISON_CORPUS is not set")
def test_corpus_acknowledgements_are_read_and_corpus_messages_answered() -> None:
    for path in sorted(Path(os.environ["LIAISON_CORPUS"], "hl7v2").iterdir()):
        raw = path.read_bytes()
        if path.name.endswith("_ack.er7"):
            assert read_ack(raw).code == "AA" and read_ack(raw).control_id == "015"
        elif path.suffix in (".er7", ".hl7"):
            assert reply(raw, MISSING, code="AE").segments[1].value(2)
