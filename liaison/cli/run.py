"""``liaison run``: start the hub and serve until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

import click
import uvloop

from liaison.cli.reading_bar import reading_bar
from liaison.hub.journal.database import JournalError
from liaison.hub.journal.restore import restored_at
from liaison.hub.switches import DELIVERIES
from liaison.hub.vault.keys import KeyFileError
from liaison.service.configuration import Configuration, ConfigurationError, ReferenceFileError
from liaison.service.hardening import harden
from liaison.service.loader import load_configuration, make_default_folders
from liaison.service.logs import configure_logs
from liaison.service.monitor import Monitor
from liaison.service.running import RunningHub, StartError
from liaison.service.secrets import SecretError
from liaison.service.watching import Watch


@click.command(short_help="Démarrer la plateforme.")
@click.option("--config", "path", type=click.Path(path_type=Path, dir_okay=False), help="Fichier de configuration.")
def run(path: Path | None) -> None:
    """Démarrer la plateforme et servir jusqu'à SIGTERM ou Ctrl-C. Sans fichier : un essai complet sur cette machine."""
    try:
        configuration = load_configuration(path)
    except OSError as error:
        raise click.UsageError(f"{path} ne peut être lu ({error.strerror}).") from error
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    harden()
    make_default_folders(configuration)
    configure_logs()
    for warning in configuration.warnings:
        click.echo(f"attention : {warning}", err=True)
    try:
        uvloop.run(_serve(configuration))
    except (StartError, KeyFileError, JournalError, ReferenceFileError, SecretError, ValueError) as error:
        click.echo(f"la plateforme ne démarre pas : {error}", err=True)
        sys.exit(1)


async def _serve(configuration: Configuration) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with reading_bar("Lecture de l'annuaire") as progress:
        made = RunningHub(configuration, progress=progress)
    async with made as hub, Watch(hub) as watch, Monitor(hub, watch):
        where = ", ".join(
            f"{name} sur {listen}"
            for name, source in configuration.sources.items()
            if (listen := getattr(source.settings, "listen", None) or getattr(source.settings, "path", None))
        )
        click.echo(f"liaison écoute : {where}")
        if hub.switches.stopped(DELIVERIES):
            restored = restored_at(configuration.journal_path)
            why = f" (journal restauré le {restored[:16].replace('T', ' à ')} UTC)" if restored else ""
            click.echo(f"attention : tous les envois sont suspendus{why} ; « liaison resume --all » les reprend.", err=True)
        sys.stdout.flush()
        stopping, failing = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(hub.failed())
        await asyncio.wait([stopping, failing], return_when=asyncio.FIRST_COMPLETED)
        if failing.done():
            stopping.cancel()
            raise StartError(f"une source s'est arrêtée d'elle-même : {type(failing.result()).__name__}")
        failing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await failing
