"""A hospital that drops files: each is taken once, put where it belongs, and told like any other message."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance import feed
from tests.servers.eventually import eventually
from tests.servers.hub import MakeHub

CONFIGURATION = """\
[sources.ch]
kind = "folder"
path = "{drop}"
interval = 0.1
finess = "400011177"

[destinations.platform]
kind = "folder"
path = "{told}"

[[routes]]
events = ["*"]
to = "platform"
patients = "all"
"""


def admission(number: int) -> bytes:
    person = feed.pid(ipp=f"81{number:04}", family="DEPOT", given="MARIE")
    return feed.admission(f"FILE{number}", person=person, visit=f"27{number:08}", movement=f"{number}")


async def test_files_become_events_and_are_put_away(make_hub: MakeHub, tmp_path: Path) -> None:
    drop, told = tmp_path / "drop", tmp_path / "told"
    drop.mkdir()
    told.mkdir()
    hub = make_hub(CONFIGURATION.format(drop=drop, told=told))
    await hub.start()
    (drop / "one.hl7").write_bytes(admission(1))
    (drop / "two.hl7.part").write_bytes(admission(2))
    (drop / "wrong.hl7").write_bytes(b"Bonjour, ceci n'est pas un message.")
    await eventually(lambda: (drop / "done" / "one.hl7").exists() and (drop / "errors" / "wrong.hl7").exists())
    assert "quarantaine" in (drop / "errors" / "wrong.hl7.txt").read_text("utf-8")
    assert (drop / "two.hl7.part").exists(), "it is still being written"
    (drop / "two.hl7.part").rename(drop / "two.hl7")
    await eventually((drop / "done" / "two.hl7").exists)
    assert (drop / "done" / "two.hl7").read_bytes() == admission(2)
    await hub.drained()
    messages = await hub.messages()
    verdicts = {message["control_id"]: message["verdict"] for message in messages}
    assert verdicts == {"FILE1": "accepted-with-findings", "FILE2": "accepted-with-findings", "": "quarantined"}
    events = {event for message in messages for event in message["events"]}
    assert len(events) == 4
    assert {json.loads(path.read_bytes())["id"] for path in told.iterdir()} == events
    assert await hub.stop() == 0


async def test_a_file_that_the_hub_died_on_is_taken_by_the_next_one_and_told_once(make_hub: MakeHub, tmp_path: Path) -> None:
    drop, told = tmp_path / "drop", tmp_path / "told"
    drop.mkdir()
    told.mkdir()
    hub = make_hub(CONFIGURATION.format(drop=drop, told=told))
    await hub.start()
    for number in range(200):
        (drop / f"{number:03}.hl7").write_bytes(admission(number))
    await eventually(lambda: any((drop / "done").iterdir()))
    hub.kill()
    assert len(list((drop / "done").iterdir())) < 200
    await hub.start()
    await eventually(lambda: len(list((drop / "done").iterdir())) == 200)
    await hub.drained()
    messages = await hub.messages()
    assert sorted(message["control_id"] for message in messages) == sorted(f"FILE{number}" for number in range(200))
    events = {event for message in messages for event in message["events"]}
    assert {json.loads(path.read_bytes())["id"] for path in told.iterdir()} == events
