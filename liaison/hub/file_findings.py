"""What is said of a file as a whole: that it is empty, alone, of a sort that the hub does not read."""

from __future__ import annotations

from typing import Final

from liaison.finding import Finding, Severity
from liaison.mssante.container import UnsafeArchive

#: Largest file that is explained.
MAX_FILE: Final = 100_000_000


def unsafe(fault: UnsafeArchive) -> Finding:
    """Why an archive was not opened."""
    return Finding(
        severity=Severity.FATAL,
        where="archive",
        rule=fault.rule,
        message=fault.message,
        remedy="Demander à l'émetteur de produire l'archive à nouveau (IHE_XDM.ZIP, ITI TF-2 §3.32).",
    )


def _finding(severity: Severity, rule: str, message: str, remedy: str = "") -> Finding:
    """A finding about a file as a whole."""
    return Finding(severity=severity, where="fichier", rule=f"file.{rule}", message=message, remedy=remedy)


EMPTY: Final = _finding(
    Severity.FATAL, "empty", "Le fichier est vide.", "Vérifier l'export ou le transfert qui l'a produit, puis recommencer."
)
FOREIGN: Final = _finding(
    Severity.FATAL,
    "foreign",
    "Le fichier n'est pas un message.",
    "Donner le message, le CDA, l'archive ou le courriel (.eml) complet.",
)
PDF_ALONE: Final = _finding(
    Severity.FATAL,
    "pdf-alone",
    "Le fichier est un PDF seul : rien ne dit de quel patient il est, ni pour qui.",
    "Déposer à côté, sous le même nom, un fichier d'accompagnement en JSON, XML ou CSV (docs/connecting.md).",
)
SIDE_ALONE: Final = _finding(
    Severity.FATAL,
    "side-alone",
    "Le fichier d'accompagnement est seul : le PDF qu'il décrit n'est pas là.",
    "Déposer le PDF sous le même nom, à l'extension près.",
)
UTF16: Final = _finding(
    Severity.FATAL,
    "encoding",
    "Le fichier est en UTF-16, que la plateforme ne lit pas.",
    "L'écrire en UTF-8, ou en ISO 8859-15 en le déclarant dans MSH-18.",
)
NO_DOCUMENT: Final = _finding(
    Severity.FATAL, "no-document", "L'archive ne contient aucun document CDA.", "Joindre le CDA et le METADATA.XML qui le décrit."
)
PLAIN_MAIL: Final = _finding(
    Severity.INFORMATION, "plain-mail", "Le courriel ne porte ni archive XDM ni CDA : il n'y a rien à en tirer pour la plateforme."
)
RECEIPT: Final = _finding(
    Severity.INFORMATION,
    "receipt",
    "Le courriel est un accusé de réception ou de lecture (DSN, MDN) : il se rattache à l'envoi d'origine, pas à un fichier seul.",
)

TOO_LARGE: Final = _finding(
    Severity.FATAL, "too-large", f"Le fichier dépasse {MAX_FILE // 1_000_000} Mo.", "Le découper, ou n'en donner qu'un extrait."
)
MISSING: Final = _finding(Severity.FATAL, "missing", "Le fichier n'existe pas.", "Vérifier le chemin.")
DIRECTORY: Final = _finding(
    Severity.FATAL, "directory", "C'est un dossier et non un fichier.", "Nommer les fichiers du dossier, par exemple DOSSIER/*.hl7."
)
FORBIDDEN: Final = _finding(Severity.FATAL, "unreadable", "Le fichier ne peut être lu.", "Vérifier les droits sur le fichier.")
NO_MESSAGE: Final = _finding(
    Severity.FATAL,
    "no-message",
    "Le lot ne contient aucun message (segment MSH).",
    "Vérifier que le fichier a été écrit en entier.",
)
