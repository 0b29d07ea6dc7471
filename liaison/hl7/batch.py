"""Batch files: ``[FHS] {[BHS] {MSH …} [BTS]} [FTS]`` split into the very bytes of their messages (HL7 v2.5 §2.10.3).

A file may also hold one message, several without any batch header, or MLLP blocks. Messages are cut out of the bytes here, so that not
one of them changes; the headers around them are read with python-hl7.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import hl7

from liaison.finding import Finding, Severity
from liaison.hl7.charset import decode, encode
from liaison.hl7.framing import Frame, FrameDecoder
from liaison.private import Private

#: More messages than that in one file are refused: files of a day hold some thousands.
MAX_MESSAGES = 100_000
_LINE = re.compile(rb"(?:\A(?:\xef\xbb\xbf)?|(?<=[\r\n\x0b]))(MSH|FHS|BHS|BTS|FTS)([^A-Za-z0-9\s])([^\r\n]*)")
_OPENED_BY = {b"BTS": b"BHS", b"FTS": b"FHS"}


class Batch(Private, frozen=True, kw_only=True):
    """The messages of a file in order, each byte for byte, and what is wrong with the batch around them."""

    messages: tuple[bytes, ...]
    findings: tuple[Finding, ...] = ()
    #: Why the last message may lack its end, and must not be acted upon; None when the file was written to its end.
    cut: Finding | None = None


def split_batch(raw: bytes) -> Batch:
    """The messages of a file. One without any header is given back whole, as one message, for the reader to say what it is."""
    if raw.startswith(b"\x0b"):
        messages, findings = _split_frames(raw)
        return Batch(messages=messages, findings=findings)
    messages, findings = _split(raw)
    unclosed = next((finding for finding in findings if finding.rule == "hl7.batch-unclosed"), None)
    return Batch(messages=messages, findings=findings, cut=unclosed if messages else None)


def _split(raw: bytes) -> tuple[tuple[bytes, ...], tuple[Finding, ...]]:
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
            inner, more = _split(event.payload) if not event.payload.startswith(b"\x0b") else ((event.payload,), ())
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
    if opened and lines[-1].group(1) != b"MSH":
        findings += [_unpaired(name, "n’est jamais fermé") for name in opened]
    elif opened:
        # The file ends in a message: it may have been cut there.
        names = " et ".join(name.decode() for name in opened)
        findings.append(
            _finding("batch-unclosed", Severity.FATAL, names,
                     f"Le lot n’est pas fermé ({names} sans son segment de fin) : son dernier message est peut-être incomplet.",
                     "Envoyer le lot à nouveau, écrit jusqu’à BTS et FTS ; ce qui a été pris ne le sera pas deux fois.")
        )  # fmt: skip
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


def batch_of_replies(raw: bytes, replies: Sequence[bytes]) -> bytes:
    """The replies to a file's messages as one batch file, under headers that answer those of ``raw`` (HL7 v2.5 §2.10.3.3).

    Sender and receiver change places; FHS-12 and BHS-12 refer to the numbers of the file and of its batch.
    """
    file, batch = _headers(raw)
    lines = [
        _answer("FHS", file or batch),
        _answer("BHS", batch or file),
        *replies,
        f"BTS|{len(replies)}\r".encode("ascii"),
        b"FTS|1\r",
    ]
    return b"".join(lines)


#: FHS and BHS number their fields alike: applications and facilities in 3 to 6, their own number in 11 (HL7 v2.5 §2.15.1, §2.15.4).
_SWAPPED = {3: 5, 4: 6, 5: 3, 6: 4, 12: 11}


def _headers(raw: bytes) -> tuple[hl7.Segment | None, hl7.Segment | None]:
    """FHS and the first BHS, as python-hl7 reads them; None where there is none, or none that it can read."""
    lines = {line.group(1): line.group() for line in reversed(list(_LINE.finditer(raw[:65_536])))}
    written = [lines[name].removeprefix(b"\xef\xbb\xbf") for name in (b"FHS", b"BHS") if name in lines]
    closed = [b"BTS|0" if name == b"BHS" else b"FTS|0" for name in (b"BHS", b"FHS") if name in lines]
    try:
        parsed = hl7.parse_file(decode(b"\r".join([*written, *closed]), "cp1252"))
        return parsed.header, parsed[0].header if len(parsed) else None
    except (hl7.HL7Exception, IndexError, ValueError, AssertionError):
        return None, None


def _answer(name: str, header: hl7.Segment | None) -> bytes:
    fields = [""] * 12
    for ours, theirs in _SWAPPED.items():
        value = str(header[theirs]) if header is not None and len(header) > theirs else ""
        fields[ours - 1] = "".join(character for character in value if character.isprintable() and character != "|")[:200]
    fields[0], fields[1] = name, "^~\\&"
    return encode("|".join(fields).rstrip("|"), "cp1252") + b"\r"
