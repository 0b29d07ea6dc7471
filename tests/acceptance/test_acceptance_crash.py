"""``kill -9`` under load, again and again: what was answered AA is in the journal, and what is in the journal arrives, in order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.acceptance import feed
from tests.servers.eventually import eventually
from tests.servers.hub import Hub, MakeHub
from tests.servers.load_tool import require_load_tool, tools
from tests.servers.mllp import Load
from tests.servers.recorder import Recorder

CONFIGURATION = """\
[hub]
name = "Landes"
territory = "test"

[sources.ch]
kind = "mllp"
listen = "127.0.0.1:{port}"
finess = "400011177"

[destinations.platform]
kind = "webhook"
url = "{url}"

[[routes]]
events = ["*"]
to = "platform"
patients = "all"
"""

#: Deliveries that one destination can have under way at once.
WORKERS = 16

#: Starts a load that writes the ids answered AA to a file, and goes on while the hub comes and goes.
StartLoad: TypeAlias = Callable[[int, Path], Any]


def stays(serial: int) -> tuple[str, bytes]:
    """Admissions and discharges of sixty patients, in turn."""
    patient, visit = serial // 2 % 60, serial // 2
    person = feed.pid(ipp=f"80{patient:06d}", family=f"PATIENT{chr(65 + patient % 26)}", given="ODETTE")
    write = feed.discharge if serial % 2 else feed.admission
    control_id = f"ACC{serial:012d}"
    return control_id, write(control_id, person=person, visit=f"26{visit:08d}", movement=f"{serial:010d}")


@asynccontextmanager
async def python_load(port: int, acked: Path) -> AsyncGenerator[None]:
    async with Load(port, stays, acked) as load:
        yield
    assert not load.other, f"answered otherwise than AA: {load.other[0]}"


def c_load(program: Path) -> StartLoad:
    """mllp_load ends when its connections are lost, and is started again."""

    @asynccontextmanager
    async def load(port: int, acked: Path) -> AsyncGenerator[None]:
        messages = [str(path) for path in sorted((tools() / "messages").glob("*.hl7"))]
        options = ["-c", "8", "-t", "600", "-p", "400", "-r", "600", "-o", str(acked)]

        async def again_and_again() -> None:
            while True:
                process = await asyncio.create_subprocess_exec(
                    str(program),
                    *options,
                    "127.0.0.1",
                    str(port),
                    *messages,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                )
                try:
                    await process.wait()
                finally:
                    if process.returncode is None:
                        process.kill()
                        await process.wait()
                await asyncio.sleep(0.05)

        task = asyncio.create_task(again_and_again())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    return load


@pytest.fixture(params=["python", "mllp_load"])
def start_load(request: pytest.FixtureRequest, tmp_path: Path) -> StartLoad:
    return python_load if request.param == "python" else c_load(require_load_tool(tmp_path))


@pytest.mark.timeout(300)
async def test_nothing_acknowledged_is_lost_and_nothing_is_told_twice_but_what_was_in_flight(
    make_hub: MakeHub, port: int, platform: str, recorder: Recorder, start_load: StartLoad, tmp_path: Path
) -> None:
    hub = make_hub(CONFIGURATION.format(port=port, url=platform))
    acked = tmp_path / "acked.ids"
    acked.touch()
    #: How many posts the platform had at each kill.
    kills: list[int] = []

    async def kill() -> None:
        hub.kill()
        await eventually(lambda: recorder.quiet, what="the platform has taken what the dead hub had sent")
        kills.append(len(recorder.posts))

    await hub.start()
    async with start_load(port, acked):
        await more_acknowledged(acked, 300)
        await kill()  # under load
        await hub.start()
        await more_posts(recorder, 1)
        await kill()  # just up again, recovering
        await hub.start()
        await more_acknowledged(acked, 200)
        recorder.status = 503
        await more_acknowledged(acked, 100)
        await kill()  # with deliveries that wait for the platform to come back
        recorder.status = 204
        await hub.start()
        await more_acknowledged(acked, 200)
    await kill()  # while it only delivers
    await hub.start()
    counts = await hub.drained(120.0)

    await everything_arrived(hub, recorder, acked, counts)
    in_order_and_repeated_only_in_flight(recorder, kills)
    assert await hub.stop() == 0
    assert "Traceback" not in hub.log


def ids(acked: Path) -> list[str]:
    return acked.read_text("ascii").split()


async def more_acknowledged(acked: Path, count: int) -> None:
    before = len(ids(acked))
    await eventually(lambda: len(ids(acked)) >= before + count, 60.0, what=f"{count} more answered AA")


async def more_posts(recorder: Recorder, count: int) -> None:
    before = len(recorder.posts)
    await eventually(lambda: len(recorder.posts) >= before + count, 60.0, what=f"{count} more delivered")


async def everything_arrived(hub: Hub, recorder: Recorder, acked: Path, counts: dict[str, Any]) -> None:
    messages = await hub.messages()
    listed = Counter(message["control_id"] for message in messages)
    answered = set(ids(acked))
    assert answered, "nothing was answered AA: the story was not told"
    assert answered <= listed.keys(), f"{len(answered - listed.keys())} acknowledged messages are not in the journal"
    assert max(listed.values()) == 1, "a message was taken twice"
    told = [event for message in messages for event in message["events"]]
    assert len(told) == len(set(told)) == counts["events"]
    assert set(told) == recorder.ids
    assert counts["messages"] == len(messages)
    assert counts["deliveries"] == {"submitted": len(told)}


def in_order_and_repeated_only_in_flight(recorder: Recorder, kills: list[int]) -> None:
    bodies: dict[str, bytes] = {}
    last: Counter[str] = Counter()
    generation: dict[str, int] = {}
    #: By the start of the hub whose posts are repeated after it.
    repeats: Counter[int] = Counter()
    for place, ((key, body), event) in enumerate(zip(recorder.posts, recorder.events, strict=True)):
        lane, number = event["lane"], event["laneseq"]
        now = sum(place >= kill for kill in kills)
        assert event["id"] == key
        if key in bodies:
            assert bodies[key] == body, "repeated with other content"
            assert generation[key] < now, "repeated though the hub had its answer"
            assert last[lane] == number, "repeated though the lane had gone on: it was not in flight"
            repeats[generation[key]] += 1
        else:
            assert number == last[lane] + 1, f"the lane goes from {last[lane]} to {number}"
            last[lane] = number
        bodies[key], generation[key] = body, now
    assert all(count <= WORKERS for count in repeats.values()), repeats
