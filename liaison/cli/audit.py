"""``liaison audit``: who did what on this hub, and why."""

from __future__ import annotations

from pathlib import Path

import click

from liaison.cli.ask import ask, config_option, json_option, print_json, reason_option
from liaison.cli.explain_words import clean
from liaison.service.acts.auditing import AuditLine

_OUTCOMES = {"asked": "sans issue connue", "done": "fait", "refused": "refusé", "failed": "échoué"}


@click.group(short_help="Qui a fait quoi, et pourquoi.")
def audit() -> None:
    """Qui a fait quoi sur cette plateforme, et pourquoi."""


@audit.command("list", short_help="Les actes des opérateurs, le plus récent d'abord.")
@click.option("--most", type=click.IntRange(1, 1_000), default=100, show_default=True, help="Combien d'actes.")
@click.option("--before", default=None, metavar="ID", help="Seulement ceux d'avant cet acte.")
@reason_option
@config_option
@json_option
def list_acts(most: int, before: str | None, reason: str, path: Path | None, as_json: bool) -> None:
    """Lister les actes des opérateurs et leurs motifs, le plus récent d'abord. Cette consultation en est un.

    Avec --json, un objet par ligne.
    """
    lines = ask(path, "audit.list", {"most": most, "before": before}, answer=tuple[AuditLine, ...], reason=reason)
    for line in lines:
        if as_json:
            print_json(line)
        else:
            outcome = _OUTCOMES.get(line.outcome, line.outcome)
            click.echo(
                f"{line.id}  {line.at[:19]}  {clean(line.operator)}  {line.act} {clean(line.target)}  {outcome} : {clean(line.reason)}"
            )
