"""XDS metadata of a CDA document: the DocumentEntry that an IHE XDM archive or a registry describes it with.

IHE ITI TF-3 §4.2; CI-SIS mapping of the CDA header (digest cda-fr §4.1).
"""

from __future__ import annotations

import hashlib
from typing import Final

from liaison.cda.datatypes import INS_ROOTS, ORGANISATION_ROOT, Code, InstanceId
from liaison.cda.header import Header, ServiceEvent
from liaison.cda.parties import Actor, Organisation, Patient
from liaison.cda.value_sets import (
    CLASS_LABELS,
    CLASS_SYSTEM,
    CONFIDENTIALITY_LABELS,
    CONFIDENTIALITY_SYSTEM,
    MASKING_SYSTEM,
    MASKS,
    document_type,
    format_of_media,
    format_of_model,
    format_scheme,
)
from liaison.private import Private


class Coded(Private, frozen=True, kw_only=True):
    """A coded attribute: nodeRepresentation, the codingScheme slot, and the label of its Name."""

    code: str
    system: str
    label: str = ""


class EntryAuthor(Private, frozen=True, kw_only=True):
    """One author Classification; empty strings are slots to leave out."""

    #: XCN.
    person: str = ""
    #: XON.
    institution: str = ""
    #: Plain label.
    role: str = ""
    #: ``code^label^system``.
    specialty: str = ""


class DocumentEntry(Private, frozen=True, kw_only=True):
    """The values of a ``rim:ExtrinsicObject``. Times are UTC, ``YYYYMMDDhhmmss`` or shorter; ``&`` is not escaped."""

    entry_uuid: str
    mime_type: str
    #: File name relative to METADATA.XML.
    uri: str
    unique_id: str
    hash: str  #: SHA-1 of the bytes, 40 hexadecimal digits
    size: int
    title: str
    language: str
    creation_time: str
    service_start: str = ""
    service_stop: str = ""
    type_code: Coded
    class_code: Coded
    format_code: Coded
    #: First the CDA's own level, then the masking codes.
    confidentiality: tuple[Coded, ...]
    facility: Coded
    practice_setting: Coded
    events: tuple[Coded, ...] = ()
    authors: tuple[EntryAuthor, ...]
    #: XCN; empty when the document names none.
    legal_authenticator: str = ""
    #: CX of the INS, else of the IPP.
    patient_id: str
    #: CX of the IPP, else of the INS.
    source_patient_id: str
    #: One Value of the sourcePatientInfo slot each: ``PID-5|…``.
    source_patient_info: tuple[str, ...] = ()
    #: CXi values of referenceIdList.
    reference_ids: tuple[str, ...] = ()
    #: uniqueId of the document that this one replaces; empty when there is none.
    replaces: str = ""


#: Class of a type that the value set does not know: « Compte rendu », the class of most letters.
_FALLBACK_CLASS: Final = "10"
_ORDER: Final = "urn:ihe:iti:xds:2013:order"
_ACCESSION: Final = "urn:ihe:iti:xds:2013:accession"
_ENCOUNTER: Final = "urn:ihe:iti:xds:2015:encounterId"


def document_entry(header: Header, raw: bytes, *, masks: frozenset[str], entry_uuid: str, uri: str) -> DocumentEntry:
    """Describe a document from its header and its bytes, exactly as they are delivered.

    ``masks`` are the MetaDMPMSS observations among MASQUE_PS, INVISIBLE_PATIENT and INVISIBLE_REP_LEGAUX that are Y; others are
    without effect. A value that the document lacks is an empty string: it is never made up.
    """
    act = header.service_event or ServiceEvent()
    performer = act.performer
    setting = performer.organisation.setting if performer is not None and performer.organisation is not None else None
    moments = (header.created, *(author.at for author in header.authors))
    created = next((moment for moment in moments if moment is not None), None)
    patient_id, source_patient_id = patient_ids(header.patient)
    type_code, class_code = _type_and_class(header.code)
    return DocumentEntry(
        entry_uuid=entry_uuid,
        mime_type="application/xslt+xml" if header.presents_itself else "text/xml",
        uri=uri,
        unique_id=header.id.text,
        hash=hashlib.sha1(raw, usedforsecurity=False).hexdigest(),
        size=len(raw),
        title=header.title or type_code.label,
        language=header.language or "fr-FR",
        creation_time=created.utc if created is not None else "",
        service_start=act.start.utc if act.start is not None else "",
        service_stop=act.stop.utc if act.stop is not None else "",
        type_code=type_code,
        class_code=class_code,
        format_code=_format(header),
        confidentiality=_confidentiality(header, masks),
        facility=_coded(header.encounter.facility if header.encounter is not None else None),
        practice_setting=_coded(setting),
        events=tuple(_coded(event.code) for event in header.service_events if event.code is not None and event.code.code),
        authors=tuple(_author(actor) for actor in header.authors),
        legal_authenticator=xcn(header.legal_authenticator) if header.legal_authenticator is not None else "",
        patient_id=patient_id,
        source_patient_id=source_patient_id,
        source_patient_info=_patient_info(header.patient),
        reference_ids=_references(header),
        replaces=header.replaces.text if header.replaces is not None else "",
    )


