"""Faults: the things that readers find wrong, each declared once beside the clause that it breaks."""

from __future__ import annotations

import msgspec

from liaison.finding import Finding, Severity


class Fault(msgspec.Struct, frozen=True):
    """A rule of the standard together with what to say when a message breaks it. The texts are French and name no value."""

    severity: Severity
    #: Stable identifier, ``hl7.<short-name>``.
    rule: str
    message: str
    remedy: str = ""
    #: HL7 table 0357, for the ERR segment; empty where no sender needs it.
    condition: str = ""

    def at(self, where: str) -> Finding:
        """This fault, seen at a place of the message."""
        return Finding(
            severity=self.severity,
            where=where,
            rule=self.rule,
            message=self.message,
            remedy=self.remedy,
            condition=self.condition,
        )


def information(rule: str, message: str, remedy: str = "", condition: str = "") -> Fault:
    """Something worth knowing that costs the sender nothing."""
    return Fault(Severity.INFORMATION, rule, message, remedy, condition)


def warning(rule: str, message: str, remedy: str = "", condition: str = "") -> Fault:
    """A departure from the standard that was understood all the same."""
    return Fault(Severity.WARNING, rule, message, remedy, condition)


def error(rule: str, message: str, remedy: str = "", condition: str = "") -> Fault:
    """A fault that changes what the hub can do with the message."""
    return Fault(Severity.ERROR, rule, message, remedy, condition)


def fatal(rule: str, message: str, remedy: str = "", condition: str = "") -> Fault:
    """A fault that leaves nothing to act on: a person must look."""
    return Fault(Severity.FATAL, rule, message, remedy, condition)
