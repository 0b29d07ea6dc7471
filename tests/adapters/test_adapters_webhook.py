"""CloudEvents over HTTP to a real server: what each answer means, and what never happens."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from liaison.adapters.http_exchange import LONGEST_RETRY_AFTER, judge
from liaison.adapters.webhook import Webhook, WebhookSettings, signature
from liaison.hub.contracts import Delivered, Parcel, Refused, Unavailable, Uncertain
from tests.servers.authority import Authority
from tests.servers.ports import free_port

EVENT = b'{"specversion":"1.0","id":"0197"}'
NOW = 1_795_310_000.0


def parcel(body: bytes = EVENT) -> Parcel:
    return Parcel(id="0197", kind="stay.admitted", body=body, content_type="application/cloudevents+json", lane="a", lane_seq=1)


class Platform:
    """Keeps what it was sent; answers by the handler of the test, else 204."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]] | None = None) -> None:
        self.handler = handler
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.peers: set[object] = set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append((request.path_qs, {**request.headers}, await request.read()))
        assert request.transport is not None
        self.peers.add(request.transport.get_extra_info("peername"))
        return web.Response(status=204) if self.handler is None else await self.handler(request)

    @asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
        runner = web.ServerRunner(web.Server(self.handle), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        try:
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()


@asynccontextmanager
async def posting(platform: Platform, **settings: object) -> AsyncGenerator[Webhook]:
    async with platform.serving() as port:
        chosen = {"url": f"http://127.0.0.1:{port}/events?tenant=1", "timeout": 5.0, **settings}
        webhook = Webhook("platform", msgspec.convert(chosen, WebhookSettings))
        try:
            yield webhook
        finally:
            await webhook.close()


def answering(status: int, **headers: str) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return handler


async def test_an_event_is_posted_as_it_is_with_its_type_and_its_key() -> None:
    platform = Platform()
    async with posting(platform, token="s3cret") as webhook:
        assert await webhook.deliver(parcel()) == Delivered(reference="HTTP 204")
        assert "s3cret" not in repr(webhook)
    path, headers, body = platform.requests[0]
    assert path == "/events?tenant=1"
    assert body == EVENT
    assert headers["Content-Type"] == "application/cloudevents+json"
    assert headers["Idempotency-Key"] == "0197"
    assert headers["Authorization"] == "Bearer s3cret"


async def test_connections_are_kept_and_bounded() -> None:
    platform = Platform()
    async with posting(platform, connections=3) as webhook:
        outcomes = await asyncio.gather(*(webhook.deliver(parcel()) for _ in range(50)))
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert len(platform.peers) <= 3


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Delivered(reference="HTTP 200")),
        (202, Delivered(reference="HTTP 202", receipt="accepted")),
        (409, Delivered(reference="HTTP 409")),
        (400, Refused),
        (401, Refused),
        (404, Refused),
        (410, Refused),
        (413, Refused),
        (422, Refused),
        (302, Refused),
        (308, Refused),
        (408, Unavailable),
        (425, Unavailable),
        (429, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
async def test_what_a_status_means(status: int, expected: Delivered | type[Refused | Unavailable]) -> None:
    platform = Platform(answering(status))
    async with posting(platform) as webhook:
        outcome = await webhook.deliver(parcel())
    assert isinstance(outcome, expected) if isinstance(expected, type) else outcome == expected
    if isinstance(outcome, Refused):
        assert outcome.code == str(status)


async def test_a_redirect_is_not_followed() -> None:
    other = Platform()
    async with other.serving() as elsewhere:
        platform = Platform(answering(307, Location=f"http://127.0.0.1:{elsewhere}/steal"))
        async with posting(platform) as webhook:
            assert isinstance(await webhook.deliver(parcel()), Refused)
    assert other.requests == []


async def test_retry_after_is_honoured() -> None:
    platform = Platform(answering(429, Retry_After="120"))
    async with posting(platform) as webhook:
        outcome = await webhook.deliver(parcel())
    assert isinstance(outcome, Unavailable)
    assert outcome.retry_after == 120.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", 0.0),
        ("999999999", LONGEST_RETRY_AFTER),
        ("99999999999999999999", None),
        ("Sun, 22 Nov 2026 02:00:00 GMT", 1_795_312_800.0 - NOW),
        ("Sun, 22 Nov 2020 02:00:00 GMT", 0.0),
        ("Sun, 22 Nov 9026 02:00:00 GMT", LONGEST_RETRY_AFTER),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_never_absurd(text: str, seconds: float | None) -> None:
    outcome = judge(503, text, NOW)
    assert isinstance(outcome, Unavailable)
    assert outcome.retry_after == seconds


@given(st.integers(200, 599), st.text(max_size=40))
def test_every_answer_has_a_meaning(status: int, retry_after: str) -> None:
    outcome = judge(status, retry_after, NOW)
    assert not isinstance(outcome, Uncertain)
    if isinstance(outcome, Unavailable) and outcome.retry_after is not None:
        assert 0 <= outcome.retry_after <= LONGEST_RETRY_AFTER


async def test_no_server_is_unavailable_and_the_probe_says_where() -> None:
    port = free_port()
    webhook = Webhook("platform", WebhookSettings(url=f"http://127.0.0.1:{port}/secret-path"))
    outcome = await webhook.deliver(parcel())
    assert isinstance(outcome, Unavailable)
    assert f"127.0.0.1:{port}" in outcome.reason
    assert "secret-path" not in outcome.reason
    with pytest.raises(ConnectionError, match=f"127.0.0.1:{port}"):
        await webhook.probe()
    await webhook.close()


async def test_a_probe_sends_no_request() -> None:
    platform = Platform()
    async with posting(platform) as webhook:
        await webhook.probe()
    assert platform.requests == []


async def test_no_answer_in_time_is_uncertain() -> None:
    async def hang(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    platform = Platform(hang)
    async with posting(platform, timeout=0.2) as webhook:
        assert isinstance(await webhook.deliver(parcel()), Uncertain)
    assert len(platform.requests) == 1


async def test_a_connection_cut_after_the_request_is_uncertain() -> None:
    async def cut(request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request.transport, asyncio.WriteTransport)
        request.transport.abort()
        return web.Response()

    platform = Platform(cut)
    async with posting(platform) as webhook:
        assert isinstance(await webhook.deliver(parcel()), Uncertain)
    assert len(platform.requests) == 1  # never repeated by itself


async def test_an_endless_answer_is_cut_and_its_status_stands() -> None:
    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(status=200)
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)

    platform = Platform(endless)
    async with posting(platform) as webhook:
        assert await webhook.deliver(parcel()) == Delivered(reference="HTTP 200")


async def test_tls_checks_the_server_and_shows_our_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate = authority.issue("hub.test")
    for host, expected in (("127.0.0.1", Delivered), ("other.example", Unavailable)):
        platform = Platform()
        async with platform.serving(authority.server(host, mutual=True)) as port:
            settings = WebhookSettings(url=f"https://127.0.0.1:{port}/", ca=authority.path, certificate=certificate)
            webhook = Webhook("platform", settings)
            outcome = await webhook.deliver(parcel())
            await webhook.close()
        assert isinstance(outcome, expected)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"url": "http://platform.example.fr/events"}, "https"),
        ({"url": "ftp://platform.example.fr/"}, "url"),
        ({"url": "events"}, "url"),
        ({"url": "https://:443/"}, "url"),
        ({"url": "https://[::1/"}, "url"),
        ({"url": "https://platform.example.fr:99999/"}, "url"),
        ({"url": "https://user:pass@platform.example.fr/"}, "token"),
        ({"url": "https://platform.example.fr/#x"}, "fragment"),
        ({"url": "https://platform.example.fr/", "token": "a\r\nb"}, "token"),
        ({"url": "https://platform.example.fr/", "key": "/k.pem"}, "certificate"),
        ({"url": "https://platform.example.fr/", "timeout": -1}, "timeout"),
        ({"url": "https://platform.example.fr/", "uri": ""}, "uri"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_by_name(settings: dict[str, object], fault: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=fault):
        msgspec.convert(settings, WebhookSettings)


async def test_a_signed_post_can_be_checked_by_its_reader_with_the_secret_alone() -> None:
    secret = "whsec-a-shared-secret-of-the-territory"
    platform = Platform()
    async with posting(platform, signing_secret=secret) as webhook:
        assert isinstance(await webhook.deliver(parcel()), Delivered)
    _, headers, body = platform.requests[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == "0197"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 3600


def test_a_secret_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^signing_secret : "):
        Webhook("platform", WebhookSettings(url="http://127.0.0.1:9/", signing_secret="short"))


@given(number=st.text(), sent=st.text(), body=st.binary())
def test_another_id_time_or_body_has_another_signature(number: str, sent: str, body: bytes) -> None:
    secret = b"0" * 32
    assert signature(secret, number, sent, body) != signature(secret, number, sent, body + b"x")
    assert signature(secret, number, sent, body) != signature(b"1" * 32, number, sent, body)
