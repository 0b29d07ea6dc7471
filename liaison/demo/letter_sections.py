"""The structured body of a discharge letter: the sections of LDL-SES 2022.01, narrative and entries (TestContenuCDA, LDL-SES)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import datetime
from xml.etree import ElementTree as ET

from liaison.demo.conditions import Drug
from liaison.demo.letters import SNOMED, TA_ASIP, Letter, new_uuid
from liaison.demo.xmltree import node

LOINC = "2.16.840.1.113883.6.1"
ATC = "2.16.840.1.113883.6.73"
ENTRY_MODES = {True: ("183452005", "hospitalisation en urgence"), False: ("8715000", "hospitalisation programmée")}


def sections(letter: Letter) -> list[ET.Element]:
    """The sections, each in its ``component``, in the order of the model."""
    ids = random.Random(letter.seed)
    written = [_status(letter, ids), _reason(letter), _events(letter, ids)]
    if letter.stopped:
        templates = ("1.3.6.1.4.1.19376.1.5.3.1.3.21", "1.2.250.1.213.1.1.2.145")
        title = "Traitements arrêtés durant le séjour"
        written.append(_drugs(ids, templates, ("18610-6", "Traitements administrés"), title, letter.stopped, "ARR", letter.left_at))
    templates = ("1.3.6.1.4.1.19376.1.5.3.1.3.22", "1.2.250.1.213.1.1.2.146")
    code = ("10183-2", "Traitements à la sortie")
    written.append(_drugs(ids, templates, code, "Traitements à la sortie", letter.treatments, "MED", letter.left_at))
    if letter.pending:
        templates = ("1.3.6.1.4.1.19376.1.5.3.1.3.27", "1.2.250.1.213.1.1.2.150")
        table = _table((), [[node("content", letter.pending, ID="attendu")]])
        written.append(_section(ids, templates, ("30954-2", "Résultats d'examens"), "Résultats d'examens attendus", [table]))
    if letter.follow_up:
        written.append(_plan(letter, ids))
    if letter.allergies:
        written.append(_allergies(letter, ids))
    return [node("component", section) for section in written]


def _section(
    ids: random.Random,
    templates: Iterable[str],
    code: tuple[str, str],
    title: str,
    narrative: Sequence[str | ET.Element],
    entries: Iterable[ET.Element] = (),
) -> ET.Element:
    return node(
        "section",
        *(node("templateId", root=template) for template in templates),
        _id(ids),
        node("code", code=code[0], displayName=code[1], codeSystem=LOINC, codeSystemName="LOINC"),
        node("title", title),
        node("text", *narrative),
        *(node("entry", entry) for entry in entries),
    )


def _id(ids: random.Random) -> ET.Element:
    return node("id", root=str(new_uuid(ids)).upper())


def _table(head: Sequence[str], rows: Iterable[Sequence[str | ET.Element]]) -> ET.Element:
    body = node("tbody", *(node("tr", *(node("td", cell) for cell in row)) for row in rows))
    if not head:
        return node("table", body, border="0")
    return node("table", node("thead", node("tr", *(node("th", title) for title in head))), body, border="0")


def _observation(
    ids: random.Random, templates: Sequence[str], code: tuple[str, str], anchor: str, at: datetime, value: ET.Element
) -> ET.Element:
    """A simple observation (IHE PCC 1.3.6.1.4.1.19376.1.5.3.1.4.13) with its French templates."""
    return node(
        "observation",
        node("templateId", root="1.3.6.1.4.1.19376.1.5.3.1.4.13"),
        node("templateId", root="1.2.250.1.213.1.1.3.48"),
        *(node("templateId", root=f"1.2.250.1.213.1.1.3.48.{template}") for template in templates),
        _id(ids),
        node("code", code=code[0], displayName=code[1], codeSystem=TA_ASIP, codeSystemName="TA_ASIP"),
        node("text", node("reference", value=f"#{anchor}")),
        node("statusCode", code="completed"),
        node("effectiveTime", value=f"{at:%Y%m%d}"),
        value,
        classCode="OBS",
        moodCode="EVN",
    )


def _value(kind: str, text: str = "", **attributes: str) -> ET.Element:
    return node("value", *([text] if text else []), **{"xsi:type": kind}, **attributes)


def _status(letter: Letter, ids: random.Random) -> ET.Element:
    value = _value("CD", code="398166005", displayName="réalisé", codeSystem=SNOMED, codeSystemName="SNOMED CT")
    entry = _observation(ids, ("16", "16.1"), ("GEN-065", "Statut du document"), "statut", letter.written_at, value)
    table = _table((), [["Statut du document", node("content", "Réalisé", ID="statut")]])
    templates = ("1.2.250.1.213.1.1.2.35", "1.2.250.1.213.1.1.2.35.1")
    return _section(ids, templates, ("33557-0", "Etat d'achèvement"), "Statut du document", [table], [entry])


def _reason(letter: Letter) -> ET.Element:
    return node(
        "section",
        node("templateId", root="1.3.6.1.4.1.19376.1.5.3.1.3.1"),
        node("templateId", root="1.2.250.1.213.1.1.2.127"),
        node("code", code="42349-1", displayName="Raison de la recommandation", codeSystem=LOINC, codeSystemName="LOINC"),
        node("title", "Motif de l'hospitalisation"),
        node("text", node("paragraph", letter.reason)),
    )


def _events(letter: Letter, ids: random.Random) -> ET.Element:
    entry_code, entry_label = ENTRY_MODES[letter.urgent]
    exit_code, exit_label, exit_system = letter.exit_mode
    story = " ".join(letter.story)
    rows: list[list[str | ET.Element]] = [
        ["Modalité et date d'entrée", node("content", f"{letter.admitted_at:%d/%m/%Y}, {entry_label}", ID="modaliteE")],
        ["Modalité et date de sortie", node("content", f"{letter.left_at:%d/%m/%Y}, {exit_label}", ID="modaliteS")],
        ["Synthèse médicale", node("content", story, ID="synthese")],
        ["Évènements indésirables", node("content", "Aucun", ID="indesirable")],
        ["Micro-organismes multirésistants recherchés", node("content", "Non", ID="bmr")],
        ["Identification de micro-organismes multirésistants", node("content", "Sans objet", ID="identBmr")],
        ["Transfusion de produits sanguins", node("content", "Non", ID="transfusion")],
        ["Accidents transfusionnels", node("content", "Aucun", ID="accidents")],
        ["Administration de dérivés du sang", node("content", "Non", ID="derives")],
        ["Évènements indésirables après dérivés du sang", node("content", "Aucun", ID="indesirableDerives")],
    ]
    left = letter.left_at
    entries = [
        _observation(
            ids,
            ("6",),
            ("ORG-070", "Modalité d'entrée"),
            "modaliteE",
            letter.admitted_at,
            _value("CE", code=entry_code, displayName=entry_label, codeSystem=SNOMED, codeSystemName="SNOMED CT"),
        ),
        _observation(
            ids,
            ("7",),
            ("ORG-074", "Modalité de sortie"),
            "modaliteS",
            left,
            _value("CE", code=exit_code, displayName=exit_label, codeSystem=exit_system),
        ),
        _observation(ids, ("9",), ("MED-142", "Synthèse médicale"), "synthese", left, _value("ST", story)),
        _observation(
            ids,
            ("3",),
            ("MED-143", "Evènements indésirables survenus pendant l'hospitalisation"),
            "indesirable",
            left,
            _value("ST", "Aucun"),
        ),
        _observation(
            ids,
            ("8",),
            ("MED-309", "Recherche de microorganismes multi-résistants ou émergents effectuée"),
            "bmr",
            left,
            _value("BL", value="false"),
        ),
        _observation(
            ids,
            ("5",),
            ("MED-144", "Identification de micro-organismes multirésistants"),
            "identBmr",
            left,
            _value("ST", "Sans objet"),
        ),
        _observation(
            ids, ("10",), ("MED-145", "Transfusion de produits sanguins"), "transfusion", left, _value("BL", value="false")
        ),
        _observation(ids, ("1",), ("MED-146", "Accidents transfusionnels"), "accidents", left, _value("ST", "Aucun")),
        _observation(ids, ("2",), ("MED-147", "Administration de dérivés du sang"), "derives", left, _value("BL", value="false")),
        _observation(
            ids,
            ("4",),
            ("MED-148", "Evènements indésirables suite à l'administration de dérivés du sang"),
            "indesirableDerives",
            left,
            _value("ST", "Aucun"),
        ),
    ]
    templates = (
        "1.3.6.1.4.1.19376.1.5.3.1.1.21.2.9",
        "1.3.6.1.4.1.19376.1.7.3.1.1.13.7",
        "1.2.250.1.213.1.1.2.163",
        "1.2.250.1.213.1.1.2.163.1",
    )
    table = _table(("Élément", "Réponse"), rows)
    return _section(ids, templates, ("42545-4", "Evènements observés"), "Synthèse médicale du séjour", [table], entries)


def _drugs(
    ids: random.Random,
    templates: Sequence[str],
    code: tuple[str, str],
    title: str,
    drugs: Sequence[Drug],
    prefix: str,
    left_at: datetime,
) -> ET.Element:
    rows: list[list[str | ET.Element]] = []
    entries: list[ET.Element] = []
    stopped = prefix == "ARR"
    for number, drug in enumerate(drugs, 1):
        anchor = f"{prefix}-{number:03d}"
        rows.append([node("content", drug.name, ID=anchor), drug.dose, drug.frequency, drug.comment])
        period = node("effectiveTime", **{"xsi:type": "IVL_TS"})
        low = node("low", nullFlavor="UNK") if stopped else node("low", value=f"{left_at:%Y%m%d}")
        high = node("high", value=f"{left_at:%Y%m%d}") if stopped else node("high", nullFlavor="UNK")
        period.extend([low, high])
        medicine = node("code", node("originalText", node("reference", value=f"#{anchor}")), nullFlavor="UNK")
        medicine.append(node("translation", code=drug.atc, displayName=drug.substance, codeSystem=ATC, codeSystemName="ATC"))
        entries.append(
            node(
                "substanceAdministration",
                node("templateId", root="1.2.250.1.213.1.1.3.42"),
                node("templateId", root="2.16.840.1.113883.10.20.1.24"),
                node("templateId", root="1.3.6.1.4.1.19376.1.5.3.1.4.7"),
                node("templateId", root="1.3.6.1.4.1.19376.1.5.3.1.4.7.1"),
                _id(ids),
                node(
                    "code", code="DRUG", displayName="Médicament", codeSystem="2.16.840.1.113883.5.4", codeSystemName="HL7:ActCode"
                ),
                node("text", node("reference", value=f"#{anchor}")),
                node("statusCode", code="completed"),
                period,
                node(
                    "consumable",
                    node(
                        "manufacturedProduct",
                        node("templateId", root="1.2.250.1.213.1.1.3.43"),
                        node("templateId", root="2.16.840.1.113883.10.20.1.53"),
                        node("templateId", root="1.3.6.1.4.1.19376.1.5.3.1.4.7.2"),
                        node("manufacturedMaterial", medicine, node("name", drug.name)),
                    ),
                ),
                classCode="SBADM",
                moodCode="EVN" if stopped else "INT",
            )
        )
    table = _table(("Médicament", "Dose", "Fréquence", "Commentaire"), rows)
    return _section(ids, templates, code, title, [table], entries)


def _plan(letter: Letter, ids: random.Random) -> ET.Element:
    rows: list[list[str | ET.Element]] = []
    entries: list[ET.Element] = []
    for number, step in enumerate(letter.follow_up, 1):
        anchor = f"suite-{number}"
        rows.append([node("content", step.who, ID=anchor), f"{step.on:%d/%m/%Y}", step.what])
        entries.append(
            node(
                "encounter",
                node("templateId", root="2.16.840.1.113883.10.20.1.21"),
                node("templateId", root="2.16.840.1.113883.10.20.1.25"),
                node("templateId", root="1.3.6.1.4.1.19376.1.5.3.1.4.14"),
                node("templateId", root="1.2.250.1.213.1.1.3.58"),
                _id(ids),
                node("code", code="AMB", displayName="Ambulatoire (hors établissement)", codeSystem="2.16.840.1.113883.5.4"),
                node("text", node("reference", value=f"#{anchor}")),
                node("effectiveTime", value=f"{step.on:%Y%m%d}"),
                node("priorityCode", code="CS", displayName="recontacter pour fixer RDV", codeSystem="2.16.840.1.113883.5.7"),
                classCode="ENC",
                moodCode="ARQ",
            )
        )
    templates = ("2.16.840.1.113883.10.20.1.10", "1.3.6.1.4.1.19376.1.5.3.1.3.36", "1.2.250.1.213.1.1.2.158")
    table = _table(("Qui", "Vers le", "Pour"), rows)
    return _section(ids, templates, ("18776-5", "Plan de soins"), "Suites à donner", [table], entries)


def _allergies(letter: Letter, ids: random.Random) -> ET.Element:
    known = not letter.allergies.startswith("Aucune")
    narrative = node("paragraph", node("content", letter.allergies, ID="allergies"))
    value = _value("CD")
    value.append(node("originalText", node("reference", value="#allergies")))
    if known:
        value.set("nullFlavor", "UNK")
    observation = node(
        "observation",
        node("templateId", root="2.16.840.1.113883.10.20.1.28"),
        node("templateId", root="2.16.840.1.113883.10.20.1.18"),
        node("templateId", root="1.3.6.1.4.1.19376.1.5.3.1.4.5"),
        node("templateId", root="1.3.6.1.4.1.19376.1.5.3.1.4.6"),
        node("templateId", root="1.2.250.1.213.1.1.3.41"),
        _id(ids),
        node("code", code="416098002", displayName="allergie médicamenteuse", codeSystem=SNOMED, codeSystemName="SNOMED CT"),
        node("text", node("reference", value="#allergies")),
        node("statusCode", code="completed"),
        node("effectiveTime", node("low", nullFlavor="UNK"), **{"xsi:type": "IVL_TS"}),
        value,
        classCode="OBS",
        moodCode="EVN",
    )
    act = node(
        "act",
        node("templateId", root="2.16.840.1.113883.10.20.1.27"),
        node("templateId", root="1.3.6.1.4.1.19376.1.5.3.1.4.5.1"),
        node("templateId", root="1.3.6.1.4.1.19376.1.5.3.1.4.5.3"),
        node("templateId", root="1.2.250.1.213.1.1.3.40"),
        _id(ids),
        node("code", nullFlavor="NA"),
        node("statusCode", code="completed"),
        node("effectiveTime", node("low", nullFlavor="NA"), node("high", nullFlavor="NA")),
        node("entryRelationship", observation, typeCode="SUBJ", inversionInd="false"),
        classCode="ACT",
        moodCode="EVN",
    )
    templates = ("2.16.840.1.113883.10.20.1.2", "1.3.6.1.4.1.19376.1.5.3.1.3.13", "1.2.250.1.213.1.1.2.137")
    code = ("48765-2", "Allergies et hypersensibilités")
    return _section(ids, templates, code, "Allergies identifiées pendant le séjour", [narrative], [act])
