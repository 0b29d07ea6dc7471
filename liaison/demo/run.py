"""The demonstration: hospitals, hub, coordination platform, mailbox and live page, in one process, on loopback only."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import signal
import socket
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeAlias

import uvicorn

from liaison.adapters.mllp_send import MllpSender, MllpSendSettings
from liaison.demo import people
from liaison.demo.hospital import HOSPITALS
from liaison.demo.live import live_page
from liaison.demo.mailbox import mailbox
from liaison.demo.pace import Pace
from liaison.demo.platform import platform
from liaison.demo.scene import Json, Scene
from liaison.demo.stays import PARIS, TimedMessage, simulate_region
from liaison.hub.contracts import Parcel, Unavailable, Uncertain

HOST = "127.0.0.1"
#: Where the page is, when the port is free.
PORT = 8090
#: Tries to send one message before the next one goes: the hub may be busy.
_TRIES = 5
#: Messages kept to show beside what the hub says of them.
_REMEMBERED = 500


class HubUnderDemo(Protocol):
    """What the demonstration asks of a running hub."""

    def explain(self, raw: bytes) -> Json | Sequence[Json]:
        """What ``liaison explain --json`` answers for the bytes of a file; without side effects. Called in a thread."""
        ...


#: Told of each message once it is committed, in the event loop: the object of ``explain --json`` with its ``control_id``.
Observe: TypeAlias = Callable[[Json], None]
#: Starts a hub from a ``liaison.toml`` and tells the observer; the context ends it.
OpenHub: TypeAlias = Callable[[Path, Observe], AbstractAsyncContextManager[HubUnderDemo]]


async def run_demo(
    open_hub: OpenHub,
    *,
    port: int = PORT,
    speed: int = 1,
    seed: int | None = None,
    started: Callable[[str], None],
    stop: asyncio.Event | None = None,
) -> None:
    """Run until SIGINT or SIGTERM (or ``stop``), then end everything in order. ``started`` is told the page's address.

    Without ``port`` free, another one is taken. The hub's files live in a temporary folder that goes with it.
    """
    stopping = stop or asyncio.Event()
    with _stopped_by_signals(stopping):
        folder = Path(tempfile.mkdtemp(prefix="liaison-demo-"))
        try:
            await _run(open_hub, folder, port, speed, random.Random(seed), started, stopping)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _run(
    open_hub: OpenHub,
    folder: Path,
    port: int,
    speed: int,
    rng: random.Random,
    started: Callable[[str], None],
    stopping: asyncio.Event,
) -> None:
    scene = Scene()
    physicians = people.make_physicians(rng)
    start = (datetime.now(PARIS) - timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
    pace = Pace(start, speed)

    sent: OrderedDict[str, TimedMessage] = OrderedDict()

    def observe(explanation: Json) -> None:
        told = sent.get(str(explanation.get("control_id", "")))
        raw, source = (told.raw, told.hospital) if told else (b"", "")  # somebody else may send to the hub too
        scene.record_message(explanation, raw, source, datetime.now(UTC))

    async with AsyncExitStack() as stack:
        mail_port = await stack.enter_async_context(mailbox(scene.record_mail))
        event_port = await stack.enter_async_context(platform(lambda event: scene.record_event(event, datetime.now(UTC))))
        hospital_ports = {hospital.key: _free_port() for hospital in HOSPITALS}
        (folder / "annuaire.txt").write_text(people.directory(physicians), encoding="utf-8")
        toml = folder / "liaison.toml"
        toml.write_text(configuration(hospital_ports, mail_port, event_port), encoding="utf-8")
        hub = await stack.enter_async_context(open_hub(toml, observe))
        listening = _listen(port)
        page_port = int(listening.getsockname()[1])
        page = live_page(scene, pace, hub.explain, port=page_port)
        server = _Server(
            uvicorn.Config(
                page, log_config=None, access_log=False, lifespan="off", server_header=False, timeout_graceful_shutdown=1
            )
        )
        serving = asyncio.create_task(server.serve([listening]))
        feeding = asyncio.create_task(_feed(simulate_region(rng, start, physicians=physicians), pace, hospital_ports, sent))
        waiting = asyncio.create_task(stopping.wait())
        started(f"http://{HOST}:{page_port}")
        try:
            done, _ = await asyncio.wait({serving, feeding, waiting}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            scene.close()
            server.should_exit = True
            waiting.cancel()
            feeding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await feeding
            await serving


def configuration(hospital_ports: Mapping[str, int], mail_port: int, event_port: int) -> str:
    """The demonstration's ``liaison.toml``: nothing in it that a real one could not say."""
    parts = ['[hub]\nname = "Landes (démonstration)"\nterritory = "test"\n']
    parts.append('[letters]\ndirectory = "annuaire.txt"\n')
    parts += [
        f'[sources.{hospital.key}]\nkind = "mllp"\nlisten = "{HOST}:{hospital_ports[hospital.key]}"\nfiness = "{hospital.finess}"\n'
        for hospital in HOSPITALS
    ]
    parts.append(f'[destinations.coordination]\nkind = "webhook"\nurl = "http://{HOST}:{event_port}/events"\n')
    parts.append(
        f'[destinations.messagerie]\nkind = "smtp"\nserver = "{HOST}:{mail_port}"\ntls = "none"\n'
        f'sender = "liaison@{people.TRAINING_DOMAIN}"\nlabel = "Liaison - Landes"\n'
    )
    parts.append('[[routes]]\nevents = ["stay.*", "identity.*", "document.*"]\nto = "coordination"\npatients = "all"\n')
    letters = '[[routes]]\ndocuments = ["11490-0", "11488-4"]\nto = "messagerie"\nrecipients = ["named", "treating-physician"]\n'
    parts.append(letters)
    return "\n".join(parts)


async def _feed(feed: Iterator[TimedMessage], pace: Pace, ports: Mapping[str, int], sent: OrderedDict[str, TimedMessage]) -> None:
    """Send each message when its time comes, by its hospital's own connection."""
    senders = {key: MllpSender(key, MllpSendSettings(address=f"{HOST}:{port}", tls="none")) for key, port in ports.items()}
    try:
        while True:
            message = await asyncio.to_thread(next, feed)
            await pace.reach(message.at)
            sent[message.control_id] = message
            if len(sent) > _REMEMBERED:
                sent.popitem(last=False)
            await _send(senders[message.hospital], message)
    finally:
        for sender in senders.values():
            await sender.close()


async def _send(sender: MllpSender, message: TimedMessage) -> None:
    parcel = Parcel(
        id=message.control_id,
        kind=message.kind,
        body=message.raw,
        content_type="application/hl7-v2",
        lane=message.hospital,
        lane_seq=0,
    )
    for attempt in range(_TRIES):
        outcome = await sender.deliver(parcel)
        if not isinstance(outcome, Unavailable | Uncertain):
            return
        await asyncio.sleep(0.2 * 2**attempt)


class _Server(uvicorn.Server):
    """Signals are the demonstration's, not the page's."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@contextmanager
def _stopped_by_signals(stopping: asyncio.Event) -> Generator[None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        with contextlib.suppress(
            NotImplementedError, RuntimeError, ValueError
        ):  # not there on every system, nor off the main thread
            loop.add_signal_handler(number, stopping.set)
    try:
        yield
    finally:
        for number in signals:
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.remove_signal_handler(number)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _listen(port: int) -> socket.socket:
    """A listening socket on ``port``, or on a free one when it is taken."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError:
        listening.bind((HOST, 0))
    listening.listen(64)
    return listening
