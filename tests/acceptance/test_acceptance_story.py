"""A hospital is connected by the checklist alone: with a test PKI, from its load to a restoration after the disk died.

The commands and the configuration are the page's own. The clock cannot be moved, so the week is in the messages: its times are of
thirteen to six days ago, and ``late_after`` is set where the page sets it. A region loads 50,000 identities or more:
LIAISON_STORY_IDENTITIES=50000 loads as many here, and 5,000 are enough to see that the load works.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import ssl
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance import checklist
from tests.acceptance.test_acceptance_recipients import white_list
from tests.servers.hub import MakeHub
from tests.servers.mailbox import Mailbox
from tests.servers.mllp import MllpConnection
from tests.servers.pki import Pki
from tests.servers.recorder import Recorder

IDENTITIES = int(os.environ.get("LIAISON_STORY_IDENTITIES", "5000"))
CONNECTIONS = 16
PARIS = ZoneInfo("Europe/Paris")
LIVE, SHADOW, LOAD = ('mode = "live"', 'mode = "shadow"', 'mode = "load"')
OBSERVE, SEND = 'letters = "observe"', 'letters = "send"'
WRONG = "secretariat@medecin.formation.mssante.fr"


class Message:
    """A message of the feed, cut by hand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.raw = path.read_bytes()
        self.segments = [line.split("|") for line in self.raw.decode().split("\r") if line]
        header = self.segments[0]
        self.at = datetime.strptime(header[6][:14], "%Y%m%d%H%M%S").replace(tzinfo=PARIS)
        self.kind, self.control_id = header[8][:7], header[9]
        self.is_letter = self.kind == "ORU^R01"
        (person,) = [segment for segment in self.segments if segment[0] == "PID"]
        self.ipp = person[3].split("^")[0]
        # Of no doubt: these letters leave, whatever the gates say of others.
        self.is_sure = person[32] == "VALI" and not any(
            "MASQUE_PS" in one[3] and one[5] == "Y" for one in self.segments if one[0] == "OBX"
        )
        self.recipients = [
            segment[15].split("^")[3] for segment in self.segments if segment[0] == "PRT" and segment[4][:3] == "RCT"
        ]


def addressed(messages: Iterable[Message]) -> Counter[str]:
    """To whom the letters among messages are written."""
    return Counter(address.lower() for one in messages for address in one.recipients)


def between(messages: Sequence[Message], since: datetime, until: datetime) -> list[Message]:
    return [message for message in messages if since <= message.at < until]


def identities(model: Message, count: int) -> Iterator[bytes]:
    """A28 of invented people under numbers that the feed does not use."""
    names = "ABCDEFGHIJ"
    for number in range(count):
        segments = [list(segment) for segment in model.segments]
        segments[0][9] = f"CHARGE{number}"
        for segment in segments:
            if segment[0] == "PID":
                segment[3] = f"{5_000_000 + number}^" + segment[3].split("~")[0].partition("^")[2]
                segment[5] = f"CHARGE{''.join(names[int(digit)] for digit in str(number))}^ALICE^ALICE^^^^L"
                segment[32] = "PROV"
        yield "".join("|".join(segment) + "\r" for segment in segments).encode()


async def send_all(port: int, tls: ssl.SSLContext, messages: Iterable[bytes]) -> int:
    """As an interface engine does it: on several connections, each awaiting its answers; how many were accepted."""
    waiting, accepted = iter(messages), 0

    async def one() -> None:
        nonlocal accepted
        async with MllpConnection(port, tls) as connection:
            for message in waiting:
                assert (await connection.send(message)).code == "AA"
                accepted += 1

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return accepted


