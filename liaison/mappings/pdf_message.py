"""A PDF that an ORU or MDM carries without a CDA → what is known of it, field by field, and what had to be guessed.

Sources: HL7 v2.5 §7.4.1 (OBR), §7.4.2 (OBX), §9.6.1 (TXA); PAM.fr §6.10 (PV1); volet Transmission (PRT). Which field comes first is
by how surely it speaks of the document itself.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Final

from liaison.care.facts import DocumentAction
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.cda.value_sets import DocumentType, document_type
from liaison.finding import Finding
from liaison.hl7.datatypes import NOWHERE, Xcn, read_ts
from liaison.hl7.documents import Transmission
from liaison.hl7.faults import warning
from liaison.hl7.message import Message, Segment
from liaison.hl7.participations import Role
from liaison.hl7.professionals import Scheme, best_named, scheme_of
from liaison.hl7.visit import Visit
from liaison.mappings.authorities import identifier
from liaison.mappings.interpretation import SourceProfile
from liaison.mappings.pam_identity import Patient
from liaison.mappings.wrapping import (
    AUTHOR_UNKNOWN,
    AUTHORITY_WITHOUT_OID,
    TYPE_DEFAULT,
    TYPE_MISSING,
    Party,
    Wrapping,
    derived,
    document_number,
    has_oid,
)
from liaison.private import Private

AUTHOR_GUESSED = warning(
    "document.author-guessed",
    "Le message ne dit pas qui est l’auteur du document : le médecin responsable du séjour (PV1-7) en tient lieu.",
    "Nommer l’auteur avec son RPPS, dans TXA-9, OBR-32, OBX-16 ou PRT SB.",
    "101",
)
DATE_GUESSED = warning(
    "document.date-guessed",
    "Le message ne date pas le document : l’heure d’émission MSH-7 en tient lieu, et un renvoi paraîtra un autre document.",
    "Renseigner TXA-6, OBR-22 ou OBR-7.",
    "101",
)

#: Where the date of a document is looked for: what dates the text first, what dates the act after.
_DATES: Final = (("TXA", 6), ("TXA", 7), ("OBR", 22), ("OBX", 14), ("OBR", 7), ("TXA", 4), ("OBR", 14))
_STARTS: Final = (("OBR", 7), ("TXA", 4))
_AUTHORS: Final = (("TXA", 9), ("TXA", 5), ("OBR", 32), ("OBX", 16))
_AUTHENTICATORS: Final = (("TXA", 22), ("OBR", 32))
#: A version number for each replacement of a feed that does not number them: whole minutes since then.
_EPOCH: Final = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


class BarePdf(Private, frozen=True, kw_only=True):
    """Where a PDF was found: its message, and what was read of it already."""

    message: Message
    profile: SourceProfile
    zone: tzinfo
    patient: Patient
    visit: Visit | None
    transmission: Transmission
    action: DocumentAction
    #: FINESS of the establishment where the stay is.
    finess: str
    recorded_at: datetime
    #: Rank of the OBX that carries it.
    position: int


def wrapping_of(bare: BarePdf, findings: list[Finding]) -> Wrapping | None:
    """What is known of the PDF; None, with a fatal finding, when nothing tells its type."""
    kind = _type(bare, findings)
    if kind is None:
        return None
    created = _first_time(bare, _DATES)
    if created is None:
        findings.append(DATE_GUESSED.at("OBR-22"))
        created = bare.recorded_at
    authenticator = _first_named(bare, _AUTHENTICATORS)
    author = _author(bare, findings)
    if not all(map(has_oid, _local(bare))):
        findings.append(AUTHORITY_WITHOUT_OID.at("PID-3"))
    visit, said, finess = bare.visit, bare.transmission, bare.finess
    organisation = next((one.organisation.name for one in said.participants(Role.SENDER) if one.organisation is not None), "")
    header = bare.message.header
    order = f"{bare.finess} {number} {kind.code}" if (number := _order_number(bare)) else ""
    replaces = document_number(said.parent_id, finess)
    id = document_number(said.document_id, finess)
    version = 1
    if bare.action is DocumentAction.REPLACE:
        version = max(2, int((created - _EPOCH).total_seconds() // 60)) if id is None else 2
    return Wrapping(
        finess=finess,
        establishment=organisation or header.value(4).strip() or f"FINESS {finess}",
        facility=bare.profile.facility,
        patient=bare.patient.identifiers,
        traits=bare.patient.traits,
        type=kind,
        title=_title(bare, kind),
        created=created,
        author=author,
        authenticator=authenticator,
        software=header.value(3).strip(),
        patient_class=visit.patient_class if visit is not None else "",
        unit=visit.location.unit if visit is not None else "",
        visit=_visit(bare),
        start=(visit.admitted_at if visit is not None else None) or _first_time(bare, _STARTS),
        stop=visit.discharged_at if visit is not None else None,
        id=id,
        set_id=replaces or (derived(f"order {order}") if order and id is None else id),
        version=version,
        replaces=replaces if bare.action is DocumentAction.REPLACE else None,
    )


def _type(bare: BarePdf, findings: list[Finding]) -> DocumentType | None:
    """The type that the message gives, that the source's table translates, or that the source falls back to."""
    profile = bare.profile
    said = list(_codes(bare))
    for code in said:
        if (known := document_type(code)) is not None:
            return known
    for code in said:
        if (known := document_type(profile.document_types.get(code, ""))) is not None:
            return known
    known = document_type(profile.document_type)
    findings.append((TYPE_MISSING if known is None else TYPE_DEFAULT).at("OBR-4"))
    return known


