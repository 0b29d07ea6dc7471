from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.finding import Finding, Severity
from liaison.hl7.encapsulated import Content, decode_base64, recognise


@given(st.binary())
def test_conformant_base64_gives_its_bytes_and_no_finding(body: bytes) -> None:
    findings: list[Finding] = []
    assert decode_base64(base64.b64encode(body).decode(), "OBX-5.5", findings) == body
    assert findings == []


@given(st.text(max_size=200))
def test_any_other_text_is_repaired_or_refused_and_said(text: str) -> None:
    findings: list[Finding] = []
    body = decode_base64(text, "OBX-5.5", findings)
    assert (body is None) is any(finding.severity is Severity.FATAL for finding in findings)
    assert len(findings) <= 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"%PDF-1.4\n", Content.PDF),
        (b"\xef\xbb\xbf\n%PDF-1.4\n", Content.PDF),
        (b'<?xml version="1.0"?><!-- a comment --><ClinicalDocument/>', Content.CDA),
        (b"\xef\xbb\xbf<ClinicalDocument/>", Content.CDA),
        ('<?xml version="1.0" encoding="UTF-16"?><ClinicalDocument/>'.encode("utf-16"), Content.CDA),
        (b'<hl7:ClinicalDocument xmlns:hl7="urn:hl7-org:v3"/>', Content.CDA),
        (b"<html/>", Content.TEXT),
        ("Compte rendu à lire".encode(), Content.TEXT),
        (b"\x00\x01\x02", Content.UNKNOWN),
        (b"\xff\xd8\xff\xe0", Content.UNKNOWN),
        (b"", Content.UNKNOWN),
    ],
)
def test_a_body_is_known_by_its_first_bytes(body: bytes, expected: Content) -> None:
    assert recognise(body) is expected
