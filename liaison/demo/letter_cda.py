"""The letter as a CDA R2: the CI-SIS header, then a PDF (N1) or the sections of LDL-SES 2022.01 (N3).

Written apart from liaison.cda on purpose: what the hub reads in the demonstration was not written by its own code.
Elements are in the order of the schema (CI-SIS Structuration minimale; LDL-SES 2022.01).
"""

from __future__ import annotations

import base64
from datetime import datetime
from xml.etree import ElementTree as ET

from liaison.care.identifiers import INS_NIR_TEST
from liaison.demo.letter_pdf import letter_pdf
from liaison.demo.letter_sections import sections
from liaison.demo.letters import Letter
from liaison.demo.people import Commune, Physician
from liaison.demo.xmltree import node

PS = "1.2.250.1.71.4.2.1"
STRUCTURE = "1.2.250.1.71.4.2.2"
SPECIALTIES = "1.2.250.1.213.1.1.4.5"
LOINC = "2.16.840.1.113883.6.1"
ACT_CODE = "2.16.840.1.113883.5.4"
#: JDV_J142 puts outpatient visits in a code system of its own.
OUTPATIENT = "1.2.250.1.213.1.1.4.2.291"


def cda(letter: Letter) -> bytes:
    """The document, UTF-8 with an XML declaration. The same letter gives the same bytes."""
    root = node("ClinicalDocument", xmlns="urn:hl7-org:v3", **{"xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance"})
    root.extend(_header(letter))
    if letter.level == "N1":
        content = base64.b64encode(letter_pdf(letter)).decode()
        root.append(node("component", node("nonXMLBody", node("text", content, mediaType="application/pdf", representation="B64"))))
    else:
        root.append(node("component", node("structuredBody", *sections(letter))))
    ET.indent(root, " ")
    written: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return written


def timestamp(moment: datetime) -> str:
    """``YYYYMMDDhhmmss+ZZZZ``: the offset is required (CI-SIS)."""
    return moment.strftime("%Y%m%d%H%M%S%z")


def _header(letter: Letter) -> list[ET.Element]:
    hospital, author = letter.hospital, letter.author
    written = timestamp(letter.written_at)
    if letter.level == "N1":
        model = node("templateId", root="1.3.6.1.4.1.19376.1.2.20")  # IHE XDS-SD takes the place of the model
    else:
        model = node("templateId", root="1.2.250.1.213.1.1.1.29", extension="2022.01")
    code, label = letter.type
    elements = [
        node("realmCode", code="FR"),
        node("typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040"),
        node("templateId", root="2.16.840.1.113883.2.8.2.1"),
        node("templateId", root="1.2.250.1.213.1.1.1.1"),
        model,
        node("id", root=letter.oid),
        node("code", code=code, displayName=label, codeSystem=LOINC, codeSystemName="LOINC"),
        node("title", letter.title),
        node("effectiveTime", value=written),
        node("confidentialityCode", code="N", codeSystem="2.16.840.1.113883.5.25", displayName="Normal"),
        node("languageCode", code="fr-FR"),
        node("setId", root=letter.set_oid),
        node("versionNumber", value=str(letter.version)),
        _record_target(letter),
        node(
            "author",
            node("time", value=written),
            node(
                "assignedAuthor",
                node("id", root=PS, extension="8" + author.rpps),
                node("code", code=author.specialty, displayName=author.specialty_label, codeSystem=SPECIALTIES),
                _address(hospital.street, hospital.commune),
                node("telecom", value=f"tel:{hospital.phone}", use="WP"),
                node("assignedPerson", _person_name(author)),
                _organisation("representedOrganization", letter),
            ),
        ),
        node("custodian", node("assignedCustodian", _organisation("representedCustodianOrganization", letter, address=True))),
    ]
    physician = letter.subject.patient.physician if letter.subject.knows_physician else None
    if physician:
        elements.append(
            node(
                "informationRecipient",
                node(
                    "intendedRecipient",
                    node("id", root=PS, extension="8" + physician.rpps),
                    node("informationRecipient", _person_name(physician)),
                ),
            )
        )
    elements.append(
        node(
            "legalAuthenticator",
            node("time", value=written),
            node("signatureCode", code="S"),
            node(
                "assignedEntity",
                node("id", root=PS, extension="8" + author.rpps),
                node("assignedPerson", _person_name(author)),
                _organisation("representedOrganization", letter),
            ),
        )
    )
    if physician:
        elements.append(_treating_physician(physician))
    elements.append(_service_event(letter))
    if letter.replaces:
        parent = node("parentDocument", node("id", root=letter.replaces))
        elements.append(node("relatedDocument", parent, typeCode="RPLC"))
    elements.append(_encounter(letter))
    return elements


