"""What a dropped file becomes: the messages in it, each with its own answer, and the one answer file that goes back beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from liaison.finding import Finding, Severity
from liaison.hl7.batch import batch_of_replies, split_batch
from liaison.hub.contracts import Answer, Verdict
from liaison.hub.file_findings import NO_MESSAGE
from liaison.hub.reading_file import FileKind, kind_of
from liaison.private import Private
from liaison.sidefile.pair import is_pdf
from liaison.sidefile.read import MAX_BYTES, side_kind

#: How much of a file tells whether it waits for another.
SNIFFED = MAX_BYTES
#: Messages that a refusal names one by one.
_NAMED = 20


class Part(Private, frozen=True, kw_only=True):
    """One message of a file."""

    raw: bytes
    #: Why it must be kept and not acted upon.
    fault: Finding | None = None
    #: What is wrong around it.
    noticed: tuple[Finding, ...] = ()


def parts_of(raw: bytes) -> tuple[Part, ...]:
    """The messages of a file in its order: at least one. A file that is no HL7 is one."""
    if kind_of(raw) is not FileKind.HL7:
        return (Part(raw=raw),)
    batch = split_batch(raw)
    if not batch.messages:
        return (Part(raw=raw, fault=batch.findings[0] if batch.findings else NO_MESSAGE),)
    last = len(batch.messages) - 1
    around = tuple(finding for finding in batch.findings if finding.severity is not Severity.FATAL)
    return tuple(
        Part(raw=message, fault=batch.cut if number == last else None, noticed=around if number == 0 else ())
        for number, message in enumerate(batch.messages)
    )


def answer_file(raw: bytes, answers: Sequence[Answer]) -> bytes:
    """The replies: the one of a lone message, a batch of them for a batch."""
    if len(answers) == 1 and not raw[:16].removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"FHS", b"BHS")):
        return answers[0].reply
    return batch_of_replies(raw, [answer.reply for answer in answers])


def refusal(answers: Sequence[Answer]) -> str:
    """Which messages of a file were not understood, in French; empty when all were."""
    kept = [(number, answer) for number, answer in enumerate(answers, 1) if answer.verdict is Verdict.QUARANTINED]
    if not kept:
        return ""
    if len(answers) == 1:
        trace = f" (message {answers[0].message_id})" if answers[0].message_id else ""
        return f"le message n'a pas pu être compris, il est gardé en quarantaine{trace}"
    named = ", ".join(f"le {number}e (message {answer.message_id})" for number, answer in kept[:_NAMED])
    more = f" et {len(kept) - _NAMED} autres" if len(kept) > _NAMED else ""
    return (
        f"{len(kept)} message(s) sur {len(answers)} n'ont pas pu être compris et sont gardés en quarantaine : {named}{more} ; "
        "les autres ont été pris"
    )


def stem(name: str) -> str:
    """What a PDF and its side file have in common: the name without its last extension."""
    return name.rpartition(".")[0] or name


def wait_for(heads: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """Of files given by name and first bytes, those that are half of a pair: name → the other half's name, empty when it is not there."""
    pdfs: dict[str, str] = {}
    sides: dict[str, str] = {}
    for name, head in heads:
        if is_pdf(head):
            pdfs[stem(name)] = name
        elif side_kind(head) is not None:
            sides[stem(name)] = name
    found = {name: sides.get(shared, "") for shared, name in pdfs.items()}
    return found | {name: pdfs.get(shared, "") for shared, name in sides.items()}
