"""The files that a browser posts (RFC 7578, ``multipart/form-data``), cut out of the body in memory: nothing touches the disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from liaison.conformance.export import ExportFile

#: Files of one post, at most.
MAX_PARTS: Final = 20_000
_BOUNDARY: Final = re.compile(r"""multipart/form-data\s*;.*?\bboundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))""", re.IGNORECASE)
_NAME: Final = re.compile(rb'\bfilename="([^"\r\n]*)"', re.IGNORECASE)
_HEAD: Final = 4_096


class NotAForm(ValueError):
    """The body is no form of files. Carries nothing of it."""


def posted_files(content_type: str, body: bytes) -> tuple[ExportFile, ...]:
    """The files of a post, in its order. Raises :class:`NotAForm`."""
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise NotAForm
    delimiter = f"--{match.group(1) or match.group(2)}".encode("latin-1", "replace")
    return tuple(_files(body, delimiter))


def _files(body: bytes, delimiter: bytes) -> Iterator[ExportFile]:
    if not body.startswith(delimiter):
        raise NotAForm
    start = len(delimiter)
    between = b"\r\n" + delimiter
    for _ in range(MAX_PARTS):
        if body[start : start + 2] == b"--":
            return
        end = body.find(between, start)
        head = body.find(b"\r\n\r\n", start, min(start + _HEAD, max(end, 0)))
        if end < 0 or head < 0:
            raise NotAForm
        named = _NAME.search(body, start, head)
        if named is not None and named.group(1):
            yield _file(named.group(1), body[head + 4 : end])
        start = end + len(between)
    raise NotAForm


def _file(name: bytes, content: bytes) -> ExportFile:
    last = re.split(r"[/\\]", name.decode("utf-8", "replace"))[-1]
    return ExportFile(name=last, size=len(content), read=lambda: content)
