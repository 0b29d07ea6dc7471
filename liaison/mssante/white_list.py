"""The white list: the domains of the MSSanté trust space, as the ANS publishes them in XML.

Format: ``ListeBlancheMSSante`` of ``https://listeblanche.mssante.fr/schema``: a date, then ``Domaine`` elements of six children each
(mssante digest §1.2). One domain has a row for each server certificate of its operators.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec

from liaison.cda.xml import CdaError, Element, parse
from liaison.mssante.address import InvalidAddress, parse_address

NAMESPACE: Final = "https://listeblanche.mssante.fr/schema"
#: The children of a Domaine, in their order.
CHILDREN: Final = ("Nom", "Description", "DNCertificatOperateur", "ResponsableContact", "SupportContact", "DateMAJ")
#: The list of 2026 is about 6 MB, 8,655 rows.
MAX_BYTES: Final = 20_000_000
MAX_ROWS: Final = 100_000
_DEPTH: Final = 16
_N: Final = f"{{{NAMESPACE}}}"


class WhiteListError(ValueError):
    """The file is not a whole white list: keep the last good one. The text is French and names the line."""


class WhiteList(msgspec.Struct, frozen=True, kw_only=True):
    """The domains that may be written to, in lower case. Membership is of the whole domain: a suffix proves nothing."""

    generated_at: datetime
    domains: frozenset[str]
    rows: int
    #: Rows whose name is no domain name: nobody can be written to there.
    skipped: int = 0


def read_white_list(raw: bytes) -> WhiteList:
    """The list of a file's bytes. Raises :class:`WhiteListError` on anything else than a whole, well-formed one.

    A row without its six children refuses the whole list, one whose name is no domain name is left out and counted.
    """
    try:
        root = parse(raw, max_bytes=MAX_BYTES, max_depth=_DEPTH)
    except CdaError as error:
        # The parser speaks of documents: only its place and rule are of use here.
        what = "le fichier est trop gros" if error.finding.rule == "cda.too-large" else "ce n'est pas du XML entier et bien formé"
        raise WhiteListError(f"{error.finding.where} : {what}, la liste est sans doute tronquée") from None
    if root.tag != f"{_N}ListeBlancheMSSante":
        raise WhiteListError(f"ligne 1 : la racine n'est pas ListeBlancheMSSante de {NAMESPACE}")
    date, listed = root.find(f"{_N}DateDeGeneration"), root.find(f"{_N}ListeDomaines")
    if date is None or listed is None:
        raise WhiteListError("ligne 1 : DateDeGeneration ou ListeDomaines manque")
    names = [_name(row) for row in listed.iterfind(f"{_N}Domaine")]
    domains = frozenset(names) - {""}
    if not domains or len(names) != len(listed) or len(names) > MAX_ROWS:
        raise WhiteListError(f"{_line(listed)} : ListeDomaines doit contenir des Domaine et rien d'autre")
    return WhiteList(generated_at=_date(date), domains=domains, rows=len(names), skipped=names.count(""))


def _name(row: Element) -> str:
    """The domain of a row in lower case, or nothing when its name is none."""
    if tuple(str(child.tag).removeprefix(_N) for child in row) != CHILDREN:
        raise WhiteListError(f"{_line(row)} : un Domaine n'a pas ses six éléments ({', '.join(CHILDREN)})")
    name = (row[0].text or "").strip().lower()
    try:
        return parse_address(f"x@{name}").domain
    except InvalidAddress:
        return ""


def _date(element: Element) -> datetime:
    try:
        said = datetime.fromisoformat((element.text or "").strip())
    except ValueError:
        raise WhiteListError(f"{_line(element)} : DateDeGeneration n'est pas une date") from None
    return said if said.tzinfo is not None else said.replace(tzinfo=UTC)


def _line(element: Element) -> str:
    return f"ligne {element.sourceline or 1}"
