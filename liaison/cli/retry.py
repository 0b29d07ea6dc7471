"""``liaison retry``: try a delivery again, now."""

from __future__ import annotations

from pathlib import Path

import click

from liaison.cli.ask import config_option, json_option, reason_option
from liaison.cli.held import decide


@click.command(short_help="Retenter un envoi échoué, expiré ou en attente d'un nouvel essai.")
@click.argument("name", metavar="ID")
@reason_option
@config_option
@json_option
def retry(name: str, reason: str, path: Path | None, as_json: bool) -> None:
    """Retenter un envoi : échoué ou expiré, il reprend la file ; en attente d'un nouvel essai, il est tenté tout de suite.
    ID est celui de l'envoi ou de sa retenue.

    Code de sortie : 0 il part, 1 non, 2 mauvais usage ou plateforme arrêtée.
    """
    decide(path, "retry", {"id": name}, reason, as_json)
