"""``liaison directory`` and ``liaison units``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner, Result

from liaison.cli.main import main
from liaison.service.units_file import UnmappedUnits
from tests.service.test_service_addresses import white_list
from tests.service.test_service_directory_file import extraction
from tests.service.test_service_units_file import movement


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def configuration(folder: Path) -> str:
    (folder / "annuaire_202611210230.txt").write_bytes(extraction(1000))
    (folder / "liste.xml").write_text(white_list("a.fr", "b.fr"), "utf-8")
    (folder / "ufs.csv").write_text("code;label\n6268;Gériatrie\n", "utf-8")
    file = folder / "liaison.toml"
    file.write_text(
        '[hub]\njournal = "sqlite:///data/journal.db"\n[letters]\ndirectory = "annuaire_202611210230.txt"\nwhite_list = "liste.xml"\n'
        '[sources.ch]\nkind = "memory"\nfiness = "400011177"\nunits = "ufs.csv"\n',
        "utf-8",
    )
    return str(file)


def test_loading_says_what_is_in_use_and_refuses_what_shrank(tmp_path: Path) -> None:
    file = configuration(tmp_path)
    assert run("directory", "status", "--config", file).exit_code == 1
    loaded = run("directory", "load", "--config", file, "--json")
    assert loaded.exit_code == 0, loaded.output
    assert [(one["kind"], one["size"]) for one in json.loads(loaded.output)] == [("annuaire", 1000), ("liste blanche", 2)]
    (tmp_path / "annuaire_202611210230.txt").write_bytes(extraction(500))
    refused = run("directory", "load", "--config", file)
    assert refused.exit_code == 1 and "500 boîtes, contre 1000" in refused.output
    assert run("directory", "load", "--config", file, "--accept-smaller").exit_code == 0
    status = json.loads(run("directory", "status", "--config", file, "--json").output)
    assert [one["size"] for one in status["in_use"]] == [500, 2] and status["missing"] == []


def test_units_that_no_referential_has_are_listed(tmp_path: Path) -> None:
    file = configuration(tmp_path)
    assert run("units", "unmapped", "--config", file).exit_code == 0
    (tmp_path / "data").mkdir()
    seen = UnmappedUnits(tmp_path / "data", {})
    for code in ("6268", "7100"):
        seen.note("ch", [movement(code)], lambda: datetime(2026, 11, 22, tzinfo=UTC))
    seen.save()
    listed = run("units", "unmapped", "--config", file, "--json")
    assert listed.exit_code == 1 and [json.loads(line)["code"] for line in listed.output.splitlines()] == ["7100"]
    assert run("units", "unmapped", "--config", file, "--source", "nowhere").exit_code == 2
