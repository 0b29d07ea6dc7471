"""The header of a CDA document as one typed value (CI-SIS, structuration minimale; digest cda-fr §1).

:func:`read_header` stops at the body, so that its cost does not depend on the document's size. What is wrong but tolerable becomes a
finding; only a document without what the hub cannot do without is refused.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from lxml import etree

from liaison.cda.datatypes import (
    Code,
    InstanceId,
    TimeStamp,
    every,
    first,
    group,
    read_code,
    read_id,
    read_ids,
    read_text,
    read_time,
)
from liaison.cda.parties import Actor, Organisation, Patient, read_actor, read_organisation, read_patient
from liaison.cda.rules import check
from liaison.cda.xml import (
    MAX_BYTES,
    CdaError,
    Element,
    H,
    Limits,
    check_prolog,
    check_tree,
    find_clinical_document,
    is_stylesheet,
    options,
    syntax_error,
)
from liaison.finding import Finding, Severity
from liaison.private import Private

PARIS: Final = ZoneInfo("Europe/Paris")


class NotCda(CdaError):
    """Well-formed XML that holds no ClinicalDocument the hub could use."""


class ServiceEvent(Private, frozen=True, kw_only=True):
    """documentationOf/serviceEvent: the act or the stay that the document is about."""

    code: Code | None = None
    start: TimeStamp | None = None
    stop: TimeStamp | None = None
    performer: Actor | None = None


class Encounter(Private, frozen=True, kw_only=True):
    """componentOf/encompassingEncounter."""

    #: Numbers of the stay, where the sender gives them.
    ids: tuple[InstanceId, ...] = ()
    #: JDV_J142: IMP, AMB, EMER…
    code: Code | None = None
    start: TimeStamp | None = None
    stop: TimeStamp | None = None
    disposition: Code | None = None
    responsible: Actor | None = None
    #: healthCareFacility/code (JDV_J02).
    facility: Code | None = None
    place: str = ""


class Order(Private, frozen=True, kw_only=True):
    """inFulfillmentOf/order: what was asked for."""

    id: InstanceId | None = None
    accession: InstanceId | None = None


class Header(Private, frozen=True, kw_only=True):
    """All that a document says before its body."""

    realm: str = ""
    type_id: InstanceId | None = None
    templates: tuple[InstanceId, ...]
    id: InstanceId
    code: Code
    title: str
    created: TimeStamp | None
    confidentiality: Code | None = None
    language: str = ""
    set_id: InstanceId | None = None
    #: versionNumber; None when it is absent or not a positive integer.
    version: int | None = None
    patient: Patient
    authors: tuple[Actor, ...]
    custodian: Organisation | None = None
    recipients: tuple[Actor, ...] = ()
    legal_authenticator: Actor | None = None
    participants: tuple[Actor, ...] = ()
    orders: tuple[Order, ...] = ()
    service_events: tuple[ServiceEvent, ...] = ()
    #: relatedDocument[@typeCode='RPLC']/parentDocument/id.
    replaces: InstanceId | None = None
    #: Whether there is a componentOf/encompassingEncounter.
    encounter: Encounter | None = None
    #: ``N1``, ``N3``, or empty when there is no body.
    level: str = ""
    #: @mediaType of the body of an N1.
    media_type: str = ""
    #: An ``xsl:stylesheet`` that carries the document (XDS type ``application/xslt+xml``).
    presents_itself: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def service_event(self) -> ServiceEvent | None:
        """The first one: « l'acte principal »."""
        return self.service_events[0] if self.service_events else None

    @property
    def treating_physician(self) -> Actor | None:
        """The participant with functionCode PCP."""
        return next((actor for actor in self.participants if actor.function is not None and actor.function.code == "PCP"), None)

    @property
    def model(self) -> InstanceId | None:
        """The CI-SIS document model: the longest root under 1.2.250.1.213.1.1.1 but the common one (digest cda-fr §6)."""
        models = [id for id in self.templates if id.root.startswith("1.2.250.1.213.1.1.1.") and id.root != "1.2.250.1.213.1.1.1.1"]
        return max(models, key=lambda id: (len(id.root), bool(id.extension)), default=None)


_CHUNK: Final = 4_096
_BODIES: Final = {f"{H}nonXMLBody": "N1", f"{H}structuredBody": "N3"}


