"""The privacy of a month: 20,000 patients of whom 900 are followed, and not one byte about the others leaves."""

from __future__ import annotations

import asyncio
import datetime
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

import aiohttp
import pytest

from tests.acceptance import feed
from tests.servers.eventually import eventually
from tests.servers.hub import Hub, MakeHub
from tests.servers.mllp import MllpConnection
from tests.servers.ports import free_port
from tests.servers.recorder import Recorder

PATIENTS, FOLLOWED = 20_000, 900
CONNECTIONS = 32
FINESS = feed.FINESS
CONFIGURATION = """\
[hub]
journal = "sqlite:///journal.db"
keys = "file:keys"

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

[follow.lists.pta]
catch_up = "60d"

[api]
listen = "127.0.0.1:{api}"
token = "file:token"
"""


class Patient:
    """One of the region, under names and numbers that nobody else has and that no other text contains."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.followed = number % (PATIENTS // FOLLOWED) == 0 and number // (PATIENTS // FOLLOWED) < FOLLOWED
        letters = "".join(chr(ord("A") + number // 26**power % 26) for power in range(4))
        self.family = ("FZQ" if self.followed else "UZQ") + letters
        self.given = ("FWX" if self.followed else "UWX") + letters
        self.ipp = f"{'F' if self.followed else 'U'}73{number:06d}"
        first = 2_751_164_000_000 + number
        self.ins = f"{first}{97 - first % 97:02}"
        # No birth date of the followed is one of the others.
        born = datetime.date(1962 if self.followed else 1931, 1, 1) + datetime.timedelta(days=number % 9_000)
        self.born = f"{born:%Y%m%d}"

    @property
    def values(self) -> dict[str, str]:
        return {"name": self.family, "given name": self.given, "INS": self.ins, "IPP": self.ipp}

    @property
    def kinds(self) -> list[str]:
        """What there is to tell of them, in order."""
        return ["identity.created", "stay.admitted", *(["stay.discharged"] if self.discharged else [])]

    @property
    def discharged(self) -> bool:
        return self.followed or self.number % 8 == 1

    def messages(self) -> Iterator[bytes]:
        person = feed.pid(ipp=self.ipp, family=self.family, given=self.given, ins=self.ins, born=self.born)
        visit = f"V{self.number}"
        day = datetime.date(2026, 10, 22) + datetime.timedelta(days=self.number % 28)
        admitted = feed.admission(f"A{self.number}", person=person, visit=visit, movement=f"M{self.number}-1")
        yield admitted.replace(b"20261120", f"{day:%Y%m%d}".encode())
        if self.discharged:
            left = feed.discharge(f"D{self.number}", person=person, visit=visit, movement=f"M{self.number}-2")
            yield left.replace(b"20261121", f"{day + datetime.timedelta(days=1):%Y%m%d}".encode())


async def send(port: int, patients: Iterable[Patient]) -> int:
    """The messages of every patient, each patient's in order; how many were taken."""
    waiting, taken = iter(patients), 0

    async def one() -> None:
        nonlocal taken
        async with MllpConnection(port) as connection:
            for patient in waiting:
                for message in patient.messages():
                    assert (await connection.send(message)).code == "AA"
                    taken += 1

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return taken


async def import_list(hub: Hub, patients: list[Patient], *, by_ins: bool) -> str:
    file = hub.folder / "liste.csv"
    if by_ins:
        lines = ["INS;Date de naissance", *(f"{one.ins};{one.born}" for one in patients)]
    else:
        lines = ["IPP;FINESS;Date de naissance", *(f"{one.ipp};{FINESS};{one.born}" for one in patients)]
    file.write_text("\n".join(lines), "cp1252")
    command = ("follow", "import", str(file), "--reason", "liste du mois", "--json", "--config", str(hub.config))
    answer = await hub.liaison(*command)
    file.unlink()
    return answer


