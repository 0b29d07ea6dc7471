"""A hub for the demonstration's tests that really speaks MLLP, HTTP and SMTP, and decides nothing clever."""

from __future__ import annotations

import asyncio
import base64
import tomllib
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
import aiosmtplib
import pytest

from liaison.demo.run import Observe
from liaison.hl7.acknowledgement import build_ack
from liaison.hl7.framing import Frame, FrameDecoder, encode_frame
from liaison.hl7.message import Message


def explanation(raw: bytes) -> dict[str, Any]:
    """The shape of ``liaison explain --json``."""
    kind = Message.parse(raw).header.value(9, 2)
    finding = {
        "severity": "warning",
        "where": "PID-32",
        "rule": "hl7.test",
        "message": "Statut <b>absent</b>.",
        "remedy": "Le remplir.",
    }
    letter = kind in ("R01", "T02", "T10")
    kept = len(raw) % 3 == 0
    decision = {
        "destination": "messagerie" if letter else "coordination",
        "recipient": "medecin@medecin.formation.mssante.fr" if letter else "",
        "outcome": "hold" if kept and letter else "deliver",
        "reason": "Le médecin traitant n'a pas d'adresse." if kept and letter else "La route le demande.",
        "rule": "rules.test",
    }
    event = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "urn:finess:400011177", "type": "fr.liaison.stay.admitted.v1"}
    return {
        "kind": f"ADT^{kind}",
        "verdict": "accepted-with-findings" if kept else "accepted",
        "acknowledgement": {"code": "AA", "text": "Reçu", "errors": []},
        "findings": [finding] if kept else [],
        "patient": {},
        "facts": [],
        "events": [event],
        "documents": [
            {"type": "11490-0", "id": "1.2", "set_id": "1", "version": 1, "level": "N3", "title": "Lettre", "action": "publish"}
        ]
        if letter
        else [],
        "decisions": [decision],
    }


class SpeakingHub:
    """Answers AA, tells the observer, posts an event for each message, mails each document."""

    def __init__(self, configuration: dict[str, Any], observe: Observe) -> None:
        self._configuration = configuration
        self._observe = observe
        self.received: list[bytes] = []

    def explain(self, raw: bytes) -> dict[str, Any]:
        return explanation(raw)

    async def serve(self, source: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = FrameDecoder(max_message=10_000_000)
        try:
            while data := await reader.read(65536):
                for found in decoder.feed(data):
                    if isinstance(found, Frame):
                        writer.write(encode_frame(await self.take(source, found.payload)))
                        await writer.drain()
        except (asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def take(self, source: str, raw: bytes) -> bytes:
        self.received.append(raw)
        message = Message.parse(raw)
        told = explanation(raw)
        self._observe({**told, "control_id": message.header.value(10)})
        pid = message.first("PID")
        assert pid is not None
        destinations = self._configuration["destinations"]
        person = {"birth_name": pid.value(5), "first_given_name": pid.value(5, 2)}
        event = {
            **told["events"][0],
            "subject": pid.value(3),
            "time": "2026-11-20T10:00:00+01:00",
            "source": f"urn:finess:{self._configuration['sources'][source]['finess']}",
            "data": {"patient": person, "stay": {"place": {"uf_medical_label": "Cardiologie"}}},
        }
        async with aiohttp.ClientSession() as session, session.post(destinations["coordination"]["url"], json=event) as response:
            assert response.status == 202
        if told["documents"]:
            document = next(segment for segment in message.all("OBX") if segment.value(2) == "ED")
            await self.mail(base64.b64decode(document.raw_component(5, 5)), f"{pid.value(5)} {pid.value(5, 2)}")
        return build_ack(message, "AA", "", (), control_id=f"R{message.header.value(10)}", now=datetime.now(UTC), raw=raw)

    async def mail(self, cda: bytes, who: str) -> None:
        mail = EmailMessage()
        mail["From"] = "Liaison <liaison@medecin.formation.mssante.fr>"
        mail["To"] = "medecin@medecin.formation.mssante.fr"
        mail["Subject"] = f"XDM/1.0/DDM+Lettre de liaison à la sortie {who} 12/10/1948"
        mail.set_content("Bonjour,\n\nVeuillez trouver la lettre.\n")
        marker = b'representation="B64">'
        body = cda[cda.index(marker) + len(marker) :].partition(b"<")[0] if marker in cda else b""
        mail.add_attachment(
            base64.b64decode(body) or b"%PDF-1.4\n", maintype="application", subtype="pdf", filename="20261120_lettre.pdf"
        )
        server = self._configuration["destinations"]["messagerie"]["server"].split(":")
        await aiosmtplib.send(mail, hostname=server[0], port=int(server[1]), start_tls=False)


@asynccontextmanager
async def open_speaking_hub(toml: Path, observe: Observe) -> AsyncGenerator[SpeakingHub]:
    configuration = await asyncio.to_thread(lambda: tomllib.loads(toml.read_text("utf-8")))
    hub = SpeakingHub(configuration, observe)

    def serving(source: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
        return lambda reader, writer: hub.serve(source, reader, writer)

    servers: list[asyncio.Server] = []
    for source, settings in configuration["sources"].items():
        host, _, port = settings["listen"].partition(":")
        servers.append(await asyncio.start_server(serving(source), host, int(port)))
    try:
        yield hub
    finally:
        for server in servers:
            server.close()


@pytest.fixture
def open_hub() -> Callable[[Path, Observe], Any]:
    return open_speaking_hub
