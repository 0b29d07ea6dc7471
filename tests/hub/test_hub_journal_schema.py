"""The journal's tables: what the migrations make, what the schema says, and what the documentation tells."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import LargeBinary

from liaison.hub.journal import schema
from liaison.hub.journal.database import Database, open_engine
from liaison.hub.vault.sealing import Vault
from liaison.hub.vault.subjects import SubjectKeys
from tests.hub.bench import KEYS

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "journal.md"
MARKS = {"clear", "sealed", "blind"}


def marks() -> dict[str, str]:
    return {
        f"{table.name}.{column.name}": str(column.info["mark"])
        for table in schema.metadata.tables.values()
        for column in table.columns
    }


def test_the_migrations_make_exactly_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with closing(SubjectKeys(None, Vault(KEYS))) as keys, closing(Database(path, keys, b"check")):
        pass
    engine = open_engine(path, reader=True)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_every_column_is_marked_and_only_bytes_are_sealed() -> None:
    assert set(marks().values()) == MARKS
    for table in schema.metadata.tables.values():
        for column in table.columns:
            if column.info["mark"] != "clear":
                assert isinstance(column.type, LargeBinary), f"{table.name}.{column.name}"


def test_what_could_hold_a_person_is_sealed() -> None:
    sealed = {name for name, mark in marks().items() if mark == "sealed"}
    assert sealed == {
        "message.raw",
        "message.decisions",
        "blob.body",
        "patient.state",
        "stay.state",
        "document.state",
        "event.body",
        "delivery.recipient",
        "parcel.body",
        "follow.state",
        "proposal.facts",
        "audit.reason",
    }
    blind = {name for name, mark in marks().items() if mark == "blind"}
    assert blind == {"seen.digest", "identifier.blind", "follow.blind", "proposal.blind"}


def test_what_grows_with_traffic_has_the_day_first_in_its_key() -> None:
    for name in ("message", "blob", "event", "delivery", "attempt", "receipt", "parcel"):
        assert next(iter(schema.metadata.tables[name].primary_key)).name == "day"


def test_the_documentation_tells_each_column_and_its_mark() -> None:
    told: dict[str, str] = {}
    table = ""
    for line in DOCUMENTATION.read_text().splitlines():
        if heading := re.fullmatch(r"### `(\w+)`.*", line):
            table = heading[1]
        elif row := re.fullmatch(r"\| `(\w+)` \| (\w+) \| (.+) \|", line):
            told[f"{table}.{row[1]}"] = row[2]
            assert row[3].strip()
    assert told == marks()
