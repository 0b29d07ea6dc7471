"""A hub under load is backed up, killed, loses its disk and its erasures' store; another takes its place and brings nobody back."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance import feed
from tests.acceptance.test_acceptance_crash import CONFIGURATION, ids, more_acknowledged, stays
from tests.servers.eventually import eventually
from tests.servers.hub import Hub, MakeHub
from tests.servers.mllp import Load
from tests.servers.recorder import Recorder

ERASED_IPP = "80000007"


async def answer(hub: Hub, *arguments: str) -> int:
    """The exit code of a command that may say no."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "liaison", *arguments, "--config", str(hub.config), cwd=hub.folder, stdout=subprocess.DEVNULL
    )
    return await process.wait()


@pytest.mark.timeout(300)
async def test_after_the_disk_died_the_backup_is_restored_paused_and_the_erased_stay_erased(
    make_hub: MakeHub, port: int, platform: str, recorder: Recorder, tmp_path: Path
) -> None:
    hub = make_hub(CONFIGURATION.format(port=port, url=platform))
    acked = tmp_path / "acked.ids"
    acked.touch()
    config = ("--config", str(hub.config))
    await hub.start()
    async with Load(port, stays, acked) as load:
        await more_acknowledged(acked, 300)
        before = set(ids(acked))
        manifest = json.loads(await hub.liaison("journal", "backup", "backup", *config, "--json"))
        assert len(before) <= manifest["messages"]
        await more_acknowledged(acked, 100)
        erased = json.loads(
            await hub.liaison("erase", "--source", "ch", "--ipp", ERASED_IPP, "--reason", "essai", *config, "--json")
        )
        assert len(erased["patients"]) == 1
        await more_acknowledged(acked, 50)
        hub.kill()
    assert not load.other, f"answered otherwise than AA: {load.other[0]}"
    assert await answer(hub, "journal", "verify", "backup", "--all") == 0

    # Both files of the journal are gone; the key file and the ledger are on another disk.
    shutil.rmtree(hub.folder / "liaison-data")
    restored = json.loads(await hub.liaison("journal", "restore", "backup", *config, "--json"))
    assert restored["erased_again"] == 1 and restored["sources"]["ch"]["control_id"]
    sent = len(recorder.posts)
    await hub.start()
    assert "tous les envois sont suspendus" in hub.log
    assert await answer(hub, "journal", "verify", "--all") == 0
    held = {message["control_id"] for message in await hub.messages()}
    assert before <= held, "acknowledged before the backup and not in it"
    assert len(held) == manifest["messages"]

    # Taking goes on, leaving does not; the erased person is somebody new.
    person = feed.pid(ipp=ERASED_IPP, family="PATIENTH", given="ODETTE")
    (hub.folder / "new.hl7").write_bytes(feed.admission("NEW1", person=person, visit="2699999999", movement="99"))
    await hub.liaison("send", "new.hl7", "--to", f"127.0.0.1:{port}")
    assert len(recorder.posts) == sent
    await hub.liaison("resume", "--all", "--reason", "contrôlée", *config)
    await eventually(lambda: len(recorder.posts) > sent, 60.0, what="deliveries go on")
    counts = await hub.drained(120.0)
    assert set(counts["deliveries"]) <= {"submitted", "cancelled"}
    (new,) = [message["id"] for message in await hub.messages() if message["control_id"] == "NEW1"]
    told = [event for event in recorder.events if event["id"].startswith(new)]
    assert told and not [event for event in told if event["subject"] in erased["patients"]]
    late = recorder.events[sent:]
    assert not [event for event in late if event["subject"] in erased["patients"]], "the erased patient was told of again"
    assert await hub.stop() == 0
    assert "Traceback" not in hub.log
