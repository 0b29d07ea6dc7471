"""The ``liaison`` command: a group, and one file a command, imported when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click

#: Each command and the module that holds it under the same name: a running hub does not carry the demonstration's libraries.
COMMANDS: Mapping[str, str] = {
    "audit": "liaison.cli.audit",
    "cancel": "liaison.cli.cancel",
    "check": "liaison.cli.check",
    "conformance": "liaison.cli.conformance",
    "demo": "liaison.cli.demo",
    "directory": "liaison.cli.directory",
    "follow": "liaison.cli.follow",
    "journal": "liaison.cli.journal",
    "erase": "liaison.cli.erase",
    "explain": "liaison.cli.explain",
    "held": "liaison.cli.held",
    "keys": "liaison.cli.keys",
    "letters": "liaison.cli.letters",
    "pause": "liaison.cli.pause",
    "proposals": "liaison.cli.proposals",
    "quarantine": "liaison.cli.quarantine",
    "resume": "liaison.cli.resume",
    "retry": "liaison.cli.retry",
    "send": "liaison.cli.send",
    "run": "liaison.cli.run",
    "shadow": "liaison.cli.shadow",
    "simulate": "liaison.cli.simulate",
    "trace": "liaison.cli.trace",
    "units": "liaison.cli.units",
}


class Commands(click.Group):
    """A group whose commands are named by a table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of their names."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(importlib.import_module(module), cmd_name)
        return command


@click.group(cls=Commands)
@click.version_option(package_name="liaison")
def main() -> None:
    """Liaison : la plateforme d'intermédiation régionale, du flux d'un hôpital à la messagerie du médecin."""
