"""A hub as its operator runs it: ``liaison run`` in a process of its own, with a folder of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.servers.eventually import eventually, eventually_answers

#: Makes a hub from a configuration; ends it after the test.
MakeHub: TypeAlias = "Callable[[str], Hub]"

#: Seconds for a start or a stop on a busy machine.
PATIENCE = 60.0


class Hub:
    """``liaison run --config FILE``. Standard output and error, over all its starts, are kept in files of its folder."""

    def __init__(self, folder: Path, configuration: str) -> None:
        self.folder = folder
        self.config = folder / "liaison.toml"
        self.config.write_text(configuration, "utf-8")
        #: The process's TMPDIR.
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.output, self.errors = folder / "stdout", folder / "stderr"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """All that it wrote to standard error."""
        return self.errors.read_text("utf-8", "replace") if self.errors.exists() else ""

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def peak_memory(self) -> int:
        """The most memory that its main process ever held, in bytes."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

    async def start(self) -> None:
        """Start it, and wait for the line that says that it listens."""
        before = self._announced()
        self._process = self._run()
        await eventually(lambda: self._announced() > before or not self.running, PATIENCE, what="the hub listens")
        if not self.running:
            pytest.fail(f"the hub does not start:\n{self.log[-4000:]}")

    def send_signal(self, number: signal.Signals) -> None:
        """Any other signal: ``SIGSTOP`` makes it hang."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """``kill -9``: it has no time for anything."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE)

    async def stop(self) -> int:
        """SIGTERM; its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self._process.wait, PATIENCE)

    def end(self) -> None:
        """End it, and the worker processes it may have left, whatever its state."""
        if self._process is not None and self.running:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE)

    async def liaison(self, *arguments: str) -> str:
        """Standard output of another ``liaison`` command, which must succeed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "liaison", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder
        )
        try:
            async with asyncio.timeout(2 * PATIENCE):
                output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, f"liaison {' '.join(arguments)}: {process.returncode}\n{errors.decode()}{output.decode()}"
        return output.decode()

    async def messages(self) -> list[dict[str, Any]]:
        """``liaison journal list --json``."""
        lines = await self.liaison("journal", "list", "--config", str(self.config), "--json")
        return [json.loads(line) for line in lines.splitlines()]

    async def stats(self) -> dict[str, Any]:
        """``liaison journal stats --json``."""
        answer: dict[str, Any] = json.loads(await self.liaison("journal", "stats", "--config", str(self.config), "--json"))
        return answer

    async def drained(self, deadline: float = 60.0) -> dict[str, Any]:
        """The counts, once nothing is under way any more."""
        under_way = ("pending", "sending", "retrying", "uncertain")

        async def nothing_under_way() -> dict[str, Any]:
            counts = await self.stats()
            return counts if not any(counts["deliveries"].get(work) for work in under_way) else {}

        return await eventually_answers(nothing_under_way, deadline, what="nothing is under way")

    def _run(self) -> subprocess.Popen[bytes]:
        with self.output.open("ab") as output, self.errors.open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "liaison", "run", "--config", str(self.config)],
                stdout=output,
                stderr=errors,
                cwd=self.folder,
                env={**os.environ, "TMPDIR": str(self.temporary)},
                start_new_session=True,
            )

    def _announced(self) -> int:
        return self.output.read_text("utf-8").count("liaison écoute :") if self.output.exists() else 0
