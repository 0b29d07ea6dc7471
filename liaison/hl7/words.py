"""A segment in words: its fields named in French, its codes told, its dates and names as people write them.

For the eyes of somebody who may see the message: the text is identity and health data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC

from liaison.hl7.message import NULL, Repetition, Segment
from liaison.hl7.timestamp import Precision, parse_ts
from liaison.hl7.vocabulary import DOCUMENT_FLAGS, FIELDS, SEGMENTS, TABLES

#: Longer values are told by their size.
LONGEST = 240


def segment_name(segment: Segment) -> str:
    """The segment's name in French; ``Segment ZXX`` when it is not known."""
    return SEGMENTS.get(segment.name, f"Segment {segment.name}")


def describe(segment: Segment) -> list[tuple[int, str, str]]:
    """Number, French label and text of each field that says something; delimiters are left out."""
    known = FIELDS.get(segment.name, {})
    lines: list[tuple[int, str, str]] = []
    for number in range(3 if segment.name in ("MSH", "FHS", "BHS") else 1, segment.field_count + 1):
        if not segment.raw_field(number):
            continue
        kind, label = known.get(number, ("", f"Champ {number}"))
        if kind == "VAR":
            kind = segment.value(2)
        text = " ; ".join(told for repetition in segment.repetitions(number) if (told := _tell(repetition, kind)))
        if text:
            lines.append((number, _label(segment, number, label), text))
    return lines


def _label(segment: Segment, number: int, label: str) -> str:
    """OBX-5 of a document's flags is named after the flag."""
    if segment.name == "OBX" and number == 5:
        return DOCUMENT_FLAGS.get(segment.value(3).strip(), label)
    return label


def _tell(repetition: Repetition, kind: str) -> str:
    if repetition.is_null:
        return "(à supprimer)"
    if kind == "ED":
        return _encapsulated(repetition)
    if kind.startswith("="):
        return _coded(repetition, kind[1:])
    return _shortened(_WAYS.get(kind, _plain)(repetition))


def _plain(repetition: Repetition) -> str:
    parts = (repetition.component(n) for n in range(1, min(repetition.components, 30) + 1))
    return _joined(*parts, by=" · ")


def _coded(repetition: Repetition, table: str) -> str:
    code = repetition.component(1).strip()
    meanings = TABLES[table]
    if table == "ZBE-9":  # a set of letters, whatever its order (PAM.fr §6.13)
        told = ", ".join(meanings.get(letter, "?") for letter in code)
    else:
        told = meanings.get(code, "") or repetition.component(2)
    return _shortened(f"{told} ({code})" if told else code)


def _encapsulated(repetition: Repetition) -> str:
    """A document: what it is and its size, never its bytes (HL7 v2.5 §2.A.24)."""
    size = len(repetition.component(5))
    described = _joined(*(repetition.component(n) for n in (1, 2, 3, 4)), by=" · ")
    return _joined(described, f"{size:,} caractères".replace(",", "\u202f"), by=", ")


def _time(repetition: Repetition) -> str:
    text = repetition.component(1)
    time = parse_ts(text, UTC)
    if time is None:
        return text
    day = {Precision.YEAR: "%Y", Precision.MONTH: "%m/%Y"}.get(time.precision, "%d/%m/%Y")
    hour = {Precision.HOUR: " %Hh", Precision.MINUTE: " %H:%M"}.get(time.precision, " %H:%M:%S")
    return time.at.strftime(day + (hour if time.precision > Precision.DAY else ""))


def _identifier(repetition: Repetition) -> str:
    """CX: number, then its type and authority."""
    authority = repetition.component(4) or repetition.component(4, 2)
    return _with(repetition.component(1), repetition.component(5), authority)


def _entity(repetition: Repetition) -> str:
    """EI: number, then its authority."""
    return _with(repetition.component(1), repetition.component(2) or repetition.component(3))


def _person(repetition: Repetition) -> str:
    """XPN: type D display, L birth name (legal), S pseudonym (IHE France, types de données N.10)."""
    kind = {"L": "naissance", "D": "usuel", "S": "pseudonyme", "U": "inconnu"}.get(repetition.component(7), repetition.component(7))
    given = repetition.component(3) if repetition.component(7) == "L" else ""
    return _with(_joined(repetition.component(1), given or repetition.component(2), by=" "), kind)


def _professional(repetition: Repetition) -> str:
    """XCN: prefix and name, then the number and its kind."""
    name = _joined(repetition.component(6), repetition.component(3), repetition.component(2), by=" ")
    number = _joined(repetition.component(13), repetition.component(1), by=" ")
    return _with(name, number) if name else number


def _place(repetition: Repetition) -> str:
    """PL: unit, room, bed, establishment."""
    names = ("UF", "chambre", "lit", "")
    return _joined(*(_joined(name, repetition.component(n), by=" ") if repetition.component(n) else ""
                     for n, name in enumerate(names, 1)), by=", ")  # fmt: skip


def _coded_text(repetition: Repetition) -> str:
    """CE and CWE: label, then code."""
    code, label = repetition.component(1), repetition.component(2)
    if repetition.component(3) == "expandedYes-NoIndicator" or (code in ("Y", "N") and not label):
        return TABLES["YN"].get(code.strip(), code)
    return _with(label, code) if label else code


def _organisation(repetition: Repetition) -> str:
    """XON: name, then type and number."""
    name, number = repetition.component(1), _joined(repetition.component(7), repetition.component(10), by=" ")
    return _with(name, number) if name else number


def _address(repetition: Repetition) -> str:
    """XAD; type BDL is the birthplace, its INSEE code in component 9 (PAM.fr §6.6.8)."""
    lines = _joined(*(repetition.component(n) for n in (1, 2, 5, 3, 6)), by=" ")
    if repetition.component(7) in ("BDL", "BR"):
        return _joined("né(e) à", lines, _with("", repetition.component(9) or repetition.component(8)), by=" ")
    return lines


def _telecom(repetition: Repetition) -> str:
    return _joined(*(repetition.component(n) for n in (4, 12, 7)), by=" ") or repetition.component(1)


def _message_type(repetition: Repetition) -> str:
    return _joined(repetition.component(1), repetition.component(2), by=" ")


def _error_place(repetition: Repetition) -> str:
    """ERL: segment, occurrence, field, repetition, component."""
    segment, occurrence, field, index, component = (repetition.component(n) for n in range(1, 6))
    place = segment if occurrence in ("", "1") else f"{segment}[{occurrence}]"
    if field:
        place += f"-{field}" if index in ("", "1") else f"-{field}[{index}]"
    return f"{place}.{component}" if component else place


def _authority(repetition: Repetition) -> str:
    """HD: name, then universal id."""
    name = repetition.component(1)
    return _with(name, repetition.component(2)) if name else repetition.component(2)


_WAYS: Mapping[str, Callable[[Repetition], str]] = {
    "TS": _time, "DT": _time, "DTM": _time, "CX": _identifier, "EI": _entity, "XPN": _person, "XCN": _professional,
    "PL": _place, "CE": _coded_text, "CWE": _coded_text, "DLD": _coded_text, "XON": _organisation, "XAD": _address,
    "XTN": _telecom, "MSG": _message_type, "ERL": _error_place, "HD": _authority,
}  # fmt: skip


def _with(text: str, *details: str) -> str:
    inner = _joined(*details, by=", ")
    return _joined(text, f"({inner})" if inner else "", by=" ")


def _joined(*parts: str, by: str) -> str:
    return by.join(part for part in parts if part and part != NULL)


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} caractères)"
