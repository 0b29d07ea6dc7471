"""From the bytes of a frame to the lines that are its segments: where the message begins, and what ends a segment (trap 21)."""

from __future__ import annotations

import re
from itertools import pairwise

from liaison.finding import Finding, Severity
from liaison.hl7.errors import NotHl7

#: Bounds on what one message may make us build. Real ones stay far below: the longest ORU seen has some 60 segments.
MAX_SEGMENTS = 20_000
#: How far into the bytes an MSH is looked for, past whatever a sender put before it.
MAX_PROLOGUE = 4_096

_UTF8_BOM = b"\xef\xbb\xbf"
_START = re.compile(rb"(?:\A|(?<=[\r\n\x0b]))MSH")


def bounds(raw: bytes) -> tuple[int, int, tuple[Finding, ...]]:
    """Where the message proper begins and ends in ``raw``."""
    stop = len(raw)
    if 0x1C in raw[-3:]:
        stop = raw.rindex(0x1C)
    if raw.startswith(b"MSH"):
        return 0, stop, ()
    start = len(_UTF8_BOM) if raw.startswith(_UTF8_BOM) else 0
    findings: tuple[Finding, ...] = (_BOM,) if start else ()
    while start < stop and raw[start] in b"\x0b\r\n \t":
        start += 1
    if raw.startswith(b"MSH", start):
        return start, stop, findings
    head = raw[start : start + 3]
    if head in (b"FHS", b"BHS"):
        raise _not_hl7("hl7.batch", "FHS", "C’est un fichier de lots (FHS, BHS) et non un message.",
                       "Découper le fichier et envoyer un message par trame.")  # fmt: skip
    if head[:1] == b"<":
        raise _not_hl7("hl7.xml", "MSH", "Le message est du XML ; seul l’encodage ER7 est pris en charge.",
                       "Demander à l’éditeur d’émettre en ER7 (segments séparés par CR).", "202")  # fmt: skip
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or head == b"M\0S":
        raise _not_hl7("hl7.utf-16", "MSH", "Les octets sont de l’UTF-16, que MLLP ne peut transporter.",
                       "Demander à l’éditeur d’émettre en UTF-8 (« UNICODE UTF-8 » en MSH-18).")  # fmt: skip
    later = _START.search(raw, start, min(stop, start + MAX_PROLOGUE))
    if later is None:
        raise _not_hl7("hl7.no-msh", "MSH", "Aucun segment MSH n’ouvre le message.",
                       "Vérifier que chaque trame contient un message HL7 v2 complet, à commencer par MSH.", "100")  # fmt: skip
    return later.start(), stop, (*findings, _PROLOGUE)


def _not_hl7(rule: str, where: str, message: str, remedy: str, condition: str = "200") -> NotHl7:
    return NotHl7(rule=rule, where=where, message=message, remedy=remedy, condition=condition)


def too_many_segments() -> NotHl7:
    """The refusal of a message that would make us build without end."""
    return _not_hl7(
        "hl7.too-many-segments",
        f"segment {MAX_SEGMENTS + 1}",
        f"Le message compte plus de {MAX_SEGMENTS} segments.",
        "Découper l’envoi en plusieurs messages.",
        "198",
    )


def first_line_end(raw: bytes, start: int, stop: int) -> int:
    """Where the first line, MSH, ends."""
    end = raw.find(b"\r", start, stop)
    end = stop if end < 0 else end
    other = raw.find(b"\n", start, end)
    return end if other < 0 else other


def careful_lines(text: str, separator: str) -> tuple[list[str], tuple[Finding, ...]]:
    """Segments of a text that is not plain lines ended by CR, and what was wrong with their ends."""
    spans = segment_spans(text, separator)
    lines = [text[start:stop] for start, stop in spans]
    findings: list[Finding] = []
    ends = {text[stop:start] for (_, stop), (start, _) in pairwise(spans)}
    if any(end != "\r" for end in ends) or (spans and "\n" in text[spans[-1][1] :]):
        findings.append(_ENDS)
    if any("\n" in line or "\r" in line for line in lines):
        findings.append(_INNER_ENDS)
    findings += [_odd_name(position) for position, line in enumerate(lines, 1) if not _is_plausible(line[:3])][:10]
    return lines, tuple(findings)


