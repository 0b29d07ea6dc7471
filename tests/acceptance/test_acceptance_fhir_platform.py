"""A platform that speaks FHIR: an admission and a discharge are declared, a cancelled discharge is revoked, in order, once."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tests.acceptance import feed
from tests.servers.fhir_server import FhirPlatform
from tests.servers.hub import MakeHub
from tests.servers.mllp import MllpConnection

CONFIGURATION = """\
[sources.ch]
kind = "mllp"
listen = "127.0.0.1:{port}"
finess = "400011177"

[destinations.platform]
kind = "fhir"
url = "{base}"

[[routes]]
events = ["stay.*", "identity.*"]
to = "platform"
patients = "all"
"""
EVENT_TYPE = "https://interop.esante.gouv.fr/ig/fhir/nde/StructureDefinition/event-type"


@pytest.fixture
def fhir_platform() -> FhirPlatform:
    return FhirPlatform()


@pytest.fixture
async def base(fhir_platform: FhirPlatform) -> AsyncGenerator[str]:
    async with fhir_platform.serve() as url:
        yield url


def cancelled_discharge(control_id: str, *, person: str, visit: str, movement: str) -> bytes:
    """ADT^A13: the discharge under that movement never was."""
    return feed.message(
        feed.msh("ADT^A13^ADT_A01", control_id),
        "EVN||20261121170000||||20261121161500",
        person,
        "PD1||U||||||||||N",
        feed.pv1(visit=visit),
        feed.zbe(movement, action="CANCEL", at="20261121161500").replace("|CANCEL|N||", "|CANCEL|N|A03|"),
    )


def situation(platform: FhirPlatform) -> list[tuple[str, str]]:
    """Event code and status of each declaration."""
    told: list[tuple[str, str]] = []
    for resource in platform.resources.values():
        (kind,) = [one for one in resource["extension"] if one["url"] == EVENT_TYPE]
        told.append((kind["valueCodeableConcept"]["coding"][0]["code"], resource["status"]))
    return told


async def test_a_stay_is_declared_and_what_is_undone_is_revoked(
    make_hub: MakeHub, port: int, fhir_platform: FhirPlatform, base: str
) -> None:
    hub = make_hub(CONFIGURATION.format(port=port, base=base))
    await hub.start()
    person = feed.pid(ipp="810077", family="EXEMPLE", given="ZOE")
    async with MllpConnection(port) as hospital:
        for message in (
            feed.admission("F1", person=person, visit="2700000077", movement="771"),
            feed.discharge("F2", person=person, visit="2700000077", movement="772"),
            cancelled_discharge("F3", person=person, visit="2700000077", movement="772"),
        ):
            assert (await hospital.send(message)).code == "AA"
    counts = await hub.drained()
    assert situation(fhir_platform) == [("ADM", "active"), ("SOR", "revoked")]
    assert "held" not in counts["deliveries"] and "failed" not in counts["deliveries"]
    assert all("EXEMPLE" not in path and "810077" not in path for _, path, _ in fhir_platform.requests)
    assert "EXEMPLE" not in hub.log
    assert await hub.stop() == 0
