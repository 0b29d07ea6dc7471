"""``liaison follow``: the lists of followed patients, on a running hub."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import click
import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from liaison.cli.ask import Line, config_option, json_option, print_json, reason_option
from liaison.hub.journal.follow_queries import FollowReader
from liaison.hub.journal.queries import JournalReader
from liaison.service.acts.following import LINES_AT_ONCE, LineAnswer, Member
from liaison.service.configuration import Configuration, ConfigurationError
from liaison.service.follow_file import FileFault, FollowFileError, read_follow_file
from liaison.service.follow_lines import FollowLine, LineFault, wanted_of
from liaison.service.loader import load_configuration

T = TypeVar("T")

_list_option = click.option("--list", "name", default="", metavar="LISTE", help="La liste ; sans objet s'il n'y en a qu'une.")


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What ``follow import --json`` prints."""

    list: str
    dry_run: bool
    lines: int
    repeated: int
    #: New, or changed.
    changed: int
    unchanged: int
    #: By status after it: active, waiting, disputed.
    statuses: dict[str, int]
    left: int
    faults: tuple[FileFault, ...] = ()


@click.group(short_help="Suivre des patients : listes qui ouvrent le partage.")
def follow() -> None:
    """Les listes de patients suivis : la plateforme de coordination n'apprend rien des autres."""


@follow.command("import", short_help="Inscrire les patients d'un fichier CSV.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_list_option
@click.option("--replace", is_flag=True, help="Le fichier est la liste entière : qui n'y est plus est retiré.")
@click.option("--force", is_flag=True, help="Avec --replace, retirer même plus que la part permise ([follow] shrink).")
@click.option("--dry-run", is_flag=True, help="Dire ce qui changerait, sans rien changer.")
@reason_option
@config_option
@json_option
def import_file(
    file: Path, name: str, replace: bool, force: bool, dry_run: bool, reason: str, path: Path | None, as_json: bool
) -> None:
    """Inscrire les patients d'un fichier CSV. Sa première ligne nomme les colonnes : ins, ou ipp et finess ; au besoin autorite,
    naissance (comparée à celle du patient), debut, fin. Rien n'est changé si une seule ligne est fausse. Le même fichier
    peut être importé chaque nuit.

    Code de sortie : 0 c'est fait, 1 refusé (la liste rétrécit trop), 2 fichier faux ou plateforme arrêtée.
    """
    configuration = _configuration(path)
    name = _only_list(configuration, name)
    try:
        read = read_follow_file(file, configuration=configuration, name=name)
    except FollowFileError as error:
        raise click.UsageError(str(error)) from error
    if read.faults:
        if as_json:
            print_json(_imported(name, dry_run, (), 0, read.repeated, faults=read.faults))
        for fault in read.faults:
            click.echo(f"ligne {fault.line} : {fault.message}", err=True)
        click.echo("rien n'a été changé : corriger ces lignes.", err=True)
        sys.exit(2)
    for title in read.ignored:
        click.echo(f"colonne ignorée : {title}", err=True)
    with Line(path) as line, Progress(console=Console(stderr=True), disable=as_json) as progress:
        known = _enrolled(line, name, read.lines, reason, progress, "lecture", dry_run=True) if replace or dry_run else ()
        leaving: list[str] = []
        if replace:
            members = _members(line, name, reason)
            named = {one.reference for one in known}
            leaving = [one for one in members if one not in named]
            if members and len(leaving) * 100 > configuration.follow.shrink * len(members) and not force:
                share = f"{len(leaving)} inscriptions sur {len(members)} seraient retirées"
                click.echo(
                    f"{share}, plus de {configuration.follow.shrink} % : vérifier le fichier, ou ajouter --force. Rien n'est changé.",
                    err=True,
                )
                sys.exit(1)
        answers = known if dry_run else _enrolled(line, name, read.lines, reason, progress, "inscription", dry_run=False)
        left = len(leaving) if dry_run else _left(line, name, leaving, reason)
    imported = _imported(name, dry_run, answers, left, read.repeated)
    if as_json:
        print_json(imported)
        return
    would = "seraient " if dry_run else ""
    click.echo(f"{imported.lines} lignes : {imported.changed} {would}inscrites ou modifiées, {imported.unchanged} déjà inscrites.")
    if replace:
        click.echo(f"{left} {would}retirées.")
    for status, words in (
        ("active", "suivies dès maintenant"),
        ("waiting", "en attente : aucun patient n'est encore connu sous cet identifiant"),
        ("disputed", "en doute : rien n'est dit d'elles, voir « liaison follow list »"),
    ):
        if imported.statuses.get(status):
            click.echo(f"  {imported.statuses[status]} {words}")


@follow.command("list", short_help="Compter les inscriptions, ou les montrer.")
@click.option("--identities", is_flag=True, help="Montrer les identifiants : demande un motif, tracé.")
@click.option("--list", "name", default="", metavar="LISTE", help="Une liste seulement.")
@click.option("--reason", default="", metavar="MOTIF", help="Pourquoi les identifiants sont consultés.")
@config_option
@json_option
def list_follows(identities: bool, name: str, reason: str, path: Path | None, as_json: bool) -> None:
    """Compter les inscriptions par liste et par état, sans nommer personne ; avec --identities et --reason, les montrer."""
    if identities:
        with Line(path) as line:
            shown = line.ask("follow.list", {"list": name}, answer=tuple[Member, ...], reason=reason)
        if as_json:
            print_json(shown)
            return
        table = Table("liste", "état", "identifiant", "établissement", "naissance", "depuis", "jusqu'à")
        for one in shown:
            table.add_row(
                one.list, one.status, f"{one.kind} {one.value}", one.establishment, one.birth_date, one.since[:10], one.until[:10]
            )
        Console().print(table)
        return
    configuration = _configuration(path)
    if not configuration.journal_path.exists():
        raise click.UsageError(f"il n'y a pas de journal en {configuration.journal_path} : la plateforme n'a pas encore démarré.")
    reader = JournalReader(configuration.journal_path)
    counts = {each: states for each, states in FollowReader(reader).counts().items() if name in ("", each)}
    reader.close()
    if as_json:
        print_json(counts)
        return
    table = Table("liste", "suivis", "en attente", "en doute", "sortis")
    for each, states in sorted(counts.items()):
        table.add_row(each, *(str(states.get(state, 0)) for state in ("active", "waiting", "disputed", "left")))
    Console().print(table)


@follow.command(short_help="Retirer des patients d'une liste.")
@click.option("--ins", default="", metavar="INS", help="Le matricule, clé comprise.")
@click.option("--ipp", default="", metavar="IPP", help="Le numéro de l'établissement, avec --finess.")
@click.option("--finess", default="", metavar="FINESS", help="L'établissement de l'IPP.")
@click.option("--authority", default="", metavar="AUTORITÉ", help="L'autorité de l'IPP, si ce n'est pas celle de la configuration.")
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), help="Un fichier CSV de ceux qui sortent.")
@_list_option
@reason_option
@config_option
@json_option
def remove(
    ins: str,
    ipp: str,
    finess: str,
    authority: str,
    file: Path | None,
    name: str,
    reason: str,
    path: Path | None,
    as_json: bool,
) -> None:
    """Retirer un patient, ou ceux d'un fichier : plus rien n'est dit d'eux, ce qui attendait est annulé.

    Code de sortie : 0 au moins une inscription a pris fin, 1 aucune ne correspond, 2 demande fausse ou plateforme arrêtée.
    """
    configuration = _configuration(path)
    name = _only_list(configuration, name)
    if bool(file) == bool(ins or ipp):
        raise click.UsageError("indiquer --ins, ou --ipp et --finess, ou --file.")
    lines: tuple[FollowLine, ...] = (FollowLine(ins=ins, ipp=ipp, finess=finess, authority=authority),)
    try:
        if file is not None:
            read = read_follow_file(file, configuration=configuration, name=name)
            if read.faults:
                raise click.UsageError("\n".join(f"ligne {fault.line} : {fault.message}" for fault in read.faults))
            lines = read.lines
        for each in lines:
            wanted_of(each, configuration=configuration, name=name)
    except (FollowFileError, LineFault) as error:
        raise click.UsageError(str(error)) from error
    ended = 0
    with Line(path) as line:
        for part in _parts(lines):
            ended += line.ask("follow.remove", {"list": name, "lines": part}, answer=int, reason=reason)
    if as_json:
        print_json({"list": name, "left": ended})
    else:
        click.echo(f"{ended} inscription{'s' if ended > 1 else ''} retirée{'s' if ended > 1 else ''}.")
    sys.exit(0 if ended else 1)


