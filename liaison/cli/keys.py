"""``liaison keys``: a copy of the key file for the safe, whether one is this journal's, and a new wrapping key."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from liaison.cli.ask import config_option, json_option, print_json
from liaison.cli.bar import progress_bar
from liaison.cli.configured import configured, existing_journal
from liaison.hub.engine import alone, subject_keys_path
from liaison.hub.journal.verify import opens
from liaison.hub.vault import paper
from liaison.hub.vault.keys import KeyFileError, export_keys, load_keys
from liaison.hub.vault.rotation import rotate as rotate_keys
from liaison.service.configuration import Configuration


class KeysAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--json`` prints. The check value tells two copies apart and opens nothing."""

    check: str
    file: str
    #: Whether it opens the journal; None when that was not asked.
    opens_journal: bool | None = None
    #: Subject keys that were wrapped again.
    rewrapped: int | None = None


@click.group(short_help="Copier, vérifier et renouveler la clé de chiffrement.")
def keys() -> None:
    """Copier, vérifier et renouveler la clé de chiffrement. Sans elle, le journal et ses sauvegardes sont fermés pour toujours."""


@keys.command(short_help="Copier la clé pour le coffre.")
@click.argument("file", metavar="[FICHIER]", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--paper", "on_paper", is_flag=True, help="L'afficher comme une page à imprimer.")
@config_option
@json_option
def export(file: Path | None, on_paper: bool, path: Path | None, as_json: bool) -> None:
    """Copier la clé dans un FICHIER neuf (sur un support qui va au coffre), ou l'afficher comme une page à imprimer (--paper).

    La page recopiée dans un fichier est de nouveau un fichier de clés. La valeur de contrôle se compare avec « liaison keys verify ».

    Code de sortie : 0 c'est fait, 1 impossible, 2 usage.
    """
    if (file is None) != on_paper:
        raise click.UsageError("indiquer un fichier, ou --paper.")
    with configured(path) as configuration:
        held = load_keys(configuration.keys_path)
        if held.retiring is not None:
            raise KeyFileError("un renouvellement des clés est en cours : le terminer d'abord (liaison keys rotate).")
        if file is None:
            click.echo(paper.write(held.derivation + held.wrapping, held.spoken_check), nl=False)
            return
        try:
            export_keys(file, held)
        except FileExistsError as error:
            raise KeyFileError(f"{file} existe déjà : une copie n'en recouvre jamais une autre.") from error
    _say(KeysAnswer(check=held.spoken_check, file=str(file)), "La clé est copiée dans {file}.", as_json)


@keys.command(short_help="Dire si un fichier de clés est celui du journal.")
@click.argument("file", metavar="[FICHIER]", required=False, type=click.Path(path_type=Path, dir_okay=False))
@config_option
@json_option
@click.pass_context
def verify(context: click.Context, file: Path | None, path: Path | None, as_json: bool) -> None:
    """Dire si FICHIER (sans lui, celui de la configuration) ouvre le journal, et sa valeur de contrôle.

    Code de sortie : 0 oui, 1 non ou illisible, 2 usage.
    """
    with configured(path) as configuration:
        journal = existing_journal(configuration)
        file = file or configuration.keys_path
        held = load_keys(file)
        fits = opens(held, journal, subject_keys_path(journal))
    answer = KeysAnswer(check=held.spoken_check, file=str(file), opens_journal=fits)
    words = (
        "{file} ouvre ce journal." if fits else "{file} n'est PAS la clé de ce journal, ou date d'avant le dernier renouvellement."
    )
    _say(answer, words, as_json)
    context.exit(0 if fits else 1)


@keys.command(short_help="Renouveler la clé, plateforme arrêtée.")
@click.option("--file", "file", type=click.Path(path_type=Path, dir_okay=False), help="Le fichier que systemd donne (credential:).")
@config_option
@json_option
def rotate(file: Path | None, path: Path | None, as_json: bool) -> None:
    """Remplacer la clé qui enveloppe celles des patients. Interrompue, la commande se relance et continue.

    Les sauvegardes d'avant s'ouvrent avec l'ancienne clé : la garder au coffre aussi longtemps qu'elles. Les index aveugles et les
    empreintes ne changent pas : ils dépendent d'un secret qui reste dans le fichier.

    Code de sortie : 0 c'est fait, 1 impossible, 2 usage.
    """
    with configured(path) as configuration, progress_bar(hidden=as_json) as progress:
        journal = existing_journal(configuration)
        target = file or _writable(configuration)
        with alone(journal):
            if not opens(load_keys(target), journal, subject_keys_path(journal)):
                raise KeyFileError(f"{target} n'est pas la clé de ce journal : rien n'est changé.")
            count = rotate_keys(target, subject_keys_path(journal), lambda done, total: progress("clés des patients", done, total))
        check = load_keys(target).spoken_check
    words = f"La clé est renouvelée : {count} clés de patients réenveloppées. Mettre la nouvelle au coffre : liaison keys export."
    _say(KeysAnswer(check=check, file=str(target), rewrapped=count), words, as_json)


def _writable(configuration: Configuration) -> Path:
    if configuration.hub.keys.startswith("credential:"):
        raise click.UsageError("la clé vient de systemd : indiquer le fichier qu'il donne (--file), puis redémarrer la plateforme.")
    return configuration.keys_path


def _say(answer: KeysAnswer, words: str, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        click.echo(words.format(file=answer.file))
        click.echo(f"Valeur de contrôle : {answer.check}")
