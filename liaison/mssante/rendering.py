"""A structured document in the form that people read: header and narrative as PDF/A-1 (ECO.2.1.5; mssante digest §3.2).

typst lays it out from ``template/letter.typ``. The document's words are data (``sys.inputs``, JSON), never markup; the template reads no
file and no package. Meant for a worker process.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any

import msgspec
import typst

from liaison.cda.datatypes import Name, TimeStamp
from liaison.cda.header import Header
from liaison.cda.narrative import Section
from liaison.cda.parties import Actor, Organisation
from liaison.mssante.mail import french_date

_SEX = {"M": "Masculin", "F": "Féminin", "UN": "Indéterminé"}
_INS = {
    "1.2.250.1.213.1.4.8": "INS (NIR)",
    "1.2.250.1.213.1.4.9": "INS (NIA)",
    "1.2.250.1.213.1.4.10": "INS (NIR de test)",
    "1.2.250.1.213.1.4.11": "INS (NIR de démonstration)",
}
#: Characters that change what is read without being seen: bidirectional controls, byte order marks.
_INVISIBLE = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


#: Beyond these a document is not laid out: 4,000 cells take 0.7 s and 460 MB, a million characters 1 s.
MAX_CELLS = 4_000
MAX_JSON = 2_000_000


class NotRendered(Exception):
    """The document could not be laid out. ``reason`` is French and says nothing of what the document holds."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def render_letter(header: Header, sections: tuple[Section, ...], *, notice: str = "") -> bytes:
    """The PDF of a document, PDF/A-1a, or 1b where it holds a character that no font has (a box stands for it).

    ``notice`` is shown under the title, e.g. that it replaces another. Same arguments, same bytes. Raises :class:`NotRendered`.
    """
    letter = _letter(header, sections, notice)
    text = _INVISIBLE.sub("", msgspec.json.encode(letter).decode())
    if len(text) > MAX_JSON:
        raise NotRendered("Le texte du document est trop long pour être mis en page.")
    created = int(header.created.at.timestamp()) if header.created is not None else 0
    for standard in ("a-1a", "a-1b"):
        try:
            return _compile(text, standard, max(created, 0))
        except typst.TypstError:
            # Its message quotes the document: it goes nowhere.
            continue
    raise NotRendered("Le document ne peut pas être mis en page.")


def _compile(letter: str, standard: typst.PDFStandard, timestamp: int) -> bytes:
    made = _compiler().compile(sys_inputs={"letter": letter}, format="pdf", pdf_standards=[standard], timestamp=timestamp)
    assert isinstance(made, bytes)
    return made


@cache
def _compiler() -> typst.Compiler:
    """One for the process: it keeps the fonts and the parsed template. Its root is the template's own folder, with nothing else."""
    folder = resources.files("liaison.mssante") / "template"
    fonts = typst.Fonts(include_system_fonts=False)
    return typst.Compiler(str(folder / "letter.typ"), root=str(folder), font_paths=fonts)


def _letter(header: Header, sections: tuple[Section, ...], notice: str) -> dict[str, Any]:
    """What the template shows, as JSON values."""
    patient, event, stay = header.patient, header.service_event, header.encounter
    house = header.custodian or next((author.organisation for author in header.authors if author.organisation), None)
    unit = next((author.organisation for author in header.authors if author.organisation), None)
    first = patient.used_given or patient.first_given
    shown = f"{patient.used_family or patient.birth_family} {first}".strip()
    ins = patient.ins
    start = (stay.start if stay else None) or (event.start if event else None)
    stop = (stay.stop if stay else None) or (event.stop if event else None)
    signed = header.legal_authenticator
    version = f" – version {header.version}" if header.version else ""
    title = header.title or header.code.label or "Document de santé"
    return {
        "title": title,
        "subtitle": header.code.label if header.code.label.casefold() != title.casefold() else "",
        "notice": notice,
        "organisation": (house.name if house else "") or (unit.name if unit else "") or " ",
        "organisation_lines": _house_lines(house, unit, stay.place if stay else ""),
        "date_lines": [f"Établi le {french_moment(header.created)}"] if header.created else [],
        "running": " – ".join(_said(f"{patient.birth_family} {first}".strip(), _born(patient.gender, patient.birth_date))),
        "footer": f"Document {header.id.text}{version}",
        "patient_name": shown or "Patient sans nom",
        "patient_left": _pairs(
            ("Nom de naissance", [patient.birth_family]),
            ("Prénoms de naissance", [patient.given_names or patient.first_given]),
            ("Nom utilisé", [patient.used_family]),
            ("Prénom utilisé", [patient.used_given]),
        ),
        "patient_right": _pairs(
            ("Date de naissance", [french_date(patient.birth_date) or patient.birth_date]),
            ("Lieu de naissance", [" – ".join(_said(patient.birthplace_city, patient.birthplace_cog))]),
            ("Sexe", [_SEX.get(patient.gender, patient.gender)]),
            (_INS[ins.root] if ins else "INS", [_spaced(ins.extension) if ins else ""]),
            ("IPP", [id.extension for id in patient.local_ids[:2]]),
        ),
        "meta_left": _pairs(
            ("Auteur" if len(header.authors) < 2 else "Auteurs", [_actor(author) for author in header.authors]),
            ("Validé par", [_actor(signed)] if signed and _who(signed) not in map(_who, header.authors) else []),
            ("Séjour" if stay else "Acte", [_period(start, stop)] if start else []),
        ),
        "meta_right": _pairs(
            ("Destinataires" if len(header.recipients) > 1 else "Destinataire", [_actor(actor) for actor in header.recipients]),
            ("Médecin traitant", [_actor(header.treating_physician)] if header.treating_physician else []),
        ),
        "sections": _with_widths(msgspec.to_builtins(sections)),
    }


