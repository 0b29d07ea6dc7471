"""Segments in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.hl7.message import Message
from liaison.hl7.vocabulary import DOCUMENT_FLAGS, FIELDS, SEGMENTS, TABLES
from liaison.hl7.words import LONGEST, describe, segment_name


def told(line: str) -> dict[int, str]:
    segment = Message.parse(f"MSH|^~\\&|A\r{line}\r".encode()).segments[1]
    return {number: text for number, _, text in describe(segment)}


def labels(line: str) -> dict[int, str]:
    return {number: label for number, label, _ in describe(Message.parse(f"MSH|^~\\&|A\r{line}\r".encode()).segments[1])}


def test_a_patient() -> None:
    words = told("PID|1||3^^^CH-X&40&N^PI~27^^^INS-NIR&1.2&ISO^INS||ESSAI^Zoé^Zoé Anne^^^^L||19790328|F|||1 rue X^^DAX^^40100^FRA^H~^^^^^^BDL^^40088|"
                 + "|" * 20 + "VALI~HOMA")  # fmt: skip
    assert words[3] == "3 (PI, CH-X) ; 27 (INS, INS-NIR)"
    assert words[5] == "ESSAI Zoé Anne (naissance)"
    assert words[7] == "28/03/1979"
    assert words[8] == "féminin (F)"
    assert words[11] == "1 rue X 40100 DAX FRA ; né(e) à (40088)"
    assert words[32] == "validée (VALI) ; homonyme avéré (HOMA)"


def test_a_movement() -> None:
    words = told("ZBE|312^CH-X|202403061100||INSERT|N||Chir^^^^^CH^UF^^^6268||HMS")
    assert words == {
        1: "312 (CH-X)",
        2: "06/03/2024 11:00",
        4: "création (INSERT)",
        5: "non, mouvement courant (N)",
        7: "Chir (UF 6268)",
        9: "hébergement, responsabilité médicale, soins (HMS)",
    }


def test_a_stay_and_a_doctor() -> None:
    words = told("PV1|1|I|U1^12^A^CH-X||||10000023084^AGNES^Isabelle^^^DR^^^X^L^^^RPPS")
    assert words[2] == "hospitalisation (I)"
    assert words[3] == "UF U1, chambre 12, A".replace(", A", ", lit A") + ", CH-X"
    assert words[7] == "DR Isabelle AGNES (RPPS 10000023084)"
    assert told("ROL||UC|ODRP")[3] == "médecin traitant (ODRP)"


def test_a_document_is_told_by_its_size() -> None:
    words = told(f"OBX|1|ED|11490-0^Lettre de liaison^LN||^TEXT^XML^Base64^{'QUJD' * 1000}||||||F")
    assert words[3] == "Lettre de liaison (11490-0)"
    assert words[5] == "TEXT · XML · Base64, 4\u202f000 caractères"
    assert words[11] == "validé (F)"


def test_a_documents_flag_is_told() -> None:
    line = "OBX|2|CE|MASQUE_PS^x^MetaDMPMSS||N^^expandedYes-NoIndicator||||||F"
    assert (labels(line)[5], told(line)[5]) == ("Masqué aux professionnels dans le DMP", "non")


def test_null_and_unknown_things() -> None:
    assert told('PID|||""')[3] == "(à supprimer)"
    assert labels("ZZZ|a") == {1: "Champ 1"}
    assert told("PID|||||||pas une date")[7] == "pas une date"
    assert told("PV1||Q")[2] == "Q"
    assert told("NTE|||" + "x" * 1000)[3] == "x" * LONGEST + "… (1000 caractères)"


def test_msh_does_not_show_its_delimiters() -> None:
    header = Message.parse(b"MSH|^~\\&|GAM|||||ADT|ADT^A01\r").header
    assert [number for number, _, _ in describe(header)] == [3, 8, 9]


@pytest.mark.parametrize(("line", "name"), [("ZBE|1", "Mouvement"), ("ZZZ|1", "Segment ZZZ")])
def test_segments_have_names(line: str, name: str) -> None:
    assert segment_name(Message.parse(f"MSH|^~\\&|A\r{line}\r".encode()).segments[1]) == name


def test_the_vocabulary_holds_together() -> None:
    assert set(FIELDS) <= set(SEGMENTS)
    for fields in FIELDS.values():
        assert {kind[1:] for kind, _ in fields.values() if kind.startswith("=")} <= set(TABLES)
    assert "ODRP" in TABLES["0443"] and len(DOCUMENT_FLAGS) >= 12


@given(st.sampled_from(sorted(SEGMENTS)), st.text(alphabet='ABYN1920^~&|\\"Fé ', max_size=80))
def test_anything_can_be_told(name: str, fields: str) -> None:
    for segment in Message.parse(f"MSH|^~\\&|A\r{name}|{fields}\r".encode()).segments:
        for number, label, text in describe(segment):
            assert number >= 1 and label and text
