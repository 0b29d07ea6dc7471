"""Reading ``liaison.toml``: every fault at once, each with its line, in French, and never a value of the file."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from liaison.adapters.folder_write import FolderDestinationSettings
from liaison.hub.holding import HoldHours
from liaison.hub.retention import Retention
from liaison.rules.routing import Route
from liaison.service import going_live
from liaison.service.configuration import (
    AlertsSettings,
    ApiSettings,
    Configuration,
    ConfigurationError,
    DestinationConfiguration,
    DestinationSettings,
    Fault,
    FollowListSettings,
    FollowSettings,
    HubSettings,
    LettersSettings,
    MonitorSettings,
    SourceConfiguration,
    SourceSettings,
    table_name,
)
from liaison.service.consistency import check_consistency
from liaison.service.kinds import DESTINATION_KINDS, PATH_KEYS, SECRET_KEYS, SOURCE_KINDS, DestinationKind, SourceKind, told
from liaison.service.secrets import is_reference
from liaison.service.speakers import standing_warnings
from liaison.service.toml_lines import KeyPath, key_lines, line_of

#: The file that is looked for where none is named.
FILE_NAME = "liaison.toml"
_MAX_FILE = 1_000_000
_TABLES = ("hub", "sources", "destinations", "routes", "letters", "follow", "holds", "api", "retention", "monitor", "alerts")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")

S = TypeVar("S", bound=msgspec.Struct)
_Table = Mapping[str, Any]


def load_configuration(path: Path | None = None) -> Configuration:
    """The configuration of a file; without one, of ``liaison.toml`` in the current folder, else the one built in.

    Raises :class:`ConfigurationError` with every fault found, and OSError when a named file cannot be read.
    """
    if path is None and Path(FILE_NAME).is_file():
        path = Path(FILE_NAME)
    if path is None:
        text = resources.files("liaison.service").joinpath("default.toml").read_text("utf-8")
        return read_configuration(text, path=None, folder=Path.cwd())
    with path.open("rb") as file:
        raw = file.read(_MAX_FILE + 1)
    if len(raw) > _MAX_FILE:
        raise ConfigurationError(str(path), (_fault(1, "le fichier dépasse 1 Mo.", "Vérifier que c'est bien une configuration."),))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            str(path), (_fault(line, "ce n'est pas du texte UTF-8.", "Enregistrer le fichier en UTF-8."),)
        ) from None
    return read_configuration(text, path=path, folder=path.resolve().parent)


def read_configuration(text: str, *, path: Path | None, folder: Path) -> Configuration:
    """The configuration that a TOML text declares. Raises :class:`ConfigurationError`."""
    name = str(path) if path else "configuration par défaut"
    text = text.replace("\r\n", "\n")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        number = int(line[1]) if line else text.count("\n") + 1
        fault = _fault(number, "le texte n'est pas du TOML valide.", "Vérifier les guillemets, les crochets et les clés en double.")
        raise ConfigurationError(name, (fault,)) from None
    reader = _Reader(key_lines(text), folder)
    configuration = reader.read(tables, path)
    if configuration is not None:
        reader.faults += check_consistency(configuration, reader.line)
    if configuration is None or reader.faults:
        raise ConfigurationError(name, tuple(sorted(reader.faults, key=lambda fault: fault.line)))
    kinds = {key: DESTINATION_KINDS[destination.common.kind] for key, destination in configuration.destinations.items()}
    routes = tuple(told(route, kinds[route.to]) for route in configuration.routes)
    warnings = (*configuration.warnings, *standing_warnings(configuration), *going_live.warnings(configuration))
    return msgspec.structs.replace(configuration, routes=routes, warnings=warnings)


def make_default_folders(configuration: Configuration) -> None:
    """Make the folders that the built-in configuration writes to. A configuration of somebody's own names folders that exist."""
    if configuration.path is None:
        for destination in configuration.destinations.values():
            if isinstance(destination.settings, FolderDestinationSettings):
                Path(destination.settings.path).mkdir(parents=True, exist_ok=True)


