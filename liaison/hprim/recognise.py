"""Which HPRIM a file is, by its content alone, with the few fields of its header that name nobody (digest hprim §2, §3, §8, §9).

The hub takes none of the three; a hospital that drops one deserves to be told what it is, and what to ask of its vendor. Only the
beginning is looked at, except for the markers of HPRIM Médecin, which are counted.
"""

from __future__ import annotations

import enum
import re
from typing import Final

from liaison.finding import Finding, Severity
from liaison.private import Private

#: How much of a file is looked at for its header.
_HEAD: Final = 8_192
_BLANKS: Final = b"\xef\xbb\xbf \t\r\n\x0b\x00"
#: ``H|~^\&|…``: H, the field separator, then the four others of HPRIM Santé or the three of its ancestor ASTM E1394.
_SANTE: Final = re.compile(rb"H([|!#;])([~^\\&$*]{3,5})\1([^\r\n]{0,2000})")
_SANTE_KIND: Final = re.compile(rb"[A-Z]{3}")
_SANTE_VERSION: Final = re.compile(rb"H?(\d\.\d{1,2})")
#: Places in the H segment, the one after the separators being 2.
_KIND_AT: Final = 6
_VERSION_AT: Final = 12
_ROOT: Final = re.compile(rb"<(?:[A-Za-z][\w.-]{0,40}:)?([A-Za-z]\w{0,60})([^<>]{0,2000})>")
_XML_VERSION: Final = re.compile(rb"""\bversion\s*=\s*["'](\d{1,2}(?:\.\d{1,3})?)["']""")
_XML_NAMESPACE: Final = b"www.hprim.org/hprimxml"
_XML_ROOTS: Final = re.compile(
    rb"(?:evenements?|acquittements?)(?:Patients?|Serveur\w{0,40}|PMSI|FraisDivers|Intervention\w{0,20}|[A-Z]\w{0,40})"
)
_MARKER: Final = re.compile(rb"^[ \t]*\*{4}(LAB|FIN|FINFICHIER)\*{4}[ \t]*\r?$", re.MULTILINE)
#: Shapes of a date on lines 7 and 10.
_DATE: Final = re.compile(rb"\d{2}/\d{2}/\d{2}(?:\d{2})?|\d{4}-\d{2}-\d{2}|\d{1,2} [A-Z]{3} \d{4}")
_POSTCODE: Final = re.compile(rb"\d[0-9AB]\d{3}\b.{0,60}")
_NAME: Final = re.compile(rb"[^\d|<>{}=;]{1,80}")
_LINES: Final = 12


class HprimKind(enum.StrEnum):
    """The three formats that share the name."""

    SANTE = "HPRIM-SANTE"
    XML = "HPRIM-XML"
    MEDECIN = "HPRIM-MEDECIN"


class Hprim(Private, frozen=True, kw_only=True):
    """What a file says of itself, without anything about a person."""

    kind: HprimKind
    #: ``2.1``; empty when it does not say.
    version: str = ""
    #: Type of message (``ORU``) or root element (``evenementsPatients``).
    subject: str = ""
    #: Documents of a HPRIM Médecin file, at least one.
    documents: int = 0
    #: Whether it holds structured results (``****LAB****``).
    results: bool = False


def recognise(raw: bytes) -> Hprim | None:
    """Which HPRIM these bytes are; None when they are none."""
    head = raw[:_HEAD].lstrip(_BLANKS)
    if head.startswith(b"H") and (sante := _sante(head)) is not None:
        return sante
    if head.startswith(b"<"):
        return _xml(head)
    return _medecin(raw, head)


