from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from msgspec.structs import replace

from liaison.cda.body import embedded_pdf
from liaison.cda.build import build_n1
from liaison.cda.datatypes import Name
from liaison.cda.header import Header, read_header

PDF = b"%PDF-1.4 invented"
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)


def test_what_is_written_is_read_back_equal(header: Header) -> None:
    raw = build_n1(header, PDF)
    read = read_header(raw)
    assert read == header
    assert read.findings == ()


def test_the_pdf_is_embedded_as_it_is(header: Header) -> None:
    embedded = embedded_pdf(build_n1(header, PDF))
    assert embedded is not None
    assert embedded.content == PDF
    assert embedded.is_pdf


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=WORDS, family=WORDS, given=WORDS, extension=WORDS)
def test_any_text_survives(header: Header, title: str, family: str, given: str, extension: str) -> None:
    author = replace(header.authors[0], name=Name(family=family, given=given))
    written = replace(header, title=title, authors=(author,), id=replace(header.id, extension=extension))
    read = read_header(build_n1(written, PDF))
    assert (read.title, read.authors, read.id) == (title, (author,), written.id)


def test_control_characters_are_refused(header: Header) -> None:
    with pytest.raises(ValueError, match="XML compatible"):
        build_n1(replace(header, title="a\x00b"), PDF)


def test_an_n1_passes_the_schema(header: Header, corpus: Path) -> None:
    schema = etree.XMLSchema(etree.parse(str(corpus / "cda-pack/infrastructure/cda/CDA_extended.xsd")))
    document = etree.fromstring(build_n1(header, PDF))
    schema.assertValid(document)  # raises with the schema's words
