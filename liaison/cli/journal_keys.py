"""Opening a configured journal's keys beside a running hub, for commands that read what is sealed."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from liaison.hub.engine import subject_keys_path
from liaison.hub.journal.database import READ_FAULTS
from liaison.hub.vault.keys import KeyFileError, load_keys
from liaison.hub.vault.sealing import SealBroken, Vault
from liaison.hub.vault.subjects import SubjectKeys
from liaison.service.configuration import Configuration, ConfigurationError
from liaison.service.loader import load_configuration
from liaison.service.secrets import SecretError


@contextmanager
def journal_keys(path: Path | None) -> Generator[tuple[Configuration, SubjectKeys]]:
    """A configuration whose journal exists, and the journal's subject keys, read only. Every fault ends with code 2."""
    try:
        configuration = load_configuration(path)
        journal = configuration.journal_path
        if not journal.exists():
            raise click.UsageError(f"il n'y a pas de journal en {journal} : la plateforme n'a pas encore démarré.")
        vault = Vault(load_keys(configuration.keys_path))
        with closing(SubjectKeys(subject_keys_path(journal), vault, readonly=True)) as keys:
            yield configuration, keys
    except OSError as error:
        raise click.UsageError(
            f"{error.filename} ne peut être lu ({error.strerror}) : vérifier le chemin et les droits."
        ) from error
    except (ConfigurationError, KeyFileError, SecretError) as error:
        raise click.UsageError(str(error)) from error
    except SealBroken as error:
        raise click.UsageError("ces clés ne sont pas celles du journal : indiquer la bonne configuration.") from error
    except READ_FAULTS as error:
        raise click.UsageError("le journal ne peut être lu : vérifier le disque, et que la plateforme l'a bien créé.") from error
