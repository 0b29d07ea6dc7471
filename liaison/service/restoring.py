"""Restoring a backup as the configured journal: keys, erasures since, what may have left, and what to ask the hospitals again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from liaison.hub.engine import Journal, alone, subject_keys_path
from liaison.hub.journal.backup import JOURNAL, SUBJECTS, BackupError, Manifest, Progress, read_manifest
from liaison.hub.journal.records import number_id
from liaison.hub.journal.restore import (
    LastKnown,
    discard_logs,
    erased_in,
    fetch,
    has_content,
    last_known,
    mark_restored,
    put_in_place,
    restoring_path,
)
from liaison.hub.vault.keys import KeyFileError, MasterKeys, load_keys, master_keys
from liaison.hub.vault.ledger import Ledger
from liaison.hub.vault.rotation import rewrap
from liaison.hub.vault.sealing import Vault
from liaison.service.configuration import Configuration


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What a restoration did, and what a person does next."""

    manifest: Manifest
    #: Deliveries that may have left after the backup.
    uncertain: int
    #: Patients erased since the backup, erased again.
    erased_again: int
    #: What each source is known to have sent last; ``None`` for a configured source without any message.
    sources: dict[str, LastKnown | None]
    #: Where the files that stood in the way are now.
    aside: tuple[str, ...]


async def restore(
    configuration: Configuration, folder: Path, *, replace: bool, former_keys: Path | None, now: datetime, progress: Progress
) -> Restored:
    """Put the backup in ``folder`` in the configured journal's place, with every delivery stopped.

    ``replace`` allows it over a journal that holds something: that one is moved aside. ``former_keys`` is the key file of the time of
    the backup, where the keys were rotated since.

    Raises:
        BackupError: the backup cannot be used, or the journal is in the way.
        KeyFileError: the keys are not the backup's.
        JournalError: a hub has the journal open.
    """
    path = configuration.journal_path
    store, prepared = subject_keys_path(path), restoring_path(path)
    prepared_store = subject_keys_path(prepared)
    manifest = read_manifest(folder)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with alone(path):
        if has_content(path) and not replace:
            raise BackupError(f"{path} n'est pas vide : --replace le mettra de côté, sans l'effacer.")
        keys = load_keys(configuration.keys_path)
        former = _former_keys(manifest, keys, former_keys)
        discard_logs(prepared, prepared_store)
        fetch(folder / JOURNAL, manifest.journal, prepared, lambda done, total: progress("journal", done, total))
        fetch(folder / SUBJECTS, manifest.subjects, prepared_store, lambda done, total: progress("clés des patients", done, total))
        if former is not None:
            both = master_keys(keys.derivation, keys.wrapping, former.wrapping)
            rewrap(prepared_store, both, lambda done, total: progress("renouvellement des clés", done, total))
        ledger = Ledger(configuration.ledger_path)
        # The store that stands in the way may know of erasures that the ledger file lost.
        erased = {**erased_in(store), **ledger.read()}
        again = await _erase_again(
            lambda: Journal(prepared, Vault(keys), lambda: now, territory=configuration.hub.territory), erased, prepared, progress
        )
        uncertain = mark_restored(prepared, now)
        sources: dict[str, LastKnown | None] = dict.fromkeys(configuration.sources)
        sources |= {known.source: known for known in last_known(prepared)}
        known_there = ledger.read()
        ledger.append({subject: at for subject, at in erased.items() if subject not in known_there})
        aside = put_in_place(path, store, prepared, prepared_store, now)
        prepared.with_name(prepared.name + "-lock").unlink(missing_ok=True)
    return Restored(
        manifest=manifest, uncertain=uncertain, erased_again=again, sources=sources, aside=tuple(str(moved) for moved in aside)
    )


def _former_keys(manifest: Manifest, keys: MasterKeys, path: Path | None) -> MasterKeys | None:
    """The key file of the backup's time where it is another than today's; None where today's opens it."""
    if manifest.key_check != keys.check_value.hex():
        raise KeyFileError("le fichier de clés n'est pas celui de cette sauvegarde : mettre en place celui du coffre.")
    if manifest.wrapping_check in [check.hex() for check in keys.opens]:
        return None
    if path is None:
        raise KeyFileError("les clés ont été renouvelées depuis cette sauvegarde : indiquer l'ancien fichier (--former-keys).")
    former = load_keys(path)
    if manifest.wrapping_check != former.wrapping_check.hex() or former.check_value != keys.check_value:
        raise KeyFileError(f"{path} n'ouvre pas cette sauvegarde : c'est la copie d'un autre renouvellement.")
    return former


async def _erase_again(opened: Callable[[], Journal], erased: dict[str, str], prepared: Path, progress: Progress) -> int:
    """Erase those whom the backup still knows: with all that led to them, while their numbers can still be read."""
    known = erased_in(subject_keys_path(prepared))
    again = [subject for subject in erased if subject not in known and ":" not in subject]
    journal = opened()
    count = 0
    try:
        journal.writer.start()
        for done, subject in enumerate(again, 1):
            with contextlib.suppress(ValueError):
                if (told := await journal.eraser.erase(number_id(subject))) is not None:
                    count += len(told.patients)
            progress("effacements depuis la sauvegarde", done, len(again))
    finally:
        await journal.close()
    return count
