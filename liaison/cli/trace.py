"""``liaison trace``: one message's life, from its coming to what became of each delivery. Nothing printed names a patient."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import click
import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from liaison.cli.explain_words import OUTCOMES, SEVERITIES, VERDICTS, WOULD, clean, kind_in_words, plural, time_in_words
from liaison.cli.journal_keys import journal_keys
from liaison.events.types import NAMES, TYPES
from liaison.finding import Finding
from liaison.hub.contracts import Verdict
from liaison.hub.explain import acknowledgement_of, explain_finding, explain_would
from liaison.hub.journal.queries import DeliveryLine, JournalReader, StoredMessage
from liaison.hub.journal.records import number_id
from liaison.hub.outbox import Decided
from liaison.hub.vault.subjects import SubjectErased
from liaison.private import Private
from liaison.rules.decision import Outcome, Owner

#: One message's life as ``--json`` prints it.
Life: TypeAlias = dict[str, Any]

#: What each work state is called, and its colour.
_WORK = {
    "pending": ("attend son tour", "cyan"),
    "sending": ("en cours d'envoi", "cyan"),
    "retrying": ("sera retentée", "yellow"),
    "uncertain": ("issue inconnue, sera retentée", "yellow"),
    "held": ("attend une personne", "yellow"),
    "submitted": ("remise à la destination", "green"),
    "failed": ("échouée", "red"),
    "cancelled": ("annulée", "bright_black"),
    "expired": ("expirée", "red"),
    "shadowed": ("décidée à blanc, ne part pas", "bright_black"),
}
_OWNERS = {Owner.HOSPITAL.value: "l'établissement", Owner.GCS.value: "le GCS"}


class _Told(Private, frozen=True, kw_only=True):
    """What of an event may be printed."""

    type: str
    time: datetime


_findings = msgspec.json.Decoder(tuple[Finding, ...]).decode
_decisions = msgspec.json.Decoder(tuple[Decided, ...]).decode
_event = msgspec.json.Decoder(_Told).decode


@click.command(short_help="Dire la vie d'un message, de son arrivée à ses livraisons.")
@click.argument("name", metavar="ID")
@click.option("--config", "path", type=click.Path(path_type=Path, dir_okay=False), help="Fichier de configuration.")
@click.option("--json", "as_json", is_flag=True, help="Répondre en JSON : un objet, une liste si l'ID nomme plusieurs messages.")
@click.option("--show", is_flag=True, help="Montrer aussi les destinataires des décisions.")
@click.pass_context
def trace(context: click.Context, name: str, path: Path | None, as_json: bool, show: bool) -> None:
    """Dire la vie d'un message : ID est celui du message, d'un de ses événements, ou son MSH-10.

    Rien de ce qui s'affiche ne nomme un patient ; --show ajoute les adresses des destinataires.

    Code de sortie : 0 trouvé, 1 aucun message de cet ID, 2 le journal ou ses clés ne peuvent être lus.
    """
    with journal_keys(path) as (configuration, keys), closing(JournalReader(configuration.journal_path, keys)) as reader:
        lives = [_life(reader, stored, show) for number in reader.find_messages(name) if (stored := reader.message(number))]
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(lives[0] if len(lives) == 1 else lives) + b"\n")
    elif not lives:
        click.echo("Aucun message de cet identifiant dans le journal.", err=True)
    else:
        console = Console(highlight=False, emoji=False, soft_wrap=True)
        for life in lives:
            _print(console, life)
    context.exit(0 if lives else 1)


def _life(reader: JournalReader, stored: StoredMessage, show: bool) -> Life:
    line = stored.line
    reply = acknowledgement_of(stored.reply)
    return {
        "id": line.id,
        "source": line.source,
        "control_id": line.control_id,
        "kind": line.kind,
        "received_at": line.received_at,
        "size": line.size,
        "verdict": line.verdict,
        "erased": stored.raw is None,
        "reply": {"code": "", "text": ""} if reply is None else {"code": reply.code, "text": reply.text},
        "findings": [explain_finding(finding) for finding in _findings(stored.findings)],
        "events": [_told(reader, event) for event in line.events],
        "decisions": [_decided(one, show) for one in (_decisions(stored.decisions) if stored.decisions else ())],
        "deliveries": [_delivery(one) for one in reader.deliveries_of(number_id(line.id))],
    }


def _told(reader: JournalReader, event: str) -> Life:
    message, _, ordinal = event.partition("-")
    try:
        body = reader.event_body(number_id(message), int(ordinal))
    except SubjectErased:
        body = None
    told = None if body is None else _event(body)
    return {"id": event, "type": "" if told is None else told.type, "time": None if told is None else told.time}


def _decided(stored: Decided, show: bool) -> Life:
    one = stored.decision
    told: Life = {
        "about": stored.about,
        "event": stored.event,
        "destination": one.destination,
        "outcome": str(one.outcome),
        "reason": one.reason,
        "rule": one.rule,
        "owner": str(one.owner),
        **explain_would(one.would),
    }
    return {**told, "recipient": one.recipient} if show else told


def _delivery(line: DeliveryLine) -> Life:
    told: Life = msgspec.to_builtins(line)
    return told


# For people -----------------------------------------------------------------------------------------------------------------------


def _print(console: Console, life: Life) -> None:
    def say(*parts: str | tuple[str, str], at: int = 0) -> None:
        console.print(Padding(Text.assemble(*parts), (0, 0, 0, at), expand=False))

    mark, colour, word = VERDICTS[Verdict(life["verdict"])]
    say(
        (life["id"], "bold"),
        f"  {clean(life['kind'])}  {kind_in_words(life['kind'])}  n° {clean(life['control_id']) or 'sans MSH-10'}",
    )
    say(
        (f"{time_in_words(datetime.fromisoformat(life['received_at']))}  ", "dim"),
        f"reçu de {life['source']}, {plural(life['size'], 'octet')}",
        at=1,
    )
    reply = life["reply"]
    say((f"{mark} {word}", colour), f"  réponse {reply['code']} : {reply['text']}" if reply["code"] else "", at=1)
    if life["erased"]:
        say(("Le contenu de ce message a été effacé.", "yellow"), at=1)
    for finding in life["findings"]:
        mark, colour, severity = SEVERITIES[finding["severity"]]
        say((f"{mark} {severity}", colour), f"  {finding['where']}  ", (finding["rule"], "dim"), f"  {finding['message']}", at=1)
    for event in life["events"]:
        row = TYPES.get(NAMES.get(event["type"], ""))
        at = time_in_words(event["time"]) if event["time"] else ""
        say(
            ("● ", "cyan"), (row.french if row is not None else "événement effacé", "bold"), f"  {at}  ", (event["id"], "dim"), at=1
        )
    for decision in life["decisions"]:
        mark, colour, word = OUTCOMES[Outcome(decision["outcome"])]
        about = TYPES[decision["about"]].french if decision["about"] in TYPES else f"Lettre {decision['about']}"
        recipient = f", à {clean(decision['recipient'])}" if decision.get("recipient") else ""
        owner = f"  À lever par {_OWNERS[decision['owner']]}." if decision["owner"] else ""
        would = decision.get("would")
        instead = f" {WOULD[Outcome(would['outcome'])].capitalize()} : {would['reason']}" if would else ""
        say((f"{mark} ", colour), f"{about} {word} vers {decision['destination']}{recipient} : {decision['reason']}{instead}{owner}  ",
            (decision["rule"], "dim"), at=1)  # fmt: skip
    for delivery in life["deliveries"]:
        state, colour = _WORK.get(delivery["work"], (delivery["work"], ""))
        place = f", rang {delivery['lane_seq']}" if delivery["lane_seq"] is not None else ""
        say(("Livraison ", "bold"), (delivery["id"], "dim"), f"  vers {delivery['destination']}{place}  ", (state, colour), at=1)
        for attempt in delivery["attempts"]:
            say(*_step(f"essai {attempt['number']}", attempt), at=4)
        for receipt in delivery["receipts"]:
            say(*_step("accusé", receipt), at=4)
    console.print()


def _step(name: str, line: Life) -> tuple[tuple[str, str], str]:
    at = time_in_words(datetime.fromisoformat(line["at"]))
    return (f"{at}  {name}  ", "dim"), clean(" : ".join(part for part in (line["outcome"], line["reason"]) if part))
