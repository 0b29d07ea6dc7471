"""Writing a document: a PDF wrapped as an N1 under a full CI-SIS header (digest cda-fr §1 and §2.1).

The header is the same typed value that :func:`liaison.cda.header.read_header` gives: what is written is read back equal.
"""

from __future__ import annotations

import base64
from typing import Final

from lxml import etree

from liaison.cda.datatypes import Address, Code, InstanceId, Name, Telecom, TimeStamp
from liaison.cda.header import Encounter, Header, Order, ServiceEvent
from liaison.cda.parties import Actor, Organisation, Patient
from liaison.cda.xml import Element, H, parse

#: The three templates of an N1, and no other (digest cda-fr §1, row 5).
N1_TEMPLATES: Final = (
    InstanceId(root="2.16.840.1.113883.2.8.2.1"),
    InstanceId(root="1.2.250.1.213.1.1.1.1"),
    InstanceId(root="1.3.6.1.4.1.19376.1.2.20"),
)
_EMPTY: Final = b'<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:ps3-20="urn:dicom-org:ps3-20"/>'
_ACCESSION: Final = "{urn:dicom-org:ps3-20}accessionNumber"
_GENDER: Final = "2.16.840.1.113883.5.1"


def build_n1(header: Header, pdf: bytes) -> bytes:
    """Wrap a PDF: the header's templates are replaced by those of an N1. UTF-8 with a declaration, no byte order mark.

    Raises ValueError for text that XML cannot hold (control characters).
    """
    root = parse(_EMPTY)
    _write_header(root, header)
    body = _add(_add(root, "component"), "nonXMLBody")
    text = _add(body, "text", mediaType="application/pdf", representation="B64")
    text.text = base64.b64encode(pdf).decode("ascii")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _write_header(root: Element, header: Header) -> None:
    """The header in the order of the schema."""
    _add(root, "realmCode", code=header.realm or "FR")
    _add(root, "typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040")
    for template in N1_TEMPLATES:
        _id(root, template, "templateId")
    _id(root, header.id)
    _code(root, "code", header.code)
    _text(root, "title", header.title)
    _time(root, "effectiveTime", header.created)
    _code(root, "confidentialityCode", header.confidentiality)
    if header.language:
        _add(root, "languageCode", code=header.language)
    if header.set_id is not None:
        _id(root, header.set_id, "setId")
    if header.version is not None:
        _add(root, "versionNumber", value=str(header.version))
    _patient(_add(_add(root, "recordTarget"), "patientRole"), header.patient)
    for author in header.authors:
        _actor(root, "author", author, "assignedAuthor", "assignedPerson", "representedOrganization")
    if header.custodian is not None:
        _organisation(_add(_add(root, "custodian"), "assignedCustodian"), "representedCustodianOrganization", header.custodian)
    for recipient in header.recipients:
        _actor(root, "informationRecipient", recipient, "intendedRecipient", "informationRecipient", "receivedOrganization")
    if header.legal_authenticator is not None:
        _entity(root, "legalAuthenticator", header.legal_authenticator)
    for participant in header.participants:
        _actor(root, "participant", participant, "associatedEntity", "associatedPerson", "scopingOrganization")
    for order in header.orders:
        _order(root, order)
    for event in header.service_events:
        _service_event(_add(_add(root, "documentationOf"), "serviceEvent"), event)
    if header.replaces is not None:
        related = _add(root, "relatedDocument", typeCode="RPLC")
        _id(_add(related, "parentDocument"), header.replaces)
    if header.encounter is not None:
        _encounter(_add(_add(root, "componentOf"), "encompassingEncounter"), header.encounter)


def _patient(role: Element, patient: Patient) -> None:
    for id in patient.ids:
        _id(role, id)
    _contacts(role, patient.addresses, patient.telecoms)
    person = _add(role, "patient")
    name = _add(person, "name")
    for text, qualifier in ((patient.birth_family, "BR"), (patient.used_family, "CL")):
        _text(name, "family", text, qualifier=qualifier)
    for text, qualifier in ((patient.given_names, ""), (patient.first_given, "BR"), (patient.used_given, "CL")):
        _text(name, "given", text, qualifier=qualifier)
    if patient.gender:
        _add(person, "administrativeGenderCode", code=patient.gender, codeSystem=_GENDER)
    _time(person, "birthTime", patient.birth_time)
    if patient.birthplace_cog or patient.birthplace_city:
        place = _add(_add(_add(person, "birthplace"), "place"), "addr")
        _text(place, "county", patient.birthplace_cog)
        _text(place, "city", patient.birthplace_city)


