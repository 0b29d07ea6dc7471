"""METADATA.XML of an XDM archive: the ebRIM 3.0 that describes a submission set and its documents.

Scheme UUIDs: IHE ITI TF-3 §4.2.5.2; attributes as France fills them: cda-fr digest §4.1 and §4.2. The order of elements inside
a registry object is ebRIM's: Slot*, Name, Description, VersionInfo, Classification*, ExternalIdentifier*.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from lxml import etree

from liaison.cda.xds import Coded, DocumentEntry, EntryAuthor
from liaison.cda.xml import Element
from liaison.private import Private

LCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"

DOCUMENT_ENTRY = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
SUBMISSION_SET = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
REPLACES = "urn:ihe:iti:2007:AssociationType:RPLC"

ENTRY_AUTHOR = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
ENTRY_CLASS = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
ENTRY_TYPE = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"
ENTRY_FORMAT = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
ENTRY_CONFIDENTIALITY = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
ENTRY_FACILITY = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"
ENTRY_PRACTICE = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead"
ENTRY_EVENT = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
ENTRY_PATIENT = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
ENTRY_UNIQUE = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
SET_AUTHOR = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
SET_CONTENT_TYPE = "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"
SET_PATIENT = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
SET_SOURCE = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"
SET_UNIQUE = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"

#: Slot that carries referenceIdList.
REFERENCE_IDS = "urn:ihe:iti:xds:2013:referenceIdList"

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Submission(Private, frozen=True, kw_only=True):
    """The values of the ``rim:RegistryPackage``: who sends this lot, about whom, when (cda-fr digest §4.2)."""

    #: A fresh OID for the lot.
    unique_id: str
    #: OID of the system that sends.
    source_id: str
    #: UTC, ``YYYYMMDDhhmmss``.
    time: str
    #: CX, the same as in every entry: one patient a lot.
    patient_id: str
    #: JDV_J59: the kind of care that the lot comes from.
    content_type: Coded
    #: The sender of the lot, not the author of its documents.
    author: EntryAuthor
    title: str = ""
    comments: str = ""
    #: MSSanté addresses that the lot is meant for.
    recipients: tuple[str, ...] = ()


class Replacement(Private, frozen=True, kw_only=True):
    """A document of the lot replaces one sent earlier, by their entryUUIDs."""

    new: str
    old: str


def write_metadata(submission: Submission, entries: Sequence[DocumentEntry], replacements: Sequence[Replacement] = ()) -> bytes:
    """METADATA.XML, UTF-8, deterministic. Raises ValueError when the entries are not all of the submission's patient."""
    if any(entry.patient_id != submission.patient_id for entry in entries):
        raise ValueError("one archive speaks of one patient (ECO.2.1.1)")
    root = etree.Element(f"{{{LCM}}}SubmitObjectsRequest", nsmap={"lcm": LCM, "rim": RIM})
    objects = _Objects(etree.SubElement(root, f"{{{RIM}}}RegistryObjectList"))
    objects.submission(submission)
    for entry in entries:
        objects.entry(entry)
    for entry in entries:
        member = objects.association(HAS_MEMBER, "SubmissionSet01", entry.entry_uuid)
        _slot(member, "SubmissionSetStatus", "Original")
    for replacement in replacements:
        objects.association(REPLACES, replacement.new, replacement.old)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


