"""From a hospital's ORU or MDM to the GP's mailbox: each mail read field by field with code that shares nothing with the hub's."""

from __future__ import annotations

import base64
import email
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import Envelope
from lxml import etree

from tests.acceptance import feed, letters
from tests.acceptance.pdf import check_pdf_a, pdf_text
from tests.acceptance.xdm import SET_IDENTIFIERS, Archive, Document, expected_entry
from tests.servers.eventually import eventually
from tests.servers.hub import Hub, MakeHub
from tests.servers.mailbox import Mailbox

SENDER = "liaison@na.mssante.fr"
LABEL = "CH de Mont-de-Marsan – Cardiologie"


class Received:
    """A mail as its receiver's software sees it."""

    def __init__(self, envelope: Envelope) -> None:
        raw = envelope.content
        assert isinstance(raw, bytes)
        self.envelope = envelope
        self.message = email.message_from_bytes(raw, policy=policy.default)
        assert not self.message.defects
        self.text, self.zip, self.pdf = self._parts()
        self.archive = Archive(self.zip.get_content())

    def header(self, name: str) -> str:
        """The one header of a name; empty when there is none."""
        values = [str(value) for value in self.message.get_all(name, [])]
        assert len(values) <= 1, f"{name} stands more than once"
        return values[0] if values else ""

    def _parts(self) -> tuple[EmailMessage, EmailMessage, EmailMessage]:
        assert self.message.get_content_type() == "multipart/mixed"
        text, archive, pdf = (part for part in self.message.walk() if not part.is_multipart())
        return text, archive, pdf


def check_headers(mail: Received, *, recipient: str, document: Document, receipt: bool, reply_to: str, previous: str = "") -> None:
    """mssante digest §3.1, row by row."""
    sender = mail.message["From"].addresses[0]
    assert (sender.addr_spec, sender.display_name) == (SENDER, LABEL)
    assert mail.envelope.mail_from == SENDER, "MAIL FROM equals From: else no automatic MDN (RFC 8098)"
    assert mail.header("Sender") == mail.header("Cc") == mail.header("Bcc") == ""
    assert mail.header("Reply-To") == reply_to
    assert [one.addr_spec.lower() for one in mail.message["To"].addresses] == [recipient.lower()]
    assert [address.lower() for address in mail.envelope.rcpt_tos] == [recipient.lower()]
    subject = mail.header("Subject")
    born = datetime.strptime(document.birth_date, "%Y%m%d").strftime("%d/%m/%Y")
    assert subject.startswith("XDM/1.0/DDM+")
    assert subject.endswith(f" {document.birth_name} {document.first_given} {born}")
    label = subject.removeprefix("XDM/1.0/DDM+").removesuffix(f" {document.birth_name} {document.first_given} {born}")
    assert 0 < len(label) <= 40
    assert document.get("h:code/@displayName").startswith(label)
    assert abs(parsedate_to_datetime(mail.header("Date")) - datetime.now(UTC)) < timedelta(minutes=5)
    assert mail.header("MIME-Version") == "1.0"
    assert re.fullmatch(r"<[A-Za-z0-9._=-]{20,}@na\.mssante\.fr>", mail.header("Message-ID"))
    assert mail.header("In-Reply-To") == mail.header("References") == previous
    assert mail.header("Disposition-Notification-To") == (SENDER if receipt else "")
    assert mail.header("X-MSS-CODECDA") == document.code
    assert mail.header("X-MSS-INS") == "O"
    assert mail.header("X-MSS-NIL") == "DEV935997"


def check_archive(mail: Received, *, document: Document, masks: Sequence[str] = (), content_type: str) -> None:
    """cda-fr digest §4 and §5: the archive, its DocumentEntry and its SubmissionSet, attribute by attribute."""
    assert mail.zip.get_content_type() == "application/zip"
    assert mail.zip.get_filename() == "IHE_XDM.ZIP"
    archive = mail.archive
    folder = "IHE_XDM/SUBSET01/"
    assert archive.names == ["README.TXT", "INDEX.HTM", f"{folder}METADATA.XML", f"{folder}DOC0001.XML"]
    assert archive.document == document.raw, "the document is not the very bytes of OBX-5"
    readme = archive.files["README.TXT"]
    assert b"Liaison" in readme
    assert readme.count(b"\n") == readme.count(b"\r\n") > 3
    index = etree.fromstring(archive.files["INDEX.HTM"], etree.XMLParser(load_dtd=False, no_network=True, resolve_entities=False))
    links = index.xpath("//*[local-name()='a']/@href")
    assert isinstance(links, list)
    assert f"{folder}DOC0001.XML" in links
    assert not index.xpath("//*[local-name()='script']")

    entry, expected = archive.entry, expected_entry(document.raw, tuple(masks))
    assert {name: entry.get(name) for name in expected} == expected
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", str(archive.object.get("id")))
    package = archive.package
    markers = package.xpath("*[@classificationNode='urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd']")
    assert isinstance(markers, list) and len(markers) == 1
    assert re.fullmatch(r"\d{14}", archive.slots(package)["submissionTime"][0])
    identifiers = {name: archive.identifier(package, scheme) for name, scheme in SET_IDENTIFIERS.items()}
    assert identifiers["patientId"] == expected["patientId"]
    for name in ("sourceId", "uniqueId"):
        assert re.fullmatch(r"[0-2](\.(0|[1-9]\d*))+", identifiers[name])
        assert len(identifiers[name]) <= 64
    assert identifiers["uniqueId"] not in (expected["uniqueId"], identifiers["sourceId"])
    contents = archive.classification(package, "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500")
    assert (contents.get("nodeRepresentation"), archive.slots(contents)["codingScheme"]) == (content_type, ["1.2.250.1.213.2.2"])
    author = archive.slots(archive.classification(package, "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"))
    assert author["authorInstitution"][0].endswith("^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1400011177")
    assert archive.associations(":HasMember") == [(package.get("id"), archive.object.get("id"))]


