"""``liaison check``, as a person and a monitoring system see it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from liaison.cli.check import check
from liaison.hub.vault.keys import create_keys


@pytest.fixture
def listening() -> Iterator[int]:
    """A port where something accepts connections."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(_hang_up, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield server.sockets[0].getsockname()[1]

    async def stop() -> None:
        server.close()
        await server.wait_closed()
        # A connection that was only just accepted has its task yet to come.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.gather(*others, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


def configuration(folder: Path, port: int, extra: str = "") -> Path:
    path = folder / "liaison.toml"
    path.write_text(
        f"""\
[hub]
journal = "sqlite:///data/journal.db"
keys = "file:keys"
[sources.ch]
kind = "mllp"
listen = "127.0.0.1:2575"
finess = "400011177"
[destinations.platform]
kind = "webhook"
url = "http://127.0.0.1:{port}/events"
[[routes]]
events = ["*"]
to = "platform"
patients = "all"
{extra}""",
        "utf-8",
    )
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(check, list(arguments), catch_exceptions=False)


def test_all_is_well(tmp_path: Path, listening: int) -> None:
    result = run("--config", str(configuration(tmp_path, listening)))
    assert result.exit_code == 0, result.output
    assert "Tout est en ordre." in result.output and "destination platform" in result.output


def test_without_a_file_the_built_in_configuration_is_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run()
    assert result.exit_code == 0, result.output
    assert "médecin traitant" in result.output and not list(tmp_path.iterdir())


def test_nothing_is_written(tmp_path: Path, listening: int) -> None:
    path = configuration(tmp_path, listening)
    run("--config", str(path))
    assert list(tmp_path.iterdir()) == [path]


def test_json_says_the_same(tmp_path: Path, listening: int) -> None:
    result = run("--json", "--config", str(configuration(tmp_path, listening)))
    report = json.loads(result.output)
    assert report["ok"] is True and report["faults"] == []
    assert {each["status"] for each in report["checks"]} == {"ok"}
    assert {"clés", "journal", "destination platform"} <= {each["subject"] for each in report["checks"]}


def test_a_destination_that_does_not_answer_is_the_answer_no(tmp_path: Path, unused_tcp_port: int) -> None:
    result = run("--json", "--config", str(configuration(tmp_path, unused_tcp_port)))
    assert result.exit_code == 1
    wrong = [each for each in json.loads(result.output)["checks"] if each["status"] == "fault"]
    assert [each["subject"] for each in wrong] == ["destination platform"]


def test_faults_of_the_file_are_shown_with_their_line(tmp_path: Path) -> None:
    path = configuration(tmp_path, 9, 'sauces = ["ch"]\n')
    result = run("--config", str(path))
    assert result.exit_code == 1 and "ligne 15" in result.output and "sources" in result.output
    report = json.loads(run("--json", "--config", str(path)).output)
    assert report["ok"] is False
    assert [(fault["line"], fault["table"], fault["key"]) for fault in report["faults"]] == [(15, "routes[0]", "sauces")]


def test_a_file_that_cannot_be_read_is_wrong_use(tmp_path: Path) -> None:
    result = run("--config", str(tmp_path / "absent.toml"))
    assert result.exit_code == 2 and "absent.toml" in result.output


def test_a_key_that_others_may_read_is_a_fault(tmp_path: Path, listening: int) -> None:
    path = configuration(tmp_path, listening)
    create_keys(tmp_path / "keys")
    assert run("--config", str(path)).exit_code == 0
    (tmp_path / "keys").chmod(0o644)
    result = run("--config", str(path))
    assert result.exit_code == 1 and "chmod 600" in result.output


def test_a_journal_without_its_key_is_a_fault(tmp_path: Path, listening: int) -> None:
    path = configuration(tmp_path, listening)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "journal.db").touch()
    result = run("--config", str(path))
    assert result.exit_code == 1 and "restaurer" in result.output


def test_a_directory_that_is_none_is_a_fault(tmp_path: Path, listening: int) -> None:
    (tmp_path / "annuaire.txt").write_text("x", "utf-8")
    result = run("--config", str(configuration(tmp_path, listening, '[letters]\ndirectory = "annuaire.txt"\n')))
    assert result.exit_code == 1 and "annuaire" in result.output


def test_a_missing_secret_is_a_fault(tmp_path: Path, listening: int) -> None:
    path = configuration(tmp_path, listening)
    path.write_text(path.read_text("utf-8").replace("url =", 'token = "env:ABSENT_HERE"\nurl ='), "utf-8")
    result = run("--config", str(path))
    assert result.exit_code == 1 and "ABSENT_HERE" in result.output
