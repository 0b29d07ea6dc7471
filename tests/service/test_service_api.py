"""The platform's calls on a hub that runs in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from liaison.service import api
from liaison.service.loader import read_configuration
from liaison.service.running import RunningHub, StartError

CONFIGURATION = """\
[hub]
journal = "sqlite:///journal.db"
keys = "file:keys"
[sources.ch]
kind = "memory"
finess = "400011177"
[destinations.platform]
kind = "memory"
[[routes]]
events = ["*"]
to = "platform"
[follow.lists.pta]
[follow.lists.icope]
[api]
listen = "127.0.0.1:0"
token = "file:token"
"""
IPP = {"list": "pta", "ipp": "80042", "finess": "400011177"}


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncGenerator[RunningHub]:
    (tmp_path / "token").write_text("a-long-secret\n")
    async with RunningHub(read_configuration(CONFIGURATION, path=None, folder=tmp_path)) as running:
        yield running


class Platform:
    """Calls the hub as the coordination platform does."""

    def __init__(self, hub: RunningHub, session: aiohttp.ClientSession) -> None:
        assert hub.api is not None
        self.url = f"http://127.0.0.1:{hub.api.port}/v1/follows"
        self._session = session

    async def post(self, body: Any, *, key: str = "key-00000001", **headers: str) -> tuple[int, Any]:
        sent = {"Idempotency-Key": key, "Authorization": "Bearer a-long-secret", **headers}
        async with self._session.post(
            self.url, json=body, headers={name: value for name, value in sent.items() if value}
        ) as answer:
            return answer.status, await answer.json()

    async def delete(self, path: str, *, token: str = "a-long-secret") -> int:
        async with self._session.delete(f"{self.url}/{path}", headers={"Authorization": f"Bearer {token}"}) as answer:
            return answer.status


@pytest.fixture
async def platform(hub: RunningHub) -> AsyncGenerator[Platform]:
    async with aiohttp.ClientSession() as session:
        yield Platform(hub, session)


async def test_enrolling_and_leaving_each_have_one_effect(hub: RunningHub, platform: Platform) -> None:
    status, first = await platform.post(IPP)
    assert (status, first["status"], first["list"]) == (201, "waiting", "pta")
    assert await platform.post(IPP) == (200, first)
    assert await platform.post(IPP, key="key-00000002") == (200, first)
    assert "80042" not in first["reference"]
    assert await platform.delete(f"pta/{first['reference']}") == 204
    assert await platform.delete(f"pta/{first['reference']}") == 204
    assert hub.follower.reader.blinds("pta") == frozenset()
    assert (await platform.post(IPP))[1]["status"] == "left", "a call that is repeated late enrols nobody again"
    assert (await platform.post(IPP, key="key-00000003"))[0] == 201


@pytest.mark.parametrize(
    "headers", [{"Authorization": ""}, {"Authorization": "Bearer other"}, {"Authorization": "Basic a-long-secret"}]
)
async def test_nobody_enrols_without_the_secret(hub: RunningHub, platform: Platform, headers: dict[str, str]) -> None:
    status, answer = await platform.post(IPP, **headers)
    assert status == 401 and set(answer) == {"error"}
    assert hub.follower.reader.counts() == {}
    assert await platform.delete("pta/" + "0" * 64, token="other") == 401


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"list": "pta"}, 422, "ins, ipp"),
        ({"list": "pta", "ins": "275116410204507", "ipp": "1"}, 422, "ins, ipp"),
        ({"list": "pta", "ins": "275116410204508"}, 422, "ins"),
        ({"list": "pta", "ipp": "80042"}, 422, "finess"),
        ({**IPP, "list": "other"}, 422, "liste"),
        ({"ipp": "80042", "finess": "400011177"}, 422, "liste"),
        ({**IPP, "birth_date": "31/02/1960"}, 422, "naissance"),
        ({**IPP, "since": "2026-11-02", "until": "2026-10-01"}, 422, "fin"),
        ({**IPP, "ipp": "8" * 65}, 422, "caractères"),
        ({**IPP, "unknown": 1}, 400, "JSON"),
        ([], 400, "JSON"),
        ({**IPP, "ipp": "8" * 20_000}, 413, "pas de ceux"),
    ],
)
async def test_a_wrong_call_is_answered_clearly_and_without_its_values(
    hub: RunningHub, platform: Platform, body: Any, status: int, says: str
) -> None:
    got, answer = await platform.post(body)
    assert (got, says in answer["error"]) == (status, True)
    assert "80042" not in str(answer) and "275116" not in str(answer)
    assert hub.follower.reader.counts() == {}


async def test_a_call_without_its_key_is_refused(hub: RunningHub, platform: Platform) -> None:
    assert (await platform.post(IPP, key=""))[0] == 400
    assert (await platform.post(IPP, key="é" * 9))[0] == 400
    assert await platform.delete("pta/80042") == 404
    assert await platform.delete("other/" + "0" * 64) == 404


async def test_who_connects_and_does_not_ask_is_let_go(hub: RunningHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "CALL_SECONDS", 0.2)
    assert hub.api is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.api.port)
    writer.write(b"POST /v1/follows HT")
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()


async def test_a_body_that_never_comes_is_given_up(hub: RunningHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "CALL_SECONDS", 0.2)
    assert hub.api is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.api.port)
    writer.write(
        b"POST /v1/follows HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a-long-secret\r\nIdempotency-Key: key-00000001\r\n"
        b"Content-Length: 100\r\n\r\n{"
    )
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()


async def test_a_hub_whose_secret_cannot_be_read_does_not_start(tmp_path: Path) -> None:
    configuration = read_configuration(CONFIGURATION, path=None, folder=tmp_path)
    with pytest.raises(StartError, match="api"):
        async with RunningHub(configuration):
            pytest.fail("it started")
