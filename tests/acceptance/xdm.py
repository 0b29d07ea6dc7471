"""An independent reading of the mails: zipfile, lxml and hashlib only, after the CI-SIS texts (cda-fr digest §4 and §5).

:func:`expected_entry` derives each attribute of a DocumentEntry from the CDA by its own XPath; :class:`Archive` reads what was sent.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from datetime import UTC, datetime
from typing import TypeAlias, cast
from zoneinfo import ZoneInfo

from lxml import etree

Node: TypeAlias = etree._Element  # pyright: ignore[reportPrivateUsage]

CDA = {"h": "urn:hl7-org:v3", "ps": "urn:dicom-org:ps3-20"}
RIM = {"rim": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0", "lcm": "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"}
INS = ("1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9", "1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11")

#: Classification schemes of a DocumentEntry (IHE ITI TF-3 §4.2.5.2).
SCHEMES = {
    "author": "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d",
    "classCode": "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a",
    "typeCode": "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983",
    "formatCode": "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d",
    "confidentialityCode": "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f",
    "healthcareFacilityTypeCode": "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
    "practiceSettingCode": "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead",
    "eventCodeList": "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4",
}
ENTRY_IDENTIFIERS = {
    "patientId": "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
    "uniqueId": "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab",
}
SET_IDENTIFIERS = {
    "patientId": "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
    "sourceId": "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832",
    "uniqueId": "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8",
}
#: Class by type (digest §3.1) and label by class (§3.2); format by model (§4.3) or medium.
CLASSES = {"34112-3": "10", "11490-0": "10", "11502-2": "10", "18748-4": "31"}
CLASS_LABELS = {"10": "Compte rendu", "31": "Imagerie médicale"}
FORMATS = {"1.2.250.1.213.1.1.1.29": "urn:asip:ci-sis:ldl-ses:2017", "1.2.250.1.213.1.1.1.55": "urn:ihe:lab:xd-lab:2008"}
PDF_FORMAT = "urn:ihe:iti:xds-sd:pdf:2008"
MASKS = {
    "MASQUE_PS": "MASQUE_PS",
    "INVISIBLE_PATIENT": "INVISIBLE_PATIENT",
    "INVISIBLE_REP_LEGAUX": "INVISIBLE_REPRESENTANTS_LEGAUX",
}


def evaluate(node: Node, path: str, namespaces: dict[str, str]) -> list[object]:
    """What an XPath that selects finds."""
    return cast(list[object], node.xpath(path, namespaces=namespaces))


class Document:
    """A CDA, read by XPath."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.root = etree.fromstring(raw, etree.XMLParser(resolve_entities=False, no_network=True))

    def get(self, path: str) -> str:
        """The first value at a path; empty when there is none."""
        return next(iter(self.all(path)), "")

    def all(self, path: str) -> list[str]:
        return [" ".join(str(value).split()) for value in evaluate(self.root, path, CDA)]

    def nodes(self, path: str) -> list[Document]:
        return [Document(etree.tostring(node)) for node in evaluate(self.root, path, CDA) if isinstance(node, Node)]

    @property
    def code(self) -> str:
        return self.get("h:code/@code")

    @property
    def is_n1(self) -> bool:
        return bool(self.nodes("h:component/h:nonXMLBody"))

    @property
    def unique_id(self) -> str:
        return instance(self.get("h:id/@root"), self.get("h:id/@extension"))

    @property
    def ins(self) -> tuple[str, str]:
        """Matricule and OID; empty without."""
        ids = self.nodes("h:recordTarget/h:patientRole/h:id")
        return next(((one.get("@extension"), one.get("@root")) for one in ids if one.get("@root") in INS), ("", ""))

    @property
    def birth_name(self) -> str:
        name = "h:recordTarget/h:patientRole/h:patient/h:name/"
        return self.get(f"{name}h:family[@qualifier='BR']/text()")

    @property
    def first_given(self) -> str:
        name = "h:recordTarget/h:patientRole/h:patient/h:name/"
        return (
            self.get(f"{name}h:given[@qualifier='BR']/text()") or self.get(f"{name}h:given[not(@qualifier)]/text()").split(" ")[0]
        )

    @property
    def birth_date(self) -> str:
        return self.get("h:recordTarget/h:patientRole/h:patient/h:birthTime/@value")[:8]


