"""From the bytes of a file to readings: HL7 (one message, a batch, MLLP frames), or whatever else a file may be.

The same readings as the hub's own; only the source that speaks has to be found. Whatever the bytes are, at least one comes out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final, TypeAlias

from msgspec.structs import replace

from liaison.care.identifiers import finess
from liaison.cda.header import read_header
from liaison.cda.xml import CdaError
from liaison.finding import Finding
from liaison.hl7.batch import split_batch
from liaison.hl7.datatypes import read_hd
from liaison.hl7.errors import Hl7Error
from liaison.hl7.message import Message
from liaison.hub.contracts import MessageIds, Reading, Sender, Verdict
from liaison.hub.file_findings import MAX_FILE, NO_MESSAGE, TOO_LARGE
from liaison.hub.reading import read_hl7, unreadable
from liaison.hub.reading_file import FileKind, contents_of, kind_of, read_file
from liaison.mappings.interpretation import SourceProfile

#: Given the FINESS that a file speaks of (empty when it says none), the source that it is read as coming from.
ChooseProfile: TypeAlias = Callable[[str], SourceProfile]

#: How many messages are searched for the establishment that speaks.
_LOOKED_AT: Final = 20
_UNKNOWN: Final = SourceProfile(source="", finess="")


def readings_of(raw: bytes, choose: ChooseProfile, *, now: datetime) -> Iterator[Reading]:
    """The readings of a file, in its order: one, or one a message of a batch. Never raises for what the file holds."""
    if len(raw) > MAX_FILE:
        yield unread(choose(""), TOO_LARGE)
    elif kind_of(raw) is FileKind.HL7:
        yield from _messages(raw, choose, now)
    else:
        profile = choose(_custodian(raw))
        yield read_file(raw, Sender(source=profile.source, file=True), profile, now=now)


def unread(profile: SourceProfile, fault: Finding) -> Reading:
    """The reading of what the hub would not take at all, and why."""
    return _without_reply("", b"", profile, (fault,), Verdict.REFUSED)


def _messages(raw: bytes, choose: ChooseProfile, now: datetime) -> Iterator[Reading]:
    batch = split_batch(raw)
    profile = choose(next((code for code in map(speaking_finess, batch.messages[:_LOOKED_AT]) if code), ""))
    sender = Sender(source=profile.source, file=True)
    if not batch.messages:
        reading = unread(profile, NO_MESSAGE)
        if raw.startswith(b"\x0b"):
            # A frame without an end: the hub never takes it nor answers, but its sender wants to know what is in it.
            reading = read_hl7(raw.lstrip(b"\x0b"), sender, profile, now=now, reply_id="LIA0")
            told = (*batch.findings, *reading.findings)
            reading = _without_reply(reading.ids.kind, raw, profile, told, Verdict.QUARANTINED)
        yield reading
        return
    last = len(batch.messages)
    for number, message in enumerate(batch.messages, 1):
        reply_id = f"LIA{now:%Y%m%d%H%M%S}{number % 1_000_000:06d}"
        if batch.cut is not None and number == last:
            yield unreadable(message, sender, profile, batch.cut, now, reply_id)
            return
        reading = read_hl7(message, sender, profile, now=now, reply_id=reply_id)
        # What is wrong with the batch is told once, with its first message.
        told = batch.findings if number == 1 else ()
        yield replace(reading, findings=(*told, *reading.findings)) if told else reading


def speaking_finess(raw: bytes) -> str:
    """The FINESS of the establishment that a message speaks for: where the patient lies, else whose numbers it writes."""
    try:
        message = Message.parse(raw)
    except Hl7Error:
        return ""
    places = ((name, field, component) for name, field, component in (("PV1", 3, 4), ("PID", 18, 4), ("PID", 3, 4), ("PV1", 19, 4)))
    for name, field, component in places:
        segment = message.first(name)
        for repetition in segment.repetitions(field) if segment is not None else ():
            authority = read_hd(repetition, component)
            code = finess(authority.universal_id) if authority.type in ("M", "N", "") else None
            if code:
                return code
    return finess(message.header.value(4)) or finess(message.header.value(4, 2)) or ""


def _custodian(raw: bytes) -> str:
    """The FINESS of the structure that keeps a file's documents."""
    for content in contents_of(raw, _UNKNOWN).documents:
        try:
            custodian = read_header(content).custodian
        except CdaError:
            continue
        code = next((id.finess for id in custodian.ids if id.finess), "") if custodian is not None else ""
        if code:
            return code
    return ""


def _without_reply(kind: str, raw: bytes, profile: SourceProfile, findings: tuple[Finding, ...], verdict: Verdict) -> Reading:
    """A reading of what nobody would be answered for."""
    return Reading(
        raw=raw,
        sender=Sender(source=profile.source),
        ids=MessageIds(kind=kind, control_id="", content=hashlib.sha256(raw).digest()),
        facts=(),
        findings=findings,
        verdict=verdict,
        reply_as=lambda _verdict, _findings: b"",
        establishment=profile.finess or profile.source,
    )
