"""Everything wrong that a network or a hospital can send: a clear answer, kept, and the hub goes on."""

from __future__ import annotations

import asyncio
import base64
import email
import json
from dataclasses import dataclass
from email import policy
from typing import Any

import pytest

from tests.acceptance import feed, letters
from tests.acceptance.pdf import pdf_text
from tests.servers.eventually import eventually
from tests.servers.hub import Hub, MakeHub
from tests.servers.mailbox import Mailbox
from tests.servers.mllp import END, START, MllpConnection, Reply, send_once
from tests.servers.recorder import Recorder

CONFIGURATION = """\
[sources.ch]
kind = "mllp"
listen = "127.0.0.1:{port}"
finess = "400011177"
frame_timeout = 1.0
max_message = 21000000

[destinations.platform]
kind = "webhook"
url = "{url}"

[[routes]]
events = ["*"]
to = "platform"
patients = "all"
"""


@pytest.fixture
async def hub(make_hub: MakeHub, port: int, platform: str) -> Hub:
    """A running hub that waits a second for the end of a frame and takes 21 MB at most."""
    made = make_hub(CONFIGURATION.format(port=port, url=platform))
    await made.start()
    return made


async def goes_on(hub: Hub, port: int, recorder: Recorder) -> None:
    """A good message is answered AA and its events arrive; and nothing fell over on the way."""
    before = recorder.ids
    person = feed.pid(ipp="900001", family="BIENVENU", given="JEANNE")
    reply = await send_once(port, feed.admission("GOOD", person=person, visit="2699999999", movement="99"))
    assert (reply.code, reply.control_id, reply.errors) == ("AA", "GOOD", [])
    await eventually(lambda: len(recorder.ids - before) >= 2, what="the events of a good message arrive")
    assert hub.running
    assert "Traceback" not in hub.log


# Frames ---------------------------------------------------------------------------------------------------------------------------

PERSON = feed.pid(ipp="800042", family="DARRIEUX", given="ODETTE", givens="ODETTE JEANNE")
ADMISSION = feed.admission("A1", person=PERSON, visit="2600000001", movement="1")


async def test_a_frame_cut_by_the_end_of_its_connection_is_kept_and_changes_nothing(
    hub: Hub, port: int, recorder: Recorder
) -> None:
    for cut in (1, 40, len(ADMISSION)):
        async with MllpConnection(port) as connection:
            await connection.write(START + ADMISSION[:cut])
            connection.writer.write_eof()
            assert await connection.closed() == b""
    await eventually(lambda: hub.log.count('"mllp.truncated"') == 3, what="the log tells of three cut frames")
    await goes_on(hub, port, recorder)
    cut_and_good = [(message["control_id"], message["verdict"], message["events"] != []) for message in await hub.messages()]
    assert cut_and_good == [("", "quarantined", False)] * 3 + [("GOOD", "accepted-with-findings", True)]


async def test_a_frame_without_end_is_given_up_and_its_connection_closed(hub: Hub, port: int, recorder: Recorder) -> None:
    async with MllpConnection(port) as connection:
        await connection.write(START + ADMISSION)
        assert await connection.closed() == b""
    assert "mllp.frame_unfinished" in hub.log
    await goes_on(hub, port, recorder)
    given_up, _ = await hub.messages()
    assert (given_up["verdict"], given_up["size"], given_up["events"]) == ("quarantined", len(ADMISSION), [])


async def test_a_message_after_a_cut_one_on_the_same_connection_is_taken(hub: Hub, port: int, recorder: Recorder) -> None:
    async with MllpConnection(port) as connection:
        await connection.write(START + ADMISSION[:100])
        reply = await connection.send(ADMISSION)
        assert (reply.code, reply.control_id) == ("AA", "A1")
    await goes_on(hub, port, recorder)


