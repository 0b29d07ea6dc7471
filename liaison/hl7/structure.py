"""Structure of a message held against HL7's own tables by hl7apy: order of segments, repetitions, data types, tables, lengths.

A second opinion beside PAM.fr's profile: the tables are those of HL7 International, which know neither the French segments and codes
nor PRT in versions 2.5 and 2.6. It costs a hundred times a reading, so that only who asks for it gets it.
"""

from __future__ import annotations

import os
import re
from typing import Final

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.core import Message as Parsed
from hl7apy.exceptions import HL7apyException, ValidationError
from hl7apy.parser import parse_message
from hl7apy.validation import Validator

from liaison.finding import Finding
from liaison.hl7.faults import Fault, error, information, warning
from liaison.hl7.message import Message, Segment

#: Bounds on what is handed over: its time grows with the square of the segments.
MAX_SEGMENTS: Final = 300
_LONGEST_FIELD: Final = 2_000
#: Segments that the French volets borrow from a later version (CI-SIS, Transmission d'un document CDA en HL7v2: PRT of v2.9).
_BORROWED: Final = frozenset({"PRT"})

MISSING: Final = error(
    "hl7.structure-missing",
    "Un élément que la structure du message rend obligatoire est absent (tables de HL7).",
    "Émettre le segment ou le champ nommé.",
)
TOO_MANY: Final = error(
    "hl7.structure-repeated",
    "Un élément se répète plus souvent que la structure du message ne le permet (tables de HL7).",
    "N'émettre que le nombre permis de ce segment ou de ce champ.",
)
UNEXPECTED: Final = error(
    "hl7.structure-unexpected",
    "Un élément n'a pas sa place là où il est émis (tables de HL7).",
    "Retirer cet élément, ou l'émettre à sa place dans la structure.",
)
DATATYPE: Final = error(
    "hl7.structure-datatype",
    "Un élément n'a pas le type de donnée prévu (tables de HL7).",
    "Écrire le champ selon son type.",
)
TABLE: Final = information(
    "hl7.structure-table",
    "Un code n'est pas dans la table de HL7 ; les codes propres à la France n'y sont pas non plus.",
)
LENGTH: Final = information("hl7.structure-length", "Une valeur dépasse la longueur que HL7 donne à cet élément.")
NOT_CHECKED: Final = warning(
    "hl7.structure-not-checked",
    "La structure n'a pas pu être vérifiée : version, événement ou forme du message que les tables de HL7 ne connaissent pas.",
    "Vérifier MSH-9 (trois composantes) et MSH-12.",
)
TOO_LONG: Final = information(
    "hl7.structure-too-long",
    f"La structure n'est pas vérifiée au-delà de {MAX_SEGMENTS} segments.",
)

#: What the library says, and the fault that it is. A value may stand in it: only the element's name is taken.
_SAID: Final[tuple[tuple[re.Pattern[str], Fault], ...]] = (
    (re.compile(r"Error: Missing required child (\S+)"), MISSING),
    (re.compile(r"Error: Child limit exceeded (\S+)"), TOO_MANY),
    (re.compile(r"Error: Datatype \S+ is not correct for (\S+) .*"), DATATYPE),
    (re.compile(r"Error: (?:Invalid|Unknown) .*"), UNEXPECTED),
    (re.compile(r"Warning: Value .* not in table \S+ in element (\S+)"), TABLE),
    (re.compile(r"Warning: Exceeded max length \(\d+\) of (\S+)"), LENGTH),
)
_FIELD: Final = re.compile(r"(?:\w+\.)?([A-Z][A-Z0-9]{2})_(\d{1,3})")
#: A segment, or a group of segments such as ``ORU_R01_PATIENT_RESULT``.
_NAME: Final = re.compile(r"(?:\w+\.)?([A-Z][A-Z0-9]{2}(?:_[A-Z]\d\d_[A-Z_]{1,40})?)")


def structure_findings(message: Message) -> tuple[Finding, ...]:
    """What HL7's tables say against a message, each fault once a place. Never raises for what the message holds."""
    segments = [segment for segment in message.segments if segment.name not in _BORROWED]
    if len(segments) > MAX_SEGMENTS:
        return (TOO_LONG.at("MSH"),)
    text = "".join(f"{_shortened(segment, message.delimiters.field)}\r" for segment in segments)
    try:
        parsed = parse_message(text, validation_level=VALIDATION_LEVEL.TOLERANT)
        said = _report(parsed)
    except (HL7apyException, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError):
        return (NOT_CHECKED.at("MSH-9"),)
    names = frozenset(segment.name for segment in segments)
    found = (finding for line in said if (finding := _finding(line, names)) is not None)
    return tuple(dict.fromkeys(found))


def _shortened(segment: Segment, separator: str) -> str:
    """The segment with its longest fields cut: a document in base64 has no structure to look at."""
    if len(segment.raw) <= _LONGEST_FIELD:
        return segment.raw
    return separator.join(field[:_LONGEST_FIELD] for field in segment.raw.split(separator))


def _report(parsed: Parsed) -> list[str]:
    """The library's report, written to memory: values stand in it, and no file may hold any."""
    descriptor = os.memfd_create("structure")
    try:
        try:
            Validator.validate(parsed, report_file=f"/proc/self/fd/{descriptor}")
        except ValidationError:
            pass  # the first of what the report says
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, size, 0).decode("utf-8", "replace").splitlines()
    finally:
        os.close(descriptor)


def _finding(line: str, names: frozenset[str]) -> Finding | None:
    for pattern, fault in _SAID:
        match = pattern.fullmatch(line)
        if match is not None:
            return fault.at(_place(match.group(1), names) if match.groups() else "")
    return None


def _place(element: str, names: frozenset[str]) -> str:
    """``PID-3`` for ``PID.PID_3``, ``EVN`` for ``ADT_A01.EVN``; empty for a component, of which the library tells no field."""
    field = _FIELD.fullmatch(element)
    if field is not None:
        return f"{field.group(1)}-{field.group(2)}" if field.group(1) in names else ""
    name = _NAME.fullmatch(element)
    return name.group(1) if name is not None else ""
