"""Imports point one way (docs/architecture.md): every import statement of the package is looked at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "liaison"
FORMATS = ("hl7", "cda", "mssante", "fhir", "hprim", "sidefile")
#: Usable by everyone: they hold nothing of the hub.
SHARED = {"finding", "private"}
#: From each room, the rooms that it may import besides itself.
ARROWS: dict[str, set[str]] = {
    "private": set(),
    "finding": set(),
    "hl7": set(),
    "cda": set(),
    "mssante": {"cda"},
    "fhir": set(),
    "hprim": set(),
    "sidefile": {"cda", "mssante"},
    "care": set(),
    "events": {"care"},
    "mappings": {*FORMATS, "events", "care"},
    "rules": {*FORMATS, "events", "care", "mappings"},
    "hub": {*FORMATS, "events", "care", "mappings", "rules"},
    "conformance": {*FORMATS, "events", "care", "mappings", "rules", "hub"},
    "adapters": {*FORMATS, "events", "care", "mappings", "rules", "hub"},
    "service": {*FORMATS, "events", "care", "mappings", "rules", "hub", "adapters"},
}
_ROOMS = {*ARROWS, "cli", "console", "demo"}
ARROWS.update(dict.fromkeys(("cli", "console", "demo"), _ROOMS), __main__={"cli"})

#: Rooms without input or output, clock, chance or database.
PURE = ("care", "events", "hl7", "cda", "mssante", "hprim", "sidefile", "mappings", "rules")
IMPURE = {"asyncio", "socket", "threading", "subprocess", "random", "secrets", "sqlite3", "sqlalchemy", "aiohttp", "structlog"}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)


def room_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, wherever the statement stands, with its line."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield node.lineno, node.module or ""
            if node.module == "liaison":
                yield from ((node.lineno, f"liaison.{name.name}") for name in node.names)


def test_there_is_something_to_look_at() -> None:
    rooms = {room_of(path) for path in modules()}
    assert len(modules()) > 50 and {"care", "hl7", "hub", "adapters", "service", "cli"} <= rooms


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    allowed = ARROWS[room] | SHARED | {room}
    for line, name in imports(path):
        parts = name.split(".")
        if parts[0] == "liaison" and len(parts) > 1 and parts[1] != "__version__":
            assert parts[1] in allowed, f"{path.relative_to(PACKAGE)}:{line}: {room} may not import {parts[1]}"


def _importers(*libraries: str) -> set[str]:
    return {
        str(path.relative_to(PACKAGE)) for path in modules() if any(name.split(".")[0] in libraries for _, name in imports(path))
    }


def test_only_the_hl7_room_knows_python_hl7() -> None:
    assert {name.split("/")[0] for name in _importers("hl7")} <= {"hl7"}


def test_sql_is_written_in_the_journal_and_the_store_of_subject_keys_only() -> None:
    importers = _importers("sqlite3", "sqlalchemy", "alembic", "psycopg")
    elsewhere = {name for name in importers if not name.startswith("hub/journal/")}
    assert elsewhere == {"hub/vault/subjects.py", "hub/vault/rotation.py"}


def test_only_the_cda_room_parses_xml_for_reading() -> None:
    readers = {name for name in _importers("lxml") if not name.startswith(("cda/", "mssante/", "demo/"))}
    assert readers == set()


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_do_nothing_but_think(room: str) -> None:
    faults = [
        f"{path.relative_to(PACKAGE)}:{line}: {name}"
        for path in modules()
        if room_of(path) == room
        for line, name in imports(path)
        if name.split(".")[0] in IMPURE
    ]
    assert faults == []