async def test_noise_is_passed_over_and_too_much_of_it_closes_the_connection(hub: Hub, port: int, recorder: Recorder) -> None:
    noise = bytes(byte for byte in range(256) if byte not in (0x0B, 0x1C)) * 4
    async with MllpConnection(port) as connection:
        await connection.write(noise)
        assert (await connection.send(ADMISSION)).code == "AA"
        await connection.write(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n" + noise * 100)
        assert await connection.closed() == b""
    await goes_on(hub, port, recorder)


async def test_messages_of_20_megabytes_are_taken_and_larger_ones_refused_unread(hub: Hub, port: int, recorder: Recorder) -> None:
    note = f"NTE|1||{'é' * 10_000_000}"
    big = feed.admission("BIG", person=PERSON, visit="2600000002", movement="2", extra=[note])
    assert len(big) > 20_000_000
    reply = await send_once(port, big, 60.0)
    assert (reply.code, reply.control_id) == ("AA", "BIG")
    async with MllpConnection(port) as connection:
        await connection.write(START + big.replace(b"BIG", b"TOO") + b" " * 2_000_000 + END)
        reply = await connection.reply(60.0)
        assert (reply.code, reply.control_id) == ("AE", "TOO")
        assert reply.errors
    await goes_on(hub, port, recorder)
    kept = await hub.messages()
    assert (kept[0]["control_id"], kept[0]["size"]) == ("BIG", len(big))
    assert (kept[1]["verdict"], kept[1]["size"]) == ("quarantined", 65_536)


# Messages -------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Bad:
    """What is sent, and what must come of it."""

    raw: bytes
    #: MSA-1 and MSA-2.
    code: str
    control_id: str
    verdict: str
    #: Rule of a finding that tells what is wrong.
    rule: str
    #: ERR-2 and the code of ERR-3 of the first ERR; empty where the message is acknowledged without any.
    error: tuple[str, str] | None = None


def changed(control_id: str, before: bytes, after: bytes) -> bytes:
    assert before in ADMISSION
    return ADMISSION.replace(b"|A1|", f"|{control_id}|".encode()).replace(before, after)


MESSAGES = {
    "no MSH-10": Bad(
        raw=ADMISSION.replace(b"|A1|", b"||"),
        code="AE",
        control_id="",
        verdict="quarantined",
        rule="hl7.control-id-missing",
        error=("MSH^1^10", "101"),
    ),
    "no PID": Bad(
        raw=feed.message(feed.msh("ADT^A01^ADT_A01", "NOPID"), "EVN||20261120101500", feed.pv1(visit="1"), feed.zbe("3")),
        # A feed whose queue stops on an error is worse than one message that waits for a person.
        code="AA",
        control_id="NOPID",
        verdict="quarantined",
        rule="hl7.pid-missing",
        error=("PID^1", "101"),
    ),
    "an unknown MSH-9": Bad(
        raw=changed("UNKNOWN", b"ADT^A01^ADT_A01", b"QQQ^Q99^QQQ_Q99"),
        code="AA",
        control_id="UNKNOWN",
        verdict="ignored",
        rule="hl7.message-type-ignored",
    ),
    "an empty MSH-9": Bad(
        raw=changed("EMPTY9", b"ADT^A01^ADT_A01", b""),
        code="AE",
        control_id="EMPTY9",
        verdict="quarantined",
        rule="hl7.message-type-missing",
        error=("MSH^1^9", "101"),
    ),
    "a wrong structure in MSH-9": Bad(
        raw=changed("WRONG93", b"ADT^A01^ADT_A01", b"ADT^A01^ADT_A05"),
        code="AA",
        control_id="WRONG93",
        verdict="accepted-with-findings",
        rule="hl7.message-structure",
    ),
    "an unknown character set": Bad(
        raw=changed("CHARSET", b"UNICODE UTF-8", b"KLINGON-8"),
        code="AA",
        control_id="CHARSET",
        verdict="accepted-with-findings",
        rule="hl7.charset-unknown",
    ),
    "a character set that is not the one it says": Bad(
        raw=changed("CP1252", "Réault".encode(), "Réault".encode("cp1252")),
        code="AA",
        control_id="CP1252",
        verdict="accepted-with-findings",
        rule="hl7.charset-fallback",
    ),
    "binary noise in a frame": Bad(
        raw=bytes(byte for byte in range(256) if byte not in (0x0B, 0x1C)) * 4,
        code="AE",
        control_id="",
        verdict="quarantined",
        rule="hl7.no-msh",
        error=("MSH^1", "100"),
    ),
    "an empty frame": Bad(raw=b"", code="AE", control_id="", verdict="quarantined", rule="hl7.no-msh", error=("MSH^1", "100")),
}

# Documents ------------------------------------------------------------------------------------------------------------------------

DOCUMENT = letters.document(1, "N1")


def doctype(declaration: bytes, title: bytes = b"") -> bytes:
    declared = DOCUMENT.replace(b"<ClinicalDocument", declaration + b"<ClinicalDocument", 1)
    return declared.replace(b"<title>", b"<title>" + title, 1)


def laughs() -> bytes:
    entities = b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(12))
    return doctype(b'<!DOCTYPE lolz [<!ENTITY a "lollollollol">' + entities + b"]>", b"&m;")