def check_pdf(mail: Received, *, document: Document) -> None:
    """ECO.2.1.5 and ECO.2.1.6: the document again as PDF/A-1, under its prescribed name."""
    assert mail.pdf.get_content_type() == "application/pdf"
    name = mail.pdf.get_filename() or ""
    day = document.get("h:documentationOf/h:serviceEvent/h:effectiveTime/h:low/@value")[:8]
    assert re.fullmatch(rf"{day}_[A-Za-z0-9_-]{{3,40}}_{document.birth_name}_{document.first_given}\.pdf", name)
    content = mail.pdf.get_content()
    if document.is_n1:
        embedded = document.get("h:component/h:nonXMLBody/h:text/text()")
        assert content == base64.b64decode(embedded), "the PDF is not the very one that the N1 embeds"
        return
    check_pdf_a(content)
    words = pdf_text(content)
    if words:
        for value in (
            document.birth_name,
            document.first_given,
            document.get("h:author/h:assignedAuthor/h:assignedPerson/h:name/h:family/text()"),
        ):
            assert value in words
        for title in document.all("h:component/h:structuredBody/h:component/h:section/h:title/text()"):
            assert "".join(title.split()).lower() in "".join(words.split()).lower()


async def send(hub: Hub, port: int, *files: Path) -> None:
    """What a hospital's technician types."""
    await hub.liaison("send", *map(str, files), "--to", f"127.0.0.1:{port}")


async def mails(mailbox: Mailbox, count: int) -> list[Received]:
    await eventually(lambda: len(mailbox.mails) >= count, 60.0, what=f"{count} mails, {len(mailbox.mails)} came")
    assert len(mailbox.mails) == count
    return [Received(envelope) for envelope in mailbox.mails]


def to(received: Sequence[Received], recipient: str) -> Received:
    """The last mail to somebody."""
    return [mail for mail in received if mail.envelope.rcpt_tos[0].lower() == recipient.lower()][-1]


FLAGS = {**feed.FOR_PROFESSIONALS, "DESTMSSANTEPAT": "Y", "ACK_LECTURE_MSS": "Y", "ACK_RECEPTION": "Y"}


@pytest.mark.parametrize("level", ["N1", "N3"])
async def test_a_letter_reaches_its_gp_and_its_patient_and_so_does_its_replacement(
    make_hub: MakeHub, port: int, platform: str, submission: int, mailbox: Mailbox, tmp_path: Path, level: str
) -> None:
    hub = make_hub(letters.CONFIGURATION.format(port=port, platform=platform, submission=submission))
    await hub.start()
    people = (letters.GP, letters.PATIENT_ADDRESS)
    first = letters.letter(1, level)
    documents = [letters.document(1, level), letters.document(2, level, replaces=first)]
    reply_to = "secretariat.cardiologie@ch-mdm.mssante.fr"
    previous: dict[str, str] = {}
    received: list[Received] = []
    for version, content in enumerate(documents):
        document = Document(content)
        message = feed.letter(
            f"LETTER{version}",
            content,
            person=letters.PERSON,
            visit="2600000001",
            to=people,
            flags=FLAGS,
            replaces=bool(version),
            mail_body="Cher confrère,\nvoici la lettre de Mme Darrieux.\n",
            reply_to=reply_to,
            no_reply=True,
        )
        file = tmp_path / f"letter-{version}.hl7"
        file.write_bytes(message)
        await send(hub, port, file)
        received = await mails(mailbox, 2 * (version + 1))
        for recipient in people:
            mail = to(received, recipient)
            check_headers(
                mail, recipient=recipient, document=document, receipt=True, reply_to=reply_to, previous=previous.get(recipient, "")
            )
            check_archive(mail, document=document, content_type="03")
            check_pdf(mail, document=document)
            check_pdf_a(mail.pdf.get_content())
            assert mail.header("X-MSS-MES") == ("FIN" if recipient == letters.PATIENT_ADDRESS else "")
            assert ("ANNULE ET REMPLACE" in mail.text.get_content()) == bool(version)
            previous[recipient] = mail.header("Message-ID")
        gp = to(received, letters.GP)
        assert gp.text.get_content_type() == "text/plain"
        assert gp.text.get_content_charset() == "utf-8"
        assert "Cher confrère,\nvoici la lettre de Mme Darrieux." in gp.text.get_content().replace("\r\n", "\n")
        if version:
            replaced = to(received[:2], letters.GP).archive.object.get("id")
            assert gp.archive.associations(":RPLC") == [(gp.archive.object.get("id"), replaced)]
    assert len({mail.header("Message-ID") for mail in received}) == 4
    counts = await hub.drained()
    assert counts["messages_by_verdict"].keys() <= {"accepted", "accepted-with-findings"}


