"""What ``liaison check`` looks at beyond the file itself: keys, journal, directory, certificates, secrets, connections.

Nothing is delivered and nothing is written.
"""

from __future__ import annotations

import asyncio
import enum
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import msgspec

from liaison.adapters.folder_write import FolderDestinationSettings
from liaison.hub.journal.database import READ_FAULTS
from liaison.hub.journal.queries import JournalReader
from liaison.hub.journal.records import from_microseconds
from liaison.hub.vault.keys import KeyFileError, load_keys
from liaison.service.addresses import STALE_AFTER
from liaison.service.certificates import certificate_files
from liaison.service.configuration import Configuration, DestinationConfiguration, ReferenceFileError
from liaison.service.directory_file import LEAST_SHARE, DirectoryFiles, extraction_date, read_directory
from liaison.service.disk import DiskWatch
from liaison.service.kinds import build_destination
from liaison.service.secrets import SecretError
from liaison.service.units_file import load_units
from liaison.service.white_list_file import WhiteListFiles

#: Seconds for one probe.
PROBE_TIMEOUT = 15.0


class Status(enum.StrEnum):
    """How one thing stands."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at."""

    #: ``clés``, ``destination platform``…
    subject: str
    status: Status
    #: One French sentence: what was found and, when it is not right, what to do.
    text: str


async def run_checks(configuration: Configuration, now: datetime) -> tuple[Check, ...]:
    """Everything but the file itself, destinations probed at the same time. ``now`` is aware."""
    local = [*_standing(configuration), _keys(configuration), _journal(configuration)]
    local += [*_room(configuration), *_stopped(configuration)]
    local += await asyncio.to_thread(lambda: [*_reference_files(configuration, now), *_certificates(configuration, now)])
    parts = [part for part in configuration.destinations.values() if not _to_be_made(configuration, part)]
    return (*local, *await asyncio.gather(*(_probe(part, configuration.folder) for part in parts)))


def _standing(configuration: Configuration) -> Iterator[Check]:
    for warning in configuration.warnings:
        yield Check(subject="configuration", status=Status.WARNING, text=warning)
    if not configuration.sources:
        yield Check(subject="configuration", status=Status.WARNING, text="aucune source n'est déclarée : rien n'entrera.")
    if not configuration.routes:
        yield Check(subject="configuration", status=Status.WARNING, text="aucune route n'est déclarée : rien ne sortira.")


def _keys(configuration: Configuration) -> Check:
    try:
        path = configuration.keys_path
        if not path.exists():
            if configuration.journal_path.exists():
                text = f"{path} n'existe pas, et le journal existe déjà : restaurer le fichier de clés, sans lui le journal reste fermé."
                return Check(subject="clés", status=Status.FAULT, text=text)
            return Check(subject="clés", status=Status.OK, text=f"{path} sera créé au premier démarrage.")
        load_keys(path)
    except (SecretError, KeyFileError) as error:
        return Check(subject="clés", status=Status.FAULT, text=str(error))
    return Check(subject="clés", status=Status.OK, text=f"{path} est lisible, et de son propriétaire seul.")


def _journal(configuration: Configuration) -> Check:
    path = configuration.journal_path
    if path.exists():
        writable = os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK)
        text = (
            f"{path} est là." if writable else f"{path} ne peut être écrit : vérifier le propriétaire du fichier et de son dossier."
        )
        return Check(subject="journal", status=Status.OK if writable else Status.FAULT, text=text)
    folder = next(parent for parent in path.parents if parent.exists())
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return Check(subject="journal", status=Status.OK, text=f"{path} sera créé au premier démarrage.")
    return Check(subject="journal", status=Status.FAULT, text=f"{path} ne peut être créé : vérifier les droits de {folder}.")


def _room(configuration: Configuration) -> Iterator[Check]:
    folder = next(parent for parent in configuration.journal_path.parents if parent.exists())
    keep = configuration.hub.keep_free
    free = DiskWatch(folder, keep).free
    if free < keep:
        text = (
            f"{folder} : il reste {free // 1_000_000} Mo, moins que keep_free : plus aucun message n'est pris. Libérer de la place."
        )
        yield Check(subject="disque", status=Status.FAULT, text=text)
    elif free < 3 * keep:
        text = f"{folder} : il reste {free // 1_000_000} Mo ; l'entrée s'arrête à {keep // 1_000_000} Mo (keep_free)."
        yield Check(subject="disque", status=Status.WARNING, text=text)


def _stopped(configuration: Configuration) -> Iterator[Check]:
    if not configuration.journal_path.exists():
        return
    try:
        with closing(JournalReader(configuration.journal_path)) as reader:
            stopped = reader.switches()
    except READ_FAULTS:
        # Another version's journal, or none yet: what is wrong with it is said elsewhere.
        return
    for name, since in stopped.items():
        kind, _, part = name.partition("/")
        what = {"letters": "toutes les lettres", "deliveries": "tous les envois"}.get(kind) or f"{kind} {part}"
        text = (
            f"{what} : à l'arrêt depuis le {from_microseconds(since):%d/%m/%Y %H:%M} UTC (liaison letters start, liaison resume)."
        )
        yield Check(subject="arrêts", status=Status.WARNING, text=text)


