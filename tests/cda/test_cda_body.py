from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.cda.body import BadBody, embedded_pdf


def n1(text: str, attributes: str = 'mediaType="application/pdf" representation="B64"') -> bytes:
    body = f"<component><nonXMLBody><text {attributes}>{text}</text></nonXMLBody></component>"
    return f'<ClinicalDocument xmlns="urn:hl7-org:v3">{body}</ClinicalDocument>'.encode()


@given(st.binary(min_size=1, max_size=500), st.integers(4, 76), st.booleans())
def test_wrapped_and_unpadded_base64_is_decoded(content: bytes, width: int, padded: bool) -> None:
    encoded = base64.b64encode(content).decode()
    encoded = encoded if padded else encoded.rstrip("=")
    lines = "\r\n\t ".join(encoded[at : at + width] for at in range(0, len(encoded), width))
    embedded = embedded_pdf(n1(f"\n {lines} \n"))
    assert embedded is not None
    assert embedded.content == content


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "cda.body-empty"),
        ("  ", "cda.body-empty"),
        ("JVBE*", "cda.body-not-base64"),
        ("JVBERé==", "cda.body-not-base64"),
        ("J", "cda.body-not-base64"),
        ('<reference value="doc.pdf"/>', "cda.body-by-reference"),
    ],
)
def test_a_body_that_cannot_be_had_is_named(text: str, rule: str) -> None:
    with pytest.raises(BadBody) as refused:
        embedded_pdf(n1(text))
    assert refused.value.finding.rule == rule


def test_plain_text_is_taken_as_it_is() -> None:
    embedded = embedded_pdf(n1("Bonjour à tous", 'mediaType="text/plain"'))
    assert embedded is not None
    assert (embedded.content.decode(), embedded.media_type, embedded.is_pdf) == ("Bonjour à tous", "text/plain", False)


def test_what_begins_like_a_pdf_is_one() -> None:
    embedded = embedded_pdf(n1(base64.b64encode(b"%PDF-1.4").decode(), 'mediaType="text/rtf" representation="B64"'))
    assert embedded is not None and embedded.is_pdf


def test_the_copy_in_a_structured_document_is_found() -> None:
    section = (
        '<section><code code="55108-5" codeSystem="2.16.840.1.113883.6.1"/><text>Copie</text><entry><observationMedia>'
        f'<value mediaType="application/pdf" representation="B64">{base64.b64encode(b"%PDF-1.4").decode()}</value>'
        "</observationMedia></entry></section>"
    )
    body = f"<component><structuredBody><component>{section}</component></structuredBody></component>"
    raw = f'<ClinicalDocument xmlns="urn:hl7-org:v3">{body}</ClinicalDocument>'.encode()
    embedded = embedded_pdf(raw)
    assert embedded is not None and embedded.content == b"%PDF-1.4"
    assert embedded_pdf(raw.replace(b"55108-5", b"10183-2")) is None


def test_a_document_without_body_embeds_nothing() -> None:
    assert embedded_pdf(b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>') is None
