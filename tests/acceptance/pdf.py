"""PDFs as others read them: pikepdf for what PDF/A promises, poppler for the words."""

from __future__ import annotations

import io
import shutil
import subprocess

import pikepdf


def check_pdf_a(content: bytes) -> None:
    with pikepdf.open(io.BytesIO(content)) as pdf, pdf.open_metadata() as metadata:
        assert metadata.pdfa_status in ("1A", "1B")
        assert not pdf.is_encrypted
        assert len(pdf.pages) >= 1
        root = pdf.Root
        assert "/OutputIntents" in root
        assert "/AcroForm" not in root and "/OpenAction" not in root and "/AA" not in root
        assert not pdf.attachments


def pdf_text(content: bytes) -> str:
    """The words of a PDF where poppler is installed; empty elsewhere."""
    program = shutil.which("pdftotext")
    if program is None:
        return ""
    return subprocess.run([program, "-", "-"], input=content, capture_output=True, check=True).stdout.decode()
