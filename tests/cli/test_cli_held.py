"""``liaison held``, ``quarantine``, ``retry``, ``cancel`` and ``audit`` as people read them, on a hub that runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from liaison.cli.main import main
from tests.cli.test_cli_pause import ADMISSION, CONFIGURATION
from tests.servers.hub import Hub
from tests.servers.mllp import MllpConnection
from tests.servers.ports import free_port

IDENTIFYING = ("DARRIEUX", "ODETTE", "80042", "19751103")


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncGenerator[Hub]:
    """A hub with two events of a doubtful identity held, and one message in quarantine."""
    port = free_port()
    made = Hub(tmp_path, CONFIGURATION.format(port=port))
    (tmp_path / "evenements").mkdir()
    await made.start()
    try:
        async with MllpConnection(port) as connection:
            await connection.send((ADMISSION % b"7001").replace(b"||VALI\r", b"||DOUT\r"))
            await connection.send((ADMISSION % b"7002").replace(b"\rPID", b"\rPIX"))
        yield made
    finally:
        made.end()


def run(hub: Hub, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--config", str(hub.config)], catch_exceptions=False)


def ids(page: str) -> list[str]:
    return [words[0] for line in page.splitlines() if (words := line.split()) and len(words[0]) == 16]


async def test_lists_name_nobody_and_say_by_when_whoever_should_decide(hub: Hub) -> None:
    held = run(hub, "held", "list").output
    assert held.count("événement") == 2 and "établissement, à décider avant" in held and "gates.identity.doubtful" in held
    assert "2 en attente d'une personne, 0 en retard." in held
    assert "0 en attente" in run(hub, "held", "list", "--owner", "gcs").output
    quarantine = run(hub, "quarantine", "list").output
    assert "message ADT^A01 de ch" in quarantine and "1 en attente" in quarantine
    assert not [word for word in IDENTIFYING if word in held + quarantine]


async def test_a_person_looks_and_decides(hub: Hub) -> None:
    first, second = ids(run(hub, "held", "list").output)
    shown = run(hub, "held", "show", first, "--reason", "identité à lever").output
    assert "DARRIEUX ODETTE 19751103 F" in shown and "DOUT" in shown and "IPP" in shown.upper()
    refused = run(hub, "held", "release", first, "--reason", "essai")
    assert refused.exit_code == 1 and "Identité douteuse" in refused.output
    assert "held release" in run(hub, "retry", first, "--reason", "essai").output
    assert "ne partira pas" in run(hub, "held", "reject", first, "--reason", "doublon").output
    assert "est annulé" in run(hub, "cancel", first, "--reason", "encore").output
    assert "ne partira pas" in run(hub, "cancel", second, "--reason", "doublon").output

    (message,) = ids(run(hub, "quarantine", "list").output)
    page = run(hub, "quarantine", "show", message, "--reason", "flux refusé").output
    assert "hl7.pid-missing" in page and "\nPIX|||80042" in page
    stays = run(hub, "quarantine", "replay", message, "--reason", "essai")
    assert stays.exit_code == 1 and "hl7.pid-missing" in stays.output
    assert "reste sans effet" in run(hub, "quarantine", "reject", message, "--reason", "message d'essai").output
    again = run(hub, "quarantine", "replay", message, "--reason", "essai")
    assert again.exit_code == 1 and "déjà décidé" in again.output
    assert (await hub.stats())["holds"] == 0

    audit = run(hub, "audit", "list", "--reason", "revue", "--most", "3").output.splitlines()
    assert len(audit) == 3 and "audit.list" in audit[0] and "quarantine.replay" in audit[1] and "refusé : essai" in audit[1]
    older = run(hub, "audit", "list", "--reason", "revue", "--before", audit[-1].split()[0]).output
    assert "held.show" in older and "identité à lever" in older


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("held", "release", "0" * 16, "--reason", "essai"), 1),
        (("quarantine", "show", "0" * 16, "--reason", "essai"), 1),
        (("held", "show", "80042", "--reason", "essai"), 2),
        (("held", "show", "0" * 16), 2),
        (("audit", "list", "--reason", "essai", "--most", "0"), 2),
    ],
)
async def test_what_does_not_exist_or_means_nothing_is_told(hub: Hub, arguments: tuple[Any, ...], code: int) -> None:
    assert run(hub, *arguments).exit_code == code