class _Objects:
    """The registry objects of one request, with the running number that their ids need."""

    def __init__(self, parent: Element) -> None:
        self._parent = parent
        self._count = 0

    def submission(self, submission: Submission) -> None:
        package = etree.SubElement(self._parent, _rim("RegistryPackage"), id="SubmissionSet01")
        _slot(package, "submissionTime", submission.time)
        _slot(package, "intendedRecipient", *(f"||^^Internet^{address}" for address in submission.recipients))
        _name(package, submission.title)
        _name(package, submission.comments, "Description")
        self._classification(package, classificationNode=SUBMISSION_SET)
        self._author(package, SET_AUTHOR, submission.author)
        self._code(package, SET_CONTENT_TYPE, submission.content_type)
        self._external(package, SET_PATIENT, "XDSSubmissionSet.patientId", submission.patient_id)
        self._external(package, SET_SOURCE, "XDSSubmissionSet.sourceId", submission.source_id)
        self._external(package, SET_UNIQUE, "XDSSubmissionSet.uniqueId", submission.unique_id)

    def entry(self, entry: DocumentEntry) -> None:
        extrinsic = etree.SubElement(
            self._parent, _rim("ExtrinsicObject"), id=entry.entry_uuid, mimeType=entry.mime_type, objectType=DOCUMENT_ENTRY
        )
        for name, values in (
            ("creationTime", (entry.creation_time,)),
            ("serviceStartTime", (entry.service_start,)),
            ("serviceStopTime", (entry.service_stop,)),
            ("languageCode", (entry.language,)),
            ("legalAuthenticator", (entry.legal_authenticator,)),
            ("sourcePatientId", (entry.source_patient_id,)),
            ("sourcePatientInfo", entry.source_patient_info),
            ("hash", (entry.hash,)),
            ("size", (str(entry.size),)),
            ("URI", (entry.uri,)),
            (REFERENCE_IDS, entry.reference_ids),
        ):
            _slot(extrinsic, name, *values)
        _name(extrinsic, entry.title)
        for author in entry.authors:
            self._author(extrinsic, ENTRY_AUTHOR, author)
        for scheme, codes in (
            (ENTRY_CLASS, (entry.class_code,)),
            (ENTRY_TYPE, (entry.type_code,)),
            (ENTRY_FORMAT, (entry.format_code,)),
            (ENTRY_CONFIDENTIALITY, entry.confidentiality),
            (ENTRY_FACILITY, (entry.facility,)),
            (ENTRY_PRACTICE, (entry.practice_setting,)),
            (ENTRY_EVENT, entry.events),
        ):
            for code in codes:
                self._code(extrinsic, scheme, code)
        self._external(extrinsic, ENTRY_PATIENT, "XDSDocumentEntry.patientId", entry.patient_id)
        self._external(extrinsic, ENTRY_UNIQUE, "XDSDocumentEntry.uniqueId", entry.unique_id)

    def association(self, kind: str, source: str, target: str) -> Element:
        return etree.SubElement(
            self._parent, _rim("Association"), id=self._id("as"), associationType=kind, sourceObject=source, targetObject=target
        )

    def _classification(self, parent: Element, **attributes: str) -> Element:
        of = parent.get("id") or ""
        return etree.SubElement(parent, _rim("Classification"), {"id": self._id("cl"), "classifiedObject": of, **attributes})

    def _author(self, parent: Element, scheme: str, author: EntryAuthor) -> None:
        element = self._classification(parent, classificationScheme=scheme, nodeRepresentation="")
        _slot(element, "authorPerson", author.person)
        _slot(element, "authorInstitution", author.institution)
        _slot(element, "authorRole", author.role)
        _slot(element, "authorSpecialty", author.specialty)

    def _code(self, parent: Element, scheme: str, code: Coded) -> None:
        element = self._classification(parent, classificationScheme=scheme, nodeRepresentation=_clean(code.code))
        _slot(element, "codingScheme", code.system)
        _name(element, code.label or code.code)

    def _external(self, parent: Element, scheme: str, name: str, value: str) -> None:
        element = etree.SubElement(
            parent,
            _rim("ExternalIdentifier"),
            id=self._id("ei"),
            registryObject=parent.get("id") or "",
            identificationScheme=scheme,
            value=_clean(value),
        )
        _name(element, name)

    def _id(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count:02d}"


class MetadataEntry(Private, frozen=True, kw_only=True):
    """What METADATA.XML says of one document, as far as a receiver needs it; empty where it says nothing."""

    entry_uuid: str
    uri: str
    unique_id: str
    #: SHA-1, lower case.
    hash: str
    size: int | None
    patient_id: str
    source_patient_id: str
    title: str
    type_code: str
    format_code: str
    mime_type: str
    creation_time: str
    #: entryUUID of the document that this one replaces.
    replaces: str


