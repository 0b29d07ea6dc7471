"""A finding: one thing a reader noticed about what it read, said without repeating any of it."""

from __future__ import annotations

import enum

import msgspec


class Severity(enum.StrEnum):
    """How bad a finding is, after the HL7 table 0516 with *fatal* for what cannot be understood."""

    INFORMATION = "information"
    WARNING = "warning"
    ERROR = "error"
    FATAL = "fatal"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, where, and what to tell the software's vendor. Never carries a value of the message."""

    severity: Severity
    #: The place in the format's own words: ``PID-3[2].4``, ``/ClinicalDocument/setId``, ``Subject``, ``ligne 12``.
    where: str
    #: A stable identifier of the rule, ``<format>.<short-name>``, e.g. ``hl7.ins-not-validated``.
    rule: str
    #: One French sentence that says what was seen and which clause it breaks.
    message: str
    #: One French sentence that says what to do about it; empty when there is nothing to do.
    remedy: str = ""
    #: The HL7 table 0357 condition that an ERR segment carries for it; empty when no sender needs it.
    condition: str = ""


def worst(findings: tuple[Finding, ...]) -> Severity | None:
    """The highest severity present, or None when there is no finding."""
    order = tuple(Severity)
    return max((finding.severity for finding in findings), key=order.index, default=None)
