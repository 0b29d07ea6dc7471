"""``liaison journal prune``: one pass of retention now, by the running hub."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from liaison.cli.ask import Line, config_option, json_option, print_json
from liaison.cli.bar import progress_bar
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
    counts = dict.fromkeys((key for key, _ in _WORDS), 0)
    done = 0
    with Line(path) as line, progress_bar(hidden=as_json) as progress:
        while True:
            pruned = line.ask("prune", {}, answer=Pruned)
            for key in counts:
                counts[key] += getattr(pruned, key)
            counts["still_open"] = pruned.still_open
            done = max(done, int(pruned.part * 1_000))
            progress("conservation", done, 1_000)
            if pruned.part >= 1.0:
                break
    pruned = Pruned(**counts)
    if as_json:
        print_json(pruned)
        return
    table = Table(show_header=False, box=None)
    for key, words in _WORDS:
        table.add_row(words, str(getattr(pruned, key)))
    Console().print(table)
