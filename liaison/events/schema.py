"""JSON Schema and AsyncAPI 3 of the events, generated from what is sent, for those who receive them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from liaison.events.envelope import CONTENT_TYPE, Attributes
from liaison.events.types import CLOUD_TYPES, TYPES

Json: TypeAlias = dict[str, Any]

SCHEMA_FILE = "cloudevent.schema.json"
ASYNCAPI_FILE = "asyncapi.json"


def _components(template: str) -> tuple[Json, Json]:
    """The schema of the envelope without its data, and the schemas of all that data holds, by name."""
    kinds = [Attributes, *dict.fromkeys(row.data for row in TYPES.values() if row.data is not None)]
    _, components = msgspec.json.schema_components(kinds, ref_template=template)
    envelope = components.pop(Attributes.__name__)
    envelope["description"] = "CloudEvents 1.0, mode structuré, avec les extensions de Liaison."
    return envelope, components


def _envelope_of(envelope: Json, name: str, template: str) -> Json:
    row = TYPES[name]
    assert row.data is not None
    properties = {**envelope["properties"], "type": {"const": CLOUD_TYPES[name]}}
    properties["data"] = {"$ref": template.format(name=row.data.__name__)}
    return {
        "title": row.french,
        "description": f"{row.french} ({row.english}), depuis Liaison {row.since}.",
        "type": "object",
        "properties": properties,
        "required": [*envelope["required"], "data"],
    }


def json_schema() -> Json:
    """One JSON Schema (2020-12) that every event on the wire satisfies."""
    template = "#/$defs/{name}"
    envelope, components = _components(template)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:liaison:schema:cloudevent:v1",
        "title": "Événement normalisé de Liaison",
        "description": envelope["description"],
        "oneOf": [_envelope_of(envelope, name, template) for name, row in TYPES.items() if row.data is not None],
        "$defs": components,
    }


def asyncapi() -> Json:
    """The AsyncAPI 3.0 document: one channel for each family of events, one message for each type."""
    template = "#/components/schemas/{name}"
    envelope, components = _components(template)
    told = [name for name, row in TYPES.items() if row.data is not None]
    families = list(dict.fromkeys(name.partition(".")[0] for name in told))
    messages = {
        name: {
            "name": CLOUD_TYPES[name],
            "title": TYPES[name].french,
            "summary": TYPES[name].english,
            "contentType": f"{CONTENT_TYPE}; charset=utf-8",
            "payload": _envelope_of(envelope, name, template),
        }
        for name in told
    }
    channels = {
        family: {
            "address": None,
            "title": f"{family}.*",
            "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in told if name.startswith(f"{family}.")},
        }
        for family in families
    }
    operations = {
        f"send-{family}": {"action": "send", "channel": {"$ref": f"#/channels/{family}"}, "title": f"Liaison émet {family}.*"}
        for family in families
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Liaison",
            "version": "1.0.0",
            "description": "Événements normalisés, en CloudEvents 1.0 structuré. Livrés dans l'ordre de laneseq pour un patient, "
            "au moins une fois : le même id n'est à traiter qu'une fois.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": components},
    }


def written() -> dict[str, bytes]:
    """The files of docs/events, by name."""
    files = {SCHEMA_FILE: json_schema(), ASYNCAPI_FILE: asyncapi()}
    return {
        name: msgspec.json.format(msgspec.json.encode(content, order="deterministic"), indent=2) + b"\n"
        for name, content in files.items()
    }


def write(folder: Path) -> None:
    """Write the generated files into ``folder`` (docs/events)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in written().items():
        (folder / name).write_bytes(content)
