"""``liaison send``: the HL7 messages of files, sent by MLLP, and what the receiver answered to each."""

from __future__ import annotations

import asyncio
import itertools
import logging
import ssl
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from liaison.adapters.endpoint import Endpoint, parse_endpoint
from liaison.adapters.mllp_send import Acknowledged, send_messages
from liaison.adapters.tls import client_context
from liaison.cli.explain_words import clean
from liaison.hl7.acknowledgement import read_ack
from liaison.hl7.batch import split_batch
from liaison.hl7.charset import encode
from liaison.hl7.errors import Hl7Error
from liaison.hl7.message import Message
from liaison.hub.contracts import Delivered, Refused, Unavailable, Uncertain
from liaison.private import Private
from liaison.service.logs import configure_logs

#: Messages without any answer in a row, after which the receiver is given up.
_GIVE_UP = 3
#: A progress bar beyond this many messages.
_MANY = 20
MAX_FILE = 100_000_000


class Line(Private, frozen=True, kw_only=True):
    """What became of one message, as ``--json`` prints it. Only codes, places and the receiver's own words."""

    file: str
    #: From 1 in its file.
    message: int
    control_id: str
    #: ``accepted``, ``refused``, ``unavailable`` or ``unanswered``.
    outcome: str
    #: MSA-1, empty without answer.
    code: str
    #: MSA-3, else why there was no answer.
    text: str
    errors: tuple[str, ...] = ()

    @property
    def is_accepted(self) -> bool:
        return self.outcome == "accepted"


class _ToSend(Private, frozen=True, kw_only=True):
    file: str
    number: int
    body: bytes


@click.command(short_help="Envoyer des messages HL7 par MLLP.")
@click.argument("paths", metavar="FICHIER…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--to", "address", required=True, metavar="HÔTE:PORT", help="Où envoyer.")
@click.option("--tls", is_flag=True, help="Chiffrer et vérifier le certificat du destinataire.")
@click.option("--ca", default="", metavar="FICHIER", help="Autorités (PEM) du certificat du destinataire ; implique --tls.")
@click.option("--certificate", default="", metavar="FICHIER", help="Certificat (PEM) à présenter ; implique --tls.")
@click.option("--key", default="", metavar="FICHIER", help="Sa clé privée, si le certificat ne la contient pas.")
@click.option(
    "--timeout", type=click.FloatRange(0, 600, min_open=True), default=30.0, show_default=True, help="Secondes d'attente."
)
@click.option("--repeat", type=click.IntRange(1, 1_000_000), default=1, show_default=True, help="Envoyer le tout N fois.")
@click.option("--normalise", is_flag=True, help="Terminer chaque segment par CR, sans BOM ; sinon les octets partent tels quels.")
@click.option("--json", "as_json", is_flag=True, help="Répondre en JSON, un objet par ligne.")
@click.pass_context
def send(
    context: click.Context,
    paths: tuple[Path, ...],
    address: str,
    tls: bool,
    ca: str,
    certificate: str,
    key: str,
    timeout: float,
    repeat: int,
    normalise: bool,
    as_json: bool,
) -> None:
    """Envoyer les messages HL7 de fichiers par MLLP, un lot message par message, et dire la réponse à chacun.

    Code de sortie : 0 tous sont acceptés (AA ou CA), 1 l'un ne l'est pas, 2 le destinataire est injoignable ou un fichier illisible.
    """
    try:
        endpoint = parse_endpoint(address, "--to")
        secured = client_context(ca=ca, certificate=certificate, key=key) if tls or ca or certificate else None
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    configure_logs(logging.CRITICAL)
    messages = [message for path in paths for message in _messages(path, normalise=normalise)]
    feed = itertools.chain.from_iterable(itertools.repeat(messages, repeat))
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    with _progress(len(messages) * repeat, as_json=as_json) as progress:
        task = progress.add_task("Messages", total=len(messages) * repeat)

        def shown(line: Line) -> None:
            if as_json:
                sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
                sys.stdout.buffer.flush()
            else:
                console.print(_text(line))
            progress.advance(task)

        lines = asyncio.run(_send(feed, endpoint, timeout, secured, shown))
    accepted, total = sum(line.is_accepted for line in lines), len(messages) * repeat
    if not as_json and total > 1:
        console.print(Text(f"{accepted} sur {total} acceptés.", "green" if accepted == total else "red"))
    unreachable = bool(lines) and lines[-1].outcome == "unavailable" and not lines[-1].code
    context.exit(2 if unreachable else 0 if accepted == total else 1)


