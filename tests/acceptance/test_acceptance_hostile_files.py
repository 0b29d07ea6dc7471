"""Files and disks that mean no good: bombs and names that climb out, a directory cut in half, a disk that fills up under the hub."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.acceptance import feed, letters
from tests.acceptance import test_acceptance_recipients as recipients
from tests.servers.eventually import eventually, eventually_answers
from tests.servers.hub import Hub, MakeHub
from tests.servers.mailbox import Mailbox
from tests.servers.mllp import MllpConnection

FOLDERS = """\
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

MLLP = """\
[hub]
keep_free = {keep_free}

[sources.ch]
kind = "mllp"
listen = "127.0.0.1:{port}"
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
    person = feed.pid(ipp=f"84{number:06}", family="DISQUE", given="MARTHE")
    return feed.admission(f"D{number}", person=person, visit=f"26{number:08}", movement=f"{number}")


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def lying(content: bytes) -> bytes:
    """An archive whose directory says that its one entry is small."""
    raw = bytearray(zipped(("A.XML", content)))
    central = raw.rfind(b"PK\x01\x02")
    for at in (22, central + 24):
        raw[at : at + 4] = (100).to_bytes(4, "little")
    return bytes(raw)


def climbed(folder: Path) -> list[Path]:
    return list(folder.rglob("*CLIMBED*"))


async def test_bombs_and_names_that_climb_out_are_refused_one_by_one_and_the_good_file_behind_them_is_taken(
    make_hub: MakeHub, tmp_path: Path
) -> None:
    drop, told = tmp_path / "in" / "drop", tmp_path / "told"
    drop.mkdir(parents=True)
    told.mkdir()
    inner = zipped(("A.XML", b" " * 50_000_000))
    bad = {
        "bomb.zip": zipped(("IHE_XDM/SUBSET01/A.XML", b" " * 300_000_000)),
        "many.zip": zipped(*((f"IHE_XDM/{number}.XML", b"") for number in range(30_000))),
        "nested.zip": zipped(*((f"IHE_XDM/{number}.ZIP", inner) for number in range(50))),
        "lying.zip": lying(b" " * 100_000_000),
        "up.zip": zipped(("../../CLIMBED.XML", b"<a/>")),
        "windows.zip": zipped(("..\\..\\CLIMBED.XML", b"<a/>")),
        "absolute.zip": zipped((str(tmp_path / "CLIMBED.XML"), b"<a/>")),
        "link.zip": zipped((link("IHE_XDM/SUBSET01/A.XML"), b"/etc/hostname")),
        "cut.zip": inner[: len(inner) // 2],
    }
    hub = make_hub(FOLDERS.format(drop=drop, told=told))
    await hub.start()
    for name, content in bad.items():
        (drop / name).write_bytes(content)
    os.symlink("/etc/hostname", drop / "link.hl7")
    (drop / "..CLIMBED.hl7").write_bytes(admission(2))  # a name that begins with a dot is still being written
    (drop / "good.hl7").write_bytes(admission(1))
    await eventually((drop / "done" / "good.hl7").exists, 60.0, what="the good file is taken")
    await eventually(
        lambda: all((drop / "refused" / name).exists() for name in (*bad, "link.hl7")), 60.0, what="the bad are refused"
    )
    for name in bad:
        answer = json.loads((drop / "refused" / f"{name}.ack").read_bytes())
        assert answer["verdict"] == "quarantined" and answer["findings"], name
    assert climbed(tmp_path) == [drop / "..CLIMBED.hl7"], "nothing was written where a name said"
    assert hub.peak_memory < 300_000_000
    assert "Traceback" not in hub.log and "CLIMBED" not in hub.log
    assert await hub.stop() == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A disk of 24 MB of the test's own."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


async def sent(port: int, number: int) -> str:
    """MSA-1, or ``closed`` where the hub says nothing."""
    try:
        async with MllpConnection(port) as connection:
            reply = await connection.send(admission(number))
            assert reply.control_id == f"D{number}"
            return reply.code
    except (OSError, asyncio.IncompleteReadError):
        return "closed"


@pytest.mark.parametrize(
    ("keep_free", "refusal"),
    [(4_000_000, "AR"), (1, "closed")],
    ids=["the watch stops the intake before", "the disk is full under a commit"],
)
async def test_on_a_full_disk_nothing_is_acknowledged_that_is_not_kept_and_it_goes_on_by_itself(
    make_hub: MakeHub, tmp_path: Path, port: int, small_disk: Path, keep_free: int, refusal: str
) -> None:
    told = tmp_path / "told"
    told.mkdir()
    hub: Hub = make_hub(MLLP.format(keep_free=keep_free, port=port, told=told))
    journal = f'journal = "sqlite:///{small_disk}/journal.db"\nkeys = "file:{small_disk}/keys"\n'
    hub.config.write_text(hub.config.read_text("utf-8").replace("[hub]\n", f"[hub]\n{journal}"), "utf-8")
    await hub.start()
    number = 0
    acknowledged: set[str] = set()

    async def one() -> str:
        nonlocal number
        number += 1
        code = await sent(port, number)
        if code == "AA":
            acknowledged.add(f"D{number}")
        return code

    assert [await one() for _ in range(20)] == ["AA"] * 20
    filler, room = small_disk / "filler", max(100_000, keep_free * 3 // 4)

    async def refused() -> bool:
        with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:  # the hub writes too
            file.write(b"x" * max(0, shutil.disk_usage(small_disk).free - room))
        return await one() != "AA"

    await eventually_answers(refused, 60.0, what="the disk is full")
    assert {await one() for _ in range(10)} == {refusal}
    assert hub.running
    filler.unlink()

    async def taken() -> bool:
        return await one() == "AA"

    await eventually_answers(taken, 60.0, what="it goes on by itself")
    assert [await one() for _ in range(20)] == ["AA"] * 20
    hub.kill()
    await hub.start()
    await hub.drained()
    kept = {message["control_id"] for message in await hub.messages()}
    assert acknowledged <= kept, "an acknowledged message is gone"
    assert "Traceback" not in hub.log
    assert await hub.stop() == 0


@pytest.mark.parametrize("submission", ["aiosmtpd"], indirect=True)
async def test_a_directory_cut_in_half_and_a_white_list_that_lost_half_change_nothing_in_a_running_hub(
    make_hub: MakeHub, port: int, platform: str, submission: int, mailbox: Mailbox, tmp_path: Path
) -> None:
    domains = [address.partition("@")[2] for address in (letters.REFERRER, letters.EHPAD)]
    configuration = recipients.CONFIGURATION.format(port=port, platform=platform, submission=submission)
    hub = recipients.hub_with_addresses(make_hub, configuration, [*(f"d{number}.fr" for number in range(8)), *domains])
    await hub.start()
    assert (await check(hub))[0] == 0
    whole = (hub.folder / "annuaire.txt").read_bytes()
    (hub.folder / "annuaire.txt").write_bytes(whole[: len(whole) - 60])
    (hub.folder / "liste.xml").write_text(recipients.white_list(*(f"d{number}.fr" for number in range(5))), "utf-8")
    await eventually(lambda: hub.log.count('"address_file.refused"') == 2, 60.0, what="both files are refused")
    code, told = await check(hub)
    assert code == 1 and "annuaire" in told and "liste blanche" in told
    letter = feed.letter("L1", letters.document(1, "N1"), person=letters.PERSON, visit="2600000009", to=[])
    await recipients.send_all(hub, port, tmp_path, *recipients.stay("2600000009"), letter)
    await eventually(lambda: len(mailbox.mails) == 2, what="the letter leaves by the last good files")
    assert {mail.rcpt_tos[0] for mail in mailbox.mails} == {letters.REFERRER, letters.EHPAD}
    await hub.stop()
    await hub.start()
    again = feed.letter("L2", letters.document(2, "N1"), person=letters.PERSON, visit="2600000009", to=[])
    await recipients.send_all(hub, port, tmp_path, again)
    await eventually(lambda: len(mailbox.mails) == 4, what="and after a start too")


async def check(hub: Hub) -> tuple[int, str]:
    """Exit code and output of ``liaison check``."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "liaison", "check", "--config", str(hub.config)), stdout=subprocess.PIPE, cwd=hub.folder
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()
