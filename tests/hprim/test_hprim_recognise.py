"""The three HPRIM formats are known by their content, and named for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.finding import Severity
from liaison.hprim.recognise import Hprim, HprimKind, finding_of, recognise

SANTE = b"H|~^\\&|file.HPR||LABO||ORU|||CH||P|H2.1~C|202611200830\rP|1|800042||DARRIEUX~ODETTE\rOBR|1|77\rL|1\r"
XML = (
    b"<?xml version='1.0' encoding='ISO-8859-1'?>\n<!-- export -->\n"
    b'<evenementsPatients xmlns="http://www.hprim.org/hprimXML" version="1.05" acquittementAttendu="oui"><enteteMessage/>'
    b"</evenementsPatients>"
)
HEADER = (
    "800042", "DARRIEUX", "ODETTE", "3 impasse du Lavoir", " ", "64100 BAYONNE", "03/11/1975", "", "CR-77", "20/11/2026",
    ".          ch.dax", ".          claire.dupouy", " ",
)  # fmt: skip


def medecin(*markers: str, end: str = "\r\n", header: tuple[str, ...] = HEADER) -> bytes:
    return end.join((*header, "Cher confrère,", "tout va bien.", *markers, "")).encode("cp1252")


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\r\n ", b"\x0b"])
def test_hprim_sante(before: bytes) -> None:
    assert recognise(before + SANTE) == Hprim(kind=HprimKind.SANTE, version="2.1", subject="ORU")


def test_its_ancestor_astm_is_named_with_it() -> None:
    assert recognise(b"H|\\^&|||LABO\rL|1\r") == Hprim(kind=HprimKind.SANTE)


@pytest.mark.parametrize("raw", [XML, b"<ns:evenementServeurActes xmlns:ns='x'>", b"<a:b xmlns:a='http://www.hprim.org/hprimXML'>"])
def test_hprim_xml(raw: bytes) -> None:
    found = recognise(raw)
    assert found is not None and found.kind is HprimKind.XML and found.subject


def test_hprim_xml_says_its_version_and_its_root() -> None:
    assert recognise(XML) == Hprim(kind=HprimKind.XML, version="1.05", subject="evenementsPatients")


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_hprim_medecin_by_its_markers(end: str) -> None:
    found = recognise(medecin("****FIN****", "****FINFICHIER****", end=end))
    assert found == Hprim(kind=HprimKind.MEDECIN, documents=1)


def test_hprim_medecin_with_results_and_several_patients() -> None:
    raw = medecin("****LAB****", "RES|Glucose|G|N|5,1|g/l", "****FIN****") + medecin("  ****FIN**** ", "****FINFICHIER****")
    assert recognise(raw) == Hprim(kind=HprimKind.MEDECIN, documents=2, results=True)


@pytest.mark.parametrize("born", ["03/11/1975", "03/11/75", "1975-11-03", "1 JAN 1911"])
def test_hprim_medecin_by_its_header_alone(born: str) -> None:
    header = (*HEADER[:6], born, *HEADER[7:])
    found = recognise(medecin(header=header))
    assert found is not None and found.kind is HprimKind.MEDECIN


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"MSH|^~\\&|A\r",
        b"Bonjour,\r\nceci est une lettre.\r\n" * 20,
        b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>',
        b"<?xml version='1.0'",
        b"<!-- never closed <evenementsPatients>",
        b"HELLO|WORLD|",
        b"un ****FIN**** dans une phrase\n",
        b"a;b;c\n1;2;3\n" * 20,
    ],
)
def test_what_is_no_hprim(raw: bytes) -> None:
    assert recognise(raw) is None


@pytest.mark.parametrize(("raw", "rule"), [(SANTE, "hprim.sante"), (XML, "hprim.xml"), (medecin("****FIN****"), "hprim.medecin")])
def test_the_finding_says_what_it_is_and_names_nobody(raw: bytes, rule: str) -> None:
    found = recognise(raw)
    assert found is not None
    told = finding_of(found)
    assert (told.rule, told.severity) == (rule, Severity.FATAL)
    assert "HPRIM" in told.message and told.remedy
    assert "DARRIEUX" not in told.message + told.remedy and "800042" not in told.message
    assert "DARRIEUX" not in repr(found)


@given(st.binary(max_size=400), st.sampled_from([b"", b"H|~^\\&|", b"<", b"<?", b"<!--", b"****FIN****\n", b"\n" * 12]))
def test_whatever_the_bytes_it_answers(raw: bytes, begin: bytes) -> None:
    found = recognise(begin + raw)
    assert found is None or finding_of(found).message


@given(st.text(max_size=200), st.sampled_from(["\r\n", "\n"]))
def test_a_letter_with_its_end_marker_is_always_known(text: str, end: str) -> None:
    raw = end.join((*HEADER, text.replace("*", ""), "****FIN****", "")).encode("utf-8", "replace")
    found = recognise(raw)
    assert found is not None and found.kind is HprimKind.MEDECIN


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (b"<!-- " * 500_000, False),
        (b"<!---->" * 500_000, False),
        (b"****" * 500_000, False),
        (b"H|~^\\&|" * 300_000, True),
        (b"<a" * 500_000, False),
        (b"\r" * 2_000_000, False),
        (b" ****FIN****" * 200_000, False),
    ],
)
def test_hostile_bytes_are_looked_at_once(raw: bytes, named: bool) -> None:
    assert (recognise(raw) is not None) is named
