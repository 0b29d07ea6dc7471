"""A PDF with its side file → the CDA around it. What the side file says is all that is known; it names its recipients itself."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from liaison.care.identifiers import INS_OIDS, Identifier, IdentifierKind
from liaison.care.person import Traits
from liaison.cda.datatypes import PROFESSIONAL_ROOT, Code, InstanceId, Name, Telecom, TimeStamp
from liaison.cda.parties import Actor
from liaison.cda.value_sets import document_type
from liaison.finding import Finding
from liaison.hl7.faults import warning
from liaison.mappings.interpretation import SourceProfile
from liaison.mappings.wrapping import (
    AUTHOR_UNKNOWN,
    AUTHORITY_WITHOUT_OID,
    TYPE_DEFAULT,
    TYPE_MISSING,
    UNKNOWN_NAME,
    Party,
    Wrapping,
    document_number,
    pdf_fault,
    plain,
    wrap,
)
from liaison.sidefile.layout import SideFile, SidePerson
from liaison.sidefile.pair import Pair
from liaison.sidefile.read import read_side

INS_UNQUALIFIED = warning(
    "document.side-ins-unqualified",
    "Le fichier d’accompagnement porte une INS sans statut VALI, sans OID connu ou sans tous les traits : elle n’est pas employée.",
    "Donner patient.statut = VALI, patient.ins_oid, et les cinq traits stricts.",
)
_TREATING: Final = Code(code="PCP", system="2.16.840.1.113883.5.88", label="Médecin Traitant")


def cda_of_pair(pair: Pair, profile: SourceProfile, findings: list[Finding]) -> bytes | None:
    """The CDA around the PDF; None, with fatal findings, when there can be none."""
    side = read_side(pair.side, ZoneInfo(profile.time_zone), findings)
    if (fault := pdf_fault(pair.pdf)) is not None:
        findings.append(fault.at("PDF"))
        return None
    wrapping = _wrapping(side, profile, findings) if side is not None else None
    return wrap(wrapping, pair.pdf) if wrapping is not None else None


def _wrapping(side: SideFile, profile: SourceProfile, findings: list[Finding]) -> Wrapping | None:
    kind = document_type(side.type) or document_type(profile.document_types.get(side.type, ""))
    if kind is None:
        kind = document_type(profile.document_type)
        findings.append((TYPE_MISSING if kind is None else TYPE_DEFAULT).at("type"))
        if kind is None:
            return None
    said = side.patient
    traits = Traits(
        birth_name=said["nom_naissance"],
        first_given_name=said.get("premier_prenom", "") or said.get("prenoms", "").partition(" ")[0],
        given_names=said.get("prenoms", "") or said.get("premier_prenom", ""),
        used_name=said.get("nom_utilise", ""),
        used_given_name=said.get("prenom_utilise", ""),
        birth_date=said["date_naissance"],
        sex=said.get("sexe", ""),
        birthplace_cog=said.get("lieu_naissance", ""),
    )
    if side.author is None:
        findings.append(AUTHOR_UNKNOWN.at("auteur"))
    number, parent = document_number(plain(side.number), profile.finess), document_number(plain(side.replaces), profile.finess)
    stay = side.stay
    return Wrapping(
        finess=profile.finess,
        establishment=f"FINESS {profile.finess}",
        facility=profile.facility,
        patient=_identifiers(side, traits, profile, findings),
        traits=traits,
        type=kind,
        title=side.title or kind.label,
        created=side.at,
        author=_party(side.author) if side.author is not None else None,
        software="depot",
        patient_class=stay.patient_class,
        unit=stay.unit,
        start=stay.start,
        stop=stay.stop,
        id=number,
        set_id=parent or number,
        version=2 if parent is not None else 1,
        replaces=parent,
        recipients=tuple(_recipient(one) for one in side.recipients),
        participants=(_treating(side.treating_physician, side.at),) if side.treating_physician is not None else (),
    )


def _identifiers(side: SideFile, traits: Traits, profile: SourceProfile, findings: list[Finding]) -> tuple[Identifier, ...]:
    """The IPP, and the INS where it is qualified: VALI, a known OID, the five traits (PAM.fr §6.6.1)."""
    said = side.patient
    found: list[Identifier] = []
    if "ipp" in said:
        oid = said.get("ipp_oid", "")
        if not oid:
            findings.append(AUTHORITY_WITHOUT_OID.at("patient.ipp_oid"))
        authority = f"oid:{oid}" if oid else f"finess:{profile.finess}"
        found.append(Identifier(kind=IdentifierKind.IPP, authority=authority, value=said["ipp"]))
    if "ins" in said:
        oid = said.get("ins_oid", "")
        if said.get("statut") == "VALI" and oid in INS_OIDS and traits.are_strict:
            found.append(Identifier(kind=IdentifierKind.INS, authority=f"oid:{oid}", value=said["ins"]))
        else:
            findings.append(INS_UNQUALIFIED.at("patient.ins"))
    return tuple(found)


def _party(person: SidePerson) -> Party:
    return Party(rpps=person.rpps, family=person.family, given=person.given)


def _actor(person: SidePerson) -> Actor:
    return Actor(
        ids=(InstanceId(root=PROFESSIONAL_ROOT, extension=f"8{person.rpps}"),) if person.rpps else (),
        name=Name(family=plain(person.family) or UNKNOWN_NAME, given=plain(person.given)),
    )


def _recipient(person: SidePerson) -> Actor:
    telecoms = (Telecom(value=f"mailto:{plain(person.address)}", use="WP"),) if person.address else ()
    named = _actor(person)
    return Actor(ids=named.ids, name=named.name, telecoms=telecoms)


def _treating(person: SidePerson, at: datetime) -> Actor:
    named = _actor(person)
    since = TimeStamp(at=at, precision=14, has_offset=True)
    return Actor(type_code="INF", function=_TREATING, at=since, ids=named.ids, name=named.name)
