"""The trigger events of PAM.fr as a table: what each means, does, and what this hub makes of it.

Source: PAM.fr v2.11.2 §2, §2.2, §4.4, §5.3.2; structure identifiers as in the public list of Gazelle profiles.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

import msgspec


class Transaction(enum.StrEnum):
    """The IHE transaction that a trigger belongs to."""

    IDENTITY = "ITI-30"
    MOVEMENT = "ITI-31"


class Usage(enum.StrEnum):
    """What France says of a trigger."""

    REQUIRED = "R"
    OPTIONAL = "O"
    TOLERATED = "T"
    EXCLUDED = "X"
    WITHDRAWN = "W"


class Deed(enum.StrEnum):
    """What a trigger does to a movement, as ZBE-4 says it."""

    INSERT = "INSERT"
    UPDATE = "UPDATE"
    CANCEL = "CANCEL"


class Handling(enum.StrEnum):
    """What this version of the hub does with a trigger."""

    UNDERSTOOD = "understood"
    #: Excluded or withdrawn by France, understood all the same, with a finding.
    TOLERATED = "tolerated"
    #: Acknowledged and recorded, no fact.
    IGNORED = "ignored"


class Trigger(msgspec.Struct, frozen=True):
    """One row of the table."""

    code: str
    #: MSH-9.3.
    structure: str
    transaction: Transaction
    usage: Usage
    #: What it does to a movement; None for an identity event.
    deed: Deed | None
    #: In French, for findings and for ``explain``.
    meaning: str
    #: The event or events that it cancels; several when only PV1-2 or ZBE-6 tells.
    cancels: tuple[str, ...] = ()
    handling: Handling = Handling.IGNORED


_I, _M = Transaction.IDENTITY, Transaction.MOVEMENT
_R, _O, _T, _X, _W = Usage.REQUIRED, Usage.OPTIONAL, Usage.TOLERATED, Usage.EXCLUDED, Usage.WITHDRAWN
_INSERT, _UPDATE, _CANCEL = Deed.INSERT, Deed.UPDATE, Deed.CANCEL
_YES, _ALL_THE_SAME = Handling.UNDERSTOOD, Handling.TOLERATED

_TABLE = (
    # ITI-30, identities (PAM.fr §2.1, §4.4)
    Trigger("A28", "ADT_A05", _I, _R, None, "création d’un patient", (), _YES),
    Trigger("A31", "ADT_A05", _I, _R, None, "mise à jour d’une identité", (), _YES),
    Trigger("A40", "ADT_A39", _I, _R, None, "fusion de deux patients", (), _YES),
    Trigger("A47", "ADT_A30", _I, _R, None, "changement ou suppression d’un identifiant", (), _YES),
    Trigger("A24", "ADT_A24", _I, _O, None, "lien entre deux dossiers patients", (), _YES),
    Trigger("A37", "ADT_A37", _I, _O, None, "suppression d’un lien entre deux dossiers patients", (), _YES),
    Trigger("A08", "ADT_A01", _I, _X, None, "mise à jour démographique (exclue en France)", (), _ALL_THE_SAME),
    # ITI-31, movements (PAM.fr §2.2, §5.3.2)
    Trigger("A01", "ADT_A01", _M, _R, _INSERT, "admission d’un patient hospitalisé", (), _YES),
    Trigger("A04", "ADT_A01", _M, _R, _INSERT, "inscription d’un patient externe ou aux urgences", (), _YES),
    Trigger("A11", "ADT_A09", _M, _R, _CANCEL, "annulation d’une admission ou d’une inscription", ("A01", "A04"), _YES),
    Trigger("A05", "ADT_A05", _M, _R, _INSERT, "préadmission", (), _YES),
    Trigger("A38", "ADT_A38", _M, _R, _CANCEL, "annulation d’une préadmission", ("A05",), _YES),
    Trigger("A03", "ADT_A03", _M, _R, _INSERT, "sortie définitive", (), _YES),
    Trigger("A13", "ADT_A01", _M, _R, _CANCEL, "annulation d’une sortie définitive", ("A03",), _YES),
    # Each inserts its own change of class and cancels the other's: only ZBE-4 tells (PAM.fr §5.3.5).
    Trigger("A06", "ADT_A06", _M, _R, _INSERT, "passage d’externe ou des urgences en hospitalisation", ("A07",), _YES),
    Trigger("A07", "ADT_A06", _M, _R, _INSERT, "passage d’hospitalisation ou des urgences en externe", ("A06",), _YES),
    Trigger("A02", "ADT_A02", _M, _R, _INSERT, "mutation", (), _YES),
    Trigger("A12", "ADT_A12", _M, _R, _CANCEL, "annulation d’une mutation", ("A02",), _YES),
    Trigger("Z99", "ADT_A01", _M, _R, _UPDATE, "correction d’un mouvement", (), _YES),
    Trigger("A54", "ADT_A54", _M, _R, _INSERT, "changement de médecin responsable", (), _YES),
    Trigger("A55", "ADT_A52", _M, _R, _CANCEL, "annulation d’un changement de médecin responsable", ("A54",), _YES),
    Trigger("A21", "ADT_A21", _M, _R, _INSERT, "absence provisoire", (), _YES),
    Trigger("A52", "ADT_A52", _M, _R, _CANCEL, "annulation d’une absence provisoire", ("A21",), _YES),
    Trigger("A22", "ADT_A21", _M, _R, _INSERT, "retour d’absence provisoire", (), _YES),
    Trigger("A53", "ADT_A52", _M, _R, _CANCEL, "annulation d’un retour d’absence provisoire", ("A22",), _YES),
    Trigger("A44", "ADT_A43", _M, _R, None, "réattribution d’un dossier administratif à un autre patient", (), _YES),
    Trigger("A14", "ADT_A05", _M, _O, _INSERT, "admission en attente", (), _YES),
    Trigger("A27", "ADT_A21", _M, _O, _CANCEL, "annulation d’une admission en attente", ("A14",), _YES),
    Trigger("A15", "ADT_A15", _M, _O, _INSERT, "mutation en attente", (), _YES),
    Trigger("A26", "ADT_A21", _M, _O, _CANCEL, "annulation d’une mutation en attente", ("A15",), _YES),
    Trigger("A16", "ADT_A16", _M, _O, _INSERT, "sortie en attente", (), _YES),
    Trigger("A25", "ADT_A21", _M, _O, _CANCEL, "annulation d’une sortie en attente", ("A16",), _YES),
    Trigger("A09", "ADT_A09", _M, _O, _INSERT, "départ vers un emplacement temporaire", (), _YES),
    Trigger("A33", "ADT_A21", _M, _O, _CANCEL, "annulation d’un départ vers un emplacement temporaire", ("A09",), _YES),
    Trigger("A10", "ADT_A09", _M, _O, _INSERT, "arrivée dans un emplacement temporaire", (), _YES),
    Trigger("A32", "ADT_A21", _M, _O, _CANCEL, "annulation d’une arrivée dans un emplacement temporaire", ("A10",), _YES),
    Trigger("A49", "ADT_A30", _M, _T, None, "renumérotation d’un dossier administratif"),
    # Withdrawn in version 2.7 for A02/A12 with ZBE-9 and A15/A26; old feeds still emit them.
    Trigger("Z80", "ADT_A01", _M, _W, _INSERT, "changement d’unité médicale (retiré)", (), _ALL_THE_SAME),
    Trigger("Z81", "ADT_A01", _M, _W, _CANCEL, "annulation d’un changement d’unité médicale (retiré)", ("Z80",), _ALL_THE_SAME),
    Trigger("Z82", "ADT_A01", _M, _W, _INSERT, "changement d’unité médicale en attente (retiré)", (), _ALL_THE_SAME),
    Trigger(
        "Z83",
        "ADT_A01",
        _M,
        _W,
        _CANCEL,
        "annulation d’un changement d’unité médicale en attente (retiré)",
        ("Z82",),
        _ALL_THE_SAME,
    ),
    Trigger("Z84", "ADT_A01", _M, _W, _INSERT, "changement d’unité de soins (retiré)", (), _ALL_THE_SAME),
    Trigger("Z85", "ADT_A01", _M, _W, _CANCEL, "annulation d’un changement d’unité de soins (retiré)", ("Z84",), _ALL_THE_SAME),
    Trigger("Z86", "ADT_A01", _M, _W, _INSERT, "changement d’unité de soins en attente (retiré)", (), _ALL_THE_SAME),
    Trigger(
        "Z87",
        "ADT_A01",
        _M,
        _W,
        _CANCEL,
        "annulation d’un changement d’unité de soins en attente (retiré)",
        ("Z86",),
        _ALL_THE_SAME,
    ),
    Trigger("Z88", "ADT_A01", _M, _W, _INSERT, "changement de prise en charge (retiré)", (), _ALL_THE_SAME),
    Trigger("Z89", "ADT_A01", _M, _W, _CANCEL, "annulation d’un changement de prise en charge (retiré)", ("Z88",), _ALL_THE_SAME),
)

TRIGGERS: Mapping[str, Trigger] = MappingProxyType({trigger.code: trigger for trigger in _TABLE})


def original_of(trigger: Trigger, patient_class: str) -> str:
    """The event that a cancel annuls when no ZBE-6 says it; A11 is told apart by PV1-2 (PAM.fr §5.3.2)."""
    if trigger.cancels == ("A01", "A04"):
        return "A04" if patient_class in ("O", "E") else "A01"
    return trigger.cancels[0] if trigger.cancels else ""
