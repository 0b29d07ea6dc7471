from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import aiohttp
import pytest
import uvicorn

from liaison.demo.live import MAX_FILE, live_page
from liaison.demo.mail import Attachment, MailView
from liaison.demo.pace import Pace
from liaison.demo.scene import Scene

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"
OURS = {"X-Liaison-Demo": "1"}


def adt(name: str = "DUPONT") -> bytes:
    name = name.replace("&", "\\T\\")
    return (
        "MSH|^~\\&|A|B|C|D|20261120100000||ADT^A01^ADT_A01|42|T|2.5|||||FRA|UNICODE UTF-8\r"
        f"PID|1||7^^^B^PI||{name}^JEAN^^^^^L||19480212|M\rPV1|1|I\r"
    ).encode()


def told(**more: Any) -> dict[str, Any]:
    return {"kind": "ADT^A01", "verdict": "accepted", "acknowledgement": None, "findings": [], "events": [], "documents": [],
            "decisions": [], **more}  # fmt: skip


def mail(**more: Any) -> MailView:
    fields: dict[str, Any] = {
        "at": NOW, "sender": "Liaison <l@x.fr>", "recipients": ("gp@x.fr",), "subject": "XDM/1.0/DDM+Lettre DUPONT JEAN",
        "headers": (("Subject", HOSTILE),), "text": HOSTILE, "size": 10,
        "pdfs": (Attachment(name='a"\r\nb.pdf', content=b"%PDF-1.4"),),
        "documents": (Attachment(name="DOC0001.XML", content=f"<a t='{'x' * 3}'>&lt;script&gt;</a>".encode()),),
    }  # fmt: skip
    return MailView(**{**fields, **more})


class Visit:
    """The page on a real loopback server, and a client of it."""

    def __init__(self, scene: Scene, pace: Pace, address: str, client: aiohttp.ClientSession) -> None:
        self.scene, self.pace, self.address, self.client = scene, pace, address, client
        self.explained: list[bytes] = []

    async def get(self, path: str, **more: Any) -> tuple[int, str, Any]:
        async with self.client.get(self.address + path, **more) as response:
            return response.status, await response.text(), response.headers

    async def post(self, path: str, **more: Any) -> tuple[int, str]:
        async with self.client.post(self.address + path, **more) as response:
            return response.status, await response.text()


