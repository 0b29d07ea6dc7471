"""Technical acknowledgements: ``MSH MSA {ERR}`` (HL7 v2.5 §2.14; CI-SIS, ACK technique), written for a sender and read from a peer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from liaison.finding import Finding, Severity
from liaison.hl7.charset import CANONICAL, decode, encode_plainly
from liaison.hl7.delimiters import DEFAULT_DELIMITERS, Delimiters, read_delimiters
from liaison.hl7.errors import APPLICATION_ERRORS, CONDITIONS, SEVERITIES, Hl7Error, NotHl7
from liaison.hl7.escapes import escape
from liaison.hl7.message import Message, Segment
from liaison.hl7.timestamp import write_ts
from liaison.private import Private


class AckError(Private, frozen=True, kw_only=True):
    """One ERR segment."""

    #: ERR-2 in the standard's own notation, ``PID^1^3^2^4``: segment, occurrence, field, repetition, component. May be empty.
    location: str = ""
    #: ERR-3: code of table 0357.
    condition: str = "207"
    #: ERR-4, as table 0516.
    severity: Severity = Severity.ERROR
    #: ERR-5: code of table 0533, only with condition 207.
    application: str = ""
    #: ERR-8: French, for the user.
    text: str = ""
    #: ERR-7: French, for the support: what to do about it.
    remedy: str = ""


class Acknowledgement(Private, frozen=True, kw_only=True):
    """What a peer answered."""

    #: MSA-1: AA, AE, AR, CA, CE or CR.
    code: str
    #: MSA-2: MSH-10 of the message that it answers; compare before believing the rest.
    control_id: str
    text: str
    errors: tuple[AckError, ...]


class _Origin(Private, frozen=True, kw_only=True):
    """What a reply takes from the message it answers: raw fields of its MSH, however much of it could be read."""

    delimiters: Delimiters = DEFAULT_DELIMITERS
    codec: str = "utf-8"
    fields: Mapping[int, str] = {}

    def component(self, field: int, component: int) -> str:
        parts = self.fields.get(field, "").split(self.delimiters.component)
        return parts[component - 1] if component <= len(parts) else ""


#: MSH-12 of the reply where the volet fixes it; elsewhere the sender's own is copied (PAM.fr: ``2.5^FRA^2.11``).
_VERSIONS: Mapping[str, str] = {"ORU": "2.5", "MDM": "2.6", "ZAM": "2.6"}
_COPIED = (3, 4, 5, 6, 9, 10, 11, 12)
_LONGEST = 250
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HEADER = re.compile(rb"MSH([^A-Za-z0-9\s\x80-\xff])[^\r\n]*")
_XML_CONTROL_ID = re.compile(rb"<MSH\.10>\s*([^<\s]{1,199})\s*</MSH\.10>")
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+)(?:\[(\d+)\])?(?:\.(\d+)(?:\.(\d+))?)?)?")


def erl(where: str) -> str:
    """A finding's place as an ERL (``PID-3[2].4`` → ``PID^1^3^2^4``); empty when it is no place in a segment."""
    match = _PLACE.fullmatch(where)
    if match is None:
        return ""
    segment, occurrence, field, repetition, component, subcomponent = match.groups()
    parts = [segment, occurrence or "1", field or "", repetition or ("1" if component else ""), component or "", subcomponent or ""]
    return "^".join(parts).rstrip("^")


def error_of(finding: Finding) -> AckError:
    """A finding as the ERR segment that tells the sender of it."""
    return AckError(
        location=erl(finding.where),
        condition=finding.condition or "207",
        severity=finding.severity,
        text=finding.message,
        remedy=finding.remedy,
    )


