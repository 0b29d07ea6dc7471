from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.mssante.directory import Ambiguous, Chosen, Directory, DirectoryEntry, DirectoryLayoutError, NoMailbox

HEADER = (
    "Type de BAL|Adresse BAL|Type Identifiant PP|Identifiant PP|Identification nationale PP|Type identifiant structure|"
    "Identification Structure|Service de rattachement|Civilité d'exercice|Nom d'exercice|Prénom d'exercice|Catégorie profession|"
    "Libellé de catégorie profession|Code Profession|Libellé Profession|Code savoir-faire|Libellé savoir-faire|Dématérialisation|"
    "Raison Sociale structure BAL|Enseigne commerciale structure BAL|L2COMPLEMENTLOCALISATION structure BAL|"
    "L3COMPLEMENTDISTRIBUTION structure BAL|L4NUMEROVOIE structure BAL|L4COMPLEMENTNUMEROVOIE structure BAL|"
    "NL4TYPEVOIE structure BAL|L4LIBELLEVOIE structure BAL|L5LIEUDITMENTION structure BAL|L6LIGNEACHEMINEMENT structure BAL|"
    "Code postal structure BAL|Département structure BAL|Pays structure BAL\n"
)
RPPS = "10101010101"


def row(kind: str, address: str, rpps: str = "", structure: str = "", name: str = "") -> str:
    columns = [""] * 31
    columns[0:2] = kind, address
    columns[3] = rpps
    columns[5:7] = ("FINESS", structure) if structure else ("", "")
    columns[9:11] = "LARTIGUE", "Anne"
    columns[13] = "10"
    columns[18] = name
    columns[28] = "40000"
    return "|".join(columns) + "\r\n"


def directory(*rows: str) -> Directory:
    return Directory.load([HEADER, *rows])


def test_a_row_is_read_by_the_position_of_its_columns() -> None:
    loaded = directory(row("PER", "Anne.Lartigue@medecin.mssante.fr", RPPS, "400000001", "CABINET LARTIGUE"))
    assert loaded.of_professional(RPPS) == (
        DirectoryEntry(
            type="PER",
            address="Anne.Lartigue@medecin.mssante.fr",
            rpps=RPPS,
            structure_id_type="FINESS",
            structure_id="400000001",
            department="",
            family="LARTIGUE",
            given="Anne",
            profession="10",
            speciality="",
            structure_name="CABINET LARTIGUE",
            postal_code="40000",
        ),
    )
    assert len(loaded) == 1 and loaded.findings == ()


def test_rows_are_found_by_address_whatever_its_case_and_by_structure() -> None:
    loaded = directory(row("PER", "A@x.fr", RPPS), row("ORG", "b@x.fr", structure="400000001"), row("PER", "a@x.fr", "10101010102"))
    assert [entry.rpps for entry in loaded.of_address("a@X.FR")] == [RPPS, "10101010102"]
    assert [entry.address for entry in loaded.of_structure("400000001")] == ["b@x.fr"]
    assert loaded.of_address("c@x.fr") == loaded.of_structure("") == loaded.of_professional("") == ()


def test_bad_lines_are_left_out_counted_and_told_by_number() -> None:
    loaded = directory("PER|short\n", "\n", row("PER", "not an address", RPPS), "x" * 5000, row("PER", "a@x.fr", RPPS))
    assert len(loaded) == 1 and loaded.skipped == 3
    assert [finding.where for finding in loaded.findings] == ["ligne 2", "ligne 4", "ligne 5"]
    assert all("not an address" not in finding.message for finding in loaded.findings)


def test_findings_are_bounded_though_all_bad_lines_are_counted() -> None:
    loaded = directory(*["bad\n"] * 500)
    assert loaded.skipped == 500 and len(loaded.findings) == 100


@pytest.mark.parametrize("header", ["", "a|b|c\n", HEADER.replace("Adresse BAL", "Nom"), row("PER", "a@x.fr", RPPS)])
def test_another_layout_is_refused_whole(header: str) -> None:
    with pytest.raises(DirectoryLayoutError):
        Directory.load([header, row("PER", "a@x.fr", RPPS)])


def test_byte_order_mark_and_trailing_separator_are_tolerated() -> None:
    loaded = Directory.load(["\ufeff" + HEADER.rstrip("\n") + "|\n", row("PER", "a@x.fr", RPPS).rstrip("\r\n") + "|\n"])
    assert len(loaded) == 1


def chosen(found: object) -> str:
    assert isinstance(found, Chosen)
    return found.entry.address


def test_the_only_personal_mailbox_is_chosen() -> None:
    assert chosen(directory(row("ORG", "o@x.fr", RPPS, "1"), row("PER", "a@x.fr", RPPS, "1")).resolve(RPPS)) == "a@x.fr"


def test_one_mailbox_listed_under_two_structures_is_one_mailbox() -> None:
    assert chosen(directory(row("PER", "a@x.fr", RPPS, "1"), row("PER", "A@x.fr", RPPS, "2")).resolve(RPPS)) == "a@x.fr"


def test_two_personal_mailboxes_of_different_structures_are_never_chosen_between() -> None:
    loaded = directory(row("PER", "a@x.fr", RPPS, "1"), row("PER", "b@y.fr", RPPS, "2"))
    found = loaded.resolve(RPPS)
    assert isinstance(found, Ambiguous) and len(found.entries) == 2
    assert chosen(loaded.resolve(RPPS, structures=frozenset({"2"}))) == "b@y.fr"
    assert isinstance(loaded.resolve(RPPS, structures=frozenset({"1", "2"})), Ambiguous)


def test_two_mailboxes_of_one_structure_give_the_first() -> None:
    assert chosen(directory(row("PER", "a@x.fr", RPPS, "1"), row("PER", "b@x.fr", RPPS, "1")).resolve(RPPS)) == "a@x.fr"


def test_without_personal_mailbox_the_structures_only_shared_one_is_chosen() -> None:
    loaded = directory(
        row("ORG", "o@x.fr", structure="1"), row("ORG", "p@x.fr", structure="2"), row("ORG", "q@x.fr", structure="2")
    )
    assert chosen(loaded.resolve(RPPS, structures=frozenset({"1"}))) == "o@x.fr"
    assert isinstance(loaded.resolve(RPPS, structures=frozenset({"2"})), Ambiguous)
    assert loaded.resolve(RPPS) == loaded.resolve(RPPS, structures=frozenset({"3"})) == NoMailbox()


@given(st.lists(st.text(max_size=60), max_size=10))
def test_any_lines_after_the_header_are_read_or_told(lines: list[str]) -> None:
    loaded = Directory.load([HEADER, *(f"{line}\n" for line in lines)])
    assert len(loaded) + loaded.skipped + sum(not line.rstrip("\r\n") for line in lines) == len(lines)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), min_size=1, max_size=60))
def test_every_row_is_found_again_by_each_of_its_keys(rows: list[tuple[int, int]]) -> None:
    lines = [row("PER", f"a{who}@x{where}.fr", f"{10**10 + who}", f"{where}") for who, where in rows]
    loaded = directory(*lines)
    for who, where in rows:
        assert sum(f"{10**10 + who}" == f"{10**10 + other}" for other, _ in rows) == len(loaded.of_professional(f"{10**10 + who}"))
        assert rows.count((who, where)) == len(loaded.of_address(f"A{who}@X{where}.FR"))
        assert sum(where == other for _, other in rows) == len(loaded.of_structure(f"{where}"))
