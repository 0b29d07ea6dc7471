"""A message as the page shows it: its kind, its patient, and its segments in words."""

from __future__ import annotations

from collections.abc import Mapping

from liaison.hl7.errors import Hl7Error
from liaison.hl7.message import Message
from liaison.hl7.words import describe, segment_name
from liaison.private import Private

#: What the triggers are called in a list (PAM.fr §2.2).
_TITLES: Mapping[str, str] = {
    "A01": "Admission",
    "A02": "Mutation",
    "A03": "Sortie",
    "A04": "Venue externe ou urgences",
    "A05": "Préadmission",
    "A06": "Passage en hospitalisation",
    "A07": "Passage en externe",
    "A11": "Admission annulée",
    "A12": "Mutation annulée",
    "A13": "Sortie annulée",
    "A28": "Nouvelle identité",
    "A31": "Identité mise à jour",
    "A38": "Préadmission annulée",
    "A40": "Fusion d'identités",
    "A47": "Changement d'identifiant",
    "Z99": "Mouvement corrigé",
    "R01": "Document",
    "T02": "Document",
    "T04": "Document retiré",
    "T10": "Document remplacé",
}
_MAX_SEGMENTS = 60
_LONGEST_RAW = 600


class Field(Private, frozen=True, kw_only=True):
    """One field in words."""

    where: str  #: ``PID-5``
    label: str
    value: str


class SegmentInWords(Private, frozen=True, kw_only=True):
    """One segment in words, with its own text, shortened."""

    name: str
    label: str
    fields: tuple[Field, ...]
    raw: str


def in_words(raw: bytes) -> tuple[SegmentInWords, ...]:
    """The segments of a message; none when it is not one."""
    message = _parse(raw)
    if message is None:
        return ()
    shown: list[SegmentInWords] = []
    for segment in message.segments[:_MAX_SEGMENTS]:
        fields = tuple(Field(where=f"{segment.name}-{n}", label=label, value=text) for n, label, text in describe(segment))
        source = segment.raw
        if len(source) > _LONGEST_RAW:
            source = f"{source[:240]} … [{len(source) // 1024} ko]"
        shown.append(SegmentInWords(name=segment.name, label=segment_name(segment), fields=fields, raw=source))
    return tuple(shown)


def title(kind: str) -> str:
    """What a kind of message is called, e.g. ``Sortie`` for ``ADT^A03``; the kind itself when it has no name."""
    return _TITLES.get(kind.partition("^")[2].partition("^")[0], kind)


class Heading(Private, frozen=True, kw_only=True):
    """What a list shows of a message; empty strings where it does not say."""

    kind: str = ""  #: ``ADT^A03``
    control_id: str = ""
    patient: str = ""


def heading(raw: bytes) -> Heading:
    """Kind, control id, and the patient's name in use."""
    message = _parse(raw)
    if message is None:
        return Heading()
    kind = "^".join(part for part in (message.header.value(9), message.header.value(9, 2)) if part)
    patient = ""
    if pid := message.first("PID"):
        used = next((name for name in pid.repetitions(5) if name.component(7) == "D" and name.component(1)), None)
        patient = f"{used.component(1) if used else pid.value(5)} {pid.value(5, 2).title()}".strip()
    return Heading(kind=kind, control_id=message.header.value(10), patient=patient)


def _parse(raw: bytes) -> Message | None:
    try:
        return Message.parse(raw)
    except Hl7Error:
        return None
