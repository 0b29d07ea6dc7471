"""What ``liaison check`` says of the hub that runs: the same troubles that ring, in a page for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from liaison.hub.watch.standing import Standing
from liaison.hub.watch.troubles import WORDS, Kind, Level, duration, troubles
from liaison.service.asking import NoAnswer, ask_hub, ask_journal, monitor_url
from liaison.service.checks import Check, Status
from liaison.service.configuration import Configuration
from liaison.service.looking import journal_name

#: Seconds that the hub and its journal have to answer.
_PATIENCE = 4.0
_SUBJECT = "plateforme en marche"
#: Told by the other checks already, from the files themselves.
_TOLD_BEFORE = frozenset({Kind.CERTIFICATE})


def standing_checks(configuration: Configuration, now: datetime) -> tuple[Check, ...]:
    """How the hub of this configuration stands, asked of itself or of its journal. ``now`` is aware."""
    if not configuration.journal_path.exists():
        return ()
    url, why = monitor_url(configuration.monitor), ""
    if url:
        try:
            standing = ask_hub(url, _PATIENCE, certificate=configuration.monitor.certificate)
            if standing.journal == journal_name(configuration):
                return tuple(_told(standing, configuration))
        except NoAnswer as error:
            why = str(error)
    try:
        standing = ask_journal(configuration, now, _PATIENCE)
    except NoAnswer as error:
        return (Check(subject=_SUBJECT, status=Status.WARNING, text=f"{why or error}."),)
    seen = tuple(_told(standing, configuration))
    # A hub that was stopped on purpose is no fault of its configuration: what it left open is only told.
    return (Check(subject=_SUBJECT, status=Status.WARNING, text=f"{why}."), *map(_softened, seen)) if why else seen


def _softened(check: Check) -> Check:
    return msgspec.structs.replace(check, status=Status.WARNING) if check.status is Status.FAULT else check


def _told(standing: Standing, configuration: Configuration) -> Iterator[Check]:
    found = [trouble for trouble in troubles(standing, configuration.alerts.limits) if trouble.kind not in _TOLD_BEFORE]
    for trouble in found:
        status = Status.FAULT if trouble.level is Level.CRITICAL else Status.WARNING
        yield Check(subject=_SUBJECT, status=status, text=f"{trouble.text} {WORDS[trouble.kind].remedy}")
    for name, source in standing.sources.items():
        if source.silence is not None and source.told is None:
            usual = "" if source.limit is None else f" ; une alerte viendrait après {duration(source.limit)}"
            text = f"dernier message il y a {duration(source.silence)}{usual}."
            yield Check(subject=f"source {name}", status=Status.OK, text=text)
    for name, destination in standing.destinations.items():
        waits = f", le plus ancien depuis {duration(destination.oldest)}" if destination.backlog else ""
        yield Check(subject=f"destination {name}", status=Status.OK, text=f"{destination.backlog} envois en attente{waits}.")
    held = sum(hold.open for hold in standing.holds.values())
    yield Check(
        subject="retenues", status=Status.OK, text=f"{held} attendent une personne, dont {standing.quarantined} messages entiers."
    )
    if standing.untold:
        text = f"{standing.untold} alertes n'ont pu être envoyées : vérifier [alerts]."
        yield Check(subject="alertes", status=Status.WARNING, text=text)
