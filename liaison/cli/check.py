"""``liaison check``: is this configuration good, and does everything it names answer? For people and for monitoring systems."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click
import msgspec
from rich.console import Console
from rich.text import Text

from liaison.cli.check_monitor import Line, as_json, limits_from, monitor_line
from liaison.hub.watch.troubles import Level
from liaison.service.checks import Check, Status, run_checks
from liaison.service.configuration import ConfigurationError, Fault
from liaison.service.loader import load_configuration
from liaison.service.logs import configure_logs
from liaison.service.standing_checks import standing_checks

_MARKS = {Status.OK: ("✓", "green"), Status.WARNING: ("!", "yellow"), Status.FAULT: ("✗", "red")}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--json`` prints."""

    ok: bool
    #: Path of the file, or null for the built-in configuration.
    configuration: str | None
    faults: tuple[Fault, ...] = ()
    checks: tuple[Check, ...] = ()


class _Check(click.Command):
    """A command whose wrong use is UNKNOWN, where a monitoring system asks: to it, click's own code 2 means CRITICAL."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        monitored = "--monitor" in args
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if not monitored:
                raise
            _answer(ctx, Line(level=Level.UNKNOWN, text=error.format_message()), as_object=False)
            raise AssertionError("unreachable") from None


@click.command(cls=_Check, short_help="Vérifier la configuration, les clés et les connexions.")
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Fichier de configuration ; sinon liaison.toml, sinon la configuration par défaut.",
)
@click.option("--monitor", is_flag=True, help="Répondre en une ligne à Centreon ou Nagios : codes 0, 1, 2 et 3.")
@click.option("--url", default="", help="Avec --monitor : où la plateforme répond, si ce n'est pas sur cette machine.")
@click.option("--warning", "warnings", multiple=True, metavar="NOM=NOMBRE", help="Avec --monitor : seuil d'avertissement.")
@click.option("--critical", "criticals", multiple=True, metavar="NOM=NOMBRE", help="Avec --monitor : seuil critique.")
@click.option("--json", "as_object", is_flag=True, help="Répondre en JSON.")
@click.pass_context
def check(
    context: click.Context,
    path: Path | None,
    monitor: bool,
    url: str,
    warnings: tuple[str, ...],
    criticals: tuple[str, ...],
    as_object: bool,
) -> None:
    """Vérifier la configuration, les clés, l'annuaire, les certificats, les connexions et la plateforme en marche, sans rien envoyer.

    Code de sortie : 0 tout va bien, 1 quelque chose ne va pas, 2 le fichier ne peut être lu. Avec --monitor, ce que lisent
    Centreon et Nagios : 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. Seuils : backlog (minutes), disk (%), certificate (jours),
    holds, silence et stale (multiples de l'habitude).
    """
    configure_logs(logging.CRITICAL)
    if monitor:
        _answer(context, _line(path, url, warnings, criticals), as_object=as_object)
    try:
        configuration = load_configuration(path)
    except OSError as error:
        raise click.UsageError(f"{path} ne peut être lu ({error.strerror}) : vérifier le chemin et les droits.") from error
    except ConfigurationError as error:
        report = Report(ok=False, configuration=error.file, faults=error.faults)
    else:
        now = datetime.now(UTC)
        checks = (*asyncio.run(run_checks(configuration, now)), *standing_checks(configuration, now))
        ok = all(each.status is not Status.FAULT for each in checks)
        report = Report(ok=ok, configuration=str(configuration.path) if configuration.path else None, checks=checks)
    if as_object:
        click.echo(msgspec.json.encode(report).decode())
    else:
        _print(report)
    context.exit(0 if report.ok else 1)


def _line(path: Path | None, url: str, warnings: tuple[str, ...], criticals: tuple[str, ...]) -> Line:
    """The answer to a monitoring system, whatever happens."""
    try:
        configuration = load_configuration(path)
        return monitor_line(configuration, limits_from(configuration.alerts.limits, warnings, criticals), url=url)
    except OSError as error:
        return Line(level=Level.UNKNOWN, text=f"{path} ne peut être lu ({error.strerror})")
    except ConfigurationError as error:
        return Line(level=Level.UNKNOWN, text=f"la configuration est fausse : {error.faults[0]}")
    except ValueError as error:
        return Line(level=Level.UNKNOWN, text=str(error))
    except Exception as error:  # noqa: BLE001 - a monitoring system must be answered, not shown a traceback
        return Line(level=Level.UNKNOWN, text=f"la vérification a échoué ({type(error).__name__})")


def _answer(context: click.Context, line: Line, *, as_object: bool) -> NoReturn:
    """Print and leave at once: what still hangs in a thread must not keep the monitoring system."""
    click.echo(msgspec.json.encode(as_json(line)).decode() if as_object else str(line))
    context.exit(int(line.level))


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
