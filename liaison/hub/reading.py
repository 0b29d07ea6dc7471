"""Reading: from the bytes of one message to all that they say before any state is looked at, reply included. Never raises for content."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from liaison.finding import Finding, Severity
from liaison.hl7.acknowledgement import AckError, build_ack, error_of
from liaison.hl7.datatypes import read_cx
from liaison.hl7.errors import Hl7Error
from liaison.hl7.header import ahead_of_time
from liaison.hl7.message import Message, Segment
from liaison.hprim.recognise import finding_of, recognise
from liaison.hub.contracts import MessageIds, Reading, Sender, Verdict
from liaison.hub.vault.sealing import pack
from liaison.mappings.authorities import canonical_authority
from liaison.mappings.document_to_facts import DMP_NOT_FED, interpret_document_message
from liaison.mappings.interpretation import Interpretation, SourceProfile, Understanding
from liaison.mappings.pam_to_facts import interpret
from liaison.mappings.same_patient import APPLICATION_ERRORS
from liaison.rules.sender import UNKNOWN_ESTABLISHMENT, Said, is_guarded, speaker

#: Message types that carry a document: when one is quarantined its sender must know that the letter stays.
DOCUMENT_KINDS = frozenset({"ORU", "MDM"})
#: Bodies from this size are read and packed off the event loop.
LARGE = 65_536
#: Findings kept of one message, the worst before the others: one mistake repeated in each segment would fill the journal.
MAX_FINDINGS = 500
FINDINGS_CUT = Finding(
    severity=Severity.INFORMATION,
    where="message",
    rule="hub.findings-cut",
    message=f"Le message appelle plus de {MAX_FINDINGS} remarques : seules les plus graves et les premières sont gardées.",
    remedy="Corriger les premières remarques : les autres les répètent presque toujours.",
)
#: A quarantined message is told with its worst findings, not with all of them.
_ERRORS_TOLD = 10
_GRAVE = frozenset({Severity.ERROR, Severity.FATAL})
#: What a sender must read in the reply even when its message is taken: something that it asked for is not done.
_ALWAYS_TOLD = frozenset({DMP_NOT_FED.rule})
#: A type or an event of table 0076 or 0003, a Z one included. Whatever else a sender puts there is its own business, and stays sealed.
_TYPE = re.compile(r"[A-Z][A-Z0-9]{2}")


#: MSA-3.
TEXTS: Mapping[Verdict, str] = {
    Verdict.ACCEPTED: "Message pris en charge.",
    Verdict.ACCEPTED_WITH_FINDINGS: "Message pris en charge, avec des remarques.",
    Verdict.IGNORED: "Message acquitté et conservé ; ce type d'événement n'est pas exploité.",
    Verdict.QUARANTINED: "Message conservé mais non compris : une personne doit le voir.",
    Verdict.REFUSED: "Message refusé pour le moment : à renvoyer plus tard.",
}


def reply_code(kind: str, verdict: Verdict, *, readable: bool) -> str:
    """MSA-1 for a verdict (CI-SIS, ACK technique; the hub's table).

    A quarantined ADT is answered AA: a feed whose queue stops on an error is worse than one message that waits for a person. A
    document, or what cannot be told from one, is answered AE: the sender must know that the letter stays where it is.
    """
    if verdict is Verdict.REFUSED:
        return "AR"
    if verdict is Verdict.QUARANTINED and (not readable or kind in DOCUMENT_KINDS or not kind):
        return "AE"
    return "AA"


def read_hl7(raw: bytes, sender: Sender, profile: SourceProfile, *, now: datetime, reply_id: str) -> Reading:
    """Read one ER7 message of a source; ``reply_id`` is MSH-10 of the reply."""
    try:
        message = Message.parse(raw, charset=profile.charset)
    except Hl7Error as error:
        named = recognise(raw)
        return unreadable(raw, sender, profile, finding_of(named) if named else error.finding, now, reply_id)
    header = message.header
    kind, event = header.value(9).strip().upper()[:20], header.value(9, 2).strip().upper()[:20]
    control_id = header.value(10).strip()
    interpretation, profile = interpret_hl7(message, profile)
    if (ahead := ahead_of_time(message, ZoneInfo(profile.time_zone), now)) is not None:
        interpretation = replace(interpretation, findings=(*interpretation.findings, ahead))
    if profile.structure_share and _is_sampled(control_id, profile.structure_share):
        from liaison.hl7.structure import structure_findings

        interpretation = replace(interpretation, findings=(*interpretation.findings, *structure_findings(message)))
    findings = bounded(interpretation.findings)
    answerable = bool(control_id)
    verdict = verdict_of(interpretation) if answerable else Verdict.QUARANTINED

    def reply_as(decided: Verdict, told: tuple[Finding, ...]) -> bytes:
        code = reply_code(kind, decided, readable=answerable)
        quarantined = decided is Verdict.QUARANTINED
        grave = [one for one in _worst_first(told) if (quarantined and one.severity in _GRAVE) or one.rule in _ALWAYS_TOLD]
        errors = [_error(finding) for finding in grave[:_ERRORS_TOLD]]
        return build_ack(message, code, TEXTS[decided], errors, control_id=reply_id, now=now, raw=raw)

    ids = MessageIds(
        kind="^".join(part for part in (kind, event) if _TYPE.fullmatch(part)),
        control_id=control_id,
        application=f"{header.raw_field(3)}|{header.raw_field(4)}",
        content=hashlib.sha256(without_time(raw, message)).digest(),
        processing=header.value(11).strip().upper()[:1] or "P",
    )
    return Reading(
        raw=raw,
        sender=sender,
        ids=ids,
        facts=interpretation.facts if verdict is not Verdict.QUARANTINED else (),
        findings=findings,
        verdict=verdict,
        reply=reply_as(verdict, findings),
        reply_as=reply_as,
        packed=pack(raw) if len(raw) >= LARGE else None,
        establishment=profile.finess or profile.source,
    )


def _is_sampled(control_id: str, share: float) -> bool:
    """Whether a message is one of a share of all: always the same ones, so that a resend gets the same answer."""
    return zlib.crc32(control_id.encode("utf-8", "surrogatepass")) < share * 2**32


def interpret_hl7(message: Message, profile: SourceProfile) -> tuple[Interpretation, SourceProfile]:
    """What a message asserts, read under the profile of the establishment that is heard in it."""
    heard = _as_heard(message, profile)
    if isinstance(heard, Finding):
        return _unheard(message, heard), profile
    carries = message.header.value(9).strip().upper() in DOCUMENT_KINDS
    try:
        return (interpret_document_message(message, heard) if carries else interpret(message, heard)), heard
    except Hl7Error as error:
        return _unheard(message, error.finding), heard


def _as_heard(message: Message, profile: SourceProfile) -> SourceProfile | Finding:
    """The source as the establishment that speaks in this message, or why it is not heard."""
    if not is_guarded(profile):
        return profile
    pv1 = message.first("PV1")
    said = Said(
        application=_names(message.header, 3, 1),
        facility=_names(message.header, 4, 1),
        place=_names(pv1, 3, 4) if pv1 is not None else (),
    )
    heard = speaker(said, profile)
    if isinstance(heard, Finding) and heard.rule == UNKNOWN_ESTABLISHMENT.rule:
        # Only where nothing else tells: whose numbers PID writes.
        heard = speaker(replace(said, authorities=_authorities(message, profile)), profile)
    if isinstance(heard, Finding):
        return heard
    return profile if heard == profile.finess else replace(profile, finess=heard)


def _authorities(message: Message, profile: SourceProfile) -> tuple[str, ...]:
    pid = message.first("PID")
    if pid is None:
        return ()
    numbers = (read_cx(repetition) for field in (3, 18) for repetition in pid.repetitions(field))
    return tuple(canonical_authority(number.authority, profile) for number in numbers)


def _names(segment: Segment, field: int, component: int) -> tuple[str, ...]:
    """The name and the universal id of an HD: MSH-3 and MSH-4 are one, PV1-3.4 holds one in a component."""
    if component == 1:
        names = (segment.value(field), segment.value(field, 2))
    else:
        names = (segment.value(field, component), segment.value(field, component, 2))
    return tuple(name for name in map(str.strip, names) if name)


def _unheard(message: Message, finding: Finding) -> Interpretation:
    """Of a message that says nothing that may be acted upon."""
    return Interpretation(understanding=Understanding.NOT_UNDERSTOOD, findings=(*message.findings, finding))


def without_time(raw: bytes, message: Message) -> bytes:
    """The bytes but for MSH-7, which a sender may fill anew when it sends again."""
    separator = message.delimiters.field.encode(message.charset.name, errors="replace")
    start = raw.find(b"MSH")
    at = start
    for _ in range(6):
        at = raw.find(separator, at + 1)
        if at < 0:
            return raw
    end = raw.find(separator, at + 1)
    return raw if end < 0 else raw[: at + 1] + raw[end:]


def verdict_of(interpretation: Interpretation) -> Verdict:
    """The verdict of an interpretation before any state is looked at."""
    match interpretation.understanding:
        case Understanding.NOT_UNDERSTOOD:
            return Verdict.QUARANTINED
        case Understanding.IGNORED:
            return Verdict.IGNORED
        case Understanding.UNDERSTOOD:
            remarks = any(finding.severity is not Severity.INFORMATION for finding in interpretation.findings)
            return Verdict.ACCEPTED_WITH_FINDINGS if remarks else Verdict.ACCEPTED


def bounded(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings in their order, or those of them that are kept where they are too many."""
    if len(findings) <= MAX_FINDINGS:
        return findings
    order = tuple(Severity)
    worst = sorted(
        range(len(findings)),
        key=lambda number: (findings[number].rule not in _ALWAYS_TOLD, -order.index(findings[number].severity)),
    )
    return (*(findings[number] for number in sorted(worst[:MAX_FINDINGS])), FINDINGS_CUT)


def _error(finding: Finding) -> AckError:
    """The ERR of a finding, with the application code (ERR-5) where the volet has one for it."""
    error = error_of(finding)
    code = APPLICATION_ERRORS.get(finding.rule)
    return error if code is None else replace(error, condition="207", application=code)


def _worst_first(findings: tuple[Finding, ...]) -> list[Finding]:
    order = tuple(Severity)
    return sorted(findings, key=lambda finding: -order.index(finding.severity))


def unreadable(raw: bytes, sender: Sender, profile: SourceProfile, finding: Finding, now: datetime, reply_id: str) -> Reading:
    """The reading of bytes in which no message could be read: kept whole, told why."""

    def reply_as(decided: Verdict, told: tuple[Finding, ...]) -> bytes:
        code = reply_code("", decided, readable=False)
        return build_ack(None, code, TEXTS[decided], [error_of(f) for f in told], control_id=reply_id, now=now, raw=raw)

    return Reading(
        raw=raw,
        sender=sender,
        ids=MessageIds(kind="", control_id="", content=hashlib.sha256(raw).digest()),
        facts=(),
        findings=(finding,),
        verdict=Verdict.QUARANTINED,
        reply=reply_as(Verdict.QUARANTINED, (finding,)),
        reply_as=reply_as,
        packed=pack(raw) if len(raw) >= LARGE else None,
        establishment=profile.finess or profile.source,
    )
