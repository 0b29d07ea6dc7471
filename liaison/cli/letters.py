"""``liaison letters``: one switch for every letter of the hub."""

from __future__ import annotations

from pathlib import Path

import click

from liaison.cli.ask import ask, config_option, json_option, print_json, reason_option
from liaison.service.acts.pausing import Turned


@click.group(short_help="Arrêter toutes les lettres, ou les laisser repartir.")
def letters() -> None:
    """Arrêter toutes les lettres, ou les laisser repartir. Les événements ne sont pas touchés."""


@letters.command(short_help="Plus aucune lettre ne part.")
@reason_option
@config_option
@json_option
def stop(reason: str, path: Path | None, as_json: bool) -> None:
    """Plus aucune lettre ne part, vers aucune destination, redémarrages compris. Elles attendent dans l'ordre ; celle dont
    l'envoi est commencé se termine."""
    _turn(path, reason, as_json, stopped=True)


@letters.command(short_help="Les lettres repartent.")
@reason_option
@config_option
@json_option
def start(reason: str, path: Path | None, as_json: bool) -> None:
    """Les lettres repartent, dans la minute ; les barrières décident encore une fois de chacune."""
    _turn(path, reason, as_json, stopped=False)


def _turn(path: Path | None, reason: str, as_json: bool, *, stopped: bool) -> None:
    turned = ask(path, "letters", {"stopped": stopped}, answer=Turned, reason=reason)
    if as_json:
        print_json(turned)
    else:
        click.echo(f"Les lettres {'sont' if turned.changed else 'étaient déjà'} {'arrêtées' if stopped else 'en service'}.")
