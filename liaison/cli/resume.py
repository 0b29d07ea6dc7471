"""``liaison resume``: let go on what was stopped."""

from __future__ import annotations

from pathlib import Path

import click

from liaison.cli.ask import config_option, json_option, reason_option
from liaison.cli.pause import turn


@click.command(short_help="Remettre en service ce qui est suspendu.")
@click.argument("name", required=False, default="", metavar="[DESTINATION|SOURCE]")
@click.option("--source", "kind", flag_value="source", help="Le nom est celui d'une source.")
@click.option("--destination", "kind", flag_value="destination", help="Le nom est celui d'une destination.")
@click.option("--all", "everything", is_flag=True, help="Lever la suspension de tous les envois.")
@reason_option
@config_option
@json_option
def resume(name: str, kind: str | None, everything: bool, reason: str, path: Path | None, as_json: bool) -> None:
    """Remettre en service une destination ou une source suspendue ; --all lève « pause --all », et lui seul.

    Code de sortie : 0 c'est en service, 1 la plateforme n'a pas pu, 2 nom inconnu ou plateforme arrêtée.
    """
    turn(name, kind, everything, reason, path, as_json, act="resume")
