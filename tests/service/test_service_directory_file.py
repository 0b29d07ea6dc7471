"""The national extraction, as text and as ZIP."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from liaison.mssante.directory import COLUMNS
from liaison.service.directory_file import DirectoryFileError, load_directory

RPPS = "10000000001"


def extraction() -> bytes:
    header, row = [""] * COLUMNS, [""] * COLUMNS
    names = {1: "Type de BAL", 2: "Adresse BAL", 4: "Identifiant PP", 7: "Identification Structure", 10: "Nom d'exercice"}
    for position, name in names.items():
        header[position - 1] = name
    row[0], row[1], row[3] = "PER", "gp@medecin.test", RPPS
    return "\n".join("|".join(line) for line in (header, row)).encode("utf-8-sig")


def archive(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(name, extraction())
    return path


def test_text_and_zip_hold_the_same_mailboxes(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_bytes(extraction())
    for path in (text, archive(tmp_path / "a.zip", "Extraction_Correspondance_MSSante.txt")):
        (entry,) = load_directory(path).of_professional(RPPS)
        assert entry.address == "gp@medecin.test"


def test_what_is_not_an_extraction_is_told_with_its_file(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_bytes(b"a;b;c\n\xff")
    two = archive(tmp_path / "two.zip", "a.txt", "b.txt")
    torn = tmp_path / "torn.zip"
    torn.write_bytes(archive(tmp_path / "whole.zip", "a.txt").read_bytes()[:40])
    for path in (other, two, torn, tmp_path / "absent.txt", tmp_path):
        with pytest.raises(DirectoryFileError, match=path.name):
            load_directory(path)
