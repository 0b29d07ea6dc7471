"""A mail as the physician's software shows it: its sender, its letter as PDF, and the CDA of its IHE_XDM.ZIP."""

from __future__ import annotations

import email
import email.policy
from datetime import datetime
from email.message import EmailMessage

from lxml import etree

from liaison.cda.xml import CdaError, parse
from liaison.mssante.xdm import UnsafeArchive, read_archive
from liaison.private import Private

_MAX_PARTS = 30
_MAX_DOCUMENTS = 10
#: Headers that say something to a reader, in this order.
_SHOWN = (
    "From",
    "To",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "Disposition-Notification-To",
    "X-MSS-CODECDA",
    "X-MSS-INS",
    "X-MSS-NIL",
    "X-MSS-MES",
)


class Attachment(Private, frozen=True, kw_only=True):
    """A file of the mail."""

    name: str
    content: bytes


class MailView(Private, frozen=True, kw_only=True):
    """A mail, taken apart."""

    number: int = 0
    at: datetime
    sender: str
    recipients: tuple[str, ...]
    subject: str
    headers: tuple[tuple[str, str], ...]
    text: str
    pdfs: tuple[Attachment, ...] = ()
    documents: tuple[Attachment, ...] = ()
    size: int
    #: What could not be opened, in French; empty when all could.
    trouble: str = ""

    @property
    def about(self) -> str:
        """The subject without the prefix that machines read (mssante §3.1)."""
        return self.subject.removeprefix("XDM/1.0/DDM+")


def read_mail(raw: bytes, recipients: tuple[str, ...], at: datetime) -> MailView:
    """Take ``raw`` apart. What cannot be read is left out and said in ``trouble``; nothing raises."""
    message = email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.SMTP)
    texts: list[str] = []
    pdfs: list[Attachment] = []
    documents: list[Attachment] = []
    trouble = ""
    for number, part in enumerate(message.walk()):
        if number >= _MAX_PARTS:
            trouble = "Le courriel a trop de parties."
            break
        if part.is_multipart():
            continue
        name = part.get_filename() or ""
        kind = part.get_content_type()
        if name.lower() == "ihe_xdm.zip":
            try:
                archive = read_archive(_bytes(part))
            except UnsafeArchive:
                trouble = "L'archive IHE_XDM.ZIP ne peut pas être ouverte."
            else:
                documents += [Attachment(name=d.name, content=d.content) for d in archive.documents[:_MAX_DOCUMENTS]]
        elif kind == "application/pdf":
            pdfs.append(Attachment(name=name or "document.pdf", content=_bytes(part)))
        elif kind == "text/plain" and not name:
            texts.append(_bytes(part).decode(part.get_content_charset("utf-8"), "replace"))
    return MailView(
        at=at,
        sender=_header(message, "From"),
        recipients=recipients,
        subject=_header(message, "Subject"),
        headers=tuple((name, _header(message, name)) for name in _SHOWN if message.get(name)),
        text="\n".join(texts).strip(),
        pdfs=tuple(pdfs[:_MAX_DOCUMENTS]),
        documents=tuple(documents),
        size=len(raw),
        trouble=trouble,
    )


def pretty(document: bytes, longest: int = 400_000) -> str:
    """The XML of a document with one element a line and its base64 shortened, for reading; never as markup."""
    try:
        root = parse(document)
    except CdaError:
        return document[:longest].decode("utf-8", "replace")
    for element in root.iter():
        if element.text and len(element.text) > 4000 and " " not in element.text[:200].strip():
            element.text = f"{element.text.strip()[:120]}… [{len(element.text) // 1024} ko en base64]"
    etree.indent(root, "  ")
    return etree.tostring(root, encoding="unicode")[:longest]


def _bytes(part: EmailMessage) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _header(message: EmailMessage, name: str) -> str:
    try:
        return " ".join(str(message.get(name, "")).split())
    except (ValueError, IndexError, AttributeError):  # the header parser of the standard library stumbles over some hostile ones
        return ""