def patient_ids(patient: Patient) -> tuple[str, str]:
    """patientId (the INS, else the IPP) and sourcePatientId (the first IPP, else the INS), each a CX; empty without any."""
    ins, local = patient.ins, next(iter(patient.local_ids), None)
    ins_cx = cx(ins, "NH") if ins is not None else ""
    local_cx = cx(local, "PI") if local is not None else ""
    return ins_cx or local_cx, local_cx or ins_cx


def cx(id: InstanceId, type: str) -> str:
    """A CX: ``value^^^&root&ISO^type``."""
    return f"{escape(id.extension)}^^^&{escape(id.root)}&ISO^{type}"


def xcn(actor: Actor) -> str:
    """An XCN for a professional, a patient or a device (digest cda-fr §4.1, authorPerson)."""
    id = actor.id
    value = escape(id.extension) if id is not None else ""
    root = escape(id.root) if id is not None else ""
    if actor.device is not None:
        family, given, name_type, id_type = actor.device.software, actor.device.model, "U", "RI"
    else:
        family, given = (actor.name.family, actor.name.given) if actor.name is not None else ("", "")
        name_type = "D"
        id_type = "NH" if root in INS_ROOTS else "EI" if "/" in value else "IDNPS"
    authority = f"&{root}&ISO" if value else ""
    return f"{value}^{escape(family)}^{escape(given)}^^^^^^{authority}^{name_type}^^^{id_type if value else ''}".rstrip("^")


def xon(organisation: Organisation) -> str:
    """An XON; empty when the organisation has neither name nor identifier."""
    id, name = organisation.id, escape(organisation.name)
    if id is None or not id.extension:
        return name
    id_type = "IDNST" if id.root == ORGANISATION_ROOT else "EI"
    return f"{name}^^^^^&{escape(id.root)}&ISO^{id_type}^^^{escape(id.extension)}"


_ESCAPES: Final = str.maketrans({"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\r": " ", "\n": " "})


def escape(text: str) -> str:
    """``text`` safe inside a component: HL7 v2 escapes for its delimiters."""
    return text.translate(_ESCAPES)


def _author(actor: Actor) -> EntryAuthor:
    specialty = actor.specialty
    return EntryAuthor(
        person=xcn(actor),
        institution=xon(actor.organisation) if actor.organisation is not None else "",
        role=actor.function.label if actor.function is not None else "",
        specialty=f"{escape(specialty.code)}^{escape(specialty.label)}^{escape(specialty.system)}"
        if specialty is not None and specialty.code
        else "",
    )


def _coded(code: Code | None) -> Coded:
    return Coded(code=code.code, system=code.system, label=code.label) if code is not None else Coded(code="", system="")


def _type_and_class(code: Code) -> tuple[Coded, Coded]:
    """The label is that of the value set: senders' labels drift (digest cda-fr §8.2)."""
    known = document_type(code.code, code.system)
    class_code = known.class_code if known is not None else _FALLBACK_CLASS
    return (
        Coded(code=code.code, system=code.system, label=known.label if known is not None else code.label),
        Coded(code=class_code, system=CLASS_SYSTEM, label=CLASS_LABELS[class_code]),
    )


def _format(header: Header) -> Coded:
    if header.level == "N1":
        code = format_of_media(header.media_type)
    else:
        model = header.model
        code = format_of_model(*([model.root] if model is not None else []), *(template.root for template in header.templates))
    return Coded(code=code, system=format_scheme(code), label=code)


def _confidentiality(header: Header, masks: frozenset[str]) -> tuple[Coded, ...]:
    level = header.confidentiality.code if header.confidentiality is not None else ""
    level = level if level in CONFIDENTIALITY_LABELS else "N"
    return (
        Coded(code=level, system=CONFIDENTIALITY_SYSTEM, label=CONFIDENTIALITY_LABELS[level]),
        *(Coded(code=mask.code, system=MASKING_SYSTEM, label=mask.label) for name, mask in MASKS.items() if name in masks),
    )


def _patient_info(patient: Patient) -> tuple[str, ...]:
    info = [f"PID-3|{cx(id, 'PI')}" for id in patient.local_ids[1:]]
    if patient.birth_family or patient.first_given:
        info.append(f"PID-5|{escape(patient.birth_family)}^{escape(patient.first_given)}^^^^^L")
    if patient.used_family or patient.used_given:
        info.append(f"PID-5|{escape(patient.used_family)}^{escape(patient.used_given)}^^^^^D")
    if patient.birth_date:
        info.append(f"PID-7|{patient.birth_date}")
    if patient.gender:
        info.append(f"PID-8|{'U' if patient.gender == 'UN' else escape(patient.gender)}")
    return tuple(info)


def _references(header: Header) -> tuple[str, ...]:
    """CXi values (IHE ITI TF-3 §4.2.3.1.5)."""
    found = [(order.id, _ORDER) for order in header.orders] + [(order.accession, _ACCESSION) for order in header.orders]
    found += [(id, _ENCOUNTER) for id in (header.encounter.ids if header.encounter is not None else ())]
    return tuple(
        f"{escape(id.extension)}^^^&{escape(id.root)}&ISO^{type}" if id.extension else f"{escape(id.root)}^^^^{type}"
        for id, type in found
        if id is not None
    )
