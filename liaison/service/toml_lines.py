"""Where each key of a TOML text stands: tomllib checks the text and forgets the lines, people need them.

The text has already been accepted by tomllib, so that only what can stand in a valid file is looked for.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import TypeAlias

#: Keys from the root, ``("sources", "ch-dax", "listen")``; tables of an array by their number, ``("routes", "0", "to")``.
KeyPath: TypeAlias = tuple[str, ...]

_HEADER = re.compile(r"\s*(\[\[?)(.+?)\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=(.*)$""", re.DOTALL)
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_QUOTES = ('"""', "'''", '"', "'")


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """The line, from 1, of every table header and key. Keys inside an inline table or array are those of the line they begin on."""
    lines: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    depth, quote = 0, ""
    for number, line in enumerate(text.split("\n"), start=1):
        rest = line
        if not depth and not quote:
            if header := _HEADER.match(line):
                table = _table(_path(header[2]), header[1] == "[[", counts)
                lines.setdefault(table, number)
                continue
            if key := _KEY.match(line):
                path = table + _path(key[1])
                for length in range(len(table) + 1, len(path) + 1):
                    lines.setdefault(path[:length], number)
                rest = key[2]
        depth, quote = _scan(rest, depth, quote)
    return lines


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """The line of a key, or of the nearest table around it; 1 when the file has none of them."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _path(text: str) -> KeyPath:
    return tuple(_unquoted(part) for part in _PART.findall(text))


def _unquoted(part: str) -> str:
    if part[0] == '"':
        return str(tomllib.loads(f"k = {part}")["k"])
    return part.strip("'")


def _table(path: KeyPath, array: bool, counts: dict[KeyPath, int]) -> KeyPath:
    """The path of a header's table, arrays of tables numbered: a header under one belongs to its last element."""
    resolved: KeyPath = ()
    for position, part in enumerate(path):
        resolved += (part,)
        if array and position == len(path) - 1:
            counts[resolved] = counts.get(resolved, -1) + 1
        if resolved in counts:
            resolved += (str(counts[resolved]),)
    return resolved


def _scan(text: str, depth: int, quote: str) -> tuple[int, str]:
    """How deep in brackets, and inside which multi-line quote, the text ends."""
    at = 0
    while at < len(text):
        if quote:
            if text[at] == "\\" and quote[0] == '"':
                at += 2
            elif text.startswith(quote, at):
                at, quote = at + len(quote), ""
            else:
                at += 1
            continue
        opening = next((mark for mark in _QUOTES if text.startswith(mark, at)), "")
        if opening:
            at, quote = at + len(opening), opening
        elif text[at] == "#":
            break
        else:
            depth += (text[at] in "[{") - (text[at] in "]}")
            at += 1
    return depth, quote if len(quote) == 3 else ""
