from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from liaison.cli.simulate import simulate
from liaison.hl7.acknowledgement import build_ack
from liaison.hl7.framing import Frame, FrameDecoder, encode_frame
from liaison.hl7.message import Message

FIXED = ["--seed", "3", "--start", "2026-11-20T08:00"]


@pytest.fixture(autouse=True)
def logs_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loggers stay configured for the whole process: other tests have theirs."""

    def leave(level: int) -> None:
        assert level == logging.CRITICAL

    monkeypatch.setattr("liaison.cli.simulate.configure_logs", leave)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(simulate, arguments)
    return result.exit_code, result.output


@contextmanager
def receiver(code: str, received: list[bytes]) -> Generator[int]:
    """An MLLP receiver in a thread of its own that answers ``code`` to all."""
    loop = asyncio.new_event_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = FrameDecoder(max_message=10_000_000)
        while data := await reader.read(65536):
            for found in decoder.feed(data):
                if isinstance(found, Frame):
                    received.append(found.payload)
                    message = Message.parse(found.payload)
                    reply = build_ack(message, code, "", (), control_id="R", now=datetime.now(UTC), raw=found.payload)
                    writer.write(encode_frame(reply))
        writer.close()
        await writer.wait_closed()

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def end() -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_files_are_written_one_a_message_the_same_for_the_same_seed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        code, output = run("--count", "30", *FIXED, "--out", str(tmp_path / name))
        assert code == 0
        assert "30 messages" in output and "graine 3" in output
    first, second = (sorted((tmp_path / name).iterdir()) for name in ("a", "b"))
    assert [path.name for path in first] == [path.name for path in second]
    assert len(first) == 30
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(first, second, strict=True))
    assert all(Message.parse(path.read_bytes()).header.value(11) == "T" for path in first)


def test_one_hospital_and_some_hours_can_be_asked_for(tmp_path: Path) -> None:
    code, output = run("--hospital", "ch-dax", "--days", "0.1", *FIXED, "--out", str(tmp_path), "--json")
    summary = json.loads(output)
    assert code == 0
    assert summary["messages"] == len(list(tmp_path.iterdir())) == sum(summary["kinds"].values())
    headers = [Message.parse(path.read_bytes()).header for path in tmp_path.iterdir()]
    assert {header.value(4) for header in headers} == {"CH Dax"}
    assert max(header.value(7) for header in headers) < "20261120102400"


def test_the_directory_of_the_invented_physicians_can_be_had(tmp_path: Path) -> None:
    directory = tmp_path / "annuaire.txt"
    code, _ = run("--count", "1", *FIXED, "--out", str(tmp_path / "m"), "--directory", str(directory))
    assert code == 0
    assert directory.read_text("utf-8").startswith("Type de BAL|Adresse BAL|")


def test_messages_are_sent_in_order_and_their_answers_counted() -> None:
    received: list[bytes] = []
    with receiver("AA", received) as port:
        code, output = run("--count", "12", *FIXED, "--to", f"127.0.0.1:{port}", "--rate", "1000", "--json")
    assert code == 0
    assert json.loads(output.splitlines()[-1])["answers"] == {"accepted": 12}
    ids = [Message.parse(raw).header.value(7) for raw in received]
    assert len(ids) == 12
    assert ids == sorted(ids)


def test_refusals_make_the_answer_no() -> None:
    received: list[bytes] = []
    with receiver("AE", received) as port:
        code, output = run("--count", "3", *FIXED, "--to", f"127.0.0.1:{port}", "--rate", "1000")
    assert code == 1
    assert "3 refusés" in output


def test_a_receiver_that_is_not_there_is_given_up(unused_tcp_port: int) -> None:
    code, output = run("--count", "50", *FIXED, "--to", f"127.0.0.1:{unused_tcp_port}", "--rate", "1000")
    assert code == 1
    assert "ne répond pas" in output
    assert "Traceback" not in output


def test_wrong_use_is_said_in_one_line(tmp_path: Path) -> None:
    for arguments in (
        (),
        ("--out", str(tmp_path), "--to", "127.0.0.1:1"),
        ("--out", str(tmp_path), "--count", "1", "--days", "1"),
        ("--to", "nowhere"),
        ("--out", str(tmp_path), "--hospital", "inconnu"),
        ("--out", str(tmp_path), "--count", "0"),
    ):
        code, output = run(*arguments)
        assert code == 2, arguments
        assert "Traceback" not in output
