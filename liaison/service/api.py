"""The calls by which a coordination platform enrols patients and lets them leave: HTTP with a bearer secret, TLS off loopback.

``POST /v1/follows`` enrols; its body names the person, and only its body. ``DELETE /v1/follows/{list}/{reference}`` ends an enrolment by
the opaque reference that the POST gave. Nothing that identifies stands in a URL, an answer or a log.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import re
import socket
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog
import uvicorn
from litestar import Litestar, Request, Response, delete, post
from litestar.exceptions import HTTPException
from uvicorn.protocols.http.h11_impl import H11Protocol

from liaison.adapters.endpoint import parse_endpoint
from liaison.adapters.tls import server_context
from liaison.hub.enrolling import reference
from liaison.hub.journal.writer import CommandFailed, CommitUnknown
from liaison.private import Private
from liaison.service.configuration import ApiSettings
from liaison.service.follow_lines import FollowLine, LineFault, wanted_of
from liaison.service.secrets import secret_text

if TYPE_CHECKING:
    from liaison.service.running import RunningHub

log = structlog.get_logger()

#: Bytes of one call, seconds for it to come, connections at once.
MAX_BODY: Final = 16_384
CALL_SECONDS: Final = 10.0
MAX_CONNECTIONS: Final = 64
_REFERENCE: Final = re.compile(r"[0-9a-f]{64}")
_KEY: Final = re.compile(r"[!-~]{8,128}")
_BY: Final = "api"


class Enrolment(Private, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a POST."""

    list: str = ""
    ins: str = ""
    ipp: str = ""
    finess: str = ""
    authority: str = ""
    birth_date: str = ""
    since: str = ""
    until: str = ""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What a POST is answered: nothing that names the person."""

    list: str
    reference: str
    #: active, waiting (nobody is known by the identifier yet), disputed, left (the call is an old one, repeated).
    status: str


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(str(status))
        self.status, self.message = status, message


_body = msgspec.json.Decoder(Enrolment).decode
_Calling = Request[Any, Any, Any]


class FollowApi:
    """Serves the calls of one running hub from ``start`` to ``stop``."""

    def __init__(self, hub: RunningHub, settings: ApiSettings, folder: Path) -> None:
        """Raises SecretError when the secret cannot be read, ValueError, in French, when a certificate cannot be used."""
        self._hub = hub
        self._endpoint = parse_endpoint(settings.listen, "listen", any_port=True)
        self._secret = hashlib.sha256(secret_text(settings.token, folder).encode()).digest()
        self._tls = server_context(certificate=settings.certificate, key=settings.key) if settings.certificate else None
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self.port = self._endpoint.port

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be had."""
        family = socket.AF_INET6 if ":" in self._endpoint.host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((self._endpoint.host, self._endpoint.port))
            listening.setblocking(False)
        except BaseException:
            listening.close()
            raise
        self.port = listening.getsockname()[1]
        configuration = uvicorn.Config(
            self._application(),
            http=_Impatient,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=5,
            limit_concurrency=MAX_CONNECTIONS,
            h11_max_incomplete_event_size=MAX_BODY,
        )
        configuration.load()
        configuration.ssl = self._tls
        self._server = _Server(configuration)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]), name="api")
        ready = asyncio.ensure_future(self._server.ready.wait())
        await asyncio.wait([ready, self._serving], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()

    async def stop(self) -> None:
        """Take no more calls; those under way get a moment to end."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await asyncio.gather(self._serving, return_exceptions=True)

    def _application(self) -> Litestar:
        @post("/v1/follows", status_code=200)
        async def enrol(request: _Calling) -> Response[bytes]:
            return await self._answer(request, self._enrol(request))

        @delete("/v1/follows/{name:str}/{enrolled:str}", status_code=200)
        async def leave(request: _Calling) -> Response[bytes]:
            return await self._answer(request, self._leave(request))

        return Litestar(
            [enrol, leave],
            openapi_config=None,
            debug=False,
            logging_config=None,
            request_max_body_size=MAX_BODY,
            exception_handlers={HTTPException: _framework_refusal, Exception: _fault},
        )

    async def _answer(self, request: _Calling, work: Any) -> Response[bytes]:
        try:
            self._authenticate(request)
            async with asyncio.timeout(CALL_SECONDS):
                answer: Response[bytes] = await work
            return answer
        except _Refused as refused:
            return _error(refused.status, refused.message)
        except TimeoutError:
            return _error(408, "l'appel n'est pas arrivé entier à temps.")
        except (CommandFailed, CommitUnknown) as error:
            log.error("api.not_committed", error=type(error).__name__)
            return _error(503, "l'issue est inconnue : refaire le même appel, sous la même Idempotency-Key.")
        finally:
            work.close()

    def _authenticate(self, request: _Calling) -> None:
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        digest = hashlib.sha256(shown.encode("utf-8", "surrogateescape")).digest()
        if not hmac.compare_digest(digest, self._secret) or scheme.lower() != "bearer":
            log.warning("api.refused", peer=request.client.host if request.client else "")
            raise _Refused(401, "secret absent ou faux (Authorization: Bearer).")

    async def _enrol(self, request: _Calling) -> Response[bytes]:
        key = _idempotency_key(request)
        try:
            body = _body(await request.body())
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise _Refused(400, "le corps n'est pas l'objet JSON attendu : list, ins, ou ipp et finess…") from None
        lists = self._hub.policy.lists
        name = body.list or (next(iter(lists)) if len(lists) == 1 else "")
        line = FollowLine(
            ins=body.ins,
            ipp=body.ipp,
            finess=body.finess,
            authority=body.authority,
            birth_date=body.birth_date,
            since=body.since,
            until=body.until,
        )
        try:
            wanted = wanted_of(line, configuration=self._hub.configuration, name=name, by=_BY, key=key)
        except LineFault as fault:
            raise _Refused(422, str(fault)) from None
        (enrolled,) = await self._hub.follower.enrol((wanted,))
        log.info("api.enrolled", list=enrolled.list, status=str(enrolled.status), changed=enrolled.changed)
        answer = Answered(list=enrolled.list, reference=reference(enrolled.blind), status=str(enrolled.status))
        return Response(msgspec.json.encode(answer), status_code=201 if enrolled.changed else 200, media_type="application/json")

    async def _leave(self, request: _Calling) -> Response[bytes]:
        name, enrolled = request.path_params["name"], request.path_params["enrolled"]
        if name not in self._hub.policy.lists or not _REFERENCE.fullmatch(enrolled):
            raise _Refused(404, "aucune inscription sous cette liste et cette référence.")
        key = _idempotency_key(request, needed=False)
        ended = await self._hub.follower.leave(name, (bytes.fromhex(enrolled),), key=key)
        log.info("api.left", list=name, changed=bool(ended))
        return Response(b"", status_code=204)


class _Server(uvicorn.Server):
    """Leaves signals to the hub, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class _Impatient(H11Protocol):
    """Closes a connection that opens and does not ask: uvicorn itself only limits the time between two requests."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._asked = False
        self._late = asyncio.get_running_loop().call_later(CALL_SECONDS, self._give_up)

    def handle_events(self) -> None:
        super().handle_events()
        self._asked = getattr(self, "cycle", None) is not None

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if not self._asked:
            self.transport.close()


def _idempotency_key(request: _Calling, *, needed: bool = True) -> str:
    key: str = request.headers.get("idempotency-key", "")
    if not key and not needed:
        return ""
    if not _KEY.fullmatch(key):
        raise _Refused(400, "l'en-tête Idempotency-Key est demandé : 8 à 128 caractères, nouveau à chaque décision.")
    # The platform chooses it, and might choose the person's number.
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _error(status: int, message: str) -> Response[bytes]:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    content = msgspec.json.encode({"error": message})
    return Response(content, status_code=status, media_type="application/json", headers=headers)


def _framework_refusal(_request: _Calling, error: HTTPException) -> Response[bytes]:
    return _error(error.status_code, "l'appel n'est pas de ceux que cette plateforme prend.")


def _fault(_request: _Calling, error: Exception) -> Response[bytes]:
    log.error("api.fault", error=type(error).__name__)
    return _error(500, "faute de la plateforme : l'exploitant regarde ses logs.")
