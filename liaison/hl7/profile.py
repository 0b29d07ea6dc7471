"""The fields that France asks for, and those that it forbids: a table, and what one message makes of it.

R required, RE required where known, C required under a condition, O optional, X forbidden. A field that nobody asks for and nobody
forbids is not in the table. Sources: PAM.fr v2.11.2 §6, IHE ITI TF-2 appendix C for MSH, CI-SIS « Transmission de documents CDA en HL7v2 »
v2.1.2 for ORU and MDM.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from liaison.finding import Finding, Severity
from liaison.hl7.message import Message, Segment
from liaison.hl7.triggers import TRIGGERS, Transaction
from liaison.hl7.vocabulary import FIELDS, SEGMENTS


class Usage(enum.StrEnum):
    """Whether a field is to be valued (HL7 v2.5 §2.12.4)."""

    REQUIRED = "R"
    #: Required where the sender knows it: its absence alone is no fault.
    EXPECTED = "RE"
    CONDITIONAL = "C"
    OPTIONAL = "O"
    FORBIDDEN = "X"


class When(enum.StrEnum):
    """The condition of a conditional field, in French."""

    ALWAYS = ""
    MOVEMENT = "message de mouvement (ITI-31)"
    #: PAM.fr §5.1.1.
    LOCATED = "mouvement qui dit l’UF d’hébergement"
    ADMISSION = "admission ou inscription (A01, A04)"
    EXTERNAL = "activité externe (A04 ou A07, PV1-2 = O)"
    PREADMISSION = "préadmission (A05)"
    DISCHARGE = "sortie définitive (A03)"
    LEAVE = "absence provisoire (A21)"
    MERGE = "fusion ou changement d’identifiant (A40, A47)"
    CORRECTION = "ZBE-4 vaut UPDATE ou CANCEL"
    MEDICAL = "ZBE-9 contient M"
    CARE = "ZBE-9 contient S"
    IN_VENUE = "PV1-2 autre que N"
    NATIONAL_IDENTITY = "une INS est émise"
    REPLACEMENT = "remplacement (T10)"


class Constraint(msgspec.Struct, frozen=True, kw_only=True):
    """What France says of one field, or of a whole segment when ``field`` is 0."""

    segment: str
    field: int
    usage: Usage
    clause: str
    when: When = When.ALWAYS

    @property
    def place(self) -> str:
        """``PID-3``, or ``ZBE`` for the segment."""
        return f"{self.segment}-{self.field}" if self.field else self.segment

    @property
    def label(self) -> str:
        """Its French name; empty when none is known, as for most forbidden fields."""
        if not self.field:
            return SEGMENTS.get(self.segment, "")
        return FIELDS.get(self.segment, {}).get(self.field, ("", ""))[1]


class Applied(msgspec.Struct, frozen=True, gc=False):
    """One constraint before one message."""

    constraint: Constraint
    #: Whether this message is to value it: must, or must if the sender knows it.
    due: bool
    valued: bool

    @property
    def broken(self) -> bool:
        """Whether the message does not keep to it."""
        usage = self.constraint.usage
        return usage is Usage.FORBIDDEN if self.valued else self.due and usage is not Usage.EXPECTED

    @property
    def fault(self) -> Finding | None:
        """What is wrong, if anything."""
        if not self.broken:
            return None
        return _forbidden(self.constraint) if self.valued else _missing(self.constraint)


R, RE, C, O, X = Usage.REQUIRED, Usage.EXPECTED, Usage.CONDITIONAL, Usage.OPTIONAL, Usage.FORBIDDEN


def _of(segment: str, clause: str, usage: Usage, *fields: int, when: When = When.ALWAYS) -> Iterator[Constraint]:
    for field in fields:
        yield Constraint(segment=segment, field=field, usage=usage, clause=clause, when=when)


_IHE_MSH: Final = "IHE ITI TF-2, annexe C"
_VOLET: Final = "CI-SIS, Transmission de documents CDA en HL7v2"

_PAM: Final[tuple[Constraint, ...]] = (
    *_of("MSH", _IHE_MSH, R, 3, 4, 5, 6, 7, 9, 10, 11, 12),
    *_of("MSH", _IHE_MSH, RE, 17, 18, 21),
    *_of("EVN", "PAM.fr §6.4", X, 1),
    *_of("EVN", "PAM.fr §6.4", R, 2),
    *_of("EVN", "PAM.fr §6.4", O, 3, 5, 6, 7),
    *_of("PID", "PAM.fr §6.6", X, 2, 4, 9, 10, 12, 17, 19, 20, 22, 28),
    *_of("PID", "PAM.fr §6.6.1", R, 3),
    *_of("PID", "PAM.fr §6.6.2", R, 5),
    *_of("PID", "PAM.fr §6.6.15", R, 32),
    *_of("PID", "PAM.fr §6.6.1", C, 7, 8, 11, when=When.NATIONAL_IDENTITY),
    *_of("PID", "PAM.fr §6.6", C, 18, when=When.MOVEMENT),
    *_of("PID", "PAM.fr §6.6", O, 6, 13, 14, 15, 16, 21, 23, 24, 25, 26, 29, 30, 31, 33, 34),
    *_of("PD1", "PAM.fr §5.2", O, 12),
    *_of("ROL", "PAM.fr §6.8", RE, 0, when=When.ADMISSION),
    *_of("ROL", "PAM.fr §6.8", R, 2, 3, 4),
    *_of("ROL", "PAM.fr §6.8", O, 1, 5, 6, 11, 12),
    *_of("NK1", "PAM.fr §6.6", X, 25, 28, 35),
    *_of("NK1", "PAM.fr, segment NK1", R, 33),
    *_of("NK1", "PAM.fr, segment NK1", O, 2, 3, 7),
    *_of("PV1", "PAM.fr §5.2", C, 0, when=When.MOVEMENT),
    *_of("PV1", "PAM.fr §6.10", R, 2),
    *_of("PV1", "PAM.fr §5.1.1", C, 3, when=When.LOCATED),
    *_of("PV1", "PAM.fr §6.10", X, 9, 40, 52),
    *_of("PV1", "PAM.fr §6.10", C, 19, when=When.IN_VENUE),
    *_of("PV1", "PAM.fr §6.10.18", RE, 41, when=When.DISCHARGE),
    *_of("PV1", "PAM.fr §6.10", RE, 44, when=When.MOVEMENT),
    *_of("PV1", "PAM.fr §6.10", RE, 45, when=When.DISCHARGE),
    *_of("PV1", "PAM.fr §6.10", O, 4, 5, 7, 8, 10, 14, 16, 17, 20, 21, 22, 36, 37, 51),
    *_of("PV2", "PAM.fr §6.11", X, 3),
    *_of("PV2", "PAM.fr §6.11", C, 7, when=When.EXTERNAL),
    *_of("PV2", "PAM.fr §6.11", RE, 8, when=When.PREADMISSION),
    *_of("PV2", "PAM.fr §6.11", RE, 47, when=When.LEAVE),
    *_of("PV2", "PAM.fr §6.11", O, 2, 9, 12, 18, 22, 30, 38),
    *_of("ZBE", "PAM.fr §6.13", C, 0, when=When.MOVEMENT),
    *_of("ZBE", "PAM.fr §6.13", R, 1, 2, 4, 5, 9),
    *_of("ZBE", "PAM.fr §6.13", X, 3),
    *_of("ZBE", "PAM.fr §6.13", C, 6, when=When.CORRECTION),
    *_of("ZBE", "PAM.fr §5.1.1", C, 7, when=When.MEDICAL),
    *_of("ZBE", "PAM.fr §5.1.1", C, 8, when=When.CARE),
    *_of("ZFA", "PAM.fr §6.14", RE, 1, 2, 3, 9, 10, 11, 12),
    *_of("ZFA", "PAM.fr §6.14", X, 4, 5, 6, 7, 8),
    *_of("ZFP", "PAM.fr §6.15", RE, 1, 2),
    *_of("ZFV", "PAM.fr §6.16", X, 3, 10),
    *_of("ZFV", "PAM.fr §6.16", O, 1, 2, 4, 5, 6, 7, 8, 9, 11),
    *_of("ZFM", "PAM.fr §6.17", O, 1, 2, 3, 4, 5),
    *_of("ZFD", "PAM.fr §6.18", O, 1, 2, 3),
    *_of("ZFD", "PAM.fr §6.18", RE, 4, 5, 6, 7, 8),
    *_of("ZFS", "PAM.fr §6.19", R, 1, 2, 3, 5, 6),
    *_of("ZFS", "PAM.fr §6.19", RE, 4),
    *_of("ZFS", "PAM.fr §6.19", O, 7, 8),
    *_of("MRG", "PAM.fr §4.4", C, 1, when=When.MERGE),
)

_DOCUMENT: Final[tuple[Constraint, ...]] = (
    *_of("MSH", _VOLET, R, 3, 4, 7, 9, 10, 11, 12, 17, 18, 21),
    *_of("PID", "PAM.fr §6.6", X, 2, 4, 9, 10, 12, 17, 19, 20, 22, 28),
    *_of("PID", _VOLET, R, 3, 5),
    *_of("PID", "PAM.fr §6.6.15", R, 32),
    *_of("PID", "PAM.fr §6.6.1", C, 7, 8, 11, when=When.NATIONAL_IDENTITY),
    *_of("PID", _VOLET, RE, 18),
    *_of("PV1", _VOLET, R, 2),
    *_of("PV1", _VOLET, C, 19, when=When.IN_VENUE),
    *_of("PV1", _VOLET, RE, 44, 45),
    *_of("PV1", "PAM.fr §6.10", X, 9, 40, 52),
    *_of("ORC", _VOLET, R, 1),
    *_of("OBR", _VOLET, R, 4),
    *_of("TXA", _VOLET, R, 1, 2, 3, 12, 17),
    *_of("TXA", _VOLET, C, 13, when=When.REPLACEMENT),
    *_of("OBX", _VOLET, R, 2, 3, 5, 11),
    *_of("PRT", _VOLET, R, 2, 4),
    *_of("PRT", _VOLET, O, 5, 8, 10, 15),
)


def _by_segment(constraints: Iterable[Constraint]) -> Mapping[str, tuple[Constraint, ...]]:
    grouped: dict[str, list[Constraint]] = {}
    for constraint in constraints:
        grouped.setdefault(constraint.segment, []).append(constraint)
    return MappingProxyType({segment: tuple(rows) for segment, rows in grouped.items()})


#: MSH-9.1 → segment → its constraints. Other types of message have no French profile.
PROFILES: Final[Mapping[str, Mapping[str, tuple[Constraint, ...]]]] = MappingProxyType(
    {"ADT": _by_segment(_PAM), "ORU": _by_segment(_DOCUMENT), "MDM": _by_segment(_DOCUMENT)}
)
#: Events whose message says the UF of lodging (PAM.fr §5.1.1); a Z99 does so when ZBE-9 names lodging.
LOCATED: Final = frozenset(
    {"A01", "A04", "A11", "A03", "A13", "A02", "A12", "A14", "A27", "A15", "A26", "A16", "A25", "A21", "A22", "A06", "A07"}
)


def apply_profile(message: Message, kind: str, event: str) -> tuple[Applied, ...]:
    """What the profile of a message's type makes of it: every constraint that is due or valued here.

    ``kind`` and ``event`` are MSH-9.1 and MSH-9.2 in upper case. The first segment of each name is looked at; where a segment that is not due is
    absent nothing is said of its fields.
    """
    profile = PROFILES.get(kind)
    if profile is None:
        return ()
    firsts: dict[str, Segment] = {}
    for segment in message.segments:
        firsts.setdefault(segment.name, segment)
    circumstances = circumstances_of(firsts, event)
    applied: list[Applied] = []
    for name, constraints in profile.items():
        found = firsts.get(name)
        for constraint in constraints:
            usage = constraint.usage
            if constraint.field:
                valued = found is not None and found.raw_field(constraint.field) != ""
            else:
                valued = found is not None
            if constraint.when:
                due = constraint.when in circumstances
            else:
                due = found is not None and usage in _ASKED
            if due or valued:
                applied.append(Applied(constraint, due, valued))
    return tuple(applied)


def circumstances_of(firsts: Mapping[str, Segment], event: str) -> frozenset[When]:
    """The conditions that a message meets; ``firsts`` holds the first segment of each name."""
    met = {_OF_EVENT[event]} if event in _OF_EVENT else set[When]()
    pv1, zbe, pid = firsts.get("PV1"), firsts.get("ZBE"), firsts.get("PID")
    trigger = TRIGGERS.get(event)
    if trigger is not None and trigger.transaction is Transaction.MOVEMENT and trigger.deed is not None:
        met.add(When.MOVEMENT)
    patient_class = pv1.value(2).strip().upper() if pv1 is not None else ""
    if patient_class not in ("", "N"):
        met.add(When.IN_VENUE)
    if patient_class == "O" and event in ("A04", "A07"):
        met.add(When.EXTERNAL)
    nature = zbe.value(9).strip().upper() if zbe is not None else ""
    if event in LOCATED or (event == "Z99" and "H" in nature):
        met.add(When.LOCATED)
    if "M" in nature:
        met.add(When.MEDICAL)
    if "S" in nature:
        met.add(When.CARE)
    if zbe is not None and zbe.value(4).strip().upper() in ("UPDATE", "CANCEL"):
        met.add(When.CORRECTION)
    if pid is not None and any(one.component(5).strip().upper() == "INS" for one in pid.repetitions(3)):
        met.add(When.NATIONAL_IDENTITY)
    return frozenset(met)


_ASKED: Final = frozenset({Usage.REQUIRED, Usage.EXPECTED})
_OF_EVENT: Final[Mapping[str, When]] = {
    "A01": When.ADMISSION,
    "A04": When.ADMISSION,
    "A05": When.PREADMISSION,
    "A03": When.DISCHARGE,
    "A21": When.LEAVE,
    "A40": When.MERGE,
    "A47": When.MERGE,
    "T10": When.REPLACEMENT,
}


def _named(constraint: Constraint) -> str:
    return f"{constraint.place} ({constraint.label})" if constraint.label else constraint.place


def _missing(constraint: Constraint) -> Finding:
    asked = f"attendu ici ({constraint.when})" if constraint.when else "obligatoire"
    return Finding(
        severity=Severity.WARNING,
        where=constraint.place,
        rule="hl7.field-missing",
        message=f"{_named(constraint)} n’est pas valué alors qu’il est {asked} ({constraint.clause}).",
        remedy=f"Renseigner {constraint.place}.",
        condition="101",
    )


def _forbidden(constraint: Constraint) -> Finding:
    return Finding(
        severity=Severity.INFORMATION,
        where=constraint.place,
        rule="hl7.field-forbidden",
        message=f"{_named(constraint)}, interdit ou retiré en France, est valué ({constraint.clause}).",
        remedy=f"Laisser {constraint.place} vide.",
    )