def finding_of(hprim: Hprim) -> Finding:
    """What to tell the sender: what the file is, what the hub takes instead, what to ask of the vendor."""
    version = f" {hprim.version}" if hprim.version else ""
    subject = f" ({hprim.subject})" if hprim.subject else ""
    match hprim.kind:
        case HprimKind.SANTE:
            return Finding(
                severity=Severity.FATAL,
                where="segment H",
                rule="hprim.sante",
                message=f"C’est un message HPRIM Santé{version}{subject} : la plateforme ne le lit pas. Elle prend du HL7 v2 : PAM.fr pour "
                "les séjours, ORU^R01 ou MDM^T02 portant un CDA R2 ou un PDF pour les documents.",
                remedy="Demander à l’éditeur ses interfaces HL7 v2 (PAM.fr ; volet Transmission de documents CDA du CI-SIS).",
                condition="200",
            )
        case HprimKind.XML:
            return Finding(
                severity=Severity.FATAL,
                where="élément racine",
                rule="hprim.xml",
                message=f"C’est un message HPRIM XML{version}{subject} : la plateforme ne le lit pas. Elle prend du HL7 v2 : PAM.fr "
                "(ADT) pour les identités et les séjours, ORU^R01 ou MDM^T02 pour les documents.",
                remedy="Demander à l’éditeur d’émettre ses mouvements en HL7 v2 PAM.fr, profil national depuis 2009.",
                condition="200",
            )
        case HprimKind.MEDECIN:
            what = "un résultat de biologie" if hprim.results else "un courrier"
            return Finding(
                severity=Severity.FATAL,
                where="fichier",
                rule="hprim.medecin",
                message=f"C’est {what} au format HPRIM Médecin ({hprim.documents} document(s) en texte) : la plateforme ne le lit pas. Elle "
                "prend des documents CDA R2, ou un PDF avec son fichier d’accompagnement.",
                remedy="Demander à l’éditeur d’émettre le document en CDA R2, ou de déposer le PDF et sa fiche JSON, XML ou CSV.",
                condition="200",
            )


def _sante(head: bytes) -> Hprim | None:
    found = _SANTE.match(head)
    if found is None:
        return None
    # The fields after the separators are numbered from 2.
    fields = [b"", b"", *found[3].split(found[1])]
    kind = fields[_KIND_AT] if len(fields) > _KIND_AT else b""
    version = _SANTE_VERSION.match(fields[_VERSION_AT]) if len(fields) > _VERSION_AT else None
    return Hprim(
        kind=HprimKind.SANTE,
        version=version[1].decode("ascii") if version is not None else "",
        subject=kind.decode("ascii") if _SANTE_KIND.fullmatch(kind) else "",
    )


def _xml(head: bytes) -> Hprim | None:
    """By its root element: nothing is parsed, what stands before the root is skipped."""
    at = 0
    while head.startswith((b"<?", b"<!--"), at):
        end = b"?>" if head.startswith(b"<?", at) else b"-->"
        closed = head.find(end, at)
        if closed < 0:
            return None
        at = closed + len(end)
        at += len(head[at:]) - len(head[at:].lstrip(_BLANKS))
    root = _ROOT.match(head, at)
    if root is None or (_XML_NAMESPACE not in root[2].lower() and not _XML_ROOTS.fullmatch(root[1])):
        return None
    version = _XML_VERSION.search(root[2])
    return Hprim(
        kind=HprimKind.XML,
        version=version[1].decode("ascii") if version is not None else "",
        subject=root[1].decode("ascii"),
    )


def _medecin(raw: bytes, head: bytes) -> Hprim | None:
    """By its markers, or by a header of twelve lines: names, then a date on lines 7 and 10, or a date and a postcode."""
    markers = {b"LAB": 0, b"FIN": 0, b"FINFICHIER": 0}
    if b"****" in raw:
        for found in _MARKER.finditer(raw.replace(b"\r", b"\n") if b"\n" not in raw[:_HEAD] else raw):
            markers[found[1]] += 1
    if not any(markers.values()) and not _has_header(head):
        return None
    return Hprim(kind=HprimKind.MEDECIN, documents=max(1, markers[b"FIN"]), results=markers[b"LAB"] > 0)


def _has_header(head: bytes) -> bool:
    lines = [line.strip() for line in head.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n", _LINES + 1)[:_LINES]]
    if len(lines) < _LINES:
        return False
    _, family, given, _, _, town, born, _, _, dated, *_ = lines
    named = _NAME.fullmatch(family) is not None and _NAME.fullmatch(given) is not None
    dates = _DATE.fullmatch(born) is not None
    return named and dates and (_DATE.fullmatch(dated) is not None or _POSTCODE.fullmatch(town) is not None)
