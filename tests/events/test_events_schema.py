"""What docs/events holds is what the code sends, and what the table of types says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from liaison.care.effects import CANCELS, INSERTS
from liaison.events.schema import asyncapi, json_schema, write, written
from liaison.events.types import CLOUD_TYPES, NAMES, TYPES

DOCS = Path(__file__).parents[2] / "docs" / "events"


@pytest.mark.parametrize("name", sorted(written()))
def test_the_committed_files_are_the_generated_ones(name: str) -> None:
    assert (DOCS / name).read_bytes() == written()[name]


def test_writing_makes_the_same_files(tmp_path: Path) -> None:
    write(tmp_path / "events")
    assert {path.name: path.read_bytes() for path in (tmp_path / "events").iterdir()} == written()


def test_every_told_type_has_its_schema_and_its_message() -> None:
    told = {name for name, row in TYPES.items() if row.since}
    assert {NAMES[one["properties"]["type"]["const"]] for one in json_schema()["oneOf"]} == told
    document = asyncapi()
    assert set(document["components"]["messages"]) == told
    assert {name for channel in document["channels"].values() for name in channel["messages"]} == told


def test_every_reference_leads_somewhere() -> None:
    for document, root in ((json_schema(), "#/$defs/"), (asyncapi(), "#/components/schemas/")):
        schemas = document["$defs"] if "$defs" in document else document["components"]["schemas"]
        references = set(re.findall(f'"{re.escape(root)}([^"]+)"', json.dumps(document)))
        assert references == set(schemas)


def test_the_guide_names_every_type_in_french() -> None:
    guide = (DOCS / "README.md").read_text(encoding="utf-8")
    for name, row in TYPES.items():
        assert f"`{name}` | {row.french}" in guide


def test_names_and_cloud_types_go_both_ways() -> None:
    assert {NAMES[cloud] for cloud in CLOUD_TYPES.values()} == set(TYPES)
    assert CLOUD_TYPES["stay.class-changed"] == "fr.liaison.stay.class-changed.v1"


def test_what_care_tells_is_in_the_table() -> None:
    told = {effect.tells for effect in (*INSERTS.values(), *CANCELS.values())} - {""}
    assert told <= {name for name, row in TYPES.items() if row.since}