async def enrol_by_call(api: int, patients: list[Patient]) -> list[str]:
    answers: list[str] = []
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer secret-of-the-platform"}) as session:
        for one in patients:
            body = {"ins": one.ins, "birth_date": one.born}
            call = session.post(
                f"http://127.0.0.1:{api}/v1/follows", json=body, headers={"Idempotency-Key": f"call-{one.number:08d}"}
            )
            async with call as response:
                assert response.status == 201
                answers.append(await response.text())
    return answers


def found(needles: set[bytes], content: bytes) -> set[bytes]:
    """Which needles stand anywhere in ``content``: every place of it is looked at, for every length."""
    hits: set[bytes] = set()
    for length in {len(needle) for needle in needles}:
        wanted = {needle for needle in needles if len(needle) == length}
        hits |= {content[start : start + length] for start in range(len(content) - length + 1)} & wanted
    return hits


@pytest.mark.timeout(300)
async def test_not_one_byte_about_the_unfollowed_leaves_and_every_event_of_the_followed_arrives(
    make_hub: MakeHub, port: int, platform: str, recorder: Recorder
) -> None:
    everyone = [Patient(number) for number in range(PATIENTS)]
    followed = [one for one in everyone if one.followed]
    others = [one for one in everyone if not one.followed]
    assert len(followed) == FOLLOWED
    before, during, after = followed[:450], followed[450:700], followed[700:]

    api = free_port()
    hub = make_hub(CONFIGURATION.format(port=port, url=platform, api=api))
    (hub.folder / "token").write_text("secret-of-the-platform\n")
    await hub.start()
    answers = [await import_list(hub, before[:225], by_ins=True), await import_list(hub, before[225:], by_ins=False)]
    sending = asyncio.create_task(send(port, everyone))
    answers += await enrol_by_call(api, during)
    taken = await sending
    assert taken == PATIENTS + sum(one.discharged for one in everyone)
    answers.append(await import_list(hub, after, by_ins=False))

    expected = sum(len(one.kinds) for one in followed)
    await eventually(lambda: len(recorder.ids) >= expected, 120.0, what="the platform is told of all who are followed")
    counts = await hub.drained()
    answers.append(await hub.liaison("follow", "list", "--config", str(hub.config)))
    await hub.stop()
    assert counts["deliveries"] == {"submitted": expected}
    assert counts["events"] == sum(len(one.kinds) for one in everyone)

    # Every event of the followed, each patient's in order.
    told: dict[str, list[str]] = defaultdict(list)
    late = 0
    for event in recorder.events:
        ipp = event["data"]["patient"]["ipp"][0]["value"]
        told[ipp].append(event["type"].removeprefix("fr.liaison.").removesuffix(".v1"))
        late += event.get("catchup", False)
    assert told == {one.ipp: one.kinds for one in followed}
    assert late >= sum(len(one.kinds) for one in after)

    # Nothing of the others, in whatever was written for somebody else than the journal.
    bodies = b"\n".join(key.encode() + b"\n" + body for key, body in recorder.posts)
    recorded = {
        "what the platform was told": bodies,
        "logs": hub.errors.read_bytes(),
        "standard output": hub.output.read_bytes(),
        "answers": "\n".join(answers).encode(),
    }
    needles = {value.encode() for one in others for value in one.values.values()}
    assert len(needles) == 4 * len(others)
    assert found({value.encode() for one in followed for value in one.values.values()}, bodies), "the search finds what is there"
    births = {one.born for one in others}
    assert not births & {one.born for one in followed}
    for place, content in recorded.items():
        assert not found(needles, content), place
        assert not births & set(re.findall(r"[A-Za-z0-9]+", content.decode())), place
    # The journal has them all, sealed; beside it nothing was left.
    for path in hub.folder.rglob("*"):
        if path.is_file() and path != hub.config:
            content = path.read_bytes()
            assert not [value for one in others[::400] for value in one.values.values() if value.encode() in content], path.name
    assert json.loads(answers[0])["statuses"] == {"waiting": 225}
