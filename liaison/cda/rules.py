"""The rules of the CDA header, checked by hand in microseconds (CI-SIS, structuration minimale; digest cda-fr §1).

One line a rule: what breaks it, where, what to say. A broken rule never stops a document: the full Schematron packs are run elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from liaison.cda.datatypes import INS_ROOTS, ORGANISATION_ROOT, PROFESSIONAL_ROOT, Code, InstanceId
from liaison.cda.value_sets import CONFIDENTIALITY_SYSTEM, type_label
from liaison.finding import Finding, Severity

if TYPE_CHECKING:
    from liaison.cda.header import Header
    from liaison.cda.parties import Actor


def check(header: Header) -> tuple[Finding, ...]:
    """A finding for each rule that the header breaks, in the order of the schema."""
    return tuple(rule.finding for rule in RULES if rule.broken(header))


class Rule(NamedTuple):
    """A rule and what says that a header breaks it."""

    finding: Finding
    broken: Callable[[Header], bool]


_HL7_FRANCE: Final = "2.16.840.1.113883.2.8.2.1"
_CI_SIS: Final = "1.2.250.1.213.1.1.1.1"
_XDS_SD: Final = "1.3.6.1.4.1.19376.1.2.20"
#: OID of the hosts of documents that patients make (digest cda-fr §1, row 18).
_PATIENT_HOST: Final = "1.2.250.1.213.4.1"
_LANGUAGE: Final = re.compile(r"[a-z]{2}-[A-Z]{2}")
_MATRICULE: Final = re.compile(r"[0-9]{5}[0-9AB][0-9]{9}", re.IGNORECASE)
_COG: Final = re.compile(r"[0-9]{2}[0-9]{3}|2[AB][0-9]{3}")


def _rule(rule: str, severity: Severity, where: str, message: str, remedy: str, broken: Callable[[Header], bool]) -> Rule:
    place = f"/ClinicalDocument/{where}" if where else "/ClinicalDocument"
    return Rule(Finding(severity=severity, where=place, rule=f"cda.{rule}", message=message, remedy=remedy), broken)


def _ins(header: Header) -> bool:
    return header.patient.ins is not None


def _empty(code: Code | None) -> bool:
    return code is None or not code.code


def _has(templates: Iterable[InstanceId], root: str) -> bool:
    return any(template.root == root for template in templates)


def _unnamed(actor: Actor) -> bool:
    return actor.device is None and actor.name is not None and not actor.name.family


def _without_id(actor: Actor | None) -> bool:
    return actor is None or not any(id.root and id.extension for id in actor.ids)


def _performer(header: Header) -> Actor | None:
    return header.service_events[0].performer if header.service_events else None


def _setting_missing(header: Header) -> bool:
    performer = _performer(header)
    return performer is not None and (performer.organisation is None or _empty(performer.organisation.setting))


def _odd_number(id: InstanceId, root: str, good: str) -> bool:
    """Whether an identifier of that root begins like an RPPS or FINESS without having its shape."""
    return id.root == root and bool(id.extension) and "/" not in id.extension and not good and id.extension[0] in ("8" if
           root == PROFESSIONAL_ROOT else "1")  # fmt: skip


def _patient_row(header: Header) -> bool:
    return any(not id.root or not id.extension for id in header.patient.ids)


INFO, WARNING, ERROR = Severity.INFORMATION, Severity.WARNING, Severity.ERROR
_ROLE = "recordTarget/patientRole"
_ACT = "documentationOf[1]/serviceEvent"
_STAY = "componentOf/encompassingEncounter"
_WITH_INS = " : il est obligatoire quand l’INS est présente (CI-SIS, recordTarget)."

RULES: Final = (
    _rule("realm", WARNING, "realmCode", "realmCode n’est pas FR.", "Renseigner realmCode/@code = FR.", lambda h: h.realm != "FR"),
    _rule("type-id", WARNING, "typeId", "typeId n’est pas celui de CDA R2.",
          "Renseigner root 2.16.840.1.113883.1.3 et extension POCD_HD000040.",
          lambda h: h.type_id is None or h.type_id.text != "2.16.840.1.113883.1.3^POCD_HD000040"),
    _rule("template-hl7-france", WARNING, "templateId", "La conformité HL7 France n’est pas déclarée.",
          f"Ajouter templateId root {_HL7_FRANCE}.", lambda h: not _has(h.templates, _HL7_FRANCE)),
    _rule("template-ci-sis", WARNING, "templateId", "La conformité au CI-SIS n’est pas déclarée.",
          f"Ajouter templateId root {_CI_SIS}.", lambda h: not _has(h.templates, _CI_SIS)),
    _rule("template-model", WARNING, "templateId", "Aucun modèle de document n’est déclaré.",
          "Ajouter le templateId du modèle avec sa version en extension.",
          lambda h: h.level == "N3" and not any(t.root not in (_HL7_FRANCE, _CI_SIS) for t in h.templates)),
    _rule("template-n1", WARNING, "templateId", "Un document de niveau 1 doit déclarer IHE XDS-SD et aucun autre modèle.",
          f"Déclarer exactement trois templateId, dont {_XDS_SD}.",
          lambda h: h.level == "N1" and (not _has(h.templates, _XDS_SD) or len(h.templates) != 3)),
    _rule("id-root", WARNING, "id", "La racine de l’identifiant du document n’est pas un OID de 64 caractères au plus.",
          "Former l’identifiant à partir d’un OID de l’émetteur.", lambda h: not h.id.root_is_oid),
    _rule("id-extension", INFO, "id", "L’identifiant du document porte une extension, que le DMP n’accepte pas.",
          "Préférer un OID seul comme identifiant de document.", lambda h: bool(h.id.extension)),
    _rule("code-system", WARNING, "code", "Le type du document n’a pas de système de codage.", "Renseigner code/@codeSystem.",
          lambda h: not h.code.system),
    _rule("code-label", WARNING, "code", "Le type du document n’a pas de libellé.", "Renseigner code/@displayName.",
          lambda h: not h.code.label),
    _rule("code-unknown", WARNING, "code", "Le type du document n’est pas dans le jeu de valeurs JDV_J07.",
          "Employer un code de JDV_J07, ou signaler le nouveau code pour mise à jour du jeu de valeurs.",
          lambda h: bool(h.code.system) and not type_label(h.code.code, h.code.system)),
    _rule("title", WARNING, "title", "Le document n’a pas de titre.", "Renseigner title.", lambda h: not h.title),
    _rule("created", ERROR, "effectiveTime", "La date de création manque ou n’est pas une date.",
          "Renseigner effectiveTime/@value (AAAAMMJJhhmmss+ZZZZ).", lambda h: h.created is None),
    _rule("created-offset", WARNING, "effectiveTime", "La date de création n’a pas d’heure avec décalage horaire.",
          "Écrire la date et l’heure avec leur décalage (AAAAMMJJhhmmss+ZZZZ).",
          lambda h: h.created is not None and (h.created.precision < 12 or not h.created.has_offset)),
    _rule("confidentiality", WARNING, "confidentialityCode", "La confidentialité n’est pas N, R ou V.",
          "Renseigner confidentialityCode/@code avec N, R ou V.",
          lambda h: h.confidentiality is None or h.confidentiality.code not in ("N", "R", "V")),
    _rule("confidentiality-system", WARNING, "confidentialityCode", "La confidentialité n’est pas tirée de sa terminologie.",
          f"Renseigner confidentialityCode/@codeSystem = {CONFIDENTIALITY_SYSTEM} et @displayName.",
          lambda h: h.confidentiality is not None and (h.confidentiality.system != CONFIDENTIALITY_SYSTEM
                                                       or not h.confidentiality.label)),
    _rule("language", WARNING, "languageCode", "La langue n’a pas la forme ll-CC.", "Renseigner languageCode/@code = fr-FR.",
          lambda h: _LANGUAGE.fullmatch(h.language) is None),
    _rule("set-id", WARNING, "setId", "L’identifiant commun aux versions manque.", "Renseigner setId.", lambda h: h.set_id is None),
    _rule("version", WARNING, "versionNumber", "Le numéro de version manque ou n’est pas un entier positif.",
          "Renseigner versionNumber/@value.", lambda h: h.version is None),
    _rule("patient-id", ERROR, f"{_ROLE}/id", "Le patient n’a aucun identifiant.", "Renseigner l’INS qualifiée et l’IPP.",
          lambda h: not h.patient.ids),
    _rule("patient-id-parts", WARNING, f"{_ROLE}/id", "Un identifiant du patient n’a pas à la fois racine et extension.",
          "Renseigner root et extension de chaque identifiant.", _patient_row),
    _rule("ins-several", ERROR, f"{_ROLE}/id", "Le patient a plusieurs INS.", "Ne transmettre que l’INS en vigueur.",
          lambda h: sum(id.root in INS_ROOTS for id in h.patient.ids) > 1),
    _rule("ins-form", ERROR, f"{_ROLE}/id", "Le matricule INS n’a pas 15 caractères, clé comprise.",
          "Écrire le matricule avec sa clé de deux chiffres.",
          lambda h: any(id.root in INS_ROOTS and _MATRICULE.fullmatch(id.extension) is None for id in h.patient.ids)),
    _rule("family-birth", ERROR, f"{_ROLE}/patient/name/family", "Le nom de naissance manque.",
          "Renseigner family[@qualifier='BR'].", lambda h: not h.patient.birth_family),
    _rule("family-qualifier", WARNING, f"{_ROLE}/patient/name/family", "Un nom de famille n’a pas de qualificatif BR ou CL.",
          "Porter @qualifier = BR (naissance) ou CL (utilisé) sur chaque nom de famille.",
          lambda h: any(qualifier not in ("BR", "CL", "SP") for qualifier in h.patient.family_qualifiers)),
    _rule("family-sp", WARNING, f"{_ROLE}/patient/name/family", "Un nom de famille porte l’ancien qualificatif SP, refusé pour le patient.",
          "Employer CL pour le nom utilisé.", lambda h: "SP" in h.patient.family_qualifiers),
    _rule("given-birth", ERROR, f"{_ROLE}/patient/name/given[@qualifier='BR']", "Le premier prénom de naissance manque" + _WITH_INS,
          "Renseigner given[@qualifier='BR'].", lambda h: _ins(h) and "BR" not in h.patient.given_qualifiers),
    _rule("given-list", ERROR, f"{_ROLE}/patient/name/given[not(@qualifier)]", "La liste des prénoms de naissance manque" + _WITH_INS,
          "Renseigner given sans qualificatif.", lambda h: _ins(h) and "" not in h.patient.given_qualifiers),
    _rule("gender", WARNING, f"{_ROLE}/patient/administrativeGenderCode", "Le sexe n’est pas M, F ou UN.",
          "Renseigner administrativeGenderCode/@code.", lambda h: h.patient.gender not in ("M", "F", "UN")),
    _rule("birth-time", ERROR, f"{_ROLE}/patient/birthTime", "La date de naissance complète manque" + _WITH_INS,
          "Renseigner birthTime/@value (AAAAMMJJ).", lambda h: _ins(h) and len(h.patient.birth_date) != 8),
    _rule("birthplace", ERROR, f"{_ROLE}/patient/birthplace/place/addr/county",
          "Le code officiel géographique du lieu de naissance manque" + _WITH_INS,
          "Renseigner county avec le code COG de cinq caractères.", lambda h: _ins(h) and _COG.fullmatch(h.patient.birthplace_cog) is None),
    _rule("author", ERROR, "author", "Le document n’a pas d’auteur.", "Renseigner author.", lambda h: not h.authors),
    _rule("author-id", WARNING, "author/assignedAuthor/id", "Un auteur n’a pas d’identifiant.", "Renseigner assignedAuthor/id.",
          lambda h: any(not author.ids for author in h.authors)),
    _rule("author-time", WARNING, "author/time", "La date de participation d’un auteur manque.", "Renseigner author/time/@value.",
          lambda h: any(author.at is None for author in h.authors)),
    _rule("author-name", WARNING, "author/assignedAuthor", "Un auteur n’a pas de nom de famille.",
          "Renseigner assignedPerson/name/family.", lambda h: any(_unnamed(author) for author in h.authors)),
    _rule("author-device", WARNING, "author/assignedAuthor/assignedAuthoringDevice", "Un système auteur n’a ni modèle ni logiciel complets.",
          "Renseigner manufacturerModelName et softwareName.",
          lambda h: any(a.device is not None and not (a.device.model and a.device.software) for a in h.authors)),
    _rule("author-number", WARNING, "author/assignedAuthor/id", "L’identifiant d’un auteur n’a pas la forme 8 + RPPS.",
          "Écrire le PS_IdNat complet : 8 suivi des 11 chiffres du RPPS.",
          lambda h: any(_odd_number(id, PROFESSIONAL_ROOT, id.rpps) for author in h.authors for id in author.ids)),
    _rule("custodian", ERROR, "custodian", "La structure chargée de la conservation manque ou n’a pas d’identifiant.",
          "Renseigner representedCustodianOrganization/id.", lambda h: h.custodian is None or not h.custodian.ids),
    _rule("custodian-root", WARNING, "custodian/assignedCustodian/representedCustodianOrganization/id",
          "L’identifiant de la structure de conservation n’est pas un identifiant national de structure.",
          f"Employer la racine {ORGANISATION_ROOT} et un Struct_IdNat.",
          lambda h: h.custodian is not None and any(id.root not in (ORGANISATION_ROOT, _PATIENT_HOST) for id in h.custodian.ids)),
    _rule("custodian-number", WARNING, "custodian/assignedCustodian/representedCustodianOrganization/id",
          "L’identifiant de la structure de conservation n’a pas la forme 1 + FINESS.",
          "Écrire le Struct_IdNat complet : 1 suivi des 9 caractères du FINESS.",
          lambda h: h.custodian is not None and any(_odd_number(id, ORGANISATION_ROOT, id.finess) for id in h.custodian.ids)),
    _rule("recipient-name", WARNING, "informationRecipient", "Un destinataire n’a pas de nom de famille.",
          "Renseigner informationRecipient/name/family.", lambda h: any(_unnamed(actor) for actor in h.recipients)),
    _rule("legal-authenticator", ERROR, "legalAuthenticator", "Le responsable du document manque ou n’a pas d’identifiant.",
          "Renseigner legalAuthenticator avec assignedEntity/id.", lambda h: _without_id(h.legal_authenticator)),
    _rule("signature", WARNING, "legalAuthenticator/signatureCode", "signatureCode n’est pas S.", "Renseigner signatureCode/@code = S.",
          lambda h: h.legal_authenticator is not None and h.legal_authenticator.signature != "S"),
    _rule("signature-time", WARNING, "legalAuthenticator/time", "La date de prise de responsabilité manque.",
          "Renseigner legalAuthenticator/time/@value.",
          lambda h: h.legal_authenticator is not None and h.legal_authenticator.at is None),
    _rule("legal-authenticator-name", WARNING, "legalAuthenticator/assignedEntity/assignedPerson/name",
          "Le responsable du document n’a pas de nom de famille.", "Renseigner assignedPerson/name/family.",
          lambda h: h.legal_authenticator is not None and (h.legal_authenticator.name is None or _unnamed(h.legal_authenticator))),
    _rule("participant", WARNING, "participant/@typeCode", "Le rôle d’un participant n’est pas dans JDV_J144.",
          "Employer REF, REFB, INF, RESP, PRF, CON ou VRF.",
          lambda h: any(p.type_code not in ("REF", "REFB", "INF", "RESP", "PRF", "CON", "VRF") for p in h.participants)),
    _rule("service-event", ERROR, "documentationOf", "Aucun acte ou séjour n’est documenté.", "Renseigner documentationOf/serviceEvent.",
          lambda h: not h.service_events),
    _rule("service-start", WARNING, f"{_ACT}/effectiveTime/low", "Le début de l’acte principal manque.",
          "Renseigner effectiveTime/low/@value.", lambda h: bool(h.service_events) and h.service_events[0].start is None),
    _rule("performer", WARNING, f"{_ACT}/performer", "L’exécutant de l’acte principal manque ou n’a pas d’identifiant.",
          "Renseigner performer[@typeCode='PRF'] avec assignedEntity/id.",
          lambda h: bool(h.service_events) and _without_id(_performer(h))),
    _rule("practice-setting", WARNING, f"{_ACT}/performer/assignedEntity/representedOrganization/standardIndustryClassCode",
          "Le cadre d’exercice manque.", "Renseigner standardIndustryClassCode avec un code de JDV_J04.", _setting_missing),
    _rule("encounter", ERROR, "componentOf", "La prise en charge manque.", "Renseigner componentOf/encompassingEncounter.",
          lambda h: h.encounter is None),
    _rule("facility", WARNING, f"{_STAY}/location/healthCareFacility/code", "Le secteur d’activité de la prise en charge manque.",
          "Renseigner healthCareFacility/code avec un code de JDV_J02.",
          lambda h: h.encounter is not None and _empty(h.encounter.facility)),
    _rule("disposition", WARNING, f"{_STAY}/dischargeDispositionCode", "Le mode de sortie n’est pas tiré de sa terminologie.",
          "Employer le système de codage 1.2.250.1.213.2.14.",
          lambda h: h.encounter is not None and h.encounter.disposition is not None
          and h.encounter.disposition.system != "1.2.250.1.213.2.14"),
    _rule("replaced-itself", ERROR, "relatedDocument/parentDocument/id", "Le document dit se remplacer lui-même.",
          "Donner un nouvel identifiant à chaque version.", lambda h: h.replaces is not None and h.replaces == h.id),
    _rule("no-body", ERROR, "component", "Le document n’a ni corps structuré ni corps non structuré.",
          "Renseigner component/structuredBody ou component/nonXMLBody.", lambda h: not h.level),
    _rule("discharge-birth-time", WARNING, f"{_ROLE}/patient/birthTime",
          "La lettre de liaison n’a pas la date de naissance du patient (modèle LDL-SES).", "Renseigner birthTime/@value.",
          lambda h: h.code.code == "11490-0" and not _ins(h) and not h.patient.birth_date),
)  # fmt: skip
