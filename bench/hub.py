"""The hub under measurement: ``liaison run`` as anybody starts it, the embedded default with everything on."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from bench.processes import server

DESTINATIONS = ("platform", "archive")
#: Seconds without anything arriving after which a drain has failed.
PATIENCE = 30.0

CONFIGURATION = """\
[hub]
name = "Landes"
territory = "test"

[sources.ch]
kind = "mllp"
listen = "127.0.0.1:{port}"
finess = "400011177"
"""
DESTINATION = """
[destinations.{name}]
kind = "webhook"
url = "http://127.0.0.1:{sink}/{name}"

[[routes]]
events = ["*"]
to = "{name}"
patients = "all"
"""
MAIL = """
[destinations.mail]
kind = "smtp"
server = "127.0.0.1:{port}"
tls = "none"
sender = "liaison@na.mssante.fr"

[[routes]]
documents = ["*"]
to = "mail"
recipients = ["named"]
"""


class Hub:
    """A running hub, its sink, and the questions asked of both."""

    def __init__(self, folder: Path, process: subprocess.Popen[str], port: int, sink: int, mails: int) -> None:
        self.folder = folder
        self._mails = mails
        self.process = process
        self.port = port
        self._sink = sink

    def ask(self, *arguments: str) -> str:
        """Standard output of ``liaison ARGUMENTS --config … --json``."""
        command = [sys.executable, "-m", "liaison", *arguments, "--config", str(self.folder / "liaison.toml"), "--json"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def stats(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.ask("journal", "stats"))
        return answer

    def sink(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._sink}/{path}") as response:
            body: bytes = response.read()
            return body

    def delivered(self) -> int:
        """Deliveries that reached the sink, repeats not counted, over all destinations."""
        return sum(one["ids"] for one in json.loads(self.sink("counts")).values())

    def mailed(self) -> int:
        """Different mails that reached the mailbox."""
        with socket.create_connection(("127.0.0.1", self._mails)) as connection:
            return int(connection.makefile().readline().split()[1])

    def under_way(self) -> int:
        """Deliveries that have not come to their end."""
        deliveries = self.stats()["deliveries"]
        return sum(deliveries.get(work, 0) for work in ("pending", "sending", "retrying", "uncertain"))

    def settled(self) -> float:
        """Wait until nothing is under way; seconds that it took. Raises SystemExit when it stops on the way."""
        began = moved = time.monotonic()
        least = self.under_way()
        while (left := self.under_way()) > 0:
            if left < least:
                least, moved = left, time.monotonic()
            if time.monotonic() - moved > PATIENCE:
                raise SystemExit(f"the drain stopped with {left} deliveries under way")
            time.sleep(0.2)
        return time.monotonic() - began

    def drain(self) -> float:
        """Wait until everything in the journal has reached every destination; seconds that it took.

        Raises SystemExit when it stops on the way.
        """
        began = moved = time.monotonic()
        due, reached = self.stats()["events"] * len(DESTINATIONS), -1
        while (now := self.delivered()) < due:
            if now > reached:
                reached, moved = now, time.monotonic()
            if time.monotonic() - moved > PATIENCE:
                raise SystemExit(f"the drain stopped at {now} of {due} deliveries")
            time.sleep(0.05)
        return time.monotonic() - began

    def control_ids(self) -> set[str]:
        """MSH-10 of every message in the journal."""
        return {json.loads(line)["control_id"] for line in self.ask("journal", "list").splitlines()}

    def missing(self, acked: Path) -> int:
        """Acknowledged messages that are not in the journal, and events that did not reach a destination."""
        listed: set[str] = set()
        told: set[bytes] = set()
        for line in self.ask("journal", "list").splitlines():
            message = json.loads(line)
            listed.add(message["control_id"])
            told.update(event.encode() for event in message["events"])
        lost = len(set(acked.read_text("ascii").split()) - listed)
        return lost + sum(len(told - set(self.sink(name).split())) for name in DESTINATIONS)


@contextlib.contextmanager
def running_hub(folder: Path, *, destinations: Sequence[str] = DESTINATIONS, mail: bool = False) -> Generator[Hub]:
    """A hub with an empty journal in ``folder``, which is removed at the end."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with hub_in(folder, destinations=destinations, mail=mail) as hub:
        yield hub
    shutil.rmtree(folder)


@contextlib.contextmanager
def hub_in(folder: Path, *, destinations: Sequence[str] = DESTINATIONS, mail: bool = False) -> Generator[Hub]:
    """A hub on what ``folder`` holds, delivering events to destinations of a sink, and letters to a mailbox."""
    with contextlib.ExitStack() as servers:
        (sink,) = servers.enter_context(server("bench.sink"))
        asked, mails = servers.enter_context(server("bench.mailbox", ports=2)) if mail else (0, 0)
        port = free_port()
        parts = [CONFIGURATION.format(port=port), *(DESTINATION.format(name=name, sink=sink) for name in destinations)]
        parts += [MAIL.format(port=mails)] if mail else []
        (folder / "liaison.toml").write_text("".join(parts))
        command = [sys.executable, "-m", "liaison", "run", "--config", str(folder / "liaison.toml")]
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
        ):
            try:
                assert process.stdout is not None
                if not process.stdout.readline():
                    raise SystemExit((folder / "log").read_text())
                yield Hub(folder, process, port, sink, asked)
                process.send_signal(signal.SIGTERM)
                process.wait(60)
            finally:
                process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
