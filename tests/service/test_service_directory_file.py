"""The national extraction, as text and as ZIP, and the index made of it."""

from __future__ import annotations

import re
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from liaison.mssante.directory import COLUMNS
from liaison.service.directory_file import DirectoryFileError, DirectoryFiles, DirectoryShrunk, extraction_date, read_directory

RPPS = "10000000001"
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def extraction(rows: int = 1) -> bytes:
    header, row = [""] * COLUMNS, [""] * COLUMNS
    names = {1: "Type de BAL", 2: "Adresse BAL", 4: "Identifiant PP", 7: "Identification Structure", 10: "Nom d'exercice"}
    for position, name in names.items():
        header[position - 1] = name
    lines = [header]
    for number in range(rows):
        row[0], row[1], row[3] = "PER", f"gp{number or ''}@medecin.test", f"{int(RPPS) + number}"
        lines.append(list(row))
    return "".join("|".join(line) + "\n" for line in lines).encode("utf-8-sig")


def archive(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(name, extraction())
    return path


def test_text_and_zip_hold_the_same_mailboxes(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_bytes(extraction())
    for path in (text, archive(tmp_path / "a.zip", "Extraction_Correspondance_MSSante.txt")):
        (entry,) = read_directory(path).of_professional(RPPS)
        assert entry.address == "gp@medecin.test"


def test_what_is_not_an_extraction_is_told_with_its_file(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_bytes(b"a;b;c\n\xff")
    two = archive(tmp_path / "two.zip", "a.txt", "b.txt")
    torn = tmp_path / "torn.zip"
    torn.write_bytes(archive(tmp_path / "whole.zip", "a.txt").read_bytes()[:40])
    for path in (other, two, torn, tmp_path / "absent.txt", tmp_path):
        with pytest.raises(DirectoryFileError, match=path.name):
            read_directory(path)


def test_an_extraction_taken_is_found_again_without_being_read(tmp_path: Path) -> None:
    source, files = tmp_path / "a.txt", DirectoryFiles(tmp_path / "hub")
    source.write_bytes(extraction(30))
    taken = files.take(source, now=NOW)
    assert taken.new and taken.in_use.rows == 30 and files.is_current(source)
    source.unlink()
    again = DirectoryFiles(tmp_path / "hub").open()
    assert again is not None and len(again) == 30 and len(again.of_professional(RPPS)) == 1


def test_the_same_extraction_is_taken_once_whatever_its_time(tmp_path: Path) -> None:
    source, files = tmp_path / "a.txt", DirectoryFiles(tmp_path)
    source.write_bytes(extraction(30))
    first = files.take(source, now=NOW)
    source.touch()
    second = files.take(source, now=NOW + timedelta(days=1))
    assert not second.new and second.in_use.taken_at == first.in_use.taken_at and files.is_current(source)


def test_an_extraction_that_shrank_is_refused_until_a_person_accepts_it(tmp_path: Path) -> None:
    source, files = tmp_path / "a.txt", DirectoryFiles(tmp_path)
    source.write_bytes(extraction(1000))
    files.take(source, now=NOW)
    source.write_bytes(extraction(949))
    with pytest.raises(DirectoryShrunk, match=r"949 boîtes, contre 1000.*--accept-smaller"):
        files.take(source, now=NOW)
    kept = files.open()
    assert kept is not None and len(kept) == 1000
    assert files.take(source, now=NOW, accept_smaller=True).in_use.rows == 949
    source.write_bytes(extraction(910))
    assert files.take(source, now=NOW).in_use.rows == 910


def test_a_file_cut_in_half_is_refused_with_its_line_and_the_last_good_one_stays(tmp_path: Path) -> None:
    source, files = tmp_path / "a.txt", DirectoryFiles(tmp_path)
    source.write_bytes(extraction(1000))
    files.take(source, now=NOW)
    whole = source.read_bytes()
    source.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DirectoryFileError, match=r"ligne \d+ : .*tronqué.*télécharger"):
        files.take(source, now=NOW)
    kept = files.open()
    assert kept is not None and len(kept) == 1000
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("damage", [b"", b"x", b"LIADIR01"])
def test_an_index_that_is_damaged_is_made_again(tmp_path: Path, damage: bytes) -> None:
    source, files = tmp_path / "a.txt", DirectoryFiles(tmp_path)
    source.write_bytes(extraction(30))
    files.take(source, now=NOW)
    (index,) = tmp_path.glob("annuaire-*.index")
    index.write_bytes(damage)
    assert files.open() is None
    assert files.take(source, now=NOW).new
    made = files.open()
    assert made is not None and len(made) == 30


def test_only_the_index_in_use_and_the_one_before_it_are_kept(tmp_path: Path) -> None:
    source, files = tmp_path / "a.txt", DirectoryFiles(tmp_path)
    for rows in (30, 31, 32):
        source.write_bytes(extraction(rows))
        files.take(source, now=NOW)
    assert len(list(tmp_path.glob("annuaire-*.index"))) == 2


def test_an_extraction_is_dated_by_its_name(tmp_path: Path) -> None:
    dated = archive(tmp_path / "directory.zip", "Extraction_Correspondance_MSSante_202611210230.txt")
    assert extraction_date(dated) == datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
    by_time = tmp_path / "annuaire.txt"
    by_time.write_bytes(extraction())
    assert extraction_date(by_time).timestamp() == pytest.approx(by_time.stat().st_mtime)


def test_reading_tells_how_far_it_is(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_bytes(extraction(25_000))
    told: list[tuple[int, int]] = []
    DirectoryFiles(tmp_path).take(source, now=NOW, progress=lambda done, total: told.append((done, total)))
    done = [one for one, _ in told]
    assert done == sorted(done) and len(done) >= 3 and told[-1] == (source.stat().st_size, source.stat().st_size)


def test_a_refusal_names_no_address(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_bytes(extraction(50)[:-40])
    with pytest.raises(DirectoryFileError) as refused:
        DirectoryFiles(tmp_path).take(source, now=NOW)
    assert not re.search(r"gp\d*@|medecin\.test", str(refused.value))
