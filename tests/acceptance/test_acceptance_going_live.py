"""A hospital goes live: a load, a week in shadow with its report, live, and an outage of two days caught up without a ring.

The hub runs under a clock of the test, so that the week is the hospital's own; everything else is as in service: MLLP in, HTTP and SMTP out.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from liaison.cli.shadow import shadow
from liaison.demo.hospital import BY_KEY
from liaison.demo.people import make_physicians
from liaison.demo.stays import PARIS, TimedMessage, simulate
from liaison.events.types import NAMES
from liaison.service.loader import load_configuration
from liaison.service.running import RunningHub
from tests.servers.eventually import eventually
from tests.servers.mailbox import Mailbox
from tests.servers.mllp import MllpConnection
from tests.servers.ports import free_port
from tests.servers.recorder import Recorder

CONFIGURATION = """\
[hub]
journal = "sqlite:///journal.db"
keys = "file:keys"

[sources.clinique]
kind = "mllp"
listen = "127.0.0.1:{port}"
finess = "{finess}"
{standing}

[destinations.platform]
kind = "webhook"
url = "{platform}"

[destinations.promess]
kind = "smtp"
server = "127.0.0.1:{submission}"
tls = "none"
sender = "liaison@na.mssante.fr"

[[routes]]
events = ["*"]
to = "platform"
patients = "all"

[[routes]]
documents = ["*"]
to = "promess"
recipients = ["named"]
"""
HOSPITAL = BY_KEY["clinique-des-pins"]
START = datetime(2026, 11, 2, 9, tzinfo=PARIS)
UNDER_WAY = {"pending", "sending", "retrying", "uncertain"}


def feed() -> Iterator[TimedMessage]:
    """The hospital's life; the same each time."""
    rng = random.Random(11)
    return simulate(HOSPITAL, rng, START, physicians=make_physicians(rng))


def until(messages: Iterator[TimedMessage], at: datetime, left_over: list[TimedMessage]) -> list[TimedMessage]:
    """The messages up to a time; the first after it waits in ``left_over``."""
    taken, left_over[:] = [*left_over], []
    for message in messages:
        if message.at >= at:
            left_over.append(message)
            break
        taken.append(message)
    return taken


class Hospital:
    """A hub of the hospital's in a folder of its own, started again under each configuration."""

    def __init__(self, folder: Path, port: int, platform: str, submission: int) -> None:
        folder.mkdir()
        self.folder = folder
        self.config = folder / "liaison.toml"
        self.now = START
        self._values = {"port": port, "finess": HOSPITAL.finess, "platform": platform, "submission": submission}
        self._port = port

    async def live_through(self, standing: str, messages: Iterable[TimedMessage], *, caught_up_at: datetime | None = None) -> None:
        """Run under a standing while the messages come, each at its time or all at ``caught_up_at``; end with nothing under way."""
        self.config.write_text(CONFIGURATION.format(standing=standing, **self._values), "utf-8")
        async with RunningHub(load_configuration(self.config), clock=lambda: self.now), MllpConnection(self._port) as connection:
            for message in messages:
                self.now = max(self.now, caught_up_at or message.at + timedelta(seconds=5))
                assert (await connection.send(message.raw)).code == "AA"
                # Each is at its end before the next comes, as minutes pass between them in the ward.
                await eventually(lambda: not UNDER_WAY & set(self.works()), what="nothing is under way")

    def works(self, *, destination: str = "") -> Counter[str]:
        """Deliveries by work state."""
        where = "WHERE destination = ?" if destination else ""
        found = self._rows(f"SELECT work, count(*) FROM delivery {where} GROUP BY work", *([destination] if destination else []))
        return Counter(dict(found))

    def kinds(self, work: str) -> Counter[tuple[str, str]]:
        """Deliveries in a work state, by destination and type."""
        rows = self._rows("SELECT destination, kind, count(*) FROM delivery WHERE work = ? GROUP BY 1, 2", work)
        return Counter({(destination, kind): number for destination, kind, number in rows})

    def count(self, table: str) -> int:
        ((number,),) = self._rows(f"SELECT count(*) FROM {table}")
        return int(number)

    def report(self, *arguments: str) -> tuple[dict[str, Any], str]:
        """``liaison shadow``, for programs and for people."""
        asked = [*arguments, "--config", str(self.config)]
        told = CliRunner().invoke(shadow, [*asked, "--json"], catch_exceptions=False)
        page = CliRunner().invoke(shadow, asked, catch_exceptions=False)
        assert told.exit_code == page.exit_code == 0
        answer: dict[str, Any] = json.loads(told.stdout)
        return answer, told.stdout + page.stdout

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "journal.db")) as connection:
            return connection.execute(query, values).fetchall()


