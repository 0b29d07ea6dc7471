"""A national extraction of any size, in the exact layout of Extraction_Correspondance_MSSante, of invented people only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

#: The header line, its 31 columns in order (mssante digest §5.2).
HEADER = (
    "Type de BAL|Adresse BAL|Type Identifiant PP|Identifiant PP|Identification nationale PP|Type identifiant structure|"
    "Identification Structure|Service de rattachement|Civilité d'exercice|Nom d'exercice|Prénom d'exercice|Catégorie profession|"
    "Libellé de catégorie profession|Code Profession|Libellé Profession|Code savoir-faire|Libellé savoir-faire|Dématérialisation|"
    "Raison Sociale structure BAL|Enseigne commerciale structure BAL|L2COMPLEMENTLOCALISATION structure BAL|"
    "L3COMPLEMENTDISTRIBUTION structure BAL|L4NUMEROVOIE structure BAL|L4COMPLEMENTNUMEROVOIE structure BAL|"
    "NL4TYPEVOIE structure BAL|L4LIBELLEVOIE structure BAL|L5LIEUDITMENTION structure BAL|L6LIGNEACHEMINEMENT structure BAL|"
    "Code postal structure BAL|Département structure BAL|Pays structure BAL\n"
)
#: The whole country in 2026: 535,357 rows, of which 79,886 are organisations'; 5,018 domains.
NATIONAL = 535_000
_DOMAINS = 5_018
_ORGANISATIONS = 7


def rppss(rows: int) -> Iterator[str]:
    """The RPPS of every professional in an extraction of so many rows."""
    return (_rpps(number) for number in range(rows) if number % _ORGANISATIONS)


def finesses(rows: int) -> Iterator[str]:
    """The FINESS of every structure."""
    return (_finess(number) for number in range(0, rows, _ORGANISATIONS))


def lines(rows: int) -> Iterator[str]:
    """The header, then so many rows."""
    yield HEADER
    for number in range(rows):
        domain = f"domaine{number % _DOMAINS}.mssante.test"
        place = f"|||{number % 90}||RUE|DES ESSAIS||40000 MONT DE MARSAN|40000|40|FRANCE\n"
        if number % _ORGANISATIONS:
            yield (
                f"PER|prenom.nom{number}@{domain}|8|{_rpps(number)}|8{_rpps(number)}|FINESS|{_finess(number % 50_000)}|Médecine générale|Docteur|"
                f"NOM{number}|PRENOM|C|Civil|10|Médecin|SM26|Qualifié en médecine générale|O|CABINET MEDICAL DES ESSAIS {number % 50_000}|{place}"
            )
        else:
            yield (
                f"ORG|accueil.{number}@{domain}||||FINESS|{_finess(number)}|Service des essais|||||||||||"
                f"ETABLISSEMENT DES ESSAIS {number}|{place}"
            )


def write_extraction(path: Path, rows: int = NATIONAL) -> Path:
    """Write an extraction as text."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(lines(rows))
    return path


def _rpps(number: int) -> str:
    return f"{10_100_000_000 + number}"


def _finess(number: int) -> str:
    return f"{400_000_000 + number}"
