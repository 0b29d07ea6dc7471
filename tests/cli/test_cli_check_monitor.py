"""``liaison check --monitor``, as Nagios and Centreon call it: one line, performance data, four exit codes, within five seconds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import socket
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from liaison.cli.check import check
from liaison.cli.check_monitor import Line, limits_from, line_of
from liaison.hub.watch.standing import DestinationStanding, Parts, Standing
from liaison.hub.watch.troubles import Level, Limits
from liaison.service.loader import read_configuration
from liaison.service.monitor import Monitor
from liaison.service.running import RunningHub
from liaison.service.watching import Watch
from tests.servers.eventually import eventually
from tests.servers.hub import Hub
from tests.servers.ports import free_port

CONFIGURATION = """\
[hub]
journal = "sqlite:///data/journal.db"
keys = "file:keys"
[sources.ch]
kind = "memory"
finess = "400011177"
[destinations.platform]
kind = "memory"
[[routes]]
events = ["*"]
to = "platform"
patients = "all"
[monitor]
listen = "{listen}"
interval = 0.1
"""
#: A plug-in's line: status, text, and performance data after the bar (Monitoring Plugins' guidelines, §2.1, §2.6).
LINE = re.compile(r"LIAISON (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+( \|( '[\w.-]+'=-?[\d.e+-]+(s|%|B|c)?(;[\d.e+-]*:?)*)+)?\n")


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(check, ["--monitor", *arguments], catch_exceptions=False)
    if "--json" not in arguments:
        assert LINE.fullmatch(result.output), result.output
    return result


@contextlib.asynccontextmanager
async def watched(folder: Path, listen: str) -> AsyncGenerator[Path]:
    """A hub that runs in this process; gives its configuration's file."""
    path = folder / "liaison.toml"
    path.write_text(CONFIGURATION.format(listen=listen), "utf-8")
    configuration = read_configuration(path.read_text("utf-8"), path=path, folder=folder)
    async with RunningHub(configuration) as hub, Watch(hub) as watch, Monitor(hub, watch):
        await eventually(lambda: watch.standing.sources and watch.standing.commit_age < 60, what="a look")
        yield path


