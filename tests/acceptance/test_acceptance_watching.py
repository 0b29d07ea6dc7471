"""A hub that rings: told once when it begins and once when it is over, by mail and by post, though it was killed in between."""

from __future__ import annotations

import email
import email.policy
import json
import urllib.request
from email.message import EmailMessage
from typing import Any

import pytest

from tests.acceptance import feed
from tests.servers.eventually import eventually, eventually_answers
from tests.servers.hub import Hub, MakeHub
from tests.servers.mailbox import Mailbox
from tests.servers.mllp import send_once
from tests.servers.ports import free_port
from tests.servers.recorder import Recorder

CONFIGURATION = """\
[hub]
name = "Landes"

[sources.ch]
kind = "mllp"
listen = "127.0.0.1:{port}"
finess = "400011177"

[destinations.platform]
kind = "webhook"
url = "{platform}"

[[routes]]
events = ["*"]
to = "platform"
patients = "all"

[monitor]
listen = "127.0.0.1:{monitor}"
interval = 0.2

[alerts]
to = ["mail:astreinte@gcs.example.fr", "{hook}"]
server = "127.0.0.1:{smtp}"
sender = "liaison@gcs.example.fr"
tls = "none"
backlog = 0.02
calm = 0.01
"""


def mails(mailbox: Mailbox) -> list[EmailMessage]:
    contents = [envelope.content for envelope in mailbox.mails]
    return [email.message_from_bytes(each, policy=email.policy.default) for each in contents if isinstance(each, bytes)]


def standing(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/standing", timeout=10) as answer:
        told: dict[str, Any] = json.load(answer)
        return told


@pytest.mark.timeout(240)
async def test_an_alert_is_told_once_at_its_start_and_once_at_its_end_over_a_kill(
    make_hub: MakeHub, port: int, platform: str, recorder: Recorder, mailbox: Mailbox
) -> None:
    hooks, monitor = Recorder(), free_port()
    async with mailbox.serve() as smtp, hooks.serve() as hook:
        hub = make_hub(CONFIGURATION.format(port=port, platform=platform, monitor=monitor, hook=hook, smtp=smtp))
        await hub.start()
        recorder.status = 503
        person = feed.pid(ipp="CANIPP7741903", family="ZQXCANARIVO", given="ODETTE")
        await send_once(port, feed.admission("C1", person=person, visit="CANVIS9917342", movement="1"))
        await eventually(lambda: len(hooks.posts) == 1 and len(mailbox.mails) == 1, 60.0, what="the start is told")
        # Told, and noted as told: the mail may leave twice only if the hub dies between both.
        await noted(hub)
        hub.kill()
        await hub.start()

        async def seen() -> bool:
            told = standing(monitor)
            return bool(told["alerts"].get("backlog")) and told["destinations"]["platform"]["backlog"] > 0

        await eventually_answers(seen, 60.0, what="the hub that came after knows its alert")
        recorder.status = 204
        await hub.drained()
        await eventually(lambda: len(hooks.posts) >= 2 and len(mailbox.mails) >= 2, 60.0, what="the end is told")
        await eventually(lambda: not standing(monitor)["alerts"]["backlog"], 60.0, what="it is over")
        assert await hub.stop() == 0

    told = [json.loads(body) for _, body in hooks.posts]
    assert [(each["telling"], each["kind"], each["about"]) for each in told] == [
        ("start", "backlog", "platform"),
        ("end", "backlog", "platform"),
    ]
    assert told[0]["since"] == told[1]["since"] and told[1]["ended_at"]
    start, end = mails(mailbox)
    assert "Début" in start["Subject"] and "Fin" in end["Subject"] and end["In-Reply-To"] == start["Message-ID"]
    everything = json.dumps(told) + start.as_string() + end.as_string() + hub.log
    assert not [value for value in ("ZQXCANARIVO", "CANIPP7741903", "CANVIS9917342") if value in everything]
    assert "Traceback" not in hub.log


async def noted(hub: Hub) -> None:
    """Until ``/standing`` says that nothing is left to tell."""
    monitor = int(hub.config.read_text("utf-8").partition("[monitor]")[2].partition(":")[2].partition('"')[0])

    async def nothing_left() -> bool:
        told = standing(monitor)
        return bool(told["untold"] == 0 and told["alerts"]["backlog"] == 1)

    await eventually_answers(nothing_left, 60.0, what="noted as told")
