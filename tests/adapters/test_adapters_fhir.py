"""Declarations to a server that keeps R4's conditions: created once, updated in place, repeated without harm."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
import pytest

from liaison.adapters.fhir import FhirServer, FhirSettings
from liaison.hub.contracts import Delivered, Parcel, Refused, Unavailable, Uncertain
from tests.servers.fhir_server import FhirPlatform

SYSTEM = "urn:oid:1.2.250.1.999"


def parcel(number: str = "0197-0", status: str = "active", amends: str = "") -> Parcel:
    named = amends or number
    body = {"resourceType": "CommunicationRequest", "status": status, "identifier": [{"system": SYSTEM, "value": named}]}
    return Parcel(
        id=number,
        kind="stay.admitted",
        body=json.dumps(body).encode(),
        content_type="application/fhir+json",
        lane="a",
        lane_seq=1,
        options={"amends": amends} if amends else {},
    )


@asynccontextmanager
async def telling(platform: FhirPlatform) -> AsyncGenerator[FhirServer]:
    async with platform.serve() as base:
        server = FhirServer("paaco", FhirSettings(url=base, identifiers=SYSTEM, timeout=5.0))
        try:
            yield server
        finally:
            await server.close()


async def test_a_declaration_is_created_and_a_repeat_makes_no_second_one() -> None:
    platform = FhirPlatform()
    async with telling(platform) as server:
        assert await server.deliver(parcel()) == Delivered(reference="HTTP 201")
        assert await server.deliver(parcel()) == Delivered(reference="HTTP 200")
    assert len(platform.resources) == 1
    method, path, headers = platform.requests[0]
    assert (method, path) == ("POST", "/fhir/CommunicationRequest")
    assert headers["If-None-Exist"] == f"identifier={SYSTEM}|0197-0"
    assert headers["Content-Type"] == "application/fhir+json; charset=utf-8"


async def test_what_undoes_a_declaration_updates_it() -> None:
    platform = FhirPlatform()
    async with telling(platform) as server:
        await server.deliver(parcel())
        assert await server.deliver(parcel("0198-0", "revoked", amends="0197-0")) == Delivered(reference="HTTP 200")
    assert [one["status"] for one in platform.resources.values()] == ["revoked"]


async def test_an_answer_that_is_lost_is_uncertain_and_the_repeat_settles_it() -> None:
    platform = FhirPlatform()
    platform.drops_answers = True
    async with telling(platform) as server:
        assert isinstance(await server.deliver(parcel()), Uncertain)
        platform.drops_answers = False
        assert await server.deliver(parcel()) == Delivered(reference="HTTP 200")
    assert len(platform.resources) == 1


async def test_two_resources_under_one_identifier_are_for_the_platform_to_settle() -> None:
    platform = FhirPlatform()
    platform.resources = {number: {"identifier": [{"system": SYSTEM, "value": "0197-0"}]} for number in ("1", "2")}
    async with telling(platform) as server:
        outcome = await server.deliver(parcel())
    assert isinstance(outcome, Refused) and outcome.code == "412"


@pytest.mark.parametrize(("status", "expected"), [(409, Unavailable), (503, Unavailable), (422, Refused), (401, Refused)])
async def test_what_a_status_means(status: int, expected: type[Refused | Unavailable]) -> None:
    platform = FhirPlatform()
    platform.status = status
    async with telling(platform) as server:
        assert isinstance(await server.deliver(parcel()), expected)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"url": "https://p.example.fr/fhir?tenant=1"}, "url"),
        ({"url": "http://p.example.fr/fhir"}, "url"),
        ({"url": "https://p.example.fr/fhir", "identifiers": "liaison"}, "identifiers"),
        ({"url": "https://p.example.fr/fhir", "identifiers": "urn:a|b"}, "identifiers"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_their_key(settings: dict[str, str], key: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=f"^{key} : "):
        msgspec.convert(settings, FhirSettings)


async def test_the_probe_asks_nothing() -> None:
    platform = FhirPlatform()
    async with telling(platform) as server:
        await server.probe()
        assert repr(server).startswith("<FhirServer paaco 127.0.0.1:")
    assert platform.requests == []
    with pytest.raises(ConnectionError):
        await server.probe()
