"""``liaison journal verify``: is the journal, or a backup of it, whole, and do its keys open it?"""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from liaison.cli.ask import config_option, json_option, print_json
from liaison.cli.bar import progress_bar
from liaison.cli.configured import configured, existing_journal
from liaison.hub.engine import subject_keys_path
from liaison.hub.journal.backup import JOURNAL, SUBJECTS, described, read_manifest
from liaison.hub.journal.verify import Complaint, Progress, Verified
from liaison.hub.journal.verify import verify as verify_journal
from liaison.hub.vault.keys import load_keys
from liaison.hub.vault.sealing import Vault


@click.command(short_help="Vérifier le journal, ou une sauvegarde.")
@click.argument("folder", metavar="[DOSSIER]", required=False, type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--all", "everything", is_flag=True, help="Ouvrir tous les objets scellés, et non un échantillon.")
@click.option("--keys", "keys_file", type=click.Path(path_type=Path, dir_okay=False), help="Autre fichier de clés (coffre).")
@config_option
@json_option
@click.pass_context
def verify(
    context: click.Context, folder: Path | None, everything: bool, keys_file: Path | None, path: Path | None, as_json: bool
) -> None:
    """Vérifier une sauvegarde dans DOSSIER ou, sans lui, le journal en service : fichiers, empreintes, références entre
    tables, files sans trou, et ouverture d'objets scellés avec la clé.

    Code de sortie : 0 tout est entier, 1 quelque chose ne va pas, 2 usage.
    """
    with configured(path) as configuration, progress_bar(hidden=as_json) as progress:
        vault = Vault(load_keys(keys_file or configuration.keys_path))
        changed: tuple[Complaint, ...] = ()
        if folder is None:
            journal = existing_journal(configuration)
            store = subject_keys_path(journal)
        else:
            journal, store = folder / JOURNAL, folder / SUBJECTS
            changed = _compared(folder, progress)
        found = (
            Verified(complaints=changed, opened=0, erased=0)
            if changed
            else verify_journal(journal, store, vault, everything=everything, progress=progress)
        )
    if as_json:
        print_json(found)
    else:
        _print(found)
    context.exit(0 if found.whole else 1)


def _compared(folder: Path, progress: Progress) -> tuple[Complaint, ...]:
    """The files that are no longer what the manifest tells of."""
    manifest = read_manifest(folder)
    complaints: list[Complaint] = []
    for told in (manifest.journal, manifest.subjects):
        file = folder / told.name
        if not file.exists():
            complaints.append(Complaint(table=told.name, what="le fichier manque", count=1))
        elif described(file, lambda done, total: progress("empreintes", done, total)) != told:
            complaints.append(Complaint(table=told.name, what="le fichier n'est plus ce que dit le manifeste", count=1))
    return tuple(complaints)


def _print(found: Verified) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for one in found.complaints:
        examples = f" ({', '.join(one.examples)}{'…' if one.count > len(one.examples) else ''})" if one.examples else ""
        console.print(Text.assemble((" ✗ ", "red"), (f"{one.table} : ", "bold"), f"{one.what}, {one.count} fois{examples}"))
    erased = f", {found.erased} de personnes effacées" if found.erased else ""
    console.print(f"{found.opened} objets scellés ouverts{erased}.")
    verdict = "Tout est entier." if found.whole else "Quelque chose ne va pas : ne pas s'en servir sans comprendre."
    console.print(Text(verdict, "bold green" if found.whole else "bold red"))
