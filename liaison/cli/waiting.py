"""Listing what waits for a person: read beside the hub, running or not, and nothing in it names a patient."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.text import Text

from liaison.cli.ask import print_json
from liaison.cli.explain_words import clean, time_in_words
from liaison.hub.holding import HoldHours, OpenHold
from liaison.hub.journal.database import READ_FAULTS
from liaison.hub.journal.queries import JournalReader
from liaison.hub.journal.records import from_microseconds, microseconds, text_id
from liaison.rules.decision import Owner
from liaison.service.configuration import ConfigurationError
from liaison.service.loader import load_configuration

OWNERS = {Owner.HOSPITAL.value: "établissement", Owner.GCS.value: "GCS"}
_WHATS = {"letter": "lettre", "event": "événement", "message": "message"}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One hold as ``--json`` prints it."""

    id: str
    what: str
    owner: str
    #: When its owner should decide, and whether that is past.
    due: str
    late: bool
    since: str
    #: Whether it was the hospital's before.
    escalated: bool
    rule: str
    reason: str
    source: str
    message: str
    delivery: str | None
    destination: str
    kind: str
    work: str


def print_waiting(path: Path | None, as_json: bool, *, quarantine: bool, owner: str = "") -> None:
    """Print deliveries that are held, failed or expired, or messages in quarantine; oldest first."""
    try:
        configuration = load_configuration(path)
        if not configuration.journal_path.exists():
            raise click.UsageError(
                f"il n'y a pas de journal en {configuration.journal_path} : la plateforme n'a pas encore démarré."
            )
        with closing(JournalReader(configuration.journal_path)) as reader:
            holds = reader.holds.open(deliveries=not quarantine, messages=quarantine)
    except OSError as error:
        raise click.UsageError(
            f"{error.filename} ne peut être lu ({error.strerror}) : vérifier le chemin et les droits."
        ) from error
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    except READ_FAULTS as error:
        raise click.UsageError("le journal ne peut être lu : vérifier le disque, et que la plateforme l'a bien créé.") from error
    now = microseconds(datetime.now(UTC))
    lines = [_line(hold, configuration.holds, now) for hold in holds if owner in ("", hold.owner)]
    if as_json:
        for line in lines:
            print_json(line)
        return
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    for line in lines:
        _print(console, line)
    console.print(Text(f"{len(lines)} en attente d'une personne, {sum(line.late for line in lines)} en retard.", "dim"))


def _line(hold: OpenHold, hours: HoldHours, now: int) -> Line:
    due = hours.due(hold)
    return Line(
        id=text_id(hold.id),
        what=hold.what,
        owner=hold.owner,
        due=from_microseconds(due).isoformat(timespec="seconds"),
        late=due <= now,
        since=from_microseconds(hold.since).isoformat(timespec="seconds"),
        escalated=hold.escalated_at is not None,
        rule=hold.rule,
        reason=hold.reason,
        source=hold.source,
        message=text_id(hold.message),
        delivery=None if hold.delivery is None else text_id(hold.delivery),
        destination=hold.destination,
        kind=hold.kind,
        work=hold.work,
    )


def _print(console: Console, line: Line) -> None:
    where = f" vers {line.destination} ({line.work})" if line.destination else ""
    due = time_in_words(datetime.fromisoformat(line.due))
    owner = OWNERS.get(line.owner, line.owner) + (", après l'établissement" if line.escalated else "")
    console.print(
        Text.assemble(
            (line.id, "bold"),
            f"  {_WHATS[line.what]} {clean(line.kind)} de {line.source}{where}  ",
            (f"{owner}, à décider avant {due}", "red" if line.late else "yellow"),
        )
    )
    console.print(Text.assemble("  ", clean(line.reason), "  ", (line.rule, "dim")))