@pytest.fixture
def deaf() -> Generator[int]:
    """A port that accepts connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        port: int = listening.getsockname()[1]
        yield port


async def test_a_hub_that_does_well_is_ok(tmp_path: Path) -> None:
    async with watched(tmp_path, f"127.0.0.1:{free_port()}") as path:
        result = await asyncio.to_thread(run, "--config", str(path))
        assert result.exit_code == 0, result.output
        assert "rien à signaler" in result.output and "'backlog_platform'=0" in result.output and "'disk_journal'=" in result.output
        told = json.loads((await asyncio.to_thread(run, "--json", "--config", str(path))).output)
        assert (told["code"], told["status"]) == (0, "OK") and told["perfdata"]


async def test_thresholds_are_the_callers(tmp_path: Path) -> None:
    async with watched(tmp_path, f"127.0.0.1:{free_port()}") as path:
        warned = await asyncio.to_thread(run, "--config", str(path), "--warning", "disk=100")
        assert warned.exit_code == 1 and "disque" in warned.output
        critical = await asyncio.to_thread(run, "--config", str(path), "--critical", "disk=100")
        assert critical.exit_code == 2


async def test_a_hub_that_listens_nowhere_is_known_by_its_journal(tmp_path: Path) -> None:
    async with watched(tmp_path, "") as path:
        result = await asyncio.to_thread(run, "--config", str(path))
        assert result.exit_code == 0, result.output


async def test_another_hub_on_the_address_is_not_taken_for_this_one(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    async with watched(tmp_path / "one", f"127.0.0.1:{port}"):
        other = tmp_path / "other" / "liaison.toml"
        other.write_text(CONFIGURATION.format(listen=f"127.0.0.1:{port}"), "utf-8")
        result = await asyncio.to_thread(run, "--config", str(other))
        assert result.exit_code == 2 and "journal" in result.output
        asked = await asyncio.to_thread(run, "--config", str(other), "--url", f"http://127.0.0.1:{port}")
        assert asked.exit_code == 0


def test_a_hub_that_does_not_run_is_critical(tmp_path: Path, unused_tcp_port: int) -> None:
    path = tmp_path / "liaison.toml"
    path.write_text(CONFIGURATION.format(listen=f"127.0.0.1:{unused_tcp_port}"), "utf-8")
    result = run("--config", str(path))
    assert result.exit_code == 2 and "ne répond pas" in result.output and "jamais démarré" in result.output


async def test_a_hub_that_was_stopped_is_critical_with_what_its_journal_says(tmp_path: Path) -> None:
    async with watched(tmp_path, f"127.0.0.1:{free_port()}") as path:
        pass
    result = await asyncio.to_thread(run, "--config", str(path))
    assert result.exit_code == 2 and "connexion refusée" in result.output and "'backlog_platform'=0" in result.output


@pytest.mark.timeout(30)
def test_something_that_never_answers_is_not_waited_for(tmp_path: Path, deaf: int) -> None:
    path = tmp_path / "liaison.toml"
    path.write_text(CONFIGURATION.format(listen=f"127.0.0.1:{deaf}"), "utf-8")
    result = run("--config", str(path))
    assert result.exit_code == 2 and "ne répond pas" in result.output


@pytest.mark.timeout(90)
async def test_a_hub_that_hangs_is_critical_in_time(tmp_path: Path) -> None:
    text = CONFIGURATION.format(listen=f"127.0.0.1:{free_port()}")
    hub = Hub(tmp_path, text)
    await hub.start()
    try:
        hub.send_signal(signal.SIGSTOP)
        result = await asyncio.to_thread(run, "--config", str(hub.config))
        assert result.exit_code == 2 and "ne répond pas" in result.output and "'commit_age'=" in result.output
    finally:
        hub.send_signal(signal.SIGCONT)
        hub.end()


@pytest.mark.parametrize(
    "arguments",
    [["--frob"], ["--warning", "foo=3"], ["--critical", "disk=much"], ["--warning", "disk"], ["--config", "absent.toml"]],
)
def test_wrong_use_is_unknown(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 3 and "UNKNOWN" in result.output


def test_a_configuration_with_faults_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "liaison.toml"
    path.write_text("[hub]\nnom = 3\n", "utf-8")
    result = run("--config", str(path))
    assert result.exit_code == 3 and "ligne 2" in result.output


def test_the_worst_comes_first_and_a_line_stays_one(tmp_path: Path) -> None:
    standing = Standing(
        at=time.time(),
        parts=Parts(reader="une barre | et\ndeux lignes"),
        destinations={f"d{number}": DestinationStanding(backlog=1, oldest=7200) for number in range(9)},
    )
    line = line_of(standing, Limits())
    assert line.level is Level.CRITICAL and LINE.fullmatch(f"{line}\n")
    assert line.text.startswith("une barre") and "Et 6 autres." in line.text


def test_a_hub_that_no_longer_looks_at_itself_is_critical() -> None:
    assert line_of(Standing(at=time.time() - 600), Limits()).level is Level.CRITICAL
    assert line_of(Standing(at=time.time() - 60), Limits()).level is Level.OK


def test_alerts_that_cannot_be_sent_are_a_warning() -> None:
    assert line_of(Standing(at=time.time(), untold=2), Limits()).level is Level.WARNING


def test_limits_of_the_command_line_replace_those_of_the_file() -> None:
    limits = limits_from(Limits(), ("backlog=5",), ("backlog=7", "disk=1"))
    assert limits.backlog == (5.0, 7.0) and limits.disk == (Limits().disk[0], 1.0)
    with pytest.raises(ValueError, match="backlog"):
        limits_from(Limits(), ("nothing=1",), ())


def test_a_line_without_figures_has_no_bar() -> None:
    assert str(Line(level=Level.UNKNOWN, text="a  b")) == "LIAISON UNKNOWN - a b"


async def test_the_page_for_people_says_the_same(tmp_path: Path) -> None:
    async with watched(tmp_path, f"127.0.0.1:{free_port()}") as path:
        result = await asyncio.to_thread(CliRunner().invoke, check, ["--config", str(path)])
        assert result.exit_code == 0, result.output
        assert "0 envois en attente" in result.output and "retenues" in result.output
    stopped = await asyncio.to_thread(CliRunner().invoke, check, ["--config", str(path)])
    # Stopping a hub on purpose is no fault of its configuration.
    assert stopped.exit_code == 0 and "ne répond pas" in stopped.output
