"""A sender's PDF looked at before a GP opens it: what it could do, and whether it calls itself PDF/A-1 (mssante digest §3.2).

Nothing is rendered or repaired: an N1 goes out as the very PDF that it embeds (ECO.2.1.5), or not at all. Meant for a worker process:
qpdf's limits are the process's.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator

import msgspec
import pikepdf
from pikepdf import settings

from liaison.cda.xml import CdaError, parse
from liaison.finding import Finding, Severity

MAX_PDF = 25_000_000
MAX_OBJECTS = 200_000
MAX_XMP = 1_000_000
_MAX_DEPTH = 60

settings.set_qpdf_limits(doc_max_warnings=1_000, parser_max_nesting=100, max_stream_filters=4, flate_max_memory=200_000_000)

_PDFA = "{http://www.aiim.org/pdfa/ns/id/}"

#: Objections: rule → (message, remedy), in French. PDF/A-1 forbids all of them (ISO 19005-1 §6.1.3, §6.6, §6.9).
_OBJECTIONS = {
    "pdf.unreadable": ("Le PDF ne peut pas être lu.", "Produire le PDF à nouveau."),
    "pdf.too-large": (
        "Le PDF est trop gros ou trop complexe pour être vérifié.",
        "Réduire le PDF, par exemple la résolution des images.",
    ),
    "pdf.encrypted": ("Le PDF est chiffré.", "Produire le PDF sans chiffrement ni mot de passe."),
    "pdf.javascript": ("Le PDF contient du JavaScript.", "Produire un PDF sans script (PDF/A-1)."),
    "pdf.launch": ("Le PDF peut lancer un programme.", "Produire un PDF sans action Launch (PDF/A-1)."),
    "pdf.embedded-file": ("Le PDF embarque un fichier.", "Envoyer chaque fichier comme un document à part (PDF/A-1)."),
    "pdf.opens-address": (
        "Le PDF ouvre de lui-même une adresse ou un autre fichier.",
        "Produire un PDF sans action automatique (PDF/A-1).",
    ),
    "pdf.form": (
        "Le PDF contient un formulaire qui envoie ou importe des données.",
        "Produire un PDF sans formulaire actif (PDF/A-1).",
    ),
    "pdf.media": ("Le PDF contient du son, de la vidéo ou un objet animé.", "Produire un PDF sans média (PDF/A-1)."),
}

#: A fast look at an object's text; what it finds is then looked at exactly.
_SUSPECT = re.compile(rb"/(?:JavaScript|JS|Launch|EmbeddedFiles?|EF|FileAttachment|RichMedia|Movie|Sound|Rendition|3D|XFA|SubmitForm|"
                      rb"ImportData|GoToR|GoToE|AA|OpenAction)\b")  # fmt: skip
_BY_ACTION = {
    "/JavaScript": "pdf.javascript",
    "/Launch": "pdf.launch",
    "/SubmitForm": "pdf.form",
    "/ImportData": "pdf.form",
    "/Rendition": "pdf.media",
    "/Movie": "pdf.media",
    "/Sound": "pdf.media",
}
_BY_SUBTYPE = {
    "/FileAttachment": "pdf.embedded-file",
    "/RichMedia": "pdf.media",
    "/Movie": "pdf.media",
    "/Sound": "pdf.media",
    "/3D": "pdf.media",
}
_BY_KEY = {
    "/JS": "pdf.javascript",
    "/JavaScript": "pdf.javascript",
    "/EmbeddedFiles": "pdf.embedded-file",
    "/EF": "pdf.embedded-file",
    "/XFA": "pdf.form",
}
#: Actions that a document may hold for a click, but not do by itself.
_LEAVING = frozenset({"/URI", "/GoToR", "/GoToE", "/Launch"})


class PdfReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a PDF is. ``objections`` hold the letter; ``findings`` do not."""

    pages: int = 0
    #: ``1A``, ``1B``, ``2U``… as its XMP says; empty when it does not call itself PDF/A.
    pdfa: str = ""
    objections: tuple[Finding, ...] = ()
    findings: tuple[Finding, ...] = ()


def inspect_pdf(raw: bytes) -> PdfReport:
    """Look at a PDF without rendering it. Never raises for what the bytes hold."""
    if len(raw) > MAX_PDF:
        return _objected("pdf.too-large")
    try:
        with warnings.catch_warnings():
            # qpdf tells damage as Python warnings; a reader would mend it the same way.
            warnings.simplefilter("ignore")
            with pikepdf.open(io.BytesIO(raw)) as pdf:
                return _inspect(pdf)
    except pikepdf.PasswordError:
        return _objected("pdf.encrypted")
    except (pikepdf.PikepdfError, RuntimeError, ValueError, TypeError, KeyError, AttributeError, RecursionError, MemoryError):
        return _objected("pdf.unreadable")


