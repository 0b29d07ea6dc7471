from __future__ import annotations

import asyncio
import json
import random
import tomllib
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import aiosmtplib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.demo import people
from liaison.demo.hospital import HOSPITALS
from liaison.demo.mail import MailView, pretty, read_mail
from liaison.demo.mailbox import mailbox
from liaison.demo.pace import Pace
from liaison.demo.platform import platform
from liaison.demo.run import configuration, run_demo
from liaison.demo.scene import EVENTS_PER_PATIENT, MESSAGES, PATIENTS, Notice, Scene, patient_name
from liaison.service.loader import load_configuration

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def letter_mail(archive: bytes) -> bytes:
    mail = EmailMessage()
    mail["From"] = "Hôpital A - Cardiologie <hopital@x.fr>"
    mail["Subject"] = "XDM/1.0/DDM+Lettre DUPONT JEAN 12/02/1948"
    mail["X-MSS-INS"] = "O"
    mail.set_content("Bonjour")
    mail.add_attachment(archive, maintype="application", subtype="zip", filename="IHE_XDM.ZIP")
    mail.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="lettre.pdf")
    return mail.as_bytes()


def archive(**files: bytes) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for name, content in files.items():
            zipped.writestr(f"IHE_XDM/SUBSET01/{name}.XML", content)
    return buffer.getvalue()


def event(number: int, subject: str = "p1", **more: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": str(number), "source": "urn:finess:400011177", "type": "fr.liaison.stay.admitted.v1",
            "subject": subject, **more}  # fmt: skip


def test_a_mail_is_taken_apart_into_its_pdf_and_its_cda() -> None:
    view = read_mail(letter_mail(archive(DOC0001=b"<ClinicalDocument/>")), ("gp@x.fr",), NOW)
    assert view.about == "Lettre DUPONT JEAN 12/02/1948"
    assert view.sender.startswith("Hôpital A - Cardiologie")
    assert [pdf.name for pdf in view.pdfs] == ["lettre.pdf"]
    assert [document.content for document in view.documents] == [b"<ClinicalDocument/>"]
    assert ("X-MSS-INS", "O") in view.headers
    assert view.text == "Bonjour"
    assert not view.trouble


def test_an_archive_that_cannot_be_opened_is_said() -> None:
    view = read_mail(letter_mail(b"PK nothing"), (), NOW)
    assert view.trouble
    assert view.documents == ()
    assert view.pdfs


@given(st.binary(max_size=400))
def test_no_mail_stops_the_reader(raw: bytes) -> None:
    assert isinstance(read_mail(raw, (), NOW), MailView)
    assert isinstance(read_mail(b"Content-Type: multipart/mixed; boundary=b\r\nSubject: =?utf-8?q?" + raw, (), NOW), MailView)


def test_a_document_is_shown_as_indented_text_with_its_base64_shortened() -> None:
    shown = pretty(b"<a><b>" + b"QUJD" * 3000 + b"</b></a>")
    assert "\n  <b>" in shown
    assert len(shown) < 400
    assert pretty(b"<a><b>") == "<a><b>"


async def test_the_mailbox_takes_what_smtp_brings() -> None:
    taken: list[MailView] = []
    async with mailbox(taken.append) as port:
        message = letter_mail(archive(DOC0001=b"<a/>"))
        await aiosmtplib.send(message, sender="l@x.fr", recipients=["gp@x.fr"], hostname="127.0.0.1", port=port, start_tls=False)
    assert [mail.recipients for mail in taken] == [("gp@x.fr",)]
    assert taken[0].documents


async def test_the_platform_takes_an_event_once_and_refuses_what_is_none() -> None:
    taken: list[Any] = []
    async with platform(taken.append) as port, aiohttp.ClientSession() as client:
        address = f"http://127.0.0.1:{port}/events"

        async def post(**body: Any) -> int:
            async with client.post(address, **body) as response:
                return response.status

        assert await post(json=event(1)) == 202
        assert await post(json=event(1)) == 200
        assert await post(json=event(2)) == 202
        assert await post(data=b"{") == 400
        assert await post(json=[1]) == 400
        assert await post(json={"id": "3"}) == 400
        assert await post(data=BytesIO(b" " * 2_000_000)) == 413
    assert [received["id"] for received in taken] == ["1", "2"]


