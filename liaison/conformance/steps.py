"""What one message says of the order of things: who, which stay, which movement, when. Identifiers are keyed digests, never values."""

from __future__ import annotations

import functools
import hashlib
from datetime import tzinfo

from liaison.hl7.datatypes import Cx, Hd, read_cx, read_ei, read_ts
from liaison.hl7.identity import read_identifiers
from liaison.hl7.message import Message, Segment
from liaison.hl7.triggers import TRIGGERS, Deed, Transaction
from liaison.mappings.authorities import canonical_authority
from liaison.mappings.interpretation import SourceProfile
from liaison.mappings.pam_identity import NOT_PATIENT_TYPES
from liaison.private import Private

_DEEDS = {deed.value: deed.value for deed in Deed}


class Step(Private, frozen=True, array_like=True):
    """One message in the course of a feed. Times are POSIX seconds, 0 where the message tells none; digests are 0 where it names nothing."""

    #: MSH-7, else EVN-2: when it was sent, which is how the hub meets it.
    at: float
    file: int
    position: int
    control_id: str
    #: MSH-3, MSH-4 and MSH-10 together; MSH-3 and MSH-4 alone; all bytes but MSH-7.
    number: int
    sender: int
    content: int
    event: str
    #: Whether the event is of ITI-31, and what it does: ZBE-4 where it may say so, else the event's own deed.
    moves: bool
    deed: str
    #: ZBE-6.
    original: str
    historic: bool
    patients: tuple[int, ...]
    #: MRG-1.
    absorbed: tuple[int, ...]
    visit: int
    movements: tuple[int, ...]
    #: ZBE-2, PV1-44.
    moved_at: float
    admitted_at: float


class StepReader:
    """Makes steps under one key, which is the run's own: digests mean nothing outside it."""

    def __init__(self, key: bytes, profile: SourceProfile, zone: tzinfo) -> None:
        self._key = key
        self._profile = profile
        self._zone = zone
        self._digest = functools.lru_cache(maxsize=65_536)(self._digest_of)

    def read(self, message: Message, *, content: bytes, kind: str, event: str, file: int, position: int, control_id: str) -> Step:
        """The step of a message; never fails. ``content`` is its bytes but for MSH-7."""
        msh, evn, pid, pv1, zbe = (message.first(name) for name in ("MSH", "EVN", "PID", "PV1", "ZBE"))
        trigger = TRIGGERS.get(event) if kind == "ADT" else None
        sender = f"{msh.raw_field(3)}|{msh.raw_field(4)}" if msh is not None else "|"
        said = _DEEDS.get(zbe.value(4).strip().upper(), "") if zbe is not None else ""
        return Step(
            at=self._time(msh, 7) or self._time(evn, 2),
            file=file,
            position=position,
            control_id=control_id,
            number=self._digest_of(f"C{sender}|{control_id}") if control_id else 0,
            sender=self._digest(f"S{sender}"),
            content=int.from_bytes(hashlib.blake2b(content, digest_size=8, key=self._key).digest(), "big"),
            event=event,
            moves=trigger is not None and trigger.transaction is Transaction.MOVEMENT,
            deed=said or (trigger.deed.value if trigger is not None and trigger.deed is not None else ""),
            original=zbe.value(6).strip().upper() if zbe is not None else "",
            historic=zbe is not None and zbe.value(5).strip().upper() == "Y",
            patients=self._patients(pid, 3),
            absorbed=self._patients(message.first("MRG"), 1) if event in ("A40", "A47") else (),
            visit=self._visit(pid, pv1),
            movements=self._movements(zbe),
            moved_at=self._time(zbe, 2),
            admitted_at=self._time(pv1, 44),
        )

    def _digest_of(self, text: str) -> int:
        return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=self._key).digest(), "big")

    def _identifier(self, kind: str, cx: Cx) -> int:
        return self._digest(f"{kind}{self._authority(cx.authority)}|{cx.value}")

    def _authority(self, hd: Hd) -> str:
        return canonical_authority(hd, self._profile)

    def _patients(self, segment: Segment | None, field: int) -> tuple[int, ...]:
        if segment is None:
            return ()
        known = (cx for cx in read_identifiers(segment, field) if not cx.deletes and cx.type not in NOT_PATIENT_TYPES)
        return tuple(self._identifier("P", cx) for cx in known)

    def _visit(self, pid: Segment | None, pv1: Segment | None) -> int:
        """PV1-19, else PID-18."""
        for segment, field in ((pv1, 19), (pid, 18)):
            for repetition in segment.repetitions(field) if segment is not None else ():
                cx = read_cx(repetition)
                if cx.value and not cx.deletes:
                    return self._identifier("V", cx)
        return 0

    def _movements(self, zbe: Segment | None) -> tuple[int, ...]:
        if zbe is None:
            return ()
        return tuple(self._identifier("M", cx) for cx in map(read_ei, zbe.repetitions(1)) if cx.value and not cx.deletes)

    def _time(self, segment: Segment | None, field: int) -> float:
        text = segment.value(field) if segment is not None else ""
        at = read_ts(text, self._zone) if text else None
        return at.timestamp() if at is not None else 0.0
