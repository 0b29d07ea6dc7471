"""A PDF and its side file as one body of bytes: what the journal keeps, and what a hospital may drop as one ZIP itself."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Final

from liaison.private import Private
from liaison.sidefile.read import side_kind

_STAMP: Final = (1980, 1, 1, 0, 0, 0)
_PDF: Final = b"%PDF-"


class Pair(Private, frozen=True, kw_only=True):
    """The two files."""

    pdf: bytes
    side: bytes


def pack_pair(pair: Pair) -> bytes:
    """Both in a ZIP, stored: the same pair gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in (("DOCUMENT.PDF", pair.pdf), (f"DEPOT.{side_kind(pair.side) or 'TXT'}".upper(), pair.side)):
            info = zipfile.ZipInfo(name, _STAMP)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def find_pair(files: Mapping[str, bytes]) -> Pair | None:
    """The pair that an archive's files are: one PDF, one side file, nothing else. By content, whatever their names."""
    if len(files) != 2:
        return None
    pdfs = [content for content in files.values() if is_pdf(content)]
    sides = [content for content in files.values() if side_kind(content) is not None]
    return Pair(pdf=pdfs[0], side=sides[0]) if len(pdfs) == len(sides) == 1 else None


def is_pdf(raw: bytes) -> bool:
    """Whether bytes begin like a PDF."""
    return raw[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_PDF)
