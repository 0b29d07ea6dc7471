"""Messages of an invented hospital, written out in full: nothing here goes through the hub's own writers."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

FINESS = "400011177"
INS_AUTHORITY = "ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO"
PS_AUTHORITY = "ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO"


def message(*segments: str) -> bytes:
    """Segments ended by CR, in UTF-8."""
    return "".join(f"{segment}\r" for segment in segments if segment).encode()


def msh(kind: str, control_id: str, *, version: str = "2.5^FRA^2.11", charset: str = "UNICODE UTF-8", profile: str = "") -> str:
    return (
        rf"MSH|^~\&|GAM|CHMDM^{FINESS}^M|LIAISON|GCS|20261120101500||{kind}|{control_id}|P|{version}|||||FRA|{charset}|FR||"
        rf"{profile or '2.11^IHE_FRANCE-2.11-PAM'}"
    )


def pid(
    *,
    ipp: str,
    family: str,
    given: str,
    givens: str = "",
    ins: str = "",
    episode: str = "",
    phone: str = "",
    street: str = "",
    born: str = "19751103",
) -> str:
    """PID of a woman of Bayonne; with an INS the identity is qualified (VALI)."""
    numbers = f"{ipp}^^^CHMDM&{FINESS}&M^PI" + (f"~{ins}^^^{INS_AUTHORITY}^INS" if ins else "")
    home = f"{street}^^MONT DE MARSAN^^40000^FRA^H~^^BAYONNE^^^^BDL^^64102"
    tel = f"^PRN^PH^^^^^^^^^{phone}" if phone else ""
    visit = f"{episode}^^^CHMDM&{FINESS}&M^AN" if episode else ""
    fields = ["PID", "1", "", numbers, "", f"{family}^{given}^{givens or given}^^Mme^^L", "", born, "F", "", "", home, "", tel]
    fields += ["", "", "", "", visit, *[""] * 11, "N", "", "VALI" if ins else "PROV"]
    return "|".join(fields)


def pv1(*, visit: str = "", unit: str = "6268", patient_class: str = "I", discharged: str = "") -> str:
    number = f"{visit}^^^CHMDM&{FINESS}&M^VN" if visit else ""
    return (
        f"PV1|1|{patient_class}|{unit}^CH12^LIT2^CHMDM&{FINESS}&M|R|||10001234567^Réault^Pierre^^^^^^{PS_AUTHORITY}^D^^^RPPS"
        f"{'|' * 12}{number}{'|' * 25}20261120101500|{discharged}|||||{'' if patient_class == 'N' else 'V'}"
    )


def zbe(movement: str, *, action: str = "INSERT", at: str = "20261120101500") -> str:
    unit = f"Chirurgie viscérale^^^^^CHMDM&{FINESS}&M^UF^^^6268"
    return f"ZBE|{movement}^CHMDM^{FINESS}^M|{at}||{action}|N||{unit}|{unit}|HMS"


def admission(control_id: str, *, person: str, visit: str, movement: str, extra: Sequence[str] = ()) -> bytes:
    """ADT^A01; ``person`` is a PID."""
    return message(
        msh("ADT^A01^ADT_A01", control_id),
        "EVN||20261120101500||||20261120101500",
        person,
        "PD1||U||||||||||N",
        pv1(visit=visit),
        *extra,
        zbe(movement),
    )


def discharge(control_id: str, *, person: str, visit: str, movement: str) -> bytes:
    """ADT^A03."""
    return message(
        msh("ADT^A03^ADT_A03", control_id),
        "EVN||20261121161500||||20261121161500",
        person,
        "PD1||U||||||||||N",
        pv1(visit=visit, discharged="20261121161500"),
        zbe(movement, at="20261121161500"),
        "ZFM||8",
    )


#: MetaDMPMSS observations of a letter for its named professionals (digest of the matrix: the plain row).
FOR_PROFESSIONALS = {
    "MASQUE_PS": "N",
    "INVISIBLE_PATIENT": "N",
    "INVISIBLE_REP_LEGAUX": "N",
    "CONNEXION_SECRETE": "N",
    "DESTDMP": "N",
    "DESTMSSANTEPS": "Y",
    "DESTMSSANTEPAT": "N",
}


def letter(
    control_id: str,
    document: bytes,
    *,
    person: str,
    visit: str,
    to: Sequence[str],
    flags: Mapping[str, str] = FOR_PROFESSIONALS,
    replaces: bool = False,
    mail_body: str = "",
    encoded: str = "",
    code: str = "11490-0^Lettre de liaison à la sortie^LN",
    reply_to: str = "",
    no_reply: bool = False,
) -> bytes:
    """ORU^R01 that carries a CDA; ``encoded`` stands instead of its base64, and ``no_reply`` asks that the patient
    cannot answer."""
    content = encoded or base64.b64encode(document).decode()
    status = "C" if replaces else "F"
    recipients = [
        f"PRT||UC||RCT^Result Copies To^participation|899700000017^DUPOUY^Claire^^^^^^{PS_AUTHORITY}^D^^^IDNPS{'|' * 10}^^X.400^{address}"
        for address in to
    ]
    observations = [
        f"OBX|{number}|CE|{name}^{name}^MetaDMPMSS||{value}^^expandedYes-NoIndicator||||||F"
        + ("\rNTE|1|||FIN" if name == "DESTMSSANTEPAT" and no_reply else "")
        for number, (name, value) in enumerate(flags.items(), 2)
    ]
    body = base64.b64encode(mail_body.encode()).decode()
    return message(
        msh("ORU^R01^ORU_R01", control_id, version="2.5", profile="2.1^CISIS_CDA_HL7_V2"),
        person,
        pv1(visit=visit),
        f"ORC|{'RO' if replaces else 'NW'}",
        f"OBR|1|||{code}|||20261121161500",
        f"OBX|1|ED|{code}||^TEXT^XML^Base64^{content}||||||{status}",
        f"PRT||UC||SB^Send By^participation|10001234567^RÉAULT^Pierre^^^^^^{PS_AUTHORITY}^D^^^RPPS|||CH de Mont-de-Marsan^^^^^"
        f"ASIP-SANTE-ST&1.2.250.1.71.4.2.2&ISO^FINEG^^^1{FINESS}",
        *recipients,
        f"PRT||UC||REPLY^Reply To^participation{'|' * 11}^^X.400^{reply_to}" if reply_to else "",
        *observations,
        f"OBX|20|ED|CORPSMAIL_PS^Corps du mail pour un PS^MetaDMPMSS||^TEXT^^Base64^{body}||||||F" if mail_body else "",
    )


def bare_pdf(
    control_id: str, pdf: bytes, *, person: str, visit: str, to: Sequence[str], code: str = "34112-3^Compte rendu^LN"
) -> bytes:
    """ORU^R01 of a system that knows nothing of CDA: a PDF in base64, and the GP's address in a PRT."""
    recipients = [
        f"PRT||UC||RCT^^participation|899700000017^DUPOUY^Claire^^^^^^{PS_AUTHORITY}^D^^^IDNPS{'|' * 10}^^X.400^{one}" for one in to
    ]
    return message(
        msh("ORU^R01^ORU_R01", control_id, version="2.5"),
        person,
        pv1(visit=visit),
        "ORC|NW||CR-4711",
        f"OBR|1||CR-4711|{code}|||20261120150000",
        f"OBX|1|ED|{code}||^TEXT^PDF^Base64^{base64.b64encode(pdf).decode()}||||||F",
        *recipients,
    )