def oru(control_id: str, document: bytes = b"", *, encoded: str = "") -> bytes:
    return feed.letter(control_id, document, person=letters.PERSON, visit="2600000003", to=[letters.GP], encoded=encoded)


def letter_refused(control_id: str, raw: bytes, rule: str, where: str, condition: str) -> Bad:
    """AE: the sender must know that the letter stays."""
    return Bad(raw=raw, code="AE", control_id=control_id, verdict="quarantined", rule=rule, error=(where, condition))


_WHOLE = base64.b64encode(DOCUMENT).decode()
DOCUMENTS = {
    "bad base64": letter_refused("B64", oru("B64", encoded="@@@ pas du base64 !!!"), "hl7.base64-invalid", "OBX^1^5^1^5", "102"),
    "base64 cut short": letter_refused("CUT", oru("CUT", encoded=_WHOLE[:-5]), "cda.not-xml", "OBX^1^5", "102"),
    "no document": letter_refused("NONE", oru("NONE"), "hl7.document-missing", "OBX^1", "101"),
    "text instead of XML": letter_refused("TEXT", oru("TEXT", b"Document medical"), "cda.not-xml", "OBX^1^5", "102"),
    "a DOCTYPE": letter_refused("DTD", oru("DTD", doctype(b"<!DOCTYPE ClinicalDocument>")), "cda.doctype", "OBX^1^5", "102"),
    "an external entity": letter_refused(
        "XXE",
        oru("XXE", doctype(b'<!DOCTYPE c [<!ENTITY x SYSTEM "file:///etc/hostname">]>', b"&x;")),
        "cda.doctype",
        "OBX^1^5",
        "102",
    ),
    "a billion laughs": letter_refused("LOL", oru("LOL", laughs()), "cda.doctype", "OBX^1^5", "102"),
    "elements nested a hundred thousand deep": letter_refused(
        "DEEP",
        oru("DEEP", DOCUMENT.replace(b"<component>", b"<component>" + b"<a>" * 100_000 + b"</a>" * 100_000, 1)),
        "cda.excess",
        "OBX^1^5",
        "102",
    ),
    "no PID": letter_refused(
        "NOPID2", oru("NOPID2", DOCUMENT).replace(f"{letters.PERSON}\r".encode(), b""), "document.patient-missing", "PID^1", "101"
    ),
}


@pytest.mark.parametrize("cases", [MESSAGES, DOCUMENTS], ids=["messages", "documents"])
async def test_each_wrong_message_gets_its_answer_is_kept_and_told_and_the_hub_goes_on(
    hub: Hub, port: int, recorder: Recorder, cases: dict[str, Bad]
) -> None:
    replies = {name: await send_once(port, bad.raw) for name, bad in cases.items()}
    await goes_on(hub, port, recorder)
    kept = await hub.messages()
    assert len(kept) == len(cases) + 1
    lives = await asyncio.gather(*(life(hub, message["id"]) for message in kept[:-1]))
    told = {name: outcome(replies[name], lived) for name, lived in zip(cases, lives, strict=True)}
    wanted = {name: (bad.code, bad.control_id, bad.error, bad.verdict) for name, bad in cases.items()}
    assert {name: answer[:-1] for name, answer in told.items()} == wanted
    assert {name: answer[-1] for name, answer in told.items() if cases[name].rule not in answer[-1]} == {}
    assert [message["size"] for message in kept[:-1]] == [len(bad.raw) for bad in cases.values()]


async def life(hub: Hub, message: str) -> dict[str, Any]:
    """``liaison trace ID --json``."""
    told: dict[str, Any] = json.loads(await hub.liaison("trace", message, "--config", str(hub.config), "--json"))
    return told