def instance(root: str, extension: str) -> str:
    return f"{root}^{extension}" if extension else root


def utc(written: str) -> str:
    """An HL7 time as UTC without an offset; one that has none is French time. Partial times as they are."""
    if not re.fullmatch(r"\d{14}([+-]\d{4})?", written):
        return written
    if len(written) == 14:
        at = datetime.strptime(written, "%Y%m%d%H%M%S").replace(tzinfo=ZoneInfo("Europe/Paris"))
    else:
        at = datetime.strptime(written, "%Y%m%d%H%M%S%z")
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S")


def person(actor: Document, role: str) -> str:
    """XCN of a professional."""
    root, number = actor.get(f"{role}/h:id/@root"), actor.get(f"{role}/h:id/@extension")
    family, given = (
        actor.get(f"{role}/h:assignedPerson/h:name/h:family/text()"),
        actor.get(f"{role}/h:assignedPerson/h:name/h:given/text()"),
    )
    return f"{number}^{family}^{given}^^^^^^&{root}&ISO^D^^^{'EI' if '/' in number else 'IDNPS'}"


def institution(actor: Document, role: str) -> str:
    """XON of the organisation that somebody represents."""
    place = f"{role}/h:representedOrganization"
    name, root, number = (
        actor.get(f"{place}/h:name/text()"),
        actor.get(f"{place}/h:id/@root"),
        actor.get(f"{place}/h:id/@extension"),
    )
    return f"{name}^^^^^&{root}&ISO^IDNST^^^{number}"


def coded(node: Document) -> tuple[str, str]:
    return node.get("@code"), node.get("@codeSystem")


def expected_entry(raw: bytes, masks: tuple[str, ...]) -> dict[str, object]:
    """Every attribute of digest §4.1 that the document determines; ``masks`` are the MetaDMPMSS observations worth Y."""
    document = Document(raw)
    matricule, ins_root = document.ins
    local = [one for one in document.nodes("h:recordTarget/h:patientRole/h:id") if one.get("@root") not in INS]
    ins_cx = f"{matricule}^^^&{ins_root}&ISO^NH"
    event = document.nodes("h:documentationOf/h:serviceEvent")[0]
    setting = "h:performer/h:assignedEntity/h:representedOrganization/h:standardIndustryClassCode"
    model = next((FORMATS[one] for one in document.all("h:templateId/@root") if one in FORMATS), "")
    format_code = PDF_FORMAT if document.is_n1 else model
    patient = "h:recordTarget/h:patientRole/h:patient"
    used = document.get(f"{patient}/h:name/h:family[@qualifier='CL']/text()")
    info = [f"PID-5|{document.birth_name}^{document.first_given}^^^^^L"]
    given = document.get(f"{patient}/h:name/h:given[@qualifier='CL']/text()")
    if used:
        info.append(f"PID-5|{used}^{given}^^^^^D")
    info += [f"PID-7|{document.birth_date}", f"PID-8|{document.get(f'{patient}/h:administrativeGenderCode/@code')}"]
    ihe, ans = "1.3.6.1.4.1.19376.1.2.3", "1.2.250.1.213.1.1.4.2.282"
    return {
        "mimeType": "text/xml",
        "objectType": "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1",
        "authors": [
            {
                name: [value]
                for name, value in (
                    ("authorPerson", person(author, "h:assignedAuthor")),
                    ("authorInstitution", institution(author, "h:assignedAuthor")),
                    ("authorRole", author.get("h:functionCode/@displayName")),
                    (
                        "authorSpecialty",
                        "^".join(author.get(f"h:assignedAuthor/h:code/@{part}") for part in ("code", "displayName", "codeSystem")),
                    ),
                )
                if value.strip("^")
            }
            for author in document.nodes("h:author")
        ],
        "legalAuthenticator": [person(document.nodes("h:legalAuthenticator")[0], "h:assignedEntity")],
        "classCode": [(CLASSES[document.code], "1.2.250.1.213.1.1.4.1")],
        "typeCode": [coded(document.nodes("h:code")[0])],
        "formatCode": [(format_code, ihe if format_code.startswith("urn:ihe:") else ans)],
        "confidentialityCode": [
            (document.get("h:confidentialityCode/@code"), "2.16.840.1.113883.5.25"),
            *((MASKS[mask], "1.2.250.1.213.1.1.4.13") for mask in MASKS if mask in masks),
        ],
        "healthcareFacilityTypeCode": [
            coded(document.nodes("h:componentOf/h:encompassingEncounter/h:location/h:healthCareFacility/h:code")[0])
        ],
        "practiceSettingCode": [coded(event.nodes(setting)[0])],
        "eventCodeList": [coded(code) for code in document.nodes("h:documentationOf/h:serviceEvent/h:code")],
        "creationTime": [utc(document.get("h:effectiveTime/@value"))],
        "serviceStartTime": [utc(event.get("h:effectiveTime/h:low/@value"))],
        "serviceStopTime": [utc(time) for time in event.all("h:effectiveTime/h:high/@value")],
        "languageCode": [document.get("h:languageCode/@code")],
        "patientId": ins_cx,
        "sourcePatientId": [f"{local[0].get('@extension')}^^^&{local[0].get('@root')}&ISO^PI" if local else ins_cx],
        "sourcePatientInfo": info,
        "title": document.get("h:title/text()"),
        "uniqueId": document.unique_id,
        "hash": [hashlib.sha1(raw, usedforsecurity=False).hexdigest()],
        "size": [str(len(raw))],
        "URI": ["DOC0001.XML"],
    }


