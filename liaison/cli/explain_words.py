"""The words and colours that explanations share, and data made fit for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from liaison.finding import Severity
from liaison.hl7.triggers import TRIGGERS
from liaison.hub.contracts import Verdict
from liaison.hub.explain import UNKNOWN
from liaison.rules.decision import Outcome, Owner

#: Mark, colour, and the word.
VERDICTS: Final[Mapping[Verdict, tuple[str, str, str]]] = {
    Verdict.ACCEPTED: ("✓", "green", "Accepté"),
    Verdict.ACCEPTED_WITH_FINDINGS: ("✓", "yellow", "Accepté, avec des remarques"),
    Verdict.IGNORED: ("○", "cyan", "Acquitté et conservé, sans effet"),
    Verdict.QUARANTINED: ("✗", "red", "En quarantaine : gardé entier, une personne doit le voir"),
    Verdict.REFUSED: ("✗", "red", "Refusé"),
}
SEVERITIES: Final[Mapping[Severity, tuple[str, str, str]]] = {
    Severity.FATAL: ("✗", "bold red", "bloquant"),
    Severity.ERROR: ("✗", "red", "erreur"),
    Severity.WARNING: ("▲", "yellow", "avertissement"),
    Severity.INFORMATION: ("i", "cyan", "information"),
}
OUTCOMES: Final[Mapping[Outcome, tuple[str, str, str]]] = {
    Outcome.DELIVER: ("→", "green", "part"),
    Outcome.HOLD: ("‖", "yellow", "attend une personne"),
    Outcome.DROP: ("×", "bright_black", "ne part pas"),
    Outcome.SHADOW: ("◌", "magenta", "ne part pas encore"),
}
#: What would have happened to what is shadowed.
WOULD: Final[Mapping[Outcome, str]] = {Outcome.DELIVER: "sinon, partirait", Outcome.HOLD: "sinon, attendrait une personne"}
OWNERS: Final[Mapping[Owner, str]] = {Owner.NOBODY: "", Owner.HOSPITAL: "l'établissement", Owner.GCS: "le GCS"}

_KINDS: Final[Mapping[str, str]] = {
    "CDA": "document CDA seul",
    "XDM": "archive IHE XDM",
    "MAIL": "courriel",
    UNKNOWN: "fichier non reconnu",
    "ORU": "transmission d'un document",
    "ACK": "acquittement technique",
    "ZAM": "accusé métier",
}
_DOCUMENT_EVENTS: Final[Mapping[str, str]] = {
    "T02": "transmission d'un document",
    "T04": "suppression d'un document",
    "T10": "remplacement d'un document",
}
_ZONE = ZoneInfo("Europe/Paris")


def kind_in_words(kind: str) -> str:
    """What a kind of message is called: ``sortie définitive`` for ``ADT^A03``; empty when it has no name."""
    family, _, event = kind.partition("^")
    trigger = TRIGGERS.get(event)
    if family == "ADT" and trigger is not None:
        return trigger.meaning
    return _DOCUMENT_EVENTS.get(event, "") if family == "MDM" else _KINDS.get(family, "")


def clean(text: str) -> str:
    """A message's text as a terminal may show it: no escape sequence, no control of any kind, one line."""
    return "".join(
        char if char.isprintable() else " " if char.isspace() or unicodedata.category(char) == "Zs" else "�" for char in text
    )


def time_in_words(at: datetime) -> str:
    """A time as it is on the clocks of the hospital."""
    return at.astimezone(_ZONE).strftime("%d/%m/%Y %H:%M")


def day_in_words(text: str) -> str:
    """``YYYYMMDD`` or shorter, as people write it."""
    parts = (text[6:8], text[4:6], text[:4])
    return "/".join(part for part in parts if part) if text.isdigit() and len(text) in (4, 6, 8) else text


def plural(number: int, noun: str) -> str:
    """``2 messages``."""
    return f"{number} {noun}{'s' if number > 1 else ''}"