def _inspect(pdf: pikepdf.Pdf) -> PdfReport:
    if pdf.is_encrypted:
        return _objected("pdf.encrypted")
    if len(pdf.objects) > MAX_OBJECTS:
        return _objected("pdf.too-large")
    pages = len(pdf.pages)
    if not pages:
        return _objected("pdf.unreadable")
    rules: dict[str, None] = {}
    opening = pdf.Root.get("/OpenAction")
    if isinstance(opening, pikepdf.Dictionary) and str(opening.get("/S", "")) in _LEAVING:
        rules["pdf.opens-address"] = None
    for item in pdf.objects:
        holder = item.stream_dict if isinstance(item, pikepdf.Stream) else item
        if isinstance(holder, pikepdf.Dictionary | pikepdf.Array) and _SUSPECT.search(holder.unparse(resolved=True)):
            rules.update(dict.fromkeys(_faults(holder)))
    pdfa = _pdfa(pdf)
    return PdfReport(
        pages=pages,
        pdfa=pdfa,
        objections=tuple(_objection(rule) for rule in rules),
        findings=() if pdfa.startswith("1") else (_not_pdfa(pdfa),),
    )


def _faults(item: pikepdf.Object, depth: int = 0) -> Iterator[str]:
    """The rules that an object and what it holds directly break; objects that it refers to are looked at in their own turn."""
    if depth > _MAX_DEPTH:
        yield "pdf.too-large"
    elif isinstance(item, pikepdf.Array):
        for child in list(item):
            if isinstance(child, pikepdf.Dictionary | pikepdf.Array) and not child.is_indirect:
                yield from _faults(child, depth + 1)
    elif isinstance(item, pikepdf.Dictionary):
        yield from _own_faults(item)
        for key in item.keys():  # noqa: SIM118 - a pikepdf dictionary iterates over values
            child = item[key]
            if isinstance(child, pikepdf.Dictionary | pikepdf.Array) and not child.is_indirect:
                yield from _faults(child, depth + 1)


def _own_faults(item: pikepdf.Dictionary) -> Iterator[str]:
    action, subtype = _name(item, "/S"), _name(item, "/Subtype")
    if action in _BY_ACTION:
        yield _BY_ACTION[action]
    if subtype in _BY_SUBTYPE:
        yield _BY_SUBTYPE[subtype]
    if _name(item, "/Type") == "/EmbeddedFile":
        yield "pdf.embedded-file"
    for key, rule in _BY_KEY.items():
        if key in item:
            yield rule
    triggers = item.get("/AA")
    if isinstance(triggers, pikepdf.Dictionary):
        for key in triggers.keys():  # noqa: SIM118
            trigger = triggers[key]
            if isinstance(trigger, pikepdf.Dictionary) and _name(trigger, "/S") in _LEAVING:
                yield "pdf.opens-address"


def _name(item: pikepdf.Dictionary, key: str) -> str:
    value = item.get(key)
    return str(value) if isinstance(value, pikepdf.Name) else ""


def _pdfa(pdf: pikepdf.Pdf) -> str:
    """Part and conformance of the pdfaid schema in the document's XMP (ISO 19005-1 §6.7.11), as attributes or elements."""
    metadata = pdf.Root.get("/Metadata")
    if not isinstance(metadata, pikepdf.Stream):
        return ""
    try:
        root = parse(metadata.read_bytes(), max_bytes=MAX_XMP)
    except (CdaError, pikepdf.PikepdfError):
        return ""

    def said(what: str) -> str:
        name = f"{_PDFA}{what}"
        texts = (element.get(name) or (element.text if element.tag == name else None) for element in root.iter())
        return next((text.strip() for text in texts if text and text.strip()), "")

    name = (said("part") + said("conformance")).upper()
    return name if re.fullmatch(r"[1-4][ABUEF]?", name) else ""


def _objection(rule: str) -> Finding:
    message, remedy = _OBJECTIONS[rule]
    return Finding(severity=Severity.ERROR, where="PDF", rule=rule, message=message, remedy=remedy)


def _objected(rule: str) -> PdfReport:
    return PdfReport(objections=(_objection(rule),))


def _not_pdfa(pdfa: str) -> Finding:
    said = f"il se dit PDF/A-{pdfa[0]}" if pdfa else "rien ne l'annonce dans ses métadonnées"
    return Finding(
        severity=Severity.WARNING,
        where="PDF",
        rule="pdf.not-pdfa1",
        message=f"Le PDF n'est pas au format PDF/A-1 ({said}) ; il est transmis tel quel (ECO.2.1.5).",
        remedy="Produire les PDF des documents au format PDF/A-1.",
    )
