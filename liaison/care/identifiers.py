"""Identifiers and their normal forms: INS, IPP, NDA, venue numbers, RPPS, FINESS."""

from __future__ import annotations

import enum

from liaison.private import Private


class IdentifierKind(enum.StrEnum):
    """What an identifier names. Two identifiers of different kinds are never equal."""

    INS = "ins"
    IPP = "ipp"
    EPISODE = "episode"  #: numéro de dossier administratif (NDA, PID-18)
    VISIT = "visit"  #: numéro de venue (PV1-19)
    PREADMISSION = "preadmission"  #: numéro de préadmission (PV1-5)
    MOVEMENT = "movement"  #: identifiant de mouvement (ZBE-1)


class Identifier(Private, frozen=True, kw_only=True):
    """An identifier in its normal form, comparable and hashable.

    ``authority`` is canonical: ``oid:1.2.250.1.213.1.4.8``, ``finess:400011177``, or ``local:<source>/<namespace>`` when the
    sender gave only a name of its own.
    """

    kind: IdentifierKind
    authority: str
    value: str


#: The OIDs of the INS family (IHE France data types N.1; hl7v2 digest §3.2).
INS_NIR = "1.2.250.1.213.1.4.8"
INS_NIA = "1.2.250.1.213.1.4.9"
INS_NIR_TEST = "1.2.250.1.213.1.4.10"
INS_NIR_DEMONSTRATION = "1.2.250.1.213.1.4.11"
INS_OIDS = frozenset({INS_NIR, INS_NIA, INS_NIR_TEST, INS_NIR_DEMONSTRATION})
#: OIDs that may only be met in a test territory.
INS_TEST_OIDS = frozenset({INS_NIR_TEST, INS_NIR_DEMONSTRATION})


def ins_key_is_right(matricule: str) -> bool:
    """Whether the two last digits of a 15-character matricule are its key (97 minus the number modulo 97, Corsica as 19/18)."""
    if len(matricule) != 15 or not matricule.isascii():
        return False
    body = matricule[:13].upper().replace("2A", "19").replace("2B", "18")
    return body.isdigit() and matricule[13:].isdigit() and 97 - int(body) % 97 == int(matricule[13:])


def rpps(value: str) -> str | None:
    """The 11-digit RPPS in ``value``, which may carry the idNat_PS prefix ``8``; None when it is not one."""
    digits = value.strip()
    if len(digits) == 12 and digits[0] == "8":
        digits = digits[1:]
    return digits if len(digits) == 11 and digits.isdigit() else None


def finess(value: str) -> str | None:
    """The 9-character FINESS in ``value``, which may carry the idNat_Struct prefix ``1``; None when it is not one."""
    code = value.strip().upper()
    if len(code) == 10 and code[0] == "1":
        code = code[1:]
    return code if len(code) == 9 and code.isalnum() and code[2:].isdigit() else None
