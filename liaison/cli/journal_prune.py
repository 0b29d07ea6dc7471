"""``liaison journal prune``: one pass of retention now, by the running hub."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from liaison.cli.ask import ask, config_option, json_option, print_json
from liaison.hub.pruning import Pruned

_WORDS = (
    ("messages_without_bytes", "messages dont les octets sont effacés"),
    ("messages_without_events", "messages dont les événements et décisions sont effacés"),
    ("deliveries", "livraisons effacées"),
    ("holds", "retenues effacées"),
    ("proposals", "propositions décidées effacées"),
    ("acts", "actes d'opérateurs effacés"),
    ("messages", "messages effacés"),
    ("resends", "empreintes de renvois effacées"),
    ("patients", "dossiers sans nouvelle, effacés"),
    ("still_open", "messages gardés : un envoi est ouvert ou retenu"),
)


@click.command(short_help="Effacer maintenant ce qui a passé sa durée de conservation.")
@config_option
@json_option
def prune(path: Path | None, as_json: bool) -> None:
    """Faire maintenant une passe de conservation ([retention]) ; la plateforme en fait une par heure d'elle-même.

    Code de sortie : 0 la passe est faite, 1 elle a échoué, 2 plateforme arrêtée.
    """
    pruned: Pruned
    with Console(stderr=True).status("Conservation…"):
        pruned = ask(path, "prune", {}, answer=Pruned)
    if as_json:
        print_json(pruned)
        return
    table = Table(show_header=False, box=None)
    for key, words in _WORDS:
        table.add_row(words, str(getattr(pruned, key)))
    Console().print(table)
