"""``liaison send`` to a receiver that answers as it is told."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import structlog
from click.testing import CliRunner, Result

from liaison.cli.send import send
from tests.servers.ports import free_port

FIRST = b"MSH|^~\\&|GAM|CH|LIAISON|PFI|20261120||ADT^A01^ADT_A01|1|T|2.5\rEVN||20261120\rPID|1\r"
SECOND = FIRST.replace(b"|1|T|", b"|2|T|")


class Receiver(socketserver.ThreadingTCPServer):
    """Answers every message with the codes it was given, in turn, then with AA; closes where the code is empty."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.codes: list[str] = []
        self.received: list[bytes] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        receiver = cast(Receiver, self.server)
        buffer = b""
        while chunk := self.request.recv(65_536):
            buffer += chunk
            while (end := buffer.find(b"\x1c\r")) >= 0:
                message, buffer = buffer[1:end], buffer[end + 2 :]
                receiver.received.append(message)
                code = receiver.codes.pop(0) if receiver.codes else "AA"
                if not code:
                    return
                number = message.split(b"|")[9].decode()
                text = "Pris en charge." if code == "AA" else "Refus\x1b[2J."
                error = "" if code == "AA" else "ERR||PID^1^3|101^Champ obligatoire absent^HL70357|E||||PID-3 manque\r"
                reply = f"MSH|^~\\&|L|P|GAM|CH|20261120||ACK^A01^ACK|R{number}|T|2.5\rMSA|{code}|{number}|{text}\r{error}"
                self.request.sendall(b"\x0b" + reply.encode() + b"\x1c\r")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of files to send. Loggers are silenced for the test only: the command's own setting is for a process of its own."""
    monkeypatch.chdir(tmp_path)
    before = structlog.get_config()

    def silence(level: int) -> None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))

    monkeypatch.setattr("liaison.cli.send.configure_logs", silence)
    for name, content in (
        ("un.hl7", FIRST),
        ("lot.hl7", b"FHS|^~\\&|GAM\rBHS|^~\\&|GAM\r" + FIRST + SECOND + b"BTS|2\rFTS|1\r"),
        ("trames.hl7", b"\x0b" + FIRST + b"\x1c\r\x0b" + SECOND + b"\x1c\r"),
        ("lf.hl7", b"\xef\xbb\xbf" + FIRST.replace(b"\r", b"\n")),
        ("vide.hl7", b"\r\n"),
    ):
        (tmp_path / name).write_bytes(content)
    yield
    structlog.configure(**before)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(send, list(arguments))


def test_a_message_leaves_byte_for_byte_and_its_answer_is_told(receiver: Receiver) -> None:
    result = run("un.hl7", "--to", receiver.address)
    assert result.exit_code == 0
    assert receiver.received == [FIRST]
    assert result.output.splitlines() == ["✓ AA  1  Pris en charge.  un.hl7"]


@pytest.mark.parametrize("name", ["lot.hl7", "trames.hl7"])
def test_a_batch_leaves_message_by_message(receiver: Receiver, name: str) -> None:
    result = run(name, "--to", receiver.address)
    assert result.exit_code == 0
    assert receiver.received == [FIRST, SECOND]
    assert "2 sur 2 acceptés." in result.output


def test_a_refusal_is_told_with_its_errors_and_the_others_still_go(receiver: Receiver) -> None:
    receiver.codes = ["AE"]
    result = run("lot.hl7", "--to", receiver.address)
    assert result.exit_code == 1
    assert result.output.splitlines()[:2] == ["✗ AE  1  Refus\ufffd[2J.  lot.hl7", "      PID^1^3: PID-3 manque"]
    assert len(receiver.received) == 2


def test_json_is_one_object_a_line(receiver: Receiver) -> None:
    receiver.codes = ["AA", "AR"]
    result = run("lot.hl7", "--to", receiver.address, "--json")
    first, second = [json.loads(line) for line in result.stdout.splitlines()]
    assert first == {"file": "lot.hl7", "message": 1, "control_id": "1", "outcome": "accepted", "code": "AA",
                     "text": "Pris en charge.", "errors": []}  # fmt: skip
    assert (second["outcome"], second["code"]) == ("unavailable", "AR")
    assert result.exit_code == 1


def test_bytes_are_only_mended_when_asked(receiver: Receiver) -> None:
    assert run("lf.hl7", "--to", receiver.address).exit_code == 0
    assert run("lf.hl7", "--normalise", "--to", receiver.address).exit_code == 0
    assert receiver.received == [b"\xef\xbb\xbf" + FIRST.replace(b"\r", b"\n"), FIRST]


def test_repeat_sends_the_same_again(receiver: Receiver) -> None:
    assert run("lot.hl7", "--repeat", "15", "--to", receiver.address).exit_code == 0
    assert receiver.received == [FIRST, SECOND] * 15


def test_a_closed_connection_is_no_answer_and_sending_stops_after_three(receiver: Receiver) -> None:
    receiver.codes = [""] * 9
    result = run("un.hl7", "--repeat", "9", "--to", receiver.address)
    assert result.exit_code == 1
    assert len(receiver.received) == 3
    assert "0 sur 9 acceptés." in result.output


def test_nobody_there_is_told_at_once() -> None:
    result = run("lot.hl7", "--to", f"127.0.0.1:{free_port()}")
    assert result.exit_code == 2
    assert "refusée" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("un.hl7", "--to", "ici"),
        ("vide.hl7", "--to", "127.0.0.1:9"),
        ("absent.hl7", "--to", "127.0.0.1:9"),
        (".", "--to", "127.0.0.1:9"),
        ("un.hl7", "--to", "127.0.0.1:9", "--ca", "absent.pem"),
        ("un.hl7",),
    ],
)
def test_wrong_use_is_told(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2
