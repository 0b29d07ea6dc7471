"""``liaison pause``: stop a destination, a source, or everything that leaves."""

from __future__ import annotations

from pathlib import Path

import click

from liaison.cli.ask import ask, config_option, json_option, print_json, reason_option
from liaison.service.acts.pausing import Turned


@click.command(short_help="Suspendre une destination, une source, ou tous les envois.")
@click.argument("name", required=False, default="", metavar="[DESTINATION|SOURCE]")
@click.option("--source", "kind", flag_value="source", help="Le nom est celui d'une source.")
@click.option("--destination", "kind", flag_value="destination", help="Le nom est celui d'une destination.")
@click.option("--all", "everything", is_flag=True, help="Tous les envois, vers toutes les destinations.")
@reason_option
@config_option
@json_option
def pause(name: str, kind: str | None, everything: bool, reason: str, path: Path | None, as_json: bool) -> None:
    """Suspendre une destination (ce qui lui revient attend, dans l'ordre), une source (ses messages sont refusés
    pour le moment, « AR », et renvoyés par elle), ou tous les envois (--all). Tient jusqu'à « liaison resume »,
    redémarrages compris.

    Code de sortie : 0 c'est suspendu, 1 la plateforme n'a pas pu, 2 nom inconnu ou plateforme arrêtée.
    """
    turn(name, kind, everything, reason, path, as_json, act="pause")


def turn(name: str, kind: str | None, everything: bool, reason: str, path: Path | None, as_json: bool, *, act: str) -> None:
    """Ask for ``pause`` or ``resume`` and say what became of it."""
    if bool(name) == everything:
        raise click.UsageError("indiquer une destination, une source, ou --all.")
    turned = ask(path, act, {"name": name, "kind": kind or ""}, answer=Turned, reason=reason)
    if as_json:
        print_json(turned)
    else:
        click.echo(_in_words(turned))


def _in_words(turned: Turned) -> str:
    kind, _, name = turned.switch.partition("/")
    what = {"destination": f"La destination {name}", "source": f"La source {name}"}.get(
        kind, "L'envoi vers toutes les destinations"
    )
    state = "suspendu" if turned.stopped else "en service"
    agreed = state + "e" if turned.stopped and name else state
    return f"{what} est {'désormais' if turned.changed else 'déjà'} {agreed}."
