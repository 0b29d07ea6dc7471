"""The directory and the white list in use: taken at start, taken again when they change, the last good ones kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from liaison.mssante.white_list import CHILDREN, NAMESPACE
from liaison.service.addresses import Addresses
from liaison.service.configuration import Configuration, ReferenceFileError
from liaison.service.loader import read_configuration
from tests.service.test_service_directory_file import RPPS, extraction

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def white_list(*domains: str) -> str:
    rows = "".join(
        "<Domaine>" + "".join(f"<{name}>{domain if name == 'Nom' else ''}</{name}>" for name in CHILDREN) + "</Domaine>"
        for domain in domains
    )
    return (
        f'<ListeBlancheMSSante xmlns="{NAMESPACE}"><DateDeGeneration>2026-11-21T02:00:00Z</DateDeGeneration>'
        f"<ListeDomaines>{rows}</ListeDomaines></ListeBlancheMSSante>"
    )


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    (tmp_path / "annuaire.txt").write_bytes(extraction(1000))
    (tmp_path / "liste.xml").write_text(white_list(*(f"d{number}.fr" for number in range(40))), "utf-8")
    text = '[hub]\njournal = "sqlite:///data/journal.db"\n[letters]\ndirectory = "annuaire.txt"\nwhite_list = "liste.xml"\n'
    return read_configuration(text, path=None, folder=tmp_path)


def started(configuration: Configuration, now: datetime = NOW) -> Addresses:
    addresses = Addresses(configuration, clock=lambda: now)
    addresses.take()
    return addresses


async def test_files_that_change_are_taken_while_the_hub_runs(configuration: Configuration, tmp_path: Path) -> None:
    addresses = started(configuration)
    directory, domains = addresses.directory, addresses.known_domains
    assert directory is not None and domains is not None
    assert len(directory.of_professional(RPPS)) == 1 and "d1.fr" in domains and "new.fr" not in domains
    (tmp_path / "annuaire.txt").write_bytes(extraction(1001))
    (tmp_path / "liste.xml").write_text(white_list("new.fr", *(f"d{number}.fr" for number in range(40))), "utf-8")
    await addresses.look_again()
    assert len(directory.of_professional(f"{int(RPPS) + 1000}")) == 1, "the rules keep the object that they were given"
    assert "new.fr" in domains and not any(one.refused for one in addresses.status())


async def test_files_that_are_cut_or_shrank_change_nothing_and_are_told(configuration: Configuration, tmp_path: Path) -> None:
    addresses = started(configuration)
    (tmp_path / "annuaire.txt").write_bytes(extraction(500))
    (tmp_path / "liste.xml").write_text(white_list(*(f"d{number}.fr" for number in range(20))), "utf-8")
    await addresses.look_again()
    directory, listed = addresses.status()
    assert "--accept-smaller" in directory.refused and "--accept-smaller" in listed.refused
    assert (directory.size, listed.size) == (1000, 40)
    assert addresses.directory is not None and len(addresses.directory.of_professional(f"{int(RPPS) + 900}")) == 1
    again = started(configuration)
    assert again.known_domains is not None and "d39.fr" in again.known_domains
    assert all(one.refused for one in again.status())


def test_without_a_last_good_one_a_file_that_cannot_be_used_stops_the_start(configuration: Configuration, tmp_path: Path) -> None:
    whole = (tmp_path / "annuaire.txt").read_bytes()
    (tmp_path / "annuaire.txt").write_bytes(b"nothing")
    with pytest.raises(ReferenceFileError, match=r"annuaire.*télécharger"):
        started(configuration)
    (tmp_path / "annuaire.txt").write_bytes(whole)
    listed = (tmp_path / "liste.xml").read_text("utf-8")
    (tmp_path / "liste.xml").write_text(listed[: len(listed) // 2], "utf-8")
    with pytest.raises(ReferenceFileError, match="tronqu"):
        started(configuration)


def test_age_is_told(configuration: Configuration) -> None:
    listed = started(configuration, NOW + timedelta(days=10)).status()[1]
    assert listed.is_stale and 10 < listed.days_old < 12
    assert not started(configuration).status()[1].is_stale


def test_a_configured_list_of_domains_narrows_the_white_list(tmp_path: Path) -> None:
    (tmp_path / "liste.xml").write_text(white_list("a.fr", "b.fr"), "utf-8")
    text = '[hub]\njournal = "sqlite:///data/journal.db"\n[letters]\nwhite_list = "liste.xml"\ndomains = ["B.fr", "c.fr"]\n'
    domains = started(read_configuration(text, path=None, folder=tmp_path)).known_domains
    assert domains is not None and [name for name in ("a.fr", "b.fr", "c.fr") if name in domains] == ["b.fr"]


def test_a_question_writes_nothing(configuration: Configuration, tmp_path: Path) -> None:
    addresses = Addresses(configuration, clock=lambda: NOW)
    addresses.look_only()
    assert addresses.directory is not None and addresses.known_domains is not None
    assert not (tmp_path / "data").exists()
