"""Messages of an invented feed, built from the standard's layout, and the facts that they make."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from liaison.care.facts import IdentityFact, MovementFact
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.hl7.message import Message
from liaison.hl7.triggers import TRIGGERS
from liaison.mappings.interpretation import Interpretation, SourceProfile
from liaison.mappings.pam_to_facts import interpret

PARIS = ZoneInfo("Europe/Paris")
PROFILE = SourceProfile(source="ch-mont-de-marsan", finess="400011177")
FINESS = "finess:400011177"
INS_BODY = "2790340192123"
MATRICULE = f"{INS_BODY}{97 - int(INS_BODY) % 97:02d}"
INS = f"{MATRICULE}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS"
IPP = "1001^^^CH&400011177&M^PI"
IPP_ID = Identifier(kind=IdentifierKind.IPP, authority=FINESS, value="1001")
UF = "Geriatrie^^^^^CH&400011177&M^UF^^^2110"

#: Segments of a conformant admission, as {field: value}.
DEFAULTS: dict[str, dict[int, str]] = {
    "EVN": {2: "20260105080400", 6: "20260105080300"},
    "PID": {
        1: "1",
        3: f"{IPP}~{INS}",
        5: "ESSAI^ANNE^ANNE MARIE^^^^L",
        7: "19790328",
        8: "F",
        11: "^^^^^FRA^BDL^^40192",
        18: "D77^^^CH&400011177&M^AN",
        30: "N",
        32: "VALI",
    },
    "PV1": {1: "1", 2: "I", 3: "2111^12^B^CH&400011177&N^O", 19: "V88^^^CH&400011177&M^VN"},
    "ZBE": {1: "M1^CH^400011177^M", 2: "20260105080000", 4: "INSERT", 5: "N", 7: UF, 8: UF, 9: "HMS"},
}


def adt(event: str, changes: dict[str, str]) -> Message:
    """A message of an event. ``PID_32`` is a field's new value, ``ZBE_0`` drops a segment, ``PID_then`` adds lines after it."""
    segments = {name: dict(fields) for name, fields in DEFAULTS.items() if f"{name}_0" not in changes}
    if event in TRIGGERS and TRIGGERS[event].deed is None:
        segments.pop("ZBE", None)
        segments["PV1"] = {2: "N"}
    structure = TRIGGERS[event].structure if event in TRIGGERS else ""
    header = {3: "DPI", 4: "CH", 7: "20260105080500", 9: f"ADT^{event}^{structure}", 10: "C1", 11: "T", 12: "2.5^FRA^2.11"}
    header |= {17: "FRA", 18: "UNICODE UTF-8"}
    for change, value in changes.items():
        name, field = change.split("_")
        if name == "MSH":
            header[int(field)] = value
        elif field not in ("0", "then"):
            segments.setdefault(name, {})[int(field)] = value
    lines = ["MSH|^~\\&|" + "|".join(header.get(number, "") for number in range(3, 22))]
    for name, fields in segments.items():
        lines.append(name + "".join(f"|{fields.get(number, '')}" for number in range(1, max(fields) + 1)))
        lines.extend(changes[then] for then in (f"{name}_then",) if then in changes)
    return Message.parse("\r".join(lines).encode())


def read(event: str, profile: SourceProfile = PROFILE, /, **changes: str) -> Interpretation:
    return interpret(adt(event, changes), profile)


def rules(read_back: Interpretation) -> list[str]:
    return [finding.rule for finding in read_back.findings]


def identity(read_back: Interpretation) -> IdentityFact:
    (fact,) = [fact for fact in read_back.facts if isinstance(fact, IdentityFact)]
    return fact


def movement(read_back: Interpretation) -> MovementFact:
    (fact,) = [fact for fact in read_back.facts if isinstance(fact, MovementFact)]
    return fact
