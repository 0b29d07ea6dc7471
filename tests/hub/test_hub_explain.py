"""Explaining a file: whatever its kind, the verdict, the findings and the decisions that the hub itself would come to."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from email import message_from_bytes
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from liaison.care.facts import DocumentFact
from liaison.demo.hospital import BY_KEY
from liaison.demo.people import make_physicians
from liaison.demo.stays import PARIS, TimedMessage, simulate
from liaison.hl7.documents import read_transmission
from liaison.hl7.message import Message
from liaison.hub.contracts import Verdict
from liaison.hub.explain import Explainer
from liaison.hub.explain_file import readings_of
from liaison.hub.file_findings import MAX_FILE
from liaison.hub.policy import Policy
from liaison.mappings.cda_to_facts import interpret_cda
from liaison.mappings.document_to_mail import MailSender, Recipient, letter_from_document
from liaison.mappings.interpretation import SourceProfile
from liaison.mssante.directory import DirectoryEntry, Resolution
from liaison.rules.letters import LetterRules
from liaison.rules.routing import Route

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
POLICY = Policy(
    letters=LetterRules(
        routes=(
            Route(events=("*",), to="platform", patients="all"),
            Route(documents=("*",), to="promess", recipients=("named", "treating-physician")),
        )
    ),
    profiles={},
    destinations=("platform", "promess"),
)
PROFILE = SourceProfile(source="fichier", finess="400011177")


def feed(number: int) -> list[TimedMessage]:
    """The first messages of an invented hospital."""
    rng = random.Random(5)
    start = datetime(2026, 11, 2, 9, tzinfo=PARIS)
    return list(islice(simulate(BY_KEY["ch-mont-de-marsan"], rng, start, physicians=make_physicians(rng)), number))


FEED = feed(400)


def of_kind(kind: str) -> bytes:
    return next(message.raw for message in FEED if message.kind == kind)


def letters() -> list[bytes]:
    """The CDAs that the feed carries."""
    carried = [read_transmission(Message.parse(message.raw)).documents for message in FEED if message.kind == "ORU^R01"]
    return [one.body for documents in carried for one in documents if one.body]


LETTERS = letters()


def explained(raw: bytes) -> list[dict[str, Any]]:
    """The objects of ``--json``, through JSON and back."""
    explainer = Explainer(POLICY, NOW)
    found = [explainer.explain(reading).as_json() for reading in readings_of(raw, lambda _finess: PROFILE, now=NOW)]
    return list(json.loads(json.dumps(found)))


def only(raw: bytes) -> dict[str, Any]:
    (one,) = explained(raw)
    return one


def rules(one: dict[str, Any]) -> list[str]:
    return [finding["rule"] for finding in one["findings"]]


def archive(files: Sequence[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files:
            made.writestr(name, content)
    return buffer.getvalue()


def letter_mail(cda: bytes) -> bytes:
    """The mail that the hub itself would send."""
    fact = next(fact for fact in interpret_cda(cda, PROFILE, received_at=NOW).facts if isinstance(fact, DocumentFact))
    sender = MailSender(address="liaison@na.mssante.fr", label="CH")
    recipient = Recipient(address="anne.lartigue@medecin.mssante.fr")
    return letter_from_document(fact, cda, recipient=recipient, sender=sender, message_id="m1@na.mssante.fr", now=NOW)


def archive_of(mail: bytes) -> bytes:
    parts = [part.get_payload(decode=True) for part in message_from_bytes(mail).walk() if part.get_content_subtype() == "zip"]
    (found,) = parts
    assert isinstance(found, bytes)
    return found


def test_an_admission_is_explained_to_its_decisions() -> None:
    one = only(of_kind("ADT^A01"))
    assert (one["kind"], one["verdict"], one["acknowledgement"]["code"]) == ("ADT^A01", "accepted", "AA")
    assert [event["type"] for event in one["events"]] == ["fr.liaison.identity.created.v1", "fr.liaison.stay.admitted.v1"]
    assert {(decision["destination"], decision["outcome"]) for decision in one["decisions"]} == {("platform", "deliver")}
    assert one["patient"]["traits"]["birth_name"]
    assert one["documents"] == []


def test_state_is_carried_through_a_file() -> None:
    admission = of_kind("ADT^A01")
    first, again = explained(admission + admission)
    assert not first["duplicate"]
    assert again["duplicate"]
    assert again["events"] == []
    assert again["acknowledgement"] == first["acknowledgement"]


@pytest.mark.parametrize("wrap", [b"\x0b%b\x1c\r", b"\xef\xbb\xbf%b", b"FHS|^~\\&|A\rBHS|^~\\&|A\r%bBTS|1\rFTS|1\r"])
def test_what_is_around_a_message_does_not_change_what_it_says(wrap: bytes) -> None:
    raw = of_kind("ADT^A01")
    assert only(wrap % raw)["events"] == only(raw)["events"]


def test_what_is_wrong_with_a_batch_is_told_with_its_first_message() -> None:
    first, second = explained(b"BHS|^~\\&|A\r" + FEED[0].raw + FEED[1].raw + b"BTS|7\r")
    assert "hl7.batch-count" in rules(first)
    assert "hl7.batch-count" not in rules(second)
    assert first["verdict"] == "accepted-with-findings"


def test_an_unfinished_frame_is_read_but_never_answered() -> None:
    one = only(b"\x0b" + of_kind("ADT^A01"))
    assert (one["kind"], one["verdict"], one["acknowledgement"]["code"]) == ("ADT^A01", "quarantined", "")
    assert "hl7.batch-frames" in rules(one)
    assert one["events"] == []


def test_a_bare_cda_says_who_would_get_it_and_why_not() -> None:
    one = only(LETTERS[0])
    assert (one["kind"], one["verdict"]) == ("CDA", "accepted")
    assert [document["action"] for document in one["documents"]] == ["publish"]
    assert ("promess", "hold", "recipient.named-without-address") in {
        (d["destination"], d["outcome"], d["rule"]) for d in one["decisions"]
    }
    assert one["acknowledgement"] == {"code": "", "text": "", "errors": []}


def test_the_hubs_own_mail_and_its_archive_are_understood() -> None:
    mail = letter_mail(LETTERS[0])
    as_mail, as_archive, alone = only(mail), only(archive_of(mail)), only(LETTERS[0])
    assert (as_mail["kind"], as_archive["kind"]) == ("MAIL", "XDM")
    assert as_mail["documents"] == as_archive["documents"] == alone["documents"]
    assert as_mail["findings"] == as_archive["findings"] == alone["findings"]


def test_several_documents_of_an_archive_are_told_apart() -> None:
    one = only(archive([("IHE_XDM/SUBSET01/A.XML", LETTERS[0]), ("IHE_XDM/SUBSET01/B.XML", LETTERS[1])]))
    assert [document["id"] for document in one["documents"]] == [only(letter)["documents"][0]["id"] for letter in LETTERS[:2]]
    assert rules(one)[0] == "xdm.metadata-missing"


def test_one_document_that_cannot_be_read_quarantines_all() -> None:
    one = only(archive([("A.XML", LETTERS[0]), ("B.XML", LETTERS[1][:900])]))
    assert one["verdict"] == "quarantined"
    assert next(f["where"] for f in one["findings"] if f["severity"] == "fatal").startswith("document 2, ")
    assert one["documents"] == one["decisions"] == []


def test_a_document_changed_since_it_was_described_is_kept_for_a_person() -> None:
    with zipfile.ZipFile(io.BytesIO(archive_of(letter_mail(LETTERS[0])))) as original:
        files = [(name, original.read(name)) for name in original.namelist()]
    changed = [
        (name, content.replace(b"</title>", b" </title>", 1) if name.endswith("DOC0001.XML") else content)
        for name, content in files
    ]
    one = only(archive(changed))
    assert one["verdict"] == "quarantined"
    assert "xdm.hash" in rules(one)


@pytest.mark.parametrize(
    ("raw", "kind", "verdict", "rule"),
    [
        (b"", "UNKNOWN", "quarantined", "file.empty"),
        (b"\x00\x00\r\n", "UNKNOWN", "quarantined", "file.empty"),
        (b"%PDF-1.7\n", "UNKNOWN", "quarantined", "file.pdf-alone"),
        (b'{"patient": {}}', "UNKNOWN", "quarantined", "file.side-alone"),
        (b"<depot><patient/></depot>", "UNKNOWN", "quarantined", "file.side-alone"),
        (b'{"resourceType": "Bundle"}', "UNKNOWN", "quarantined", "file.foreign"),
        ("MSH|^~\\&|A".encode("utf-16"), "UNKNOWN", "quarantined", "file.encoding"),
        (b"H|~^\\&|a.HPR||LABO||ORU|||CH||P|H2.1~C|202611200830\r", "HPRIM-SANTE", "quarantined", "hprim.sante"),
        (b"<evenementsPatients xmlns='http://www.hprim.org/hprimXML'/>", "HPRIM-XML", "quarantined", "hprim.xml"),
        (b"1\r\nNOM\r\n****FIN****\r\n", "HPRIM-MEDECIN", "quarantined", "hprim.medecin"),
        (b"BHS|^~\\&|A\rMSH|^~\\&|A|||||||1\rPID|1", "UNKNOWN", "quarantined", "hl7.batch-unclosed"),
        (b"BHS|^~\\&|A\rBTS|0\r", "UNKNOWN", "refused", "file.no-message"),
        (b"\x8f\x02\xff\xfe binary \x00 noise", "UNKNOWN", "quarantined", "hl7.no-msh"),
        (b"MSH|^~\\&|A", "UNKNOWN", "quarantined", "hl7.control-id-missing"),
        (b"<ADT_A01 xmlns='urn:hl7-org:v2xml'/>", "UNKNOWN", "quarantined", "hl7.xml"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><ClinicalDocument/>", "CDA", "quarantined", "cda.doctype"),
        (b"<Bundle xmlns='http://hl7.org/fhir'/>", "CDA", "quarantined", "cda.no-clinical-document"),
        ("<a/>".encode("utf-16"), "CDA", "quarantined", "cda.encoding"),
        (archive([("../A.XML", b"<a/>")]), "XDM", "quarantined", "xdm.unsafe-name"),
        (archive([("A.XML", b" " * 60_000_000)]), "XDM", "quarantined", "xdm.bomb"),
        (archive([("LISEZMOI.TXT", b"a")]), "XDM", "quarantined", "file.no-document"),
        (b"PK\x03\x04 not a zip", "XDM", "quarantined", "xdm.unreadable"),
        (b"From: a@b.fr\r\nSubject: x\r\n\r\nBonjour", "MAIL", "ignored", "file.plain-mail"),
        (b"From: a@b.fr\r\nContent-Type: multipart/report; boundary=x\r\n\r\n--x\r\n\r\nlu\r\n--x--", "MAIL", "ignored", "file.receipt"),
        (b"From: a@b.fr\r\nTo: c@d.fr\r\n" + b"Content-Type: multipart/mixed\r\n" * 60, "MAIL", "quarantined", "mail.too-deep"),
    ],
)  # fmt: skip
def test_what_is_no_message_gets_its_clear_answer(raw: bytes, kind: str, verdict: str, rule: str) -> None:
    one = only(raw)
    assert (one["kind"], one["verdict"]) == (kind, verdict)
    assert rule in rules(one)
    assert one["events"] == one["decisions"] == one["facts"] == []


def test_a_file_that_is_too_large_is_not_read() -> None:
    assert rules(only(bytes(MAX_FILE + 1))) == ["file.too-large"]


class BrokenDirectory:
    """A directory that fails on every question."""

    def of_professional(self, rpps: str) -> Sequence[DirectoryEntry]:
        raise RuntimeError

    def of_address(self, address: str) -> Sequence[DirectoryEntry]:
        raise RuntimeError

    def of_structure(self, structure_id: str) -> Sequence[DirectoryEntry]:
        raise RuntimeError

    def resolve_structure(self, finess: str) -> Resolution:
        raise RuntimeError

    def resolve(self, rpps: str, *, structures: frozenset[str] = frozenset()) -> Resolution:
        raise RuntimeError


def test_a_fault_of_ours_costs_its_message_only() -> None:
    broken = replace(POLICY, letters=replace(POLICY.letters, directory=BrokenDirectory()))
    explainer = Explainer(broken, NOW)
    raw = of_kind("ORU^R01") + of_kind("ADT^A01")
    letter, admission = [explainer.explain(reading) for reading in readings_of(raw, lambda _finess: PROFILE, now=NOW)]
    assert letter.taken.answer.verdict is Verdict.QUARANTINED
    assert "hub.fault" in {finding.rule for finding in letter.findings}
    assert admission.taken.answer.verdict is Verdict.ACCEPTED


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_never_raises(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from([FEED[0].raw, FEED[7].raw, LETTERS[0][:4000], archive([("A.XML", LETTERS[0])])])))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=12))
    for one in explained(bytes(raw)):
        assert one["verdict"] in set(Verdict)
        assert one["findings"] or one["verdict"] in ("accepted", "ignored")
