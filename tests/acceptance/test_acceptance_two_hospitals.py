"""Two hospitals that collide: the same numbers, one that claims to merge the other's patient, one that speaks under the other's name.

Everything through MLLP, one hospital by TLS with its certificate; the hub runs as its operator runs it.
"""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import feed
from tests.servers.hub import Hub, MakeHub
from tests.servers.mllp import Reply, send_once
from tests.servers.pki import Pki
from tests.servers.ports import free_port
from tests.servers.recorder import Recorder

OURS, CLINIC = feed.FINESS, "400099999"
#: The operator who answers, as the audit is told.
WHY = "confirmé par les deux DIM"


def configuration(folder: Path, pki: Pki, ours: int, clinic: int, platform: str) -> str:
    return f"""\
[hub]
journal = "sqlite:///{folder}/journal.db"
keys = "file:{folder}/keys"

[sources.ch-mont-de-marsan]
kind = "mllp"
listen = "127.0.0.1:{ours}"
finess = "{OURS}"
senders = ["GAM|CHMDM"]
authorities = {{ CHMDM = "finess:{OURS}" }}

[sources.clinique]
kind = "mllp"
listen = "127.0.0.1:{clinic}"
certificate = "{pki.server()}"
client_ca = "{pki.ca}"
peers = [{{ san = "sih.clinique.test", issuer = "{pki.name}" }}]
finess = {{ "*|CLINIQUE" = "{CLINIC}", CLINIQUE = "{CLINIC}" }}
senders = ["*|CLINIQUE"]
authorities = {{ CLINIQUE = "finess:{CLINIC}" }}

[destinations.platform]
kind = "webhook"
url = "{platform}"

[[routes]]
events = ["*"]
to = "platform"
patients = "all"
"""


def clinic(raw: bytes) -> bytes:
    """A message of the clinic: the same in every number, under its own name."""
    return raw.replace(OURS.encode(), CLINIC.encode()).replace(b"CHMDM", b"CLINIQUE")


def merge(control_id: str, survivor: str, absorbed: str) -> bytes:
    """ADT^A40 of Mont-de-Marsan's numbers."""
    return feed.message(
        feed.msh("ADT^A40^ADT_A39", control_id),
        "EVN||20261121101500||||20261121101500",
        feed.pid(ipp=survivor, family="DARRIEUX", given="ODETTE"),
        "PD1||U||||||||||N",
        f"MRG|{absorbed}^^^CHMDM&{OURS}&M^PI",
        feed.pv1(patient_class="N"),
    )


async def proposals(hub: Hub, *options: str) -> list[dict[str, Any]]:
    told = await hub.liaison("proposals", "list", "--config", str(hub.config), "--json", *options)
    return [json.loads(line) for line in told.splitlines()]


def assert_not_heard(reply: Reply, where: str) -> None:
    """An ADT in quarantine: AA, since a feed that stops is worse, with an ERR that says where and what to do."""
    assert reply.code == "AA"
    (error,) = [segment for segment in reply.errors if segment[2] == where]
    assert error[3].startswith("207") and "exploitant" in error[7]


async def test_two_hospitals_with_the_same_numbers_never_meet(
    make_hub: MakeHub, recorder: Recorder, platform: str, tmp_path: Path
) -> None:
    pki, ours, theirs = Pki(tmp_path), free_port(), free_port()
    hub = make_hub(configuration(tmp_path, pki, ours, theirs, platform))
    await hub.start()
    known = pki.client(pki.issue("sih.clinique.test"))

    async def from_clinic(raw: bytes, tls: ssl.SSLContext = known) -> Reply:
        return await send_once(theirs, raw, tls=tls)

    first = feed.admission("A1", person=feed.pid(ipp="1001", family="DARRIEUX", given="ODETTE"), visit="V1", movement="M1")
    second = feed.admission("A2", person=feed.pid(ipp="1002", family="DARRIEUX", given="ODETTE"), visit="V2", movement="M2")
    other = feed.admission("A1", person=feed.pid(ipp="1001", family="LABORDE", given="JEANNE"), visit="V1", movement="M1")
    assert [(await send_once(ours, raw)).code for raw in (first, second)] == ["AA", "AA"]
    assert (await from_clinic(clinic(other))).code == "AA"

    # The clinic claims to merge Mont-de-Marsan's patients: under its own name, then under the other's.
    claimed = (
        merge("M1", "1001", "1002")
        .replace(b"|GAM|CHMDM^400011177^M|", b"|GAM|CLINIQUE|")
        .replace(b"PV1|1|N|6268^CH12^LIT2^CHMDM&400011177&M", b"PV1|1|N|")
    )
    assert (await from_clinic(claimed)).code == "AA"
    assert_not_heard(await from_clinic(merge("M2", "1001", "1002")), "MSH^1^3")
    forged = clinic(first.replace(b"|A1|", b"|A9|")).replace(f"CLINIQUE&{CLINIC}&M|R".encode(), f"CHMDM&{OURS}&M|R".encode())
    assert_not_heard(await from_clinic(forged), "PV1^1^3^1^4")
    # And the other way round: Mont-de-Marsan's port does not speak for the clinic.
    assert_not_heard(await send_once(ours, clinic(other).replace(b"|A1|", b"|B1|")), "MSH^1^3")
    # A certificate of the same authority with another name is not heard at all.
    with pytest.raises((ConnectionError, EOFError, ssl.SSLError)):
        await from_clinic(clinic(other), tls=pki.client(pki.issue("sih.ailleurs.test")))

    await hub.drained()
    counts = await hub.stats()
    assert (counts["patients"], counts["stays"], counts["proposals"]) == (3, 3, 1)
    assert counts["messages_by_verdict"]["quarantined"] == counts["holds"] == 3
    assert counts["holds_by_rule"] == {"sender.establishment-of-another": 1, "sender.pair": 2}
    told = [event["type"] for event in recorder.events]
    assert told.count("fr.liaison.stay.admitted.v1") == 3 and "fr.liaison.identity.merged.v1" not in told
    assert {event["source"] for event in recorder.events} == {f"urn:finess:{OURS}", f"urn:finess:{CLINIC}"}
    assert len({event["subject"] for event in recorder.events}) == 3

    # A person asks both hospitals, and accepts.
    (proposal,) = await proposals(hub)
    assert (proposal["kind"], proposal["source"], proposal["establishment"]) == ("merge", "clinique", CLINIC)
    shown = json.loads(
        await hub.liaison("proposals", "show", proposal["id"], "--reason", WHY, "--config", str(hub.config), "--json")
    )
    assert {one["value"] for patient in shown["patients"] for one in patient["identifiers"]} == {"1001", "1002"}
    answer = json.loads(
        await hub.liaison("proposals", "accept", proposal["id"], "--reason", WHY, "--config", str(hub.config), "--json")
    )
    assert answer == {"id": proposal["id"], "state": "accepted", "events": 1}
    assert not await proposals(hub) and len(await proposals(hub, "--all")) == 1
    await hub.drained()
    assert [event["type"] for event in recorder.events].count("fr.liaison.identity.merged.v1") == 1
    assert await hub.stop() == 0
    assert "DARRIEUX" not in hub.log and "1002^" not in hub.log