class _Reader:
    """Turns tables into structs, and keeps every fault on the way."""

    def __init__(self, lines: Mapping[KeyPath, int], folder: Path) -> None:
        self._lines = lines
        self._folder = folder
        self.faults: list[Fault] = []

    def line(self, path: KeyPath) -> int:
        return line_of(self._lines, path)

    def read(self, tables: _Table, path: Path | None) -> Configuration | None:
        """The configuration, or None when a table could not be understood."""
        for key in tables:
            if key not in _TABLES:
                self._refuse((key,), *_unknown(key, _TABLES))
        hub = self._convert(HubSettings, ("hub",), self._table(tables.get("hub", {}), ("hub",)))
        retention = self._convert(Retention, ("retention",), self._table(tables.get("retention", {}), ("retention",)))
        letters = self._convert(LettersSettings, ("letters",), self._table(tables.get("letters", {}), ("letters",)))
        holds = self._convert(HoldHours, ("holds",), self._table(tables.get("holds", {}), ("holds",)))
        monitor = self._located_table(MonitorSettings, "monitor", tables)
        alerts = self._located_table(AlertsSettings, "alerts", tables)
        sources = [self._source(name, table) for name, table in self._table(tables.get("sources", {}), ("sources",)).items()]
        destinations = [
            self._destination(name, table) for name, table in self._table(tables.get("destinations", {}), ("destinations",)).items()
        ]
        routes = self._routes(tables.get("routes", []))
        follow, follow_lists = self._follow(tables.get("follow", {}))
        api = self._convert(ApiSettings, ("api",), self._located(self._table(tables.get("api", {}), ("api",)), ("api",)))
        if self.faults or hub is None or letters is None or follow is None or holds is None or api is None or retention is None:
            return None
        if monitor is None or alerts is None:
            return None
        known_sources = {source.name: source for source in sources if source}
        known_destinations = {destination.name: destination for destination in destinations if destination}
        return Configuration(
            path=path,
            folder=self._folder,
            hub=hub,
            sources=known_sources,
            destinations=known_destinations,
            routes=routes,
            letters=letters,
            follow=follow,
            follow_lists=follow_lists,
            holds=holds,
            api=api,
            retention=retention,
            monitor=monitor,
            alerts=alerts,
            warnings=(*_warnings(known_sources.values()), *_warnings(known_destinations.values())),
        )

    def _follow(self, raw: object) -> tuple[FollowSettings | None, dict[str, FollowListSettings]]:
        table = self._table(raw, ("follow",))
        lists: dict[str, FollowListSettings] = {}
        for name, one in self._table(table.get("lists", {}), ("follow", "lists")).items():
            self._check_name(("follow", "lists", name), name)
            found = self._convert(FollowListSettings, ("follow", "lists", name), self._table(one, ("follow", "lists", name)))
            if found is not None:
                lists[name] = found
        return self._convert(FollowSettings, ("follow",), {key: value for key, value in table.items() if key != "lists"}), lists

    def _check_name(self, path: KeyPath, name: str) -> None:
        if not _NAME.fullmatch(name):
            self._refuse(
                path, "le nom n'est pas permis.", "Lettres minuscules sans accent, chiffres et tirets, 64 caractères au plus."
            )

    def _located_table(self, kind: type[S], name: str, tables: _Table) -> S | None:
        """A table of its own that may name files and secrets."""
        return self._convert(kind, (name,), self._located(self._table(tables.get(name, {}), (name,)), (name,)))

    def _source(self, name: str, table: object) -> SourceConfiguration | None:
        found = self._two(name, table, "sources", SourceSettings, SOURCE_KINDS)
        return SourceConfiguration(name=name, common=found[0], settings=found[1]) if found else None

    def _destination(self, name: str, table: object) -> DestinationConfiguration | None:
        found = self._two(name, table, "destinations", DestinationSettings, DESTINATION_KINDS)
        return DestinationConfiguration(name=name, common=found[0], settings=found[1]) if found else None

    def _two(
        self, name: str, raw: object, family: str, common: type[S], kinds: Mapping[str, SourceKind] | Mapping[str, DestinationKind]
    ) -> tuple[S, msgspec.Struct] | None:
        """A source's or destination's table as what all of them say and what its kind says."""
        path = (family, name)
        self._check_name(path, name)
        table = self._table(raw, path)
        kind = kinds.get(str(table.get("kind", "")))
        if kind is None:
            if "kind" in table:
                self._refuse((*path, "kind"), "ce genre n'existe pas.", f"Écrire l'un de : {', '.join(kinds)}.")
            else:
                self._refuse(path, "la clé « kind » manque.", f"Ajouter kind = … parmi : {', '.join(kinds)}.", key="kind")
            return None
        shared, own = common.__struct_fields__, kind.settings.__struct_fields__
        for key in table:
            if key not in shared and key not in own:
                self._refuse((*path, key), *_unknown(key, (*shared, *own)))
        first = self._convert(common, path, {key: value for key, value in table.items() if key in shared})
        second = self._convert(kind.settings, path, self._located({key: value for key, value in table.items() if key in own}, path))
        return (first, second) if first is not None and second is not None else None

    def _located(self, table: dict[str, Any], path: KeyPath) -> dict[str, Any]:
        """The table with its relative paths made absolute, beside the configuration; a secret in the clear is refused."""
        for key, value in table.items():
            if not isinstance(value, str) or not value:
                continue
            if key in PATH_KEYS:
                table[key] = str(self._folder / value)
            elif key in SECRET_KEYS and not is_reference(value):
                self._refuse(
                    (*path, key),
                    "un secret ne s'écrit pas en clair dans la configuration.",
                    "Écrire une référence : file:CHEMIN, env:VARIABLE ou credential:NOM.",
                )
        return table

    def _routes(self, raw: object) -> tuple[Route, ...]:
        if not isinstance(raw, list):
            self._refuse(("routes",), "une liste de tables est attendue.", "Écrire [[routes]], avec deux crochets.")
            return ()
        routes: list[Route] = []
        for number, item in enumerate(raw):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            path = ("routes", str(number))
            table = self._table(item, path)  # pyright: ignore[reportUnknownArgumentType]
            route = self._convert(Route, path, table)
            if route is not None:
                routes.append(route)
        return tuple(routes)

    def _table(self, raw: object, path: KeyPath) -> dict[str, Any]:
        if isinstance(raw, dict):
            return raw  # pyright: ignore[reportUnknownVariableType]
        self._refuse(path, "une table est attendue.", f"Écrire [{'.'.join(path)}] puis ses clés.")
        return {}

    def _convert(self, kind: type[S], path: KeyPath, table: _Table) -> S | None:
        """The struct that a table makes, or None after telling every fault of its keys."""
        before = len(self.faults)
        hints = get_type_hints(kind)
        for key, value in table.items():
            if key not in kind.__struct_fields__:
                self._refuse((*path, key), *_unknown(key, kind.__struct_fields__))
                continue
            try:
                msgspec.convert(value, hints[key])
            except msgspec.ValidationError as error:
                self._refuse((*path, key), *_wrong_type(str(error), hints[key]))
        for field in msgspec.structs.fields(kind):
            if field.required and field.name not in table:
                self._refuse(path, f"la clé « {field.name} » manque.", "L'ajouter à cette table.", key=field.name)
        if len(self.faults) > before:
            return None
        try:
            return msgspec.convert(table, kind)
        except msgspec.ValidationError as error:
            # The settings' own checks begin with the keys they are about: « tls : … », « username, password : … ».
            keys, colon, message = str(error).partition(" : ")
            key = keys.split(",")[0].strip()
            if not colon or key not in kind.__struct_fields__:
                key, message = "", str(error)
            self._refuse((*path, key) if key else path, f"{message.rstrip('.')}.", "", key=key)
            return None

    def _refuse(self, path: KeyPath, message: str, remedy: str, *, key: str | None = None) -> None:
        table, last = (path[:-1], path[-1]) if key is None else (path if not key or path[-1] != key else path[:-1], key)
        self.faults.append(Fault(line=self.line(path), table=table_name(table), key=last, message=message, remedy=remedy))