class Archive:
    """IHE_XDM.ZIP with one submission set of one document, as read from its bytes."""

    FOLDER = "IHE_XDM/SUBSET01/"

    def __init__(self, raw: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            assert archive.testzip() is None
            self.names = archive.namelist()
            self.files = {name: archive.read(name) for name in self.names}
        self.metadata = etree.fromstring(self.files[f"{self.FOLDER}METADATA.XML"])
        (self.package,) = self._find(self.metadata, "//rim:RegistryPackage")
        (self.object,) = self._find(self.metadata, "//rim:ExtrinsicObject")

    @property
    def document(self) -> bytes:
        return self.files[f"{self.FOLDER}DOC0001.XML"]

    @property
    def entry(self) -> dict[str, object]:
        """The DocumentEntry, under the names of :func:`expected_entry`."""
        node = self.object
        found: dict[str, object] = {"mimeType": node.get("mimeType"), "objectType": node.get("objectType")}
        for name, scheme in SCHEMES.items():
            places = self._find(node, f"rim:Classification[@classificationScheme='{scheme}']")
            assert all(place.get("classifiedObject") == node.get("id") for place in places)
            if name == "author":
                found["authors"] = [self.slots(place) for place in places]
            else:
                found[name] = [(place.get("nodeRepresentation"), self.slots(place)["codingScheme"][0]) for place in places]
        found |= {name: values for name, values in self.slots(node).items() if not name.startswith("urn:")}
        found.setdefault("serviceStopTime", [])
        found |= {name: self.identifier(node, scheme) for name, scheme in ENTRY_IDENTIFIERS.items()}
        found["title"] = self.label(node)
        return found

    def slots(self, node: Node) -> dict[str, list[str]]:
        """Values of the slots, by name."""
        return {
            str(slot.get("name")): [value.text or "" for value in self._find(slot, "rim:ValueList/rim:Value")]
            for slot in self._find(node, "rim:Slot")
        }

    def identifier(self, node: Node, scheme: str) -> str:
        (place,) = self._find(node, f"rim:ExternalIdentifier[@identificationScheme='{scheme}']")
        assert place.get("registryObject") == node.get("id")
        return str(place.get("value"))

    def label(self, node: Node) -> str:
        (place,) = self._find(node, "rim:Name/rim:LocalizedString")
        return str(place.get("value"))

    def classification(self, node: Node, scheme: str) -> Node:
        (place,) = self._find(node, f"rim:Classification[@classificationScheme='{scheme}']")
        return place

    def associations(self, kind: str) -> list[tuple[str, str]]:
        """Source and target of the associations of a type, by the end of its name."""
        return [
            (str(place.get("sourceObject")), str(place.get("targetObject")))
            for place in self._find(self.metadata, "//rim:Association")
            if str(place.get("associationType")).endswith(kind)
        ]

    def _find(self, node: Node, path: str) -> list[Node]:
        return [one for one in evaluate(node, path, RIM) if isinstance(one, Node)]