class Server(uvicorn.Server):
    ready: asyncio.Event

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@pytest.fixture
async def visit(unused_tcp_port: int) -> AsyncGenerator[Visit]:
    scene, pace = Scene(), Pace(NOW, 0)
    explained: list[bytes] = []

    def explain(raw: bytes) -> dict[str, Any]:
        explained.append(raw)
        return told(findings=[{"severity": "error", "where": "PID-3", "rule": "r", "message": HOSTILE, "remedy": ""}])

    page = live_page(scene, pace, explain, port=unused_tcp_port)
    server = Server(uvicorn.Config(page, port=unused_tcp_port, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    server.ready = asyncio.Event()
    serving = asyncio.create_task(server._serve())  # pyright: ignore[reportPrivateUsage]
    await server.ready.wait()
    async with aiohttp.ClientSession() as client:
        visiting = Visit(scene, pace, f"http://127.0.0.1:{unused_tcp_port}", client)
        visiting.explained = explained
        yield visiting
        scene.close()
        server.should_exit = True
        await serving


async def test_an_empty_page_says_what_is_awaited(visit: Visit) -> None:
    status, text, _ = await visit.get("/")
    assert status == 200
    assert text.count('class="empty"') == 3


async def test_every_answer_forbids_foreign_and_inline_scripts_and_caches(visit: Visit) -> None:
    visit.scene.record_message(told(), adt(), "ch-dax", NOW)
    for path in ("/", "/messages/1", "/static/app.js", "/static/app.css", "/messages/999"):
        _, text, headers = await visit.get(path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy, path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        if path.startswith(("/messages", "/?")) or path == "/":
            assert not re.search(r"<script(?![^>]*src=)|\sstyle=|\son\w+=|https?://(?!127)", text)


async def test_what_comes_from_outside_is_text_never_markup(visit: Visit) -> None:
    finding = {"severity": "warning", "where": HOSTILE, "rule": HOSTILE, "message": HOSTILE, "remedy": HOSTILE}
    decision = {"destination": HOSTILE, "recipient": HOSTILE, "outcome": "hold", "reason": HOSTILE, "rule": HOSTILE}
    event = {"specversion": "1.0", "id": HOSTILE, "source": HOSTILE, "type": HOSTILE, "subject": f'"{HOSTILE}', "time": HOSTILE,
             "data": {"patient": {"birth_name": HOSTILE}, "stay": {"place": {"uf_medical_label": HOSTILE}}}}  # fmt: skip
    document = {"type": HOSTILE, "title": HOSTILE, "level": HOSTILE, "version": 1, "action": HOSTILE}
    view = told(verdict=HOSTILE, findings=[finding], decisions=[decision], events=[event], documents=[document])
    visit.scene.record_message(view, adt(HOSTILE), HOSTILE, NOW)
    visit.scene.record_event(event, NOW)
    visit.scene.record_mail(mail(sender=HOSTILE, recipients=(HOSTILE,), subject=HOSTILE, trouble=HOSTILE))
    for path in ("/", "/messages/1", "/mails/1", "/mails/1/document/0"):
        status, text, _ = await visit.get(path)
        assert status == 200
        assert "<script>alert" not in text
        assert "lt;script" in text, path


async def test_live_events_bring_rows_as_they_happen(visit: Visit) -> None:
    async with visit.client.get(visit.address + "/live") as response:
        assert response.content_type == "text/event-stream"
        assert await response.content.readline() == b"event: clock\r\n"
        visit.scene.record_message(told(), adt(HOSTILE), "ch-dax", NOW)
        visit.scene.record_mail(mail())
        seen = b""
        while b"event: mail" not in seen or not seen.endswith(b"\r\n\r\n"):
            seen += await response.content.readline()
    assert b"event: message" in seen
    assert b"&lt;script&gt;" in seen and b"<script>" not in seen


async def test_a_pdf_opens_in_place_under_a_name_that_cannot_break_its_header(visit: Visit) -> None:
    visit.scene.record_mail(mail())
    async with visit.client.get(visit.address + "/mails/1/pdf/0") as response:
        assert response.content_type == "application/pdf"
        assert response.headers["Content-Disposition"] == "inline; filename*=UTF-8''a%22%0D%0Ab.pdf"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert await response.read() == b"%PDF-1.4"
    assert (await visit.get("/mails/1/pdf/1"))[0] == 404
    assert (await visit.get("/mails/7"))[0] == 404


async def test_a_visitors_file_is_explained(visit: Visit) -> None:
    status, text = await visit.post("/explain", data=adt(), headers=OURS)
    assert status == 200
    assert visit.explained == [adt()]
    assert "&lt;script&gt;" in text and "<script>" not in text
    assert "PID" in text


async def test_a_file_too_large_is_refused_before_it_is_explained(visit: Visit) -> None:
    status, _ = await visit.post("/explain", data=BytesIO(b"x" * (MAX_FILE + 1)), headers=OURS)
    assert status == 413
    assert visit.explained == []
    assert (await visit.post("/explain", data=b"", headers=OURS))[0] == 400


async def test_another_sites_page_can_ask_for_nothing(visit: Visit) -> None:
    assert (await visit.post("/explain", data=adt()))[0] == 403
    assert (await visit.post("/speed/60"))[0] == 403
    assert (await visit.get("/", headers={"Host": "attacker.example"}))[0] == 400
    assert visit.explained == []
    assert visit.pace.speed == 0


async def test_the_speed_changes_to_one_that_is_offered(visit: Visit) -> None:
    assert (await visit.post("/speed/60", headers=OURS))[0] == 204
    assert visit.pace.speed == 60
    assert (await visit.post("/speed/7", headers=OURS))[0] == 400
    async with visit.client.get(visit.address + "/live") as response:
        await response.content.readline()
        data = json.loads((await response.content.readline()).removeprefix(b"data: "))
    assert data["speed"] == 60
