"""A side file's bytes → its values: JSON, XML or CSV, told apart by their content. Bounded; never raises for what they hold."""

from __future__ import annotations

import csv
import enum
import io
import re
from collections.abc import Iterator
from datetime import tzinfo
from typing import Final, cast

import msgspec

from liaison.cda.xml import CdaError, parse
from liaison.finding import Finding, Severity
from liaison.sidefile.layout import FIELDS, SideFile, Value, fill

MAX_BYTES: Final = 65_536
MAX_VALUES: Final = 500
_MAX_DEPTH: Final = 5
_BLANKS: Final = b"\xef\xbb\xbf \t\r\n"
_XML_ROOT: Final = re.compile(rb"(?:<\?[^>]{0,200}\?>\s{0,20})?<depot[\s>]")
_CSV_HEADER: Final = re.compile(rb"[^\r\n]{0,4000}\bpatient\.(?:ipp|ins)\b")
_LIST: Final = "destinataires"


class SideKind(enum.StrEnum):
    """How a side file is written."""

    JSON = "json"
    XML = "xml"
    CSV = "csv"


def side_kind(raw: bytes) -> SideKind | None:
    """Which sort of side file bytes begin like; None for anything else. A few kilobytes of them are enough."""
    head = raw[:MAX_BYTES].lstrip(_BLANKS)
    if head.startswith(b"{") and b'"patient"' in head:
        return SideKind.JSON
    if _XML_ROOT.match(head):
        return SideKind.XML
    return SideKind.CSV if head[:1] not in (b"{", b"<", b"[") and _CSV_HEADER.match(head) else None


def read_side(raw: bytes, zone: tzinfo, findings: list[Finding]) -> SideFile | None:
    """What a side file says; None, with fatal findings, when it cannot be used. ``zone`` is of times without one."""
    kind = side_kind(raw)
    if kind is None or len(raw) > MAX_BYTES:
        findings.append(UNREADABLE)
        return None
    try:
        values = list(_READERS[kind](raw.removeprefix(b"\xef\xbb\xbf")))
    except (CdaError, msgspec.DecodeError, csv.Error, TypeError, ValueError, RecursionError):
        findings.append(UNREADABLE)
        return None
    if len(values) > MAX_VALUES:
        findings.append(UNREADABLE)
        return None
    return fill(values, zone, findings)


def _json(raw: bytes) -> Iterator[Value]:
    yield from _object(msgspec.json.decode(raw), "", 0)


def _object(held: object, section: str, rank: int) -> Iterator[Value]:
    """The fields of an object; its sections, where it is the document itself."""
    if not isinstance(held, dict):
        raise TypeError("not an object")
    for name, value in cast(dict[str, object], held).items():
        if isinstance(value, bool | float):
            yield section, rank, name, "\x00"  # no field takes one: told as a wrong value
        elif isinstance(value, str | int):
            yield section, rank, name, str(value)
        elif isinstance(value, list) and not section and name == _LIST:
            for number, one in enumerate(cast(list[object], value)):
                yield from _object(one, _LIST, number)
        elif isinstance(value, dict) and not section and name in FIELDS and name != _LIST:
            yield from _object(cast(object, value), name, 0)
        elif value is not None:
            yield section, rank, "?", ""  # told as an unknown field


def _xml(raw: bytes) -> Iterator[Value]:
    rank = 0
    for child in parse(raw, max_bytes=MAX_BYTES, max_depth=_MAX_DEPTH):
        name = str(child.tag)
        if name == _LIST:
            for one in child:
                yield from ((_LIST, rank, str(field.tag), field.text or "") for field in one)
                rank += 1
        elif len(child):
            yield from ((name, 0, str(field.tag), field.text or "") for field in child)
        else:
            yield "", 0, name, child.text or ""


def _csv(raw: bytes) -> Iterator[Value]:
    """A line of field names, a line of values; each line more is one recipient more."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("cp1252")
    first = text.splitlines()[0]
    separator = max(";,\t", key=first.count)
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True) if any(map(str.strip, row))]
    names = [name.strip() for name in rows[0]]
    for number, row in enumerate(rows[1:]):
        if len(row) > len(names):
            raise ValueError("more values than names")
        for name, value in zip(names, row, strict=False):
            section, dot, field = name.rpartition(".")
            if section == _LIST:
                yield section, number, field, value
            elif number == 0:
                yield section if dot else "", 0, field, value


_READERS: Final = {SideKind.JSON: _json, SideKind.XML: _xml, SideKind.CSV: _csv}

UNREADABLE: Final = Finding(
    severity=Severity.FATAL,
    where="fichier d’accompagnement",
    rule="side.unreadable",
    message="Le fichier qui accompagne le PDF ne peut pas être lu : il n’est pas du JSON, du XML ou du CSV bien formé, ou il est trop gros.",
    remedy="Vérifier le fichier selon le format décrit (docs/connecting.md), puis déposer à nouveau le PDF et son fichier.",
)