async def test_the_same_letter_sent_again_is_answered_again_and_mailed_once(
    make_hub: MakeHub, port: int, platform: str, submission: int, mailbox: Mailbox, tmp_path: Path
) -> None:
    hub = make_hub(letters.CONFIGURATION.format(port=port, platform=platform, submission=submission))
    await hub.start()
    content = letters.document(3, "N1")
    for number, control_id in enumerate(("SAME", "SAME", "OTHER")):
        message = feed.letter(control_id, content, person=letters.PERSON, visit="2600000002", to=[letters.GP])
        file = tmp_path / f"letter-{number}.hl7"
        file.write_bytes(message)
        await send(hub, port, file)
    counts = await hub.drained()
    assert len(mailbox.mails) == 1
    assert counts["messages"] == 2  # a resend is not another message


@pytest.mark.parametrize(
    ("samples", "recipients", "masks", "receipts", "content_type"),
    [
        pytest.param(
            (
                "ans_transdoc_vague2_init_message_ORU_CR_Bio_INIT_N3_SEGUR.hl7",
                "ans_transdoc_vague2_replace_message_ORU_CR_Bio_RPLC_N3_SEGUR.hl7",
            ),
            # The first sample gives its patient an address that is not the INS's: that mail is held.
            (("adam.hoda@test-ci-sis.mssante.fr",), ("adam.hoda@test-ci-sis.mssante.fr", "279035121518989@patient.mssante.fr")),
            ((), ()),
            (True, False),
            "03",
            id="ORU-N3",
        ),
        pytest.param(
            (
                "ans_lps_vague2_init_message_MDM_LPS_MSS_CR_Radio_INIT_N1_Base64.er7",
                "ans_lps_vague2_replace_message_MDM_LPS_MSS_CR_Radio_RPLC_N1.er7",
            ),
            (("dpi@hopitala.mssante.fr",), ("dpi@hopitala.mssante.fr",)),
            (("INVISIBLE_PATIENT", "INVISIBLE_REP_LEGAUX"), ()),
            (False, False),
            "97",
            id="MDM-N1",
        ),
    ],
)
async def test_the_official_samples_become_the_mails_that_the_texts_describe(
    make_hub: MakeHub,
    port: int,
    platform: str,
    submission: int,
    mailbox: Mailbox,
    corpus: Path,
    samples: tuple[str, str],
    recipients: tuple[tuple[str, ...], tuple[str, ...]],
    masks: tuple[tuple[str, ...], tuple[str, ...]],
    receipts: tuple[bool, bool],
    content_type: str,
) -> None:
    hub = make_hub(letters.CONFIGURATION.format(port=port, platform=platform, submission=submission))
    await hub.start()
    previous: dict[str, str] = {}
    schema = etree.XMLSchema(etree.parse(corpus / "cda-pack" / "infrastructure" / "cda" / "CDA_extended.xsd"))
    expected = 0
    for sample, people, masked, receipt in zip(samples, recipients, masks, receipts, strict=True):
        document = Document(embedded_document((corpus / "hl7v2" / sample).read_bytes()))
        await send(hub, port, corpus / "hl7v2" / sample)
        expected += len(people)
        received = await mails(mailbox, expected)
        for recipient in people:
            mail = to(received, recipient)
            check_headers(
                mail,
                recipient=recipient,
                document=document,
                receipt=receipt,
                reply_to="adam.hoda@test-ci-sis.mssante.fr",
                previous=previous.get(recipient, ""),
            )
            check_archive(mail, document=document, masks=masked, content_type=content_type)
            check_pdf(mail, document=document)
            schema.assertValid(etree.fromstring(mail.archive.document))
            previous[recipient] = mail.header("Message-ID")
    await hub.drained()


def embedded_document(raw: bytes) -> bytes:
    """OBX-5.5 of the first OBX, by hand; some samples leave the padding out."""
    line = next(line for line in re.split(rb"[\r\n]+", raw) if line.startswith(b"OBX|1|ED|"))
    encoded = line.split(b"|")[5].split(b"^")[4]
    return base64.b64decode(encoded + b"=" * (-len(encoded) % 4))


def test_the_stories_own_letters_are_valid_documents(corpus: Path) -> None:
    schema: Any = etree.XMLSchema(etree.parse(corpus / "cda-pack" / "infrastructure" / "cda" / "CDA_extended.xsd"))
    for level in ("N1", "N3"):
        schema.assertValid(etree.fromstring(letters.document(1, level)))
