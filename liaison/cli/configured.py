"""The configuration of a command that works on the journal's files, and the faults that end it."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import click

from liaison.hub.journal.backup import BackupError
from liaison.hub.journal.database import READ_FAULTS, JournalError
from liaison.hub.vault.keys import KeyFileError
from liaison.hub.vault.sealing import SealBroken
from liaison.service.configuration import Configuration, ConfigurationError
from liaison.service.hardening import harden
from liaison.service.loader import load_configuration
from liaison.service.secrets import SecretError


@contextmanager
def configured(path: Path | None) -> Generator[Configuration]:
    """The configuration. A wrong one ends the command with 2; what is refused, or a disk that fails, with 1 and a sentence."""
    try:
        configuration = load_configuration(path)
    except OSError as error:
        raise click.UsageError(f"{path} ne peut être lu ({error.strerror}) : vérifier le chemin et les droits.") from error
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    harden()
    try:
        yield configuration
    except (BackupError, JournalError, KeyFileError, SecretError) as error:
        _end(str(error))
    except SealBroken:
        _end("une clé de patient ne s'ouvre pas avec ce fichier de clés : rien n'est perdu, remettre en place le bon.")
    except READ_FAULTS as error:
        name = getattr(getattr(error, "orig", error), "sqlite_errorname", type(error).__name__)
        _end(f"un fichier du journal ne peut être lu ou écrit ({name}) : vérifier le disque et les droits.")
    except OSError as error:
        _end(f"{error.filename or 'un fichier'} : {error.strerror}. Vérifier le disque et les droits.")


def existing_journal(configuration: Configuration) -> Path:
    """The journal's file, which must be there."""
    path = configuration.journal_path
    if not path.exists():
        raise click.UsageError(f"il n'y a pas de journal en {path} : la plateforme n'a pas encore démarré.")
    return path


def _end(message: str) -> None:
    click.echo(message, err=True)
    sys.exit(1)
