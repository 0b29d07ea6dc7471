"""Whether the patient of a document is the patient of the message that carries it (volet Transmission: PID-3 identical to the CDA).

The worst that can happen is a letter in the wrong record, so that every doubt answers no, and the letter is held. The rule:

- an INS on both sides must be the same number; other identifiers are then not needed;
- else a local identifier must be common. Two can be compared where their authorities are the same OID; where the message names its
  authority otherwise (FINESS, local name), the same value is taken as the same identifier;
- in both cases the birth name and the birth date must be there and equal, and the first given name and the sex must not differ.
  Names are compared without case, accents, hyphens, apostrophes and blanks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from liaison.care.identifiers import INS_OIDS
from liaison.care.person import Traits
from liaison.cda import parties
from liaison.finding import Finding
from liaison.hl7.datatypes import Cx
from liaison.hl7.faults import Fault, error, information, warning
from liaison.hl7.identity import read_identifiers
from liaison.hl7.message import Message
from liaison.mappings.pam_identity import Patient

_ROLE: Final = "/ClinicalDocument/recordTarget/patientRole"

INS_DIFFERS = error(
    "document.ins-differs",
    f"L’INS de PID-3 et celle du document ({_ROLE}/id) diffèrent (volet Transmission, erreur 904).",
    "Vérifier que le document est bien celui de ce patient, puis l’émettre à nouveau.",
    "207",
)
INS_AUTHORITY_DIFFERS = warning(
    "document.ins-authority-differs",
    f"Le même matricule INS porte un OID différent dans PID-3 et dans le document ({_ROLE}/id/@root).",
    "Employer le même OID d’INS dans le message et dans le document.",
)
INS_ABSENT = warning(
    "document.ins-missing",
    f"Le message porte une INS et le document n’en a pas ({_ROLE}/id, erreur 903).",
    "Porter l’INS qualifiée dans l’en-tête du document.",
    "207",
)
INS_ONLY_IN_DOCUMENT = information(
    "document.ins-only-in-document",
    f"Le document porte une INS ({_ROLE}/id) que PID-3 n’a pas.",
    "Porter l’INS qualifiée dans PID-3.",
)
INS_INCOMPLETE = warning(
    "document.ins-incomplete",
    f"Le document porte une INS sans tous les traits d’identité ({_ROLE}/patient, erreur 905).",
    "Renseigner dans le document nom et prénoms de naissance, date, sexe et code du lieu de naissance.",
    "207",
)
PATIENT_DIFFERS = error(
    "document.patient-differs",
    f"Aucun identifiant de PID-3 n’est dans le document ({_ROLE}/id, erreur 902) : rien ne dit qu’il s’agit du même patient.",
    "Porter dans PID-3 et dans le document les mêmes identifiants, INS et IPP.",
    "207",
)
LOCAL_DIFFERS = warning(
    "document.local-identifier-differs",
    f"L’IPP de PID-3 et celui du document ({_ROLE}/id) diffèrent sous la même autorité, alors que l’INS est la même.",
    "Vérifier que le patient n’est pas en doublon dans l’établissement.",
)
NOT_COMPARABLE = error(
    "document.traits-missing",
    f"Le nom ou la date de naissance manque dans le message (PID-5, PID-7) ou dans le document ({_ROLE}/patient).",
    "Renseigner le nom et la date de naissance des deux côtés.",
    "101",
)
BIRTHPLACE_DIFFERS = information(
    "document.birthplace-differs",
    f"Le code du lieu de naissance diffère entre PID-11 et le document ({_ROLE}/patient/birthplace).",
    "Reprendre les traits de l’identité qualifiée des deux côtés.",
)


def _trait(rule: str, what: str, path: str) -> Fault:
    return error(
        f"document.{rule}-differs",
        f"{what} diffère entre le message et le document ({_ROLE}/patient/{path}, erreur 904).",
        "Vérifier que le document est bien celui de ce patient, puis l’émettre à nouveau.",
        "207",
    )


BIRTH_NAME_DIFFERS = _trait("birth-name", "Le nom de naissance", "name/family[@qualifier='BR']")
BIRTH_DATE_DIFFERS = _trait("birth-date", "La date de naissance", "birthTime")
GIVEN_NAME_DIFFERS = _trait("given-name", "Le premier prénom", "name/given[@qualifier='BR']")
SEX_DIFFERS = _trait("sex", "Le sexe", "administrativeGenderCode")

#: Codes of HL7 table 0533 for the ERR-5 of a reply, by rule (CI-SIS, hl7v2 digest §8).
APPLICATION_ERRORS: Final[Mapping[str, str]] = MappingProxyType(
    {
        PATIENT_DIFFERS.rule: "902",
        INS_ABSENT.rule: "903",
        INS_DIFFERS.rule: "904",
        BIRTH_NAME_DIFFERS.rule: "904",
        BIRTH_DATE_DIFFERS.rule: "904",
        GIVEN_NAME_DIFFERS.rule: "904",
        SEX_DIFFERS.rule: "904",
        INS_INCOMPLETE.rule: "905",
    }
)


def is_same_patient(message: Message, patient: Patient, target: parties.Patient, findings: list[Finding]) -> bool:
    """Whether a document's recordTarget is the message's patient; each difference is a finding."""
    pid = message.first("PID")
    given = read_identifiers(pid, 3) if pid is not None else ()
    same_identifier = _same_identifier(tuple(cx for cx in given if not cx.deletes), target, findings)
    return _same_traits(patient.traits, target, findings) and same_identifier


def normal_name(name: str) -> str:
    """A name for comparison: without case, accents, ligatures, hyphens, apostrophes and blanks."""
    folded = unicodedata.normalize("NFKD", name).casefold().replace("œ", "oe").replace("æ", "ae")
    spread = unicodedata.normalize("NFKD", folded)
    return "".join(character for character in spread if character.isalnum())


def _same_identifier(given: tuple[Cx, ...], target: parties.Patient, findings: list[Finding]) -> bool:
    ins, own = target.ins, [cx for cx in given if cx.type == "INS" and cx.authority.oid in INS_OIDS]
    if ins is not None and not target.has_strict_traits:
        findings.append(INS_INCOMPLETE.at("OBX-5"))
    common = _common_local(given, target)
    if ins is not None and own:
        matches = [cx for cx in own if cx.value == ins.extension]
        if not matches:
            findings.append(INS_DIFFERS.at("PID-3"))
            return False
        if not any(cx.authority.oid == ins.root for cx in matches):
            findings.append(INS_AUTHORITY_DIFFERS.at("PID-3"))
        if common is False:
            findings.append(LOCAL_DIFFERS.at("PID-3"))
        return True
    if own:
        findings.append(INS_ABSENT.at("PID-3"))
    elif ins is not None:
        findings.append(INS_ONLY_IN_DOCUMENT.at("PID-3"))
    if not common:
        findings.append(PATIENT_DIFFERS.at("PID-3"))
    return bool(common)


def _common_local(given: tuple[Cx, ...], target: parties.Patient) -> bool | None:
    """True when a local identifier is common, False when all that can be compared differ, None when nothing can be compared."""
    local = [cx for cx in given if cx.type in ("PI", "") and cx.authority.oid not in INS_OIDS]
    compared = False
    for cx in local:
        for id in target.local_ids:
            if cx.authority.oid and cx.authority.oid != id.root:
                continue
            if cx.value == id.extension:
                return True
            compared = compared or bool(cx.authority.oid)
    return False if compared else None


def _same_traits(traits: Traits, target: parties.Patient, findings: list[Finding]) -> bool:
    name, other_name = normal_name(traits.birth_name), normal_name(target.birth_family)
    date, other_date = traits.birth_date, target.birth_date
    if not (name and other_name and date and other_date):
        findings.append(NOT_COMPARABLE.at("PID-5" if date and other_date else "PID-7"))
        return False
    same = True
    for fault, where, differs in (
        (BIRTH_NAME_DIFFERS, "PID-5", name != other_name),
        (BIRTH_DATE_DIFFERS, "PID-7", date != other_date),
        (GIVEN_NAME_DIFFERS, "PID-5", _given_differ(traits, target)),
        (SEX_DIFFERS, "PID-8", {traits.sex, target.gender} == {"M", "F"}),
    ):
        if differs:
            findings.append(fault.at(where))
            same = False
    if traits.birthplace_cog and target.birthplace_cog and traits.birthplace_cog != target.birthplace_cog:
        findings.append(BIRTHPLACE_DIFFERS.at("PID-11"))
    return same


def _given_differ(traits: Traits, target: parties.Patient) -> bool:
    """A first given name may be written alone on one side and at the head of the list on the other."""
    first = normal_name(traits.first_given_name or traits.given_names)
    other = normal_name(target.first_given or target.given_names)
    return bool(first and other) and not (first.startswith(other) or other.startswith(first))
