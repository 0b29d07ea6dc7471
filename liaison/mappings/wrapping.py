"""A bare PDF → a CDA R2 of level 1 around it, from what is known of the document and of nothing else.

The header is written whole (CI-SIS waives nothing for an N1, digest cda-fr §2.1). The same knowledge and the same PDF give the same
bytes, identifier included: a resend is known as such, and a letter can be built again from the message that brought it.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.care.person import Traits
from liaison.cda.build import build_n1
from liaison.cda.datatypes import ORGANISATION_ROOT, PROFESSIONAL_ROOT, Code, InstanceId, Name, TimeStamp, parse_time
from liaison.cda.header import Encounter, Header, ServiceEvent
from liaison.cda.parties import Actor, Device, Organisation, Patient
from liaison.cda.value_sets import (
    CONFIDENTIALITY_LABELS,
    CONFIDENTIALITY_SYSTEM,
    ENCOUNTERS,
    FACILITIES,
    FACILITY_SYSTEM,
    DocumentType,
)
from liaison.hl7.faults import Fault, fatal, warning
from liaison.private import Private

WRAPPED = warning(
    "document.wrapped",
    "Le document est un PDF sans CDA : il est porté par un CDA de niveau 1, dont l’en-tête est fait de ce que dit l’envoi.",
    "Émettre un document CDA R2 (CI-SIS, volet Transmission de documents CDA en HL7 v2).",
)
TRUNCATED = fatal(
    "document.pdf-truncated",
    "Le PDF n’a pas de fin (%%EOF) : il est tronqué.",
    "Transmettre le PDF entier ; vérifier la longueur que l’interface accepte.",
    "102",
)
TOO_LARGE = fatal(
    "document.pdf-too-large",
    "Le PDF est trop gros pour être transmis.",
    "Réduire le PDF, par exemple la résolution des images.",
    "207",
)
TYPE_MISSING = fatal(
    "document.type-missing",
    "Ni l’envoi ni la configuration de la source ne disent le type du document, et un PDF ne le porte pas lui-même.",
    "Donner un code de JDV_J07, ou demander à l’exploitant document_type ou document_types dans la source.",
    "101",
)
TYPE_DEFAULT = warning(
    "document.type-default",
    "L’envoi ne donne pas de type de document connu de JDV_J07 : celui que la configuration de la source prévoit est employé.",
    "Donner un code de JDV_J07 avec chaque document, par exemple 11490-0^…^LN dans OBR-4.",
    "103",
)
AUTHOR_UNKNOWN = warning(
    "document.author-unknown",
    "L’envoi ne dit pas qui est l’auteur du document : seul l’établissement est nommé.",
    "Nommer l’auteur avec son RPPS, dans TXA-9, OBR-32, OBX-16 ou PRT SB.",
    "101",
)
AUTHORITY_WITHOUT_OID = warning(
    "document.authority-without-oid",
    "L’autorité de l’IPP n’a pas d’OID : le document en porte un que la plateforme dérive de son nom.",
    "Renseigner l’OID de l’autorité en PID-3.4, ou le donner à l’exploitant (authorities).",
)

#: A PDF ends with this, within its last bytes (ISO 32000-1 §7.5.5; readers search the last kilobyte).
_END_OF_PDF: Final = b"%%EOF"
_END_WITHIN: Final = 4_096
#: What the CDA reader takes back (cda/body.py).
MAX_PDF: Final = 22_500_000
#: JDV_J04, the practice setting of a hospital.
_SETTING: Final = Code(code="ETABLISSEMENT", system="1.2.250.1.213.1.1.4.9", label="Etablissement de santé")
#: Namespace of the identifiers that the hub derives: a document's, an authority's.
_NAMESPACE: Final = uuid.UUID("6f0f6c1e-5b0a-5d53-9f4e-1d1f0b8a7c20")
_OID: Final = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
#: What XML 1.0 cannot hold (§2.2).
_NOT_XML: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
UNKNOWN_NAME: Final = "NON PRECISE"


class Party(Private, frozen=True, kw_only=True):
    """A professional as far as an envelope names one."""

    rpps: str = ""
    adeli: str = ""
    #: An identifier of the establishment's own.
    local: str = ""
    family: str = ""
    given: str = ""


class Wrapping(Private, frozen=True, kw_only=True):
    """What is known of a bare PDF."""

    #: FINESS of the establishment that keeps it, and its name.
    finess: str
    establishment: str
    #: JDV_J02.
    facility: str
    patient: tuple[Identifier, ...]
    traits: Traits
    type: DocumentType
    title: str
    created: datetime
    author: Party | None = None
    authenticator: Party | None = None
    #: What made it, where nobody is named.
    software: str = ""
    patient_class: str = ""
    unit: str = ""
    visit: Identifier | None = None
    start: datetime | None = None
    stop: datetime | None = None
    #: The sender's identifier of the document; None: one is derived from the whole.
    id: InstanceId | None = None
    set_id: InstanceId | None = None
    version: int = 1
    replaces: InstanceId | None = None
    recipients: tuple[Actor, ...] = ()
    participants: tuple[Actor, ...] = ()


def wrap(wrapping: Wrapping, pdf: bytes) -> bytes:
    """The CDA around a PDF, whose own bytes it embeds."""
    header = _header(wrapping)
    if wrapping.id is None:
        name = hashlib.sha256(build_n1(header, b"") + hashlib.sha256(pdf).digest()).hexdigest()
        id = derived(f"document {name}")
        header = replace(header, id=id, set_id=wrapping.set_id or id)
    return build_n1(header, pdf)


def pdf_fault(pdf: bytes) -> Fault | None:
    """Why a PDF cannot be wrapped, as far as its size and its end tell. What is in it is looked at later, by a worker."""
    if len(pdf) > MAX_PDF:
        return TOO_LARGE
    return None if _END_OF_PDF in pdf[-_END_WITHIN:] else TRUNCATED


def derived(name: str) -> InstanceId:
    """An identifier of the hub's making: the same for the same name, an OID that DMP and XDS accept (2.25.<UUID>)."""
    return InstanceId(root=f"2.25.{uuid.uuid5(_NAMESPACE, name).int}")


