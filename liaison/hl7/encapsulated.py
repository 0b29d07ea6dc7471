"""ED, encapsulated data: the document, or the body of a mail, that an OBX-5 carries in base64.

Samples and feeds break base64 in a few known ways (blanks inside, padding lost, escapes left in); those are repaired and
said. Nothing is decoded further: the bytes given back are exactly what the sender encoded.
"""

from __future__ import annotations

import base64
import binascii
import enum
import re

from liaison.finding import Finding
from liaison.hl7.faults import error, fatal, information, warning
from liaison.hl7.message import Repetition
from liaison.private import Private

BASE64_INVALID = fatal(
    "hl7.base64-invalid",
    "Le contenu d’un OBX-5 n’est pas du base64 : il ne peut pas être décodé (type ED, composante 5).",
    "Encoder le document en base64 sans séparateur HL7 ni troncature, et vérifier la longueur transmise.",
    "102",
)
BASE64_REPAIRED = warning(
    "hl7.base64-repaired",
    "Le base64 d’un OBX-5 contient des blancs, des échappements ou un remplissage « = » incorrect : il a été réparé.",
    "Émettre le base64 d’un seul tenant, sans saut de ligne, avec son remplissage (volet Transmission, OBX-5.5).",
)
ENCODING_UNDECLARED = warning(
    "hl7.encoding-undeclared",
    "OBX-5.4 n’annonce pas « Base64 », seul encodage prévu par le volet Transmission : le contenu a été reconnu d’après sa forme.",
    "Écrire « Base64 » dans OBX-5.4.",
)
NOT_ENCODED = warning(
    "hl7.document-not-encoded",
    "Le document est transmis en clair, avec des échappements HL7, et non en base64 (volet Transmission, OBX-5.4).",
    "Encoder le document en base64.",
)
MISPLACED = information(
    "hl7.encapsulated-shifted",
    "Le contenu n’est pas dans la composante 5 du type ED : il a été trouvé dans une autre composante.",
    "Écrire OBX-5 sous la forme « ^TEXT^XML^Base64^contenu ».",
)
CONTENT_UNEXPECTED = error(
    "hl7.document-not-cda",
    "Le contenu de l’OBX n’est pas un document CDA R2 (volet Transmission, OBX-5.5).",
    "Transmettre un document CDA R2 ; un PDF doit être porté par un CDA de niveau 1.",
    "207",
)

#: How far into the bytes the root element of a CDA is looked for, past comments and processing instructions.
_ROOT_WITHIN = 16_384
_HL7_LINE_BREAKS = re.compile(rb"\\(?:\.br|[Xx][0-9A-Fa-f]{2,8})\\")
_BLANKS = b" \t\r\n\x0b\x0c\x00"
_XML_ENCODING = re.compile(r"""^<\?xml[^>]{0,60}encoding=["']([A-Za-z0-9._-]{1,30})["']""")


class Content(enum.StrEnum):
    """What decoded bytes are, by their first bytes only."""

    CDA = "cda"
    PDF = "pdf"
    TEXT = "text"
    UNKNOWN = "unknown"


class Encapsulated(Private, frozen=True, kw_only=True):
    """One ED: its declared type and encoding, and the bytes that it carries (None when they cannot be had)."""

    subtype: str
    encoding: str
    body: bytes | None


def read_encapsulated(value: Repetition, findings: list[Finding], *, tail_may_be_lost: bool = False) -> Encapsulated:
    """Decode one repetition of an OBX-5 of type ED. A text for people may lose its last character, a document nothing."""
    encoding = value.component(4).strip()
    data, shifted = _data(value)
    if shifted:
        findings.append(MISPLACED.at(value.where))
    body: bytes | None = None
    if data.startswith("<"):
        findings.append(NOT_ENCODED.at(value.where))
        body = _encode_as_declared(data)
    elif data:
        if encoding.lower() != "base64":
            findings.append(ENCODING_UNDECLARED.at(f"{value.where}.4"))
        body = decode_base64(data, f"{value.where}.5", findings, tail_may_be_lost=tail_may_be_lost)
    return Encapsulated(subtype=value.component(3).strip(), encoding=encoding, body=body)


def decode_base64(text: str, where: str, findings: list[Finding], *, tail_may_be_lost: bool = False) -> bytes | None:
    """Decode base64, repairing blanks, escapes and padding with a finding; None, with a fatal one, when it is not base64."""
    try:
        raw = text.encode("ascii")
    except UnicodeEncodeError:
        findings.append(BASE64_INVALID.at(where))
        return None
    try:
        return binascii.a2b_base64(raw, strict_mode=True)
    except binascii.Error:
        pass
    cleaned = _HL7_LINE_BREAKS.sub(b"", raw).translate(None, _BLANKS).rstrip(b"=")
    if tail_may_be_lost and len(cleaned) % 4 == 1:
        cleaned = cleaned[:-1]  # six bits that no byte can be made of
    try:
        body = base64.b64decode(cleaned + b"=" * (-len(cleaned) % 4), validate=True)
    except binascii.Error:
        findings.append(BASE64_INVALID.at(where))
        return None
    findings.append(BASE64_REPAIRED.at(where))
    return body


def recognise(body: bytes) -> Content:
    """Tell what a body is without parsing it."""
    start = body[:_ROOT_WITHIN]
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        start = start.replace(b"\0", b"")
    if start.lstrip(b"\xef\xbb\xbf" + _BLANKS).startswith(b"%PDF-"):
        return Content.PDF
    if b"<" in start[:_BOM_AND_BLANKS] and b"ClinicalDocument" in start:
        return Content.CDA
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return Content.UNKNOWN
    return (
        Content.TEXT if text and not any(character < " " and character not in "\t\r\n\f" for character in text) else Content.UNKNOWN
    )


#: A byte order mark and a few blank lines may come before the first ``<``.
_BOM_AND_BLANKS = 64


def _data(value: Repetition) -> tuple[str, bool]:
    """Component 5, else the longest component that looks like content; whether it had to be looked for."""
    data = value.component(5).strip()
    if data:
        return data, False
    others = (value.component(number).strip() for number in (1, 2, 3, 4, 6))
    longest = max(others, key=len)
    return (longest, True) if len(longest) > 16 else ("", False)


def _encode_as_declared(xml: str) -> bytes:
    """Bytes of an XML document that travelled as text, in the encoding that its own declaration announces."""
    declared = _XML_ENCODING.match(xml)
    try:
        return xml.encode(declared.group(1) if declared else "utf-8")
    except (LookupError, UnicodeError):
        return xml.encode("utf-8")
