"""Looking at messages one by one, as the hub reads them: findings, profile, marks, and the step of each. Runs in worker processes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from liaison.conformance.export import Piece
from liaison.conformance.marks import Mark, marks_of
from liaison.conformance.steps import Step, StepReader
from liaison.conformance.tally import Example, Seen, Tally, shortened, without_repeats
from liaison.finding import Finding, Severity
from liaison.hl7.errors import Hl7Error
from liaison.hl7.header import ahead_of_time
from liaison.hl7.message import Message, Segment
from liaison.hl7.profile import apply_profile
from liaison.hub.contracts import Verdict
from liaison.hub.reading import interpret_hl7, verdict_of, without_time
from liaison.mappings.interpretation import SourceProfile

FAULT: Final = Finding(
    severity=Severity.FATAL,
    where="MSH",
    rule="export.fault",
    message="La lecture de ce message a échoué chez nous : rien n’en est dit.",
    remedy="Transmettre ce message, rendu anonyme, à l’exploitant de la plateforme.",
)
#: Where a type or an event is none of HL7's own form: whatever was written there is not repeated.
UNNAMED: Final = "?"
_CODE: Final = re.compile(r"[A-Z][A-Z0-9]{2}")


class Lookout:
    """Looks at the messages of one feed."""

    def __init__(self, profile: SourceProfile, *, now: datetime, key: bytes) -> None:
        self._profile = profile
        self._zone = ZoneInfo(profile.time_zone)
        self._now = now
        self._steps = StepReader(key, profile, self._zone)

    def look(self, pieces: Sequence[Piece]) -> tuple[Tally, list[Step]]:
        """The tally of some messages, and the step of each that could be read. Raises nothing for what they hold."""
        tally = Tally()
        steps: list[Step] = []
        for piece in pieces:
            for finding in piece.around:
                tally.note(finding, Example(file=piece.file, position=piece.position, control_id=""))
            try:
                seen, step = self._look_at(piece)
            except Exception:  # noqa: BLE001 - a fault of ours costs one message its place in the report, and says nothing of it
                seen, step = _unseen(piece, FAULT), None
            tally.add(seen)
            if step is not None:
                steps.append(step)
        return tally, steps

    def _look_at(self, piece: Piece) -> tuple[Seen, Step | None]:
        try:
            message = Message.parse(piece.raw, charset=self._profile.charset)
        except Hl7Error as error:
            return _unseen(piece, error.finding), None
        header = message.header
        kind, event = header.value(9).strip().upper(), header.value(9, 2).strip().upper()
        control_id = header.value(10).strip()
        broken = not _is_whole(header)
        interpretation, _ = interpret_hl7(message, self._profile)
        findings = interpretation.findings
        if (ahead := ahead_of_time(message, self._zone, self._now)) is not None:
            findings = (*findings, ahead)
            interpretation = msgspec.structs.replace(interpretation, findings=findings)
        applied = apply_profile(message, kind, event)
        pv1, zbe = message.first("PV1"), message.first("ZBE")
        unit = (zbe.value(7, 10).strip() if zbe is not None else "") or (pv1.value(3).strip() if pv1 is not None else "")
        seen = Seen(
            kind=_kind(kind, event),
            verdict=verdict_of(interpretation) if control_id else Verdict.QUARANTINED,
            findings=(*findings, *without_repeats(findings, applied)),
            applied=applied,
            marks=frozenset(marks_of(message, kind, event)),
            unit=unit,
            sender="" if broken else f"{header.value(3)[:40]}|{header.value(4)[:40]}",
            at=Example(file=piece.file, position=piece.position, control_id="" if broken else shortened(control_id)),
            message=message,
        )
        step = self._steps.read(
            message,
            content=without_time(piece.raw, message),
            kind=kind,
            event=event,
            file=piece.file,
            position=piece.position,
            control_id="" if broken else control_id,
        )
        return seen, step


def _is_whole(header: Segment) -> bool:
    """Whether MSH is MSH to its end: where it is cut, shifted or runs on into other segments, its fields might name the patient."""
    placed = _CODE.fullmatch(header.value(9)) and (header.value(12).startswith("2.") or header.value(11) in ("P", "T", "D"))
    return bool(placed) and header.raw.isprintable()


def _kind(kind: str, event: str) -> str:
    named = [part if _CODE.fullmatch(part) else UNNAMED for part in (kind, event) if part]
    return "^".join(named) or UNNAMED


def _unseen(piece: Piece, finding: Finding) -> Seen:
    return Seen(
        kind=UNNAMED,
        verdict=Verdict.QUARANTINED,
        findings=(finding,),
        applied=(),
        marks=frozenset({Mark.MESSAGE}),
        unit="",
        sender="",
        at=Example(file=piece.file, position=piece.position, control_id=""),
        message=None,
    )
