"""XML as escaped lines with spans for tags, attributes and values, for the page: what comes in is text, never markup."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_TOKEN = re.compile(r"(?P<tag></?[\w:.-]+|/?>|\?>|<\?[\w-]+)|(?P<name>[\w:.-]+)(?==\")|(?P<value>\"[^\"]*\")")
_MAX_LINES = 4000


def coloured(source: str) -> Markup:
    """``source`` with its tokens in spans of the classes ``t``, ``a`` and ``v``."""
    lines = source.split("\n", _MAX_LINES)
    shown = [_line(line) for line in lines[:_MAX_LINES]]
    if len(lines) > _MAX_LINES:
        shown.append(Markup("…"))
    return Markup("\n").join(shown)


def _line(line: str) -> Markup:
    parts: list[Markup] = []
    position = 0
    for token in _TOKEN.finditer(line):
        parts.append(escape(line[position : token.start()]))
        kind = {"tag": "t", "name": "a", "value": "v"}[token.lastgroup or "tag"]
        parts.append(Markup('<span class="{}">{}</span>').format(kind, token.group()))
        position = token.end()
    parts.append(escape(line[position:]))
    return Markup("").join(parts)
