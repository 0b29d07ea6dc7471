"""What triggers do to a stay: tables, so that one more trigger is one more row."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec


class StayStatus(enum.StrEnum):
    """Where a stay is."""

    UNKNOWN = "unknown"  #: only movements without effect are known
    PREADMITTED = "preadmitted"
    PRESENT = "present"
    DISCHARGED = "discharged"
    CANCELLED = "cancelled"


class Effect(msgspec.Struct, frozen=True):
    """What a movement does to a stay. The few that exist are the constants below: compare them with ``is``."""

    name: str
    #: Orders movements of the same instant.
    rank: int
    #: The status it leads to.
    status: StayStatus
    #: Statuses from which it is kept without changing anything.
    impossible: tuple[StayStatus, ...]
    #: The change that tells it; empty for what is kept in the ledger and is news to nobody outside the ward.
    tells: str

    @property
    def begins(self) -> bool:
        """Whether a stay may consist of it alone: without it, and without another such, there is no stay."""
        return self.expects or self is ADMIT

    @property
    def expects(self) -> bool:
        """Whether the patient is only awaited."""
        return self.status is StayStatus.PREADMITTED


_CLOSED = (StayStatus.DISCHARGED,)
_NOT_AWAITED = (StayStatus.PRESENT, StayStatus.DISCHARGED)

#: Only an admission opens again what a discharge closed; a preadmission never takes a patient out (PAM.fr §5.3.5, §5.4.1).
EXPECT = Effect("expect", 1, StayStatus.PREADMITTED, _NOT_AWAITED, "stay.preadmitted")
AWAIT = Effect("await", 2, StayStatus.PREADMITTED, _NOT_AWAITED, "stay.preadmitted")
ADMIT = Effect("admit", 3, StayStatus.PRESENT, (), "stay.admitted")
RECLASS = Effect("reclass", 4, StayStatus.PRESENT, _CLOSED, "stay.class-changed")
TRANSFER = Effect("transfer", 5, StayStatus.PRESENT, _CLOSED, "stay.transferred")
ENTRUST = Effect("entrust", 6, StayStatus.PRESENT, _CLOSED, "stay.updated")
#: A transfer that is only planned, and an errand to a place where nobody stays: the patient lies where they lay.
INTEND = Effect("intend", 7, StayStatus.PRESENT, _CLOSED, "")
DEPART = Effect("depart", 8, StayStatus.PRESENT, _CLOSED, "")
ARRIVE = Effect("arrive", 9, StayStatus.PRESENT, _CLOSED, "")
#: A planned discharge is a movement of its own, and always comes before the discharge (PAM.fr §5.3.6).
PLAN = Effect("plan", 10, StayStatus.PRESENT, _CLOSED, "stay.discharge-planned")
LEAVE = Effect("leave", 11, StayStatus.PRESENT, _CLOSED, "stay.leave-started")
RETURN = Effect("return", 12, StayStatus.PRESENT, _CLOSED, "stay.leave-ended")
DISCHARGE = Effect("discharge", 13, StayStatus.DISCHARGED, (), "stay.discharged")

#: The trigger that inserts a movement (PAM.fr §2.2, §5.3.2).
INSERTS: Mapping[str, Effect] = {
    "A01": ADMIT,
    "A02": TRANSFER,
    "A03": DISCHARGE,
    "A04": ADMIT,
    "A05": EXPECT,
    "A06": RECLASS,
    "A07": RECLASS,
    "A09": DEPART,
    "A10": ARRIVE,
    "A14": AWAIT,
    "A15": INTEND,
    "A16": PLAN,
    "A21": LEAVE,
    "A22": RETURN,
    "A54": ENTRUST,
    # Withdrawn in version 2.7 for A02 and A15 with ZBE-9 (CP 2013-079).
    "Z80": TRANSFER,
    "Z82": INTEND,
    "Z84": TRANSFER,
    "Z86": INTEND,
    "Z88": TRANSFER,
}

#: The trigger that cancels, and what it cancels; A06 and A07 cancel each other (PAM.fr §5.3.5).
CANCELS: Mapping[str, Effect] = {
    "A06": RECLASS,
    "A07": RECLASS,
    "A11": ADMIT,
    "A12": TRANSFER,
    "A13": DISCHARGE,
    "A25": PLAN,
    "A26": INTEND,
    "A27": AWAIT,
    "A32": ARRIVE,
    "A33": DEPART,
    "A38": EXPECT,
    "A52": LEAVE,
    "A53": RETURN,
    "A55": ENTRUST,
    "Z81": TRANSFER,
    "Z83": INTEND,
    "Z85": TRANSFER,
    "Z87": INTEND,
    "Z89": TRANSFER,
}