def _codes(bare: BarePdf) -> list[str]:
    """Codes of OBR-4, OBX-3 and TXA-2, each with its alternate (CE components 1 and 4)."""
    observation = _observation(bare)
    places = (
        (bare.message.first("OBR"), 4, (1, 4)),
        (observation, 3, (1, 4)),
        (bare.message.first("TXA"), 2, (1,)),
    )
    return [
        code
        for segment, field, components in places
        if segment is not None
        for component in components
        if (code := segment.value(field, component).strip())
    ]


def _title(bare: BarePdf, kind: DocumentType) -> str:
    """The sender's own label, unless its code says the same in the value set's words."""
    said = bare.transmission
    own = said.type_label if document_type(said.type_code) is None else ""
    return own or kind.label


def _author(bare: BarePdf, findings: list[Finding]) -> Party | None:
    named = _first_named(bare, _AUTHORS)
    if named is not None:
        return named
    sender = next((one.person for one in bare.transmission.participants(Role.SENDER) if one.person is not None), None)
    if sender is not None and sender.family:
        return _party(sender)
    attending = bare.visit.attending if bare.visit is not None else None
    if attending is not None and attending.family:
        findings.append(AUTHOR_GUESSED.at("PV1-7"))
        return _party(attending)
    findings.append(AUTHOR_UNKNOWN.at("TXA-9" if bare.message.first("TXA") is not None else "OBR-32"))
    return None


def _first_named(bare: BarePdf, places: tuple[tuple[str, int], ...]) -> Party | None:
    for name, field in places:
        segment = _segment(bare, name)
        if segment is None:
            continue
        person = _interpreter(segment) if (name, field) == ("OBR", 32) else best_named(segment, field)
        if person is not None and person.family:
            return _party(person)
    return None


def _interpreter(obr: Segment) -> Xcn | None:
    """OBR-32 is an NDL: its first component holds the name as subcomponents (HL7 v2.5 §2.A.47); many write an XCN there."""
    if family := obr.value(32, 1, 2).strip():
        return Xcn(
            id=obr.value(32, 1, 1).strip(),
            family=family,
            given=obr.value(32, 1, 3).strip(),
            authority=NOWHERE,
            id_type="RPPS" if len(obr.value(32, 1, 1).strip()) == 11 else "",
        )
    return best_named(obr, 32)


def _party(person: Xcn) -> Party:
    scheme, number = scheme_of(person)
    return Party(
        rpps=number if scheme is Scheme.RPPS else "",
        adeli=number if scheme is Scheme.ADELI else "",
        local=number if scheme is Scheme.LOCAL else "",
        family=person.family,
        given=person.given,
    )


def _first_time(bare: BarePdf, places: tuple[tuple[str, int], ...]) -> datetime | None:
    for name, field in places:
        segment = _segment(bare, name)
        text = segment.value(field).strip() if segment is not None else ""
        if text and (time := read_ts(text, bare.zone)) is not None:
            return time
    return None


def _segment(bare: BarePdf, name: str) -> Segment | None:
    return _observation(bare) if name == "OBX" else bare.message.first(name)


def _observation(bare: BarePdf) -> Segment | None:
    return next((one for one in bare.message.all("OBX") if one.occurrence == bare.position), None)


def _order_number(bare: BarePdf) -> str:
    """OBR-3 or ORC-3, the filler's number: what the versions of a report have in common."""
    for name in ("OBR", "ORC"):
        segment = bare.message.first(name)
        if segment is not None and (number := segment.value(3).strip()):
            return number
    return ""


def _visit(bare: BarePdf) -> Identifier | None:
    number = bare.visit.number if bare.visit is not None else None
    return identifier(IdentifierKind.VISIT, number, bare.profile, []) if number is not None else None


def _local(bare: BarePdf) -> tuple[Identifier, ...]:
    return tuple(one for one in bare.patient.identifiers if one.kind is IdentifierKind.IPP)
