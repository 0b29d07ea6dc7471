"""``liaison journal backup``: a copy of the journal while the hub goes on."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click

from liaison.cli.ask import config_option, json_option, print_json
from liaison.cli.bar import progress_bar
from liaison.cli.configured import configured, existing_journal
from liaison.hub.engine import subject_keys_path
from liaison.hub.journal.backup import back_up


@click.command(short_help="Sauvegarder le journal, plateforme en marche.")
@click.argument("folder", metavar="DOSSIER", type=click.Path(path_type=Path, file_okay=False))
@config_option
@json_option
def backup(folder: Path, path: Path | None, as_json: bool) -> None:
    """Copier le journal et les clés des patients dans un DOSSIER neuf, avec un manifeste, sans arrêter la plateforme.

    La clé de chiffrement n'y est jamais : la mettre au coffre (« liaison keys export »). Vérifier ensuite la copie avec
    « liaison journal verify DOSSIER ».

    Code de sortie : 0 la sauvegarde est finie, 1 elle n'a pas pu l'être, 2 usage.
    """
    with configured(path) as configuration, progress_bar(hidden=as_json) as progress:
        journal = existing_journal(configuration)
        manifest = back_up(
            journal,
            subject_keys_path(journal),
            folder,
            now=datetime.now(UTC),
            program=version("liaison"),
            progress=progress,
        )
    if as_json:
        print_json(manifest)
    else:
        size = (manifest.journal.bytes + manifest.subjects.bytes) / 1e6
        click.echo(f"Sauvegarde finie dans {folder} : {manifest.messages} messages, {size:,.1f} Mo.".replace(",", " "))
