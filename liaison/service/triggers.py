"""The reference page of trigger events: ``python -m liaison.service.triggers > docs/reference/triggers.md``.

It is the table of the format (what PAM.fr says) beside that of the fold (what a movement does to a stay).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

from liaison.care.effects import CANCELS, INSERTS
from liaison.hl7.triggers import TRIGGERS, Deed, Handling, Transaction, Trigger

_INTRODUCTION: Final = """\
# Trigger events

Made by `python -m liaison.service.triggers`; a test compares. Every event of PAM.fr 2.11.2, ITI-30 and ITI-31, those that older versions had
included. Liaison goes by MSH-9.1 and MSH-9.2; a wrong MSH-9.3 is only said. An event that is in no table is acknowledged `AA` and kept,
without effect: PAM.fr asks for that (§5.3.2, remark 1).

In France an event is **R**equired, **O**ptional, **T**olerated, e**X**cluded, or **W**ithdrawn since version 2.7.
"""
_HEAD: Final = (
    "| Event | MSH-9.3 | Meaning | In France | It | Cancelled by | What is told | With Liaison |\n|---|---|---|---|---|---|---|---|"
)
_TRANSACTIONS: Final[Mapping[Transaction, str]] = {
    Transaction.IDENTITY: "Identities (ITI-30)",
    Transaction.MOVEMENT: "Movements (ITI-31)",
}
_DEEDS: Final[Mapping[Deed, str]] = {Deed.INSERT: "inserts", Deed.UPDATE: "corrects", Deed.CANCEL: "cancels"}
_HANDLINGS: Final[Mapping[Handling, str]] = {
    Handling.UNDERSTOOD: "understood",
    Handling.TOLERATED: "understood, and said to be out of place",
    Handling.IGNORED: "kept, without effect yet",
}
#: What an identity event tells when it changes something.
_OF_IDENTITY: Final[Mapping[str, str]] = {
    "A28": "identity.created",
    "A31": "identity.updated",
    "A08": "identity.updated",
    "A40": "identity.merged",
    "A47": "identity.identifier-changed",
    "A24": "identity.linked",
    "A37": "identity.unlinked",
}


def told_by(trigger: Trigger) -> str:
    """The type of the event that a trigger makes where it changes something; empty when nobody is told."""
    if trigger.handling is Handling.IGNORED:
        return ""
    if trigger.transaction is Transaction.IDENTITY:
        return _OF_IDENTITY[trigger.code]
    if trigger.deed is None:  # of who had the episode; of who has it, all that happened in it
        return "stay.cancelled"
    if trigger.deed is Deed.INSERT:
        return INSERTS[trigger.code].tells
    if trigger.deed is Deed.CANCEL:
        effect = CANCELS[trigger.code]
        return "" if not effect.tells else "stay.cancelled" if effect.begins else "stay.updated"
    return "stay.updated"


def reference_page() -> str:
    """The page, as Markdown."""
    cancelled_by: dict[str, list[str]] = {}
    for trigger in TRIGGERS.values():
        for code in trigger.cancels:
            cancelled_by.setdefault(code, []).append(trigger.code)
    lines = [_INTRODUCTION]
    for transaction, title in _TRANSACTIONS.items():
        lines += [f"## {title}\n", _HEAD]
        lines += [
            _row(trigger, cancelled_by.get(trigger.code, [])) for trigger in TRIGGERS.values() if trigger.transaction is transaction
        ]
        lines.append("")
    return "\n".join(lines)


def _row(trigger: Trigger, cancelled_by: list[str]) -> str:
    told = told_by(trigger)
    cells = (
        f"`{trigger.code}`",
        f"`{trigger.structure}`",
        trigger.meaning,
        trigger.usage,
        _DEEDS[trigger.deed] if trigger.deed is not None else "",
        ", ".join(f"`{code}`" for code in cancelled_by),
        f"`{told}`" if told else "nothing",
        _HANDLINGS[trigger.handling],
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(reference_page())
