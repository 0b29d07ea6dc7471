"""The ``liaison`` command: a group, and one file a command."""

from __future__ import annotations

import click


@click.group()
@click.version_option(package_name="liaison")
def main() -> None:
    """Liaison: la plateforme d'intermédiation régionale."""