@pytest.mark.timeout(900)
async def test_a_hospital_is_connected_by_the_checklist_alone(
    make_hub: MakeHub, port: int, recorder: Recorder, mailbox: Mailbox, tmp_path: Path
) -> None:
    pki = Pki(tmp_path)
    starttls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    starttls.load_cert_chain(pki.server())
    async with recorder.serve() as platform, mailbox.serve(starttls=starttls) as submission:
        hub = make_hub("")
        client = pki.issue("sih.ch-mdm.example.fr")
        for path, name in ((pki.ca, "ca.pem"), (client, "sih.pem"), (pki.server(), "hub.pem")):
            shutil.copy(path, hub.folder / name)
        values = {
            "10.1.0.5:2575": f"127.0.0.1:{port}",
            "/media/safe": str(hub.folder / "safe"),
            "/srv/backup": str(hub.folder / "backup"),
            "/etc/liaison": str(hub.folder),
            "/var/lib/liaison-keys": str(hub.folder / "cle"),
            "/var/lib/liaison/journal.db": str(hub.folder / "data" / "journal.db"),
            "/var/lib/liaison": str(hub.folder),
            "AC Exemple": pki.name,
            "https://coordination.example.fr/events": platform,
            "smtp.operateur.example:587": f"127.0.0.1:{submission}",
        }
        (hub.folder / "safe").mkdir()
        (hub.folder / "backup").mkdir()
        text = checklist.configuration()
        for example, value in values.items():
            text = text.replace(example, value)
        reader = checklist.Reader(hub, values)

        def configure(*changes: tuple[str, str]) -> None:
            nonlocal text
            for before, after in changes:
                assert before in text
                text = text.replace(before, after)
            hub.config.write_text(text, "utf-8")

        async def restart(*changes: tuple[str, str]) -> None:
            assert await hub.stop() == 0
            configure(*changes)
            await hub.start()

        async def told(beginning: str, here: Mapping[str, str] | None = None) -> Any:
            return json.loads(await reader.does(beginning, "--json", here=here))

        async def lines(beginning: str) -> list[Any]:
            return [json.loads(line) for line in (await reader.does(beginning, "--json")).splitlines()]

        async def send(messages: Sequence[Message]) -> None:
            secured = ("--to", f"127.0.0.1:{port}", "--ca", "ca.pem", "--certificate", "sih.pem")
            await reader.types("send", *(str(message.path) for message in messages), *secured)

        def mailed() -> list[str]:
            return [address.lower() for mail in mailbox.mails for address in mail.rcpt_tos]

        async def waiting_letters() -> int:
            held = [
                json.loads(line) for line in (await hub.liaison("held", "list", "--json", "--config", str(hub.config))).splitlines()
            ]
            return sum(one["what"] == "letter" and one["rule"] != "recipient.nobody" for one in held)

        async def send_and_mail(messages: Sequence[Message]) -> None:
            """Each letter that names somebody is mailed to them, waits for a person, or was replaced before it left."""
            before, waited = len(mailbox.mails), await waiting_letters()
            replaced = (await hub.stats())["deliveries"].get("cancelled", 0)
            await send(messages)
            replaced = (await hub.drained())["deliveries"].get("cancelled", 0) - replaced
            arrived = Counter(mailed()[before:])
            assert arrived and arrived <= addressed(messages)
            assert arrived.total() + await waiting_letters() - waited + replaced == addressed(messages).total()

        now = datetime.now(PARIS).replace(second=0, microsecond=0)
        start = now - timedelta(days=13)
        simulated = f"{start.replace(tzinfo=None):%Y-%m-%dT%H:%M}"
        await reader.does("simulate", "--seed", "11", here={"2026-11-09T08:00": simulated})
        feed = [Message(path) for path in sorted((hub.folder / "feed").iterdir())]
        ends = [start + timedelta(days=days) for days in (0, 7, 8, 9, 10)] + [now - timedelta(hours=23), now + timedelta(days=1)]
        parts = [between(feed, since, until) for since, until in itertools.pairwise(ends)]
        week, trial, observed, opened, outage, today = parts
        assert all(any(one.is_letter for one in part) for part in parts)

        # Before the network.
        (hub.folder / "listeblanchemssante.xml").write_text(white_list("medecin.formation.mssante.fr"), "utf-8")
        (hub.folder / "ufs.csv").write_text("code;label\n1101;Cardiologie\n", "utf-8")
        configure()
        await reader.does("explain", files=f"feed/{feed[0].path.name[:4]}*.hl7")
        assert [one["ok"] for one in await told("directory load")] == [True, True]
        await hub.start()
        reader.did("liaison run --config liaison.toml")
        assert (await told("check"))["ok"]
        await reader.does("keys export")
        assert (await told("keys verify"))["opens_journal"]

        # Who speaks.
        await reader.does("send feed")
        await reader.types("send", str(feed[0].path), "--to", f"127.0.0.1:{port}", "--ca", "ca.pem", code=1)
        other = hub.folder / "other.hl7"
        other.write_bytes(
            feed[0].raw.replace(b"|CH Mont-de-Marsan|", b"|CLINIQUE|", 1).replace(b"|" + feed[0].control_id.encode(), b"|X1")
        )
        await reader.does("send feed", files="other.hl7")
        (waits,) = await lines("quarantine list")
        assert waits["rule"] == "sender.pair"
        await reader.does("quarantine reject", here={"ID": waits["id"]})

        # Load.
        (model,) = [one for one in feed[:1] if one.kind == "ADT^A28"]
        people = list(identities(model, IDENTITIES))
        (hub.folder / "identities.hl7").write_bytes(b"".join(people[:500]))
        await reader.does("send identities")
        assert await send_all(port, pki.client(client), people[500:]) == IDENTITIES - 500
        counts = await told("journal stats")
        assert (counts["patients"], counts["deliveries"], counts["holds"]) == (IDENTITIES + 1, {}, 0)

        # A week in shadow.
        await restart((LOAD, SHADOW))
        await send(week)
        assert (recorder.posts, mailbox.mails) == ([], [])
        report = await told("shadow")
        assert sum(report["messages"]["ch-mont-de-marsan"].values()) == len(week) - 1, "the first came before"
        would = Counter[tuple[str, str, str]]()
        for line in report["lines"]:
            would[line["destination"], line["recipients"], line["outcome"]] += line["number"]
        assert would["promess", "named", "deliver"] > 20 and would["platform", "", "deliver"] > 300
        assert would["promess", "named", "deliver"] + would["promess", "named", "hold"] == addressed(week).total()
        assert await hub.stop() == 0  # it writes the codes down every minute, and when it stops
        missing = [json.loads(line)["code"] for line in (await reader.does("units unmapped", "--json", code=1)).splitlines()]
        await hub.start()
        (hub.folder / "ufs.csv").write_text(
            "code;label\n1101;Cardiologie\n" + "".join(f"{one};UF {one}\n" for one in missing), "utf-8"
        )
        assert "1101" not in missing
        await reader.does("units unmapped")

        # Live for one patient, then for all but letters, then for all.
        chosen = next(one for one in trial if one.recipients and one.is_sure)
        only = f'only_to = ["ipp:oid:2.25.170451845542832581649534235470652795374/{chosen.ipp}"]\nkind = '
        await restart((SHADOW, LIVE), (OBSERVE, SEND), ('kind = "webhook"', f'{only}"webhook"'), ('kind = "smtp"', f'{only}"smtp"'))
        await send(trial)
        await hub.drained()
        mine = [one for one in trial if one.ipp == chosen.ipp]
        assert Counter(mailed()) == addressed(mine)
        assert {event["data"]["patient"]["ipp"][0]["value"] for event in recorder.events} == {chosen.ipp}

        count = len(mailbox.mails)
        await restart((only, "kind = "), (SEND, OBSERVE))
        await send(observed)
        await hub.drained()
        told_of = {event["data"]["patient"]["ipp"][0]["value"] for event in recorder.events}
        assert len(mailbox.mails) == count and told_of > {chosen.ipp}

        await restart((OBSERVE, SEND))
        letter = next(one for one in opened if one.recipients and one.is_sure)
        await send_and_mail([one for one in opened if one is not letter])

        # A wrong mailbox, corrected.
        right = letter.recipients[0]
        (hub.folder / "wrong.hl7").write_bytes(letter.raw.replace(right.encode(), WRONG.encode()))
        await reader.does("send feed", files="wrong.hl7")
        (held,) = [one for one in await lines("held list") if one["rule"] == "recipient.not-their-address"]
        assert (await told("held show", {"ID": held["id"]}))["recipient"] == WRONG
        count = len(mailbox.mails)
        await reader.does("held release", here={"ID": held["id"], "gp@medecin.mssante.fr": right})
        await mailbox.wait_for(count + 1)
        assert mailed()[count:] == [right.lower()]

        # The switch.
        await reader.does("letters stop")
        assert "letters" in (await told("journal stats"))["stopped"]
        await reader.does("letters start")

        # Two days of outage, caught up without a ring.
        rung = len(recorder.posts)
        await restart((LIVE, f'{LIVE}\nlate_after = "1h"'))
        await send_and_mail(outage)
        assert len(recorder.posts) == rung
        await restart(('late_after = "1h"', 'late_after = "24h"'))

        # A backup while the platform is away; then the disk dies.
        half = len(today) // 2
        recorder.status = 503
        await send(today[:half])
        await reader.does("journal backup")
        await reader.does("journal verify /srv")
        recorder.status = 204
        await send(today[half:])
        await hub.drained(120.0)
        before = len(recorder.ids)
        assert before > rung
        hub.kill()
        shutil.rmtree(hub.folder / "data")
        restored = await told("journal restore")
        assert restored["uncertain"] > 0
        assert restored["sources"]["ch-mont-de-marsan"]["control_id"] == today[half - 1].control_id
        await hub.start()
        assert (await told("journal verify --all"))["complaints"] == []
        posts = len(recorder.posts)
        await send(today)
        assert len(recorder.posts) == posts
        await reader.does("resume --all")
        counts = await hub.drained(120.0)
        again = {key for key, _ in recorder.posts[:posts]} & {key for key, _ in recorder.posts[posts:]}
        assert again, "what may have left goes again under its own id"
        assert not set(counts["deliveries"]) - {"submitted", "shadowed", "cancelled", "held"}
        taken = {message["control_id"] for message in await hub.messages()}
        assert {one.control_id for one in feed} <= taken and len(taken) >= IDENTITIES + len(feed)
        assert addressed(one for one in today if one.is_sure) <= Counter(mailed())
        await reader.does("audit list")
        assert await hub.stop() == 0
        assert reader.left == [], "the page shows a command that nobody ran"
