"""``liaison erase``: forget one patient, by the running hub."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from liaison.cli.ask import ask, config_option, json_option, print_json, reason_option
from liaison.hub.erasing import Erased


@click.command(short_help="Effacer un patient.")
@click.argument("patient", required=False, default="", metavar="[PATIENT]")
@click.option("--source", default="", help="Source qui connaît le patient sous --ipp ou --ins.")
@click.option("--ipp", default="", help="IPP du patient chez cette source.")
@click.option("--authority", default="", help="Autorité de l'IPP si ce n'est pas l'établissement : oid:…, finess:…, local:…")
@click.option("--ins", default="", help="Matricule INS du patient, tel que cette source l'a donné.")
@reason_option
@config_option
@json_option
def erase(patient: str, source: str, ipp: str, authority: str, ins: str, reason: str, path: Path | None, as_json: bool) -> None:
    """Effacer un patient et les dossiers fusionnés avec lui : sa clé est détruite, ce qui était scellé ne s'ouvre plus,
    sauvegardes comprises. PATIENT est l'identifiant donné par la plateforme ; sinon --source avec --ipp ou --ins.

    Il n'y a pas de retour. Un message qui le nomme ensuite fait un patient nouveau.

    Code de sortie : 0 c'est fait, 1 ce patient est inconnu, 2 usage ou plateforme arrêtée.
    """
    if bool(patient) == bool(source):
        raise click.UsageError("indiquer un identifiant de patient, ou --source avec --ipp ou --ins.")
    act = ("erase", {"patient": patient}) if patient else ("erase.number", _number(source, ipp, authority, ins))
    with Console(stderr=True).status("Effacement…"):
        erased = ask(path, *act, answer=Erased, reason=reason)
    if as_json:
        print_json(erased)
        return
    click.echo(
        f"Effacé : {len(erased.patients)} dossier(s), {erased.cancelled} envoi(s) annulé(s), "
        f"{erased.stripped} message(s) non rattaché(s) vidé(s)."
    )
    if not erased.scrubbed:
        click.echo(
            "attention : le journal des clés est en cours de lecture (sauvegarde ?) ; il sera vidé au prochain démarrage.", err=True
        )


def _number(source: str, ipp: str, authority: str, ins: str) -> dict[str, str]:
    return {"source": source, "ipp": ipp, "authority": authority, "ins": ins}
