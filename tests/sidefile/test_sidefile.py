"""The side file of a PDF: three ways to write the same, what is wrong said field by field, and never a traceback."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.finding import Finding, Severity
from liaison.sidefile.layout import MAX_RECIPIENTS, SideFile
from liaison.sidefile.pair import Pair, find_pair, is_pdf, pack_pair
from liaison.sidefile.read import MAX_BYTES, SideKind, read_side, side_kind

PARIS = ZoneInfo("Europe/Paris")
SAID: dict[str, Any] = {
    "type": "34112-3",
    "titre": "Compte rendu d’hospitalisation",
    "date": "2026-11-20T15:00:00+01:00",
    "patient": {"ipp": "800042", "nom_naissance": "DARRIEUX", "prenoms": "ODETTE JEANNE", "date_naissance": "1975-11-03", "sexe": "F"},
    "auteur": {"rpps": "10100000033", "nom": "LABAT", "prenom": "Maylis"},
    "destinataires": [
        {"adresse": "claire.dupouy@medecin.mssante.fr", "rpps": "899700000017", "nom": "DUPOUY"},
        {"adresse": "jean.duc@medecin.mssante.fr"},
    ],
}  # fmt: skip


def as_json(said: dict[str, Any] = SAID) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode()


def as_xml() -> bytes:
    def fields(said: dict[str, str]) -> str:
        return "".join(f"<{name}>{value}</{name}>" for name, value in said.items())

    written = "".join(f"<{name}>{SAID[name]}</{name}>" for name in ("type", "titre", "date"))
    written += "".join(f"<{name}>{fields(SAID[name])}</{name}>" for name in ("patient", "auteur"))
    people = "".join(f"<destinataire>{fields(one)}</destinataire>" for one in SAID["destinataires"])
    return f"<?xml version='1.0' encoding='UTF-8'?>\n<depot>{written}<destinataires>{people}</destinataires></depot>".encode()


def as_csv(separator: str = ";", encoding: str = "utf-8") -> bytes:
    columns: dict[str, list[str]] = {name: [SAID[name]] for name in ("type", "titre", "date")}
    for section in ("patient", "auteur"):
        columns |= {f"{section}.{field}": [str(SAID[section][field])] for field in SAID[section]}
    columns |= {
        f"destinataires.{field}": [one.get(field, "") for one in SAID["destinataires"]] for field in ("adresse", "rpps", "nom")
    }
    rows = [[column[number] if number < len(column) else "" for column in columns.values()] for number in range(2)]
    return "\r\n".join(separator.join(row) for row in [list(columns), *rows]).encode(encoding)


def read(raw: bytes) -> tuple[SideFile | None, list[Finding]]:
    findings: list[Finding] = []
    return read_side(raw, PARIS, findings), findings


def fatal(raw: bytes) -> set[tuple[str, str]]:
    side, findings = read(raw)
    assert side is None
    return {(one.rule, one.where) for one in findings if one.severity is Severity.FATAL}


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (as_json(), SideKind.JSON),
        (b"\xef\xbb\xbf" + as_json(), SideKind.JSON),
        (as_xml(), SideKind.XML),
        (as_csv(), SideKind.CSV),
        (as_csv(separator=","), SideKind.CSV),
        (as_csv(separator="\t", encoding="cp1252"), SideKind.CSV),
    ],
)
def test_three_ways_to_write_the_same(raw: bytes, kind: SideKind) -> None:
    assert side_kind(raw) is kind
    side, findings = read(raw)
    assert side is not None and findings == []
    assert (side.type, side.title, side.at) == ("34112-3", SAID["titre"], datetime(2026, 11, 20, 14, 0, tzinfo=UTC))
    assert side.patient["ipp"] == "800042" and side.patient["date_naissance"] == "19751103"
    assert side.author is not None and (side.author.rpps, side.author.family) == ("10100000033", "LABAT")
    assert [one.address for one in side.recipients] == [one["adresse"] for one in SAID["destinataires"]]
    assert [one.rpps for one in side.recipients] == ["99700000017", ""]


def changed(section: str = "", **fields: Any) -> bytes:
    said = json.loads(as_json())
    (said[section] if section else said).update(fields)
    return as_json(said)


@pytest.mark.parametrize(
    ("raw", "rule", "where"),
    [
        (changed(date=None), "side.missing", "date"),
        (changed(date="hier"), "side.value", "date"),
        (changed(date=20261120.5), "side.value", "date"),
        (changed("patient", nom_naissance=""), "side.missing", "patient.nom_naissance"),
        (changed("patient", ipp=""), "side.missing", "patient.ipp"),
        (changed("patient", sexe="X"), "side.value", "patient.sexe"),
        (changed("patient", date_naissance="3 nov. 1975"), "side.value", "patient.date_naissance"),
        (changed("patient", nom_naissance="a\x01b"), "side.value", "patient.nom_naissance"),
        (changed("auteur", rpps="12"), "side.value", "auteur.rpps"),
        (changed(destinataires=[{"adresse": "pas une adresse"}]), "side.value", "destinataires.adresse"),
        (changed(destinataires=[{"adresse": "a@b.fr"}] * (MAX_RECIPIENTS + 1)), "side.value", "destinataires"),
        (b'{"patient": {', "side.unreadable", "fichier d’accompagnement"),
        (b'{"patient": ' + b"[" * 20_000, "side.unreadable", "fichier d’accompagnement"),
        (b"<depot><patient>", "side.unreadable", "fichier d’accompagnement"),
        (b"<depot><!DOCTYPE a></depot>", "side.unreadable", "fichier d’accompagnement"),
        (b"patient.ipp;date\n1;2;3", "side.unreadable", "fichier d’accompagnement"),
        (b'{"patient": {}}' + b" " * MAX_BYTES, "side.unreadable", "fichier d’accompagnement"),
    ],
)
def test_what_does_not_fit_is_said_by_field(raw: bytes, rule: str, where: str) -> None:
    assert (rule, where) in fatal(raw)


def test_a_field_that_the_layout_does_not_know_is_left_and_said() -> None:
    side, findings = read(changed("patient", couleur="bleu", note=["DARRIEUX"]))
    assert side is not None
    assert [(one.rule, one.where) for one in findings] == [("side.unknown-field", "patient")] * 2
    assert not any("bleu" in one.message or "DARRIEUX" in one.message for one in findings)


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"MSH|^~\\&|A", b"<ClinicalDocument/>", b"a;b\n1;2", b"[1]", b"%PDF-1.4", b'{"resourceType": "Patient"}']
)
def test_what_is_no_side_file(raw: bytes) -> None:
    assert side_kind(raw) is None


@given(st.binary(max_size=300), st.sampled_from([b'{"patient":', b"<depot>", b"patient.ipp;", b""]))
def test_whatever_the_bytes_it_answers(raw: bytes, begin: bytes) -> None:
    side, findings = read(begin + raw)
    assert side is not None or findings


_FIELDS = st.text(max_size=12)
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)


@given(
    st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_FIELDS, inner, max_size=4), max_leaves=12)
)
def test_whatever_the_json_it_answers(value: Any) -> None:
    for raw in (as_json({"patient": value}), as_json({"patient": {}, "destinataires": value}), as_json({**SAID, "auteur": value})):
        side, findings = read(raw)
        assert side is not None or findings


def test_a_pair_is_one_body_of_bytes_and_found_again() -> None:
    pair = Pair(pdf=b"%PDF-1.4 ...", side=as_json())
    packed = pack_pair(pair)
    assert packed == pack_pair(pair)
    with zipfile.ZipFile(BytesIO(packed)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert find_pair(files) == pair
    assert find_pair({**files, "other": b""}) is None
    assert find_pair({"a": pair.pdf, "b": pair.pdf}) is None


def test_a_pdf_is_known_by_its_first_bytes() -> None:
    assert is_pdf(b"\xef\xbb\xbf\n%PDF-1.4") and not is_pdf(b"Bonjour %PDF-")
