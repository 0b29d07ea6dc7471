"""The live page: the feed, the coordinator's timeline, the physicians' inbox, and an explanation of a visitor's own file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import cast
from urllib.parse import quote

import jinja2
import msgspec
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.config.allowed_hosts import AllowedHostsConfig
from litestar.datastructures import MutableScopeHeaders, State
from litestar.exceptions import ClientException, NotFoundException, PermissionDeniedException
from litestar.params import FromPath
from litestar.response import ServerSentEvent, ServerSentEventMessage
from litestar.router import Router
from litestar.static_files import create_static_files_router  # pyright: ignore[reportUnknownVariableType]
from litestar.types import Message
from litestar.types import Scope as AsgiScope

from liaison.demo import words
from liaison.demo.hospital import HOSPITALS
from liaison.demo.mail import pretty
from liaison.demo.pace import SPEEDS, Pace
from liaison.demo.scene import Change, Json, Notice, Scene, event_label
from liaison.demo.stays import PARIS
from liaison.demo.xmlcolour import coloured

#: Largest file that a visitor may have explained.
MAX_FILE = 8 * 1024 * 1024
_MAX_EXPLAINED = 50
_PAGE = Path(__file__).with_name("page")

#: No script or style but our own files; nothing from anywhere else.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

#: What ``liaison explain --json`` answers for a file: one object a message.
Explain = Callable[[bytes], Json | Sequence[Json]]


class LivePage:
    """What the handlers share."""

    def __init__(self, scene: Scene, pace: Pace, explain: Explain) -> None:
        self.scene = scene
        self.pace = pace
        self.explain = explain
        loader = jinja2.FileSystemLoader(_PAGE)
        self._templates = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
        filters = cast(dict[str, Callable[..., object]], self._templates.filters)
        filters.update(local=_local, json=_json, hue=_hue, event_label=event_label)

    def html(self, template: str, **values: object) -> str:
        return self._templates.get_template(template).render(**values)

    def clock(self) -> str:
        """What the header shows, as JSON."""
        now = self.pace.now
        return msgspec.json.encode(
            {"clock": f"{now:%d/%m/%Y %H:%M}", "speed": self.pace.speed, "counts": self.scene.counts}
        ).decode()

    def fragment(self, change: Change) -> str:
        """One row, as the page's script puts it in."""
        kind, view = change
        return self.html(f"row_{kind}.html", **{kind: view})

    async def changes(self) -> AsyncGenerator[ServerSentEventMessage, None]:
        """The page's live events: rows as HTML, and the clock once a second."""
        async with self.scene.watch() as queue:
            yield ServerSentEventMessage(event="clock", data=self.clock())
            told = time.monotonic()
            while True:
                change = await _next(queue, max(0.0, told + 1.0 - time.monotonic()))
                if change is Notice.STOP:
                    return
                if isinstance(change, Notice):
                    yield ServerSentEventMessage(event="reload", data="1")
                elif change is not None:
                    yield ServerSentEventMessage(event=change[0], data=self.fragment(change))
                if time.monotonic() - told >= 1.0:
                    yield ServerSentEventMessage(event="clock", data=self.clock())
                    told = time.monotonic()


async def _next(queue: asyncio.Queue[Change | Notice], patience: float) -> Change | Notice | None:
    try:
        async with asyncio.timeout(patience):
            return await queue.get()
    except TimeoutError:
        return None


def live_page(scene: Scene, pace: Pace, explain: Explain, *, port: int) -> Litestar:
    """The application, answering on loopback names with ``port`` only, so that no other site's name can lead to it.

    ``explain`` is run in a thread with the bytes of a visitor's file.
    """
    page = LivePage(scene, pace, explain)
    return Litestar(
        route_handlers=[
            home,
            live,
            message_detail,
            mail_detail,
            mail_pdf,
            mail_document,
            explain_file,
            change_speed,
            _static_files(),
        ],
        state=State({"page": page}),
        allowed_hosts=AllowedHostsConfig(allowed_hosts=[f"127.0.0.1:{port}", f"localhost:{port}"]),
        before_send=[_secure],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=MAX_FILE,
        debug=False,
    )


def _static_files() -> Router:
    return create_static_files_router(path="/static", directories=[_PAGE / "static"])