def test_the_scene_keeps_the_last_of_everything() -> None:
    scene = Scene()
    for number in range(MESSAGES + 5):
        scene.record_message({"verdict": "accepted"}, b"", "", NOW)
        scene.record_event(event(number, f"p{number % (PATIENTS + 5)}"), NOW)
    for number in range(EVENTS_PER_PATIENT + 3):
        scene.record_event(event(number, "one"), NOW)
    timeline = scene.timelines["one"]
    assert len(scene.messages) == MESSAGES
    assert len(scene.timelines) == PATIENTS
    assert len(timeline.events) == EVENTS_PER_PATIENT
    assert timeline.total == EVENTS_PER_PATIENT + 3
    assert scene.message(1) is None
    assert scene.message(MESSAGES + 5) is not None


async def test_a_watcher_that_falls_behind_is_told_to_begin_again() -> None:
    scene = Scene()
    async with scene.watch() as queue:
        for _ in range(2000):
            scene.record_message({}, b"", "", NOW)
        waiting = [queue.get_nowait() for _ in range(queue.qsize())]
    assert len(waiting) < 500
    assert waiting[-1] is Notice.RELOAD


def test_a_patients_name_is_found_where_an_event_says_it() -> None:
    assert patient_name({"patient": {"birth_name": "DUPONT", "used_name": "DURAND", "first_given_name": "ANNE"}}) == "DURAND Anne"
    assert patient_name({"patient": {"traits": {"birth_name": "DUPONT"}}}) == "DUPONT"
    assert patient_name({"patient": None}) == ""
    assert patient_name(["x"]) == ""


async def test_the_clock_waits_while_paused_and_runs_when_told() -> None:
    pace = Pace(NOW, 0)
    reaching = asyncio.create_task(pace.reach(NOW + timedelta(seconds=30)))
    await asyncio.sleep(0)
    assert not reaching.done()
    pace.set_speed(60)
    await reaching
    assert pace.now >= NOW + timedelta(seconds=30)
    with pytest.raises(ValueError, match="speed"):
        pace.set_speed(2)


def test_the_demonstrations_configuration_is_one_that_the_hub_takes(tmp_path: Path) -> None:
    (tmp_path / "annuaire.txt").write_text(people.directory(people.make_physicians(random.Random(1))), encoding="utf-8")
    path = tmp_path / "liaison.toml"
    path.write_text(configuration({h.key: 20_000 + n for n, h in enumerate(HOSPITALS)}, 2525, 9000), encoding="utf-8")
    loaded = load_configuration(path)
    assert set(loaded.sources) == {hospital.key for hospital in HOSPITALS}
    assert set(tomllib.loads(path.read_text("utf-8"))["destinations"]) == {"coordination", "messagerie"}


def test_physicians_have_test_numbers_and_training_mailboxes_and_one_has_none() -> None:
    physicians = people.make_physicians(random.Random(3))
    assert all(p.rpps.startswith("8997") and len(p.rpps) == 11 and people.luhn_digit(p.rpps[:10]) == p.rpps[10] for p in physicians)
    assert len({p.rpps for p in physicians}) == len({p.address for p in physicians}) == len(physicians)
    assert [p.address.endswith("@medecin.formation.mssante.fr") for p in physicians] == [True] * (len(physicians) - 1) + [False]
    lines = people.directory(physicians).splitlines()
    assert {line.count("|") for line in lines} == {30}
    assert len(lines) == len(physicians)


async def test_everything_runs_together_and_stops_when_asked(open_hub: Callable[..., Any], unused_tcp_port: int) -> None:
    stop, addresses = asyncio.Event(), list[str]()
    running = asyncio.create_task(run_demo(open_hub, port=unused_tcp_port, speed=60, seed=5, started=addresses.append, stop=stop))
    counts: dict[str, int] = {}
    while not addresses:
        assert not running.done()
        await asyncio.sleep(0)
    async with aiohttp.ClientSession() as client, client.get(addresses[0] + "/live") as response:
        kind = b""
        while not (counts.get("messages", 0) > 20 and counts.get("mails") and counts.get("events")):
            line = await response.content.readline()
            assert line, "the page closed its events"
            if line.startswith(b"event: "):
                kind = line[7:].strip()
            elif line.startswith(b"data: ") and kind == b"clock":
                counts = json.loads(line[6:])["counts"]
    stop.set()
    await running
    assert addresses == [f"http://127.0.0.1:{unused_tcp_port}"]
