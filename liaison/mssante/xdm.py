"""IHE XDM archives: the ``IHE_XDM.ZIP`` of an MSSanté mail, written and read in memory.

Layout: IHE ITI TF-2 §3.32, names as the ANS tools use them (cda-fr digest §5). Liaison sends only archives that it wrote; one
that it receives is read under the limits below and its odds are findings.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from datetime import datetime

from lxml import etree

from liaison.cda.xds import DocumentEntry
from liaison.cda.xml import CdaError, Element, parse
from liaison.finding import Finding, Severity
from liaison.mssante import ebrim
from liaison.mssante.container import UnsafeArchive, unpack
from liaison.private import Private

__all__ = ["ArchiveDocument", "Producer", "UnsafeArchive", "XdmArchive", "XdmDocument", "read_archive", "write_archive"]

ARCHIVE_NAME = "IHE_XDM.ZIP"
SUBSET = "IHE_XDM/SUBSET01"


class ArchiveDocument(Private, frozen=True, kw_only=True):
    """A document to put in: its entry (whose ``uri``, ``hash`` and ``size`` are of ``content``), its bytes, a PDF beside it."""

    entry: DocumentEntry
    content: bytes
    pdf: bytes = b""


class Producer(Private, frozen=True, kw_only=True):
    """What README.TXT says of who made the archive."""

    organisation: str
    product: str
    contact: str


class XdmDocument(Private, frozen=True, kw_only=True):
    """A document found in an archive. ``entry`` is None where no metadata speaks of it."""

    #: Name inside the archive.
    name: str
    content: bytes
    entry: ebrim.MetadataEntry | None = None


class XdmArchive(Private, frozen=True, kw_only=True):
    """What an archive holds: the documents that its metadata describe (else its XML files), in order, and what was odd."""

    documents: tuple[XdmDocument, ...]
    metadata: tuple[ebrim.Metadata, ...]
    #: Other files, by name: companions, style sheets, README.
    others: tuple[str, ...]
    findings: tuple[Finding, ...]


def write_archive(
    documents: Sequence[ArchiveDocument],
    submission: ebrim.Submission,
    *,
    producer: Producer,
    written_at: datetime,
    replacements: Sequence[ebrim.Replacement] = (),
) -> bytes:
    """The archive of one submission set. The same arguments give the same bytes: files are dated ``written_at``.

    Raises ValueError when an entry does not describe the bytes beside it, or speaks of another patient.
    """
    files: list[tuple[str, bytes]] = []
    for document in documents:
        entry = document.entry
        if entry.size != len(document.content) or entry.hash.lower() != hashlib.sha1(document.content).hexdigest():
            raise ValueError("hash and size of an entry are those of the delivered bytes")
        files.append((f"{SUBSET}/{entry.uri}", document.content))
        if document.pdf:
            files.append((f"{SUBSET}/{entry.uri.rpartition('.')[0]}.PDF", document.pdf))
    metadata = ebrim.write_metadata(submission, [document.entry for document in documents], replacements)
    files[:0] = [
        ("README.TXT", _readme(producer, documents)),
        ("INDEX.HTM", _index(producer, documents)),
        (f"{SUBSET}/METADATA.XML", metadata),
    ]
    buffer = io.BytesIO()
    stamp = max(written_at.timetuple()[:6], (1980, 1, 1, 0, 0, 0))
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name, stamp)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            # A PDF is compressed already.
            info.compress_type = zipfile.ZIP_STORED if name.endswith(".PDF") else zipfile.ZIP_DEFLATED
            archive.writestr(info, content, compresslevel=1)
    return buffer.getvalue()


def read_archive(raw: bytes) -> XdmArchive:
    """The documents of an archive, each with what its metadata say. Raises :class:`UnsafeArchive` when it must not be opened.

    Names are matched whatever their case, any number of submission sets is taken, and metadata that cannot be read leave the
    XML files themselves to speak (cda-fr digest §5, reader robustness).
    """
    files = unpack(raw)
    by_key = {name.upper(): name for name in files}
    findings: list[Finding] = []
    documents: list[XdmDocument] = []
    metadata: list[ebrim.Metadata] = []
    spoken_of: set[str] = set()
    for key, name in sorted(by_key.items()):
        folder, _, base = key.rpartition("/")
        if base != "METADATA.XML":
            continue
        spoken_of.add(name)
        try:
            read = ebrim.read_metadata(parse(files[name]))
        except CdaError:
            findings.append(_finding(Severity.ERROR, name, "metadata-unreadable", "METADATA.XML ne peut pas être lu.", _REGENERATE))
            continue
        metadata.append(read)
        if not read.entries:
            findings.append(_finding(Severity.ERROR, name, "metadata-empty", "METADATA.XML ne décrit aucun document.", _REGENERATE))
        for number, entry in enumerate(read.entries, start=1):
            where = f"{name} document {number}"
            # Some producers write the folder in front of the URI.
            target = by_key.get(f"{folder}/{entry.uri.upper()}") or by_key.get(f"IHE_XDM/{entry.uri.upper()}")
            if not entry.uri or target is None:
                findings.append(_finding(Severity.ERROR, where, "document-missing", "Le fichier décrit est absent.", _REGENERATE))
                continue
            if target in spoken_of:
                findings.append(
                    _finding(Severity.WARNING, where, "document-twice", "Le fichier est décrit deux fois.", _REGENERATE)
                )
                continue
            spoken_of.add(target)
            documents.append(XdmDocument(name=target, content=files[target], entry=entry))
            findings += _check(where, entry, read.patient_id, files[target])
    if not metadata:
        if not any(key.endswith("/METADATA.XML") or key == "METADATA.XML" for key in by_key):
            findings.append(_finding(Severity.ERROR, "IHE_XDM", "metadata-missing", "METADATA.XML est absent.", _REGENERATE))
        undescribed = [name for name in sorted(files) if name.upper().endswith(".XML") and name not in spoken_of]
        documents = [XdmDocument(name=name, content=files[name]) for name in undescribed]
        spoken_of.update(undescribed)
    patients = {entry.patient_id for read in metadata for entry in read.entries if entry.patient_id}
    if len(patients) > 1:
        message = "L'archive parle de plusieurs patients (ECO.2.1.1 : un seul par message)."
        findings.append(_finding(Severity.ERROR, "METADATA.XML", "several-patients", message, "Envoyer une archive par patient."))
    return XdmArchive(
        documents=tuple(documents),
        metadata=tuple(metadata),
        others=tuple(name for name in sorted(files) if name not in spoken_of),
        findings=tuple(findings),
    )


_REGENERATE = "Demander à l'émetteur de produire l'archive à nouveau."


def _check(where: str, entry: ebrim.MetadataEntry, set_patient: str, content: bytes) -> list[Finding]:
    """What an entry says of its file against the file (hash and size of the stored bytes, one patient a lot)."""
    found: list[Finding] = []
    if not entry.hash or entry.size is None:
        found.append(_finding(Severity.WARNING, where, "no-hash", "L'empreinte ou la taille du document n'est pas donnée."))
    if entry.hash and entry.hash != hashlib.sha1(content).hexdigest():
        message = "L'empreinte SHA-1 n'est pas celle du fichier : il a changé depuis sa description."
        found.append(_finding(Severity.ERROR, where, "hash", message, _REGENERATE))
    if entry.size is not None and entry.size != len(content):
        found.append(_finding(Severity.ERROR, where, "size", "La taille annoncée n'est pas celle du fichier.", _REGENERATE))
    if set_patient and entry.patient_id and entry.patient_id != set_patient:
        message = "Le patient du document n'est pas celui du lot."
        found.append(_finding(Severity.ERROR, where, "patient", message, "Envoyer une archive par patient."))
    return found


def _finding(severity: Severity, where: str, rule: str, message: str, remedy: str = "") -> Finding:
    # Names inside an archive are the sender's words: only those of the layout are repeated.
    place = where if where.isascii() and len(where) < 80 and "METADATA.XML" in where.upper() else "IHE_XDM"
    return Finding(severity=severity, where=place, rule=f"xdm.{rule}", message=message, remedy=remedy)


def _readme(producer: Producer, documents: Sequence[ArchiveDocument]) -> bytes:
    """README.TXT: producer, product, contact, and what the archive holds. CRLF."""
    lines = [
        "Archive IHE XDM",
        "",
        f"Producteur : {_line(producer.organisation)}",
        f"Logiciel : {_line(producer.product)}",
        f"Contact : {_line(producer.contact)}",
        "",
        f"Contenu : {len(documents)} document{'s' if len(documents) > 1 else ''} de santé (CDA R2), à ouvrir par INDEX.HTM",
        "ou à intégrer par un logiciel de santé à partir de IHE_XDM/SUBSET01/METADATA.XML.",
        "",
        *(f"{SUBSET}/{document.entry.uri} : {_line(document.entry.title)}" for document in documents),
        "",
    ]
    return "\r\n".join(lines).encode()


def _index(producer: Producer, documents: Sequence[ArchiveDocument]) -> bytes:
    """INDEX.HTM: XHTML without script, one line and its links for each document."""
    page = etree.fromstring('<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="fr" lang="fr"><head/><body/></html>')
    head, body = page
    _tag(head, "title", "Documents de santé")
    _tag(body, "h1", "Documents de santé")
    _tag(body, "p", _line(producer.organisation))
    items = _tag(body, "ul")
    for document in documents:
        entry = document.entry
        item = _tag(items, "li")
        link = _tag(item, "a", _line(entry.title), href=f"{SUBSET}/{entry.uri}")
        if document.pdf:
            link.tail = " – "
            _tag(item, "a", "version lisible (PDF)", href=f"{SUBSET}/{entry.uri.rpartition('.')[0]}.PDF")
    _tag(_tag(body, "p"), "a", "README.TXT", href="README.TXT")
    doctype = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML Basic 1.1//EN" "http://www.w3.org/TR/xhtml-basic/xhtml-basic11.dtd">'
    return etree.tostring(page, encoding="UTF-8", xml_declaration=True, doctype=doctype)


def _tag(parent: Element, name: str, text: str = "", **attributes: str) -> Element:
    element = etree.SubElement(parent, f"{{http://www.w3.org/1999/xhtml}}{name}", dict(attributes))
    element.text = text
    return element


def _line(text: str) -> str:
    """One line of printable text."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
