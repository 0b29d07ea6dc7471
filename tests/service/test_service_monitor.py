"""Health and metrics over real HTTP, from a hub that runs in this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import ssl
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from liaison.adapters.memory import MemorySource
from liaison.adapters.mllp_listen import MllpListener
from liaison.hub.engine import subject_keys_path
from liaison.hub.watch.troubles import COMMIT_LATE
from liaison.service.configuration import MonitorSettings
from liaison.service.loader import read_configuration
from liaison.service.monitor import Monitor
from liaison.service.running import RunningHub, StartError
from liaison.service.watching import Watch
from tests.acceptance import feed
from tests.hub.bench import Gate
from tests.servers.authority import Authority
from tests.servers.eventually import eventually, eventually_answers
from tests.servers.ports import free_port

CONFIGURATION = """\
[hub]
journal = "sqlite:///data/journal.db"
keys = "file:keys"
[sources.ch]
kind = "memory"
finess = "400011177"
[sources.mllp]
kind = "mllp"
listen = "127.0.0.1:0"
finess = "400011178"
[destinations.platform]
kind = "memory"
[[routes]]
events = ["*"]
to = "platform"
patients = "all"
[monitor]
interval = 0.05
{monitor}
"""
PLANTED = ("ZQXCANARIVO", "CANIPP7741903", "CANVIS9917342")


class Seen:
    """A hub, its watch, and where it answers."""

    def __init__(self, hub: RunningHub, watch: Watch, monitor: Monitor) -> None:
        self.hub, self.watch, self.monitor = hub, watch, monitor

    async def get(self, path: str, tls: ssl.SSLContext | None = None) -> tuple[int, str]:
        url = f"{'https' if tls else 'http'}://{self.monitor.address}{path}"
        async with aiohttp.ClientSession() as session, session.get(url, ssl=tls or True) as answer:
            return answer.status, await answer.text()

    async def broken(self) -> dict[str, str]:
        async with aiohttp.ClientSession() as session, session.get(f"http://{self.monitor.address}/readyz") as answer:
            told = await answer.json()
            assert answer.status == (503 if told["broken"] else 200) and told["ready"] is not bool(told["broken"])
            broken: dict[str, str] = told["broken"]
            return broken

    async def put(self, number: int) -> None:
        source = self.hub.sources["ch"]
        assert isinstance(source, MemorySource)
        person = feed.pid(ipp=PLANTED[1], family=PLANTED[0], given="ODETTE")
        await source.put(feed.admission(f"C{number}", person=person, visit=PLANTED[2], movement=f"{number:010d}"))

    async def metrics(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        status, page = await self.get("/metrics")
        assert status == 200
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
        }


@contextlib.asynccontextmanager
async def seen_hub(folder: Path, monitor: str = 'listen = "127.0.0.1:0"') -> AsyncGenerator[Seen]:
    configuration = read_configuration(CONFIGURATION.format(monitor=monitor), path=None, folder=folder)
    async with RunningHub(configuration) as hub, Watch(hub) as watch, Monitor(hub, watch) as listening:
        await eventually(lambda: watch.standing.sources, what="a first look")
        yield Seen(hub, watch, listening)


@pytest.fixture
async def seen(tmp_path: Path) -> AsyncGenerator[Seen]:
    async with seen_hub(tmp_path) as made:
        yield made


async def test_a_hub_that_works_is_healthy_and_ready(seen: Seen) -> None:
    assert await seen.get("/healthz") == (200, "ok\n")
    assert await seen.broken() == {}


async def test_a_reader_that_died_is_told_until_it_is_replaced(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more_processes(_method: str) -> None:
        raise OSError

    pid = seen.hub.readers.process
    assert pid is not None
    with monkeypatch.context() as full:
        full.setattr("liaison.hub.readers.multiprocessing.get_context", no_more_processes)
        os.kill(pid, signal.SIGKILL)
        told = await eventually_answers(seen.broken, what="the reader is missed")
        assert set(told) == {"reader"}

    async def whole() -> bool:
        return not await seen.broken()

    await eventually_answers(whole, what="the reader is replaced")
    assert seen.hub.readers.replaced >= 1


async def test_a_source_that_does_not_listen_is_named(seen: Seen) -> None:
    source = seen.hub.sources["mllp"]
    assert isinstance(source, MllpListener)
    source.listening.clear()
    told = await seen.broken()
    assert set(told) == {"sources"} and "mllp" in told["sources"]
    source.listening.set()


async def test_a_writer_that_hangs_is_told_at_both_doors(seen: Seen) -> None:
    gate = Gate()
    stuck = asyncio.ensure_future(seen.hub.journal.writer.commit(gate))
    await asyncio.to_thread(gate.reached.wait, 30)
    try:
        seen.hub.journal.writer.meter.committed_at -= COMMIT_LATE + 1
        status, text = await seen.get("/healthz")
        assert status == 503 and "1 min" in text
        assert set(await seen.broken()) == {"journal"}
    finally:
        gate.open()
        await stuck
    await eventually(lambda: seen.hub.journal.writer.meter.age < COMMIT_LATE, what="a pulse")
    assert (await seen.get("/healthz"))[0] == 200


async def test_keys_that_are_gone_are_told(seen: Seen) -> None:
    keys = subject_keys_path(seen.hub.configuration.journal_path)
    keys.rename(keys.with_name("away"))
    told = await eventually_answers(seen.broken, what="the keys are missed")
    assert set(told) == {"vault"}
    keys.with_name("away").rename(keys)


async def test_metrics_count_what_happens(seen: Seen) -> None:
    for number in (1, 2, 2):
        await seen.put(number)
    backlog = ("liaison_backlog_deliveries", (("destination", "platform"),))
    attempts = ("liaison_attempts_total", (("destination", "platform"), ("outcome", "delivered")))

    async def delivered() -> bool:
        metrics = await seen.metrics()
        silence = metrics.get(("liaison_source_silence_seconds", (("source", "ch"),)))
        return metrics.get(attempts, 0) >= 2 and metrics[backlog] == 0 and silence is not None

    await eventually_answers(delivered, what="all is delivered")
    metrics = await seen.metrics()
    answered = sum(
        value for (name, labels), value in metrics.items() if name == "liaison_messages_total" and ("source", "ch") in labels
    )
    assert answered == 2
    assert metrics["liaison_duplicates_total", (("source", "ch"),)] == 1
    assert metrics["liaison_ack_seconds_count", (("source", "ch"),)] == 3
    assert metrics["liaison_commit_seconds_count", ()] == metrics["liaison_batch_commands_count", ()] > 0
    assert metrics["liaison_memory_bytes", (("process", "hub"),)] > 10_000_000
    assert metrics["liaison_disk_free_bytes", (("about", "journal"),)] > 0
    assert metrics["liaison_part_ready", (("part", "reader"),)] == 1


#: Every label that a metric may have, and what its values may be.
LABELS: Mapping[str, str] = {
    "source": "ch|mllp",
    "destination": "platform",
    "verdict": "accepted|accepted-with-findings|ignored|quarantined|refused",
    "outcome": "delivered|refused|unavailable|uncertain|withheld|needless",
    "owner": "hospital|gcs",
    "kind": "part|intake|silence|backlog|hold|certificate|disk|stale|reader|worker",
    "part": "journal|vault|reader|sources|dispatch",
    "about": "journal",
    "process": r"hub|reader|worker-\d+",
    "quantile": r"0\.\d+",
    "le": r"[0-9.]+|\+Inf",
    "version": r"[0-9.]+",
}


async def test_no_label_can_hold_an_identity(seen: Seen) -> None:
    await seen.put(1)
    await seen.put(2)
    pages = [(await seen.get(path))[1] for path in ("/metrics", "/readyz", "/standing", "/healthz")]
    assert not [value for value in PLANTED for page in pages if value in page]
    families = list(text_string_to_metric_families(pages[0]))
    assert len(families) > 30
    for family in families:
        assert family.name.startswith("liaison_") and family.documentation.endswith(".")
        for sample in family.samples:
            for label, value in sample.labels.items():
                assert re.fullmatch(LABELS[label], value), (family.name, label, value)


async def test_nothing_else_is_answered(seen: Seen) -> None:
    assert (await seen.get("/"))[0] == 404
    async with aiohttp.ClientSession() as session, session.post(f"http://{seen.monitor.address}/metrics") as answer:
        assert answer.status == 405


async def test_whoever_is_not_in_allow_learns_nothing(tmp_path: Path) -> None:
    async with seen_hub(tmp_path, 'listen = "127.0.0.1:0"\nallow = ["10.20.0.0/16"]') as seen:
        assert await seen.get("/healthz") == (403, "")
        assert await seen.get("/nothing") == (403, "")


async def test_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate = authority.issue("127.0.0.1")
    async with seen_hub(tmp_path, f'listen = "127.0.0.1:0"\ncertificate = "{certificate}"') as seen:
        assert (await seen.get("/healthz", authority.client()))[0] == 200
        left = seen.watch.standing.certificates["monitor"]
        assert left is not None and left > 0


async def test_a_configured_address_that_is_taken_is_refused(tmp_path: Path) -> None:
    port = free_port()
    taken = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", port)
    with pytest.raises(StartError, match=str(port)):
        async with seen_hub(tmp_path, f'listen = "127.0.0.1:{port}"'):
            pass
    taken.close()


async def test_the_default_address_is_done_without_when_it_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    default = MonitorSettings(listen=f"127.0.0.1:{port}")
    monkeypatch.setattr("liaison.service.monitor.MonitorSettings", lambda: default)
    async with seen_hub(tmp_path, f'listen = "127.0.0.1:{port}"') as seen:
        assert seen.monitor.address is None
    taken.close()
