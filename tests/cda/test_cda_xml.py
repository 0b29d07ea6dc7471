from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from liaison.cda.header import read_header
from liaison.cda.xml import (
    MAX_TAGS,
    CdaError,
    NotXml,
    UnsafeXml,
    find_clinical_document,
    is_stylesheet,
    parse,
)
from liaison.finding import Severity

LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "lol">'
    + b"".join(b'<!ENTITY l%d "&l%d;&l%d;&l%d;&l%d;">' % (n, n - 1, n - 1, n - 1, n - 1) for n in range(1, 30))
    + b"]><a>&l29;</a>"
)


@pytest.mark.parametrize(
    "raw",
    [
        b"<!DOCTYPE a><a/>",
        b'<?xml version="1.0"?>\n<!-- comment --><?pi x?>\n<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>',
        b'\xef\xbb\xbf  <!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;]><a/>',
        LAUGHS,
    ],
)
def test_every_doctype_is_refused(raw: bytes) -> None:
    for reader in (parse, read_header):
        with pytest.raises(UnsafeXml) as refused:
            reader(raw)
        finding = refused.value.finding
        assert finding.rule == "cda.doctype"
        assert finding.severity is Severity.FATAL
        assert finding.remedy


def test_a_doctype_in_a_comment_or_in_text_is_only_text() -> None:
    assert parse(b"<!-- <!DOCTYPE a> --><a><![CDATA[<!DOCTYPE a>]]></a>").text == "<!DOCTYPE a>"


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", "cda.not-xml"),
        (b"%PDF-1.4", "cda.not-xml"),
        (b"<a><b></a>", "cda.not-xml"),
        (b"<a>", "cda.not-xml"),
        (b"<!-- <a/>", "cda.not-xml"),
        (b"<a>&eacute;</a>", "cda.entity"),
        ("<?xml version='1.0' encoding='UTF-8'?><a>é</a>".encode("latin-1"), "cda.encoding"),
    ],
)
def test_what_is_not_xml_is_named(raw: bytes, rule: str) -> None:
    with pytest.raises(NotXml) as refused:
        parse(raw)
    assert refused.value.finding.rule == rule


@pytest.mark.parametrize("name", ["UTF-7", "utf-16", "EBCDIC-CP-FR", "x-unknown"])
def test_exotic_encodings_are_refused(name: str) -> None:
    with pytest.raises(UnsafeXml) as refused:
        parse(f'<?xml version="1.0" encoding="{name}"?><a/>'.encode())
    assert refused.value.finding.rule == "cda.encoding"


def test_an_encoding_does_not_hide_behind_a_long_declaration() -> None:
    raw = b'<?xml version="1.0"' + b" " * 2_000 + b'encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4-<a/>'
    for reader in (parse, read_header):
        with pytest.raises(CdaError):
            reader(raw)


def test_utf16_is_refused_whatever_it_declares() -> None:
    with pytest.raises(CdaError):
        parse('<?xml version="1.0"?><a/>'.encode("utf-16"))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\xef\xbb\xbf<a>x</a>", "x"),
        (b" \r\n\t<?xml version='1.0'?><a>x</a>", "x"),
        ("<?xml version='1.0' encoding='ISO-8859-15'?><a>é€</a>".encode("iso-8859-15"), "é€"),
    ],
)
def test_marks_blanks_and_western_encodings_are_tolerated(raw: bytes, text: str) -> None:
    assert parse(raw).text == text


def test_size_is_bounded() -> None:
    with pytest.raises(UnsafeXml) as refused:
        parse(b"<a>" + b"x" * 1_000_000 + b"</a>", max_bytes=1_000_000)
    assert refused.value.finding.rule == "cda.too-large"


@pytest.mark.parametrize("levels", [129, 300, 5_000])
def test_depth_is_bounded(levels: int) -> None:
    with pytest.raises(UnsafeXml):
        parse(b"<a>" * levels + b"</a>" * levels)


def test_a_deep_document_within_the_bound_is_read() -> None:
    assert parse(b"<a>" * 128 + b"</a>" * 128).tag == "a"


def test_the_number_of_tags_is_bounded_before_any_tree_is_built() -> None:
    raw = b"<a>" + b"<b/>" * (MAX_TAGS + 1) + b"</a>"
    tracemalloc.start()
    with pytest.raises(UnsafeXml) as refused:
        parse(raw)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert refused.value.finding.rule == "cda.too-many-tags"


def test_a_text_above_ten_megabytes_is_read() -> None:
    assert len(parse(b"<a>" + b"x" * 11_000_000 + b"</a>").text or "") == 11_000_000


def test_errors_do_not_repeat_the_document() -> None:
    with pytest.raises(NotXml) as refused:
        parse(b'<name family="DARRIEUX" family="DARRIEUX"/>')
    assert "DARRIEUX" not in str(refused.value) + repr(refused.value.finding)
    assert refused.value.__cause__ is None


@given(st.binary(max_size=300))
def test_any_bytes_give_a_tree_or_a_named_error(raw: bytes) -> None:
    try:
        parse(raw)
    except CdaError as error:
        assert error.finding.rule.startswith("cda.")


@given(st.text(alphabet="<>/!?&;[]='\"ab- \n", max_size=80))
def test_anything_like_xml_gives_a_tree_or_a_named_error(text: str) -> None:
    try:
        parse(text.encode())
    except CdaError as error:
        assert error.finding.rule.startswith("cda.")


def test_a_document_that_presents_itself_is_found_and_not_run() -> None:
    root = parse(
        b'<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
        b'<xsl:variable name="d"><c:ClinicalDocument xmlns:c="urn:hl7-org:v3"/></xsl:variable></xsl:stylesheet>'
    )
    assert is_stylesheet(root)
    document = find_clinical_document(root)
    assert document is not None
    assert etree.QName(document).localname == "ClinicalDocument"


@pytest.mark.parametrize("raw", [b"<ClinicalDocument/>", b"<a xmlns:c='urn:hl7-org:v3'><c:ClinicalDocument/></a>"])
def test_a_clinical_document_elsewhere_is_none(raw: bytes) -> None:
    assert find_clinical_document(parse(raw)) is None
