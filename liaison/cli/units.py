"""``liaison units``: the hospitals' units (UF), and those that messages name and no referential has."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from liaison.service.configuration import ConfigurationError, ReferenceFileError
from liaison.service.loader import load_configuration
from liaison.service.units_file import seen_units, units_by_source


class UnmappedLine(msgspec.Struct, frozen=True, kw_only=True):
    """One code of a unit that the source's referential does not have."""

    source: str
    code: str
    #: Messages that named it, and the days of the first and last.
    count: int
    first: str
    last: str


@click.group(short_help="Les UF des établissements.")
def units() -> None:
    """Les unités fonctionnelles (UF) que les messages nomment par leur seul code."""


@units.command(short_help="Lister les codes d'UF vus et absents du référentiel.")
@click.option("--config", "path", type=click.Path(path_type=Path, dir_okay=False), help="Fichier de configuration.")
@click.option("--source", "only", help="Seulement cette source.")
@click.option("--json", "as_json", is_flag=True, help="Un objet JSON par ligne.")
def unmapped(path: Path | None, only: str | None, as_json: bool) -> None:
    """Lister les UF que les messages ont nommées et que le référentiel ([sources.NOM] units) ne connaît pas, les plus vues d'abord.

    Code de sortie : 0 il n'y en a aucune, 1 il y en a, 2 la configuration ou un référentiel ne peut être lu.
    """
    try:
        configuration = load_configuration(path)
        known = units_by_source(configuration)
    except (ConfigurationError, ReferenceFileError, OSError) as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    if only is not None and only not in configuration.sources:
        click.echo(f"cette source n'existe pas ; sources : {', '.join(configuration.sources)}.", err=True)
        sys.exit(2)
    lines = [
        UnmappedLine(source=source, code=code, count=seen.count, first=seen.first, last=seen.last)
        for source, codes in seen_units(configuration.journal_path.parent).items()
        for code, seen in codes.items()
        if only in (None, source) and code not in known.get(source, {})
    ]
    lines.sort(key=lambda line: (-line.count, line.source, line.code))
    for line in lines:
        if as_json:
            click.echo(msgspec.json.encode(line))
        else:
            click.echo(f"{line.source:<24} {line.code:<12} {line.count:>8} messages, du {line.first} au {line.last}")
    if not lines and not as_json:
        click.echo("toutes les UF vues sont dans le référentiel de leur source.")
    sys.exit(1 if lines else 0)