def outcome(reply: Reply, lived: dict[str, Any]) -> tuple[Any, ...]:
    error = (reply.errors[0][2], reply.errors[0][3].split("^")[0]) if reply.errors else None
    assert all(error[4] in ("E", "F") and error[8] for error in reply.errors), "an ERR without severity or words"
    return reply.code, reply.control_id, error, lived["verdict"], [finding["rule"] for finding in lived["findings"]]


# What a name may do to a mail and to its PDF --------------------------------------------------------------------------------------


async def test_a_name_cannot_write_headers_or_commands_into_a_mail(
    make_hub: MakeHub, port: int, platform: str, recorder: Recorder, mailbox: Mailbox
) -> None:
    evil = "DARRIEUX&#13;&#10;Bcc: espion@example.fr&#13;&#10;&#13;&#10;&lt;b&gt;"
    document = letters.document(1, "N1").replace(b"DARRIEUX", evil.encode())
    assert document.count(b"Bcc:") >= 1
    person = letters.PERSON.replace("DARRIEUX", r"DARRIEUX\X0D0A\Bcc: espion@example.fr\X0D0A0D0A\<b>")
    async with mailbox.serve() as submission:
        hub = make_hub(letters.CONFIGURATION.format(port=port, platform=platform, submission=submission))
        await hub.start()
        reply = await send_once(
            port,
            feed.letter(
                "EVIL",
                document,
                person=person,
                visit="2600000004",
                to=[letters.GP, r"autre@medecin.formation.mssante.fr\X0D0A\Bcc: espion@example.fr"],
                mail_body="Bonjour.\r\n.\r\nMAIL FROM:<espion@example.fr>\r\nRCPT TO:<espion@example.fr>\r\nDATA\r\nFin.",
            ),
        )
        assert reply.code == "AA"
        await eventually(lambda: mailbox.mails, what="the mail arrives")
        counts = await hub.drained()
        await goes_on(hub, port, recorder)
    (mail,) = mailbox.mails
    assert mail.rcpt_tos == [letters.GP]
    assert isinstance(mail.content, bytes)
    message = email.message_from_bytes(mail.content, policy=policy.default)
    ours = {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "X-MSS-CODECDA",
        "X-MSS-INS",
        "X-MSS-NIL",
        "MIME-Version",
        "Content-Type",
    }
    assert set(message.keys()) == ours
    assert "DARRIEUX BCC: ESPION@EXAMPLE.FR" in message["Subject"], "the name is there, as words of one line"
    body, *attachments = [part for part in message.walk() if not part.is_multipart()]
    assert "RCPT TO:<espion@example.fr>" in body.get_content()
    assert [part.get_content_type() for part in attachments] == ["application/zip", "application/pdf"]
    assert counts["deliveries"]["held"] == 1, "the address with a line end in it waits for a person"


async def test_a_name_is_never_typst(make_hub: MakeHub, port: int, platform: str, recorder: Recorder, mailbox: Mailbox) -> None:
    evil = '#panic("x") $a$ *DAR* #read("/etc/passwd") RIEUX'
    document = letters.document(1, "N3").replace(b"DARRIEUX", evil.replace('"', "&quot;").encode())
    person = letters.PERSON.replace("DARRIEUX", evil)
    async with mailbox.serve() as submission:
        hub = make_hub(letters.CONFIGURATION.format(port=port, platform=platform, submission=submission))
        await hub.start()
        reply = await send_once(port, feed.letter("TYPST", document, person=person, visit="2600000005", to=[letters.GP]))
        assert reply.code == "AA"
        await eventually(lambda: mailbox.mails, what="the mail arrives")
        await goes_on(hub, port, recorder)
    content = mailbox.mails[0].content
    assert isinstance(content, bytes)
    message = email.message_from_bytes(content, policy=policy.default)
    (pdf,) = [part.get_content() for part in message.walk() if part.get_content_type() == "application/pdf"]
    words = pdf_text(pdf)
    if words:
        assert '#panic("x") $a$ *DAR* #read("/etc/passwd") RIEUX' in " ".join(words.split())
        assert "root:" not in words
