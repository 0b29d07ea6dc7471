"""What folding had to suppose: notes kept in a state by the name of their rule, and their words for people."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from liaison.finding import Finding, Severity

UPDATE_OF_UNKNOWN = "care.update-of-unknown-movement"
CANCEL_OF_UNKNOWN = "care.cancel-of-unknown-movement"
MOVEMENT_AFTER_DISCHARGE = "care.movement-after-discharge"
UNKNOWN_PARENT = "care.unknown-parent-document"
WITHDRAWAL_OF_UNKNOWN = "care.withdrawal-of-unknown-document"
PUBLISHED_AFTER_WITHDRAWAL = "care.published-after-withdrawal"
SAME_VERSION = "care.same-version-twice"
DOCUMENT_CONFLICT = "care.document-conflict"


class _Words(msgspec.Struct, frozen=True):
    severity: Severity
    where: str
    message: str
    remedy: str


_WORDS: Mapping[str, _Words] = {
    UPDATE_OF_UNKNOWN: _Words(
        Severity.WARNING,
        "ZBE-1",
        "Correction d'un mouvement qui n'avait pas été reçu : le mouvement est créé (PAM.fr §5.3.2 : Z99 ne peut pas insérer).",
        "Vérifier que les messages d'insertion partent bien vers Liaison, et avant les corrections.",
    ),
    CANCEL_OF_UNKNOWN: _Words(
        Severity.WARNING,
        "ZBE-1",
        "Annulation d'un mouvement qui n'avait pas été reçu : elle est retenue et s'appliquera s'il arrive (PAM.fr §5.3.7).",
        "Vérifier que ZBE-1 reprend l'identifiant du mouvement annulé.",
    ),
    MOVEMENT_AFTER_DISCHARGE: _Words(
        Severity.WARNING,
        "ZBE-2",
        "Mouvement daté après la sortie définitive : il est conservé sans changer la situation du patient.",
        "Annuler la sortie (A13) ou corriger sa date (Z99) avant de saisir un mouvement postérieur.",
    ),
    UNKNOWN_PARENT: _Words(
        Severity.INFORMATION,
        "/ClinicalDocument/relatedDocument",
        "Le document remplacé n'a pas été reçu par Liaison : le remplaçant est traité comme une nouvelle version.",
        "",
    ),
    WITHDRAWAL_OF_UNKNOWN: _Words(
        Severity.WARNING,
        "/ClinicalDocument/id",
        "Suppression d'un document que Liaison n'a pas reçu : elle est retenue et s'appliquera s'il arrive.",
        "Vérifier que l'identifiant est celui du document transmis à l'origine.",
    ),
    PUBLISHED_AFTER_WITHDRAWAL: _Words(
        Severity.WARNING,
        "/ClinicalDocument/id",
        "Document transmis alors qu'il a été supprimé : il reste supprimé et n'est pas envoyé.",
        "Publier une nouvelle version, avec un nouvel identifiant et un numéro de version supérieur.",
    ),
    SAME_VERSION: _Words(
        Severity.WARNING,
        "/ClinicalDocument/versionNumber",
        "Deux documents différents portent le même setId et la même version.",
        "Augmenter versionNumber à chaque remplacement (CI-SIS, volet Structuration minimale).",
    ),
    DOCUMENT_CONFLICT: _Words(
        Severity.FATAL,
        "/ClinicalDocument/id",
        "Un document au contenu différent a déjà été reçu sous cet identifiant : l'identifiant d'un document est unique.",
        "Donner un nouvel identifiant à chaque version ; renvoyer ce document sous un nouvel identifiant.",
    ),
}


def findings_of_notes(before: tuple[str, ...], after: tuple[str, ...]) -> tuple[Finding, ...]:
    """The findings for the notes that a message added to a state."""
    return tuple(
        Finding(severity=words.severity, where=words.where, rule=rule, message=words.message, remedy=words.remedy)
        for rule in after
        if rule not in before
        for words in (_WORDS[rule],)
    )
