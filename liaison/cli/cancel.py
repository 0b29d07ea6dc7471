"""``liaison cancel``: a delivery does not leave."""

from __future__ import annotations

from pathlib import Path

import click

from liaison.cli.ask import config_option, json_option, reason_option
from liaison.cli.held import decide


@click.command(short_help="Annuler un envoi qui n'est pas parti.")
@click.argument("name", metavar="ID")
@reason_option
@config_option
@json_option
def cancel(name: str, reason: str, path: Path | None, as_json: bool) -> None:
    """Annuler un envoi qui attend, est retenu, a échoué ou expiré. Ceux du même patient qui le suivent continuent.

    Code de sortie : 0 il ne partira pas, 1 trop tard, 2 mauvais usage ou plateforme arrêtée.
    """
    decide(path, "cancel", {"id": name}, reason, as_json)