def _configuration(path: Path | None) -> Configuration:
    try:
        return load_configuration(path)
    except OSError as error:
        raise click.UsageError(f"{path} ne peut être lu ({error.strerror}) : vérifier le chemin et les droits.") from error
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error


def _only_list(configuration: Configuration, name: str) -> str:
    lists = tuple(configuration.lists)
    if not name and len(lists) == 1:
        return lists[0]
    if name not in lists:
        raise click.UsageError(f"indiquer la liste (--list) parmi : {', '.join(lists)}.")
    return name


def _parts(lines: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(lines), LINES_AT_ONCE):
        yield lines[start : start + LINES_AT_ONCE]


def _enrolled(
    line: Line, name: str, lines: Sequence[FollowLine], reason: str, progress: Progress, what: str, *, dry_run: bool
) -> tuple[LineAnswer, ...]:
    task = progress.add_task(what, total=len(lines))
    answers: list[LineAnswer] = []
    for part in _parts(lines):
        arguments = {"list": name, "lines": part, "dry_run": dry_run}
        answers += line.ask("follow.enrol", arguments, answer=tuple[LineAnswer, ...], reason=reason)
        progress.advance(task, len(part))
    return tuple(answers)


def _members(line: Line, name: str, reason: str) -> list[str]:
    found: list[str] = []
    while page := line.ask(
        "follow.members", {"list": name, "after": found[-1] if found else ""}, answer=tuple[str, ...], reason=reason
    ):
        found += page
    return found


def _left(line: Line, name: str, references: Sequence[str], reason: str) -> int:
    return sum(
        line.ask("follow.leave", {"list": name, "references": part}, answer=int, reason=reason) for part in _parts(references)
    )


def _imported(
    name: str, dry_run: bool, answers: Sequence[LineAnswer], left: int, repeated: int, faults: tuple[FileFault, ...] = ()
) -> Imported:
    changed = sum(one.changed for one in answers)
    return Imported(
        list=name,
        dry_run=dry_run,
        lines=len(answers),
        repeated=repeated,
        changed=changed,
        unchanged=len(answers) - changed,
        statuses=dict(Counter(one.status for one in answers)),
        left=left,
        faults=faults,
    )
