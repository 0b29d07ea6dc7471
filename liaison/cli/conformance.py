"""``liaison conformance``: a day's export of a hospital against the French profile, before the feed goes live."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from liaison.adapters.endpoint import parse_endpoint
from liaison.care.units import Unit
from liaison.cli.bar import progress_bar
from liaison.cli.conformance_page import ConformancePage
from liaison.cli.explain_words import clean
from liaison.conformance.examine import NothingToRead, WorkerLost, examine
from liaison.conformance.export import ExportFile, files_under
from liaison.conformance.page import page_of
from liaison.conformance.report import Report
from liaison.mappings.interpretation import SourceProfile
from liaison.private import Private
from liaison.service.configuration import ConfigurationError, ReferenceFileError
from liaison.service.loader import FILE_NAME, load_configuration
from liaison.service.speakers import profiles
from liaison.service.units_file import load_units


class ReadAs(Private, frozen=True, kw_only=True):
    """How the messages are read: as a source of a configuration, or as a newcomer's when ``profile`` is None."""

    profile: SourceProfile | None = None
    #: The source's referential of units; None when it has none.
    units: Mapping[str, Unit] | None = None


@click.command(short_help="Dire où un export s'écarte du profil français.")
@click.argument("paths", metavar="DOSSIER|FICHIER…", nargs=-1, type=click.Path(path_type=Path))
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Fichier de configuration (avec --source).")
@click.option("--source", default="", metavar="NOM", help="Lire comme venant de cette source, avec ses autorités et ses UF.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Écrire le rapport en une page HTML, à transmettre telle quelle.",
)
@click.option("--json", "as_json", is_flag=True, help="Répondre en JSON : un seul objet.")
@click.option("--workers", type=click.IntRange(1, 64), help="Nombre de processus ; un par cœur par défaut.")
@click.option("--listen", metavar="HÔTE:PORT", help="Servir une page où déposer des fichiers, au lieu d'en lire.")
@click.option("--open-to-network", is_flag=True, help="Avec --listen : accepter une adresse qui n'est pas de cette machine.")
@click.pass_context
def conformance(
    context: click.Context,
    paths: tuple[Path, ...],
    config: Path | None,
    source: str,
    html: Path | None,
    as_json: bool,
    workers: int | None,
    listen: str | None,
    open_to_network: bool,
) -> None:
    """Dire où un export HL7 v2 s'écarte de PAM.fr et du volet Transmission de documents, sans rien garder ni envoyer nulle part.

    Un export est un ou plusieurs fichiers, ou un dossier lu en entier : messages seuls ou à la suite, lots (FHS, BHS), captures MLLP.
    Le rapport ne contient ni nom, ni identifiant, ni date de naissance, ni texte : des valeurs, il ne montre que la forme.

    Code de sortie : 0 aucune erreur, 1 il y a des erreurs, 2 mauvais emploi ou rien à lire.
    """
    read_as = _read_as(config, source)
    if listen is not None:
        if paths or html is not None or as_json:
            raise click.UsageError("--listen attend les fichiers par sa page : ne donner ni fichier, ni --html, ni --json.")
        _listen(listen, read_as, workers or 0, open_to_network=open_to_network)
        return
    if not paths:
        raise click.UsageError("nommer un dossier ou des fichiers à examiner, ou servir une page par --listen.")
    report = _examined(paths, read_as, workers or 0, hidden=as_json)
    if html is not None:
        _write(html, page_of(report))
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
        sys.stdout.buffer.flush()
    else:
        ConformancePage().show(report, html=html)
    context.exit(1 if report.has_errors else 0)


def _examined(paths: tuple[Path, ...], read_as: ReadAs, workers: int, *, hidden: bool) -> Report:
    try:
        files = tuple(files_under(paths))
    except OSError as error:
        raise click.UsageError(
            f"{error.filename} ne peut être lu ({error.strerror}) : vérifier le chemin et les droits."
        ) from error
    total = sum(file.size for file in files)
    with progress_bar(hidden=hidden) as told:
        try:
            return _examine(files, read_as, workers, lambda done: told("Messages", done, total))
        except NothingToRead as nothing:
            named = "".join(f"\n  {clean(one.name)} {one.why}" for one in nothing.unread[:10])
            raise click.UsageError(f"aucun message HL7 v2 n'a été trouvé : vérifier l'export.{named}") from nothing
        except WorkerLost as lost:
            raise click.UsageError(
                "un processus de lecture s'est arrêté : libérer de la mémoire, ou essayer --workers 1."
            ) from lost


def _examine(files: tuple[ExportFile, ...], read_as: ReadAs, workers: int, tell: Callable[[int], None]) -> Report:
    return examine(files, now=datetime.now(UTC), profile=read_as.profile, units=read_as.units, workers=workers, tell=tell)


def _read_as(path: Path | None, source: str) -> ReadAs:
    """The source that is named; a newcomer where none is."""
    if not source:
        if path is not None:
            raise click.UsageError("--config demande --source : dire de quelle source vient l'export.")
        return ReadAs()
    try:
        configuration = load_configuration(path)
        if source not in configuration.sources:
            raise click.UsageError(f"la source « {source} » n'existe pas ; sources : {', '.join(configuration.sources)}.")
        units = configuration.units_path(source)
        return ReadAs(profile=profiles(configuration)[source], units=None if units is None else load_units(units))
    except OSError as error:
        raise click.UsageError(f"{path or FILE_NAME} ne peut être lu ({error.strerror}) : vérifier le chemin.") from error
    except (ConfigurationError, ReferenceFileError) as error:
        raise click.UsageError(str(error)) from error


def _listen(address: str, read_as: ReadAs, workers: int, *, open_to_network: bool) -> None:
    from liaison.cli.conformance_listen import serve  # the web server's libraries are for those who ask for a page

    try:
        endpoint = parse_endpoint(address, "--listen", any_port=True)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if not endpoint.is_loopback and not open_to_network:
        raise click.UsageError(
            f"{endpoint} n'est pas une adresse de cette machine : les fichiers, qui nomment des patients, y passeraient en clair. "
            "Écouter sur 127.0.0.1 ; ou, derrière un serveur TLS qui authentifie, ajouter --open-to-network."
        )
    try:
        serve(endpoint, read_as.profile, read_as.units, workers)
    except OSError as error:
        raise click.UsageError(f"{endpoint} ne peut être écouté ({error.strerror}) : choisir un autre port.") from error


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{path} ne peut être écrit ({error.strerror}) : choisir un autre chemin.") from error
