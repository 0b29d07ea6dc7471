"""A PDF with its side file: the CDA around it, and the facts that the CDA then gives."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from msgspec.structs import replace

from liaison.care.facts import DocumentAction, DocumentFact, IdentityFact
from liaison.care.identifiers import INS_NIR_TEST, Identifier, IdentifierKind
from liaison.cda.body import embedded_pdf
from liaison.cda.header import read_header
from liaison.finding import Finding, Severity
from liaison.mappings.cda_to_facts import interpret_cda
from liaison.mappings.interpretation import SourceProfile
from liaison.mappings.pdf_side import cda_of_pair
from liaison.sidefile.pair import Pair

PROFILE = SourceProfile(source="depot", finess="400011177")
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer<<>>\n%%EOF\n"
INS = "275116410204507"
SAID: dict[str, Any] = {
    "type": "34112-3",
    "date": "2026-11-20T15:00:00+01:00",
    "patient": {
        "ipp": "800042", "ipp_oid": "1.2.250.1.999.1", "ins": INS, "ins_oid": INS_NIR_TEST, "statut": "VALI",
        "nom_naissance": "DARRIEUX", "premier_prenom": "ODETTE", "prenoms": "ODETTE JEANNE", "date_naissance": "1975-11-03",
        "sexe": "F", "lieu_naissance": "64102",
    },
    "auteur": {"rpps": "10100000033", "nom": "LABAT", "prenom": "Maylis"},
    "medecin_traitant": {"rpps": "89970000001", "nom": "DUPOUY", "prenom": "Claire"},
    "sejour": {"classe": "I", "unite": "Cardiologie", "entree": "2026-11-16", "sortie": "2026-11-20"},
    "destinataires": [{"adresse": "claire.dupouy@medecin.mssante.fr", "rpps": "89970000001", "nom": "DUPOUY", "prenom": "Claire"}],
}  # fmt: skip


def made(
    profile: SourceProfile = PROFILE, pdf: bytes = PDF, patient: dict[str, Any] | None = None, **changed: Any
) -> tuple[bytes, set[str]]:
    said = {**SAID, **changed, "patient": {**SAID["patient"], **(patient or {})}}
    findings: list[Finding] = []
    cda = cda_of_pair(Pair(pdf=pdf, side=json.dumps(said).encode()), profile, findings)
    assert (cda is None) == any(one.severity is Severity.FATAL for one in findings)
    return cda or b"", {one.rule for one in findings}


def facts(cda: bytes) -> tuple[IdentityFact, DocumentFact]:
    identity, document = interpret_cda(cda, PROFILE, received_at=datetime.now(UTC)).facts
    assert isinstance(identity, IdentityFact) and isinstance(document, DocumentFact)
    return identity, document


def test_the_side_file_says_it_all() -> None:
    cda, rules = made()
    assert rules == set()
    assert read_header(cda).findings == ()
    identity, document = facts(cda)
    assert identity.ins is not None and identity.ins.matricule == INS
    assert Identifier(kind=IdentifierKind.IPP, authority="oid:1.2.250.1.999.1", value="800042") in identity.identifiers
    assert identity.treating_physician is not None and identity.treating_physician.rpps == "89970000001"
    assert (document.type_code, document.level, document.action) == ("34112-3", "N1", DocumentAction.PUBLISH)
    assert [one.address for one in document.addressees] == ["claire.dupouy@medecin.mssante.fr"]
    assert document.author is not None and document.author.rpps == "10100000033"
    embedded = embedded_pdf(cda)
    assert embedded is not None and embedded.content == PDF


def test_the_same_pair_gives_the_same_bytes() -> None:
    assert made() == made()


@pytest.mark.parametrize("patient", [{"statut": "PROV"}, {"ins_oid": "1.2.3"}, {"lieu_naissance": ""}])
def test_an_unqualified_ins_never_enters_the_document(patient: dict[str, Any]) -> None:
    cda, rules = made(patient=patient)
    assert rules == {"document.side-ins-unqualified"}
    assert facts(cda)[0].ins is None and INS.encode() not in cda


def test_a_type_that_is_missing_is_the_sources_default_or_nothing() -> None:
    assert "document.type-missing" in made(type="")[1]
    cda, rules = made(replace(PROFILE, document_type="11488-4"), type="")
    assert rules == {"document.type-default"} and facts(cda)[1].type_code == "11488-4"
    assert facts(made(replace(PROFILE, document_types={"CRH": "34112-3"}), type="CRH")[0])[1].type_code == "34112-3"


def test_what_is_not_said_is_told() -> None:
    cda, rules = made(auteur=None, medecin_traitant=None, patient={"ipp_oid": None})
    assert rules == {"document.author-unknown", "document.authority-without-oid"}
    assert not [one for one in read_header(cda).findings if one.severity is not Severity.INFORMATION]


def test_a_replacement_names_what_it_replaces() -> None:
    first, second = facts(made(numero="CR-1")[0])[1], facts(made(numero="CR-2", remplace="CR-1")[0])[1]
    assert (second.action, second.replaces, second.version) == (DocumentAction.REPLACE, first.id, 2)


def test_a_cut_pdf_is_refused() -> None:
    assert "document.pdf-truncated" in made(pdf=PDF[:-8])[1]


def test_the_cda_passes_the_schema() -> None:
    place = os.environ.get("LIAISON_CORPUS")
    if place is None:
        pytest.skip("LIAISON_CORPUS is not set: the CDA schemas are not at hand")
    schema = etree.XMLSchema(etree.parse(str(Path(place) / "cda-pack/infrastructure/cda/CDA_extended.xsd")))
    for cda in (made()[0], made(auteur=None, sejour={}, destinataires=[])[0]):
        schema.assertValid(etree.fromstring(cda))
