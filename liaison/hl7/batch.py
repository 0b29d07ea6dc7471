"""Batch files: ``[FHS] {[BHS] {MSH …} [BTS]} [FTS]`` split into the very bytes of their messages (HL7 v2.5 §2.10.3).

A file may also hold one message, several without any batch header, or MLLP blocks.
"""

from __future__ import annotations

import re

from liaison.finding import Finding, Severity
from liaison.hl7.framing import Frame, FrameDecoder

#: More messages than that in one file are refused: files of a day hold some thousands.
MAX_MESSAGES = 100_000
_LINE = re.compile(rb"(?:\A(?:\xef\xbb\xbf)?|(?<=[\r\n\x0b]))(MSH|FHS|BHS|BTS|FTS)([^A-Za-z0-9\s])([^\r\n]*)")
_OPENED_BY = {b"BTS": b"BHS", b"FTS": b"FHS"}


def split_batch(raw: bytes) -> tuple[tuple[bytes, ...], tuple[Finding, ...]]:
    """The messages of a file in order, each byte for byte, and what is wrong with the batch around them.

    A file without any header is given back whole, as one message, for the reader to say what it is.
    """
    if raw.startswith(b"\x0b"):
        return _split_frames(raw)
    lines = list(_LINE.finditer(raw))[: MAX_MESSAGES + 1]
    if len(lines) > MAX_MESSAGES:
        return (), (_finding("batch-size", Severity.FATAL, "FHS", f"Le fichier compte plus de {MAX_MESSAGES} en-têtes.",
                             "Découper le fichier."),)  # fmt: skip
    if not lines or [line.group(1) for line in lines] == [b"MSH"]:
        return (raw,), ()
    messages: list[bytes] = []
    for line, following in zip(lines, [*lines[1:], None], strict=True):
        if line.group(1) == b"MSH":
            messages.append(raw[line.start(1) : following.start(1) if following else len(raw)])
    return tuple(messages), _check(lines)


def _split_frames(raw: bytes) -> tuple[tuple[bytes, ...], tuple[Finding, ...]]:
    decoder = FrameDecoder(max_message=len(raw))
    messages: list[bytes] = []
    findings: list[Finding] = []
    for event in (*decoder.feed(raw), *decoder.end()):
        if isinstance(event, Frame):
            inner, more = split_batch(event.payload) if not event.payload.startswith(b"\x0b") else ((event.payload,), ())
            messages += inner
            findings += more
        else:
            findings.append(
                _finding("batch-frames", Severity.ERROR, f"trame {len(messages) + 1}",
                         "Le fichier contient des octets hors trame, ou une trame MLLP inachevée.",
                         "Vérifier que le fichier a été écrit en entier.")
            )  # fmt: skip
    return tuple(messages), tuple(findings)


def _check(lines: list[re.Match[bytes]]) -> tuple[Finding, ...]:
    """Whether headers and trailers come in pairs and count right (HL7 v2.5 §2.10.3, §2.15.2, §2.15.3)."""
    findings: list[Finding] = []
    opened: dict[bytes, int] = {}  # header → what was counted since it came
    orphans = 0
    for line in lines:
        name = line.group(1)
        if name == b"MSH":
            if b"BHS" in opened:
                opened[b"BHS"] += 1
            elif b"FHS" in opened:
                orphans += 1
        elif name in (b"BHS", b"FHS"):
            if name in opened:
                findings.append(_unpaired(name, "n’est pas fermé avant le suivant"))
            if name == b"BHS" and b"FHS" in opened:
                opened[b"FHS"] += 1
            opened.setdefault(name, 0)
        else:
            counted = opened.pop(_OPENED_BY[name], None)
            if counted is None:
                findings.append(_unpaired(name, "ne ferme rien"))
            elif (told := _count(line)) is not None and told != counted:
                findings.append(
                    _finding("batch-count", Severity.ERROR, f"{name.decode()}-1",
                             f"{name.decode()}-1 annonce {told} élément(s), le fichier en contient {counted}.",
                             "Vérifier que le fichier est complet avant de l’envoyer.")
                )  # fmt: skip
    findings += [_unpaired(name, "n’est jamais fermé") for name in opened]
    if orphans:
        findings.append(
            _finding("batch-structure", Severity.WARNING, "BHS", "Des messages du fichier ne sont dans aucun lot (BHS … BTS).",
                     "Placer chaque message entre BHS et BTS.")
        )  # fmt: skip
    return tuple(findings)


def _count(line: re.Match[bytes]) -> int | None:
    """BTS-1 or FTS-1, where it is a number."""
    told = line.group(3).split(line.group(2), 1)[0].strip()
    return int(told) if told.isdigit() and len(told) < 10 else None


def _unpaired(name: bytes, fault: str) -> Finding:
    return _finding("batch-structure", Severity.WARNING, name.decode(), f"Le segment {name.decode()} {fault}.",
                    "Écrire [FHS] { BHS messages BTS } [FTS].")  # fmt: skip


def _finding(rule: str, severity: Severity, where: str, message: str, remedy: str) -> Finding:
    return Finding(severity=severity, where=where, rule=f"hl7.{rule}", message=message, remedy=remedy, condition="100")
