"""``liaison journal backup``, ``verify``, ``restore``, ``prune``, ``liaison keys`` and ``liaison erase`` as an operator types them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from liaison.cli.main import main
from tests.cli.test_cli_trace import ADMISSION, IDENTIFYING, configuration
from tests.servers.hub import Hub
from tests.servers.ports import free_port


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--config", str(folder / "liaison.toml")])


def typed(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    command = [sys.executable, "-m", "liaison", *arguments, "--config", str(folder / "liaison.toml")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
async def stopped(tmp_path: Path) -> AsyncGenerator[Hub]:
    """A hub that took one admission, and was stopped."""
    port = free_port()
    hub = Hub(tmp_path, configuration(port))
    (tmp_path / "evenements").mkdir()
    (tmp_path / "a01.hl7").write_bytes(ADMISSION)
    await hub.start()
    try:
        await hub.liaison("send", "a01.hl7", "--to", f"127.0.0.1:{port}")
        await hub.drained()
        await hub.stop()
        yield hub
    finally:
        hub.end()


async def test_a_journal_is_backed_up_verified_and_restored(stopped: Hub) -> None:
    folder = stopped.folder
    backup = str(folder / "backup")
    made = run(folder, "journal", "backup", backup)
    assert made.exit_code == 0 and "1 messages" in made.output
    assert run(folder, "journal", "backup", backup).exit_code == 1
    checked = run(folder, "journal", "verify", backup, "--all", "--json")
    assert checked.exit_code == 0 and json.loads(checked.stdout)["complaints"] == []
    assert "Tout est entier" in run(folder, "journal", "verify").output

    refused = await asyncio.to_thread(typed, folder, "journal", "restore", backup)
    assert refused.returncode == 1 and "--replace" in refused.stderr
    restored = await asyncio.to_thread(typed, folder, "journal", "restore", backup, "--replace")
    assert restored.returncode == 0, restored.stderr
    assert "MSH-10 7001" in restored.stdout and "resume --all" in restored.stdout
    for output in (made.output, restored.stdout + restored.stderr, checked.output):
        assert not [word for word in IDENTIFYING if word in output]

    content = bytearray((folder / "backup" / "journal.db").read_bytes())
    content[-1] ^= 1
    (folder / "backup" / "journal.db").write_bytes(content)
    damaged = run(folder, "journal", "verify", backup)
    assert damaged.exit_code == 1 and "manifeste" in damaged.output


async def test_keys_are_exported_verified_and_rotated(stopped: Hub) -> None:
    folder = stopped.folder
    safe, page = folder / "safe", folder / "page"
    check = json.loads(run(folder, "keys", "export", str(safe), "--json").stdout)["check"]
    assert run(folder, "keys", "export", str(safe)).exit_code == 1
    printed = run(folder, "keys", "export", "--paper")
    page.write_text(printed.output)
    page.chmod(0o600)
    for file in (safe, page):
        answer = run(folder, "keys", "verify", str(file), "--json")
        assert answer.exit_code == 0 and json.loads(answer.stdout)["check"] == check
    rotated = run(folder, "keys", "rotate", "--json")
    assert rotated.exit_code == 0 and json.loads(rotated.stdout)["rewrapped"] >= 1
    assert run(folder, "keys", "verify").exit_code == 0
    old = run(folder, "keys", "verify", str(safe))
    assert old.exit_code == 1 and "PAS" in old.output
    assert run(folder, "keys", "export").exit_code == 2
    # With the keys of today the hub starts.
    await stopped.start()
    assert (await stopped.stats())["messages"] == 1
    assert await stopped.stop() == 0


async def test_a_patient_is_erased_through_the_running_hub(stopped: Hub) -> None:
    folder = stopped.folder
    await stopped.start()
    assert run(folder, "erase", "--source", "ch", "--ipp", "80042").exit_code == 2, "without a reason"
    asked = ("--reason", "essai")
    assert run(folder, "erase", "--source", "ch", "--ipp", "80043", *asked).exit_code == 1
    assert run(folder, "erase", "--source", "elsewhere", "--ipp", "80042", *asked).exit_code == 2
    assert run(folder, "erase", "--source", "ch", *asked).exit_code == 2
    done = run(folder, "erase", "--source", "ch", "--ipp", "80042", *asked)
    assert done.exit_code == 0 and "1 dossier" in done.output, done.output
    traced = json.loads(await stopped.liaison("trace", "7001", "--config", str(stopped.config), "--json"))
    assert traced["erased"] is True and traced["events"][0]["type"] == ""
    assert run(folder, "erase", "0000000000000001", *asked).exit_code == 1
    assert run(folder, "keys", "rotate").exit_code == 1, "the hub runs"
    pruned = run(folder, "journal", "prune", "--json")
    assert pruned.exit_code == 0 and json.loads(pruned.stdout)["messages"] == 0
    assert not [word for word in IDENTIFYING if word in stopped.log]
    assert await stopped.stop() == 0


def test_without_a_journal_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "liaison.toml").write_text(configuration(2575))
    for arguments in (("journal", "backup", str(tmp_path / "b")), ("keys", "verify"), ("keys", "rotate")):
        assert run(tmp_path, *arguments).exit_code == 2
    assert run(tmp_path, "journal", "prune").exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["liaison.toml"]
