"""``liaison quarantine``: messages that could not be taken, and what a person decides of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from liaison.cli.ask import ask, config_option, json_option, print_json, reason_option
from liaison.cli.explain_words import clean
from liaison.cli.waiting import OWNERS, print_waiting
from liaison.service.acts.quarantine import Closed, Replayed, Shown


@click.group(short_help="Voir et décider les messages en quarantaine.")
def quarantine() -> None:
    """Voir les messages en quarantaine, et en décider. ID est celui du message ou de sa retenue."""


@quarantine.command("list", short_help="Les messages en quarantaine, le plus ancien d'abord.")
@click.option("--owner", type=click.Choice(["hospital", "gcs"]), default=None, help="Seulement ce qui revient à l'un d'eux.")
@config_option
@json_option
def list_quarantine(owner: str | None, path: Path | None, as_json: bool) -> None:
    """Lister les messages en quarantaine, et pour quand une décision est due. Rien n'y nomme un patient.

    Avec --json, un objet par ligne.
    """
    print_waiting(path, as_json, quarantine=True, owner=owner or "")


@quarantine.command(short_help="Montrer un message en quarantaine, contenu compris.")
@click.argument("name", metavar="ID")
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Écrire le message, octet pour octet.")
@reason_option
@config_option
@json_option
def show(name: str, save: Path | None, reason: str, path: Path | None, as_json: bool) -> None:
    """Montrer un message : ce qui l'a retenu, et son contenu, lignes longues coupées. Ce sont des données de santé : la
    consultation est tracée."""
    shown = ask(path, "quarantine.show", {"id": name, "whole": save is not None}, answer=Shown, reason=reason)
    if save is not None:
        try:
            descriptor = os.open(save, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise click.UsageError(f"{save} ne peut être créé ({error.strerror}).") from error
        with open(descriptor, "wb") as file:
            file.write(shown.raw)
    if as_json:
        print_json(shown)
        return
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    console.print(Text.assemble((shown.message, "bold"), f"  {clean(shown.kind)} n° {clean(shown.control_id)} de {shown.source}"))
    console.print(Text(f"Retenue {shown.hold} par {shown.rule}, à lever par : {OWNERS.get(shown.owner, shown.owner)}", "dim"))
    for finding in shown.findings:
        console.print(
            Text.assemble((f"{finding.severity}  ", "yellow"), f"{finding.where}  ", (finding.rule, "dim"), f"  {finding.message}")
        )
    for line in shown.text.split("\n"):
        console.print(Text(clean(line)))


@quarantine.command(short_help="Reprendre un message tel qu'il est arrivé.")
@click.argument("name", metavar="ID")
@reason_option
@config_option
@json_option
def replay(name: str, reason: str, path: Path | None, as_json: bool) -> None:
    """Reprendre un message tel qu'il est arrivé, une fois corrigé ce qui l'avait retenu (configuration, identité…).

    Code de sortie : 0 il est pris, 1 il reste en quarantaine, 2 mauvais usage ou plateforme arrêtée.
    """
    replayed = ask(path, "quarantine.replay", {"id": name}, answer=Replayed, reason=reason)
    if as_json:
        print_json(replayed)
    elif replayed.message:
        click.echo(f"Le message est pris, sous l'identifiant {replayed.message} : {len(replayed.events)} événements.")
    else:
        click.echo("Le message reste en quarantaine :", err=True)
        for finding in replayed.findings:
            click.echo(f"  {finding.where}  {finding.rule}  {finding.message}", err=True)
    sys.exit(0 if replayed.message else 1)


@quarantine.command(short_help="Clore un message sans effet.")
@click.argument("name", metavar="ID")
@reason_option
@config_option
@json_option
def reject(name: str, reason: str, path: Path | None, as_json: bool) -> None:
    """Clore un message : il reste dans le journal, sans effet.

    Code de sortie : 0 c'est fait, 1 non, 2 mauvais usage ou plateforme arrêtée.
    """
    closed = ask(path, "quarantine.reject", {"id": name}, answer=Closed, reason=reason)
    if as_json:
        print_json(closed)
    else:
        click.echo(f"Le message {closed.message} reste sans effet.")
