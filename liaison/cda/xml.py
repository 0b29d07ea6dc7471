"""The one XML parser of the project: no DTD, no entities, no network, bounded in bytes, depth, tags and attributes.

A CDA never needs a DTD, so every DOCTYPE is refused, even a harmless one (digest cda-fr §8.1). Errors name a line and a rule, never
what stands there.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, TypeAlias, TypedDict

from lxml import etree

from liaison.finding import Finding, Severity

Element: TypeAlias = etree._Element  # pyright: ignore[reportPrivateUsage]

#: Namespace of CDA R2, as lxml writes it before a local name.
H: Final = "{urn:hl7-org:v3}"

MAX_BYTES: Final = 30_000_000
MAX_DEPTH: Final = 128
#: Counted as ``<`` and ``=``.
MAX_TAGS: Final = 1_000_000
MAX_ATTRIBUTES: Final = 2_000_000

#: libxml2 refuses a text node above 10 MB unless it is told that the input may be huge.
_HUGE: Final = 9_500_000
#: Where each byte below 128 is the ASCII character: what a byte-level check sees is what the parser sees (UTF-7 is not).
_ENCODINGS: Final = frozenset({"utf-8", "utf8", "us-ascii", "iso-8859-1", "iso-8859-15", "latin1", "windows-1252", "cp1252"})
_DECLARATION: Final = re.compile(rb"""<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_LONGEST_DECLARATION: Final = 1_024
#: What may stand between the declaration and the root: blanks, comments, processing instructions.
_MISC: Final = re.compile(rb"(?:\s+|<!--.*?-->|<\?.*?\?>)", re.DOTALL)
_UTF8_BOM: Final = b"\xef\xbb\xbf"


class CdaError(Exception):
    """A document that cannot be read. Carries the finding to show: rule, place, French message and remedy, never content."""

    def __init__(self, rule: str, where: str, message: str, remedy: str) -> None:
        super().__init__(f"{rule} ({where})")
        self.finding = Finding(severity=Severity.FATAL, where=where, rule=rule, message=message, remedy=remedy)


class UnsafeXml(CdaError):
    """XML that is refused for what it could do: DOCTYPE, entities, excess of size, depth or tags, an exotic encoding."""


class NotXml(CdaError):
    """Bytes that are not well-formed XML."""


class Options(TypedDict):
    """Keyword arguments of lxml's parsers."""

    resolve_entities: bool
    no_network: bool
    load_dtd: bool
    dtd_validation: bool
    huge_tree: bool
    remove_comments: bool
    remove_pis: bool
    collect_ids: bool


def options(size: int) -> Options:
    """The parser options for an input of ``size`` bytes, the same for the tree parser and the pull parser."""
    return {
        "resolve_entities": False,
        "no_network": True,
        "load_dtd": False,
        "dtd_validation": False,
        "huge_tree": size > _HUGE,
        "remove_comments": True,
        "remove_pis": True,
        "collect_ids": False,
    }


class Limits:
    """Counts what a parser is fed before it is fed: thirty megabytes of empty elements would be a gigabyte of tree."""

    def __init__(self) -> None:
        self._tags = self._attributes = 0

    def count(self, chunk: bytes) -> None:
        """Raises :class:`UnsafeXml` when there are too many tags or attributes."""
        self._tags += chunk.count(b"<")
        self._attributes += chunk.count(b"=")
        if self._tags > MAX_TAGS or self._attributes > MAX_ATTRIBUTES:
            raise UnsafeXml("cda.too-many-tags", "document", "Le document contient trop d’éléments ou d’attributs.",
                            "Envoyer un document plus petit.")  # fmt: skip


