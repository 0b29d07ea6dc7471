"""The reference page of the command line, made from click's own declarations: ``python -m liaison.cli.reference > docs/reference/cli.md``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

import click

from liaison.cli.main import main

_INTRODUCTION = """\
# Command line

<!-- Made by `python -m liaison.cli.reference`: edit the commands, not this page. -->

`liaison` is installed by `make demo` or `make test` into `.venv/bin`; `python -m liaison` is the same. The commands speak French.
Exit codes: 0 done, 1 the answer is no, 2 wrong use or unreadable input.
"""


def commands(group: click.Group, path: str = "liaison") -> Iterator[tuple[str, click.Command]]:
    """Every command below a group with its words, ``liaison journal stats``, in alphabetical order; groups come before theirs."""
    context = click.Context(group, info_name=path)
    for name in sorted(group.list_commands(context)):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            yield f"{path} {name}", command
            if isinstance(command, click.Group):
                yield from commands(command, f"{path} {name}")


def reference_page() -> str:
    """The page, as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _INTRODUCTION.rstrip("\n")
    for words, command in commands(main):
        level = "#" * words.count(" ")
        context = click.Context(command, info_name=words)
        yield f"\n#{level} `{words}`\n"
        yield inspect.cleandoc(command.help or command.short_help or "").replace("\b\n", "")
        if isinstance(command, click.Group):
            continue
        yield f"\n```\n{' '.join((words, *command.collect_usage_pieces(context)))}\n```"
        yield from _options(command, context)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    records = [record for parameter in command.params if (record := parameter.get_help_record(context)) and record[1]]
    if records:
        yield "\n| Option | |"
        yield "|---|---|"
        yield from (f"| `{_cell(option)}` | {_cell(text)} |" for option, text in records)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference_page())
