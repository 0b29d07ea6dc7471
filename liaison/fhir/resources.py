"""The elements of FHIR R4 that this hub writes, and no others: what is absent is not written."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from liaison.private import Private

CONTENT_TYPE = "application/fhir+json"

#: Value set identifier-use, as far as this hub writes it.
Use: TypeAlias = Literal["", "official", "temp", "usual"]


class Element(Private, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Base of all: FHIR's camelCase names, and nothing written for what is empty."""


class Coding(Element, frozen=True, kw_only=True):
    system: str
    code: str
    display: str = ""


class CodeableConcept(Element, frozen=True, kw_only=True):
    coding: tuple[Coding, ...]


class Identifier(Element, frozen=True, kw_only=True):
    use: Use = ""
    type: CodeableConcept | None = None
    system: str
    value: str


class Address(Element, frozen=True, kw_only=True):
    extension: tuple[Extension, ...] = ()


class Extension(Element, frozen=True, kw_only=True):
    """One extension: its parts, or its one value."""

    url: str
    extension: tuple[Extension, ...] = ()
    value_coding: Coding | None = None
    value_codeable_concept: CodeableConcept | None = None
    value_date_time: str = ""
    value_string: str = ""
    value_address: Address | None = None


class HumanName(Element, frozen=True, kw_only=True):
    extension: tuple[Extension, ...] = ()
    use: Literal["official", "usual"]
    family: str
    given: tuple[str, ...] = ()


class Meta(Element, frozen=True, kw_only=True):
    profile: tuple[str, ...]
    security: tuple[Coding, ...] = ()


class Reference(Element, frozen=True, kw_only=True):
    """To a contained resource (``#pat``), or to one that is only known by its identifier."""

    reference: str = ""
    type: str = ""
    identifier: Identifier | None = None
    display: str = ""


class Patient(Element, frozen=True, kw_only=True, tag_field="resourceType", tag="Patient"):
    id: str
    meta: Meta
    extension: tuple[Extension, ...] = ()
    identifier: tuple[Identifier, ...] = ()
    name: tuple[HumanName, ...] = ()
    gender: Literal["", "male", "female", "unknown"] = ""
    birth_date: str = ""


class Organization(Element, frozen=True, kw_only=True, tag_field="resourceType", tag="Organization"):
    id: str
    meta: Meta
    identifier: tuple[Identifier, ...] = ()
    name: str = ""


class Payload(Element, frozen=True, kw_only=True):
    """What is told: a sentence, or a resource."""

    content_string: str = ""
    content_reference: Reference | None = None


Contained: TypeAlias = Patient | Organization


class CommunicationRequest(Element, frozen=True, kw_only=True, tag_field="resourceType", tag="CommunicationRequest"):
    """An event told to a platform (NdE flux 3)."""

    meta: Meta
    contained: tuple[Contained, ...]
    extension: tuple[Extension, ...]
    identifier: tuple[Identifier, ...]
    status: Literal["active", "revoked"]
    subject: Reference
    payload: tuple[Payload, ...]
    authored_on: str
    requester: Reference


def to_json(resource: CommunicationRequest) -> bytes:
    """The resource in FHIR's JSON."""
    return _ENCODER.encode(resource)


_ENCODER = msgspec.json.Encoder()