def _messages(path: Path, *, normalise: bool) -> Iterator[_ToSend]:
    """The messages of a file, byte for byte unless ``normalise``."""
    name = str(path).encode("utf-8", "replace").decode()
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE + 1)
    except OSError as error:
        raise click.UsageError(f"{name} ne peut être lu ({error.strerror}) : vérifier le chemin et les droits.") from error
    if len(raw) > MAX_FILE:
        raise click.UsageError(f"{name} dépasse {MAX_FILE // 1_000_000} Mo.")
    bodies = split_batch(raw).messages
    if not raw.strip() or not bodies:
        raise click.UsageError(f"{name} ne contient aucun message HL7.")
    for number, body in enumerate(bodies, 1):
        yield _ToSend(file=name, number=number, body=_normalised(body) if normalise else body)


def _normalised(raw: bytes) -> bytes:
    """The same segments, each ended by one CR; what is no message stays as it is."""
    try:
        message = Message.parse(raw)
    except Hl7Error:
        return raw
    return encode("".join(f"{segment.raw}\r" for segment in message.segments), message.charset.name)


async def _send(
    feed: Iterable[_ToSend], endpoint: Endpoint, wait: float, tls: ssl.SSLContext | None, shown: Callable[[Line], None]
) -> list[Line]:
    """Send in order; stop when nobody is there, or when several messages in a row got no answer."""
    pending: list[_ToSend] = []

    def bodies() -> Iterator[bytes]:
        for one in feed:
            pending.append(one)
            yield one.body

    lines: list[Line] = []
    silent = 0
    async with aclosing(send_messages(endpoint.host, endpoint.port, bodies(), wait=wait, tls=tls)) as answers:
        async for answer in answers:
            line = _line(pending.pop(), answer)
            lines.append(line)
            shown(line)
            silent = 0 if line.code else silent + 1
            if (line.outcome == "unavailable" and not line.code) or silent >= _GIVE_UP:
                break
    return lines


def _line(sent: _ToSend, answer: Acknowledged) -> Line:
    code, text, errors = "", "", tuple[str, ...]()
    if answer.reply:
        try:
            reply = read_ack(answer.reply)
        except Hl7Error:
            pass
        else:
            code, text = reply.code, reply.text
            errors = tuple(": ".join(part for part in (error.location, error.text) if part) for error in reply.errors)
    match answer.outcome:
        case Delivered():
            outcome, why = "accepted", ""
        case Refused(reason=why):
            outcome = "refused"
        case Unavailable(reason=why):
            outcome = "unavailable"
        case Uncertain(reason=why):
            outcome = "unanswered"
            # An answer that is another message's says nothing of this one.
            code, text, errors = "", "", ()
    return Line(
        file=sent.file,
        message=sent.number,
        control_id=answer.control_id,
        outcome=outcome,
        code=code,
        text=text or why,
        errors=errors,
    )


def _text(line: Line) -> Text:
    mark, colour = ("✓", "green") if line.is_accepted else ("✗", "red")
    text = Text.assemble((f"{mark} {clean(line.code) or '--'}  ", colour), (clean(line.control_id) or "sans MSH-10", "bold"))
    text.append(f"  {clean(line.text)}").append(f"  {clean(Path(line.file).name)}", "dim")
    if line.message > 1:
        text.append(f" [{line.message}]", "dim")
    for error in line.errors:
        text.append(f"\n      {clean(error)}", "yellow")
    return text


def _progress(total: int, *, as_json: bool) -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=as_json or total <= _MANY or not console.is_terminal)
