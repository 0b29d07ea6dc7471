"""Reading the audit: what operators asked for, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from liaison.hub.journal.records import from_microseconds, number_id, text_id
from liaison.private import Private
from liaison.service.act import Act, Call, HubId

if TYPE_CHECKING:
    from liaison.service.running import RunningHub


class Page(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which acts: the newest, or those before one."""

    most: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 100
    before: HubId | None = None


class AuditLine(Private, frozen=True, kw_only=True):
    """One act. The reason is in an operator's own words, and may name somebody."""

    id: str
    at: str
    operator: str
    act: str
    target: str
    outcome: str
    reason: str


async def list_acts(hub: RunningHub, page: Page, _call: Call) -> tuple[AuditLine, ...]:
    """Acts, newest first; this one among them."""
    before = None if page.before is None else number_id(page.before)
    return tuple(
        AuditLine(
            id=text_id(one.id),
            at=from_microseconds(one.at).isoformat(),
            operator=one.operator,
            act=one.act,
            target=one.target,
            outcome=one.outcome,
            reason=one.reason,
        )
        for one in hub.journal.reader.audit(before=before, most=page.most)
    )


ACTS = (Act(name="audit.list", arguments=Page, run=list_acts, shows_health_data=True),)
