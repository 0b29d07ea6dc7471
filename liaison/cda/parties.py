"""Who takes part in a CDA document: the patient, professionals, devices, organisations (digest cda-fr §1.1, §1.2)."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from liaison.cda.datatypes import (
    INS_ROOTS,
    Address,
    Children,
    Code,
    InstanceId,
    Name,
    Telecom,
    TimeStamp,
    every,
    first,
    group,
    read_addresses,
    read_code,
    read_ids,
    read_name,
    read_telecoms,
    read_text,
    read_time,
)
from liaison.cda.xml import Element, H
from liaison.private import Private


class Organisation(Private, frozen=True, kw_only=True):
    """A structure, as representedOrganization, receivedOrganization, scopingOrganization or custodian name one."""

    ids: tuple[InstanceId, ...] = ()
    name: str = ""
    #: standardIndustryClassCode: the practice setting (JDV_J04).
    setting: Code | None = None
    telecoms: tuple[Telecom, ...] = ()
    addresses: tuple[Address, ...] = ()

    @property
    def id(self) -> InstanceId | None:
        return self.ids[0] if self.ids else None


class Device(Private, frozen=True, kw_only=True):
    """An assignedAuthoringDevice."""

    model: str = ""
    software: str = ""


class Actor(Private, frozen=True, kw_only=True):
    """Anybody in a role: author, legal authenticator, performer, recipient, participant."""

    #: @typeCode of the participation: ``PRF``, ``INF``…; empty where the schema fixes it.
    type_code: str = ""
    #: functionCode (JDV_J47): ``PCP`` is the treating physician.
    function: Code | None = None
    #: When the participation took place.
    at: TimeStamp | None = None
    signature: str = ""
    ids: tuple[InstanceId, ...] = ()
    #: Profession and specialty (JDV_J01).
    specialty: Code | None = None
    name: Name | None = None
    device: Device | None = None
    organisation: Organisation | None = None
    telecoms: tuple[Telecom, ...] = ()
    addresses: tuple[Address, ...] = ()

    @property
    def id(self) -> InstanceId | None:
        return self.ids[0] if self.ids else None

    @property
    def rpps(self) -> str:
        """The first RPPS among the identifiers, 11 digits, or empty."""
        return next((id.rpps for id in self.ids if id.rpps), "")


class Patient(Private, frozen=True, kw_only=True):
    """recordTarget/patientRole. Empty strings stand for what the document does not say."""

    ids: tuple[InstanceId, ...]
    #: family[@qualifier='BR'], else the one without qualifier.
    birth_family: str = ""
    #: family[@qualifier='CL'], else the older 'SP'.
    used_family: str = ""
    #: given without qualifier: all given names of the birth certificate.
    given_names: str = ""
    #: given[@qualifier='BR'], else the first word of ``given_names``.
    first_given: str = ""
    used_given: str = ""
    #: @qualifier of each family element, as written, ``""`` where it has none.
    family_qualifiers: tuple[str, ...] = ()
    #: @qualifier of each given element.
    given_qualifiers: tuple[str, ...] = ()
    #: M, F, UN or another code as written.
    gender: str = ""
    birth_time: TimeStamp | None = None
    birthplace_cog: str = ""
    birthplace_city: str = ""
    telecoms: tuple[Telecom, ...] = ()
    addresses: tuple[Address, ...] = ()

    @property
    def ins(self) -> InstanceId | None:
        """The INS, found by its root and never by its place."""
        return next((id for id in self.ids if id.root in INS_ROOTS and id.extension), None)

    @property
    def local_ids(self) -> tuple[InstanceId, ...]:
        """The IPP: every other identifier."""
        return tuple(id for id in self.ids if id.root not in INS_ROOTS and id.extension)

    @property
    def birth_date(self) -> str:
        return self.birth_time.date[:8] if self.birth_time is not None else ""

    @property
    def has_strict_traits(self) -> bool:
        """Whether all the traits are there that must travel with an INS (digest cda-fr §1.1)."""
        return bool(
            self.birth_family
            and self.first_given
            and self.given_names
            and len(self.birth_date) == 8
            and self.gender in ("M", "F")
            and len(self.birthplace_cog) == 5
        )


def read_patient(role: Element, zone: tzinfo) -> Patient:
    """The ``patientRole`` element."""
    children = group(role)
    person = first(children, "patient")
    traits = {} if person is None else group(person)
    name = first(traits, "name")
    parts = {} if name is None else group(name)
    families = _qualifiers(parts, "family")
    givens = _qualifiers(parts, "given")
    if not families and not givens and name is not None:
        families = [("", read_text(name))]
    gender = first(traits, "administrativeGenderCode")
    birthplace = first(traits, "birthplace")
    place = None if birthplace is None else birthplace.find(f"{H}place/{H}addr")
    given_names = _qualified(givens, "") or _qualified(givens, "BR")
    return Patient(
        ids=read_ids(children),
        birth_family=_qualified(families, "BR") or _qualified(families, ""),
        used_family=_qualified(families, "CL") or _qualified(families, "SP"),
        given_names=given_names,
        first_given=_qualified(givens, "BR") or given_names.partition(" ")[0],
        used_given=_qualified(givens, "CL"),
        family_qualifiers=tuple([qualifier for qualifier, _ in families]),
        given_qualifiers=tuple([qualifier for qualifier, _ in givens]),
        gender="" if gender is None else gender.get("code") or "",
        birth_time=read_time(first(traits, "birthTime"), zone),
        birthplace_cog="" if place is None else read_text(place.find(f"{H}county")),
        birthplace_city="" if place is None else read_text(place.find(f"{H}city")),
        telecoms=read_telecoms(children),
        addresses=read_addresses(children),
    )


def _qualifiers(parts: Children, name: str) -> list[tuple[str, str]]:
    return [(element.get("qualifier") or "", read_text(element)) for element in every(parts, name)]


def _qualified(parts: list[tuple[str, str]], qualifier: str) -> str:
    """The text of the parts with that qualifier; several given names without one are one list."""
    return " ".join([text for found, text in parts if found == qualifier and text])


def read_organisation(element: Element | None) -> Organisation | None:
    """Any organisation element."""
    children = {} if element is None else group(element)
    if not children:
        return None
    return Organisation(
        ids=read_ids(children),
        name=read_text(first(children, "name")),
        setting=read_code(first(children, "standardIndustryClassCode")),
        telecoms=read_telecoms(children),
        addresses=read_addresses(children),
    )


#: Where a participation, or a role, holds its role, its person and its organisation.
_ROLES: Final = ("assignedAuthor", "assignedEntity", "associatedEntity", "intendedRecipient")
_PERSONS: Final = ("assignedPerson", "associatedPerson", "informationRecipient", "relatedPerson")
_ORGANISATIONS: Final = ("representedOrganization", "receivedOrganization", "scopingOrganization")


def read_actor(participation: Element, zone: tzinfo) -> Actor:
    """A participation (``author``, ``legalAuthenticator``, ``performer``, ``informationRecipient``, ``participant``…)."""
    outer = group(participation)
    role = _any(outer, _ROLES)
    inner = {} if role is None else group(role)
    signature = first(outer, "signatureCode")
    device = first(inner, "assignedAuthoringDevice")
    return Actor(
        type_code=participation.get("typeCode") or "",
        function=read_code(first(outer, "functionCode")),
        at=read_time(first(outer, "time"), zone),
        signature="" if signature is None else signature.get("code") or "",
        ids=read_ids(inner),
        specialty=read_code(first(inner, "code")),
        name=read_name(_any(inner, _PERSONS)),
        device=None if device is None else _read_device(device),
        organisation=read_organisation(_any(inner, _ORGANISATIONS)),
        telecoms=read_telecoms(inner),
        addresses=read_addresses(inner),
    )


def _any(children: Children, names: tuple[str, ...]) -> Element | None:
    return next((element for name in names if (element := first(children, name)) is not None), None)


def _read_device(element: Element) -> Device:
    children = group(element)
    return Device(model=read_text(first(children, "manufacturerModelName")), software=read_text(first(children, "softwareName")))