def outcomes(report: dict[str, Any], outcome: str) -> Counter[tuple[str, str]]:
    """A report's numbers of one outcome, by destination and type."""
    counts: Counter[tuple[str, str]] = Counter()
    for line in report["lines"]:
        if line["outcome"] == outcome:
            counts[line["destination"], line["about"]] += line["number"]
    return counts


def types(recorder: Recorder) -> Counter[tuple[str, str]]:
    """What a platform was told, by type."""
    return Counter(("platform", NAMES[event["type"]]) for event in recorder.events)


async def test_a_hospital_goes_live_by_steps_and_an_outage_is_caught_up_without_a_ring(
    tmp_path: Path, port: int, platform: str, recorder: Recorder, mailbox: Mailbox
) -> None:
    messages, waiting = feed(), list[TimedMessage]()
    loaded = until(messages, START + timedelta(hours=2), waiting)
    week = until(messages, START + timedelta(days=7), waiting)
    first_day = until(messages, START + timedelta(days=8), waiting)
    outage = until(messages, START + timedelta(days=10), waiting)
    afterwards = until(messages, START + timedelta(days=11), waiting)
    async with mailbox.serve() as submission:
        hospital = Hospital(tmp_path / "hub", port, platform, submission)

        await hospital.live_through('mode = "load"', loaded)
        assert (hospital.works(), recorder.posts, mailbox.mails) == ({}, [], [])
        assert hospital.count("patient") and hospital.count("stay") and hospital.count("event")

        standing = 'late_after = "24h"\n'
        await hospital.live_through(f'{standing}mode = "shadow"', week)
        assert (recorder.posts, mailbox.mails) == ([], [])
        assert set(hospital.works()) == {"shadowed"} and hospital.count("lane") == 0
        report, printed = hospital.report("--source", "clinique")
        assert sum(report["messages"]["clinique"].values()) == len(week)
        assert (report["first"], report["last"]) == (f"{week[0].at:%Y-%m-%d}", f"{week[-1].at:%Y-%m-%d}")
        assert "@" not in printed and not [name for name in _names(week) if name in printed]
        await _check_against_a_live_twin(tmp_path, standing, loaded, week, report)

        went_live = hospital.now
        await hospital.live_through(standing, first_day)
        assert recorder.posts and mailbox.mails
        assert all(datetime.fromisoformat(event["recordedtime"]) >= went_live for event in recorder.events)
        assert hospital.works()["shadowed"] == sum((outcomes(report, "deliver") + outcomes(report, "hold")).values())

        rung, mailed, told = len(recorder.posts), len(mailbox.mails), hospital.count("event")
        letters = [one for one in outage if one.kind.startswith(("MDM", "ORU"))]
        assert letters and len(outage) > 20
        await hospital.live_through('late_after = "1h"', outage, caught_up_at=outage[-1].at + timedelta(hours=2))
        assert len(recorder.posts) == rung, "a catch-up rang"
        assert len(mailbox.mails) > mailed and hospital.count("event") >= told + len(letters)

        await hospital.live_through(standing, afterwards)
        assert len(recorder.posts) > rung
        assert not any(event.get("historic") for event in recorder.events[rung:] if event["type"].endswith("admitted.v1"))


async def _check_against_a_live_twin(
    folder: Path, standing: str, loaded: list[TimedMessage], week: list[TimedMessage], report: dict[str, Any]
) -> None:
    """A hub that was live through the same week sends and holds what the report says, type by type."""
    recorder, mailbox = Recorder(), Mailbox()
    async with recorder.serve() as platform, mailbox.serve() as submission:
        twin = Hospital(folder / "twin", free_port(), platform, submission)
        await twin.live_through('mode = "load"', loaded)
        await twin.live_through(standing, week)
        assert types(recorder) == Counter({key: n for key, n in outcomes(report, "deliver").items() if key[0] == "platform"})
        assert len(mailbox.mails) == sum(n for key, n in outcomes(report, "deliver").items() if key[0] == "promess") > 0
        assert twin.kinds("held") == outcomes(report, "hold")


def _names(messages: Iterable[TimedMessage]) -> set[str]:
    """Birth names and numbers of the patients, cut out of the messages by hand."""
    found: set[str] = set()
    for message in messages:
        fields = next(line for line in message.raw.decode().split("\r") if line.startswith("PID|")).split("|")
        found |= {fields[3].split("^")[0], fields[5].split("^")[0]}
    return {name for name in found if len(name) > 4}