def _reference_files(configuration: Configuration, now: datetime) -> Iterator[Check]:
    yield from _directory(configuration, now)
    yield from _white_list(configuration, now)
    yield from _units(configuration)


def _directory(configuration: Configuration, now: datetime) -> Iterator[Check]:
    path = configuration.directory_path
    if path is None:
        if any(recipient != "named" for route in configuration.routes for recipient in route.recipients):
            text = "aucun annuaire ([letters] directory) : les lettres au médecin traitant, à l'adresseur ou à une structure seront retenues."
            yield Check(subject="annuaire", status=Status.WARNING, text=text)
        return
    files = DirectoryFiles(configuration.journal_path.parent)
    try:
        directory = (files.open() if files.is_current(path) else None) or read_directory(path)
        made_at = extraction_date(path)
    except ReferenceFileError as error:
        yield Check(subject="annuaire", status=Status.FAULT, text=f"{error}.")
        return
    text = f"{path} : {len(directory)} boîtes, du {made_at:%d/%m/%Y}"
    if directory.skipped:
        text += f", {directory.skipped} lignes écartées"
    in_use = files.in_use()
    if in_use is not None and len(directory) < in_use.rows * LEAST_SHARE:
        text += f". Celui en service en a {in_use.rows} : ce fichier ne sera pas pris (liaison directory load)."
        yield Check(subject="annuaire", status=Status.FAULT, text=text)
    elif (now - made_at).days >= STALE_AFTER:
        yield Check(
            subject="annuaire", status=Status.WARNING, text=f"{text}. Il est périmé : le télécharger de nouveau, chaque jour."
        )
    else:
        yield Check(subject="annuaire", status=Status.WARNING if directory.skipped else Status.OK, text=f"{text}.")


def _white_list(configuration: Configuration, now: datetime) -> Iterator[Check]:
    path = configuration.white_list_path
    if path is None:
        if any(route.documents for route in configuration.routes) and configuration.known_domains is None:
            text = "aucune liste blanche ([letters] white_list) ni domaine permis : tous les domaines sont acceptés."
            yield Check(subject="liste blanche", status=Status.WARNING, text=text)
        return
    try:
        found = WhiteListFiles(configuration.journal_path.parent).take(path, keep=False)
    except ReferenceFileError as error:
        yield Check(subject="liste blanche", status=Status.FAULT, text=f"{error}.")
        return
    text = f"{path} : {len(found.domains)} domaines, du {found.generated_at:%d/%m/%Y}"
    if (now - found.generated_at).days >= STALE_AFTER:
        yield Check(subject="liste blanche", status=Status.WARNING, text=f"{text}. Elle est périmée : la télécharger de nouveau.")
    else:
        yield Check(subject="liste blanche", status=Status.OK, text=f"{text}.")


def _units(configuration: Configuration) -> Iterator[Check]:
    for name in configuration.sources:
        path = configuration.units_path(name)
        if path is None:
            continue
        try:
            units = load_units(path)
        except ReferenceFileError as error:
            yield Check(subject=f"unités, source {name}", status=Status.FAULT, text=str(error))
            continue
        sensitive = sum(unit.sensitive for unit in units.values())
        text = f"{path} : {len(units)} unités, dont {sensitive} sensibles."
        yield Check(subject=f"unités, source {name}", status=Status.OK, text=text)


def _certificates(configuration: Configuration, now: datetime) -> Iterator[Check]:
    for each in certificate_files(configuration):
        if each.begins is None or each.ends is None:
            yield Check(subject=each.subject, status=Status.FAULT, text=each.fault)
        elif now < each.begins or now >= each.ends:
            yield Check(
                subject=each.subject, status=Status.FAULT, text=f"{each.path} n'est pas valide aujourd'hui : le renouveler."
            )
        else:
            text = f"{each.path} est valide jusqu'au {each.ends:%d/%m/%Y}."
            if each.notice(now) is not None:
                text = f"{text[:-1]}, dans {each.days_left(now)} jours : le renouveler."
            yield Check(subject=each.subject, status=Status.OK if each.notice(now) is None else Status.WARNING, text=text)


def _to_be_made(configuration: Configuration, destination: DestinationConfiguration) -> bool:
    """Whether it is a folder of the built-in configuration, which starting makes."""
    settings = destination.settings
    return configuration.path is None and isinstance(settings, FolderDestinationSettings) and not Path(settings.path).exists()


async def _probe(destination: DestinationConfiguration, folder: Path) -> Check:
    subject = f"destination {destination.name}"
    try:
        built = build_destination(destination, folder)
    except (SecretError, ValueError, OSError) as error:
        return Check(subject=subject, status=Status.FAULT, text=str(error))
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            await built.probe()
    except TimeoutError:
        return Check(subject=subject, status=Status.FAULT, text=f"aucune réponse en {PROBE_TIMEOUT:g} s : vérifier le réseau.")
    except OSError as error:
        return Check(subject=subject, status=Status.FAULT, text=str(error))
    finally:
        await built.close()
    return Check(subject=subject, status=Status.OK, text="la connexion est établie.")
