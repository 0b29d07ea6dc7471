"""Deciding on messages in quarantine: show them, take them again, close them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from liaison.finding import Finding
from liaison.hub.acts import CloseQuarantine
from liaison.hub.contracts import Verdict
from liaison.hub.journal.queries import StoredMessage
from liaison.hub.journal.records import HoldRecord, number_id, text_id
from liaison.hub.replay import is_quarantine
from liaison.private import Private
from liaison.service.act import Act, ActRefused, Call, HubId

if TYPE_CHECKING:
    from liaison.service.running import RunningHub

#: Characters of a line, and of a message, that are shown: a document in base64 tells a person nothing.
_LINE, _WHOLE = 2_000, 400_000
_findings = msgspec.json.Decoder(tuple[Finding, ...]).decode


class ById(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message in quarantine, or its hold."""

    id: HubId


class Asked(ById, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which message to show, and whether with all its bytes."""

    whole: bool = False


class Shown(Private, frozen=True, kw_only=True):
    """A message in quarantine: health data."""

    message: str
    hold: str
    source: str
    control_id: str
    kind: str
    received_at: str
    size: int
    owner: str
    rule: str
    findings: tuple[Finding, ...]
    #: The message as text, long lines cut; empty when it was erased.
    text: str
    #: The very bytes, where they were asked for.
    raw: bytes = b""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a message became when it was taken again."""

    #: The message that it is now; empty when it stays in quarantine.
    message: str
    verdict: str
    findings: tuple[Finding, ...]
    events: tuple[str, ...]


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """A message that stays without effect."""

    message: str


async def show(hub: RunningHub, asked: Asked, _call: Call) -> Shown:
    """The message, and why it waits."""
    hold, stored = _found(hub, asked.id)
    line, raw = stored.line, stored.raw or b""
    return Shown(
        message=line.id,
        hold=text_id(hold.id),
        source=line.source,
        control_id=line.control_id,
        kind=line.kind,
        received_at=line.received_at,
        size=line.size,
        owner=hold.owner,
        rule=hold.rule,
        findings=_findings(stored.findings),
        text=_text(raw),
        raw=raw if asked.whole else b"",
    )


async def replay(hub: RunningHub, asked: ById, _call: Call) -> Replayed:
    """Read the message again and take it, if it can be taken now."""
    hold, stored = _found(hub, asked.id)
    if hold.rule.startswith("mllp."):
        raise ActRefused("ce message n'est pas arrivé entier : l'établissement doit le renvoyer.")
    source = hub.configuration.sources.get(stored.line.source)
    try:
        taken = await hub.engine.replay(hold, stored, file=source is not None and source.common.kind == "folder")
    except LookupError:
        raise ActRefused("la source de ce message n'est plus configurée, ou son contenu a été effacé.") from None
    if taken is None:
        raise ActRefused(_DECIDED)
    stays = taken.answer.verdict is Verdict.QUARANTINED
    return Replayed(
        message="" if stays else taken.answer.message_id,
        verdict=taken.answer.verdict,
        findings=taken.findings,
        events=tuple(event.id for event in taken.events),
    )


async def reject(hub: RunningHub, asked: ById, _call: Call) -> Closed:
    """Decide that the message stays without effect."""
    hold, stored = _found(hub, asked.id)
    if not await hub.journal.writer.commit(CloseQuarantine(hold=hold.id)):
        raise ActRefused(_DECIDED)
    return Closed(message=stored.line.id)


def _found(hub: RunningHub, text: str) -> tuple[HoldRecord, StoredMessage]:
    hold = hub.journal.reader.holds.find(number_id(text))
    if hold is None or hold.delivery is not None:
        raise ActRefused("aucun message en quarantaine de cet identifiant (« liaison quarantine list » les donne).")
    if not is_quarantine(hold):
        raise ActRefused(_DECIDED)
    stored = hub.journal.reader.message(hold.message)
    if stored is None:
        raise ActRefused("ce message n'est plus dans le journal.")
    return hold, stored


def _text(raw: bytes) -> str:
    try:
        text = raw[:_WHOLE].decode("utf-8")
    except UnicodeDecodeError:
        text = raw[:_WHOLE].decode("cp1252", errors="replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    shown = [line if len(line) <= _LINE else f"{line[:_LINE]}… ({len(line)} caractères)" for line in lines]
    return "\n".join(shown) + ("\n…" if len(raw) > _WHOLE else "")


_DECIDED = "une personne a déjà décidé de ce message."

ACTS = (
    Act(name="quarantine.show", arguments=Asked, run=show, target="id", shows_health_data=True),
    Act(name="quarantine.replay", arguments=ById, run=replay, target="id", seconds=300.0),
    Act(name="quarantine.reject", arguments=ById, run=reject, target="id"),
)
