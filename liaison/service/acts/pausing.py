"""Stopping and letting go on: one destination, one source, every delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from liaison.hub import switches
from liaison.hub.switches import Turn
from liaison.service.act import Act, Call, WrongUse

if TYPE_CHECKING:
    from liaison.service.running import RunningHub


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A destination or a source; empty: every delivery."""

    name: str = ""
    #: ``source`` or ``destination``; empty when the name alone tells.
    kind: str = ""


class LettersSwitch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether letters leave."""

    stopped: bool


class Turned(msgspec.Struct, frozen=True, kw_only=True):
    """What a switch became."""

    #: ``destination/<name>``, ``source/<name>``, ``deliveries``, ``letters``.
    switch: str
    stopped: bool
    #: False when it was so already.
    changed: bool


async def pause(hub: RunningHub, part: Part, _call: Call) -> Turned:
    """Stop a destination, a source, or every delivery."""
    return await turn(hub, _switch(hub, part), stopped=True)


async def resume(hub: RunningHub, part: Part, _call: Call) -> Turned:
    """Let it go on."""
    return await turn(hub, _switch(hub, part), stopped=False)


async def letters(hub: RunningHub, asked: LettersSwitch, _call: Call) -> Turned:
    """Stop all letters, or let them leave again. A claim asks the journal: once this returns, none begins to leave."""
    return await turn(hub, switches.LETTERS, stopped=asked.stopped)


async def turn(hub: RunningHub, name: str, *, stopped: bool) -> Turned:
    """Turn a switch in the journal, then tell who works by it."""
    changed = await hub.journal.writer.commit(Turn(name=name, stopped=stopped))
    hub.switches.turned(name, stopped=stopped)
    return Turned(switch=name, stopped=stopped, changed=changed)


def _switch(hub: RunningHub, part: Part) -> str:
    if not part.name:
        return switches.DELIVERIES
    configuration = hub.configuration
    found = {
        kind: of(part.name)
        for kind, of, declared in (
            ("destination", switches.of_destination, configuration.destinations),
            ("source", switches.of_source, configuration.sources),
        )
        if part.name in declared and part.kind in ("", kind)
    }
    if not found:
        known = ", ".join((*configuration.destinations, *configuration.sources))
        raise WrongUse(f"ni destination ni source de ce nom. Déclarées : {known or 'aucune'}.")
    if len(found) > 1:
        raise WrongUse("une source et une destination portent ce nom : ajouter --source ou --destination.")
    (name,) = found.values()
    return name


ACTS = (
    Act(name="pause", arguments=Part, run=pause, target="name"),
    Act(name="resume", arguments=Part, run=resume, target="name"),
    Act(name="letters", arguments=LettersSwitch, run=letters),
)
