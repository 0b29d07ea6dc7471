"""``liaison shadow`` beside a hub that runs."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from liaison.cli.shadow import shadow
from tests.servers.hub import Hub
from tests.servers.ports import free_port


def admission(control_id: str) -> bytes:
    now = f"{datetime.now():%Y%m%d%H%M%S}"
    return (
        f"MSH|^~\\&|GAM|CH-TEST|LIAISON|PFI|{now}||ADT^A01^ADT_A01|{control_id}|T|2.5^FRA^2.11|||||FRA|UNICODE UTF-8\r"
        f"EVN||{now}||||{now}\r"
        "PID|||80042^^^CH-TEST&400011177&M^PI||DARRIEUX^ODETTE^ODETTE JEANNE^^^^L||19751103|F|||^^^^^^BDL^^64102"
        "|||||||24000006^^^CH-TEST&400011177&M^AN||||||||||||N||VALI\r"
        "PV1||I|3010^12^1^CH-TEST&400011177&M||||||||||||||||90001^^^CH-TEST&400011177&M^VN\r"
        f"ZBE|501^GAM|{now}||INSERT|N||^^^^^^UF^^^3010|^^^^^^UF^^^3010|HMS\r"
    ).encode()


IDENTIFYING = ("DARRIEUX", "ODETTE", "80042", "90001")


def configuration(port: int, mode: str) -> str:
    return f"""\
[hub]
journal = "sqlite:///journal.db"
keys = "file:keys"
[sources.ch]
kind = "mllp"
listen = "127.0.0.1:{port}"
finess = "400011177"
mode = "{mode}"
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
    """A hub that took one admission and one message in quarantine, in shadow."""
    port = free_port()
    made = Hub(tmp_path, configuration(port, "shadow"))
    (tmp_path / "evenements").mkdir()
    (tmp_path / "a01.hl7").write_bytes(admission("7001"))
    (tmp_path / "bad.hl7").write_bytes(admission("7002").replace(b"\rPID", b"\rPIX"))
    await made.start()
    try:
        await made.liaison("send", "a01.hl7", "bad.hl7", "--to", f"127.0.0.1:{port}")
        yield made
    finally:
        made.end()


def run(hub: Hub, *arguments: str) -> Result:
    return CliRunner().invoke(shadow, [*arguments, "--config", str(hub.config)], catch_exceptions=False)


async def test_the_report_tells_what_would_have_left_and_nothing_of_whom(hub: Hub) -> None:
    answer = run(hub, "--json")
    told = json.loads(answer.stdout)
    assert answer.exit_code == 0 and told["messages"] == {"ch": {"accepted": 1, "quarantined": 1}}
    assert {(line["about"], line["outcome"], line["number"]) for line in told["lines"]} == {
        ("identity.created", "deliver", 1),
        ("stay.admitted", "deliver", 1),
    }
    assert [(unit["unit"], unit["admissions"]) for unit in told["units"]] == [("3010", 1)]
    page = run(hub, "--source", "ch").stdout
    assert "serait parti" in page and "Admission" in page and "quarantaine" in page and "3010" in page
    assert not [name for name in IDENTIFYING if name in answer.stdout + page]
    assert list((hub.folder / "evenements").iterdir()) == []
    assert (await hub.stats())["deliveries"] == {"shadowed": 2}


async def test_a_period_without_a_shadow_is_answered_no(hub: Hub) -> None:
    answer = run(hub, "--since", "2100-01-01")
    assert answer.exit_code == 1 and "Rien" in answer.stdout


async def test_a_source_that_is_not_there_is_told_with_those_that_are(hub: Hub) -> None:
    answer = run(hub, "--source", "ch-dax")
    assert answer.exit_code == 2 and "sources : ch." in answer.output


def test_without_a_journal_there_is_nothing_to_report(tmp_path: Path) -> None:
    (tmp_path / "liaison.toml").write_text(configuration(2575, "shadow"), "utf-8")
    answer = CliRunner().invoke(shadow, ["--config", str(tmp_path / "liaison.toml")])
    assert answer.exit_code == 2 and "journal" in answer.output
