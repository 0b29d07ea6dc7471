"""``liaison journal restore``: a backup in the journal's place, everything stopped, and what to ask each hospital to send again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from liaison.cli.ask import config_option, json_option, print_json
from liaison.cli.bar import progress_bar
from liaison.cli.configured import configured
from liaison.hub.journal.records import from_microseconds
from liaison.service.logs import configure_logs
from liaison.service.restoring import Restored
from liaison.service.restoring import restore as restore_backup

#: Clocks differ, and a message may have been under way: what is sent twice has no second effect.
_MARGIN = timedelta(hours=1)


@click.command(short_help="Restaurer une sauvegarde, envois suspendus.")
@click.argument("folder", metavar="DOSSIER", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--replace", is_flag=True, help="Mettre de côté un journal qui n'est pas vide, et prendre sa place.")
@click.option(
    "--former-keys",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Fichier de clés du temps de la sauvegarde, si elles ont été renouvelées depuis.",
)
@config_option
@json_option
def restore(folder: Path, replace: bool, former_keys: Path | None, path: Path | None, as_json: bool) -> None:
    """Mettre la sauvegarde de DOSSIER à la place du journal. La plateforme doit être arrêtée.

    Tous les envois sont suspendus jusqu'à « liaison resume --all » ; ceux qui étaient ouverts deviennent incertains, car ils ont pu
    partir après la sauvegarde ; les patients effacés depuis le sont de nouveau. Dit pour chaque source ce qu'il faut redemander.

    Code de sortie : 0 le journal est restauré, 1 il ne l'est pas, 2 usage. Interrompue, la commande se relance telle quelle.
    """
    configure_logs()
    with configured(path) as configuration, progress_bar(hidden=as_json) as progress:
        restored = asyncio.run(
            restore_backup(
                configuration, folder, replace=replace, former_keys=former_keys, now=datetime.now(UTC), progress=progress
            )
        )
    if as_json:
        print_json(restored)
    else:
        _print(restored)


def _print(restored: Restored) -> None:
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    made = restored.manifest.made_at.astimezone()
    console.print(Text(f"Journal restauré dans son état du {made:%d/%m/%Y à %H:%M:%S}. Tous les envois sont suspendus.", "bold"))
    for moved in restored.aside:
        console.print(f"L'ancien fichier est mis de côté : {moved}")
    console.print(f"{restored.uncertain} envois ouverts sont incertains : ils ont pu partir après la sauvegarde.")
    if restored.erased_again:
        console.print(f"{restored.erased_again} dossiers effacés depuis la sauvegarde le sont de nouveau.")
    console.print(Text("À demander à chaque établissement :", "bold"))
    for name, known in restored.sources.items():
        if known is None:
            console.print(f"  {name} : aucun message connu, tout renvoyer depuis la mise en service.")
            continue
        last = from_microseconds(known.received_at).astimezone()
        console.print(
            f"  {name} : dernier message connu {last:%d/%m/%Y %H:%M:%S}, MSH-10 {known.control_id or 'absent'}. "
            f"Renvoyer tout depuis {last - _MARGIN:%d/%m/%Y %H:%M} ; ce qui est déjà là n'aura pas de second effet."
        )
    console.print("Puis : liaison run, vérifier (liaison journal verify --all, liaison trace), et liaison resume --all --reason …")
