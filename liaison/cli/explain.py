"""``liaison explain``: what the hub would make of a file, step by step, without doing any of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from liaison.cli.explain_list import ExplanationList
from liaison.cli.explain_page import ExplanationPage
from liaison.cli.explain_structure import structure_of
from liaison.hub.contracts import Verdict
from liaison.hub.explain import Explained
from liaison.hub.file_findings import MAX_FILE
from liaison.service.configuration import Configuration, ConfigurationError, ReferenceFileError
from liaison.service.explaining import FileExplainer, UnknownSource, UnreadablePath
from liaison.service.loader import FILE_NAME, load_configuration

#: From this many messages on, one line each instead of a page each.
_MANY = 6
_STANDARD_INPUT = Path("-")


@click.command(short_help="Dire ce que la plateforme ferait d'un fichier, sans rien faire.")
@click.argument("paths", metavar="FICHIER…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Fichier de configuration ; sinon liaison.toml, sinon une configuration d'essai.",
)
@click.option("--as-source", default="", metavar="NOM", help="Lire comme venant de cette source de la configuration.")
@click.option("--json", "as_json", is_flag=True, help="Répondre en JSON : un objet par message, une liste s'il y en a plusieurs.")
@click.option("--together", is_flag=True, help="Prendre les fichiers comme un seul flux, dans l'ordre.")
@click.option(
    "--strict", is_flag=True, help="Vérifier aussi la structure d'après les tables de HL7 (hl7apy), et montrer les deux avis."
)
@click.option("--full", is_flag=True, help="Une page entière par message, même s'il y en a beaucoup.")
@click.pass_context
def explain(
    context: click.Context,
    paths: tuple[Path, ...],
    config: Path | None,
    as_source: str,
    as_json: bool,
    together: bool,
    strict: bool,
    full: bool,
) -> None:
    """Dire ce que la plateforme ferait de fichiers, sans rien écrire ni envoyer nulle part.

    Un fichier est un message HL7 v2 ou un lot, un document CDA, une archive XDM ou un courriel (.eml) ; « - » lit l'entrée
    standard. Chaque fichier part d'un journal vide ; ses messages sont pris dans l'ordre, et chacun voit ce que les précédents
    auraient changé.

    Code de sortie : 0 tout est accepté, 1 quelque chose est mis en quarantaine ou refusé, 2 un fichier ne peut être lu.
    """
    try:
        explainer = FileExplainer(_configuration(config), as_source=as_source, together=together, now=datetime.now(UTC))
    except UnknownSource as error:
        raise click.UsageError(f"--as-source : {error}") from error
    except ReferenceFileError as error:
        raise click.UsageError(str(error)) from error
    codes: set[int] = set()
    explained = _explain_all(explainer, paths, codes)
    if as_json:
        _print_json(explained, several=len(paths) > 1, strict=strict)
    else:
        _print_pages(explained, is_newcomer=explainer.is_newcomer, full=full, strict=strict)
    context.exit(max(codes, default=0))


def _configuration(path: Path | None) -> Configuration | None:
    """The configuration that is named or stands in the current folder; None for a newcomer."""
    if path is None and not Path(FILE_NAME).is_file():
        return None
    try:
        return load_configuration(path)
    except OSError as error:
        raise click.UsageError(f"{path} ne peut être lu ({error.strerror}) : vérifier le chemin et les droits.") from error
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error


def _explain_all(explainer: FileExplainer, paths: tuple[Path, ...], codes: set[int]) -> Iterator[tuple[str, Explained]]:
    """Every message of every file with the file's name; ``codes`` collects what the exit code is made of."""
    for path in paths:
        name = str(path).encode("utf-8", "replace").decode()
        try:
            found = (
                explainer.explain(sys.stdin.buffer.read(MAX_FILE + 1)) if path == _STANDARD_INPUT else explainer.explain_path(path)
            )
        except UnreadablePath as error:
            codes.add(2)
            yield name, error.explained
            continue
        for one in found:
            codes.add(1 if one.taken.answer.verdict in (Verdict.QUARANTINED, Verdict.REFUSED) else 0)
            yield name, one


def _print_json(explained: Iterator[tuple[str, Explained]], *, several: bool, strict: bool) -> None:
    """One object, or a list that is written as it comes: a day's batch has thousands."""
    bodies = (msgspec.json.encode(_object(name, one, strict=strict)) for name, one in explained)
    out = sys.stdout.buffer
    first, second = next(bodies, b""), next(bodies, None)
    if second is None:
        out.write(b"[" + first + b"]\n" if several else first + b"\n")
    else:
        out.write(b"[" + first + b",\n" + second)
        for body in bodies:
            out.write(b",\n" + body)
        out.write(b"]\n")
    out.flush()


def _object(name: str, one: Explained, *, strict: bool) -> dict[str, object]:
    return {"file": name, **one.as_json(), **({"structure": structure_of(one)} if strict else {})}


def _print_pages(explained: Iterator[tuple[str, Explained]], *, is_newcomer: bool, full: bool, strict: bool) -> None:
    page = ExplanationPage(strict=strict)
    few = [] if full else [one for _, one in zip(range(_MANY), explained, strict=False)]
    if len(few) < _MANY:
        for name, one in (*few, *explained):
            page.show(name, one)
    else:
        listing = ExplanationList(page.console)
        for name, one in (*few, *explained):
            listing.show(name, one)
        listing.end()
    page.end(is_newcomer=is_newcomer)
