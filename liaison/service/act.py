"""The contract of an operator's act: what it is called, what it takes, who asks for it and why."""

from __future__ import annotations

import os
import pwd
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeAlias

import msgspec

from liaison.private import Private

if TYPE_CHECKING:
    from liaison.service.running import RunningHub

#: An id of the hub's as an argument: sixteen hexadecimal digits of a 63-bit number.
HubId: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-7][0-9a-f]{15}$")]

#: No login session: what the kernel says of a process that a boot started (proc(5), loginuid).
_NO_SESSION = 2**32 - 1


class ActRefused(Exception):
    """The answer is no, and nothing changed; says why and what to do, in French, without any identity."""


class WrongUse(Exception):
    """The act was asked for in a way that means nothing; says what to write instead, in French."""


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """Who is at the other end of the socket, as the kernel says; nothing here is the caller's own word."""

    #: Login that the calling process runs under.
    login: str
    #: Login that the session was opened with, which ``sudo`` does not change; empty when the kernel does not tell.
    session: str = ""

    @classmethod
    def at(cls, connected: socket.socket) -> Self:
        """The peer of a connected Unix socket (SO_PEERCRED)."""
        size = struct.calcsize("3i")
        pid, uid, _ = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        login = _login(uid)
        try:
            session = int(Path(f"/proc/{pid}/loginuid").read_text("ascii"))
        except (OSError, ValueError):
            session = _NO_SESSION
        return cls(login=login, session="" if session == _NO_SESSION else _login(session))

    @property
    def name(self) -> str:
        """How the audit names them: who opened the session, and under which login they act when that is another."""
        return self.login if self.session in ("", self.login) else f"{self.session} ({self.login})"


def _login(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


class Call(Private, frozen=True, kw_only=True):
    """One asking: who, and why."""

    operator: Operator
    reason: str


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an operator may ask of a running hub."""

    #: ``pause``, ``held.release``…
    name: str
    #: What it takes; its JSON is read strictly.
    arguments: type[msgspec.Struct]
    #: Does it; what it returns is sent back as JSON. Raises ActRefused or WrongUse.
    run: Callable[[RunningHub, Any, Call], Awaitable[object]]
    #: The argument that says what it is about, for the audit; kept there only where it is an id or a name of the configuration.
    target: str = ""
    needs_reason: bool = True
    #: Whether its answer may hold health data.
    shows_health_data: bool = False
    #: Seconds that it may take.
    seconds: float = 60.0


class Nothing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of an act that takes none."""


def is_hub_id(text: str) -> bool:
    """Whether a text has the form of an id of the hub's."""
    return len(text) == 16 and text[0] in "01234567" and all(digit in "0123456789abcdef" for digit in text)


def control_path(journal: Path) -> Path:
    """Where a running hub's control socket is: beside its journal."""
    return journal.with_name(journal.name + "-control")


class FolderOf:
    """A folder held open, through which a socket has a short name: a Unix socket's path may have 107 bytes at most."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._descriptor = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)

    def __enter__(self) -> str:
        return f"/proc/self/fd/{self._descriptor}/{self._name}"

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