def _record_target(letter: Letter) -> ET.Element:
    subject = letter.subject
    patient = subject.patient
    ids = [node("id", extension=subject.ipp, root=letter.hospital.oid)]
    if subject.qualified:
        ids.insert(0, node("id", extension=patient.ins, root=INS_NIR_TEST))
    name = node(
        "name",
        node("family", patient.birth_name, qualifier="BR"),
        node("given", " ".join(patient.given_names)),
        node("given", patient.given_names[0], qualifier="BR"),
    )
    if patient.used_name:
        name.append(node("family", patient.used_name, qualifier="CL"))
    return node(
        "recordTarget",
        node(
            "patientRole",
            *ids,
            _address(patient.street, patient.commune),
            node("telecom", value=f"tel:{patient.phone}", use="MC"),
            node(
                "patient",
                name,
                node(
                    "administrativeGenderCode",
                    code=patient.sex,
                    displayName="Féminin" if patient.sex == "F" else "Masculin",
                    codeSystem="2.16.840.1.113883.5.1",
                ),
                node("birthTime", value=f"{patient.birth_date:%Y%m%d}"),
                node(
                    "birthplace",
                    node("place", node("addr", node("county", patient.birthplace.cog), node("city", patient.birthplace.name))),
                ),
                classCode="PSN",
            ),
        ),
    )


def _treating_physician(physician: Physician) -> ET.Element:
    return node(
        "participant",
        node("functionCode", code="PCP", displayName="Médecin Traitant", codeSystem="2.16.840.1.113883.5.88"),
        node("time", nullFlavor="NA"),
        node(
            "associatedEntity",
            node("id", root=PS, extension="8" + physician.rpps),
            node("code", code=physician.specialty, displayName=physician.specialty_label, codeSystem=SPECIALTIES),
            node("associatedPerson", _person_name(physician)),
            classCode="PROV",
        ),
        typeCode="INF",
    )


def _service_event(letter: Letter) -> ET.Element:
    inpatient = letter.type[0] == "11490-0"
    if inpatient:
        code = node("code", code="IMP", displayName="Hospitalisation (établissement, y compris HAD)", codeSystem=ACT_CODE)
    else:
        label = "Acte et consultation externe (établissement)"
        code = node("code", code="EXTERNE", displayName=label, codeSystem=OUTPATIENT)
    return node(
        "documentationOf",
        node(
            "serviceEvent",
            code,
            _period(letter),
            node(
                "performer",
                node(
                    "assignedEntity",
                    node("id", root=PS, extension="8" + letter.author.rpps),
                    node("code", code=letter.author.specialty, displayName=letter.author.specialty_label, codeSystem=SPECIALTIES),
                    node("assignedPerson", _person_name(letter.author)),
                    node(
                        "representedOrganization",
                        node("id", root=STRUCTURE, extension="1" + letter.hospital.finess),
                        node("name", letter.ward.label),
                        node(
                            "standardIndustryClassCode",
                            code="ETABLISSEMENT",
                            displayName="Etablissement de santé",
                            codeSystem="1.2.250.1.213.1.1.4.9",
                            codeSystemName="practiceSettingCode",
                        ),
                    ),
                ),
                typeCode="PRF",
            ),
        ),
    )


def _encounter(letter: Letter) -> ET.Element:
    code, label = letter.hospital.facility
    return node(
        "componentOf",
        node(
            "encompassingEncounter",
            _period(letter),
            node(
                "location",
                node(
                    "healthCareFacility",
                    node("code", code=code, displayName=label, codeSystem="1.2.250.1.71.4.2.4"),
                    node("location", node("name", letter.ward.label)),
                ),
            ),
        ),
    )


def _period(letter: Letter) -> ET.Element:
    low, high = timestamp(letter.admitted_at), timestamp(letter.left_at)
    return node("effectiveTime", node("low", value=low), node("high", value=high))


def _person_name(person: Physician) -> ET.Element:
    return node(
        "name",
        node("given", person.given),
        node("family", person.family.upper()),
        node("prefix", "MME" if person.sex == "F" else "M"),
        node("suffix", "DR"),
    )


def _organisation(tag: str, letter: Letter, *, address: bool = False) -> ET.Element:
    hospital = letter.hospital
    element = node(tag, node("id", root=STRUCTURE, extension="1" + hospital.finess), node("name", hospital.name))
    if address:
        element.extend([node("telecom", value=f"tel:{hospital.phone}", use="WP"), _address(hospital.street, hospital.commune)])
    return element


def _address(street: str, commune: Commune) -> ET.Element:
    return node(
        "addr",
        node("streetAddressLine", street),
        node("streetAddressLine", f"{commune.postal_code} {commune.name.upper()}"),
    )
