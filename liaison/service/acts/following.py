"""Following patients, as operators ask for it: whole lists line by line, who is in one, and who leaves it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec

from liaison.hub.enrolling import reference
from liaison.hub.journal.records import FollowStatus, from_microseconds
from liaison.private import Private
from liaison.service.act import Act, ActRefused, Call, WrongUse
from liaison.service.follow_lines import FollowLine, LineFault, wanted_of

if TYPE_CHECKING:
    from liaison.service.running import RunningHub

#: Lines of one request, and references of one answer.
LINES_AT_ONCE = 1_000
_PAGE = 5_000
Reference: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class ListLines(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lines of a list. ``dry_run``: say what would change, and change nothing."""

    list: str
    lines: Annotated[tuple[FollowLine, ...], msgspec.Meta(max_length=LINES_AT_ONCE)]
    dry_run: bool = False


class LineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became, or would become, of one line. The reference names the enrolment and tells nothing of the person."""

    reference: str
    #: waiting, active, disputed; for a dry run what it is today, ``new`` when it is not in the list.
    status: str
    changed: bool


class Members(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is in a list, from a reference on."""

    list: str
    after: str = ""


class Leavers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Enrolments to end."""

    list: str
    references: Annotated[tuple[Reference, ...], msgspec.Meta(max_length=LINES_AT_ONCE)]


class Shown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which enrolments to show; empty for every list."""

    list: str = ""
    most: Annotated[int, msgspec.Meta(ge=1, le=2_000)] = 2_000


class Member(Private, frozen=True, kw_only=True):
    """One enrolment with the identifier that it names."""

    list: str
    status: str
    kind: str
    value: str
    establishment: str
    authority: str
    birth_date: str
    by: str
    since: str
    until: str


async def enrol(hub: RunningHub, asked: ListLines, call: Call) -> tuple[LineAnswer, ...]:
    """Enrol the people of some lines."""
    _declared(hub, asked.list)
    try:
        wanted = [wanted_of(line, configuration=hub.configuration, name=asked.list, by=call.operator.name) for line in asked.lines]
    except LineFault as fault:
        raise WrongUse(str(fault)) from fault
    if asked.dry_run:
        standing = hub.follower.reader.blinds(asked.list)
        command = hub.follower.enrolment(wanted)
        blinds = [command.blind_of(one) for one in wanted]
        return tuple(
            LineAnswer(reference=reference(blind), status="known" if blind in standing else "new", changed=blind not in standing)
            for blind in blinds
        )
    answers = await hub.follower.enrol(wanted)
    return tuple(LineAnswer(reference=reference(one.blind), status=str(one.status), changed=one.changed) for one in answers)


async def members(hub: RunningHub, asked: Members, _call: Call) -> tuple[str, ...]:
    """References of a list, a page of them, in their order."""
    _declared(hub, asked.list)
    every = sorted(reference(blind) for blind in hub.follower.reader.blinds(asked.list))
    return tuple(islice((one for one in every if one > asked.after), _PAGE))


async def leave(hub: RunningHub, asked: Leavers, _call: Call) -> int:
    """End enrolments by their references; answers how many ended."""
    return await hub.follower.leave(asked.list, (bytes.fromhex(one) for one in asked.references))


async def remove(hub: RunningHub, asked: ListLines, _call: Call) -> int:
    """End the enrolments that some lines name; answers how many ended."""
    try:
        wanted = tuple(wanted_of(line, configuration=hub.configuration, name=asked.list) for line in asked.lines)
    except LineFault as fault:
        raise WrongUse(str(fault)) from fault
    command = hub.follower.enrolment(wanted)
    return await hub.follower.leave(asked.list, (command.blind_of(one) for one in wanted))


async def show(hub: RunningHub, asked: Shown, _call: Call) -> tuple[Member, ...]:
    """The enrolments of a list, opened."""
    if asked.list:
        _declared(hub, asked.list)
    return tuple(
        Member(
            list=record.list,
            status=str(record.status),
            kind=record.state.kind,
            value=record.state.value,
            establishment=record.state.establishment,
            authority=record.state.authority,
            birth_date=record.state.birth_date,
            by=record.state.by,
            since=from_microseconds(record.since).isoformat(),
            until="" if record.until is None else from_microseconds(record.until).isoformat(),
        )
        for record in islice(hub.follower.reader.enrolments(asked.list), asked.most)
        if record.state is not None and record.status is not FollowStatus.LEFT
    )


def _declared(hub: RunningHub, name: str) -> None:
    if name not in hub.policy.lists:
        raise ActRefused(f"aucune liste de suivi de ce nom. Déclarées : {', '.join(hub.policy.lists)}.")


ACTS = (
    Act(name="follow.enrol", arguments=ListLines, run=enrol),
    Act(name="follow.members", arguments=Members, run=members),
    Act(name="follow.leave", arguments=Leavers, run=leave),
    Act(name="follow.remove", arguments=ListLines, run=remove),
    Act(name="follow.list", arguments=Shown, run=show, shows_health_data=True),
)
