"""The segments that a hospital's software writes: PAM.fr 2.11 and the CI-SIS transmission of CDA documents.

A segment is given as its fields by number. Field numbers, codes and orders are those of PAM.fr 2.11 (§6) and of IHE France's
data types 1.8.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from liaison.care.identifiers import INS_NIR_TEST
from liaison.demo.hospital import Hospital, Ward
from liaison.demo.letters import Subject
from liaison.demo.people import Physician

_ESCAPES = str.maketrans({"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\r": "\\X0D\\", "\n": "\\X0A\\"})

INS_AUTHORITY = f"ASIP-SANTE-INS-NIR&{INS_NIR_TEST}&ISO"
PS_AUTHORITY = "ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO"
STRUCTURE_AUTHORITY = "ASIP-SANTE-ST&1.2.250.1.71.4.2.2&ISO"


def text(value: str) -> str:
    """``value`` with the delimiters and line ends escaped."""
    return value.translate(_ESCAPES)


def ts(moment: datetime) -> str:
    """TS to the second, in the hospital's own time, as PAM.fr feeds write it."""
    return moment.strftime("%Y%m%d%H%M%S")


def join(*components: str) -> str:
    """Components of a field, trailing empty ones left out."""
    return "^".join(components).rstrip("^")


def segment(name: str, fields: Mapping[int, str]) -> str:
    """``name`` and its fields, up to the last one that has a value."""
    last = max((number for number, value in fields.items() if value), default=0)
    return "|".join([name, *(fields.get(number, "") for number in range(1, last + 1))])


def message(*segments: str) -> bytes:
    """Segments as bytes of an HL7 v2 message: UTF-8, each ended by CR; empty ones are left out."""
    return "".join(f"{line}\r" for line in segments if line).encode()


def msh(hospital: Hospital, kind: str, control_id: str, at: datetime, *, version: str, profile: str) -> str:
    """MSH: processing id T, French, UTF-8. ``kind`` is MSH-9 whole."""
    fields = {
        1: "^~\\&",
        2: hospital.application,
        3: text(hospital.short),
        4: "LIAISON",
        5: "PFI-LANDES",
        6: ts(at),
        8: kind,
        9: control_id,
        10: "T",
        11: version,
        16: "FRA",
        17: "UNICODE UTF-8",
        20: profile,
    }
    return segment("MSH", fields)  # the separator itself is MSH-1: every number is one less than the standard's


def evn(recorded_at: datetime, occurred_at: datetime) -> str:
    return segment("EVN", {2: ts(recorded_at), 6: ts(occurred_at)})


def finess(hospital: Hospital) -> str:
    """HD of the establishment as a geographic FINESS (table 0301 FR, ``N``)."""
    return f"{text(hospital.short)}&{hospital.finess}&N"


def ipp(hospital: Hospital, number: str) -> str:
    return f"{number}^^^{text(hospital.short)}&{hospital.oid}&ISO^PI"


def identifiers(hospital: Hospital, subject: Subject) -> str:
    """PID-3: the IPP, and the INS of a qualified identity only (PAM.fr §6.6.1)."""
    repetitions = [ipp(hospital, subject.ipp)]
    if subject.qualified:
        repetitions.append(f"{subject.patient.ins}^^^{INS_AUTHORITY}^INS")
    return "~".join(repetitions)


def pid(hospital: Hospital, subject: Subject, *, episode: str = "", updated_at: datetime | None = None) -> str:
    """PID with birth name (L) and used name (D), birthplace (BDL, COG in XAD-9), identity status."""
    patient = subject.patient
    civility = "Mme" if patient.sex == "F" else "M."
    first = text(patient.given_names[0])
    names = [join(text(patient.birth_name), first, text(" ".join(patient.given_names)), "", civility, "", "L")]
    if patient.used_name:
        names.append(join(text(patient.used_name), first, "", "", civility, "", "D"))
    home = join(text(patient.street), "", text(patient.commune.name), "", patient.commune.postal_code, "FRA", "H")
    birthplace = join("", "", text(patient.birthplace.name), "", "", "", "BDL", "", patient.birthplace.cog)
    return segment(
        "PID",
        {
            1: "1",
            3: identifiers(hospital, subject),
            5: "~".join(names),
            7: f"{patient.birth_date:%Y%m%d}",
            8: patient.sex,
            11: f"{home}~{birthplace}",
            13: join("", "PRN", "CP", "", "", "", "", "", "", "", "", patient.phone),
            18: f"{episode}^^^{finess(hospital)}^AN" if episode else "",
            32: "~".join(subject.statuses),
            33: ts(updated_at) if updated_at else "",
        },
    )


def physician(person: Physician) -> str:
    """XCN by RPPS."""
    return join(person.rpps, text(person.family.upper()), text(person.given), "", "", "", "", "", PS_AUTHORITY, "D", "", "", "RPPS")


def treating_physician(subject: Subject) -> str:
    """ROL ODRP, right after PID and PD1; empty when the hospital does not know who it is (PAM.fr §6.8)."""
    doctor = subject.patient.physician
    if doctor is None or not subject.knows_physician:
        return ""
    surgery = join(
        "", text(f"CABINET DU DR {doctor.family.upper()}"), text(doctor.commune.name), "", doctor.commune.postal_code, "FRA", "O"
    )
    return segment("ROL", {2: "UC", 3: "ODRP", 4: physician(doctor), 11: surgery})


def zbe(
    hospital: Hospital,
    movement: str,
    at: datetime,
    action: str,
    ward: Ward,
    nature: str,
    *,
    historic: bool = False,
    origin: str = "",
) -> str:
    """ZBE; ``origin`` (ZBE-6) is the event that inserted the movement, given with UPDATE and CANCEL (PAM.fr §6.13)."""
    unit = join(text(ward.label), "", "", "", "", finess(hospital), "UF", "", "", ward.uf)
    return segment(
        "ZBE",
        {
            1: f"{movement}^MVT-{hospital.application}^{hospital.finess}^N",
            2: ts(at),
            4: action,
            5: "Y" if historic else "N",
            6: origin,
            7: unit,
            8: unit,
            9: nature,
        },
    )


def zfa(collected_at: datetime) -> str:
    """ZFA: an active shared record, informed and not opposed, consenting to its consultation (PAM.fr §6.14)."""
    day = ts(collected_at)
    return segment("ZFA", {1: "ACTIF", 2: day, 9: "INO", 10: day, 11: "IC", 12: day})


def zfd(subject: Subject, asked_at: datetime) -> str:
    """ZFD: how the identity was obtained (PAM.fr §6.18)."""
    if subject.qualified:
        return segment("ZFD", {3: "N", 4: "N", 5: "INSI", 6: f"{asked_at:%Y%m%d}", 7: "CN"})
    return segment("ZFD", {3: "N", 4: "N", 5: "SM"})
