"""What events carry: the patient's identity, the stay, the document, and no more than their reader needs (RGPD art. 5).

Free-text reasons, occupation, insurance and legal status of care never appear. msgspec checks what is decoded; what is
constructed is checked in ``__post_init__``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias, get_args

from msgspec import Meta

from liaison.private import Private

Status: TypeAlias = Literal["unknown", "preadmitted", "present", "discharged", "cancelled"]
DocumentState: TypeAlias = Literal["current", "replaced", "withdrawn"]
BirthDate: TypeAlias = Annotated[str, Meta(pattern="^([0-9]{4}([0-9]{2}([0-9]{2})?)?)?$", description="YYYYMMDD, ou moins précis")]
Finess: TypeAlias = Annotated[str, Meta(pattern="^([0-9A-Z]{2}[0-9]{7})?$", description="FINESS à 9 caractères, ou vide")]


class InvalidEventError(ValueError):
    """An event that breaks its own schema. Says where; never holds a value."""


class InsData(Private, frozen=True, kw_only=True):
    """Qualified INS: matricule with its key, and its OID."""

    matricule: Annotated[str, Meta(pattern="^[0-9][0-9AB]{14}$")]
    oid: str


class IdentifierData(Private, frozen=True, kw_only=True):
    """A local identifier: its canonical authority (``finess:…``, ``oid:…``, ``local:…``) and its value."""

    authority: str
    value: str


class ProfessionalData(Private, frozen=True, kw_only=True, omit_defaults=True):
    """A health professional; ``rpps`` is empty when only the name is known."""

    rpps: str = ""
    family: str = ""
    given: str = ""


class PersonData(Private, frozen=True, kw_only=True, omit_defaults=True):
    """The patient: the INS only with a qualified identity and all strict traits (PAM.fr §6.6.1)."""

    #: IPP valid today in the establishment that speaks.
    ipp: tuple[IdentifierData, ...] = ()
    ins: InsData | None = None
    #: PID-32 of the identity.
    statuses: tuple[str, ...] = ()
    birth_name: str = ""
    first_given_name: str = ""
    given_names: str = ""
    used_name: str = ""
    used_given_name: str = ""
    birth_date: BirthDate = ""
    sex: Literal["M", "F", "U", ""] = ""
    birthplace_cog: str = ""
    #: True asks every reader for the care due to a protected stay or person.
    confidential: bool = False

    def __post_init__(self) -> None:
        if self.birth_date and not (self.birth_date.isdigit() and len(self.birth_date) in (4, 6, 8)):
            raise InvalidEventError("patient.birth_date: expected YYYY, YYYYMM or YYYYMMDD")
        if self.sex not in ("M", "F", "U", ""):
            raise InvalidEventError("patient.sex: expected M, F, U or nothing")
        if self.ins is not None and not (
            self.birth_name
            and self.first_given_name
            and len(self.birth_date) == 8
            and self.sex in ("M", "F")
            and self.birthplace_cog
        ):
            raise InvalidEventError("patient.ins: an INS travels with the five strict traits only")


class PlaceData(Private, frozen=True, kw_only=True, omit_defaults=True):
    """Units of the hospital's own referential: where the patient lies, and who is responsible."""

    uf_lodging: str = ""
    uf_medical: str = ""
    uf_medical_label: str = ""
    uf_care: str = ""


class DischargeData(Private, frozen=True, kw_only=True, omit_defaults=True):
    """How the patient left: ZFM-2 (or PV1-36), ZFM-4, and the FINESS where the patient went."""

    mode: str = ""
    destination: str = ""
    destination_finess: str = ""


class VenueData(Private, frozen=True, kw_only=True, omit_defaults=True):
    """The stay as it is after what happened."""

    id: str
    visit: IdentifierData
    episode: IdentifierData | None = None
    finess: Finess = ""
    status: Status
    #: PV1-2.
    patient_class: str = ""
    place: PlaceData = PlaceData()
    expected_admission_at: datetime | None = None
    admitted_at: datetime | None = None
    expected_discharge_at: datetime | None = None
    #: Since when the patient is away for a while, and until when; absent while they are there.
    on_leave_since: datetime | None = None
    expected_return_at: datetime | None = None
    discharged_at: datetime | None = None
    discharge: DischargeData | None = None
    attending_physician: ProfessionalData | None = None

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            raise InvalidEventError("stay.status: not one of the known states")
        for when in (
            self.expected_admission_at,
            self.admitted_at,
            self.expected_discharge_at,
            self.on_leave_since,
            self.expected_return_at,
            self.discharged_at,
        ):
            if when is not None and when.tzinfo is None:
                raise InvalidEventError("stay: every time carries its offset")


class StayData(Private, frozen=True, kw_only=True, omit_defaults=True):
    """Data of ``stay.*``."""

    patient: PersonData
    stay: VenueData
    treating_physician: ProfessionalData | None = None
    #: What an ``undoes`` means: what it names is corrected and still holds, or is cancelled.
    amends: Literal["", "correction", "cancellation"] = ""


class IdentityData(Private, frozen=True, kw_only=True, omit_defaults=True):
    """Data of ``identity.*`` and ``patient.deceased``."""

    patient: PersonData
    treating_physician: ProfessionalData | None = None
    #: Opaque ids of the patients that were merged into this one: their events are about this patient from now on.
    absorbed: tuple[str, ...] = ()
    #: Opaque ids of other records of this person, as the hospital says: they stay separate, and so do their stays.
    linked: tuple[str, ...] = ()
    #: IPP that were absorbed or replaced: what a reader filed under them belongs to this patient.
    retired_ipp: tuple[IdentifierData, ...] = ()
    deceased: bool = False
    deceased_at: datetime | None = None
    #: As in StayData.
    amends: Literal["", "correction", "cancellation"] = ""


class LetterData(Private, frozen=True, kw_only=True, omit_defaults=True):
    """A document as a reader files it; never its content."""

    id: str
    set_id: str
    version: Annotated[int, Meta(ge=0)]
    status: DocumentState
    replaces: str = ""
    type_code: str
    type_system: str = ""
    type_label: str = ""
    title: str
    created_at: datetime
    author: ProfessionalData | None = None
    author_organisation: str = ""
    #: N, R or V.
    confidentiality: str = "N"
    #: SHA-256 (hex) of the document's bytes.
    digest: str
    masked_from_professionals: bool = False
    hidden_from_patient: bool = False

    def __post_init__(self) -> None:
        if self.status not in get_args(DocumentState):
            raise InvalidEventError("document.status: not one of the known states")
        if self.created_at.tzinfo is None:
            raise InvalidEventError("document.created_at: every time carries its offset")


class DocumentData(Private, frozen=True, kw_only=True, omit_defaults=True):
    """Data of ``document.*``."""

    patient: PersonData
    document: LetterData
    #: PV1-19 of the stay that the document is about.
    visit: IdentifierData | None = None
    treating_physician: ProfessionalData | None = None
    amends: Literal["", "correction", "cancellation"] = ""


EventData: TypeAlias = StayData | IdentityData | DocumentData
