"""The watch over a hub that runs in this process: alerts told by mail and by post, once, over restarts and servers that are away."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
from collections.abc import AsyncGenerator
from email.message import EmailMessage
from pathlib import Path

import pytest

from liaison.adapters.memory import MemorySource
from liaison.hub.watch.calendar import HOUR, Hour
from liaison.hub.watch.notes import NoteHours
from liaison.service.loader import read_configuration
from liaison.service.running import RunningHub
from liaison.service.watching import Watch
from tests.acceptance import feed
from tests.hub.bench import Clock
from tests.hub.people import NOW
from tests.servers.eventually import eventually
from tests.servers.mailbox import Mailbox
from tests.servers.recorder import Recorder

CONFIGURATION = """\
[hub]
name = "Landes"
journal = "sqlite:///data/journal.db"
keys = "file:keys"
[sources.ch]
kind = "memory"
finess = "400011177"
[destinations.platform]
kind = "memory"
[[routes]]
events = ["*"]
to = "platform"
patients = "all"
[monitor]
listen = ""
interval = 3600
[alerts]
server = "127.0.0.1:{smtp}"
sender = "liaison@gcs.example.fr"
tls = "none"
to = ["mail:astreinte@gcs.example.fr", "{url}"]
calm = 10
"""
#: Sunday, nine o'clock UTC.
FIRST = int(NOW.timestamp()) // HOUR


class Story:
    """Starts and stops a watched hub on one journal; time moves when a test says so."""

    def __init__(self, folder: Path, smtp: int, url: str) -> None:
        self.clock = Clock()
        self._configuration = read_configuration(CONFIGURATION.format(smtp=smtp, url=url), path=None, folder=folder)

    @contextlib.asynccontextmanager
    async def runs(self) -> AsyncGenerator[tuple[RunningHub, Watch]]:
        async with RunningHub(self._configuration, clock=self.clock) as hub, Watch(hub) as watch:
            await eventually(lambda: watch.standing.sources, what="a first look")
            yield hub, watch

    async def learn(self, hub: RunningHub) -> None:
        """Eight weeks in which the source sent something every ten minutes, up to now."""
        last = int(self.clock.now.timestamp()) // HOUR
        hours = tuple(Hour(source="ch", hour=hour, messages=6, longest=600, quiet=300) for hour in range(last - 8 * 7 * 24, last))
        await hub.journal.writer.commit(NoteHours(hours=hours, forget_before=0))

    async def send(self, hub: RunningHub, number: int) -> None:
        source = hub.sources["ch"]
        assert isinstance(source, MemorySource)
        person = feed.pid(ipp="CANIPP7741903", family="ZQXCANARIVO", given="ODETTE")
        await source.put(feed.admission(f"C{number}", person=person, visit="V1", movement=f"{number:010d}"))


@pytest.fixture
async def story(tmp_path: Path, mailbox: Mailbox, recorder: Recorder) -> AsyncGenerator[Story]:
    async with mailbox.serve() as smtp, recorder.serve() as url:
        yield Story(tmp_path, smtp, url)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def posts(recorder: Recorder) -> list[tuple[str, str, str]]:
    return [(told["telling"], told["kind"], told["about"]) for told in recorder.events]


def mails(mailbox: Mailbox) -> list[EmailMessage]:
    parsed: list[EmailMessage] = []
    for envelope in mailbox.mails:
        assert isinstance(envelope.content, bytes)
        parsed.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
    return parsed


async def told(recorder: Recorder, mailbox: Mailbox, count: int) -> None:
    await eventually(lambda: len(recorder.posts) >= count and len(mailbox.mails) >= count, what=f"{count} tellings")
    assert (len(recorder.posts), len(mailbox.mails)) == (count, count)


async def test_a_silence_is_told_once_and_its_end_once_over_restarts(story: Story, recorder: Recorder, mailbox: Mailbox) -> None:
    async with story.runs() as (hub, _):
        await story.learn(hub)
        await story.send(hub, 1)
    async with story.runs() as (hub, watch):
        for _ in range(6):
            await story.send(hub, 2)
            story.clock.move(300)
            await watch.look()
        assert recorder.posts == []
        # Usual is a quarter of an hour and half as long again: at forty minutes somebody must know.
        story.clock.move(2400)
        await watch.look()
        await told(recorder, mailbox, 1)
        story.clock.move(600)
        await watch.look()
    story.clock.move(3600)
    async with story.runs() as (hub, watch):
        # The hub has only just begun to listen, and knows all the same that it is silent.
        await watch.look()
        assert watch.standing.alerts["silence"] == 1
        await story.send(hub, 3)
        await watch.look()
        story.clock.move(660)
        await story.send(hub, 4)
        await watch.look()
        await told(recorder, mailbox, 2)
    assert posts(recorder) == [("start", "silence", "ch"), ("end", "silence", "ch")]
    start, end = mails(mailbox)
    assert start["Subject"] == "[Liaison Landes] Début : une source se tait (ch)"
    assert end["In-Reply-To"] == start["Message-ID"] and start["Auto-Submitted"] == "auto-generated"
    assert "d'ordinaire" in start.get_content().lower() and "À faire" in start.get_content()
    everything = json.dumps(recorder.events) + "".join(str(mail) for mail in (start, end))
    assert "ZQXCANARIVO" not in everything and "CANIPP" not in everything


async def test_whoever_was_away_is_told_when_back_and_nobody_twice(story: Story, recorder: Recorder, mailbox: Mailbox) -> None:
    recorder.status = 503
    async with story.runs() as (hub, watch):
        await story.send(hub, 1)
        await story.learn(hub)
    async with story.runs() as (hub, watch):
        await story.send(hub, 1)
        story.clock.move(7200)
        await watch.look()
        await eventually(lambda: len(mailbox.mails) == 1, what="the mail")
        await eventually(lambda: watch.alerts[0].told_at is None and watch.standing.untold == 0, what="not noted as told")
        recorder.status = 204
        await eventually(lambda: len(recorder.posts) == 1, what="the post")
        await eventually(lambda: watch.alerts[0].told_at is not None, what="noted as told")
    assert len(mailbox.mails) == 1


async def test_a_disk_that_fills_is_told_with_what_is_left(
    story: Story, recorder: Recorder, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [1]

    class Usage:
        total = 100

        @property
        def free(self) -> int:
            return free[0]

    def disk_usage(_path: Path) -> Usage:
        return Usage()

    monkeypatch.setattr("liaison.service.looking.shutil.disk_usage", disk_usage)
    async with story.runs() as (_, watch):
        await told(recorder, mailbox, 1)
        assert "1.0 %" in recorder.events[0]["text"]
        free[0] = 50
        await watch.look()
        story.clock.move(660)
        await watch.look()
        await told(recorder, mailbox, 2)
    assert posts(recorder) == [("start", "disk", "journal"), ("end", "disk", "journal")]
