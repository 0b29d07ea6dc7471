"""``liaison pause``, ``resume`` and ``letters`` on a hub that runs."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from liaison.cli.main import main
from tests.servers.hub import Hub
from tests.servers.mllp import MllpConnection
from tests.servers.ports import free_port

ADMISSION = (
    b"MSH|^~\\&|GAM|CH-TEST|LIAISON|PFI|20261120101500||ADT^A01^ADT_A01|%s|T|2.5^FRA^2.11|||||FRA|UNICODE UTF-8\r"
    b"EVN||20261120101500||||20261120101000\r"
    b"PID|||80042^^^CH-TEST&400011177&M^PI||DARRIEUX^ODETTE^ODETTE JEANNE^^^^L||19751103|F|||^^^^^^BDL^^64102"
    b"|||||||24000006^^^CH-TEST&400011177&M^AN||||||||||||N||VALI\r"
    b"PV1||I|3010^12^1^CH-TEST&400011177&M||||||||||||||||90001^^^CH-TEST&400011177&M^VN\r"
    b"ZBE|501^GAM|20261120101000||INSERT|N||^^^^^^UF^^^3010|^^^^^^UF^^^3010|HMS\r"
)
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
patients = "all"
"""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def hub(tmp_path: Path, port: int) -> AsyncGenerator[Hub]:
    made = Hub(tmp_path, CONFIGURATION.format(port=port))
    (tmp_path / "evenements").mkdir()
    await made.start()
    try:
        yield made
    finally:
        made.end()


def run(hub: Hub, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--config", str(hub.config)], catch_exceptions=False)


async def test_a_paused_destination_waits_over_a_restart_and_a_paused_source_sends_again(hub: Hub, port: int) -> None:
    for control_id in ("7001", "7002"):
        (hub.folder / f"{control_id}.hl7").write_bytes(ADMISSION % control_id.encode())
    paused = run(hub, "pause", "evenements", "--reason", "maintenance", "--json")
    assert paused.exit_code == 0
    assert json.loads(paused.stdout) == {"switch": "destination/evenements", "stopped": True, "changed": True}
    assert "déjà suspendue" in run(hub, "pause", "evenements", "--reason", "maintenance").stdout
    await hub.liaison("send", "7001.hl7", "--to", f"127.0.0.1:{port}")
    assert await hub.stop() == 0
    await hub.start()
    counts = await hub.stats()
    assert counts["deliveries"] == {"pending": 2} and counts["stopped"] == ["destination/evenements"]

    assert run(hub, "pause", "ch", "--reason", "essai").exit_code == 0
    async with MllpConnection(port) as connection:
        assert (await connection.send(ADMISSION % b"7002")).code == "AR"
    assert (await hub.stats())["messages"] == 1
    assert run(hub, "resume", "ch", "--reason", "essai").exit_code == 0
    await hub.liaison("send", "7002.hl7", "--to", f"127.0.0.1:{port}")

    assert "en service" in run(hub, "resume", "evenements", "--reason", "fin de la maintenance").stdout
    counts = await hub.drained()
    assert counts["messages"] == 2 and counts["deliveries"] == {"submitted": 2} and counts["stopped"] == []


async def test_letters_are_stopped_and_check_says_so(hub: Hub) -> None:
    assert run(hub, "letters", "stop", "--reason", "adresse fausse").stdout == "Les lettres sont arrêtées.\n"
    assert (await hub.stats())["stopped"] == ["letters"]
    told = json.loads(await hub.liaison("check", "--config", str(hub.config), "--json"))
    assert [each["status"] for each in told["checks"] if each["subject"] == "arrêts"] == ["warning"]
    assert json.loads(run(hub, "letters", "start", "--reason", "corrigée", "--json").stdout)["changed"] is True
    told = json.loads(await hub.liaison("check", "--config", str(hub.config), "--json"))
    assert [each for each in told["checks"] if each["subject"] == "arrêts"] == []


def test_without_a_hub_that_runs_the_command_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "liaison.toml"
    path.write_text(CONFIGURATION.format(port=2575))
    result = CliRunner().invoke(main, ["pause", "evenements", "--reason", "essai", "--config", str(path)])
    assert result.exit_code == 2 and "aucune plateforme ne tourne" in result.output
    assert [one.name for one in tmp_path.iterdir()] == ["liaison.toml"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("pause", "evenements"),
        ("pause", "--reason", "essai"),
        ("pause", "evenements", "--all", "--reason", "essai"),
        ("pause", "inconnue", "--reason", "essai"),
        ("letters", "stop", "--reason", "x"),
    ],
)
async def test_a_wrong_use_is_told(hub: Hub, arguments: tuple[str, ...]) -> None:
    assert run(hub, *arguments).exit_code == 2
