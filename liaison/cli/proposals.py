"""``liaison proposals``: what a source asserted of another hospital's patient, for a person to accept or refuse."""

from __future__ import annotations

import json
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from liaison.cli.ask import Line, ask, config_option, json_option, print_json, reason_option
from liaison.hub.journal.queries import ProposalLine
from liaison.service.acts.proposals import AnsweredProposal, ShownProposal

#: What each kind is called in front of people.
KINDS = {
    "merge": "fusion",
    "identifier-change": "changement d'identifiant",
    "link": "rapprochement d'identifiants",
    "ins-match": "même INS dans deux établissements",
    "assertion": "message entier",
    "stay": "mouvement d'un séjour",
}
_STATES = {"open": "ouverte", "accepted": "acceptée", "refused": "refusée"}
_PAGE = 500

proposal_argument = click.argument("proposal", metavar="PROPOSITION")


@click.group(short_help="Répondre à ce qu'une source affirme d'un patient d'un autre établissement.")
def proposals() -> None:
    """Ce qu'une source affirme d'un patient d'un autre établissement n'est pas appliqué : c'est proposé ici."""


@proposals.command("list", short_help="Les propositions qui attendent, sans aucune identité.")
@click.option("--all", "everything", is_flag=True, help="Aussi celles qui ont reçu une réponse.")
@config_option
@json_option
def list_(everything: bool, path: Path | None, as_json: bool) -> None:
    """Les propositions qui attendent une réponse, de la plus ancienne à la plus récente, sans aucune identité.

    --json : un objet par ligne.
    """
    found: list[ProposalLine] = []
    with Line(path) as line:
        while True:
            asked = {"state": "" if everything else "open", "after": found[-1].id if found else "", "most": _PAGE}
            page = line.ask("proposals.list", asked, answer=tuple[ProposalLine, ...])
            found += page
            if len(page) < _PAGE:
                break
    if as_json:
        for each in found:
            print_json(each)
        return
    table = Table("proposition", "source", "établissement", "ce qui est affirmé", "message", "depuis", "état", box=None)
    for each in found:
        cells = (each.id, each.source, each.establishment, KINDS.get(each.kind, each.kind), each.message, each.since[:16])
        table.add_row(*map(Text, cells), Text(_STATES.get(each.state, each.state)))
    Console(soft_wrap=True).print(table if found else Text("Aucune proposition n'attend."))


@proposals.command(short_help="Une proposition entière, avec les identités.")
@proposal_argument
@reason_option
@config_option
@json_option
def show(proposal: str, reason: str, path: Path | None, as_json: bool) -> None:
    """Ce qui est affirmé, tel quel, et les patients concernés tels qu'ils sont connus aujourd'hui. Donnée de santé : consulté
    sous votre nom, avec votre motif."""
    shown = ask(path, "proposals.show", {"id": proposal}, answer=ShownProposal, reason=reason)
    if as_json:
        print_json(shown)
        return
    console = Console(soft_wrap=True, highlight=False)
    console.print(Text(f"{KINDS.get(shown.line.kind, shown.line.kind)}, affirmé par {shown.line.establishment}", "bold"))
    for title, values in (("Affirmé", shown.facts), ("Connu aujourd'hui", shown.patients)):
        console.print(Text(title, "bold"))
        for value in values:
            console.print(Text(json.dumps(msgspec.to_builtins(value), ensure_ascii=False, indent=2)))


@proposals.command(short_help="Appliquer ce qui est proposé.")
@proposal_argument
@reason_option
@config_option
@json_option
def accept(proposal: str, reason: str, path: Path | None, as_json: bool) -> None:
    """Appliquer ce qui est proposé, comme si l'établissement concerné l'avait affirmé lui-même. Ne s'annule pas d'ici.

    Code de sortie : 0 c'est fait, 1 l'état d'aujourd'hui s'y oppose ou quelqu'un a déjà répondu, 2 mauvais usage.
    """
    _answer("proposals.accept", proposal, reason, path, as_json)


@proposals.command(short_help="Laisser les choses en l'état.")
@proposal_argument
@reason_option
@config_option
@json_option
def refuse(proposal: str, reason: str, path: Path | None, as_json: bool) -> None:
    """Laisser les choses en l'état. La même affirmation ne sera plus proposée.

    Code de sortie : 0 c'est fait, 1 quelqu'un a déjà répondu, 2 mauvais usage.
    """
    _answer("proposals.refuse", proposal, reason, path, as_json)


def _answer(act: str, proposal: str, reason: str, path: Path | None, as_json: bool) -> None:
    answered = ask(path, act, {"id": proposal}, answer=AnsweredProposal, reason=reason)
    if as_json:
        print_json(answered)
    else:
        events = f" ({answered.events} événements)" if answered.events else ""
        click.echo(f"La proposition {answered.id} est {_STATES[answered.state]}{events}.")
