"""The value sets that the header and the XDS metadata need, read from the tables beside this module."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any, Final, NamedTuple

CONFIDENTIALITY_SYSTEM: Final = "2.16.840.1.113883.5.25"
#: TRE_A03, the code system of XDS classes.
CLASS_SYSTEM: Final = "1.2.250.1.213.1.1.4.1"
#: TRE_A07, masking codes of XDS confidentialityCode (JDV_J08).
MASKING_SYSTEM: Final = "1.2.250.1.213.1.1.4.13"
#: For a model that ASS_A11 does not know (digest cda-fr §4.1).
UNKNOWN_MODEL_FORMAT: Final = "urn:asipSante:modelesHorsProfils:2011"


class DocumentType(NamedTuple):
    """A concept of JDV_J07 and its XDS class."""

    code: str
    system: str
    label: str
    class_code: str
    #: The class was inferred from the label: to be checked against ASS_X04.
    class_to_confirm: bool


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((files("liaison.cda") / "tables" / name).read_text(encoding="utf-8"))


def _read_types(table: dict[str, Any]) -> dict[tuple[str, str], DocumentType]:
    return {
        (code, table["systems"][system]): DocumentType(
            code, table["systems"][system], row["label"], row["class"], row.get("confirm", False)
        )
        for system, rows in table["types"].items()
        for code, row in rows.items()
    }


_DOCUMENT_TYPES: Final = _table("document_types.toml")
_FORMATS: Final = _table("format_codes.toml")
_TYPES: Final = _read_types(_DOCUMENT_TYPES)
#: Names of the code systems as HL7 v2 writes them in OBR-4.3 (hl7v2 digest §5.2).
SYSTEM_NAMES: Final[dict[str, str]] = _DOCUMENT_TYPES["systems"]
CLASS_LABELS: Final[dict[str, str]] = _DOCUMENT_TYPES["classes"]


def document_types() -> tuple[DocumentType, ...]:
    """Every type of JDV_J07."""
    return tuple(_TYPES.values())


def document_type(code: str, system: str = "") -> DocumentType | None:
    """The concept of JDV_J07; without ``system`` (an OID, or the name OBR-4.3 gives it) the first with that code."""
    if system:
        return _TYPES.get((code, SYSTEM_NAMES.get(system, system)))
    return next((found for (known, _), found in _TYPES.items() if known == code), None)


def type_label(code: str, system: str = "") -> str:
    """The French label of a type; empty when the value set does not have it."""
    found = document_type(code, system)
    return found.label if found is not None else ""


def format_of_media(media_type: str) -> str:
    """formatCode of an N1 (ASS_A12); that of an unknown model when the media type is none of the table."""
    return str(_FORMATS["media"].get(media_type, UNKNOWN_MODEL_FORMAT))


def format_of_model(*roots: str) -> str:
    """formatCode of an N3 (ASS_A11) by the roots of its templates, the most specific first."""
    return next((str(_FORMATS["models"][root]) for root in roots if root in _FORMATS["models"]), UNKNOWN_MODEL_FORMAT)


def format_scheme(format_code: str) -> str:
    """The coding scheme of a formatCode."""
    return next((str(scheme) for prefix, scheme in _FORMATS["schemes"].items() if format_code.startswith(prefix)), "")


_CONFIDENTIALITY: Final = _table("confidentiality.toml")
CONFIDENTIALITY_LABELS: Final[dict[str, str]] = _CONFIDENTIALITY["levels"]


class Mask(NamedTuple):
    """A masking code of XDS confidentialityCode."""

    code: str
    label: str


#: By the name that a MetaDMPMSS observation bears.
MASKS: Final = {name: Mask(row["code"], row["label"]) for name, row in _CONFIDENTIALITY["masks"].items()}


_SETTINGS: Final = _table("settings.toml")
#: TRE_R02, the code system of JDV_J02.
FACILITY_SYSTEM: Final = "1.2.250.1.71.4.2.4"
#: JDV_J02: what a document that the hub writes may say of the establishment.
FACILITIES: Final[dict[str, str]] = _SETTINGS["facilities"]


class EncounterKind(NamedTuple):
    """A concept of JDV_J142."""

    code: str
    system: str
    label: str


#: By PV1-2.
ENCOUNTERS: Final = {name: EncounterKind(row["code"], row["system"], row["label"]) for name, row in _SETTINGS["encounters"].items()}