def _unknown(key: str, known: tuple[str, ...]) -> tuple[str, str]:
    near = difflib.get_close_matches(key, known, n=1)
    return (
        "cette clé n'existe pas.",
        f"Vouliez-vous dire « {near[0]} » ?" if near else f"Clés permises : {', '.join(sorted(set(known)))}.",
    )


_TYPES: Mapping[str, str] = {
    "str": "un texte entre guillemets",
    "int": "un nombre entier",
    "float": "un nombre",
    "bool": "true ou false",
    "array": 'une liste, comme ["a", "b"]',
    "object": 'une table, comme { "a" = "b" }',
}


def _wrong_type(error: str, hint: Any) -> tuple[str, str]:
    """Say in French what msgspec expected, without the value that its own words may repeat."""
    if get_origin(hint) is Literal:
        allowed = ", ".join(f'"{value}"' for value in get_args(hint))
        return "cette valeur n'est pas permise.", f"Écrire l'une de : {allowed}."
    if missing := re.match(r"Object missing required field `(\w+)`", error):
        return f"il y manque « {missing[1]} ».", "L'ajouter à chaque élément."
    expected = re.match(r"Expected `([^`]+)`", error)
    wanted = [_TYPES[name] for name in (expected[1].split(" | ") if expected else []) if name in _TYPES]
    place = " pour chaque élément" if "`$[" in error else ""
    return "la valeur n'est pas du type attendu.", f"Écrire {' ou '.join(wanted)}{place}." if wanted else ""


def _warnings(parts: Iterable[SourceConfiguration | DestinationConfiguration]) -> list[str]:
    return [f"{part.name} : {warning}" for part in parts for warning in getattr(part.settings, "warnings", tuple)()]


def _fault(line: int, message: str, remedy: str) -> Fault:
    return Fault(line=line, table="", key="", message=message, remedy=remedy)