def _entity(parent: Element, tag: str, actor: Actor) -> None:
    _actor(parent, tag, actor, "assignedEntity", "assignedPerson", "representedOrganization")


def _actor(parent: Element, tag: str, actor: Actor, role_tag: str, person_tag: str, organisation_tag: str) -> None:
    element = _add(parent, tag, typeCode=actor.type_code)
    _code(element, "functionCode", actor.function)
    _time(element, "time", actor.at)
    if actor.signature:
        _add(element, "signatureCode", code=actor.signature)
    role = _add(element, role_tag, classCode="PROV" if role_tag == "associatedEntity" else "")
    for id in actor.ids:
        _id(role, id)
    _code(role, "code", actor.specialty)
    _contacts(role, actor.addresses, actor.telecoms)
    if actor.name is not None:
        _name(_add(role, person_tag), actor.name)
    if actor.device is not None:
        device = _add(role, "assignedAuthoringDevice")
        _text(device, "manufacturerModelName", actor.device.model)
        _text(device, "softwareName", actor.device.software)
    if actor.organisation is not None:
        _organisation(role, organisation_tag, actor.organisation)


def _organisation(parent: Element, tag: str, organisation: Organisation) -> None:
    element = _add(parent, tag)
    for id in organisation.ids:
        _id(element, id)
    _text(element, "name", organisation.name)
    for telecom in organisation.telecoms:
        _telecom(element, telecom)
    for address in organisation.addresses:
        _address(element, address)
    _code(element, "standardIndustryClassCode", organisation.setting)


def _order(parent: Element, order: Order) -> None:
    element = _add(_add(parent, "inFulfillmentOf"), "order")
    if order.id is not None:
        _id(element, order.id)
    if order.accession is not None:
        etree.SubElement(element, _ACCESSION, root=order.accession.root, extension=order.accession.extension)


def _service_event(element: Element, event: ServiceEvent) -> None:
    _code(element, "code", event.code)
    _interval(element, event.start, event.stop)
    if event.performer is not None:
        _entity(element, "performer", event.performer)


def _encounter(element: Element, encounter: Encounter) -> None:
    for id in encounter.ids:
        _id(element, id)
    _code(element, "code", encounter.code)
    _interval(element, encounter.start, encounter.stop)
    _code(element, "dischargeDispositionCode", encounter.disposition)
    if encounter.responsible is not None:
        _entity(element, "responsibleParty", encounter.responsible)
    facility = _add(_add(element, "location"), "healthCareFacility")
    _code(facility, "code", encounter.facility)
    if encounter.place:
        _text(_add(facility, "location"), "name", encounter.place)


def _interval(parent: Element, start: TimeStamp | None, stop: TimeStamp | None) -> None:
    element = _add(parent, "effectiveTime")
    _time(element, "low", start)
    _time(element, "high", stop)


def _name(person: Element, name: Name) -> None:
    element = _add(person, "name")
    for tag, text in (("family", name.family), ("given", name.given), ("prefix", name.prefix), ("suffix", name.suffix)):
        _text(element, tag, text)


def _contacts(parent: Element, addresses: tuple[Address, ...], telecoms: tuple[Telecom, ...]) -> None:
    for address in addresses:
        _address(parent, address)
    for telecom in telecoms:
        _telecom(parent, telecom)


def _address(parent: Element, address: Address) -> None:
    element = _add(parent, "addr", use=address.use)
    for line in address.lines:
        _text(element, "streetAddressLine", line)


def _telecom(parent: Element, telecom: Telecom) -> None:
    _add(parent, "telecom", value=telecom.value, use=telecom.use)


def _id(parent: Element, id: InstanceId, tag: str = "id") -> None:
    _add(parent, tag, root=id.root, extension=id.extension)


def _code(parent: Element, tag: str, code: Code | None) -> None:
    if code is not None:
        _add(parent, tag, code=code.code, codeSystem=code.system, displayName=code.label, nullFlavor=code.null_flavor)


def _time(parent: Element, tag: str, time: TimeStamp | None) -> None:
    if time is not None:
        offset = time.at.strftime("%z") if time.has_offset else ""
        _add(parent, tag, value=time.at.strftime("%Y%m%d%H%M%S")[: time.precision] + offset)


def _text(parent: Element, tag: str, text: str, **attributes: str) -> None:
    if text:
        _add(parent, tag, **attributes).text = text


def _add(parent: Element, tag: str, **attributes: str) -> Element:
    """A child with the attributes that are not empty."""
    return etree.SubElement(parent, H + tag, {name: value for name, value in attributes.items() if value})
