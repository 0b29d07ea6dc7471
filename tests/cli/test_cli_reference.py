"""The page of commands is made from click's declarations."""

from __future__ import annotations

import click

from liaison.cli.main import main
from liaison.cli.reference import commands, reference_page


@click.group()
def outer() -> None:
    """A group."""


@outer.group()
def inner() -> None:
    """A group in it."""


@inner.command()
def deed() -> None:
    """Do it."""


@outer.command(hidden=True)
def secret() -> None:
    """Not shown."""


def test_commands_come_after_their_group_with_all_their_words() -> None:
    assert [words for words, _ in commands(outer, "tool")] == ["tool inner", "tool inner deed"]


def test_every_option_of_every_command_is_on_the_page() -> None:
    page = reference_page()
    for words, command in commands(main):
        section = page.partition(f"`{words}`\n")[2].partition("\n#")[0]
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert f"| `{parameter.opts[0]}" in section, (words, parameter.opts[0])
