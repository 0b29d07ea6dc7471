"""What one message is and says, as far as the silences of a whole feed are told from it."""

from __future__ import annotations

import enum

from liaison.hl7.datatypes import read_cx
from liaison.hl7.message import Message
from liaison.hl7.professionals import TREATING_PHYSICIAN
from liaison.hl7.triggers import TRIGGERS, Deed, Transaction


class Mark(enum.Enum):
    """One thing that a message is, or that it says."""

    MESSAGE = enum.auto()
    #: It has a PID.
    IDENTITY = enum.auto()
    #: A28, A31 or A47.
    IDENTITY_EVENT = enum.auto()
    MERGE = enum.auto()
    #: An ADT of ITI-31.
    MOVEMENT = enum.auto()
    ADMISSION = enum.auto()
    DISCHARGE = enum.auto()
    EXPECTED_DISCHARGE = enum.auto()
    CORRECTION = enum.auto()
    CANCEL = enum.auto()
    #: An ORU or an MDM.
    LETTER = enum.auto()
    TREATING_PHYSICIAN = enum.auto()
    IDENTITY_STATUS = enum.auto()
    INS = enum.auto()
    QUALIFIED = enum.auto()
    MOVEMENT_SEGMENT = enum.auto()
    MEDICAL_UNIT = enum.auto()
    ESTABLISHMENT = enum.auto()
    ADMITTED_AT = enum.auto()
    DISCHARGED_AT = enum.auto()
    EXIT_MODE = enum.auto()
    DESTINATION = enum.auto()


_EVENTS = {
    "A28": Mark.IDENTITY_EVENT,
    "A31": Mark.IDENTITY_EVENT,
    "A47": Mark.IDENTITY_EVENT,
    "A40": Mark.MERGE,
    "A01": Mark.ADMISSION,
    "A04": Mark.ADMISSION,
    "A03": Mark.DISCHARGE,
    "A16": Mark.EXPECTED_DISCHARGE,
    "Z99": Mark.CORRECTION,
}


def marks_of(message: Message, kind: str, event: str) -> set[Mark]:
    """The marks of a message whose MSH-9.1 and MSH-9.2 are given in upper case."""
    marks = {Mark.MESSAGE}
    if kind == "ADT":
        trigger = TRIGGERS.get(event)
        if event in _EVENTS:
            marks.add(_EVENTS[event])
        if trigger is not None and trigger.transaction is Transaction.MOVEMENT:
            marks.add(Mark.MOVEMENT)
            if trigger.deed is Deed.CANCEL:
                marks.add(Mark.CANCEL)
    elif kind in ("ORU", "MDM"):
        marks.add(Mark.LETTER)
    _of_patient(message, marks)
    _of_visit(message, marks)
    return marks


def _of_patient(message: Message, marks: set[Mark]) -> None:
    pid = message.first("PID")
    if pid is None:
        return
    marks.add(Mark.IDENTITY)
    statuses = [one.component(1).strip().upper() for one in pid.repetitions(32)]
    if any(statuses):
        marks.add(Mark.IDENTITY_STATUS)
    if any(cx.type == "INS" and cx.value and not cx.deletes for cx in map(read_cx, pid.repetitions(3))):
        marks.add(Mark.INS)
        if "VALI" in statuses:
            marks.add(Mark.QUALIFIED)
    if any(rol.value(3).strip().upper() == TREATING_PHYSICIAN for rol in message.all("ROL")):
        marks.add(Mark.TREATING_PHYSICIAN)


def _of_visit(message: Message, marks: set[Mark]) -> None:
    pv1, zbe, zfm = message.first("PV1"), message.first("ZBE"), message.first("ZFM")
    if pv1 is not None:
        said = {
            Mark.ESTABLISHMENT: pv1.value(3, 4) or pv1.value(3, 4, 2),
            Mark.ADMITTED_AT: pv1.value(44),
            Mark.DISCHARGED_AT: pv1.value(45),
        }
        marks.update(mark for mark, value in said.items() if value)
    if zbe is not None:
        marks.add(Mark.MOVEMENT_SEGMENT)
        if zbe.value(7, 10):
            marks.add(Mark.MEDICAL_UNIT)
    if zfm is not None:
        marks.update(mark for mark, field in ((Mark.EXIT_MODE, 2), (Mark.DESTINATION, 4)) if zfm.value(field))
