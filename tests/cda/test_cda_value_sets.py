from __future__ import annotations

from pathlib import Path

from lxml import etree

from liaison.cda.value_sets import CLASS_LABELS, document_type, document_types, format_of_media, format_of_model, format_scheme


def test_every_type_has_a_label_and_a_known_class() -> None:
    types = document_types()
    assert len(types) == 114
    assert all(one.label and one.class_code in CLASS_LABELS for one in types)


def test_a_type_is_found_by_oid_by_name_and_by_code_alone() -> None:
    by_oid = document_type("11490-0", "2.16.840.1.113883.6.1")
    assert by_oid is not None and by_oid.class_to_confirm
    assert document_type("11490-0", "LN") == document_type("11490-0") == by_oid
    synthesis = document_type("SYNTH", "TRE_A05")
    assert synthesis is not None and (synthesis.label, synthesis.class_code) == ("Synthèse", "11")
    assert document_type("11490-0", "TRE_A05") is None
    assert document_type("00000-0") is None


def test_every_format_has_a_scheme() -> None:
    assert format_scheme(format_of_media("image/jpeg"))
    assert format_scheme(format_of_media("application/unknown"))
    assert format_scheme(format_of_model("1.2.250.1.213.1.1.1.57"))


def test_the_types_are_those_of_the_published_value_set(corpus: Path) -> None:
    published = etree.parse(str(corpus / "cda-pack/jeuxDeValeurs/JDV_J07_XdsTypeCode_CISIS.xml"))
    concepts = {
        (concept.get("code"), concept.get("codeSystem")): concept.get("displayName")
        for concept in published.iter("{urn:ihe:iti:svs:2008}Concept")
    }
    assert {(one.code, one.system): one.label for one in document_types()} == concepts
