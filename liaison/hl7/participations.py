"""PRT: who sends a document, who is to receive it, where replies go (pre-adopted from HL7 v2.9 by the CI-SIS volet)."""

from __future__ import annotations

import enum

from liaison.finding import Finding
from liaison.hl7.datatypes import Xcn, Xon, read_address, read_xcn, read_xon
from liaison.hl7.faults import information, warning
from liaison.hl7.message import Segment
from liaison.private import Private

ADDRESS_FIELD = 15
#: Off by one, or two, when PRT-5 or PRT-8 is valued: the volet's own printed example does it.
ADDRESS_FIELDS = (15, 16, 14, 13, 12)

ADDRESS_MISPLACED = warning(
    "hl7.address-misplaced",
    "L’adresse de messagerie n’est pas dans le champ PRT-15 attendu (volet Transmission de documents CDA en HL7 v2, segment PRT).",
    "Placer l’adresse MSSanté dans PRT-15, composante 4 : compter les séparateurs entre PRT-5 et PRT-15.",
)
ADDRESS_COMPONENT = information(
    "hl7.address-component",
    "L’adresse de messagerie n’est pas dans la composante 4 du type XTN (volet Transmission, PRT-15.4).",
    "Écrire PRT-15 sous la forme « ^^X.400^adresse ».",
)
ROLE_UNKNOWN = warning(
    "hl7.participation-unknown",
    "PRT-4.1 ne vaut ni SB, ni RCT, ni REPLY : la participation est conservée mais sans effet (volet Transmission, segment PRT).",
    "Utiliser SB pour l’émetteur, RCT pour un destinataire, REPLY pour l’adresse de réponse.",
)
MISPLACED = warning(
    "hl7.participation-misplaced",
    "Un segment PRT ne suit pas l’OBX du document (volet Transmission : PRT est propre à l’OBX qui porte le document).",
    "Placer les segments PRT juste après l’OBX du document.",
)


class Role(enum.StrEnum):
    """PRT-4.1, the only part of PRT-4 to compare: labels vary."""

    SENDER = "SB"
    RECIPIENT = "RCT"
    REPLY = "REPLY"


class Participation(Private, frozen=True, kw_only=True):
    """One PRT. The person may be a professional or, with type ``INS``, the patient."""

    role: Role
    #: As written; empty when the message gives none.
    address: str
    person: Xcn | None
    organisation: Xon | None
    where: str
    #: Whether a CTD carries it, and no PRT: the standard gives that segment no such meaning.
    by_contact: bool = False

    @property
    def is_patient(self) -> bool:
        """Whether the addressee is the patient, named by an INS (PRT-5.13)."""
        return self.person is not None and self.person.id_type == "INS"


def read_participation(segment: Segment, findings: list[Finding]) -> Participation | None:
    """Read one PRT; None, with a finding, when its role is not one of the volet's."""
    try:
        role = Role(segment.value(4).strip().upper())
    except ValueError:
        findings.append(ROLE_UNKNOWN.at(segment.where(4)))
        return None
    return Participation(
        role=role,
        address=_address(segment, findings),
        person=_person(segment),
        organisation=_organisation(segment),
        where=segment.where(),
    )


def _address(segment: Segment, findings: list[Finding]) -> str:
    for field in ADDRESS_FIELDS:
        for repetition in segment.repetitions(field):
            address = read_address(repetition)
            if not address:
                continue
            if field != ADDRESS_FIELD:
                findings.append(ADDRESS_MISPLACED.at(segment.where(field)))
            elif "@" not in repetition.component(4):
                findings.append(ADDRESS_COMPONENT.at(segment.where(field)))
            return address
    return ""


def _person(segment: Segment) -> Xcn | None:
    for repetition in segment.repetitions(5):
        person = read_xcn(repetition)
        if person.id or person.family:
            return person
    return None


def _organisation(segment: Segment) -> Xon | None:
    for repetition in segment.repetitions(8):
        organisation = read_xon(repetition)
        if organisation.id or organisation.name:
            return organisation
    return None
