"""``liaison conformance --listen``: a page where files are dropped, for people without Python.

Files are read in memory and forgotten with the answer; nothing is logged. One export is examined at a time, within a limit of bytes and of seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import click
import uvicorn
from litestar import Litestar, Request, Response, get, post
from litestar.config.allowed_hosts import AllowedHostsConfig
from litestar.exceptions import HTTPException

from liaison.adapters.endpoint import Endpoint
from liaison.care.units import Unit
from liaison.conformance.examine import NothingToRead, TookTooLong, examine
from liaison.conformance.page import drop_page, page_of, policy_for, stylesheet
from liaison.conformance.upload import NotAForm, posted_files
from liaison.mappings.interpretation import SourceProfile

#: Bytes of one export, seconds for it to arrive, seconds to examine it.
MAX_BODY: Final = 200_000_000
ARRIVAL_SECONDS: Final = 120.0
WORK_SECONDS: Final = 180.0
_CONNECTIONS: Final = 16
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")

_Asking = Request[Any, Any, Any]

BUSY: Final = "Un autre export est en cours d’examen : recommencer dans un instant."
ELSEWHERE: Final = "La demande vient d’un autre site : ouvrir cette page elle-même et y déposer les fichiers."
NO_FORM: Final = "La demande n’est pas celle de cette page : recharger la page et déposer les fichiers à nouveau."
TOO_SLOW: Final = "Les fichiers ne sont pas arrivés à temps : en déposer moins à la fois."
TOO_LONG: Final = "L’examen a dépassé le temps permis : découper l’export, ou employer la commande liaison conformance."
TOO_LARGE: Final = f"L’export dépasse {MAX_BODY // 1_000_000} Mo : le découper, ou employer la commande liaison conformance."
FAULT: Final = "L’examen a échoué chez nous : transmettre à l’exploitant l’heure de cet essai, sans les fichiers."


def serve(endpoint: Endpoint, profile: SourceProfile | None, units: Mapping[str, Unit] | None, workers: int) -> None:
    """Serve the page until it is interrupted. Raises OSError when the address cannot be had."""
    listening = socket.socket(socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET, socket.SOCK_STREAM)
    with contextlib.closing(listening):
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((endpoint.host, endpoint.port))
        port = int(listening.getsockname()[1])
        configuration = uvicorn.Config(
            application(endpoint, port, profile, units, workers),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=5,
        )
        click.echo(f"La page est servie sur http://{Endpoint(endpoint.host, port)}/ ; Ctrl-C pour arrêter.", err=True)
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(configuration).run(sockets=[listening])


def application(
    endpoint: Endpoint, port: int, profile: SourceProfile | None, units: Mapping[str, Unit] | None, workers: int
) -> Litestar:
    """The page, answering on names of this machine only when it listens there, so that no other site's name can lead to it."""
    working = asyncio.Lock()

    @get("/", sync_to_thread=False)
    def ask() -> Response[str]:
        return _page(drop_page())

    @post("/")
    async def answer(request: _Asking) -> Response[str]:
        if _is_from_elsewhere(request):
            return _page(drop_page(ELSEWHERE), 403)
        if working.locked():
            return _page(drop_page(BUSY), 503)
        async with working:
            return await _answer(request)

    async def _answer(request: _Asking) -> Response[str]:
        try:
            async with asyncio.timeout(ARRIVAL_SECONDS):
                body = await request.body()
            files = posted_files(request.headers.get("content-type", ""), body)
            del body
            report = await asyncio.to_thread(
                examine, files, now=datetime.now(UTC), profile=profile, units=units, workers=workers, seconds=WORK_SECONDS
            )
        except TimeoutError:
            return _page(drop_page(TOO_SLOW), 408)
        except NotAForm:
            return _page(drop_page(NO_FORM), 400)
        except NothingToRead as nothing:
            told = " ; ".join(f"{one.name} {one.why}" for one in nothing.unread[:10]) or "aucun fichier n’a été déposé"
            return _page(drop_page(f"Aucun message HL7 v2 n’a été trouvé : {told}."), 422)
        except TookTooLong:
            return _page(drop_page(TOO_LONG), 422)
        return _page(page_of(report))

    hosts = [f"{name}:{port}" for name in _LOOPBACK] if endpoint.is_loopback else None
    return Litestar(
        [ask, answer],
        allowed_hosts=AllowedHostsConfig(allowed_hosts=hosts) if hosts else None,
        openapi_config=None,
        debug=False,
        logging_config=None,
        request_max_body_size=MAX_BODY,
        exception_handlers={HTTPException: _refused, Exception: _fault},
    )


def _is_from_elsewhere(request: _Asking) -> bool:
    """Whether another site's page makes the browser ask: Sec-Fetch-Site says so, and Origin where a browser does not send it."""
    site, origin = request.headers.get("sec-fetch-site", ""), request.headers.get("origin", "")
    if site:
        return site not in ("same-origin", "none")
    return bool(origin) and urlsplit(origin).netloc != request.headers.get("host", "")


def _page(content: str, status: int = 200) -> Response[str]:
    headers = {
        "Content-Security-Policy": f"{policy_for(stylesheet())}; frame-ancestors 'none'",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    return Response(content, status_code=status, media_type="text/html", headers=headers)


def _refused(_request: _Asking, error: HTTPException) -> Response[str]:
    return _page(drop_page(TOO_LARGE if error.status_code == 413 else NO_FORM), error.status_code)


def _fault(_request: _Asking, _error: Exception) -> Response[str]:
    return _page(drop_page(FAULT), 500)