async def _secure(message: Message, scope: AsgiScope) -> None:
    """Put the headers on whatever is answered, refusals too."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        for name, value in _HEADERS.items():
            if name not in headers:
                headers[name] = value


def _page(state: State) -> LivePage:
    page = state["page"]
    assert isinstance(page, LivePage)
    return page


@get("/", media_type=MediaType.HTML, sync_to_thread=False)
def home(state: State) -> str:
    page = _page(state)
    timelines = list(reversed(page.scene.timelines.values()))
    return page.html("page.html", scene=page.scene, timelines=timelines, pace=page.pace, speeds=SPEEDS, max_file=MAX_FILE)


@get("/live", sync_to_thread=False)
def live(state: State) -> ServerSentEvent:
    return ServerSentEvent(_page(state).changes())


@get("/messages/{number:int}", media_type=MediaType.HTML, sync_to_thread=False)
def message_detail(state: State, number: FromPath[int]) -> str:
    page = _page(state)
    view = page.scene.message(number)
    if view is None:
        raise NotFoundException("Ce message n'est plus affiché : seuls les derniers sont gardés.")
    return page.html("message.html", message=view, segments=words.in_words(view.raw), explanation=view.explanation)


@get("/mails/{number:int}", media_type=MediaType.HTML, sync_to_thread=False)
def mail_detail(state: State, number: FromPath[int]) -> str:
    page = _page(state)
    mail = page.scene.mail(number)
    if mail is None:
        raise NotFoundException("Ce courriel n'est plus affiché : seuls les derniers sont gardés.")
    return page.html("mail.html", mail=mail)


@get("/mails/{number:int}/pdf/{index:int}", sync_to_thread=False)
def mail_pdf(state: State, number: FromPath[int], index: FromPath[int]) -> Response[bytes]:
    mail = _page(state).scene.mail(number)
    if mail is None or not 0 <= index < len(mail.pdfs):
        raise NotFoundException("Ce document n'est plus affiché.")
    attachment = mail.pdfs[index]
    headers = {
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(attachment.name, safe='')}",
        # Only this page may show it; the browser's own viewer needs nothing else said.
        "Content-Security-Policy": "frame-ancestors 'self'",
    }
    return Response(attachment.content, media_type="application/pdf", headers=headers)


@get("/mails/{number:int}/document/{index:int}", media_type=MediaType.HTML)
async def mail_document(state: State, number: FromPath[int], index: FromPath[int]) -> str:
    page = _page(state)
    mail = page.scene.mail(number)
    if mail is None or not 0 <= index < len(mail.documents):
        raise NotFoundException("Ce document n'est plus affiché.")
    document = mail.documents[index]
    source = await asyncio.to_thread(pretty, document.content)
    return page.html("document.html", name=document.name, lines=coloured(source))


@post("/explain", media_type=MediaType.HTML, status_code=200)
async def explain_file(state: State, request: Request[object, object, State]) -> str:
    _from_this_page(request)
    page = _page(state)
    raw = await request.body()
    if not raw:
        raise ClientException("Le fichier est vide.")
    found = await asyncio.to_thread(page.explain, raw)
    explanations = [found] if isinstance(found, dict) else list(found)
    segments = words.in_words(raw) if len(explanations) == 1 else ()
    return page.html(
        "explained.html", explanations=explanations[:_MAX_EXPLAINED], left_out=len(explanations[_MAX_EXPLAINED:]), segments=segments
    )


@post("/speed/{speed:int}", status_code=204, sync_to_thread=False)
def change_speed(state: State, request: Request[object, object, State], speed: FromPath[int]) -> None:
    _from_this_page(request)
    try:
        _page(state).pace.set_speed(speed)
    except ValueError as error:
        raise ClientException("Cette vitesse n'est pas proposée.") from error


def _from_this_page(request: Request[object, object, State]) -> None:
    """Another site's page can post to loopback, but not with a header of its own: the browser would ask first."""
    if request.headers.get("X-Liaison-Demo") != "1":
        raise PermissionDeniedException("Demande refusée : elle ne vient pas de cette page.")


def _local(moment: object, form: str = "%H:%M:%S") -> str:
    """A datetime in the time of the hospitals."""
    return moment.astimezone(PARIS).strftime(form) if isinstance(moment, datetime) else ""


def _hue(source: str) -> int:
    """The number of a hospital's colour."""
    return next((index for index, hospital in enumerate(HOSPITALS) if hospital.key == source), 0)


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
