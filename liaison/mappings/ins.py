"""The national health identity of a PID: which INS may be used, and why each other is dropped (PAM.fr §6.6.1, data types N.1).

A message whose INS is dropped is kept: only the INS goes.
"""

from __future__ import annotations

from liaison.care.identifiers import (
    INS_NIA,
    INS_NIR,
    INS_NIR_DEMONSTRATION,
    INS_NIR_TEST,
    INS_OIDS,
    INS_TEST_OIDS,
    ins_key_is_right,
)
from liaison.care.person import Ins, Traits
from liaison.finding import Finding
from liaison.hl7.datatypes import Cx
from liaison.hl7.faults import Fault, error, information, warning
from liaison.hl7.identity import Person
from liaison.mappings.interpretation import SourceProfile

#: The historic INS-C and its test variants: dropped whatever their type.
INS_C_OIDS = frozenset({"1.2.250.1.213.1.4.2", "1.2.250.1.213.1.4.6", "1.2.250.1.213.1.4.7"})
#: With several INS the NIR is kept (PAM.fr §4.4.1).
INS_PREFERENCE = (INS_NIR, INS_NIR_TEST, INS_NIR_DEMONSTRATION, INS_NIA)
#: PID-32 attributes that no qualified identity may have (RNIV; PAM.fr §6.6.15).
DOUBTFUL = frozenset({"FICT", "DOUT"})

INS_NOT_VALIDATED = warning(
    "hl7.ins-not-validated",
    "Une INS est présente alors que PID-32 ne vaut pas VALI : elle est écartée, le message est gardé (PAM.fr §6.6.1).",
    "N’émettre l’INS que d’une identité qualifiée, avec PID-32 = VALI.",
    "207",
)
INS_DOUBTFUL = warning(
    "hl7.ins-doubtful",
    "Une INS est présente alors que PID-32 dit l’identité douteuse ou fictive : elle est écartée (PAM.fr §6.6.15, RNIV).",
    "Ne jamais émettre d’INS avec les attributs DOUT ou FICT.",
    "207",
)
INS_BIRTH_DATE_CORRECTED = warning(
    "hl7.ins-birth-date-corrected",
    "Une INS est présente alors que la date de naissance est dite corrigée (ZFD-4 = Y) : elle est écartée (PAM.fr §6.18).",
    "Ne pas émettre d’INS tant que la date de naissance est corrigée.",
    "207",
)
INS_WITHOUT_TRAITS = warning(
    "hl7.ins-without-traits",
    "Une INS est présente sans les cinq traits stricts : elle est écartée, la partager ainsi est illicite (PAM.fr §6.6.1).",
    "Émettre nom de naissance, premier prénom, date de naissance, sexe et lieu de naissance avec l’INS.",
    "101",
)
INS_TEST = warning(
    "hl7.ins-test",
    "Une INS de test ou de démonstration est présente dans un flux de production : elle est écartée (types de données N.1).",
    "N’émettre que les OID 1.2.250.1.213.1.4.8 et 1.2.250.1.213.1.4.9 en production.",
    "207",
)
INS_OID = warning(
    "hl7.ins-authority",
    "Un identifiant de type INS n’a pas pour autorité un OID de l’INS : il est écarté (types de données N.1).",
    "Écrire « ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO » en PID-3.4.",
    "103",
)
INS_KEY = warning(
    "hl7.ins-key",
    "Le matricule INS n’a pas quinze caractères ou sa clé est fausse : l’INS est écartée (PAM.fr §6.6.1).",
    "Émettre le matricule suivi de sa clé, tel que rendu par le téléservice INSi.",
    "102",
)
INS_AMBIGUOUS = error(
    "hl7.ins-ambiguous",
    "Deux matricules INS différents ont la même autorité : aucun n’est retenu (PAM.fr §6.6.1, dernière INS seulement).",
    "N’émettre que la dernière INS.",
    "198",
)
INS_DATES = information(
    "hl7.ins-dates",
    "CX-7 ou CX-8 est valué pour une INS : le téléservice INSi ne rend pas de dates (PAM.fr §6.6.1).",
    "Laisser vides les composantes 7 et 8 de l’INS.",
)
INS_UNTYPED = warning(
    "hl7.ins-type",
    "Un identifiant sous l’OID de l’INS n’a pas le type INS : il est écarté, car le NIR de facturation a le même OID (types N.1).",
    "Écrire « INS » en PID-3.5 pour l’INS, « NH » pour le NIR de facturation.",
)
INS_C = information(
    "hl7.ins-c",
    "L’INS-C, historique, est écartée (types de données N.1).",
    "Ne plus émettre l’INS-C.",
)


def is_national(cx: Cx) -> bool:
    """Whether an identifier is of the INS or INS-C family, whatever its type: never an IPP."""
    oid = cx.authority.oid
    return oid in INS_OIDS or oid in INS_C_OIDS


def usable_ins(
    person: Person, traits: Traits, profile: SourceProfile, findings: list[Finding], *, birth_date_corrected: bool
) -> Ins | None:
    """The INS that the rules of PAM.fr §6.6.1 let be used, or None; one finding says why each other was dropped."""
    usable: dict[str, str] = {}
    ambiguous = False
    for cx in person.identifiers:
        oid = cx.authority.oid
        if oid in INS_C_OIDS or cx.type == "INS-C":
            findings.append(INS_C.at(cx.where))
        elif cx.type != "INS":
            if oid in INS_OIDS and cx.type != "NH":
                findings.append(INS_UNTYPED.at(cx.where))
        elif not cx.deletes:
            fault = _ins_fault(cx, oid, person, traits, profile, birth_date_corrected)
            if fault is not None:
                findings.append(fault.at(cx.where))
            elif usable.setdefault(oid, cx.value) != cx.value:
                findings.append(INS_AMBIGUOUS.at(cx.where))
                ambiguous = True
            elif cx.dated:
                findings.append(INS_DATES.at(cx.where))
    if ambiguous:
        return None
    return next((Ins(matricule=usable[oid], oid=oid) for oid in INS_PREFERENCE if oid in usable), None)


def _ins_fault(cx: Cx, oid: str, person: Person, traits: Traits, profile: SourceProfile, corrected: bool) -> Fault | None:
    """The first rule that forbids to use an INS, worst first."""
    if oid not in INS_OIDS:
        return INS_OID
    if oid in INS_TEST_OIDS and not profile.test_ins:
        return INS_TEST
    if "VALI" not in person.statuses:
        return INS_NOT_VALIDATED
    if not DOUBTFUL.isdisjoint(person.statuses):
        return INS_DOUBTFUL
    if corrected:
        return INS_BIRTH_DATE_CORRECTED
    if not cx.value.isascii() or not ins_key_is_right(cx.value):
        return INS_KEY
    return None if traits.are_strict else INS_WITHOUT_TRAITS
