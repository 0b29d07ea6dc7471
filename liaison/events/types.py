"""The table of event types: DESIGN's vocabulary, in French and English, and since when each is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from liaison.events.data import DocumentData, IdentityData, StayData

DataType: TypeAlias = type[StayData] | type[IdentityData] | type[DocumentData]


class EventType(msgspec.Struct, frozen=True):
    """One row: how the type is said to people, since which version of Liaison it is told, and what it carries."""

    french: str
    english: str
    #: Version of Liaison that tells it first; empty while the name is only reserved.
    since: str
    #: None while the type is only reserved.
    data: DataType | None


def _told(french: str, english: str, data: DataType) -> EventType:
    return EventType(french, english, "0.1.0", data)


def _reserved(french: str, english: str) -> EventType:
    return EventType(french, english, "", None)


#: ``<thing>.<past participle>`` → its row.
TYPES: Mapping[str, EventType] = {
    "stay.preadmitted": _told("Préadmission", "Preadmitted", StayData),
    "stay.admitted": _told("Admission", "Admitted", StayData),
    "stay.transferred": _told("Mutation", "Transferred", StayData),
    "stay.class-changed": _told("Changement de type de prise en charge", "Class of stay changed", StayData),
    "stay.leave-started": _told("Départ en permission", "Leave started", StayData),
    "stay.leave-ended": _told("Retour de permission", "Leave ended", StayData),
    "stay.discharge-planned": _told("Sortie prévue", "Discharge planned", StayData),
    "stay.discharged": _told("Sortie", "Discharged", StayData),
    "stay.updated": _told("Séjour corrigé", "Stay updated", StayData),
    "stay.cancelled": _told("Venue annulée", "Stay cancelled", StayData),
    "identity.created": _told("Identité créée", "Identity created", IdentityData),
    "identity.updated": _told("Identité modifiée", "Identity updated", IdentityData),
    "identity.merged": _told("Identités fusionnées", "Identities merged", IdentityData),
    "identity.identifier-changed": _told("Identifiant changé", "Identifier changed", IdentityData),
    "identity.linked": _told("Identités rapprochées", "Identities linked", IdentityData),
    "identity.unlinked": _told("Rapprochement annulé", "Identities unlinked", IdentityData),
    "document.published": _told("Document publié", "Document published", DocumentData),
    "document.replaced": _told("Document remplacé", "Document replaced", DocumentData),
    "document.withdrawn": _told("Document supprimé", "Document withdrawn", DocumentData),
    "letter.sent": _reserved("Lettre envoyée", "Letter sent"),
    "letter.delivered": _reserved("Lettre remise", "Letter delivered"),
    "letter.read": _reserved("Lettre lue", "Letter read"),
    "letter.integrated": _reserved("Lettre intégrée au dossier", "Letter integrated"),
    "letter.failed": _reserved("Lettre non remise", "Letter failed"),
    "letter.overdue": _reserved("Lettre en retard", "Letter overdue"),
    "mail.received": _reserved("Message reçu", "Mail received"),
    "patient.readmitted": _reserved("Réhospitalisation", "Patient readmitted"),
    "patient.deceased": _told("Décès", "Patient deceased", IdentityData),
}

#: CloudEvents ``type`` of every event type, and back.
CLOUD_TYPES: Mapping[str, str] = {name: f"fr.liaison.{name}.v1" for name in TYPES}
NAMES: Mapping[str, str] = {cloud: name for name, cloud in CLOUD_TYPES.items()}
