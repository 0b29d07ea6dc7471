"""``liaison held``: what waits for a person before it leaves, and what they decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from liaison.cli.ask import ask, config_option, json_option, print_json, reason_option
from liaison.cli.explain_words import clean
from liaison.cli.waiting import OWNERS, print_waiting
from liaison.service.acts.deliveries import Decided, Shown

_WORDS = {
    "pending": "part à son tour",
    "retrying": "est retenté tout de suite",
    "uncertain": "est retenté tout de suite",
    "cancelled": "ne partira pas",
    "submitted": "est tenu pour reçu",
}


@click.group(short_help="Voir et décider ce qui est retenu.")
def held() -> None:
    """Voir ce qui est retenu avant de partir, et en décider. ID est celui de la retenue ou de l'envoi."""


@held.command("list", short_help="Ce qui attend une personne, le plus ancien d'abord.")
@click.option("--owner", type=click.Choice(["hospital", "gcs"]), default=None, help="Seulement ce qui revient à l'un d'eux.")
@config_option
@json_option
def list_held(owner: str | None, path: Path | None, as_json: bool) -> None:
    """Lister les envois retenus, échoués ou expirés, et pour quand une décision est due. Rien n'y nomme un patient.

    Avec --json, un objet par ligne.
    """
    print_waiting(path, as_json, quarantine=False, owner=owner or "")


@held.command(short_help="Montrer un envoi retenu, patient et destinataire compris.")
@click.argument("name", metavar="ID")
@reason_option
@config_option
@json_option
def show(name: str, reason: str, path: Path | None, as_json: bool) -> None:
    """Montrer un envoi : patient, destinataire, document, essais. Ce sont des données de santé : la consultation est tracée."""
    shown = ask(path, "held.show", {"id": name}, answer=Shown, reason=reason)
    if as_json:
        print_json(shown)
    else:
        _print(shown)


@held.command(short_help="Laisser partir un envoi retenu.")
@click.argument("name", metavar="ID")
@click.option("--to", "to", default="", metavar="ADRESSE", help="Corriger l'adresse MSSanté du destinataire.")
@reason_option
@config_option
@json_option
def release(name: str, to: str, reason: str, path: Path | None, as_json: bool) -> None:
    """Laisser partir un envoi retenu, échoué ou expiré. Les barrières décident encore : ce qui leur fait obstacle reste retenu.

    Avec --to, la lettre part à cette adresse, vérifiée comme toute autre (domaine, annuaire, INS pour un patient).

    Code de sortie : 0 il part, 1 non, 2 mauvais usage ou plateforme arrêtée.
    """
    decide(path, "held.release", {"id": name, "to": to}, reason, as_json)


@held.command(short_help="Refuser un envoi retenu.")
@click.argument("name", metavar="ID")
@click.option("--received", is_flag=True, help="Le destinataire dit l'avoir reçu : l'envoi est clos comme remis.")
@reason_option
@config_option
@json_option
def reject(name: str, received: bool, reason: str, path: Path | None, as_json: bool) -> None:
    """Refuser un envoi : il ne partira pas, et l'établissement peut renvoyer le document. --received, pour une lettre dont
    l'issue est inconnue, dit qu'elle est arrivée.

    Code de sortie : 0 c'est fait, 1 non, 2 mauvais usage ou plateforme arrêtée.
    """
    decide(path, "held.reject", {"id": name, "received": received}, reason, as_json)


def decide(path: Path | None, act: str, arguments: dict[str, Any], reason: str, as_json: bool) -> None:
    """Ask for a decision on a delivery, and say what became of it."""
    decided = ask(path, act, arguments, answer=Decided, reason=reason)
    if as_json:
        print_json(decided)
    else:
        click.echo(f"L'envoi {decided.delivery} {_WORDS.get(decided.work, decided.work)}.")


def _print(shown: Shown) -> None:
    console = Console(highlight=False, emoji=False, soft_wrap=True)

    def say(name: str, *values: object) -> None:
        text = " ".join(clean(str(value)) for value in values if value)
        if text:
            console.print(Text.assemble((f"{name:<13}", "dim"), text))

    say("Envoi", shown.delivery, f"vers {shown.destination}", f"({shown.work})")
    say("Message", shown.message)
    if shown.hold is not None:
        say("Retenue", shown.hold, f"par {shown.rule}, à lever par : {OWNERS.get(shown.owner, shown.owner)}")
        say("Motif", shown.reason)
    say("Destinataire", shown.recipient)
    if (patient := shown.patient) is not None:
        if (traits := patient.traits) is not None:
            say("Patient", traits.birth_name, traits.first_given_name, traits.birth_date, traits.sex)
        say("INS", patient.ins)
        say("Identité", *patient.statuses, patient.merged_into and f"fusionnée dans {patient.merged_into}")
        for identifier in patient.identifiers:
            say("Identifiant", identifier)
    if (document := shown.document) is not None:
        say("Document", document.title, f"({document.type}, {document.status})")
        if (author := document.author) is not None:
            say("Auteur", author.given, author.family, document.organisation)
        for addressee in document.addressees:
            named = addressee.professional
            say("Adressé à", addressee.address, named and named.family, named and named.rpps)
    for attempt in shown.attempts:
        say(f"Essai {attempt.number}", attempt.at, attempt.outcome, attempt.reason)
