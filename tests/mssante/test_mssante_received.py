"""A received mail: what it carries is found, whatever it says of itself."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.finding import Severity
from liaison.mssante.received import MAX_PARTS, looks_like_mail, read_mail

ZIP = b"PK\x05\x06" + bytes(18)
CDA = b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"/>'


def mail(*attachments: tuple[str, str, bytes], subject: str = "XDM/1.0/DDM+Lettre DARRIEUX Odette") -> EmailMessage:
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = "service@hopital.mssante.fr"
    message["To"] = "anne.lartigue@medecin.mssante.fr"
    message["Subject"] = subject
    message.set_content("Bonjour")
    for content_type, name, content in attachments:
        maintype, _, subtype = content_type.partition("/")
        message.add_attachment(content, maintype=maintype, subtype=subtype, filename=name)
    return message


def rules(raw: bytes) -> list[str]:
    return [finding.rule for finding in read_mail(raw).findings]


def test_attachments_are_told_apart_by_what_they_are() -> None:
    raw = mail(
        ("application/zip", "IHE_XDM.zip", ZIP),
        ("application/octet-stream", "lettre.XML", CDA),
        ("application/pdf", "lettre.pdf", b"%PDF-1.4"),
    ).as_bytes()
    read = read_mail(raw)
    assert (read.archives, read.documents, read.others) == ((ZIP,), (CDA,), 1)
    assert read.findings == ()
    assert not read.is_receipt


def test_a_forwarded_mail_is_looked_into() -> None:
    outer = mail(subject="TR: lettre")
    outer.add_attachment(mail(("application/zip", "IHE_XDM.ZIP", ZIP)))
    assert read_mail(outer.as_bytes()).archives == (ZIP,)


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (mail(("application/zip", "IHE_XDM.ZIP", ZIP), subject="Lettre").as_bytes(), "mail.subject"),
        (mail(("application/zip", "lettre.zip", ZIP)).as_bytes(), "mail.archive-name"),
        (b"From: a@b.fr\r\n" + b"Content-Type: multipart/mixed; boundary=a\r\n" * 60, "mail.too-deep"),
        (mail(*[("application/pdf", "a.pdf", b"%PDF")] * (MAX_PARTS + 1)).as_bytes(), "mail.too-many-parts"),
    ],
)
def test_what_is_odd_is_said(raw: bytes, rule: str) -> None:
    assert rules(raw) == [rule]


def test_an_encoded_subject_is_read() -> None:
    assert rules(mail(("application/zip", "IHE_XDM.ZIP", ZIP), subject="XDM/1.0/DDM+Lettre d'été É. NOËL").as_bytes()) == []


@pytest.mark.parametrize(
    ("raw", "is_mail"),
    [
        (mail().as_bytes(), True),
        (b"From a@b Sat Nov 21\r\n" + mail().as_bytes(), True),
        (b"MSH|^~\\&|A\rFrom: a\rTo: b\r", False),
        (b"<a/>", False),
        (b"Note: un texte\r\n\r\nSubject: x\r\n", False),
        (b"", False),
    ],
)
def test_a_mail_is_recognised_by_its_head(raw: bytes, is_mail: bool) -> None:
    assert looks_like_mail(raw) is is_mail


@given(st.data())
def test_a_damaged_mail_never_raises(data: st.DataObject) -> None:
    raw = bytearray(mail(("application/zip", "IHE_XDM.ZIP", ZIP), ("text/xml", "a.xml", CDA)).as_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    read = read_mail(bytes(raw))
    assert len(read.archives) + len(read.documents) <= 2 or any(f.severity is Severity.FATAL for f in read.findings)
