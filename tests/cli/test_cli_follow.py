"""``liaison follow`` on a hub that runs."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from liaison.cli.main import main
from tests.servers.hub import Hub
from tests.servers.ports import free_port

CONFIGURATION = """\
[hub]
journal = "sqlite:///journal.db"
keys = "file:keys"
[sources.ch]
kind = "mllp"
listen = "127.0.0.1:{port}"
finess = "400011177"
[destinations.evenements]
kind = "folder"
path = "evenements"
[[routes]]
events = ["*"]
to = "evenements"
[follow]
shrink = 20
"""
FINESS = "400011177"


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncGenerator[Hub]:
    made = Hub(tmp_path, CONFIGURATION.format(port=free_port()))
    (tmp_path / "evenements").mkdir()
    await made.start()
    try:
        yield made
    finally:
        made.end()


def run(hub: Hub, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["follow", *arguments, "--config", str(hub.config)], catch_exceptions=False)


def written(hub: Hub, *numbers: int, more: str = "") -> str:
    file = hub.folder / "liste.csv"
    file.write_text("ipp;finess\n" + "".join(f"IPP{number};{FINESS}\n" for number in numbers) + more)
    return str(file)


def imported(hub: Hub, *arguments: str) -> dict[str, Any]:
    result = run(hub, "import", *arguments, "--reason", "liste de la semaine", "--json")
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


async def test_a_list_is_imported_replaced_and_left(hub: Hub) -> None:
    ten = written(hub, *range(10))
    assert imported(hub, ten, "--dry-run")["changed"] == 10
    assert json.loads(run(hub, "list", "--json").stdout) == {}
    assert imported(hub, ten)["statuses"] == {"waiting": 10}
    assert imported(hub, ten)["unchanged"] == 10
    nine = written(hub, *range(1, 11))
    assert (imported(hub, nine, "--replace", "--dry-run")["left"], imported(hub, nine, "--replace")["left"]) == (1, 1)
    assert json.loads(run(hub, "list", "--json").stdout) == {"suivi": {"left": 1, "waiting": 10}}

    shrunk = run(hub, "import", written(hub, 1, 2, 3), "--replace", "--reason", "liste tronquée")
    assert shrunk.exit_code == 1 and "7 inscriptions sur 10" in shrunk.output
    assert imported(hub, written(hub, 1, 2, 3), "--replace", "--force")["left"] == 7

    assert run(hub, "remove", "--ipp", "IPP1", "--finess", FINESS, "--reason", "a déménagé").exit_code == 0
    assert run(hub, "remove", "--ipp", "IPP1", "--finess", FINESS, "--reason", "a déménagé").exit_code == 1
    assert json.loads(run(hub, "remove", "--file", written(hub, 2, 3), "--reason", "fin", "--json").stdout)["left"] == 2


async def test_a_wrong_file_changes_nothing_and_says_where(hub: Hub) -> None:
    result = run(hub, "import", written(hub, 1, more="IPP-SANS-FINESS;\n"), "--reason", "essai")
    assert result.exit_code == 2 and "ligne 3" in result.output and "SANS" not in result.output
    assert json.loads(run(hub, "list", "--json").stdout) == {}
    assert run(hub, "import", str(hub.folder / "none.csv"), "--reason", "essai").exit_code == 2
    assert run(hub, "import", written(hub, 1), "--list", "autre", "--reason", "essai").exit_code == 2


async def test_identities_are_shown_for_a_reason_only_and_it_is_in_the_audit(hub: Hub) -> None:
    imported(hub, written(hub, 7))
    assert "IPP7" not in run(hub, "list").output
    assert run(hub, "list", "--identities").exit_code == 2
    shown = run(hub, "list", "--identities", "--reason", "contrôle de la liste", "--json")
    assert [one["value"] for one in json.loads(shown.stdout)] == ["IPP7"]
    assert run(hub, "remove", "--reason", "essai").exit_code == 2
