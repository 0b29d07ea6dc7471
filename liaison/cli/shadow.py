"""``liaison shadow``: what would have left while it was kept in. Counts and rules only: nobody is named, no address is shown."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from liaison.cli.explain_words import VERDICTS, clean, plural
from liaison.cli.journal_keys import journal_keys
from liaison.events.types import TYPES
from liaison.hub.contracts import Verdict
from liaison.hub.journal.shadow import ShadowReader
from liaison.hub.shadow import Line, ShadowReport, ShadowTally
from liaison.rules.decision import Outcome
from liaison.service.configuration import Configuration

_ZONE: Final = ZoneInfo("Europe/Paris")
#: Width of a report that goes to a file or a pipe.
_PLAIN_WIDTH: Final = 130
_OUTCOMES: Final[Mapping[str, tuple[str, str]]] = {
    Outcome.DELIVER: ("serait parti", "green"),
    Outcome.HOLD: ("aurait attendu une personne", "yellow"),
    Outcome.DROP: ("ne serait pas parti", "bright_black"),
}
#: What each remark says; ``{detail}`` is its rule, type code or day.
_REMARKS: Final[Mapping[str, str]] = {
    "quarantined": "message(s) en quarantaine ({detail}) : à corriger par l'établissement",
    "held": "envoi(s) auraient attendu une personne ({detail})",
    "nobody": "lettre(s) {detail} sans aucun destinataire",
    "late": "événement(s) trop vieux pour prévenir quelqu'un : vérifier l'heure du service (ZBE-2), le fuseau et late_after",
    "test-message": "décision(s) sur des messages d'essai (MSH-11 = T ou D)",
    "unrouted": "document(s) {detail} qu'aucune route ne prend",
    "no-letter": "séjour(s) terminé(s) sans qu'un document soit venu",
    "silent-day": "jour sans un message : {detail}",
}


@click.command(short_help="Dire ce qui serait parti d'une source en marche à blanc.")
@click.option("--source", default="", help="Source ; toutes par défaut.")
@click.option("--since", type=click.DateTime(("%Y-%m-%d",)), help="Premier jour, heure de la source ; tout par défaut.")
@click.option("--config", "path", type=click.Path(path_type=Path, dir_okay=False), help="Fichier de configuration.")
@click.option("--json", "as_json", is_flag=True, help="Répondre en JSON.")
@click.pass_context
def shadow(context: click.Context, source: str, since: datetime | None, path: Path | None, as_json: bool) -> None:
    """Dire ce qui serait parti : par jour, destination, type et règle, ce qui serait parti, aurait attendu ou ne serait pas parti.

    Compte les messages des sources en mode "shadow", et ce qu'une source active n'a pas envoyé (lettres observées, destinations à
    l'essai). Rien de ce qui s'affiche ne nomme une personne ni une adresse.

    Code de sortie : 0 le rapport est là, 1 rien n'a été retenu ainsi, 2 le journal ou ses clés ne peuvent être lus.
    """
    with journal_keys(path) as (configuration, keys):
        if source and source not in configuration.sources:
            raise click.UsageError(f"la source « {source} » n'existe pas ; sources : {', '.join(configuration.sources)}.")
        start = None if since is None else since.replace(tzinfo=_zone_of(configuration, source)).astimezone(UTC)
        with closing(ShadowReader(configuration.journal_path, keys)) as reader:
            report = _tallied(reader, configuration, start, source, hidden=as_json)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    else:
        _print(Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else _PLAIN_WIDTH), report)
    context.exit(0 if report.first is not None else 1)


def _tallied(
    reader: ShadowReader, configuration: Configuration, start: datetime | None, source: str, *, hidden: bool
) -> ShadowReport:
    tally = ShadowTally(lambda name: _zone_of(configuration, name))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden) as progress:
        task = progress.add_task("Messages", total=reader.count(start, source))
        for looked_at, kept in reader.messages(start, source):
            for message in kept:
                tally.add(message)
            progress.advance(task, looked_at)
    return tally.report()


def _zone_of(configuration: Configuration, source: str) -> tzinfo:
    declared = configuration.sources.get(source)
    return _ZONE if declared is None else ZoneInfo(declared.common.time_zone)


# For people -----------------------------------------------------------------------------------------------------------------------


def _print(console: Console, report: ShadowReport) -> None:
    if report.first is None:
        console.print("Rien n'a été décidé à blanc dans cette période.")
        return
    console.print(Text(f"Décidé à blanc, du {report.first} au {report.last}", "bold"))
    for source, verdicts in report.messages.items():
        words = ", ".join(
            f"{number} {VERDICTS[Verdict(verdict)][2].split(' :')[0].lower()}" for verdict, number in verdicts.items()
        )
        console.print(Text(f"  {source} : {plural(sum(verdicts.values()), 'message')} ({words})"))
    if report.of_live_sources:
        console.print(f"  de sources actives : {plural(report.of_live_sources, 'message')} dont quelque chose est resté")
    _print_days(console, report.lines)
    _print_rules(console, report.lines)
    _print_units(console, report)
    console.print()
    console.print(Text("À regarder avant d'ouvrir", "bold"))
    for remark in report.remarks:
        told = _REMARKS[remark.what].format(detail=clean(remark.detail) or "cause non dite")
        number = "" if remark.what == "silent-day" else f"{remark.number} "
        console.print(Text(f"  {remark.source} : {number}{told}", "yellow"))
    if not report.remarks:
        console.print("  rien de particulier", style="green")


def _print_days(console: Console, lines: Iterable[Line]) -> None:
    days: dict[tuple[str, str], Counter[str]] = {}
    for line in lines:
        days.setdefault((line.day, line.destination), Counter())[line.outcome] += line.number
    table = _table("jour", "vers", *(word for word, _ in _OUTCOMES.values()), numbers_from=2)
    for (day, destination), counts in days.items():
        table.add_row(day, destination, *(_cell(counts[outcome], colour) for outcome, (_, colour) in _OUTCOMES.items()))
    console.print()
    console.print(table)


def _print_rules(console: Console, lines: Iterable[Line]) -> None:
    rules: Counter[tuple[str, str, str, str, str]] = Counter()
    for line in lines:
        about = TYPES[line.about].french if line.about in TYPES else f"Lettre {clean(line.about)}"
        rules[line.destination, about, line.outcome, line.rule, line.recipients] += line.number
    table = _table("vers", "quoi", "pour", "issue", "règle", "nombre", numbers_from=5)
    for (destination, about, outcome, rule, recipients), number in sorted(rules.items()):
        word, colour = _OUTCOMES[outcome]
        table.add_row(destination, Text(about), recipients, Text(word, colour), Text(rule, "dim"), str(number))
    console.print()
    console.print(table)


def _print_units(console: Console, report: ShadowReport) -> None:
    if not report.units:
        return
    table = _table("source", "unité", "admissions", "sorties", "séjours avec lettre", "sorties sans lettre", numbers_from=2)
    for unit in report.units:
        numbers = (unit.admissions, unit.discharges, unit.with_letter, unit.without_letter)
        table.add_row(unit.source, Text(clean(unit.unit) or "non dite"), *(str(number) for number in numbers))
    console.print()
    console.print(table)


def _table(*titles: str, numbers_from: int) -> Table:
    table = Table(box=None, pad_edge=True, header_style="dim")
    for number, title in enumerate(titles):
        table.add_column(title, justify="right" if number >= numbers_from else "left")
    return table


def _cell(number: int, colour: str) -> Text:
    return Text(str(number), colour if number else "dim")