def _odd_name(position: int) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        where=f"segment {position}",
        rule="hl7.segment-name",
        message="Ce segment n’a pas pour nom trois caractères majuscules (HL7 v2.5 §2.5.2).",
        remedy="Demander à l’éditeur de vérifier ce segment ; il est conservé mais non lu.",
        condition="199",
    )


SEVERAL_MESSAGES = Finding(
    severity=Severity.FATAL,
    where="MSH[2]",
    rule="hl7.several-messages",
    message="Plusieurs messages se suivent dans la même trame : les segments du second ne sont pas ceux du premier patient.",
    remedy="Envoyer un message par trame MLLP, ou un fichier de lots (FHS, BHS).",
    condition="100",
)
_BOM = Finding(
    severity=Severity.INFORMATION,
    where="MSH",
    rule="hl7.bom",
    message="Le message commence par une marque d’ordre d’octets (BOM), que HL7 ne prévoit pas.",
    remedy="Demander à l’éditeur d’émettre l’UTF-8 sans BOM.",
    condition="199",
)
_PROLOGUE = Finding(
    severity=Severity.WARNING,
    where="MSH",
    rule="hl7.prologue",
    message="Des octets étrangers précèdent MSH ; ils ont été ignorés.",
    remedy="Vérifier que la trame ne contient que le message, à partir de MSH.",
    condition="199",
)
_ENDS = Finding(
    severity=Severity.WARNING,
    where="MSH",
    rule="hl7.segment-ends",
    message="Des segments se terminent autrement que par un seul CR (HL7 v2.5 §2.5.2) : LF, CRLF ou lignes vides.",
    remedy="Demander à l’éditeur de terminer chaque segment par CR (0x0D) seul.",
    condition="199",
)
_INNER_ENDS = Finding(
    severity=Severity.WARNING,
    where="MSH",
    rule="hl7.line-break-in-value",
    message="Une valeur contient un saut de ligne brut ; il a été gardé dans la valeur.",
    remedy="Demander à l’éditeur d’écrire les sauts de ligne « \\.br\\ » (HL7 v2.5 §2.7).",
    condition="199",
)


def segment_spans(text: str, separator: str) -> list[tuple[int, int]]:
    """Where each segment of ``text`` begins and ends, the ends of lines left out (trap 21).

    CR ends a segment; LF only when a plausible segment name and a separator follow, because it may stand inside a value;
    what follows a CR and has no segment's form at all continues the segment before (wrapped base64).
    """
    spans: list[tuple[int, int]] = []
    start, length = 0, len(text)
    carriage, feed = _find(text, "\r", 0), _find(text, "\n", 0)
    while (end := min(carriage, feed)) < length:
        after = end + 1
        while after < length and text[after] in "\r\n":
            after += 1
        strong = carriage < after
        if strong:
            carriage = _find(text, "\r", after)
        if feed < after:
            feed = _find(text, "\n", after)
        if after == length or _opens_segment(text[after : after + 4], separator, strong):
            spans.append((start, end))
            start = after
            if len(spans) > MAX_SEGMENTS:
                break
    if start < length:
        spans.append((start, length))
    return spans


def _find(text: str, character: str, start: int) -> int:
    found = text.find(character, start)
    return len(text) if found < 0 else found


def _opens_segment(head: str, separator: str, after_carriage_return: bool) -> bool:
    """Whether a line that begins with the four characters ``head`` is a segment of its own."""
    name, follower = head[:3], head[3:]
    if follower == separator:
        return _is_plausible(name) or (after_carriage_return and "\n" not in name and "\r" not in name)
    return after_carriage_return and follower in ("", "\r", "\n") and _is_plausible(name)


def _is_plausible(name: str) -> bool:
    """Three characters, a capital letter and two capitals or digits (HL7 v2.5 §2.5.2)."""
    return len(name) == 3 and name.isascii() and name.isalnum() and name.isupper() and name[0].isalpha()
