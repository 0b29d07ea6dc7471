"""``liaison directory``: put a new national extraction and white list in use, and see what is in use."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from liaison.cli.reading_bar import reading_bar
from liaison.service.addresses import STALE_AFTER
from liaison.service.configuration import Configuration, ConfigurationError, ReferenceFileError
from liaison.service.directory_file import DirectoryFiles
from liaison.service.loader import load_configuration
from liaison.service.white_list_file import WhiteListFiles

_config = click.option("--config", "path", type=click.Path(path_type=Path, dir_okay=False), help="Fichier de configuration.")
_json = click.option("--json", "as_json", is_flag=True, help="Répondre en JSON.")


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one file."""

    file: str
    #: ``annuaire`` or ``liste blanche``.
    kind: str
    ok: bool
    #: Mailboxes, or domains.
    size: int = 0
    skipped: int = 0
    text: str


class InUseLine(msgspec.Struct, frozen=True, kw_only=True):
    """One file in use."""

    kind: str
    size: int
    made_at: str
    days_old: float
    stale: bool


@click.group(short_help="L'annuaire national et la liste blanche : prendre, voir.")
def directory() -> None:
    """L'annuaire national des boîtes MSSanté et la liste blanche de leurs domaines.

    Une plateforme en marche prend d'elle-même un fichier qui change ; ces commandes servent à le faire d'avance, à accepter un fichier
    plus petit que celui en service, et à voir ce qui est en service.
    """


@directory.command(short_help="Prendre les fichiers que nomme la configuration.")
@_config
@_json
@click.option("--accept-smaller", is_flag=True, help="Prendre aussi un fichier bien plus petit que celui en service.")
def load(path: Path | None, as_json: bool, accept_smaller: bool) -> None:
    """Lire l'annuaire et la liste blanche de la configuration, et les mettre en service.

    Une plateforme en marche les prend dans la demi-minute. Code de sortie : 0 tout est pris, 1 un fichier est refusé et l'ancien reste en
    service, 2 la configuration ne peut être lue.
    """
    configuration = _configuration(path)
    folder = configuration.journal_path.parent
    told: list[Loaded] = []
    if (extraction := configuration.directory_path) is not None:
        try:
            with reading_bar("Lecture de l'annuaire") as progress:
                taken = DirectoryFiles(folder).take(
                    extraction, now=datetime.now(UTC), progress=progress, accept_smaller=accept_smaller
                )
        except ReferenceFileError as error:
            told.append(Loaded(file=str(extraction), kind="annuaire", ok=False, text=f"{error}."))
        else:
            for finding in taken.findings[:10]:
                click.echo(f"{finding.where} : {finding.message} {finding.remedy}", err=True)
            text = "pris" if taken.new else "déjà en service"
            in_use = taken.in_use
            told.append(Loaded(file=str(extraction), kind="annuaire", ok=True, size=in_use.rows, skipped=in_use.skipped, text=text))
    if (listed := configuration.white_list_path) is not None:
        try:
            found = WhiteListFiles(folder).take(listed, accept_smaller=accept_smaller)
        except ReferenceFileError as error:
            told.append(Loaded(file=str(listed), kind="liste blanche", ok=False, text=f"{error}."))
        else:
            size, skipped = len(found.domains), found.skipped
            told.append(Loaded(file=str(listed), kind="liste blanche", ok=True, size=size, skipped=skipped, text="en service"))
    if as_json:
        click.echo(msgspec.json.encode(told))
    elif not told:
        click.echo("la configuration ne nomme ni annuaire ni liste blanche ([letters] directory, white_list).")
    else:
        for one in told:
            counted = f"{one.size} {'boîtes' if one.kind == 'annuaire' else 'domaines'}, {one.skipped} lignes écartées, "
            click.echo(f"{one.kind} : {counted if one.ok else ''}{one.text}")
    sys.exit(0 if all(one.ok for one in told) else 1)


@directory.command(short_help="Voir ce qui est en service, et depuis quand.")
@_config
@_json
def status(path: Path | None, as_json: bool) -> None:
    """Dire quel annuaire et quelle liste blanche sont en service, et leur âge.

    Code de sortie : 0 tout est frais, 1 un fichier est périmé ou n'a jamais été pris.
    """
    configuration = _configuration(path)
    folder, now = configuration.journal_path.parent, datetime.now(UTC)
    lines: list[InUseLine] = []
    missing: list[str] = []
    if configuration.directory_path is not None:
        in_use = DirectoryFiles(folder).in_use()
        if in_use is None:
            missing.append("annuaire")
        else:
            lines.append(_line("annuaire", in_use.rows, datetime.fromisoformat(in_use.made_at), now))
    if configuration.white_list_path is not None:
        last = WhiteListFiles(folder).last_good()
        if last is None:
            missing.append("liste blanche")
        else:
            lines.append(_line("liste blanche", len(last.domains), last.generated_at, now))
    if as_json:
        click.echo(msgspec.json.encode({"in_use": lines, "missing": missing}))
    else:
        for line in lines:
            counted = f"{line.size} {'boîtes' if line.kind == 'annuaire' else 'domaines'}"
            click.echo(f"{line.kind} : {counted}, du {line.made_at[:10]}{', périmé' if line.stale else ''}")
        for name in missing:
            click.echo(f"{name} : rien en service ; « liaison directory load » le prend.")
    sys.exit(1 if missing or any(line.stale for line in lines) else 0)


def _line(kind: str, size: int, made_at: datetime, now: datetime) -> InUseLine:
    days = (now - made_at).total_seconds() / 86_400
    return InUseLine(kind=kind, size=size, made_at=made_at.isoformat(), days_old=round(days, 2), stale=days > STALE_AFTER)


def _configuration(path: Path | None) -> Configuration:
    try:
        return load_configuration(path)
    except (ConfigurationError, OSError) as error:
        click.echo(str(error), err=True)
        sys.exit(2)
