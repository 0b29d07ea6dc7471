"""A file that is no HL7 v2: recognised by its content, and read into the same thing as a message.

A CDA, an XDM archive, a PDF with its side file or a mail become facts like any other; HPRIM and the rest are named and kept. Such a
file names no control id and gets no HL7 acknowledgement: its reply is JSON, for people and programs.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from liaison.care.facts import DocumentFact, Fact
from liaison.finding import Finding, Severity
from liaison.hl7.errors import Hl7Error
from liaison.hl7.message import Message
from liaison.hprim.recognise import finding_of, recognise
from liaison.hub.contracts import MessageIds, Reading, Sender, Verdict
from liaison.hub.file_findings import EMPTY, FOREIGN, NO_DOCUMENT, PDF_ALONE, PLAIN_MAIL, RECEIPT, SIDE_ALONE, UTF16, unsafe
from liaison.hub.reading import LARGE, TEXTS, bounded, interpret_hl7, read_hl7, verdict_of
from liaison.hub.vault.sealing import pack
from liaison.mappings.cda_to_facts import interpret_cda
from liaison.mappings.interpretation import SourceProfile
from liaison.mappings.pdf_side import cda_of_pair
from liaison.mssante.container import UnsafeArchive, unpack
from liaison.mssante.received import looks_like_mail, read_mail
from liaison.mssante.xdm import read_archive
from liaison.private import Private
from liaison.rules.sender import keeper
from liaison.sidefile.pair import find_pair, is_pdf
from liaison.sidefile.read import side_kind


class FileKind(enum.StrEnum):
    """What a file is, by its content."""

    HL7 = "HL7"
    CDA = "CDA"
    #: An archive: of documents (XDM), or of a PDF and its side file.
    XDM = "XDM"
    MAIL = "MAIL"
    HPRIM = "HPRIM"
    #: Of a known sort that carries no health message by itself.
    FOREIGN = "FOREIGN"
    EMPTY = "EMPTY"


#: A PDF with its side file, once the archive is open.
PAIR: Final = "PDF"

#: First bytes → what people call such a file.
_FOREIGN: Final = (
    (b"{\\rtf", "un document RTF"),
    (b"\x89PNG", "une image PNG"),
    (b"\xff\xd8\xff", "une image JPEG"),
    (b"\x1f\x8b", "un fichier gzip"),
    (b"\xd0\xcf\x11\xe0", "un document Office"),
    (b"\x7fELF", "un programme"),
    (b"{", "du JSON"),
    (b"[", "du JSON"),
)
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_UTF16_XML: Final = (b"\xff\xfe<\x00", b"\xfe\xff\x00<")
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
#: Findings that make the content of an archive doubtful: what was described is not what is there, or not of one patient.
_DOUBTFUL: Final = frozenset({"xdm.hash", "xdm.size", "xdm.patient", "xdm.several-patients"})
_ORDER: Final = (Verdict.IGNORED, Verdict.ACCEPTED, Verdict.ACCEPTED_WITH_FINDINGS, Verdict.QUARANTINED)


class Contents(Private, frozen=True, kw_only=True):
    """The documents that a file holds, and what was noticed before any was read."""

    kind: str
    documents: tuple[bytes, ...] = ()
    findings: tuple[Finding, ...] = ()
    #: There is nothing to read in it, and nothing wrong with that: a receipt, a plain mail.
    idle: bool = False


def read_any(raw: bytes, sender: Sender, profile: SourceProfile, *, now: datetime, reply_id: str) -> Reading:
    """The reading of what a source brought: a message, or, from a source of files, whatever a file may be."""
    if sender.file and kind_of(raw) is not FileKind.HL7:
        return read_file(raw, sender, profile, now=now)
    return read_hl7(raw, sender, profile, now=now, reply_id=reply_id)


def kind_of(raw: bytes) -> FileKind:
    """What a file is."""
    if not raw.strip(b"\x00\r\n\t \x1a"):
        return FileKind.EMPTY
    head = _head(raw)
    if raw.startswith(_UTF16_XML) or (head.startswith(b"<") and b"urn:hl7-org:v2xml" not in head):
        return FileKind.HPRIM if recognise(raw) else FileKind.FOREIGN if side_kind(raw) else FileKind.CDA
    if raw.startswith(_ZIP):
        return FileKind.XDM
    if _foreign(raw):
        return FileKind.FOREIGN
    if head.startswith((b"MSH", b"FHS", b"BHS")):
        return FileKind.HL7
    if recognise(raw) is not None:
        return FileKind.HPRIM
    return FileKind.MAIL if looks_like_mail(raw) else FileKind.HL7


def read_file(raw: bytes, sender: Sender, profile: SourceProfile, *, now: datetime) -> Reading:
    """The reading of a file of any kind but HL7. Never raises for what it holds."""
    contents = contents_of(raw, profile)
    findings, facts, establishment = list(contents.findings), list[Fact](), ""
    verdict = Verdict.IGNORED if contents.idle else Verdict.ACCEPTED
    if any(one.rule in _DOUBTFUL or one.severity is Severity.FATAL for one in findings):
        verdict = Verdict.QUARANTINED
    documents = tuple(dict.fromkeys(contents.documents))
    for rank, content in enumerate(documents, 1):
        interpretation = interpret_cda(content, profile, received_at=now)
        place = f"document {rank}, " if len(documents) > 1 else ""
        findings += [replace(finding, where=f"{place}{finding.where}") for finding in interpretation.findings]
        facts += interpretation.facts
        verdict = max(verdict, verdict_of(interpretation), key=_ORDER.index)
        # A file has no MSH: its keeper alone says whose it is.
        heard = keeper(next((fact.finess for fact in interpretation.facts if isinstance(fact, DocumentFact)), ""), profile)
        if isinstance(heard, Finding):
            findings.append(replace(heard, where=f"{place}{heard.where}"))
            verdict = Verdict.QUARANTINED
        else:
            establishment = establishment or heard
    if verdict is Verdict.ACCEPTED and any(finding.severity is not Severity.INFORMATION for finding in findings):
        verdict = Verdict.ACCEPTED_WITH_FINDINGS
    quarantined = verdict is Verdict.QUARANTINED
    told = bounded(tuple(findings))
    number = next((fact.id for fact in facts if isinstance(fact, DocumentFact)), "")
    return Reading(
        raw=raw,
        sender=sender,
        ids=MessageIds(kind=contents.kind, control_id="" if quarantined else number, content=hashlib.sha256(raw).digest()),
        facts=() if quarantined else tuple(facts),
        findings=told,
        verdict=verdict,
        reply=file_reply(verdict, told),
        reply_as=file_reply,
        packed=pack(raw) if len(raw) >= LARGE else None,
        establishment=establishment or profile.finess or profile.source,
    )


def documents_of(raw: bytes, profile: SourceProfile) -> Mapping[str, bytes]:
    """The documents that a message or a file carries, by digest. Never raises for what it holds."""
    if kind_of(raw) is FileKind.HL7:
        try:
            return interpret_hl7(Message.parse(raw, charset=profile.charset), profile)[0].documents
        except Hl7Error:
            return {}
    return {hashlib.sha256(content).hexdigest(): content for content in contents_of(raw, profile).documents}


def contents_of(raw: bytes, profile: SourceProfile) -> Contents:
    """The documents of a file of any kind but HL7."""
    match kind := kind_of(raw):
        case FileKind.CDA:
            return Contents(kind=kind, documents=(raw,))
        case FileKind.XDM:
            return _archive(raw, profile)
        case FileKind.MAIL:
            return _mail(raw)
        case FileKind.HPRIM:
            named = recognise(raw)
            return Contents(kind=named.kind, findings=(finding_of(named),)) if named is not None else Contents(kind="")
        case FileKind.EMPTY:
            return Contents(kind="", findings=(EMPTY,))
        case _:
            return Contents(kind="", findings=(_named(raw),))


def file_reply(verdict: Verdict, findings: tuple[Finding, ...]) -> bytes:
    """What a sender of files reads of the verdict, as JSON: no value of the file is in it."""
    told = [
        {"severity": one.severity, "rule": one.rule, "where": one.where, "message": one.message, "remedy": one.remedy}
        for one in findings
    ]
    return msgspec.json.format(msgspec.json.encode({"verdict": verdict, "text": TEXTS[verdict], "findings": told}))


def _archive(raw: bytes, profile: SourceProfile) -> Contents:
    try:
        pair = find_pair(unpack(raw))
        if pair is not None:
            findings: list[Finding] = []
            cda = cda_of_pair(pair, profile, findings)
            return Contents(kind=PAIR, documents=(cda,) if cda is not None else (), findings=tuple(findings))
        archive = read_archive(raw)
    except UnsafeArchive as fault:
        return Contents(kind=FileKind.XDM, findings=(unsafe(fault),))
    documents = tuple(one.content for one in archive.documents)
    return Contents(
        kind=FileKind.XDM, documents=documents, findings=archive.findings if documents else (*archive.findings, NO_DOCUMENT)
    )


def _mail(raw: bytes) -> Contents:
    mail = read_mail(raw)
    findings, documents = list(mail.findings), list(mail.documents)
    for packed in mail.archives:
        try:
            archive = read_archive(packed)
        except UnsafeArchive as fault:
            return Contents(kind=FileKind.MAIL, findings=(*findings, unsafe(fault)))
        findings += archive.findings
        documents += [one.content for one in archive.documents]
    fatal = any(finding.severity is Severity.FATAL for finding in findings)
    idle = not documents and not mail.archives and not fatal
    if idle:
        findings.append(RECEIPT if mail.is_receipt else PLAIN_MAIL)
    elif not documents and not fatal:
        findings.append(NO_DOCUMENT)
    return Contents(kind=FileKind.MAIL, documents=tuple(documents), findings=tuple(findings), idle=idle)


def _named(raw: bytes) -> Finding:
    """What a file is that carries no message by itself."""
    if raw.startswith(_UTF16):
        return UTF16
    if is_pdf(raw):
        return PDF_ALONE
    if side_kind(raw) is not None:
        return SIDE_ALONE
    told = f"Le fichier est {_foreign(raw)} : ni un message HL7 v2, ni un CDA, ni une archive XDM, ni un courriel."
    return replace(FOREIGN, message=told)


def _head(raw: bytes) -> bytes:
    return raw[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()


def _foreign(raw: bytes) -> str:
    head = _head(raw)
    if raw.startswith(_UTF16):
        return "un texte en UTF-16"
    if is_pdf(raw):
        return "un PDF"
    if side_kind(raw) is not None:
        return "un fichier d’accompagnement"
    return next((name for first, name in _FOREIGN if head.startswith(first)), "")