def read_header(raw: bytes, *, zone: tzinfo = PARIS, max_bytes: int = MAX_BYTES) -> Header:
    """Read the header from a document's bytes without reading its body.

    ``zone`` is where times without an offset were written. Raises :class:`CdaError`: :class:`NotXml`, :class:`UnsafeXml`, or
    :class:`NotCda` when there is no ClinicalDocument with id, code and recordTarget. What follows the header is not looked at: use
    :func:`liaison.cda.xml.parse` and :func:`header_of` to know that the whole document is well formed.
    """
    body = check_prolog(raw, max_bytes=max_bytes)
    parser = etree.XMLPullParser(events=("start",), tag=(*_BODIES, f"{H}text"), **options(len(body)))
    root: Element | None = None
    limits = Limits()
    try:
        for at in range(0, len(body), _CHUNK):
            chunk = body[at : at + _CHUNK]
            limits.count(chunk)
            parser.feed(chunk)
            for _, element in parser.read_events():
                if isinstance(element, Element) and _begins_body(element):
                    root = element.getroottree().getroot()
                    break
            if root is not None:
                break
        else:
            root = parser.close()
    except etree.XMLSyntaxError as error:
        raise syntax_error(error) from None
    check_tree(root)
    return header_of(root, raw, zone=zone)


def _begins_body(element: Element) -> bool:
    """Whether enough was read: the body of an N3 has begun, or the text of an N1, whose attributes tell the media type."""
    if element.tag == f"{H}structuredBody":
        return True
    parent = element.getparent()
    return element.tag == f"{H}text" and parent is not None and parent.tag == f"{H}nonXMLBody"


def header_of(root: Element, raw: bytes, *, zone: tzinfo = PARIS) -> Header:
    """The header of a parsed document; ``raw`` are its bytes, for what the tree no longer shows. Raises :class:`NotCda`."""
    document = find_clinical_document(root)
    if document is None:
        raise NotCda("cda.no-clinical-document", "/", "Le document XML n’est pas un CDA R2 : il n’a pas d’élément ClinicalDocument.",
                     "Envoyer un document CDA R2 (espace de noms urn:hl7-org:v3).")  # fmt: skip
    parts = group(document)
    id_element, code, target = first(parts, "id"), read_code(first(parts, "code")), first(parts, "recordTarget")
    id = None if id_element is None else read_id(id_element)
    role = None if target is None else target.find(f"{H}patientRole")
    if id is None or not id.root:
        raise _missing("id", "l’identifiant du document")
    if code is None or not code.code:
        raise _missing("code", "le type du document")
    if role is None:
        raise _missing("recordTarget/patientRole", "le patient")

    realm, type_id, language = first(parts, "realmCode"), first(parts, "typeId"), first(parts, "languageCode")
    custodian = first(parts, "custodian")
    authenticator = first(parts, "legalAuthenticator")
    encounter = first(parts, "componentOf")
    level, media_type = _body_kind(first(parts, "component"))
    set_id = first(parts, "setId")
    header = Header(
        realm="" if realm is None else realm.get("code") or "",
        type_id=None if type_id is None else read_id(type_id),
        templates=read_ids(parts, "templateId"),
        id=id,
        code=code,
        title=read_text(first(parts, "title")),
        created=read_time(first(parts, "effectiveTime"), zone),
        confidentiality=read_code(first(parts, "confidentialityCode")),
        language="" if language is None else language.get("code") or "",
        set_id=None if set_id is None else _said(read_id(set_id)),
        version=_version(first(parts, "versionNumber")),
        patient=read_patient(role, zone),
        authors=tuple(read_actor(element, zone) for element in every(parts, "author")),
        custodian=None if custodian is None else read_organisation(custodian.find(f"{H}assignedCustodian/{_CUSTODIAN}")),
        recipients=tuple(read_actor(element, zone) for element in every(parts, "informationRecipient")),
        legal_authenticator=None if authenticator is None else read_actor(authenticator, zone),
        participants=tuple(read_actor(element, zone) for element in every(parts, "participant")),
        orders=tuple(_read_order(element) for element in every(parts, "inFulfillmentOf")),
        service_events=tuple(_read_service_event(element, zone) for element in every(parts, "documentationOf")),
        replaces=_replaced(every(parts, "relatedDocument")),
        encounter=None if encounter is None else _read_encounter(encounter, zone),
        level=level,
        media_type=media_type,
        presents_itself=is_stylesheet(root),
    )
    return msgspec.structs.replace(header, findings=(*_form_findings(raw), *_order_findings(document), *check(header)))


_CUSTODIAN: Final = f"{H}representedCustodianOrganization"


def _missing(path: str, what: str) -> NotCda:
    rule = f"cda.no-{path.partition('/')[0].lower()}"
    return NotCda(rule, f"/ClinicalDocument/{path}", f"Il manque dans l’en-tête CDA {what} (CI-SIS, structuration minimale).",
                  f"Renseigner {path} dans l’en-tête du document.")  # fmt: skip


def _said(id: InstanceId) -> InstanceId | None:
    return id if id.root else None


