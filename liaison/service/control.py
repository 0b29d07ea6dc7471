"""The control socket: how operators act on a running hub. A Unix socket beside the journal, for the hub's own user and root.

One JSON object a line, answered by one: ``{"act": "pause", "arguments": {"name": "promess"}, "reason": "…"}``. Each act is in the
audit before it takes effect, with who asked (as the kernel says) and why, and its outcome when it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
import structlog

from liaison.hub.audit import ActOutcome, EndAct, NoteAct
from liaison.hub.journal.writer import CommandFailed, CommitUnknown
from liaison.private import Private
from liaison.service.act import Act, ActRefused, Call, FolderOf, Operator, WrongUse, is_hub_id
from liaison.service.acts import auditing, deliveries, following, forgetting, pausing, proposals, quarantine

if TYPE_CHECKING:
    from liaison.service.running import RunningHub

log = structlog.get_logger()

#: Every act. A new file of ``service/acts/`` adds its own here.
ACTS: Mapping[str, Act] = {
    act.name: act for acts in (pausing, deliveries, quarantine, auditing, proposals, following, forgetting) for act in acts.ACTS
}

#: Bytes of one request.
MAX_REQUEST = 1_048_576
#: Seconds for a request to come whole, and between two requests of a connection.
REQUEST_SECONDS = 30.0
#: Seconds that acts under way get when the hub stops.
_DRAIN = 5.0
MAX_CONNECTIONS = 16
SHORTEST_REASON, LONGEST_REASON = 3, 500


class Request(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line from an operator's command."""

    act: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")
    reason: str = ""


class Done(Private, frozen=True, kw_only=True, tag_field="answer", tag="done"):
    """The act was done."""

    result: msgspec.Raw


class Not(Private, frozen=True, kw_only=True, tag_field="answer", tag="not"):
    """The act was not done: ``no`` for a refusal, ``usage`` for a wrong call, ``fault`` for one of ours. ``message`` is French."""

    why: Literal["no", "usage", "fault"]
    message: str


ControlAnswer: TypeAlias = Done | Not

_request = msgspec.json.Decoder(Request).decode
_encode = msgspec.json.Encoder().encode


class ControlSocket:
    """Serves the acts of one hub from ``start`` to ``stop``."""

    def __init__(self, hub: RunningHub, path: Path) -> None:
        self._hub = hub
        self._path = path
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        #: Connections that wait for a request.
        self._idle: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen. Raises OSError when the folder does not allow it."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.setblocking(False)
            with FolderOf(self._path) as name:
                # The journal's lock is ours: whoever left a socket here is dead.
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name)
                listening.bind(name)
                # Nobody can connect before listen().
                os.chmod(name, 0o600)
            self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=MAX_REQUEST)
        except BaseException:
            listening.close()
            raise

    async def stop(self) -> None:
        """Take no more requests; acts under way get a moment to end."""
        if self._server is None:
            return
        self._server.close()
        self._path.unlink(missing_ok=True)
        for writer in self._idle:
            writer.close()
        if self._serving:
            _, late = await asyncio.wait(self._serving, timeout=_DRAIN)
            for task in late:
                task.cancel()
            await asyncio.gather(*late)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._serving) >= MAX_CONNECTIONS:
            writer.close()
            return
        self._serving.add(task)
        try:
            await self._conversation(reader, writer, _operator(writer))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            log.info("control.connection_lost")
        except asyncio.CancelledError:
            # Only ``stop`` cancels, and asyncio's own callback takes a cancelled handler for a fault.
            log.warning("control.act_cut_off")
        finally:
            self._serving.discard(task)
            writer.close()

    async def _conversation(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, operator: Operator) -> None:
        while self._server is not None and self._server.is_serving():
            self._idle.add(writer)
            try:
                async with asyncio.timeout(REQUEST_SECONDS):
                    line = await reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                writer.write(_encode(Not(why="usage", message="la demande dépasse 1 Mo.")) + b"\n")
                await writer.drain()
                return
            except asyncio.IncompleteReadError as end:
                if end.partial:
                    raise
                return
            finally:
                self._idle.discard(writer)
            answer = await self._answer(line, operator)
            writer.write(_encode(answer) + b"\n")
            async with asyncio.timeout(REQUEST_SECONDS):
                await writer.drain()

    async def _answer(self, line: bytes, operator: Operator) -> ControlAnswer:
        try:
            request = _request(line)
            act = ACTS.get(request.act)
            if act is None:
                return Not(why="usage", message="la plateforme ne connaît pas cet acte : sa version est peut-être plus ancienne.")
            arguments = msgspec.json.decode(request.arguments, type=act.arguments)
        except msgspec.MsgspecError:
            return Not(why="usage", message="la demande ne peut être lue : vérifier l'identifiant ou les options.")
        reason = request.reason.strip()
        if len(reason) > LONGEST_REASON or (act.needs_reason and len(reason) < SHORTEST_REASON):
            return Not(why="usage", message=f"donner un motif de {SHORTEST_REASON} à {LONGEST_REASON} caractères (--reason).")
        try:
            return await self._do(act, arguments, Call(operator=operator, reason=reason))
        except (CommandFailed, CommitUnknown) as error:
            log.error("control.audit_failed", act=act.name, error=type(error).__name__)
            return Not(why="fault", message="le journal n'a pas pu être écrit : l'issue est inconnue, regarder les logs.")

    async def _do(self, act: Act, arguments: msgspec.Struct, call: Call) -> ControlAnswer:
        commit = self._hub.journal.writer.commit
        target = _target(self._hub, str(getattr(arguments, act.target)) if act.target else "")
        noted = await commit(NoteAct(operator=call.operator.name, act=act.name, target=target, reason=call.reason))
        log.info("control.act", act=act.name, operator=call.operator.name, target=target)
        outcome = ActOutcome.FAILED
        answer: ControlAnswer
        try:
            async with asyncio.timeout(act.seconds):
                result = await act.run(self._hub, arguments, call)
            outcome, answer = ActOutcome.DONE, Done(result=msgspec.Raw(_encode(result)))
        except ActRefused as refused:
            outcome, answer = ActOutcome.REFUSED, Not(why="no", message=str(refused))
        except WrongUse as wrong:
            outcome, answer = ActOutcome.REFUSED, Not(why="usage", message=str(wrong))
        except Exception as error:  # noqa: BLE001 - an act's fault must not end the socket, and its text may name somebody
            log.error("control.act_failed", act=act.name, error=type(error.__cause__ or error).__name__)
            answer = Not(why="fault", message="l'acte a échoué par la faute de la plateforme : regarder les logs, puis l'état.")
        finally:
            await commit(EndAct(noted=noted, outcome=outcome))
        return answer


def _operator(writer: asyncio.StreamWriter) -> Operator:
    # uvloop's own socket object does not give options.
    with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as connected:
        return Operator.at(connected)


def _target(hub: RunningHub, text: str) -> str:
    """What the audit may hold in the clear: what an operator typed is kept only where it is known to name nobody."""
    configuration = hub.configuration
    return text if is_hub_id(text) or text in configuration.destinations or text in configuration.sources else ""
