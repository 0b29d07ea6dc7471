"""The reference page of the configuration, made from its declarations: ``python -m liaison.service.reference > docs/reference/configuration.md``.

Each setting's words are the ``#:`` comment above its field, so that the code, the check and the page cannot disagree.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
import typing
from collections.abc import Iterator
from importlib import resources
from types import NoneType, UnionType
from typing import Any, Literal, Union

import msgspec

from liaison.hub.holding import HoldHours
from liaison.hub.retention import Retention
from liaison.rules.routing import Route
from liaison.service.configuration import (
    AlertsSettings,
    ApiSettings,
    DestinationSettings,
    FollowListSettings,
    FollowSettings,
    HubSettings,
    LettersSettings,
    MonitorSettings,
    SourceSettings,
)
from liaison.service.kinds import DESTINATION_KINDS, SOURCE_KINDS
from liaison.service.production import MISSING

_INTRODUCTION = """\
# Configuration

<!-- Made by `python -m liaison.service.reference`: edit the declarations, not this page. -->

One file, `liaison.toml`, named with `--config`; without it `liaison.toml` in the current folder, and without that the
configuration at the end of this page. Keys that do not exist are refused, with their line. Relative paths stand beside the file.
Secrets (`password`, `token`) are references, never values: `file:PATH`, `env:VARIABLE`, or `credential:NAME` for systemd.
`liaison check` tells everything that is wrong with a file, and tries what it names.
"""


def reference_page() -> str:
    """The page, as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    yield from _section("## `[hub]`", HubSettings)
    yield from _section("## `[sources.NAME]`", SourceSettings)
    for name, source in SOURCE_KINDS.items():
        yield from _section(f'### `kind = "{name}"`, as a source', source.settings)
    yield from _section("## `[destinations.NAME]`", DestinationSettings)
    for name, destination in DESTINATION_KINDS.items():
        yield from _section(f'### `kind = "{name}"`, as a destination', destination.settings)
        yield f"Takes: {' and '.join(sorted(destination.takes)) or 'no route yet'}.\n"
    yield from _section("## `[[routes]]`", Route)
    yield from _section("## `[letters]`", LettersSettings)
    yield from _section("## `[follow]`", FollowSettings)
    yield from _section("## `[follow.lists.NAME]`", FollowListSettings)
    yield from _section("## `[holds]`", HoldHours)
    yield from _section("## `[api]`", ApiSettings)
    yield from _section("## `[retention]`", Retention)
    yield from _section("## `[monitor]`", MonitorSettings)
    yield from _section("## `[alerts]`", AlertsSettings)
    yield "## A production territory\n"
    yield 'This version refuses `territory = "production"`: it lacks\n'
    yield from (f"- {what}: {why}" for what, why in MISSING)
    yield "\n## Without a file\n"
    yield "```toml"
    yield resources.files("liaison.service").joinpath("default.toml").read_text("utf-8").rstrip("\n")
    yield "```"


def _section(title: str, kind: type[msgspec.Struct]) -> Iterator[str]:
    yield f"{title}\n"
    yield f"{inspect.getdoc(kind)}\n".replace("``", "`")
    fields = msgspec.structs.fields(kind)
    if not fields:
        return
    hints, docs = typing.get_type_hints(kind), _comments(kind)
    yield "| Key | Type | Default | Meaning |"
    yield "|---|---|---|---|"
    for field in fields:
        default = "required" if field.required else f"`{_toml(_default(field))}`"
        yield f"| `{field.name}` | {_type_name(hints[field.name])} | {default} | {docs.get(field.name, '')} |"
    yield ""


def _comments(kind: type[msgspec.Struct]) -> dict[str, str]:
    """The ``#:`` comment above each field of a struct, its bases' first."""
    docs: dict[str, str] = {}
    for base in reversed([one for one in kind.__mro__ if issubclass(one, msgspec.Struct) and one.__struct_fields__]):
        docs |= _own_comments(base)
    return docs


def _own_comments(kind: type[msgspec.Struct]) -> dict[str, str]:
    source = inspect.getsource(kind)
    lines = source.splitlines()
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)
    docs: dict[str, str] = {}
    for statement in body.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            above: list[str] = []
            at = statement.lineno - 2
            while lines[at].strip().startswith("#:"):
                above.insert(0, lines[at].strip().removeprefix("#:").strip())
                at -= 1
            docs[statement.target.id] = " ".join(above).replace("``", "`").replace("|", "\\|")
    return docs


def _default(field: msgspec.structs.FieldInfo) -> object:
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()


def _toml(value: object) -> str:
    match value:
        case None:
            return "none"
        case tuple():
            return "[]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _type_name(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " or ".join(f'`"{value}"`' for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(_type_name(each) for each in arguments if each is not NoneType)
    if origin is tuple:
        return f"list of {_type_name(arguments[0])}s"
    if origin is dict:
        return f"table of {_type_name(arguments[1])}s"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return f"`{{ {', '.join(hint.__struct_fields__)} }}` table"
    return {str: "text", int: "whole number", float: "number", bool: "`true` or `false`"}[hint]


if __name__ == "__main__":
    sys.stdout.write(reference_page())
