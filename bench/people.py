"""Invented patients of the measurements, each with an IPP and a qualified INS of the test OID that follow from a number."""

from __future__ import annotations

HOSPITAL = "CHMDM&400011177&M"
INS_AUTHORITY = "ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO"
PS_AUTHORITY = "ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO"
FAMILY, GIVEN, GIVENS, BORN, COG = "DARRIEUX", "ODETTE", "ODETTE JEANNE", "19790328", "40192"


def ipp(number: int) -> str:
    """Thirteen characters."""
    return f"IPP{number:010}"


def ins(number: int) -> str:
    """A matricule with its right key: 15 digits."""
    body = 2_790_340_000_000 + number
    return f"{body}{97 - body % 97:02}"


def pid(number: int) -> str:
    """The PID of a qualified identity."""
    ids = f"{ipp(number)}^^^{HOSPITAL}^PI~{ins(number)}^^^{INS_AUTHORITY}^INS"
    name = f"{FAMILY}^{GIVEN}^{GIVENS}^^Mme^^L"
    home = f"28 Avenue de la Forêt^^MONT DE MARSAN^^40000^FRA^H~^^^^^^BDL^^{COG}"
    episode = f"24{number:08}^^^{HOSPITAL}^AN"
    return f"PID|1||{ids}||{name}||{BORN}|F|||{home}{'|' * 7}{episode}{'|' * 12}N||VALI"
