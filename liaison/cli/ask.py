"""Asking a running hub: the client's side of its control socket, and the options that every such command has."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import click
import msgspec

from liaison.service.act import FolderOf, control_path
from liaison.service.configuration import ConfigurationError
from liaison.service.control import MAX_REQUEST, ControlAnswer, Done, Not
from liaison.service.loader import load_configuration

T = TypeVar("T")

#: Seconds for an answer: longer than any act may take.
_PATIENCE = 900.0
_answer = msgspec.json.Decoder(ControlAnswer).decode

config_option = click.option("--config", "path", type=click.Path(path_type=Path, dir_okay=False), help="Fichier de configuration.")
json_option = click.option("--json", "as_json", is_flag=True, help="Répondre en JSON.")
reason_option = click.option("--reason", required=True, metavar="MOTIF", help="Pourquoi : gardé, chiffré, avec votre nom.")


class Line:
    """A connection to the running hub of a configuration; several acts may be asked one after the other.

    Every fault ends the command with its exit code: 1 the hub says no or could not, 2 wrong use, or no hub that runs.
    """

    def __init__(self, path: Path | None) -> None:
        try:
            self._path = control_path(load_configuration(path).journal_path)
        except OSError as error:
            raise click.UsageError(f"{path} ne peut être lu ({error.strerror}) : vérifier le chemin et les droits.") from error
        except ConfigurationError as error:
            raise click.UsageError(str(error)) from error
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self) -> Self:
        self._socket.settimeout(_PATIENCE)
        try:
            with FolderOf(self._path) as name:
                self._socket.connect(name)
        except PermissionError as error:
            self._socket.close()
            raise click.UsageError(
                f"{self._path} est réservé à l'utilisateur de la plateforme : agir sous ce compte (sudo -u)."
            ) from error
        except OSError as error:
            self._socket.close()
            raise click.UsageError(
                f"aucune plateforme ne tourne sur ce journal ({self._path}) : la démarrer, ou indiquer sa configuration (--config)."
            ) from error
        self._lines = self._socket.makefile("rb")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lines.close()
        self._socket.close()

    def ask(self, act: str, arguments: Mapping[str, Any], *, answer: type[T], reason: str = "") -> T:
        """Ask for an act; its answer, read as ``answer``."""
        request = msgspec.json.encode({"act": act, "arguments": arguments, "reason": reason}) + b"\n"
        if len(request) > MAX_REQUEST:
            raise click.UsageError("la demande dépasse 1 Mo.")
        try:
            self._socket.sendall(request)
            line = self._lines.readline()
            given: ControlAnswer = _answer(line)
        except (OSError, msgspec.DecodeError):
            click.echo(
                "la plateforme n'a pas répondu : l'issue est inconnue, regarder ses logs et « liaison audit list ».", err=True
            )
            sys.exit(1)
        match given:
            case Done(result=result):
                return msgspec.json.decode(result, type=answer)
            case Not(why="usage", message=message):
                raise click.UsageError(message)
            case Not(message=message):
                click.echo(message, err=True)
                sys.exit(1)


def ask(path: Path | None, act: str, arguments: Mapping[str, Any], *, answer: type[T], reason: str = "") -> T:
    """Ask the running hub of a configuration for one act."""
    with Line(path) as line:
        return line.ask(act, arguments, answer=answer, reason=reason)


def print_json(value: object) -> None:
    """What ``--json`` prints."""
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()
