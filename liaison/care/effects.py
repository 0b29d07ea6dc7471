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
    #: The change that tells it.
    tells: str


#: Only an admission opens again what a discharge closed; a preadmission never takes a patient out (PAM.fr §5.3.5, §5.4.1).
EXPECT = Effect("expect", 1, StayStatus.PREADMITTED, (StayStatus.PRESENT, StayStatus.DISCHARGED), "stay.preadmitted")
ADMIT = Effect("admit", 2, StayStatus.PRESENT, (), "stay.admitted")
RECLASS = Effect("reclass", 3, StayStatus.PRESENT, (StayStatus.DISCHARGED,), "stay.class-changed")
TRANSFER = Effect("transfer", 4, StayStatus.PRESENT, (StayStatus.DISCHARGED,), "stay.transferred")
DISCHARGE = Effect("discharge", 5, StayStatus.DISCHARGED, (), "stay.discharged")

#: The trigger that inserts a movement (PAM.fr §2.2, §5.3.2).
INSERTS: Mapping[str, Effect] = {
    "A01": ADMIT,
    "A02": TRANSFER,
    "A03": DISCHARGE,
    "A04": ADMIT,
    "A05": EXPECT,
    "A06": RECLASS,
    "A07": RECLASS,
}

#: The trigger that cancels, and what it cancels; A06 and A07 cancel each other (PAM.fr §5.3.5).
CANCELS: Mapping[str, Effect] = {
    "A06": RECLASS,
    "A07": RECLASS,
    "A11": ADMIT,
    "A12": TRANSFER,
    "A13": DISCHARGE,
    "A38": EXPECT,
}
