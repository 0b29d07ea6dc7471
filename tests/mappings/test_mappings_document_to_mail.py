from __future__ import annotations

import base64
import email
import hashlib
import io
import os
import pickle
import zipfile
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from pathlib import Path

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from msgspec.structs import replace

from liaison.care.facts import DocumentAction, DocumentFact, DocumentFlags
from liaison.care.person import Ins, Traits
from liaison.mappings.document_to_mail import LetterHeld, MailSender, Recipient, RecipientKind, letter_from_document

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
GP = Recipient(address="anne.lartigue@medecin.mssante.fr")
SENDER = MailSender(address="liaison@na.mssante.fr", label="CH de Mont-de-Marsan – Cardiologie", nil="DEV935997")
RIM = {"rim": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"}
NARRATIVE = (
    "<structuredBody><component><section><title>Traitements à la sortie</title><text><table><thead><tr><th>Médicament</th></tr></thead>"
    "<tbody><tr><td>Bisoprolol #eval(1)</td></tr></tbody></table></text></section></component></structuredBody>"
)


def cda(body: str, *, family: str = "Dubourg", identifier: str = "1.2.250.1.999.7.2", ids: str | None = None) -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><realmCode code="FR"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<templateId root="2.16.840.1.113883.2.8.2.1"/><templateId root="1.2.250.1.213.1.1.1.1"/>
<templateId root="1.2.250.1.213.1.1.1.29" extension="2022.01"/>
<id root="{identifier}"/><code code="11490-0" codeSystem="2.16.840.1.113883.6.1" displayName="Lettre de liaison à la sortie"/>
<title>Lettre de sortie</title><effectiveTime value="20261120101500+0100"/>
<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/><languageCode code="fr-FR"/><setId root="1.2.250.1.999.7"/>
<versionNumber value="2"/>
<recordTarget><patientRole>{ids or '<id root="1.2.250.1.213.1.4.10" extension="279035121518989"/>'}
<patient><name><family qualifier="BR">{family}</family><given>Zoé Marie</given><given qualifier="BR">Zoé</given></name>
<administrativeGenderCode code="F"/><birthTime value="19790328"/>
<birthplace><place><addr><county>40192</county></addr></place></birthplace></patient></patientRole></recordTarget>
<author><time value="20261120101500+0100"/><assignedAuthor><id root="1.2.250.1.71.4.2.1" extension="810101010101"/>
<assignedPerson><name><family>DAVID</family></name></assignedPerson></assignedAuthor></author>
<documentationOf><serviceEvent><effectiveTime><low value="20261110090500+0100"/></effectiveTime></serviceEvent></documentationOf>
<component>{body}</component></ClinicalDocument>""".encode()


def n1(content: bytes, media_type: str = "application/pdf") -> bytes:
    encoded = base64.b64encode(content).decode()
    return cda(f'<nonXMLBody><text mediaType="{media_type}" representation="B64">{encoded}</text></nonXMLBody>')


def pdf(script: str = "") -> bytes:
    made = pikepdf.new()
    made.add_blank_page()
    if script:
        made.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS=pikepdf.String(script))
    buffer = io.BytesIO()
    made.save(buffer, static_id=True)
    return buffer.getvalue()


def fact(raw: bytes) -> DocumentFact:
    return DocumentFact(
        patient=(),
        action=DocumentAction.PUBLISH,
        id="1.2.250.1.999.7.2",
        set_id="1.2.250.1.999.7",
        version=2,
        type_code="11490-0",
        type_label="Lettre de liaison à la sortie",
        title="Lettre de sortie",
        level="N3",
        created_at=datetime(2026, 11, 20, 9, 15, tzinfo=UTC),
        same_patient=True,
        ins=Ins(matricule="279035121518989", oid="1.2.250.1.213.1.4.10"),
        patient_class="I",
        finess="400011177",
        digest=hashlib.sha256(raw).hexdigest(),
        recorded_at=NOW,
    )


def raw_mail(
    document: DocumentFact, raw: bytes, recipient: Recipient = GP, previous: str = "", sender: MailSender = SENDER
) -> bytes:
    return letter_from_document(
        document, raw, recipient=recipient, sender=sender, message_id="m1@na.mssante.fr", now=NOW, previous_message_id=previous
    )


def parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def mail(
    document: DocumentFact, raw: bytes, recipient: Recipient = GP, previous: str = "", sender: MailSender = SENDER
) -> EmailMessage:
    return parsed(raw_mail(document, raw, recipient, previous, sender))


def part(message: EmailMessage, content_type: str) -> bytes:
    (found,) = [item for item in message.iter_attachments() if item.get_content_type() == content_type]
    content = found.get_content()
    assert isinstance(content, bytes)
    return content


def text(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def metadata(message: EmailMessage) -> etree._Element:  # pyright: ignore[reportPrivateUsage]
    with zipfile.ZipFile(io.BytesIO(part(message, "application/zip"))) as archive:
        return etree.fromstring(archive.read("IHE_XDM/SUBSET01/METADATA.XML"))


def test_an_n1_travels_with_the_very_pdf_that_it_embeds() -> None:
    raw = n1(pdf())
    message = mail(fact(raw), raw)
    assert part(message, "application/pdf") == pdf()
    with zipfile.ZipFile(io.BytesIO(part(message, "application/zip"))) as archive:
        assert archive.read("IHE_XDM/SUBSET01/DOC0001.XML") == raw


def test_an_n3_travels_with_a_pdfa_rendering_under_its_prescribed_name() -> None:
    raw = cda(NARRATIVE)
    message = mail(fact(raw), raw)
    names = [item.get_filename() for item in message.iter_attachments()]
    assert names[0] == "IHE_XDM.ZIP" and names[1] is not None
    assert names[1].startswith("20261110_Lettre_de_liaison_a_la_sortie") and names[1].endswith("_DUBOURG_Zoe.pdf")
    with pikepdf.open(io.BytesIO(part(message, "application/pdf"))) as rendered, rendered.open_metadata() as xmp:
        assert xmp.pdfa_status == "1A"


def test_headers_and_metadata_come_from_the_document_and_the_configuration() -> None:
    raw = cda(NARRATIVE)
    document = replace(fact(raw), flags=DocumentFlags(wants_read_receipt=True, masked_from_professionals=True))
    message = mail(document, raw)
    assert str(message["Subject"]).startswith("XDM/1.0/DDM+Lettre de liaison à la sortie")
    assert str(message["Subject"]).endswith(" DUBOURG Zoé 28/03/1979")
    assert message["X-MSS-CODECDA"] == "11490-0" and message["X-MSS-INS"] == "O" and message["X-MSS-NIL"] == "DEV935997"
    assert message["Disposition-Notification-To"] == "liaison@na.mssante.fr" and message["X-MSS-MES"] is None
    root = metadata(message)
    entry = root.find(".//rim:ExtrinsicObject", RIM)
    assert entry is not None
    assert entry.findtext("rim:Slot[@name='hash']//rim:Value", None, RIM) == hashlib.sha1(raw).hexdigest()
    assert entry.findtext("rim:Slot[@name='size']//rim:Value", None, RIM) == str(len(raw))
    values = {item.get("value") for item in root.iter("{*}ExternalIdentifier")}
    assert "279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH" in values and "1.2.250.1.999.7.2" in values
    codes = {item.get("nodeRepresentation") for item in root.iter("{*}Classification")}
    assert {"11490-0", "N", "MASQUE_PS", "03"} <= codes
    assert "CH de Mont-de-Marsan – Cardiologie^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1400011177" in root.xpath("//text()")  # type: ignore[operator]


def test_without_a_qualified_ins_the_mail_says_so() -> None:
    raw = cda(NARRATIVE)
    assert mail(replace(fact(raw), ins=None), raw)["X-MSS-INS"] == "N"


def test_the_same_arguments_give_the_same_bytes() -> None:
    raw = cda(NARRATIVE)
    assert raw_mail(fact(raw), raw) == raw_mail(fact(raw), raw)


def test_a_replacement_says_so_in_its_text_its_thread_its_metadata_and_on_the_page() -> None:
    first, second = cda(NARRATIVE, identifier="1.2.250.1.999.7.1"), cda(NARRATIVE)
    before = mail(replace(fact(first), mail_body="Mots de l'hôpital."), first)
    document = replace(fact(second), action=DocumentAction.REPLACE, replaces="1.2.250.1.999.7.1", mail_body="Mots de l'hôpital.")
    after = mail(document, second, previous="m0@na.mssante.fr")
    assert text(before).strip() == "Mots de l'hôpital."
    assert "ANNULE ET REMPLACE" in text(after) and "Mots de l'hôpital." in text(after)
    assert after["In-Reply-To"] == "<m0@na.mssante.fr>"
    old = metadata(before).find(".//rim:ExtrinsicObject", RIM)
    (link,) = [item for item in metadata(after).iter("{*}Association") if (item.get("associationType") or "").endswith("RPLC")]
    assert old is not None and link.get("targetObject") == old.get("id")
    assert not [item for item in metadata(before).iter("{*}Association") if (item.get("associationType") or "").endswith("RPLC")]


def test_a_withdrawal_is_a_notice_without_the_document() -> None:
    traits = Traits(birth_name="Dubourg", first_given_name="Zoé", birth_date="19790328")
    document = replace(fact(b""), action=DocumentAction.WITHDRAW, traits=traits, digest="")
    message = mail(document, b"", previous="m0@na.mssante.fr")
    assert message.get_content_type() == "text/plain" and "RETIRÉ" in text(message)
    assert message["Subject"] == "Document retiré : Lettre de liaison à la sortie DUBOURG Zoé 28/03/1979"
    assert message["In-Reply-To"] == "<m0@na.mssante.fr>" and message["X-MSS-CODECDA"] is None
    carried = cda(NARRATIVE)
    assert "DUBOURG Zoé" in text(mail(replace(document, traits=None), carried))


def held(document: DocumentFact, raw: bytes, recipient: Recipient = GP) -> str:
    with pytest.raises(LetterHeld) as caught:
        raw_mail(document, raw, recipient)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.reason, again.rule) == (caught.value.reason, caught.value.rule)
    return caught.value.rule


def test_a_pdf_with_a_script_holds_the_letter() -> None:
    raw = n1(pdf("app.alert(1)"))
    assert held(fact(raw), raw) == "pdf.javascript"


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"<a/>", "cda.no-clinical-document"),
        (b"not xml", "cda.not-xml"),
        (n1(b"{\\rtf1}", "text/rtf"), "letter.not-rendered"),
        (n1(b"%PDF-1.4 broken"), "pdf.unreadable"),
        (cda(""), "letter.not-rendered"),
        (cda("<structuredBody/>"), "letter.not-rendered"),
        (cda(NARRATIVE, ids='<id root="" extension=""/>'), "letter.no-patient-id"),
    ],
)
def test_what_cannot_be_sent_whole_is_held_with_its_rule(raw: bytes, rule: str) -> None:
    assert held(fact(raw), raw) == rule


def test_a_text_is_laid_out() -> None:
    raw = n1("Première ligne\n\nDeuxième".encode(), "text/plain")
    assert part(mail(fact(raw), raw), "application/pdf").startswith(b"%PDF")


def test_other_bytes_than_those_received_are_held() -> None:
    assert held(fact(b"other"), cda(NARRATIVE)) == "letter.other-bytes"


def test_a_patient_gets_a_letter_only_at_the_address_of_the_documents_own_ins() -> None:
    raw = cda(NARRATIVE)

    def patient(matricule: str) -> Recipient:
        return Recipient(address=f"{matricule}@patient.mssante.fr", kind=RecipientKind.PATIENT)

    message = mail(fact(raw), raw, patient("279035121518989"))
    assert message["X-MSS-MES"] == "FIN" and "vous concernant" in text(message)
    replying = replace(SENDER, reply_to="cardiologie@ch-mdm.mssante.fr")
    staffed = mail(fact(raw), raw, patient("279035121518989"), sender=replying)
    assert staffed["X-MSS-MES"] is None and staffed["Reply-To"] == "cardiologie@ch-mdm.mssante.fr"
    closed = replace(fact(raw), flags=DocumentFlags(patient_may_not_reply=True))
    assert mail(closed, raw, patient("279035121518989"), sender=replying)["X-MSS-MES"] == "FIN"
    assert held(fact(raw), raw, patient("179035121518942")) == "letter.patient-address"
    assert held(replace(fact(raw), ins=None), raw, patient("279035121518989")) == "letter.patient-ins"


def test_replies_go_where_the_message_asks_if_that_is_an_address() -> None:
    raw = cda(NARRATIVE)
    replying = replace(SENDER, reply_to="accueil@ch-mdm.mssante.fr")
    assert mail(replace(fact(raw), reply_to="uf12@ch-mdm.mssante.fr"), raw, sender=replying)["Reply-To"] == "uf12@ch-mdm.mssante.fr"
    assert mail(replace(fact(raw), reply_to="Dr X\r\nBcc: a@b.fr"), raw, sender=replying)["Reply-To"] == "accueil@ch-mdm.mssante.fr"


def test_a_recipient_that_is_no_address_is_held() -> None:
    raw = cda(NARRATIVE)
    assert held(fact(raw), raw, Recipient(address="a@b.fr\r\nBcc: c@d.fr")) == "letter.recipient-address"


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=80).map(lambda name: f"{name}\r\nBcc: x@y.fr"))
def test_no_name_in_a_document_adds_a_header(name: str) -> None:
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    raw = cda(NARRATIVE, family=escaped)
    plain = cda(NARRATIVE)
    try:
        message = mail(fact(raw), raw)
    except LetterHeld as error:
        assert error.rule == "cda.not-xml"  # U+FFFE and U+FFFF are no characters of XML
        return
    assert message.keys() == mail(fact(plain), plain).keys()


CORPUS = os.environ.get("LIAISON_CORPUS")


@pytest.mark.skipif(CORPUS is None, reason="LIAISON_CORPUS is not set: no official documents to send")
def test_every_official_document_becomes_a_mail() -> None:
    for file in sorted((Path(CORPUS or "") / "cda").glob("*.xml")):
        raw = file.read_bytes()
        message = mail(fact(raw), raw)
        with pikepdf.open(io.BytesIO(part(message, "application/pdf"))) as rendered:
            assert len(rendered.pages) >= 1, file.name
        assert metadata(message).find(".//rim:ExtrinsicObject", RIM) is not None
