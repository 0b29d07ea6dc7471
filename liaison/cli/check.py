"""``liaison check``: is this configuration good, and does everything it names answer? For people and for monitoring systems."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.text import Text

from liaison.service.checks import Check, Status, run_checks
from liaison.service.configuration import ConfigurationError, Fault
from liaison.service.loader import load_configuration

_MARKS = {Status.OK: ("✓", "green"), Status.WARNING: ("!", "yellow"), Status.FAULT: ("✗", "red")}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--json`` prints."""

    ok: bool
    #: Path of the file, or null for the built-in configuration.
    configuration: str | None
    faults: tuple[Fault, ...] = ()
    checks: tuple[Check, ...] = ()


@click.command(short_help="Vérifier la configuration, les clés et les connexions.")
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Fichier de configuration ; sinon liaison.toml, sinon la configuration par défaut.",
)
@click.option("--json", "as_json", is_flag=True, help="Répondre en JSON.")
@click.pass_context
def check(context: click.Context, path: Path | None, as_json: bool) -> None:
    """Vérifier la configuration, les clés, l'annuaire, les certificats et les connexions, sans rien envoyer.

    Code de sortie : 0 tout va bien, 1 quelque chose ne va pas, 2 le fichier ne peut être lu.
    """
    try:
        configuration = load_configuration(path)
    except OSError as error:
        raise click.UsageError(f"{path} ne peut être lu ({error.strerror}) : vérifier le chemin et les droits.") from error
    except ConfigurationError as error:
        report = Report(ok=False, configuration=error.file, faults=error.faults)
    else:
        checks = asyncio.run(run_checks(configuration, datetime.now(UTC)))
        ok = all(each.status is not Status.FAULT for each in checks)
        report = Report(ok=ok, configuration=str(configuration.path) if configuration.path else None, checks=checks)
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        _print(report)
    context.exit(0 if report.ok else 1)


def _print(report: Report) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(report.configuration or "Configuration par défaut (aucun fichier liaison.toml)", "bold"))
    for fault in report.faults:
        console.print(Text.assemble((" ✗ ", "red"), str(fault)))
    if not report.faults:
        console.print(Text.assemble((" ✓ ", "green"), "configuration : le fichier est correct."))
    for each in report.checks:
        mark, colour = _MARKS[each.status]
        console.print(Text.assemble((f" {mark} ", colour), (f"{each.subject} : ", "bold"), each.text))
    wrong = len(report.faults) + sum(each.status is Status.FAULT for each in report.checks)
    verdict = "Tout est en ordre." if report.ok else f"{wrong} point{'s' if wrong > 1 else ''} à corriger."
    console.print(Text(verdict, "bold green" if report.ok else "bold red"))