def _version(element: Element | None) -> int | None:
    value = "" if element is None else (element.get("value") or "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 and int(value) > 0 else None


def _body_kind(component: Element | None) -> tuple[str, str]:
    body = None if component is None else next(component.iterchildren(*_BODIES), None)
    if body is None:
        return "", ""
    text = next(body.iterchildren(f"{H}text"), None)
    return _BODIES[body.tag], "" if text is None else text.get("mediaType") or ""


def _read_service_event(element: Element, zone: tzinfo) -> ServiceEvent:
    event = first(group(element), "serviceEvent")
    if event is None:
        return ServiceEvent()
    children = group(event)
    start, stop = _interval(first(children, "effectiveTime"), zone)
    performer = first(children, "performer")
    return ServiceEvent(
        code=read_code(first(children, "code")),
        start=start,
        stop=stop,
        performer=None if performer is None else read_actor(performer, zone),
    )


def _read_encounter(element: Element, zone: tzinfo) -> Encounter | None:
    encounter = first(group(element), "encompassingEncounter")
    if encounter is None:
        return None
    children = group(encounter)
    start, stop = _interval(first(children, "effectiveTime"), zone)
    responsible = first(children, "responsibleParty")
    facility = encounter.find(f"{H}location/{H}healthCareFacility")
    return Encounter(
        ids=read_ids(children),
        code=read_code(first(children, "code")),
        start=start,
        stop=stop,
        disposition=read_code(first(children, "dischargeDispositionCode")),
        responsible=None if responsible is None else read_actor(responsible, zone),
        facility=None if facility is None else read_code(facility.find(f"{H}code")),
        place="" if facility is None else read_text(facility.find(f"{H}location/{H}name")),
    )


def _interval(element: Element | None, zone: tzinfo) -> tuple[TimeStamp | None, TimeStamp | None]:
    """low and high; a lone ``value`` is the start."""
    children = {} if element is None else group(element)
    return read_time(first(children, "low"), zone) or read_time(element, zone), read_time(first(children, "high"), zone)


_ACCESSION: Final = "{urn:dicom-org:ps3-20}accessionNumber"


def _read_order(element: Element) -> Order:
    order = element.find(f"{H}order")
    if order is None:
        return Order()
    ids, accession = read_ids(group(order)), order.find(_ACCESSION)
    return Order(id=ids[0] if ids else None, accession=None if accession is None else read_id(accession))


def _replaced(related: list[Element]) -> InstanceId | None:
    for element in related:
        if element.get("typeCode") == "RPLC":
            id = element.find(f"{H}parentDocument/{H}id")
            return None if id is None else _said(read_id(id))
    return None


#: The sequence of POCD_MT000040.ClinicalDocument in CDA.xsd.
_SEQUENCE: Final = (
    "realmCode", "typeId", "templateId", "id", "code", "title", "effectiveTime", "confidentialityCode", "languageCode", "setId",
    "versionNumber", "copyTime", "recordTarget", "author", "dataEnterer", "informant", "custodian", "informationRecipient",
    "legalAuthenticator", "authenticator", "participant", "inFulfillmentOf", "documentationOf", "relatedDocument", "authorization",
    "componentOf", "component",
)  # fmt: skip
_RANKS: Final = {f"{H}{name}": rank for rank, name in enumerate(_SEQUENCE)}


def _order_findings(document: Element) -> tuple[Finding, ...]:
    """Whether the header's elements come in the order of the schema; those of extensions may stand anywhere."""
    last = 0
    for element in document.iterchildren(*_RANKS):
        rank = _RANKS[element.tag]
        if rank < last:
            name = element.tag.removeprefix(H)
            return (Finding(severity=Severity.ERROR, where=f"/ClinicalDocument/{name}", rule="cda.element-order",
                            message="Un élément de l’en-tête n’est pas à sa place : le schéma CDA impose un ordre (CDA.xsd).",
                            remedy="Valider le document avec CDA_extended.xsd avant de l’émettre ; des récepteurs le refuseront."),)  # fmt: skip
        last = rank
    return ()


def _form_findings(raw: bytes) -> tuple[Finding, ...]:
    """What the bytes before the root show (digest cda-fr §8.2)."""
    if raw.startswith(b"<"):
        return ()
    if raw.startswith(b"\xef\xbb\xbf<"):
        return (Finding(severity=Severity.INFORMATION, where="octet 1", rule="cda.byte-order-mark",
                        message="Le document commence par une marque d’ordre d’octets (BOM) UTF-8.",
                        remedy="Produire le document sans BOM : certains systèmes le refusent."),)  # fmt: skip
    return (Finding(severity=Severity.WARNING, where="ligne 1", rule="cda.leading-blanks",
                    message="Des blancs précèdent la déclaration XML, ce que XML interdit.",
                    remedy="Faire commencer le document par sa déclaration XML."),)  # fmt: skip
