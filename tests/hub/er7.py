"""Whole messages of the invented hospital: admissions, and letters that carry a CDA."""

from __future__ import annotations

import base64

from tests.hub.people import FINESS

_SEGMENTS: dict[str, dict[int, str]] = {
    "EVN": {2: "20261122095900"},
    "PID": {
        3: f"1001^^^CH&{FINESS}&M^PI",
        5: "ESSAI^ANNE^ANNE MARIE^^^^L",
        7: "19790328",
        8: "F",
        11: "^^^^^FRA^BDL^^40192",
        18: f"D77^^^CH&{FINESS}&M^AN",
        32: "VALI",
    },
    "PV1": {1: "1", 2: "I", 3: f"2111^12^B^CH&{FINESS}&M^O", 19: f"V88^^^CH&{FINESS}&M^VN"},
    "ZBE": {
        1: f"M1^CH^{FINESS}^M",
        2: "20261122095900",
        4: "INSERT",
        5: "N",
        7: f"Geriatrie^^^^^CH&{FINESS}&M^UF^^^2110",
        9: "HMS",
    },
}
_HEADER = {3: "DPI", 4: "CH", 7: "20261122100000", 9: "ADT^A01^ADT_A01", 10: "C1", 11: "P", 12: "2.5^FRA^2.11", 17: "FRA"}
_UTF8 = {18: "UNICODE UTF-8"}


def adt(**changes: str) -> bytes:
    """An admission; ``PID_5`` is a field's new value."""
    header = {**_HEADER, **_UTF8}
    segments = {name: dict(fields) for name, fields in _SEGMENTS.items()}
    for change, value in changes.items():
        name, field = change.split("_")
        (header if name == "MSH" else segments[name])[int(field)] = value
    lines = ["MSH|^~\\&|" + "|".join(header.get(number, "") for number in range(3, 19))]
    for name, fields in segments.items():
        lines.append(name + "".join(f"|{fields.get(number, '')}" for number in range(1, max(fields) + 1)))
    return ("\r".join(lines) + "\r").encode()


ADMISSION = adt()
GP_ADDRESS = "bertrand.dupouy@na.mssante.fr"

_CDA = """<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
<realmCode code="FR"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<templateId root="2.16.840.1.113883.2.8.2.1"/><templateId root="1.2.250.1.213.1.1.1.1"/>
<templateId root="1.2.250.1.213.1.1.1.29" extension="2022.01"/>
<id root="2.25.301"/>
<code code="11490-0" codeSystem="2.16.840.1.113883.6.1" displayName="Lettre de liaison"/>
<title>Lettre de liaison</title>
<effectiveTime value="20261120113000+0100"/>
<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25" displayName="Normal"/>
<languageCode code="fr-FR"/><setId root="2.25.300"/><versionNumber value="1"/>
<recordTarget><patientRole>
<id root="1.2.250.1.999.1" extension="800042"/><id root="1.2.250.1.213.1.4.10" extension="275116410204507"/>
<patient><name><family qualifier="BR">DARRIEUX</family><given>ODETTE JEANNE</given><given qualifier="BR">ODETTE</given></name>
<administrativeGenderCode code="F"/><birthTime value="19751103"/>
<birthplace><place><addr><county>64102</county></addr></place></birthplace></patient>
</patientRole></recordTarget>
<author><time value="20261120113000+0100"/><assignedAuthor><id root="1.2.250.1.71.4.2.1" extension="810100000017"/>
<assignedPerson><name><family>LABAT</family><given>Maylis</given></name></assignedPerson>
<representedOrganization><name>Médecine interne</name></representedOrganization></assignedAuthor></author>
<custodian><assignedCustodian><representedCustodianOrganization>
<id root="1.2.250.1.71.4.2.2" extension="1400011177"/><name>CH</name>
</representedCustodianOrganization></assignedCustodian></custodian>
<component><structuredBody><component><section><title>Motif</title><text>Chute</text></section></component></structuredBody></component>
</ClinicalDocument>"""


def letter_message(*, withdraws: bool = False, replaces: bool = False, control_id: str = "42", body: str = _CDA) -> bytes:
    """An MDM that carries a letter to one GP, its second version, or withdraws it."""
    event, order, status = ("T04", "CA", "D") if withdraws else ("T10", "RO", "C") if replaces else ("T02", "NW", "F")
    name = "2.25.302" if replaces else "2.25.301"
    if replaces:
        parent = '<relatedDocument typeCode="RPLC"><parentDocument><id root="2.25.301"/></parentDocument></relatedDocument>'
        body = body.replace("2.25.301", name).replace('versionNumber value="1"', 'versionNumber value="2"')
        body = body.replace("</custodian>", f"</custodian>{parent}")
    encoded = base64.b64encode(body.encode()).decode()
    lines = [
        f"MSH|^~\\&|DPI|CH|LIAISON|GCS|20261120120000||MDM^{event}^MDM_T02|{control_id}|P|2.6|||||FRA|UNICODE UTF-8|||2.1^CISIS_CDA_HL7_V2",
        f"EVN||2026112012{'10' if withdraws else '00'}00",
        (
            "PID|||800042^^^CH&1.2.250.1.999.1&ISO^PI~275116410204507^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS||"
            "DARRIEUX^ODETTE^ODETTE JEANNE^^^^L||19751103|F|||^^^^^^BDL^^64102|||||||E1^^^CH&400011177&M^AN||||||||||||||VALI"
        ),
        "PV1|1|I|MED^^^&400780284&N||||||||||||||||V9^^^CH&400011177&M^VN",
        f"ORC|{order}",
        "OBR|1|||11490-0^Lettre de liaison^LN",
        f"TXA|1|11490-0|TEXT|||||||||{name}|||||AU",
        f"OBX|1|ED|11490-0^Lettre de liaison^LN||^TEXT^XML^Base64^{encoded}||||||{status}",
        (
            "PRT||UC||RCT^^participation|810100000025^DUPOUY^Bertrand^^^^^^ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"
            f"||||||||||^^X.400^{GP_ADDRESS}"
        ),
        "OBX|2|CE|MASQUE_PS^^MetaDMPMSS||N^^expandedYes-NoIndicator||||||F",
        "OBX|3|CE|DESTMSSANTEPS^^MetaDMPMSS||Y^^expandedYes-NoIndicator||||||F",
        "OBX|4|CE|DESTMSSANTEPAT^^MetaDMPMSS||N^^expandedYes-NoIndicator||||||F",
        "OBX|5|CE|INVISIBLE_PATIENT^^MetaDMPMSS||N^^expandedYes-NoIndicator||||||F",
    ]
    return ("\r".join(lines) + "\r").encode()
