"""What can be wrong with a message, in the standard's own codes, and the errors this room raises.

Tables 0357, 0516 and 0533 as *Transmission d'un document CDA-R2 en HL7 v2* uses them in its ACK (CI-SIS), with French labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from liaison.finding import Finding, Severity

#: HL7 table 0357, message error condition (ERR-3).
CONDITIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "0": "Message accepté",
        "100": "Erreur de séquence des segments",
        "101": "Champ obligatoire absent",
        "102": "Erreur de type de données",
        "103": "Valeur absente de la table",
        "104": "Valeur trop longue",
        "198": "Cardinalité non respectée",
        "199": "Autre erreur HL7",
        "200": "Type de message non pris en charge",
        "201": "Code d’événement non pris en charge",
        "202": "Mode de traitement non pris en charge",
        "203": "Version non prise en charge",
        "204": "Identifiant de clé inconnu",
        "205": "Identifiant de clé en doublon",
        "206": "Enregistrement de l’application verrouillé",
        "207": "Erreur interne à l’application",
    }
)

#: HL7 table 0516, error severity (ERR-4).
SEVERITIES: Final[Mapping[Severity, str]] = MappingProxyType(
    {Severity.FATAL: "F", Severity.ERROR: "E", Severity.WARNING: "W", Severity.INFORMATION: "I"}
)

#: HL7 table 0533, application error (ERR-5), as the CI-SIS volet fills it. 903 to 905 forbid automatic integration.
APPLICATION_ERRORS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "900": "Remplacement ou suppression : le document visé n’est pas la dernière version connue",
        "901": "Auteur non autorisé : ni l’auteur du document ni la même organisation",
        "902": "Patient inconnu",
        "903": "Aucune INS dans le document CDA",
        "904": "Le matricule INS ou les traits ne correspondent pas exactement",
        "905": "INS incomplète : matricule sans tous les traits",
        "906": "Autre erreur applicative",
    }
)


class Hl7Error(Exception):
    """The peer's message breaks the standard so far that reading cannot go on. Never carries a value of the message."""

    def __init__(self, *, rule: str, where: str, message: str, remedy: str, condition: str) -> None:
        super().__init__(f"{rule} ({where})")
        self.rule = rule
        self.where = where
        #: French, for the sender.
        self.message = message
        self.remedy = remedy
        #: Code of table 0357 for the ERR segment of the reply.
        self.condition = condition

    @property
    def finding(self) -> Finding:
        """The same, as the finding that the hub stores."""
        return Finding(
            severity=Severity.FATAL,
            where=self.where,
            rule=self.rule,
            message=self.message,
            remedy=self.remedy,
            condition=self.condition,
        )


class NotHl7(Hl7Error):
    """There is no usable MSH: the bytes are something else, or a message cut off at its head."""


class CannotWrite(ValueError):
    """We were asked to write what the message's character set or layout cannot hold. Ours to mend; carries no value."""
