"""The MetaDMPMSS observations that go with a document: visibility, destinations, receipts, bodies of the mails.

Source: CI-SIS volet Transmission de documents CDA en HL7 v2, table MetaDMPMSS.
"""

from __future__ import annotations

from liaison.finding import Finding
from liaison.hl7.faults import error, information, warning
from liaison.hl7.message import Segment

#: Codes that the volet requires beside every document, in its order.
REQUIRED_FLAGS = (
    "MASQUE_PS",
    "INVISIBLE_PATIENT",
    "INVISIBLE_REP_LEGAUX",
    "CONNEXION_SECRETE",
    "MODIF_CONF_CODE",
    "DESTDMP",
    "DESTMSSANTEPS",
    "DESTMSSANTEPAT",
)
#: Those of a message from a PFI to practice software (volet Transmission au LPS).
PRACTICE_FLAGS = ("MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REP_LEGAUX", "MODIF_CONF_CODE")
#: Asked-for receipts: the text says required, the table says optional.
RECEIPT_FLAGS = ("ACK_RECEPTION", "ACK_LECTURE_MSS")
FLAGS = frozenset(REQUIRED_FLAGS + RECEIPT_FLAGS)
MAIL_BODIES = frozenset({"CORPSMAIL_PS", "CORPSMAIL_PATIENT"})
#: Names of drafts and of samples, with the name of the published table.
ALIASES = {"ACK_LECTURE": "ACK_LECTURE_MSS", "INVISIBLE_REPRESENTANTS_LEGAUX": "INVISIBLE_REP_LEGAUX"}

CODING_SYSTEM = "MetaDMPMSS"
_TRUTH = {"Y": True, "N": False}

FLAG_ALIAS = information(
    "hl7.flag-alias",
    "OBX-3.1 porte le nom d’une version antérieure de la table MetaDMPMSS : il est compris comme le nom actuel.",
    "Utiliser les codes publiés, par exemple ACK_LECTURE_MSS et INVISIBLE_REP_LEGAUX.",
)
FLAG_VALUE = error(
    "hl7.flag-value",
    "Une métadonnée MetaDMPMSS ne vaut ni Y ni N (table 0136) : elle est tenue pour absente.",
    "Écrire OBX-5 sous la forme « Y^^expandedYes-NoIndicator » ou « N^^expandedYes-NoIndicator ».",
    "103",
)
FLAG_REPEATED = error(
    "hl7.flag-contradiction",
    "La même métadonnée MetaDMPMSS est donnée deux fois avec des valeurs contraires : elle est tenue pour absente.",
    "N’émettre qu’un OBX par métadonnée.",
    "198",
)
FLAG_MISSING = warning(
    "hl7.flag-missing",
    "Une métadonnée obligatoire de la table MetaDMPMSS est absente (volet Transmission, métadonnées DMP et MSSanté).",
    "Émettre les huit métadonnées obligatoires, chacune dans son OBX, avec Y ou N.",
    "101",
)
METADATA_ABSENT = warning(
    "hl7.metadata-absent",
    "Le document n’est accompagné d’aucune métadonnée MetaDMPMSS (volet Transmission, métadonnées DMP et MSSanté).",
    "Émettre les métadonnées de visibilité et de destination : sans elles, aucune destination n’est demandée.",
    "101",
)
CODING_SYSTEM_MISSING = information(
    "hl7.coding-system-missing",
    "OBX-3.3 ne nomme pas la table MetaDMPMSS (volet Transmission ; la composante 3 est obligatoire quand la première est valuée).",
    "Compléter OBX-3.3 avec « MetaDMPMSS ».",
)


def metadata_code(segment: Segment) -> str:
    """The MetaDMPMSS code of an OBX under its published name, or empty when the OBX is about something else."""
    code = segment.value(3).strip().upper()
    code = ALIASES.get(code, code)
    return code if code in FLAGS or code in MAIL_BODIES else ""


class FlagReader:
    """Gathers the flags of one message, each under its published code."""

    def __init__(self, findings: list[Finding]) -> None:
        self._findings = findings
        self._contradicted: set[str] = set()
        self.flags: dict[str, bool] = {}

    def read(self, segment: Segment, code: str) -> None:
        """Take one OBX whose code is in ``FLAGS``."""
        if segment.value(3).strip().upper() != code:
            self._findings.append(FLAG_ALIAS.at(segment.where(3)))
        if segment.value(3, 3).strip() != CODING_SYSTEM:
            self._findings.append(CODING_SYSTEM_MISSING.at(segment.where(3)))
        truth = _TRUTH.get(segment.value(5).strip().upper())
        if truth is None:
            self._findings.append(FLAG_VALUE.at(segment.where(5)))
        elif self.flags.get(code, truth) is not truth:
            self._findings.append(FLAG_REPEATED.at(segment.where(5)))
            self._contradicted.add(code)
        elif code not in self._contradicted:
            self.flags[code] = truth
        if code in self._contradicted:
            self.flags.pop(code, None)

    def check_complete(self, required: tuple[str, ...]) -> None:
        """Say which required flags the message does not carry; once only when it carries none."""
        if not self.flags and not self._contradicted:
            self._findings.append(METADATA_ABSENT.at("OBX"))
            return
        for code in required:
            if code not in self.flags and code not in self._contradicted:
                self._findings.append(FLAG_MISSING.at(f"OBX ({code})"))
