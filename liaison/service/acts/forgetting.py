"""Forgetting: erasing one person now, and taking out what grew too old without waiting for the next pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liaison.care.identifiers import INS_OIDS, Identifier, IdentifierKind
from liaison.hub.erasing import Erased
from liaison.hub.journal.records import number_id
from liaison.hub.pruning import Pruned
from liaison.hub.resolution import BlindIndex
from liaison.private import Private
from liaison.service.act import Act, ActRefused, Call, HubId, Nothing, WrongUse
from liaison.service.speakers import establishments, own_authorities

if TYPE_CHECKING:
    from liaison.service.running import RunningHub


#: Steps of retention that one asking takes: a few seconds.
_STEPS = 40


class WhomById(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A patient by the hub's own id."""

    patient: HubId


class WhomByNumber(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A patient by a hospital's number, or by the INS that a hospital gave."""

    source: str
    ipp: str = ""
    ins: str = ""
    #: Canonical authority of an IPP that is not the establishment's own: ``oid:…``, ``finess:…``, ``local:…``.
    authority: str = ""


async def erase(hub: RunningHub, whom: WhomById, _call: Call) -> Erased:
    """Erase a person by the hub's id."""
    erased = await hub.journal.eraser.erase(number_id(whom.patient))
    if erased is None:
        raise ActRefused("aucun patient de cet identifiant : déjà effacé, ou jamais connu.")
    return erased


async def erase_number(hub: RunningHub, whom: WhomByNumber, call: Call) -> Erased:
    """Erase a person by a number of theirs."""
    declared = hub.configuration.sources.get(whom.source)
    if declared is None:
        raise WrongUse(f"aucune source de ce nom. Déclarées : {', '.join(hub.configuration.sources)}.")
    if bool(whom.ipp) == bool(whom.ins):
        raise WrongUse("indiquer un IPP ou un INS.")
    authorities = (whom.authority,) if whom.authority else sorted(own_authorities(declared.common))
    indexes = [BlindIndex(hub.journal.vault.blind, finess) for finess in establishments(declared.common)]
    if whom.ipp:
        names = [Identifier(kind=IdentifierKind.IPP, authority=authority, value=whom.ipp) for authority in authorities]
    else:
        names = [Identifier(kind=IdentifierKind.INS, authority=f"oid:{oid}", value=whom.ins) for oid in INS_OIDS]
    leads = (hub.journal.eraser.patient_at(index.of(name)) for index in indexes for name in names)
    found = {patient for patient in leads if patient is not None}
    if not found:
        raise ActRefused("aucun patient sous ce numéro pour cette source.")
    if len(found) > 1:
        raise ActRefused("ce numéro mène à plusieurs patients : effacer chacun par son identifiant.")
    erased = await hub.journal.eraser.erase(found.pop())
    if erased is None:
        raise ActRefused("ce patient n'est plus dans le journal.")
    return erased


async def prune(hub: RunningHub, _nothing: Nothing, _call: Call) -> Pruned:
    """Some steps of a pass of retention, so that who asked can say how far it is."""
    return await hub.retiring.pruner.prune(most_steps=_STEPS)


ACTS = (
    Act(name="erase", arguments=WhomById, run=erase, target="patient", seconds=800.0),
    Act(name="erase.number", arguments=WhomByNumber, run=erase_number, seconds=800.0),
    Act(name="prune", arguments=Nothing, run=prune, needs_reason=False, seconds=800.0),
)
