"""What reading promises whatever the bytes are, looked at in one place by every fuzzer."""

from __future__ import annotations

import json
from collections.abc import Iterator

from liaison.hl7.acknowledgement import Acknowledgement, read_ack
from liaison.hub.contracts import Reading, Sender, Verdict
from liaison.hub.reading import MAX_FINDINGS
from liaison.hub.reading_file import FileKind, kind_of, read_any
from tests.acceptance.ward import NOW
from tests.fuzz.messages import CANARIES
from tests.mappings.pam import PROFILE

CODES = frozenset({"AA", "AE", "AR"})
_TAKEN = (Verdict.ACCEPTED, Verdict.ACCEPTED_WITH_FINDINGS)


def read(raw: bytes, *, file: bool = False) -> Reading:
    """The reading of a message, or of a file of whatever sort."""
    return read_any(raw, Sender(source=PROFILE.source, file=file), PROFILE, now=NOW, reply_id="REPLY1")


def broken_by(reading: Reading) -> list[str]:
    """The promises that a reading breaks, in words without any of its values. Raises what must not be raised at all."""
    return list(_broken_by(reading))


def _broken_by(reading: Reading) -> Iterator[str]:
    if reading.sender.file and kind_of(reading.raw) is not FileKind.HL7:
        told = json.dumps(json.loads(reading.reply), ensure_ascii=False)
    else:
        ack = read_ack(reading.reply)
        told = _told_in(ack)
        if ack.code not in CODES or (ack.code != "AA" and reading.verdict is not Verdict.QUARANTINED):
            yield "a verdict has its reply"
        if b"\x0b" in reading.reply or b"\x1c" in reading.reply:
            yield "a reply cannot end its frame"
        if not all(line[:3] in (b"MSH", b"MSA", b"ERR") for line in reading.reply.removesuffix(b"\r").split(b"\r")):
            yield "no value of the message adds a segment to the reply"
    if reading.facts and reading.verdict not in _TAKEN:
        yield "what is not taken asserts nothing"
    if not reading.findings and reading.verdict is not Verdict.ACCEPTED:
        yield "what is not plainly taken is told why"
    if len(reading.findings) > MAX_FINDINGS + 1:
        yield "findings are bounded"
    findings = "".join(f"{one.where}{one.rule}{one.message}{one.remedy}" for one in reading.findings)
    places = {"a finding": findings, "the reply": told, "a repr": repr(reading), "a fact's repr": repr(reading.facts)}
    for place, text in places.items():
        if any(name in text for name in CANARIES):
            yield f"nobody is named in {place}"


def _told_in(ack: Acknowledgement) -> str:
    """What a reply says in words of ours; the rest of it repeats the sender's own header."""
    return "".join([ack.text, *(f"{one.location}{one.text}{one.remedy}{one.condition}{one.application}" for one in ack.errors)])
