"""From the bytes of a file to readings: HL7 (one message, a batch, MLLP frames), a CDA, an XDM archive, or a mail that carries them.

A document that comes alone names no recipient and gets no reply; what it is, whose it is and what is wrong with it are read as for a
message. Whatever the bytes are, at least one reading comes out.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from msgspec.structs import replace

from liaison.care.facts import DocumentFact, Fact
from liaison.care.identifiers import finess
from liaison.cda.header import read_header
from liaison.cda.xml import CdaError
from liaison.finding import Finding, Severity
from liaison.hl7.batch import split_batch
from liaison.hl7.datatypes import read_hd
from liaison.hl7.errors import Hl7Error
from liaison.hl7.message import Message
from liaison.hub.contracts import MessageIds, Reading, Sender, Verdict
from liaison.hub.reading import read_hl7, verdict_of
from liaison.mappings.cda_to_facts import interpret_cda
from liaison.mappings.interpretation import SourceProfile
from liaison.mssante.received import looks_like_mail, read_mail
from liaison.mssante.xdm import UnsafeArchive, read_archive

#: Given the FINESS that a file speaks of (empty when it says none), the source that it is read as coming from.
ChooseProfile: TypeAlias = Callable[[str], SourceProfile]

MAX_FILE: Final = 100_000_000


class FileKind(enum.StrEnum):
    """What a file is, by its first bytes."""

    HL7 = "HL7"
    CDA = "CDA"
    XDM = "XDM"
    MAIL = "MAIL"
    #: Of a known sort that carries no health message: see ``foreign``.
    FOREIGN = "FOREIGN"
    EMPTY = "EMPTY"


#: First bytes → what people call such a file.
_FOREIGN: Final = (
    (b"%PDF-", "un PDF"),
    (b"{\\rtf", "un document RTF"),
    (b"\x89PNG", "une image PNG"),
    (b"\xff\xd8\xff", "une image JPEG"),
    (b"\x1f\x8b", "un fichier gzip"),
    (b"\xd0\xcf\x11\xe0", "un document Office"),
    (b"\x7fELF", "un programme"),
    (b"{", "du JSON"),
    (b"[", "du JSON"),
)
_UTF16_XML: Final = (b"\xff\xfe<\x00", b"\xfe\xff\x00<")
#: Findings that make the content of an archive doubtful: what was described is not what is there, or not of one patient.
_DOUBTFUL: Final = frozenset({"xdm.hash", "xdm.size", "xdm.patient", "xdm.several-patients"})
#: How many messages are searched for the establishment that speaks.
_LOOKED_AT: Final = 20


def kind_of(raw: bytes) -> FileKind:
    """What a file is."""
    if not raw.strip(b"\x00\r\n\t \x1a"):
        return FileKind.EMPTY
    head = _head(raw)
    if raw.startswith(_UTF16_XML) or (head.startswith(b"<") and b"urn:hl7-org:v2xml" not in head):
        return FileKind.CDA
    if raw.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return FileKind.XDM
    if _foreign(head):
        return FileKind.FOREIGN
    return FileKind.MAIL if looks_like_mail(raw) else FileKind.HL7


def readings_of(raw: bytes, choose: ChooseProfile, *, now: datetime) -> Iterator[Reading]:
    """The readings of a file, in its order: one, or one a message of a batch. Never raises for what the file holds."""
    if len(raw) > MAX_FILE:
        yield unread(choose(""), TOO_LARGE)
        return
    match kind_of(raw):
        case FileKind.EMPTY:
            yield unread(choose(""), EMPTY)
        case FileKind.FOREIGN:
            told = f"Le fichier est {_foreign(_head(raw))} : ni un message HL7 v2, ni un CDA, ni une archive XDM, ni un courriel."
            yield unread(choose(""), replace(FOREIGN, message=told))
        case FileKind.CDA:
            yield _documents(FileKind.CDA, raw, (raw,), (), choose, now)
        case FileKind.XDM:
            yield _archive(raw, choose, now)
        case FileKind.MAIL:
            yield _mail(raw, choose, now)
        case FileKind.HL7:
            yield from _messages(raw, choose, now)


def unread(profile: SourceProfile, finding: Finding) -> Reading:
    """The reading of what the hub would not take at all, and why."""
    return _reading("", b"", profile, (), (finding,), Verdict.REFUSED)


# HL7 ------------------------------------------------------------------------------------------------------------------------------


def _messages(raw: bytes, choose: ChooseProfile, now: datetime) -> Iterator[Reading]:
    messages, faults = split_batch(raw)
    profile = choose(next((code for code in map(_speaker, messages[:_LOOKED_AT]) if code), ""))
    sender = Sender(source=profile.source)
    if not messages:
        reading = unread(profile, NO_MESSAGE)
        if raw.startswith(b"\x0b"):
            # A frame without an end: the hub never takes it nor answers, but its sender wants to know what is in it.
            reading = read_hl7(raw.lstrip(b"\x0b"), sender, profile, now=now, reply_id="LIA0")
            reading = _reading(reading.ids.kind, raw, profile, (), (*faults, *reading.findings), Verdict.QUARANTINED)
        yield reading
        return
    for number, message in enumerate(messages, 1):
        reading = read_hl7(message, sender, profile, now=now, reply_id=f"LIA{now:%Y%m%d%H%M%S}{number % 1_000_000:06d}")
        # What is wrong with the batch is told once, with its first message.
        yield replace(reading, findings=(*faults, *reading.findings)) if faults and number == 1 else reading


def _speaker(raw: bytes) -> str:
    """The FINESS of the establishment that a message speaks for: where the patient lies, else whose numbers it writes."""
    try:
        message = Message.parse(raw)
    except Hl7Error:
        return ""
    places = ((name, field, component) for name, field, component in (("PV1", 3, 4), ("PID", 18, 4), ("PID", 3, 4), ("PV1", 19, 4)))
    for name, field, component in places:
        segment = message.first(name)
        for repetition in segment.repetitions(field) if segment is not None else ():
            authority = read_hd(repetition, component)
            code = finess(authority.universal_id) if authority.type in ("M", "N", "") else None
            if code:
                return code
    return finess(message.header.value(4)) or finess(message.header.value(4, 2)) or ""


# Documents ------------------------------------------------------------------------------------------------------------------------


def _archive(raw: bytes, choose: ChooseProfile, now: datetime) -> Reading:
    try:
        archive = read_archive(raw)
    except UnsafeArchive as fault:
        return _quarantined(FileKind.XDM, raw, choose(""), (_unsafe(fault),))
    return _documents(FileKind.XDM, raw, [one.content for one in archive.documents], archive.findings, choose, now)


def _mail(raw: bytes, choose: ChooseProfile, now: datetime) -> Reading:
    mail = read_mail(raw)
    findings, documents = list(mail.findings), list(mail.documents)
    if any(finding.severity is Severity.FATAL for finding in findings):
        return _quarantined(FileKind.MAIL, raw, choose(""), tuple(findings))
    for packed in mail.archives:
        try:
            archive = read_archive(packed)
        except UnsafeArchive as fault:
            return _quarantined(FileKind.MAIL, raw, choose(""), (*findings, _unsafe(fault)))
        findings += archive.findings
        documents += [one.content for one in archive.documents]
    if not documents and not mail.archives:
        findings.append(RECEIPT if mail.is_receipt else PLAIN_MAIL)
        return _reading(FileKind.MAIL, raw, choose(""), (), tuple(findings), Verdict.IGNORED)
    return _documents(FileKind.MAIL, raw, documents, findings, choose, now)


def _documents(
    kind: FileKind, raw: bytes, contents: Sequence[bytes], faults: Sequence[Finding], choose: ChooseProfile, now: datetime
) -> Reading:
    """One reading of all the documents of a file: accepted when each of them can be understood, else quarantined whole."""
    contents = tuple(dict.fromkeys(contents))
    profile = choose(next((code for code in map(_custodian, contents) if code), ""))
    findings, facts = list(faults), list[Fact]()
    verdict = Verdict.QUARANTINED if any(fault.rule in _DOUBTFUL for fault in faults) else Verdict.ACCEPTED
    for number, content in enumerate(contents, 1):
        interpretation = interpret_cda(content, profile, received_at=now)
        place = f"document {number}, " if len(contents) > 1 else ""
        findings += [replace(finding, where=f"{place}{finding.where}") for finding in interpretation.findings]
        facts += interpretation.facts
        verdict = max(verdict, verdict_of(interpretation), key=_ORDER.index)
    if not contents:
        findings.append(NO_DOCUMENT)
        verdict = Verdict.QUARANTINED
    if verdict is Verdict.QUARANTINED:
        return _quarantined(kind, raw, profile, tuple(findings))
    if verdict is Verdict.ACCEPTED and any(finding.severity is not Severity.INFORMATION for finding in findings):
        verdict = Verdict.ACCEPTED_WITH_FINDINGS
    return _reading(kind, raw, profile, tuple(facts), tuple(findings), verdict)


def _custodian(raw: bytes) -> str:
    """The FINESS of the structure that keeps a document."""
    try:
        custodian = read_header(raw).custodian
    except CdaError:
        return ""
    return next((id.finess for id in custodian.ids if id.finess), "") if custodian is not None else ""


_ORDER: Final = (Verdict.ACCEPTED, Verdict.ACCEPTED_WITH_FINDINGS, Verdict.QUARANTINED)


def _quarantined(kind: str, raw: bytes, profile: SourceProfile, findings: tuple[Finding, ...]) -> Reading:
    return _reading(kind, raw, profile, (), findings, Verdict.QUARANTINED)


def _reading(
    kind: str, raw: bytes, profile: SourceProfile, facts: tuple[Fact, ...], findings: tuple[Finding, ...], verdict: Verdict
) -> Reading:
    """A reading of what comes by a way that has no reply."""
    return Reading(
        raw=raw,
        sender=Sender(source=profile.source),
        ids=MessageIds(kind=kind, control_id="", content=hashlib.sha256(raw).digest()),
        facts=facts,
        findings=findings,
        verdict=verdict,
        reply_as=lambda _verdict, _findings: b"",
        establishment=next((fact.finess for fact in facts if isinstance(fact, DocumentFact)), "")
        or profile.finess
        or profile.source,
    )


def _head(raw: bytes) -> bytes:
    return raw[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()


def _foreign(head: bytes) -> str:
    return next((name for first, name in _FOREIGN if head.startswith(first)), "")


def _unsafe(fault: UnsafeArchive) -> Finding:
    return Finding(
        severity=Severity.FATAL,
        where="archive",
        rule=fault.rule,
        message=fault.message,
        remedy="Demander à l'émetteur de produire l'archive à nouveau (IHE_XDM.ZIP, ITI TF-2 §3.32).",
    )


def _finding(severity: Severity, rule: str, message: str, remedy: str = "") -> Finding:
    return Finding(severity=severity, where="fichier", rule=f"file.{rule}", message=message, remedy=remedy)


TOO_LARGE: Final = _finding(
    Severity.FATAL, "too-large", f"Le fichier dépasse {MAX_FILE // 1_000_000} Mo.", "Le découper, ou n'en donner qu'un extrait."
)
EMPTY: Final = _finding(
    Severity.FATAL, "empty", "Le fichier est vide.", "Vérifier l'export ou le transfert qui l'a produit, puis recommencer."
)
MISSING: Final = _finding(Severity.FATAL, "missing", "Le fichier n'existe pas.", "Vérifier le chemin.")
DIRECTORY: Final = _finding(
    Severity.FATAL, "directory", "C'est un dossier et non un fichier.", "Nommer les fichiers du dossier, par exemple DOSSIER/*.hl7."
)
FORBIDDEN: Final = _finding(Severity.FATAL, "unreadable", "Le fichier ne peut être lu.", "Vérifier les droits sur le fichier.")
FOREIGN: Final = _finding(
    Severity.FATAL,
    "foreign",
    "Le fichier n'est pas un message.",
    "Donner le message, le CDA, l'archive ou le courriel (.eml) complet.",
)
NO_MESSAGE: Final = _finding(
    Severity.FATAL,
    "no-message",
    "Le lot ne contient aucun message (segment MSH).",
    "Vérifier que le fichier a été écrit en entier.",
)
NO_DOCUMENT: Final = _finding(
    Severity.FATAL, "no-document", "L'archive ne contient aucun document CDA.", "Joindre le CDA et le METADATA.XML qui le décrit."
)
PLAIN_MAIL: Final = _finding(
    Severity.INFORMATION, "plain-mail", "Le courriel ne porte ni archive XDM ni CDA : il n'y a rien à en tirer pour la plateforme."
)
RECEIPT: Final = _finding(
    Severity.INFORMATION,
    "receipt",
    "Le courriel est un accusé de réception ou de lecture (DSN, MDN) : il se rattache à l'envoi d'origine, pas à un fichier seul.",
)
