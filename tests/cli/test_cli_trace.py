"""``liaison trace`` on the journal of a hub that runs."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from liaison.cli.trace import trace
from liaison.hub.vault.keys import create_keys
from tests.servers.hub import Hub
from tests.servers.ports import free_port

ADMISSION = (
    b"MSH|^~\\&|GAM|CH-TEST|LIAISON|PFI|20261120101500||ADT^A01^ADT_A01|7001|T|2.5^FRA^2.11|||||FRA|UNICODE UTF-8\r"
    b"EVN||20261120101500||||20261120101000\r"
    b"PID|||80042^^^CH-TEST&400011177&M^PI||DARRIEUX^ODETTE^ODETTE JEANNE^^^^L||19751103|F|||^^^^^^BDL^^64102"
    b"|||||||24000006^^^CH-TEST&400011177&M^AN||||||||||||N||VALI\r"
    b"PV1||I|3010^12^1^CH-TEST&400011177&M||||||||||||||||90001^^^CH-TEST&400011177&M^VN\r"
    b"ZBE|501^GAM|20261120101000||INSERT|N||^^^^^^UF^^^3010|^^^^^^UF^^^3010|HMS\r"
)
IDENTIFYING = ("DARRIEUX", "ODETTE", "80042", "19751103")


def configuration(port: int) -> str:
    return f"""\
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
async def hub(tmp_path: Path) -> AsyncGenerator[Hub]:
    """A hub that took one admission and one message in quarantine, and delivered what there was."""
    port = free_port()
    made = Hub(tmp_path, configuration(port))
    (tmp_path / "evenements").mkdir()
    (tmp_path / "a01.hl7").write_bytes(ADMISSION)
    (tmp_path / "bad.hl7").write_bytes(ADMISSION.replace(b"|7001|", b"|7002|").replace(b"\rPID", b"\rPIX"))
    await made.start()
    try:
        await made.liaison("send", "a01.hl7", "bad.hl7", "--to", f"127.0.0.1:{port}")
        await made.drained()
        yield made
    finally:
        made.end()


def run(hub: Hub, *arguments: str) -> Result:
    return CliRunner().invoke(trace, [*arguments, "--config", str(hub.config)], catch_exceptions=False)


def printed(hub: Hub, *arguments: str) -> Any:
    return json.loads(run(hub, "--json", *arguments).stdout)


async def test_a_message_is_followed_from_its_coming_to_its_deliveries(hub: Hub) -> None:
    life = printed(hub, "7001")
    assert (life["control_id"], life["kind"], life["source"], life["verdict"]) == ("7001", "ADT^A01", "ch", "accepted")
    assert life["reply"]["code"] == "AA"
    assert [event["type"] for event in life["events"]] == ["fr.liaison.identity.created.v1", "fr.liaison.stay.admitted.v1"]
    assert {(one["destination"], one["outcome"]) for one in life["decisions"]} == {("evenements", "deliver")}
    assert [(one["work"], one["lane_seq"]) for one in life["deliveries"]] == [("submitted", 1), ("submitted", 2)]
    assert all(one["receipts"] for one in life["deliveries"])

    page = run(hub, "7001")
    assert page.exit_code == 0
    for said in ("✓ Accepté", "réponse AA", "● Admission", "→ Admission part vers evenements", "remise à la destination"):
        assert said in page.output

    # Its own id and its events' ids name it too.
    assert printed(hub, life["id"]) == printed(hub, life["events"][1]["id"]) == life

    for shown in (page.output, json.dumps(life)):
        assert not [word for word in IDENTIFYING if word in shown]
    assert "recipient" not in life["decisions"][0]
    assert "recipient" in printed(hub, "7001", "--show")["decisions"][0]

    bad = printed(hub, "7002")
    assert (bad["verdict"], bad["events"], bad["deliveries"]) == ("quarantined", [], [])
    assert "hl7.pid-missing" in {finding["rule"] for finding in bad["findings"]}
    assert "✗ En quarantaine" in run(hub, "7002").output

    unknown = run(hub, "7003")
    assert unknown.exit_code == 1
    assert json.loads(run(hub, "7003", "--json").stdout) == []

    keys = hub.folder / "keys"
    keys.unlink()
    create_keys(keys)
    wrong = run(hub, "7001")
    assert wrong.exit_code == 2
    assert "pas celui de ce journal" in wrong.output.replace("\n", " ")


def test_without_a_journal_nothing_is_made(tmp_path: Path) -> None:
    path = tmp_path / "liaison.toml"
    path.write_text(configuration(2575))
    result = CliRunner().invoke(trace, ["1", "--config", str(path)])
    assert result.exit_code == 2
    assert "pas de journal" in result.output
    assert [one.name for one in tmp_path.iterdir()] == ["liaison.toml"]


def test_a_missing_configuration_is_told(tmp_path: Path) -> None:
    assert CliRunner().invoke(trace, ["1", "--config", str(tmp_path / "absent.toml")]).exit_code == 2