def french_moment(stamp: TimeStamp) -> str:
    """A time as it is read in France, with what the sender gave of it: ``22/11/2026 à 08:30``, ``11/2026``, ``2026``."""
    form = {4: "%Y", 6: "%m/%Y", 8: "%d/%m/%Y"}.get(stamp.precision, "%d/%m/%Y à %Hh%M")
    return stamp.at.strftime(form)


def _period(start: TimeStamp, stop: TimeStamp | None) -> str:
    return f"du {french_moment(start)} au {french_moment(stop)}" if stop else f"depuis le {french_moment(start)}"


def _born(gender: str, birth_date: str) -> str:
    date = french_date(birth_date)
    return {"M": "né le ", "F": "née le "}.get(gender, "né(e) le ") + date if date else ""


def _house_lines(house: Organisation | None, unit: Organisation | None, place: str) -> list[str]:
    lines = [name for name in dict.fromkeys((unit.name if unit else "", place)) if name and not (house and name == house.name)]
    if house:
        lines += [", ".join(address.lines) for address in house.addresses[:1]]
        numbers = [telecom.value.removeprefix("tel:") for telecom in house.telecoms if telecom.value.startswith("tel:")]
        lines += [f"Tél. {number}" for number in numbers[:1]]
    return lines


def _actor(actor: Actor) -> str:
    """``DR Charles DAVID, médecine générale (CH de Dax)``."""
    specialty = actor.specialty.label if actor.specialty else ""
    organisation = actor.organisation.name if actor.organisation else ""
    who = _who(actor)
    if not who:
        return organisation
    return ", ".join(_said(who, specialty)) + (f" ({organisation})" if organisation else "")


def _who(actor: Actor) -> str:
    if actor.device is not None:
        return " ".join(_said(actor.device.software, actor.device.model))
    return (actor.name or Name()).text


def _spaced(matricule: str) -> str:
    """A matricule in the groups that people read it by: ``2 79 03 51 215 189 89``."""
    if len(matricule) != 15:
        return matricule
    cuts = (0, 1, 3, 5, 7, 10, 13, 15)
    return "\u00a0".join(matricule[start:end] for start, end in pairwise(cuts))


def _said(*texts: str) -> list[str]:
    return [text for text in texts if text]


def _pairs(*pairs: tuple[str, list[str]]) -> list[dict[str, Any]]:
    """The pairs that say something, at most twelve lines each."""
    return [{"label": label, "lines": lines[:12]} for label, values in pairs if (lines := _said(*values))]


def _with_widths(sections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add to each table the weights of its columns; ``sections`` are in their JSON form. Raises :class:`NotRendered`."""
    cells = 0
    for block in _all_blocks(sections):
        if block["kind"] == "table":
            rows = [*block["head"], *block["rows"]]
            cells += sum(map(len, rows))
            if cells > MAX_CELLS:
                raise NotRendered(f"Les tableaux du document comptent plus de {MAX_CELLS} cellules.")
            block["widths"] = _widths(block["columns"], rows)
    return sections


def _all_blocks(sections: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    waiting = list(sections)
    while waiting:
        found: dict[str, Any] = waiting.pop()
        waiting += found.get("sections", ())
        waiting += found.get("blocks", ())
        waiting += (block for item in found.get("items", ()) for block in item)
        waiting += (cell for row in (*found.get("head", ()), *found.get("rows", ())) for cell in row)
        if found.get("kind") in ("table", "list", "paragraph"):
            yield found


def _widths(columns: int, rows: list[list[dict[str, Any]]]) -> list[float]:
    """Weights that give each column room for its longest word and, by the square root, for its longest text."""
    weights = [2.5] * columns
    for row in rows:
        # A row short of cells lies under one that spans down: its cells' columns are not known here.
        if sum(cell["colspan"] for cell in row) != columns:
            continue
        at = 0
        for cell in row:
            if cell["colspan"] == 1:
                text = " ".join(run.get("text", "") for block in cell["blocks"] for run in block.get("runs", ()))
                longest = max(map(len, text.split()), default=0)
                weights[at] = max(weights[at], math.sqrt(len(text)), min(longest, 20) * 0.62)
            at += cell["colspan"]
    return [round(min(weight, 14.0), 2) for weight in weights]
