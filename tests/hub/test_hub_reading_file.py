"""Files as a source of files brings them: the same reading as a message, under the same guard."""

from __future__ import annotations

import base64
import json

import pytest
from msgspec.structs import replace

from liaison.care.facts import DocumentFact, IdentityFact
from liaison.hub.contracts import Reading, Sender, Verdict
from liaison.hub.reading_file import FileKind, documents_of, kind_of, read_any
from liaison.mappings.interpretation import SourceProfile
from liaison.sidefile.pair import Pair, pack_pair
from tests.hub.people import NOW, PROFILE, SOURCE

PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer<<>>\n%%EOF\n"
SIDE = {
    "type": "34112-3",
    "date": "2026-11-20",
    "patient": {"ipp": "1", "nom_naissance": "DARRIEUX", "premier_prenom": "ODETTE", "date_naissance": "1975-11-03", "sexe": "F"},
}
PAIR = pack_pair(Pair(pdf=PDF, side=json.dumps(SIDE).encode()))


def read(raw: bytes, profile: SourceProfile = PROFILE, *, file: bool = True) -> Reading:
    return read_any(raw, Sender(source=SOURCE, file=file), profile, now=NOW, reply_id="R1")


def bare_pdf(charset: str, encoding: str, *, place: str = "") -> bytes:
    lines = (
        f"MSH|^~\\&|GAM|CH|L|G|20261120120000||ORU^R01^ORU_R01|42|P|2.5|||||FRA|{charset}",
        "PID|||800042^^^CH&1.2.250.1.999.1&ISO^PI||BÉARN^Zoé^Zoé^^^^L||19751103|F",
        f"PV1|1|I|3201^^^{place}",
        "ORC|NW",
        "OBR|1|||34112-3^CR^LN|||20261119101500",
        f"OBX|1|ED|34112-3^CR^LN||^TEXT^PDF^Base64^{base64.b64encode(PDF).decode()}||||||F",
    )
    return "\r".join((*lines, "")).encode(encoding)


def test_a_pdf_with_its_side_file_is_read_like_a_letter() -> None:
    reading = read(PAIR)
    assert [type(fact) for fact in reading.facts] == [IdentityFact, DocumentFact]
    assert reading.ids.kind == "PDF" and reading.ids.control_id.startswith("2.25.")
    answer = json.loads(reading.reply)
    assert answer["verdict"] == str(reading.verdict) == "accepted-with-findings"
    assert "DARRIEUX" not in reading.reply.decode()


def test_only_a_source_of_files_reads_what_is_no_message() -> None:
    reading = read(PAIR, file=False)
    assert reading.verdict is Verdict.QUARANTINED and reading.reply.startswith(b"MSH|")


@pytest.mark.parametrize(
    ("charset", "encoding", "own"), [("UNICODE UTF-8", "utf-8", ""), ("8859/15", "iso8859-15", ""), ("", "cp1252", "iso8859-15")]
)
def test_a_letter_is_found_again_in_the_message_that_brought_it(charset: str, encoding: str, own: str) -> None:
    profile = replace(PROFILE, charset=own) if own else PROFILE
    for raw in (bare_pdf(charset, encoding), PAIR):
        reading = read(raw, profile)
        (fact,) = (fact for fact in reading.facts if isinstance(fact, DocumentFact))
        assert fact.digest in documents_of(raw, profile)


def test_a_letter_of_one_hospital_of_several_is_found_again() -> None:
    profile = replace(PROFILE, establishments={PROFILE.finess: PROFILE.finess, "400780284": "400780284"})
    raw = bare_pdf("UNICODE UTF-8", "utf-8", place="CHD&400780284&N")
    (fact,) = (fact for fact in read(raw, profile).facts if isinstance(fact, DocumentFact))
    assert fact.finess == "400780284"
    assert fact.digest in documents_of(raw, profile)


def test_a_document_that_another_hospital_keeps_is_not_heard_from_this_one() -> None:
    (cda,) = documents_of(PAIR, replace(PROFILE, finess="330781360")).values()
    assert read(cda).verdict is not Verdict.QUARANTINED
    guarded = replace(PROFILE, senders=frozenset({"GAM|CH"}), others_authorities=frozenset({"finess:330781360"}))
    reading = read(cda, guarded)
    assert reading.verdict is Verdict.QUARANTINED and reading.facts == ()
    assert [(one.rule, one.where) for one in reading.findings if one.rule.startswith("sender.")] == [
        ("sender.establishment-of-another", "/ClinicalDocument/custodian")
    ]
    own = next(iter(documents_of(PAIR, PROFILE).values()))
    assert read(own, guarded).verdict is not Verdict.QUARANTINED


@pytest.mark.parametrize("raw", [b"MSH|^~\\&|A", b"\r\nFHS|^~\\&|A", b"\xef\xbb\xbfBHS|^~\\&|A", b"bruit quelconque"])
def test_what_may_be_hl7_is_left_to_its_reader(raw: bytes) -> None:
    assert kind_of(raw) is FileKind.HL7