def parse(raw: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Element:
    """Parse a whole document and return its root.

    A UTF-8 BOM and blanks before the declaration are tolerated. Raises :class:`UnsafeXml` or :class:`NotXml`.
    """
    body = check_prolog(raw, max_bytes=max_bytes)
    Limits().count(body)
    try:
        root = etree.fromstring(body, etree.XMLParser(**options(len(body))))
    except etree.XMLSyntaxError as error:
        raise syntax_error(error) from None
    except ValueError:
        raise NotXml(*_MALFORMED, "Le document n’est pas du XML bien formé.", _FIX_XML) from None
    check_tree(root, max_depth=max_depth)
    return root


def check_prolog(raw: bytes, *, max_bytes: int = MAX_BYTES) -> bytes:
    """``raw`` without BOM and leading blanks, once all that can be checked without parsing is right.

    Raises :class:`UnsafeXml` or :class:`NotXml`.
    """
    if len(raw) > max_bytes:
        raise UnsafeXml("cda.too-large", "document", f"Le document dépasse {max_bytes // 1_000_000} Mo.",
                        "Réduire le document, par exemple la résolution des images du PDF.")  # fmt: skip
    body = raw.removeprefix(_UTF8_BOM).lstrip(b" \t\r\n")
    if not body:
        raise NotXml(*_MALFORMED, "Le document est vide.", "Envoyer le document CDA complet.")
    if b"\x00" in body[:64]:
        raise UnsafeXml("cda.encoding", "ligne 1", "Le document n’est pas codé dans un jeu de caractères admis.", _USE_UTF8)
    if body[:1] != b"<":
        raise NotXml(*_MALFORMED, "Le document n’est pas du XML : il ne commence pas par une balise.", _FIX_XML)
    declaration = body[:_LONGEST_DECLARATION]
    if declaration.startswith(b"<?xml") and b"?>" not in declaration:
        raise NotXml(*_MALFORMED, "La déclaration XML ne se termine pas.", _FIX_XML)
    declared = _DECLARATION.match(declaration)
    if declared is not None and declared[1].decode("ascii").lower() not in _ENCODINGS:
        raise UnsafeXml("cda.encoding", "ligne 1", "Le document déclare un jeu de caractères qui n’est pas admis.", _USE_UTF8)
    at = 0
    while (match := _MISC.match(body, at)) is not None:
        at = match.end()
    if body.startswith(b"<!DOCTYPE", at):
        line = body.count(b"\n", 0, at) + 1
        raise UnsafeXml("cda.doctype", f"ligne {line}", "Le document porte une déclaration DOCTYPE, qui est refusée.",
                        "Retirer le DOCTYPE : un CDA n’a besoin ni de DTD ni d’entités.")  # fmt: skip
    return body


def check_tree(root: Element, *, max_depth: int = MAX_DEPTH) -> None:
    """Refuse a tree that has a DOCTYPE after all, or that is too deep. Raises :class:`UnsafeXml`."""
    if getattr(root.getroottree().docinfo, "doctype", ""):
        raise UnsafeXml("cda.doctype", "ligne 1", "Le document porte une déclaration DOCTYPE, qui est refusée.",
                        "Retirer le DOCTYPE : un CDA n’a besoin ni de DTD ni d’entités.")  # fmt: skip
    if _deeper_than(max_depth)(root):
        raise UnsafeXml("cda.too-deep", "document", f"Le document imbrique plus de {max_depth} niveaux d’éléments.",
                        "Simplifier la structure du document.")  # fmt: skip


def find_clinical_document(root: Element) -> Element | None:
    """The ClinicalDocument: the root, or the one held by an auto-presentable ``xsl:stylesheet``, which is never executed."""
    if root.tag == f"{H}ClinicalDocument":
        return root
    return next(root.iter(f"{H}ClinicalDocument"), None) if is_stylesheet(root) else None


def is_stylesheet(root: Element) -> bool:
    """Whether the document presents itself (CI-SIS auto-présentable: XDS type ``application/xslt+xml``)."""
    return root.tag in _STYLESHEETS


_STYLESHEETS: Final = ("{http://www.w3.org/1999/XSL/Transform}stylesheet", "{http://www.w3.org/1999/XSL/Transform}transform")
_MALFORMED: Final = ("cda.not-xml", "ligne 1")
_FIX_XML: Final = "Envoyer un document CDA R2 bien formé ; vérifier qu’il n’est pas tronqué."
_USE_UTF8: Final = "Produire le document en UTF-8 et le déclarer ainsi."

# Error numbers of libxml2 (xmlParserErrors).
_ENCODING_ERRORS: Final = frozenset({9, 31, 32, 81})  # INVALID_CHAR, UNKNOWN, UNSUPPORTED and INVALID_ENCODING
_LIMIT_ERRORS: Final = frozenset({89, 110, 114})  # ENTITY_LOOP, NAME_TOO_LONG, RESOURCE_LIMIT
_UNDECLARED_ENTITY: Final = 26


def syntax_error(error: etree.XMLSyntaxError) -> CdaError:
    """libxml2's error in our words; its own message may quote the document."""
    where = f"ligne {error.lineno or 1}"
    code: int = getattr(error, "code", 0)
    if code in _LIMIT_ERRORS:
        return UnsafeXml("cda.excess", where, "Le document dépasse les limites admises (profondeur, longueur ou entités).",
                         "Simplifier la structure du document.")  # fmt: skip
    if code == _UNDECLARED_ENTITY:
        return NotXml("cda.entity", where, "Le document emploie une entité qui n’est pas du XML.",
                      "Écrire le caractère lui-même, ou sa référence numérique.")  # fmt: skip
    if code in _ENCODING_ERRORS:
        return NotXml("cda.encoding", where, "Des octets ne correspondent pas au jeu de caractères déclaré.", _USE_UTF8)
    return NotXml("cda.not-xml", where, "Le document n’est pas du XML bien formé.", _FIX_XML)


@cache
def _deeper_than(depth: int) -> etree.XPath:
    """Level after level in C: linear in the tree, where counting ancestors is not."""
    return etree.XPath("boolean(" + "/*" * (depth + 1) + ")")
