"""Answering proposals: what a source asserted of another hospital's patient, accepted or refused by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from liaison.hub import proposals
from liaison.hub.journal.queries import ProposalLine
from liaison.hub.journal.records import PatientRecord, ProposalRecord, number_id, text_id
from liaison.hub.proposals import Answered, RefuseProposal
from liaison.hub.vault.subjects import SubjectErased
from liaison.private import Private
from liaison.service.act import Act, ActRefused, Call, HubId

if TYPE_CHECKING:
    from liaison.service.running import RunningHub


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which proposals to list: a page of those in a state, oldest first."""

    #: Empty: whatever became of them.
    state: Literal["", "open", "accepted", "refused"] = "open"
    #: Id of the last one seen; empty: from the first.
    after: Annotated[str, msgspec.Meta(pattern=r"^([0-7][0-9a-f]{15})?$")] = ""
    most: int = 100


class Which(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One proposal."""

    id: HubId


class ShownProposal(Private, frozen=True, kw_only=True):
    """A proposal whole: what is asserted, and of whom. Identifies."""

    line: ProposalLine
    #: As asserted, as plain JSON values.
    facts: list[Any]
    #: The patients that the identifiers lead to today, as plain JSON values.
    patients: list[Any]


class AnsweredProposal(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an answer."""

    id: str
    state: str
    #: How many events it made.
    events: int = 0


async def list_proposals(hub: RunningHub, asked: Asked, _call: Call) -> tuple[ProposalLine, ...]:
    """Proposals without anybody's identity."""
    after = number_id(asked.after) if asked.after else 0
    return hub.journal.reader.proposals(state=asked.state, after=after, most=max(1, min(asked.most, 1_000)))


async def show(hub: RunningHub, which: Which, _call: Call) -> ShownProposal:
    """One proposal with what it asserts, for the person who is to decide."""
    number = number_id(which.id)
    proposal = _proposal(hub, which)
    (line,) = hub.journal.reader.proposals(state="", after=number - 1, most=1)
    command = proposals.accept(proposal, hub.policy, hub.journal.vault.blind)
    patients = await hub.journal.writer.commit(proposals.PatientsOf(accept=command))
    return ShownProposal(
        line=line, facts=list(msgspec.to_builtins(proposal.facts)), patients=[_plainly(patient) for patient in patients]
    )


async def accept(hub: RunningHub, which: Which, _call: Call) -> AnsweredProposal:
    """Do what was proposed."""
    proposal = _proposal(hub, which)
    done = await hub.journal.writer.commit(proposals.accept(proposal, hub.policy, hub.journal.vault.blind))
    if done.answered is Answered.CONTRADICTED:
        raise ActRefused(f"l'état d'aujourd'hui contredit la proposition : {done.why} Rien n'est changé, elle reste ouverte.")
    _refuse_if_answered(done.answered)
    for destination, patient in done.wake:
        hub.dispatcher.wake(destination, patient)
    return AnsweredProposal(id=which.id, state="accepted", events=done.events)


async def refuse(hub: RunningHub, which: Which, _call: Call) -> AnsweredProposal:
    """Leave things as they are; the same assertion is not proposed again."""
    _refuse_if_answered(await hub.journal.writer.commit(RefuseProposal(proposal=_proposal(hub, which))))
    return AnsweredProposal(id=which.id, state="refused")


def _proposal(hub: RunningHub, which: Which) -> ProposalRecord:
    try:
        proposal = hub.journal.reader.proposal(number_id(which.id))
    except SubjectErased:
        raise ActRefused("le patient de cette proposition a été effacé : il n'y a plus rien à décider.") from None
    if proposal is None:
        raise ActRefused("aucune proposition n'a cet identifiant : voir « liaison proposals list ».")
    return proposal


def _refuse_if_answered(answered: Answered) -> None:
    if answered is Answered.ALREADY:
        raise ActRefused("quelqu'un a déjà répondu à cette proposition : voir « liaison proposals list --all ».")


def _plainly(patient: PatientRecord) -> Any:
    state = patient.state
    return {
        "id": text_id(patient.id),
        "identifiers": msgspec.to_builtins(state.active_identifiers),
        "traits": msgspec.to_builtins(state.traits),
        "statuses": list(state.statuses),
    }


ACTS = (
    Act(name="proposals.list", arguments=Asked, run=list_proposals, needs_reason=False),
    Act(name="proposals.show", arguments=Which, run=show, target="id", shows_health_data=True),
    Act(name="proposals.accept", arguments=Which, run=accept, target="id"),
    Act(name="proposals.refuse", arguments=Which, run=refuse, target="id"),
)
