"""Planted names and numbers, in plain and in odd places: nowhere in what the hub writes but where they are meant to arrive."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncGenerator, Iterator, Mapping

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.acceptance import feed, letters
from tests.servers.eventually import eventually, eventually_answers
from tests.servers.hub import Hub, MakeHub
from tests.servers.mailbox import Mailbox
from tests.servers.mllp import START, MllpConnection, Reply, send_once
from tests.servers.ports import free_port
from tests.servers.recorder import Recorder

CONFIGURATION = """\
[sources.ch]
kind = "mllp"
listen = "127.0.0.1:{port}"
finess = "400011177"
max_message = 500000

[destinations.platform]
kind = "webhook"
url = "{url}"

[destinations.down]
kind = "webhook"
url = "http://127.0.0.1:{nobody}/events"

[destinations.refusing]
kind = "webhook"
url = "{refusing}"

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
events = ["*"]
to = "down"
patients = "all"

[[routes]]
events = ["*"]
to = "refusing"
patients = "all"

[[routes]]
documents = ["*"]
to = "promess"
recipients = ["named"]
"""


def matricule(first_thirteen: int) -> str:
    return f"{first_thirteen}{97 - first_thirteen % 97:02}"


#: What identifies the patient; no value of a message is longer-lived than these.
PLANTED = {
    "birth name": "ZQXCANARIVO",
    "given name": "WYVERNELLE",
    "birth date": "19751103",
    "INS": matricule(2_751_164_102_777),
    "IPP": "CANIPP7741903",
    "dossier": "CANNDA5521764",
    "visit": "CANVIS9917342",
    "phone": "0699887754",
    "street": "17 impasse Quetzalcanari",
    "PV2 text": "Motif Kanarienvogel",
    "NTE text": "Commentaire Papageifrei",
    "mail body": "Corps Sittichbrief",
}
#: In the clear nowhere, but too short a number to be looked for in every encoding without finding it by chance.
EXACT_ONLY = {"birth date"}

PERSON = feed.pid(
    ipp=PLANTED["IPP"],
    family=PLANTED["birth name"],
    given=PLANTED["given name"],
    ins=PLANTED["INS"],
    episode=PLANTED["dossier"],
    phone=PLANTED["phone"],
    street=PLANTED["street"],
)
ODD = (f"PV2|||{PLANTED['PV2 text']}", f"NTE|1||{PLANTED['NTE text']}")
PATIENT_ADDRESS = f"{PLANTED['INS']}@patient.mssante.fr"


def document(seed: int, level: str) -> bytes:
    """A letter of the planted patient."""
    written = letters.document(seed, level)
    for before, after in (
        ("DARRIEUX", PLANTED["birth name"]),
        ("ODETTE JEANNE", PLANTED["given name"]),
        ("ODETTE", PLANTED["given name"]),
        (letters.INS, PLANTED["INS"]),
        ("800042", PLANTED["IPP"]),
        ("3 impasse du Lavoir", PLANTED["street"]),
        ("0600000000", PLANTED["phone"]),
    ):
        assert before.encode() in written
        written = written.replace(before.encode(), after.encode())
    return written


class RefusingMailbox(Mailbox):
    """A mail server that takes the GP's mail, and repeats the patient's address when it refuses it."""

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if address == PATIENT_ADDRESS:
            return f"550 5.1.1 <{address}> {PLANTED['birth name']} {PLANTED['given name']}: User unknown"
        return await super().handle_RCPT(server, session, envelope, address, options)


@pytest.fixture
async def refusing() -> AsyncGenerator[str]:
    """URL of a platform that refuses every event."""
    recorder = Recorder()
    recorder.status = 400
    async with recorder.serve() as url:
        yield url


def shapes(value: str) -> Iterator[bytes]:
    """The ways in which a value might be written down."""
    for text in {value, value.lower(), value.upper(), value.title()}:
        for encoding in ("utf-8", "latin-1", "utf-16-le"):
            raw = text.encode(encoding)
            yield raw
            yield raw.hex().encode()
            yield raw.hex().upper().encode()
            for before in range(3):  # base64 of it, wherever it stands in what was encoded
                encoded = base64.b64encode(bytes(before) + raw)
                whole = encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
                yield whole
                yield whole.translate(bytes.maketrans(b"+/", b"-_"))


def leaks(written: Mapping[str, bytes]) -> list[str]:
    """Which planted values stand in which places."""
    found: list[str] = []
    for name, value in PLANTED.items():
        needles = {value.encode()} if name in EXACT_ONLY else set(shapes(value))
        found += [f"{name} in {place}" for place, content in written.items() if any(needle in content for needle in needles)]
    return found


def files_of(hub: Hub) -> dict[str, bytes]:
    """Every file that the hub wrote, standard output and error included."""
    paths = [path for path in sorted(hub.folder.rglob("*")) if path.is_file() and path != hub.config]
    return {str(path.relative_to(hub.folder)): path.read_bytes() for path in paths}


async def send_everything(port: int) -> list[Reply]:
    """The planted patient in every kind of message, understood or not."""
    visit, movement = PLANTED["visit"], "CANMVT1"
    stranger = feed.pid(ipp="800001", family="AUTRE", given="PERSONNE")
    admission = feed.admission("CAN1", person=PERSON, visit=visit, movement=movement, extra=ODD)
    to = [letters.GP, PATIENT_ADDRESS]
    flags = {**feed.FOR_PROFESSIONALS, "DESTMSSANTEPAT": "Y"}

    def oru(control_id: str, content: bytes = b"", encoded: str = "") -> bytes:
        return feed.letter(
            control_id,
            content,
            person=PERSON,
            visit=visit,
            to=to,
            flags=flags,
            mail_body=PLANTED["mail body"],
            reply_to=PATIENT_ADDRESS,
            encoded=encoded,
        )

    mdm = oru("CAN4", document(2, "N3")).replace(b"ORU^R01^ORU_R01", b"MDM^T02^MDM_T02")
    messages = [
        admission,
        feed.discharge("CAN2", person=PERSON, visit=visit, movement="CANMVT2"),
        oru("CAN3", document(1, "N1")),
        mdm,
        # another patient's visit, a document that speaks of another patient, the same document with other content
        feed.admission("CAN5", person=stranger, visit=visit, movement="CANMVT3", extra=ODD),
        oru("CAN6", letters.document(3, "N1")),
        oru("CAN7", document(1, "N1").replace(b"<title>", b"<title>Autre ")),
        # what cannot be understood
        oru("CAN8", encoded=f"@@@{PLANTED['birth name']}"),
        oru("CAN9", f"<ClinicalDocument><{PLANTED['birth name']}".encode()),
        oru("CAN10", f'<!DOCTYPE c [<!ENTITY {PLANTED["birth name"]} "x">]><c/>'.encode()),
        admission.replace(b"CAN1|", b"|", 1),
        admission.replace(b"MSH", b"HSM", 1).replace(b"CAN1", b"CAN11"),
        admission.replace(b"ADT^A01^ADT_A01", f"{PLANTED['birth name']}^A01".encode()).replace(b"CAN1", b"CAN12"),
        admission.replace(b"UNICODE UTF-8", PLANTED["birth name"].encode()).replace(b"CAN1", b"CAN13"),
        admission.replace(b"|19751103|F", f"|{PLANTED['birth name']}|{PLANTED['given name']}".encode()).replace(b"CAN1", b"CAN14"),
        admission.replace(b"|INSERT|", f"|{PLANTED['birth name']}|".encode()).replace(b"CAN1", b"CAN15"),
        admission.replace(b"\rZBE", f"\r{PLANTED['birth name']}|x\rZBE".encode()).replace(b"CAN1", b"CAN16"),
        PERSON.encode(),
        admission.replace(b"CAN1|", b"CAN17|", 1) + b"NTE|2||" + PLANTED["NTE text"].encode() * 30_000,
    ]
    replies = [await send_once(port, message) for message in messages]
    async with MllpConnection(port) as connection:
        await connection.write(PERSON.encode() * 3)  # noise
        replies.append(await connection.send(admission))
        await connection.write(START + admission[:-40])  # cut
        connection.writer.write_eof()
        await connection.closed()
    return replies


@pytest.mark.timeout(180)
async def test_planted_identities_are_found_nowhere(
    make_hub: MakeHub, port: int, platform: str, recorder: Recorder, refusing: str
) -> None:
    mailbox = RefusingMailbox()
    async with mailbox.serve() as submission:
        hub = make_hub(CONFIGURATION.format(port=port, url=platform, nobody=free_port(), refusing=refusing, submission=submission))
        await hub.start()
        replies = await send_everything(port)
        await eventually(lambda: len(mailbox.mails) >= 2, 60.0, what="both letters reach the GP")

        async def settled() -> bool:
            return {"failed", "retrying", "submitted", "held"} <= set((await hub.stats())["deliveries"])

        await eventually_answers(settled, 60.0, what="deliveries failed, wait, are held and were made")
        counts = await hub.stats()
        assert counts["messages_by_verdict"]["quarantined"] >= 8
        assert counts["messages_by_verdict"]["accepted-with-findings"] >= 1
        running = files_of(hub)
        listed = {
            "journal list": (await hub.liaison("journal", "list", "--config", str(hub.config))).encode(),
            "trace": (await hub.liaison("trace", "CAN3", "--config", str(hub.config))).encode(),
        }
        await hub.stop()

    assert any(name.endswith("-wal") for name in running)
    assert max(map(len, running.values())) > 100_000, "the letters are in the journal"
    assert leaks(
        {"a mail": b"".join(content(mail) for mail in mailbox.mails), "an event": b"".join(b for _, b in recorder.posts)}
    ), "the search itself finds what is there"
    answers = {f"the reply to message {number}": reply.raw for number, reply in enumerate(replies)}
    assert leaks(running) == []
    assert leaks(files_of(hub)) == []
    assert leaks(answers) == []
    assert leaks(listed) == []
    assert "Traceback" not in hub.log
    assert not os.listdir(hub.temporary)


def content(mail: Envelope) -> bytes:
    assert isinstance(mail.content, bytes)
    return mail.content
