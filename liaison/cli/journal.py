"""``liaison journal``: count, list, keep safe. Nothing that these print names a patient."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from liaison.cli.journal_backup import backup
from liaison.cli.journal_prune import prune
from liaison.cli.journal_restore import restore
from liaison.cli.journal_verify import verify
from liaison.hub.journal.queries import JournalReader
from liaison.service.configuration import ConfigurationError
from liaison.service.loader import load_configuration

_config = click.option("--config", "path", type=click.Path(path_type=Path, dir_okay=False), help="Fichier de configuration.")
_json = click.option("--json", "as_json", is_flag=True, help="Répondre en JSON.")


@click.group(short_help="Compter, lister, sauvegarder, vérifier, restaurer le journal.")
def journal() -> None:
    """Compter, lister, sauvegarder, vérifier et restaurer ce que tient le journal, sans rien qui nomme un patient."""


for command in (backup, prune, restore, verify):
    journal.add_command(command)


@journal.command(short_help="Compter messages, événements et livraisons.")
@_config
@_json
def stats(path: Path | None, as_json: bool) -> None:
    """Compter les messages par verdict, les événements, et les livraisons par état."""
    counts = _open(path).counts()
    if as_json:
        click.echo(msgspec.json.encode(counts))
        return
    table = Table(show_header=False, box=None)
    table.add_row("messages", str(counts.messages))
    for verdict, number in sorted(counts.messages_by_verdict.items()):
        table.add_row(f"  {verdict}", str(number))
    table.add_row("événements", str(counts.events))
    table.add_row("patients", str(counts.patients))
    table.add_row("séjours", str(counts.stays))
    table.add_row("documents", str(counts.documents))
    table.add_row("livraisons", str(sum(counts.deliveries.values())))
    for work, number in sorted(counts.deliveries.items()):
        table.add_row(f"  {work}", str(number))
    table.add_row("en attente d'une personne", str(counts.holds))
    table.add_row("propositions à accepter ou refuser", str(counts.proposals))
    for name in counts.stopped:
        table.add_row("à l'arrêt", name)
    Console().print(table)


@journal.command("list", short_help="Une ligne par message, du plus ancien au plus récent.")
@_config
@_json
def list_messages(path: Path | None, as_json: bool) -> None:
    """Lister les messages. Avec --json, un objet par ligne."""
    for line in _open(path).messages():
        if as_json:
            sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
        else:
            click.echo(f"{line.id}  {line.received_at[:19]}  {line.source:<20} {line.kind:<8} {line.verdict:<24} {line.control_id}")


def _open(path: Path | None) -> JournalReader:
    try:
        configuration = load_configuration(path)
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    if not configuration.journal_path.exists():
        click.echo(f"il n'y a pas de journal en {configuration.journal_path} : la plateforme n'a pas encore démarré.", err=True)
        sys.exit(2)
    return JournalReader(configuration.journal_path)
