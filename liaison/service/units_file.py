"""The hospitals' referentials of units, and the codes that were seen and are in none."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from liaison.care.facts import DocumentFact, Fact, MovementFact
from liaison.care.units import Unit, UnitsError, read_units
from liaison.service.configuration import Configuration, ReferenceFileError

_SEEN: Final = "units-seen.json"
#: Codes kept of one source: a feed that writes rubbish must not grow the file.
_MOST: Final = 5_000


class UnitsFileError(ReferenceFileError):
    """A referential cannot be used. The text is French and says which file, which line, and what to do."""


def load_units(path: Path) -> Mapping[str, Unit]:
    """The units of a CSV in UTF-8, or in Windows-1252 as spreadsheets save it. Raises :class:`UnitsFileError`."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnitsFileError(f"le référentiel des UF {path} ne peut être lu ({error.strerror}) : vérifier le chemin.") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
    try:
        return read_units(text.splitlines())
    except UnitsError as error:
        raise UnitsFileError(f"le référentiel des UF {path} ne peut être employé, {error} : corriger cette ligne.") from error


def units_by_source(configuration: Configuration) -> Mapping[str, Mapping[str, Unit]]:
    """The referential of each source that has one. Raises :class:`UnitsFileError`."""
    paths = {name: configuration.units_path(name) for name in configuration.sources}
    return {name: load_units(path) for name, path in paths.items() if path is not None}


class SeenUnit(msgspec.Struct, kw_only=True):
    """A code that no referential has."""

    #: Messages that named it.
    count: int = 0
    first: str = ""
    last: str = ""


class UnmappedUnits:
    """Codes of units seen in messages and in no referential: a small set in memory, written now and then beside the journal.

    What a crash loses, the next messages bring again.
    """

    def __init__(self, folder: Path, units: Mapping[str, Mapping[str, Unit]]) -> None:
        self._path = folder / _SEEN
        self._units = units
        self._seen = seen_units(folder)
        self._changed = False

    def note(self, source: str, facts: Iterable[Fact], clock: Callable[[], datetime]) -> None:
        """Remember the units that a message names; in a feed whose units are all known this is one look-up a message."""
        known: Mapping[str, Unit] = self._units.get(source, {})
        for fact in facts:
            if isinstance(fact, MovementFact):
                code = fact.place.uf_medical
            elif isinstance(fact, DocumentFact):
                code = fact.unit
            else:
                continue
            if code and code not in known:
                self._remember(source, code[:40], clock().date().isoformat())

    def save(self) -> None:
        """Write what was seen since, whole or not at all. Raises OSError."""
        if not self._changed:
            return
        part = self._path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(msgspec.json.encode(self._seen))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)
        self._changed = False

    def _remember(self, source: str, code: str, today: str) -> None:
        codes = self._seen.setdefault(source, {})
        if code not in codes and len(codes) >= _MOST:
            return
        seen = codes.setdefault(code, SeenUnit(first=today))
        seen.count += 1
        seen.last = today
        self._changed = True


def seen_units(folder: Path) -> dict[str, dict[str, SeenUnit]]:
    """What was written last: source → code → how often it was seen. Empty when there is nothing, or nothing readable."""
    try:
        return msgspec.json.decode((folder / _SEEN).read_bytes(), type=dict[str, dict[str, SeenUnit]])
    except (OSError, msgspec.DecodeError):
        return {}
