"""Invented feeds: one message, fields and segments changed at will, and whole exports in memory."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from liaison.conformance.examine import examine
from liaison.conformance.export import ExportFile
from liaison.conformance.report import RemarkLine, Report, SilenceLine

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOSPITAL = "CH-ESSAI&400011177&M"
#: Planted: nothing of it may be told.
NAME, GIVEN, BORN, INS, IPP, STREET, REASON = (
    "ZORGLUBARD", "HERMENGARDE", "19521117", "252114019200196", "8004277", "QUENTOVIC", "PNEUMOPATHIE",
)  # fmt: skip

_SEGMENTS: dict[str, dict[int, str]] = {
    "MSH": {
        3: "DPI", 4: "CH-ESSAI", 5: "LIAISON", 6: "GCS", 7: "20261120100000", 9: "ADT^A01^ADT_A01", 10: "C1", 11: "P",
        12: "2.5^FRA^2.11", 17: "FRA", 18: "UNICODE UTF-8", 21: "2.11^IHE_FRANCE-2.11-PAM",
    },
    "EVN": {2: "20261120100000", 6: "20261120095900"},
    "PID": {
        3: f"{IPP}^^^{HOSPITAL}^PI~{INS}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS",
        5: f"{NAME}^{GIVEN}^{GIVEN}^^^^L",
        7: BORN,
        8: "F",
        11: f"1 rue {STREET}^^DAX^^40100^FRA^H~^^^^^FRA^BDL^^40192",
        18: f"D77^^^{HOSPITAL}^AN",
        32: "VALI",
    },
    "PV1": {1: "1", 2: "I", 3: f"2111^12^B^{HOSPITAL}", 19: f"V88^^^{HOSPITAL}^VN", 44: "20261120095900"},
    "ZBE": {
        1: "M1^CH^400011177^M",
        2: "20261120095900",
        4: "INSERT",
        5: "N",
        7: f"Gériatrie^^^^^{HOSPITAL}^UF^^^2111",
        8: f"Gériatrie^^^^^{HOSPITAL}^UF^^^2111",
        9: "HMS",
    },
}  # fmt: skip
_STRUCTURES = {
    "A01": "ADT_A01", "A02": "ADT_A02", "A03": "ADT_A03", "A04": "ADT_A01", "A11": "ADT_A09", "A13": "ADT_A01", "A12": "ADT_A12",
    "A16": "ADT_A16", "A28": "ADT_A05", "A31": "ADT_A05", "A40": "ADT_A39", "A44": "ADT_A43", "Z99": "ADT_A01",
}  # fmt: skip


def adt(event: str = "A01", *more: str, without: Iterable[str] = (), **changes: str) -> bytes:
    """An ADT: ``PID_5`` is a field's new value, ``more`` are whole segments put at its end, ``without`` names segments left out.

    A number of its own (``MSH_10``) and a time (``EVN_2``) are for the caller to choose where several messages are one feed.
    """
    segments = {name: dict(fields) for name, fields in _SEGMENTS.items() if name not in without}
    segments["MSH"][9] = f"ADT^{event}^{_STRUCTURES.get(event, '')}".rstrip("^")
    for change, value in changes.items():
        name, field = change.split("_")
        segments.setdefault(name, {})[int(field)] = value
    lines = [_written(name, fields) for name, fields in segments.items()]
    return "".join(f"{line}\r" for line in (*lines, *more)).encode()


def _written(name: str, fields: dict[int, str]) -> str:
    if name == "MSH":
        return "MSH|^~\\&|" + "|".join(fields.get(number, "") for number in range(3, max(fields) + 1))
    return name + "".join(f"|{fields.get(number, '')}" for number in range(1, max(fields) + 1))


def moved(event: str, number: int, hour: int, visit: str = "V88", ipp: str = IPP, *, movement: str = "", **changes: str) -> bytes:
    """A movement of the 20th of November at an hour, under numbers of its own."""
    at = f"20261120{hour:02}0000"
    said = {
        "MSH_7": at,
        "MSH_10": f"C{number}",
        "EVN_2": at,
        "PID_3": f"{ipp}^^^{HOSPITAL}^PI",
        "PV1_19": f"{visit}^^^{HOSPITAL}^VN",
        "PV1_44": "",
        "ZBE_1": f"{movement or f'M{number}'}^CH^400011177^M",
        "ZBE_2": at,
    }
    return adt(event, **(said | changes))


def in_memory(**files: bytes) -> tuple[ExportFile, ...]:
    """An export of files held in memory."""

    def one(name: str, content: bytes) -> ExportFile:
        return ExportFile(name=name, size=len(content), read=lambda: content)

    return tuple(one(name, content) for name, content in files.items())


def examined(*messages: bytes, workers: int = 1) -> Report:
    """The report of messages that stand in one file."""
    return examine(in_memory(feed=b"".join(messages)), now=NOW, workers=workers)


def remark(report: Report, rule: str, place: str = "") -> RemarkLine | None:
    """A remark by its rule, and by its place where one is given."""
    lines = (*report.remarks, *report.sequence)
    return next((line for line in lines if line.rule == rule and (not place or line.place == place)), None)


def silence(report: Report, name: str) -> SilenceLine | None:
    """What the feed says of one thing; None when no message could say it."""
    return next((line for line in report.silences if line.rule == f"silence.{name}"), None)
