"""The checklist for connecting a hospital, as its readers follow it: its own configuration and its own commands, run word for word."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.servers.hub import Hub

PAGE = Path(__file__).parents[2] / "docs" / "checklist.md"


def configuration() -> str:
    """The configuration that the page gives."""
    (text,) = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(text)


def commands() -> list[str]:
    """Every command of the page, in its order."""
    text = PAGE.read_text("utf-8")
    return re.findall(r"^\s*`?(liaison [a-z][^`\n]+)`?$", text, re.MULTILINE)


class Reader:
    """Somebody who follows the page beside a hub, in the hub's folder; ``values`` says what stands for the page's examples here."""

    def __init__(self, hub: Hub, values: Mapping[str, str]) -> None:
        self._hub = hub
        self._values = dict(values)
        self.left = commands()

    def did(self, command: str) -> None:
        """A command of the page that was run otherwise."""
        self.left.remove(command)

    async def does(self, beginning: str, *more: str, code: int = 0, files: str = "", here: Mapping[str, str] | None = None) -> str:
        """Run the page's one command that begins so, with more arguments; what it printed. Its exit code must be ``code``.

        ``files`` names other files than the page's; ``here`` says what stands for its other words (``ID``).
        """
        (command,) = {one for one in commands() if one.startswith(f"liaison {beginning}")}
        if command in self.left:
            self.left.remove(command)
        words: list[str] = []
        for example in shlex.split(command)[1:]:
            word = files if files and example.endswith(".hl7") else self._said(example, here or {})
            words += sorted(str(path) for path in self._hub.folder.glob(word)) if "*" in word else [word]
        return await self.types(*words, *more, code=code)

    async def types(self, *words: str, code: int = 0) -> str:
        """Any command."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "liaison", *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self._hub.folder
        )
        output, errors = await process.communicate()
        told = f"liaison {' '.join(words)[:300]}: {process.returncode}\n{errors.decode()[-3000:]}{output.decode()[-3000:]}"
        assert process.returncode == code, told
        return output.decode()

    def _said(self, word: str, values: Mapping[str, str]) -> str:
        for example, value in {**self._values, **values}.items():
            word = word.replace(example, value)
        return word
