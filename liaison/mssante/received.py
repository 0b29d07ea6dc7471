"""A mail that was received: the archives and documents that it carries, found without trust in what it says of itself.

Later versions of a mail's reading (receipts, partners' mailboxes) start here; nothing of it proves who sent it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from typing import Final

from liaison.finding import Finding, Severity
from liaison.mssante.mail import SUBJECT_PREFIX
from liaison.mssante.xdm import ARCHIVE_NAME
from liaison.private import Private

#: A mail of Mon espace santé may weigh 25 MB, a third more once encoded; others are shorter (mssante digest §3).
MAX_MAIL: Final = 60_000_000
#: Parts inside parts, counted before anything is parsed: the standard library descends into each.
MAX_CONTAINERS: Final = 50
MAX_PARTS: Final = 200

_CONTAINER = re.compile(rb"^content-type:\s*(?:multipart|message)/", re.IGNORECASE | re.MULTILINE)
_HEADER = re.compile(rb"[A-Za-z][A-Za-z0-9-]{0,70}:[ \t]*[^\r\n]*\r?\n")
_MAIL_HEADER = re.compile(
    rb"^(?:from|to|subject|date|message-id|mime-version|received|return-path|delivered-to|content-type):",
    re.IGNORECASE | re.MULTILINE,
)
_HEAD = 16_384


class ReceivedMail(Private, frozen=True, kw_only=True):
    """What a mail carries, in its order."""

    #: Bytes of ZIP attachments.
    archives: tuple[bytes, ...] = ()
    #: Bytes of XML attachments.
    documents: tuple[bytes, ...] = ()
    #: Other attachments: companions (the PDF of each document), images.
    others: int = 0
    #: A delivery or read receipt (RFC 3464, RFC 8098).
    is_receipt: bool = False
    findings: tuple[Finding, ...] = ()


def looks_like_mail(raw: bytes) -> bool:
    """Whether bytes begin like an RFC 5322 mail, an mbox line before it tolerated."""
    head = raw[:_HEAD].lstrip()
    if head.startswith(b"From "):
        head = head.partition(b"\n")[2]
    return _HEADER.match(head) is not None and len(_MAIL_HEADER.findall(head)) >= 2


def read_mail(raw: bytes) -> ReceivedMail:
    """The attachments of a mail. Never raises for its content: what cannot be read is a fatal finding."""
    if len(raw) > MAX_MAIL:
        return _unread("too-large", f"Le courriel dépasse {MAX_MAIL // 1_000_000} Mo.", "Envoyer un document plus petit.")
    if len(_CONTAINER.findall(raw)) > MAX_CONTAINERS:
        return _unread("too-deep", f"Le courriel imbrique plus de {MAX_CONTAINERS} parties.", "Joindre l'archive directement.")
    try:
        return _read(message_from_bytes(raw, policy=policy.compat32))
    except (MessageError, LookupError, TypeError, ValueError, RecursionError):
        return _unread(
            "unreadable", "Le courriel est abîmé : ses parties ne peuvent être lues.", "Le renvoyer depuis sa messagerie."
        )


def _read(mail: Message) -> ReceivedMail:
    archives: list[bytes] = []
    documents: list[bytes] = []
    others = 0
    named = True
    for number, part in enumerate(_leaves(mail), 1):
        if number > MAX_PARTS:
            return _unread("too-many-parts", f"Le courriel compte plus de {MAX_PARTS} parties.", "Joindre l'archive directement.")
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            continue
        name = part.get_filename() or ""
        if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            archives.append(content)
            named = named and name.upper() == ARCHIVE_NAME
        elif name.lower().endswith(".xml") or part.get_content_type() in ("text/xml", "application/xml"):
            documents.append(content)
        elif name:
            others += 1
    findings: list[Finding] = []
    if archives and not _subject(mail).startswith(SUBJECT_PREFIX):
        findings.append(_SUBJECT)
    if not named:
        findings.append(_ARCHIVE_NAME)
    return ReceivedMail(
        archives=tuple(archives),
        documents=tuple(documents),
        others=others,
        is_receipt=mail.get_content_type() == "multipart/report",
        findings=tuple(findings),
    )


def _leaves(mail: Message) -> Iterator[Message]:
    return (part for part in mail.walk() if not part.is_multipart())


def _subject(mail: Message) -> str:
    try:
        return str(make_header(decode_header(str(mail.get("Subject", "")))))
    except (LookupError, ValueError, MessageError):
        return ""


def _unread(rule: str, message: str, remedy: str) -> ReceivedMail:
    finding = Finding(severity=Severity.FATAL, where="courriel", rule=f"mail.{rule}", message=message, remedy=remedy)
    return ReceivedMail(findings=(finding,))


_SUBJECT = Finding(
    severity=Severity.WARNING,
    where="Subject",
    rule="mail.subject",
    message=f"L'objet ne commence pas par « {SUBJECT_PREFIX} » (ECO.2.1.3) : un logiciel ne reconnaîtra pas l'archive.",
    remedy="Demander à l'éditeur de former l'objet comme le prescrit le référentiel MSSanté n° 2.",
)
_ARCHIVE_NAME = Finding(
    severity=Severity.WARNING,
    where="Content-Disposition",
    rule="mail.archive-name",
    message=f"Une archive jointe ne s'appelle pas {ARCHIVE_NAME} (ECO.2.1.1).",
    remedy=f"Demander à l'éditeur de nommer la pièce jointe {ARCHIVE_NAME}.",
)
