"""``liaison simulate``: the feed of invented hospitals, into files or to a listening hub."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from liaison.adapters.mllp_send import MllpSender, MllpSendSettings
from liaison.demo import people
from liaison.demo.hospital import BY_KEY, HOSPITALS
from liaison.demo.stays import PARIS, TimedMessage, simulate_region
from liaison.hub.contracts import Delivered, Parcel, Refused
from liaison.service.logs import configure_logs

_DEFAULT_COUNT = 200
#: Messages that got no answer in a row, after which the receiver is given up.
_GIVE_UP = 5


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--json`` prints."""

    seed: int
    messages: int
    kinds: dict[str, int]
    #: Answers, when the messages were sent: ``accepted``, ``refused``, ``unanswered``.
    answers: dict[str, int] = {}
    #: Folder of the files, when they were written.
    out: str = ""


@click.command(short_help="Produire le flux d'hôpitaux inventés.")
@click.option("--hospital", "hospitals", multiple=True, type=click.Choice(sorted(BY_KEY)), help="Hôpital ; tous par défaut.")
@click.option("--count", type=click.IntRange(1, 1_000_000), help=f"Nombre de messages ({_DEFAULT_COUNT} par défaut).")
@click.option("--days", type=click.FloatRange(0, 366, min_open=True), help="Jours de la vie de l'hôpital, au lieu de --count.")
@click.option("--seed", type=int, help="Graine : la même donne les mêmes messages, au même --start.")
@click.option("--start", type=click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M")), help="Début, heure de Paris ; maintenant par défaut.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Dossier où écrire un fichier par message.")
@click.option("--to", "address", help="Envoyer par MLLP à HÔTE:PORT.")
@click.option(
    "--rate", type=click.FloatRange(0, 10_000, min_open=True), default=5.0, show_default=True, help="Messages par seconde."
)
@click.option("--ca", default="", help="Autorité (PEM) du certificat du destinataire : envoyer en TLS.")
@click.option("--directory", type=click.Path(path_type=Path, dir_okay=False), help="Écrire aussi l'annuaire des médecins inventés.")
@click.option("--json", "as_json", is_flag=True, help="Répondre en JSON.")
def simulate(
    hospitals: tuple[str, ...],
    count: int | None,
    days: float | None,
    seed: int | None,
    start: datetime | None,
    out: Path | None,
    address: str | None,
    rate: float,
    ca: str,
    directory: Path | None,
    as_json: bool,
) -> None:
    """Produire le flux d'hôpitaux inventés : admissions, mutations, sorties, lettres.

    Les personnes n'existent pas ; les messages portent le mode T et des INS de test.
    """
    configure_logs(logging.CRITICAL)
    if (out is None) == (address is None):
        raise click.UsageError("Indiquer soit --out DOSSIER, soit --to HÔTE:PORT.")
    if count is not None and days is not None:
        raise click.UsageError("Indiquer --count ou --days, pas les deux.")
    sender = _sender(address, ca) if address else None
    chosen_seed = seed if seed is not None else random.SystemRandom().randrange(10**9)
    rng = random.Random(chosen_seed)
    begin = start.replace(tzinfo=PARIS) if start else datetime.now(PARIS)
    physicians = people.make_physicians(rng)
    chosen = [BY_KEY[key] for key in dict.fromkeys(hospitals)] or HOSPITALS
    feed: Iterator[TimedMessage] = simulate_region(rng, begin, hospitals=chosen, physicians=physicians)
    total: int | None = None
    if days is not None:
        end = begin + timedelta(days=days)
        feed = itertools.takewhile(lambda message: message.at < end, feed)
    else:
        total = count or _DEFAULT_COUNT
        feed = itertools.islice(feed, total)
    if directory:
        _write(directory, people.directory(physicians).encode())
    kinds: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    console = Console(stderr=True)
    with _progress(console, hidden=as_json) as progress:
        task = progress.add_task("Messages", total=total)

        def told(messages: Iterable[TimedMessage]) -> Iterator[TimedMessage]:
            for message in messages:
                yield message
                kinds[message.kind] += 1
                progress.advance(task)

        if out is not None:
            _write_all(told(feed), out)
        elif sender is not None:
            asyncio.run(_send_all(told(feed), sender, rate, answers))
    summary = Summary(
        seed=chosen_seed,
        messages=kinds.total(),
        kinds=dict(sorted(kinds.items())),
        answers=dict(answers),
        out=str(out) if out else "",
    )
    if as_json:
        click.echo(msgspec.json.encode(summary))
    else:
        _tell(summary, address or "")
    if address and answers["accepted"] < summary.messages:
        raise SystemExit(1)


def _sender(address: str, ca: str) -> MllpSender:
    try:
        return MllpSender("simulate", MllpSendSettings(address=address, tls="required" if ca else "none", ca=ca, timeout=30.0))
    except (ValueError, OSError) as error:
        raise click.UsageError(f"--to : {error}") from error


def _write_all(messages: Iterable[TimedMessage], out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.UsageError(f"{out} ne peut pas être créé : {error.strerror}") from error
    for number, message in enumerate(messages, 1):
        _write(out / f"{number:06d}_{message.hospital}_{message.kind.replace('^', '_')}.hl7", message.raw)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise click.UsageError(f"{path} ne peut pas être écrit : {error.strerror}") from error


async def _send_all(messages: Iterable[TimedMessage], sender: MllpSender, rate: float, answers: Counter[str]) -> None:
    """Send at ``rate`` a second, in order; stop when the receiver does not answer any more."""
    begun = time.monotonic()
    silent = 0
    try:
        for number, message in enumerate(messages):
            await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
            parcel = Parcel(
                id=message.control_id,
                kind=message.kind,
                body=message.raw,
                content_type="application/hl7-v2",
                lane=message.hospital,
                lane_seq=number,
            )
            outcome = await sender.deliver(parcel)
            answer = "accepted" if isinstance(outcome, Delivered) else "refused" if isinstance(outcome, Refused) else "unanswered"
            answers[answer] += 1
            silent = silent + 1 if answer == "unanswered" else 0
            if silent >= _GIVE_UP:
                raise click.ClickException(f"{sender.settings.address} ne répond pas : envoi arrêté après {number + 1} messages.")
    finally:
        await sender.close()


def _progress(console: Console, *, hidden: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=hidden or not console.is_terminal)


def _tell(summary: Summary, address: str) -> None:
    where = f"écrits dans {summary.out}" if summary.out else f"envoyés à {address}"
    click.echo(f"{summary.messages} messages {where} (graine {summary.seed}).")
    click.echo(", ".join(f"{kind.replace('^', ' ')} : {number}" for kind, number in summary.kinds.items()))
    if summary.answers:
        words = {"accepted": "acceptés", "refused": "refusés", "unanswered": "sans réponse"}
        click.echo("Réponses : " + ", ".join(f"{number} {words[answer]}" for answer, number in summary.answers.items()) + ".")
