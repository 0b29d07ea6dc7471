"""What a document's body carries as a file: the PDF of an N1, or the copy that an N3 may embed (digest cda-fr §2.1)."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from liaison.cda.xml import CdaError, Element, H, find_clinical_document, parse
from liaison.private import Private

#: Section FR-Document-PDF-copie of an N3.
PDF_COPY: Final = "55108-5"
MAX_EMBEDDED: Final = 22_500_000
_BLANKS: Final = b" \t\r\n"


class BadBody(CdaError):
    """A body whose embedded file cannot be had: not base64, empty, or too large."""


class Embedded(Private, frozen=True, kw_only=True):
    """A file carried by a document."""

    content: bytes
    #: As declared; ``application/pdf`` for a file that begins like one whatever was declared.
    media_type: str

    @property
    def is_pdf(self) -> bool:
        return self.media_type == "application/pdf"


def embedded_pdf(raw: bytes) -> Embedded | None:
    """The file embedded in a document's bytes; None when its body is structured and has no copy as a PDF.

    Raises :class:`CdaError`.
    """
    return embedded_in(parse(raw))


def embedded_in(root: Element) -> Embedded | None:
    """As :func:`embedded_pdf`, from a parsed document. Raises :class:`BadBody`."""
    document = find_clinical_document(root)
    if document is None:
        return None
    text = document.find(f"{H}component/{H}nonXMLBody/{H}text")
    if text is not None:
        return _decode(text, "/ClinicalDocument/component/nonXMLBody/text")
    for section in document.iter(f"{H}section"):
        code = section.find(f"{H}code")
        if code is not None and code.get("code") == PDF_COPY:
            for value in section.iter(f"{H}value", f"{H}text"):
                if (value.get("representation") or "").upper() == "B64":
                    return _decode(value, f"section[code/@code='{PDF_COPY}']")
    return None


def _decode(element: Element, where: str) -> Embedded:
    """Blanks and line ends inside base64 are common and harmless; anything else that is not base64 is not guessed at."""
    if element.find(f"{H}reference") is not None:
        raise BadBody("cda.body-by-reference", where, "Le corps du document renvoie à un fichier qui n’est pas dans le message.",
                      "Embarquer le fichier dans le document, en base64.")  # fmt: skip
    written = element.text or ""
    media_type = (element.get("mediaType") or "").strip().lower()
    if (element.get("representation") or "TXT").upper() != "B64" and media_type.startswith("text/"):
        return Embedded(content=written.encode("utf-8"), media_type=media_type)
    try:
        encoded = written.encode("ascii").translate(None, _BLANKS)
        if len(encoded) > MAX_EMBEDDED * 4 // 3 + 4:
            raise BadBody("cda.body-too-large", where, "Le fichier embarqué est trop gros.", "Réduire le fichier embarqué.")
        content = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise BadBody("cda.body-not-base64", where, "Le fichier embarqué n’est pas du base64 valide.",
                      "Encoder le fichier en base64 complet, sans autre caractère.") from None  # fmt: skip
    if not content:
        raise BadBody("cda.body-empty", where, "Le document n’embarque aucun fichier.", "Embarquer le PDF du document.")
    return Embedded(content=content, media_type="application/pdf" if content.startswith(b"%PDF-") else media_type)