class Metadata(Private, frozen=True, kw_only=True):
    """A received METADATA.XML."""

    entries: tuple[MetadataEntry, ...]
    #: patientId, sourceId and uniqueId of the submission set.
    patient_id: str
    source_id: str
    unique_id: str
    submission_time: str


def read_metadata(root: Element) -> Metadata:
    """What a parsed METADATA.XML says. Namespaces' prefixes do not matter; what is missing is empty."""
    objects = list(root.iter(_rim("ExtrinsicObject")))
    package = next(root.iter(_rim("RegistryPackage")), None)
    replaced = {
        link.get("sourceObject", ""): link.get("targetObject", "")
        for link in root.iter(_rim("Association"))
        if link.get("associationType", "").endswith(":RPLC")
    }
    return Metadata(
        entries=tuple(_read_entry(element, replaced) for element in objects),
        patient_id=_external_value(package, SET_PATIENT),
        source_id=_external_value(package, SET_SOURCE),
        unique_id=_external_value(package, SET_UNIQUE),
        submission_time=_slot_value(package, "submissionTime"),
    )


def _read_entry(element: Element, replaced: dict[str, str]) -> MetadataEntry:
    size = _slot_value(element, "size")
    label = element.find(f"{_rim('Name')}/{_rim('LocalizedString')}")
    return MetadataEntry(
        entry_uuid=element.get("id", ""),
        uri=_slot_value(element, "URI"),
        unique_id=_external_value(element, ENTRY_UNIQUE),
        hash=_slot_value(element, "hash").lower(),
        size=int(size) if re.fullmatch(r"[0-9]{1,12}", size) else None,
        patient_id=_external_value(element, ENTRY_PATIENT),
        source_patient_id=_slot_value(element, "sourcePatientId"),
        title="" if label is None else label.get("value", ""),
        type_code=_class_code(element, ENTRY_TYPE),
        format_code=_class_code(element, ENTRY_FORMAT),
        mime_type=element.get("mimeType", ""),
        creation_time=_slot_value(element, "creationTime"),
        replaces=replaced.get(element.get("id", ""), ""),
    )


def _slot_value(element: Element | None, name: str) -> str:
    for slot in () if element is None else element.iterchildren(_rim("Slot")):
        if slot.get("name") == name:
            return (slot.findtext(f"{_rim('ValueList')}/{_rim('Value')}") or "").strip()
    return ""


def _external_value(element: Element | None, scheme: str) -> str:
    for identifier in () if element is None else element.iterchildren(_rim("ExternalIdentifier")):
        if identifier.get("identificationScheme") == scheme:
            return identifier.get("value", "").strip()
    return ""


def _class_code(element: Element, scheme: str) -> str:
    for classification in element.iterchildren(_rim("Classification")):
        if classification.get("classificationScheme") == scheme:
            return classification.get("nodeRepresentation", "").strip()
    return ""


def _slot(parent: Element, name: str, *values: str) -> None:
    """A Slot with the values that say something; none when there is none."""
    kept: Iterable[str] = [value for value in values if value]
    if not kept:
        return
    slot = etree.SubElement(parent, _rim("Slot"), name=name)
    items = etree.SubElement(slot, _rim("ValueList"))
    for value in kept:
        etree.SubElement(items, _rim("Value")).text = _clean(value)


def _name(parent: Element, text: str, tag: str = "Name") -> None:
    if text:
        label = etree.SubElement(etree.SubElement(parent, _rim(tag)), _rim("LocalizedString"), charset="UTF8", value=_clean(text))
        label.set("{http://www.w3.org/XML/1998/namespace}lang", "FR")


def _rim(tag: str) -> str:
    return f"{{{RIM}}}{tag}"


def _clean(text: str) -> str:
    """``text`` without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("", text)
