"""Profiles, extensions and code systems of FR Core 2.1 and of the volet Notification d'évènements 3.0 (NdE)."""

from __future__ import annotations

from collections.abc import Mapping

from liaison.fhir.resources import Use

_FR_CORE = "https://hl7.fr/ig/fhir/core/StructureDefinition/"
_NDE = "https://interop.esante.gouv.fr/ig/fhir/nde/StructureDefinition/"

PATIENT = _FR_CORE + "fr-core-patient"
#: The matricule may travel in this profile only, with a qualified identity (FRCorePatientINS, description).
PATIENT_INS = _FR_CORE + "fr-core-patient-ins"
ORGANIZATION = _FR_CORE + "fr-core-organization"
EVENT_DECLARATION = _NDE + "nde-eventdeclaration"

EVENT_TYPE = _NDE + "event-type"
EVENT_TIME = _NDE + "event-time"
IDENTITY_RELIABILITY = _FR_CORE + "fr-core-identity-reliability"
BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
INSEE_CODE = _FR_CORE + "fr-core-address-insee-code"
GIVEN_NAMES = _FR_CORE + "fr-core-patient-birth-list-given-name"

EVENT_TYPES = "https://mos.esante.gouv.fr/NOS/TRE_R254-TypeEvenement/FHIR/TRE-R254-TypeEvenement"
COMMUNES = "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM"
IDENTITY_STATUS = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0445"
IDENTIFIER_TYPES_FR = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
IDENTIFIER_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
FINESS = "https://finess.esante.gouv.fr"
#: Identifiers that are URIs already, OIDs among them (R4 §2.24.0.13).
URIS = "urn:ietf:rfc:3986"

#: TRE_R254-TypeEvenement, the codes that a hospital's events have (NdE 3.0, JDV_J46 binds them as required).
EVENT_LABELS: Mapping[str, str] = {
    "ADM": "Admission d'un patient dans un établissement de santé",
    "SOR": "Sortie d'un patient de l'établissement de santé",
    "DOC": "Dépôt d'un document pour un patient",
}

#: OID of an INS → its type in FR Core and the use that its slice fixes (FRCorePatientINS).
INS_TYPES: Mapping[str, tuple[str, Use]] = {
    "1.2.250.1.213.1.4.8": ("INS-NIR", "official"),
    "1.2.250.1.213.1.4.9": ("INS-NIA", "temp"),
    "1.2.250.1.213.1.4.10": ("INS-NIR-TEST", "official"),
    "1.2.250.1.213.1.4.11": ("INS-NIR-DEMO", "official"),
}
