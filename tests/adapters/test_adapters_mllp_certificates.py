"""Who may speak, by certificate: named peers, and certificates that end."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
import uvloop

from liaison.adapters.budget import ByteBudget
from liaison.adapters.mllp_listen import MllpListener
from liaison.adapters.mllp_settings import MllpListenSettings
from tests.adapters.mllp import MESSAGE, Clock, Hub, Running, echo_reply, frame, listening
from tests.servers.authority import Authority
from tests.servers.pki import Pki


async def test_mutual_tls(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path)
    trusted = authority.client(authority.issue("sih.ch-test.fr"))
    anonymous = authority.client()
    wrong = authority.client(stranger.issue("sih.ch-test.fr"))
    async with listening(certificate=authority.issue("127.0.0.1"), client_ca=authority.path) as running:
        async with running.peer(trusted) as peer:
            await peer.send(frame(MESSAGE % 1))
            assert await peer.answer() == echo_reply(MESSAGE % 1)
        for context in (anonymous, wrong):
            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                async with running.peer(context) as peer:
                    await peer.send(frame(MESSAGE % 2))
                    await peer.answer()
    assert len(running.hub.taken) == 1


def known(*peers: tuple[str, str]) -> list[dict[str, str]]:
    return [{"san": san, "issuer": issuer} for san, issuer in peers]


async def refused(running: Running, context: ssl.SSLContext) -> bool:
    """Whether a peer that shows this certificate is hung up on."""
    with suppress(ssl.SSLError, ConnectionError):
        async with running.peer(context) as peer:
            return await peer.closed_by_hub()
    return True


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_only_the_peers_that_are_named_are_heard_by_name_and_by_issuer(
    tmp_path: Path, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    pki, other = Pki(tmp_path, "AC Une"), Pki(tmp_path, "AC Autre")
    both = tmp_path / "both.pem"
    both.write_text(Path(pki.ca).read_text() + Path(other.ca).read_text())
    shown = [
        pki.client(pki.issue("sih.ch-dax.fr")),
        pki.client(pki.issue("sih.ch-mdm.fr")),
        pki.client(other.issue("sih.ch-dax.fr")),
    ]
    certificate, peers = pki.server(), known(("sih.ch-dax.fr", "AC Une"))

    async def exchange() -> None:
        async with listening(certificate=certificate, client_ca=str(both), peers=peers) as running:
            with structlog.testing.capture_logs() as logs:
                async with running.peer(shown[0]) as peer:
                    await peer.send(frame(MESSAGE % 1))
                    assert await peer.answer() == echo_reply(MESSAGE % 1)
                for context in shown[1:]:
                    assert await refused(running, context)
            assert len(running.hub.taken) == 1
        told = [(entry["san"], entry["issuer"]) for entry in logs if entry.get("reason") == "certificate not in peers"]
        assert told == [(("sih.ch-mdm.fr",), "CN=AC Une,O=Essai"), (("sih.ch-dax.fr",), "CN=AC Autre,O=Essai")]

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(exchange())


async def test_a_certificate_that_ends_during_a_connection_ends_it_between_two_messages(tmp_path: Path) -> None:
    pki, clock = Pki(tmp_path), Clock()
    soon = pki.client(pki.issue("sih.ch-dax.fr", ends=datetime.now(UTC) + timedelta(days=5)))
    long = pki.client(pki.issue("sih.ch-mdm.fr"))
    certificate = pki.server()
    with structlog.testing.capture_logs() as logs:
        async with (
            listening(clock=clock, certificate=certificate, client_ca=pki.ca, frame_timeout=0.5) as running,
            running.peer(soon) as peer,
            running.peer(long) as other,
        ):
            await peer.send(frame(MESSAGE % 1))
            assert await peer.answer() == echo_reply(MESSAGE % 1)
            gate = running.hub.gate = asyncio.Event()
            running.hub.arrived.clear()
            await peer.send(frame(MESSAGE % 2) + frame(MESSAGE % 3))
            await running.hub.arrived.wait()
            clock.ahead = timedelta(days=6)
            gate.set()
            assert await peer.answer() == echo_reply(MESSAGE % 2), "the message in hand has its answer"
            assert await peer.closed_by_hub()
            await other.send(frame(MESSAGE % 4))
            assert await other.answer() == echo_reply(MESSAGE % 4)
        assert [message for message, _ in running.hub.taken] == [MESSAGE % 1, MESSAGE % 2, MESSAGE % 4]
    events = [(entry["event"], entry.get("days")) for entry in logs]
    assert ("mllp.peer_certificate_ends", 4) in events and ("mllp.peer_certificate_ended", None) in events


async def test_an_idle_connection_ends_with_its_certificate(tmp_path: Path) -> None:
    pki, clock = Pki(tmp_path), Clock()
    soon = pki.client(pki.issue("sih.ch-dax.fr", ends=datetime.now(UTC) + timedelta(days=5)))
    certificate = pki.server()
    async with (
        listening(clock=clock, certificate=certificate, client_ca=pki.ca, frame_timeout=0.1) as running,
        running.peer(soon) as peer,
    ):
        await peer.send(frame(MESSAGE % 1))
        await peer.answer()
        clock.ahead = timedelta(days=6)
        assert await peer.closed_by_hub()


async def test_a_certificate_that_has_ended_is_not_heard(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    ended = pki.client(pki.issue("sih.ch-dax.fr", ends=datetime.now(UTC) - timedelta(days=1)))
    async with listening(certificate=pki.server(), client_ca=pki.ca) as running:
        assert await refused(running, ended)
    assert not running.hub.taken


async def test_a_certificate_that_cannot_be_read_is_said_by_its_path() -> None:
    listener = MllpListener("a", MllpListenSettings(listen="127.0.0.1:0", certificate="/nowhere.pem"), ByteBudget(1000))
    with pytest.raises(ValueError, match=r"/nowhere\.pem"):
        await listener.run(Hub().receive)