def build_ack(
    message: Message | None,
    code: str,
    text_fr: str,
    errors: Sequence[AckError],
    *,
    control_id: str,
    now: datetime,
    raw: bytes,
) -> bytes:
    """The reply to ``message``, or to ``raw`` when no message could be read in it; framing excluded.

    ``code`` goes to MSA-1, ``text_fr`` to MSA-3, ``control_id`` is the reply's own. It is written with the sender's delimiters
    and in the character set that the sender declared.
    """
    origin = _recovered(raw) if message is None else _read(message)
    delimiters, fields = origin.delimiters, origin.fields
    trigger = origin.component(9, 2)
    version = _VERSIONS.get(origin.component(9, 1), fields.get(12, ""))
    processing = fields.get(11, "")

    def coded(code: str, label: str, table: str) -> str:
        return delimiters.component.join((code, escape(label, delimiters), table))

    def segment(name: str, values: Mapping[int, str]) -> str:
        return delimiters.field.join([name, *(values.get(number, "") for number in range(1, max(values) + 1))])

    header = {
        1: delimiters.encoding_characters,  # numbered one less than in the standard: MSH-1 is the separator itself
        2: fields.get(5, ""),
        3: fields.get(6, ""),
        4: fields.get(3, ""),
        5: fields.get(4, ""),
        6: write_ts(now),
        8: delimiters.component.join(("ACK", trigger, "ACK")) if trigger else "ACK",
        9: escape(control_id, delimiters),
        10: processing if processing[:1] in ("P", "T", "D") else "P",
        11: version if version[:2] == "2." else "2.5",
        16: "FRA",
        17: CANONICAL[origin.codec],
    }
    lines = [segment("MSH", header), segment("MSA", {1: code, 2: fields.get(10, ""), 3: escape(text_fr, delimiters)})]
    for error in errors:
        values = {
            2: error.location.replace("^", delimiters.component),
            3: coded(error.condition, CONDITIONS.get(error.condition, ""), "HL70357"),
            4: SEVERITIES[error.severity],
            7: escape(error.remedy, delimiters),
            8: escape(error.text, delimiters),
        }
        if error.application:
            values[5] = coded(error.application, APPLICATION_ERRORS.get(error.application, ""), "HL70533")
        lines.append(segment("ERR", values))
    return encode_plainly("".join(line.rstrip(delimiters.field) + "\r" for line in lines), origin.codec)


def read_ack(raw: bytes) -> Acknowledgement:
    """What ``raw``, a peer's reply without framing, says. Raises Hl7Error when it is no acknowledgement."""
    message = Message.parse(raw)
    answer = message.first("MSA")
    if answer is None or not answer.value(1):
        raise Hl7Error(
            rule="hl7.no-msa",
            where="MSA-1",
            message="La réponse du destinataire ne contient pas de MSA-1 : elle n’acquitte rien (HL7 v2.5 §2.15.8).",
            remedy="Vérifier que le port visé est bien celui d’un récepteur HL7.",
            condition="100",
        )
    return Acknowledgement(
        code=answer.value(1).strip().upper(),
        control_id=answer.value(2),
        text=answer.value(3),
        errors=tuple(_read_error(segment) for segment in message.all("ERR")),
    )


def _read_error(segment: Segment) -> AckError:
    severity = {letter: severity for severity, letter in SEVERITIES.items()}.get(segment.value(4), Severity.ERROR)
    if not segment.value(3) and segment.value(1):  # before v2.5: ERR-1, the code's parts as subcomponents (HL7 v2.3.1 §2.24.7)
        location = "^".join(segment.value(1, component) for component in (1, 2, 3)).rstrip("^")
        return AckError(location=location, condition=segment.value(1, 4, 1), text=segment.value(1, 4, 2))
    return AckError(
        location="^".join(segment.value(2, component) for component in range(1, 7)).rstrip("^"),
        condition=segment.value(3),
        severity=severity,
        application=segment.value(5),
        text=segment.value(8) or segment.value(3, 2),
        remedy=segment.value(7),
    )


def _read(message: Message) -> _Origin:
    header, delimiters = message.header, message.delimiters
    if delimiters.encoding_characters.isascii():
        fields = {number: _clean(header.raw_field(number)) for number in _COPIED}
    else:  # MSH-2 left us without a character for something: the reply takes the usual ones, and the first components
        delimiters = DEFAULT_DELIMITERS
        fields = {number: escape(_clean(header.value(number)), delimiters) for number in _COPIED}
        fields[9] = delimiters.component.join(escape(_clean(header.value(9, n)), delimiters) for n in (1, 2))
    return _Origin(delimiters=delimiters, codec=message.charset.reply, fields=fields)


def _recovered(raw: bytes) -> _Origin:
    """What can be saved from bytes that are no message: enough of MSH for the sender to know which message is meant."""
    head = raw[:4_096].replace(b"\0", b"")
    xml = _XML_CONTROL_ID.search(head)
    if xml is not None:
        return _Origin(fields={10: escape(decode(xml.group(1), "cp1252"), DEFAULT_DELIMITERS)})
    found = _HEADER.search(head)
    if found is None:
        return _Origin()
    line = decode(found.group(), "cp1252")
    separator = line[3]
    fields = line.split(separator, 20)
    try:
        delimiters, _ = read_delimiters(separator, fields[1] if len(fields) > 1 else "")
    except NotHl7:
        return _Origin()
    if not delimiters.encoding_characters.isascii():
        return _Origin()
    return _Origin(
        delimiters=delimiters,
        fields={number: _clean(fields[number - 1]) for number in _COPIED if number <= len(fields)},
    )


def _clean(field: str) -> str:
    """A field fit to be copied: no control character, which could end a segment or a frame, and of bounded length."""
    return _CONTROL.sub("", field)[:_LONGEST]