def document_number(text: str, finess: str) -> InstanceId | None:
    """A sender's identifier of a document as an II: as it is where it is an OID or a UUID, else derived inside its establishment."""
    root, _, extension = text.partition("^")
    if not root:
        return None
    if (_OID.fullmatch(root) and len(root) <= 64) or _UUID.fullmatch(root):
        return InstanceId(root=root, extension=plain(extension))
    return derived(f"number {finess} {text}")


def party_id(party: Party, finess: str) -> InstanceId:
    """PS_IdNat (digest cda-fr §1.2): 8 + RPPS, 0 + ADELI, 3 + FINESS/internal."""
    if party.rpps:
        return InstanceId(root=PROFESSIONAL_ROOT, extension=f"8{party.rpps}")
    if party.adeli:
        return InstanceId(root=PROFESSIONAL_ROOT, extension=f"0{party.adeli}")
    return InstanceId(root=PROFESSIONAL_ROOT, extension=f"3{finess}/{plain(party.local or party.family) or 'inconnu'}")


def plain(text: str) -> str:
    """One line of text that XML can hold."""
    return " ".join(_NOT_XML.sub(" ", text).split())


def has_oid(identifier: Identifier) -> bool:
    """Whether an identifier's authority can stand in a CDA as it is."""
    return identifier.authority.startswith("oid:") and _OID.fullmatch(identifier.authority[4:]) is not None


def _instance(identifier: Identifier) -> InstanceId:
    root = identifier.authority[4:] if has_oid(identifier) else derived(f"authority {identifier.authority}").root
    return InstanceId(root=root, extension=plain(identifier.value))


def _header(known: Wrapping) -> Header:
    at = _time(known.created)
    organisation = Organisation(
        ids=(InstanceId(root=ORGANISATION_ROOT, extension=f"1{known.finess}"),), name=plain(known.establishment)
    )
    nobody = Party(local=known.software or "inconnu", family=UNKNOWN_NAME)
    author, authenticator = known.author or nobody, known.authenticator or known.author or nobody
    start = _time(known.start or known.created)
    stop = _time(known.stop) if known.stop is not None else None
    kind = ENCOUNTERS.get(known.patient_class)
    code = Code(code=kind.code, system=kind.system, label=kind.label) if kind is not None else None
    id = known.id or derived("placeholder")
    return Header(
        realm="FR",
        templates=(),
        id=id,
        code=Code(code=known.type.code, system=known.type.system, label=known.type.label),
        title=plain(known.title) or known.type.label,
        created=at,
        confidentiality=Code(code="N", system=CONFIDENTIALITY_SYSTEM, label=CONFIDENTIALITY_LABELS["N"]),
        language="fr-FR",
        set_id=known.set_id or id,
        version=known.version,
        patient=_patient(known),
        authors=(replace(_actor(author, known.finess, organisation) if known.author else _software(known, organisation), at=at),),
        custodian=organisation,
        recipients=known.recipients,
        legal_authenticator=replace(_actor(authenticator, known.finess, organisation), at=at, signature="S"),
        participants=known.participants,
        service_events=(
            ServiceEvent(
                code=code,
                start=start,
                stop=stop,
                performer=replace(
                    _actor(
                        author, known.finess, replace(organisation, name=plain(known.unit) or organisation.name, setting=_SETTING)
                    ),
                    type_code="PRF",
                ),
            ),
        ),
        replaces=known.replaces,
        encounter=Encounter(
            ids=(_instance(known.visit),) if known.visit is not None and has_oid(known.visit) else (),
            code=code,
            start=start,
            stop=stop,
            facility=Code(code=known.facility, system=FACILITY_SYSTEM, label=FACILITIES.get(known.facility, "")),
            place=plain(known.unit),
        ),
    )


def _patient(known: Wrapping) -> Patient:
    traits = known.traits
    # The INS first, as official examples do; readers go by its root.
    ids = sorted(known.patient, key=lambda one: one.kind is not IdentifierKind.INS)
    return Patient(
        ids=tuple(_instance(one) for one in ids),
        birth_family=plain(traits.birth_name),
        used_family=plain(traits.used_name),
        given_names=plain(traits.given_names or traits.first_given_name),
        first_given=plain(traits.first_given_name),
        used_given=plain(traits.used_given_name),
        gender=traits.sex if traits.sex in ("M", "F") else "UN",
        birth_time=parse_time(traits.birth_date, known.created.tzinfo) if known.created.tzinfo is not None else None,
        birthplace_cog=plain(traits.birthplace_cog),
    )


def _actor(party: Party, finess: str, organisation: Organisation) -> Actor:
    return Actor(
        ids=(party_id(party, finess),),
        name=Name(family=plain(party.family) or UNKNOWN_NAME, given=plain(party.given)),
        organisation=organisation,
    )


def _software(known: Wrapping, organisation: Organisation) -> Actor:
    """The author of a document whose author nobody names."""
    software = plain(known.software) or "inconnu"
    id = InstanceId(root=PROFESSIONAL_ROOT, extension=f"3{known.finess}/{software}")
    return Actor(ids=(id,), device=Device(model=software, software=software), organisation=organisation)


def _time(at: datetime) -> TimeStamp:
    return TimeStamp(at=at, precision=14, has_offset=True)
