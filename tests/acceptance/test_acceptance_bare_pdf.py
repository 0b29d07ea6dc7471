"""A hospital whose software knows nothing of CDA: its PDFs reach the GP as letters, and those that must not are kept."""

from __future__ import annotations

import io
from pathlib import Path

import pikepdf
import pytest
from lxml import etree

from liaison.demo.letter_pdf import letter_pdf
from tests.acceptance import feed, letters
from tests.acceptance.test_acceptance_letters import Received, check_archive, check_headers
from tests.acceptance.xdm import Document
from tests.servers.eventually import eventually, eventually_answers
from tests.servers.hub import MakeHub
from tests.servers.mailbox import Mailbox
from tests.servers.mllp import send_once


@pytest.mark.parametrize("submission", ["aiosmtpd"], indirect=True)
async def test_a_bare_pdf_over_mllp_reaches_the_gp_as_a_valid_cda(
    make_hub: MakeHub, port: int, platform: str, submission: int, mailbox: Mailbox, corpus: Path
) -> None:
    hub = make_hub(letters.CONFIGURATION.format(port=port, platform=platform, submission=submission))
    await hub.start()
    pdf = letter_pdf(letters.letter(1, "N1"))
    message = feed.bare_pdf("PDF1", pdf, person=letters.PERSON, visit="2600000009", to=[letters.GP])
    reply = await send_once(port, message)
    assert (reply.code, reply.control_id) == ("AA", "PDF1")
    again = await send_once(port, message.replace(b"PDF1", b"PDF2"))
    assert again.code == "AA"
    await eventually(lambda: len(mailbox.mails) >= 1, 60.0, what="the mail")
    await hub.drained()
    (envelope,) = mailbox.mails
    mail = Received(envelope)
    document = Document(mail.archive.document)
    check_headers(mail, recipient=letters.GP, document=document, receipt=False, reply_to="")
    check_archive(mail, document=document, content_type="03")
    assert mail.pdf.get_content() == pdf
    schema = etree.XMLSchema(etree.parse(corpus / "cda-pack" / "infrastructure" / "cda" / "CDA_extended.xsd"))
    schema.assertValid(etree.fromstring(mail.archive.document))
    assert document.code == "34112-3"
    assert (document.birth_name, document.first_given) == ("DARRIEUX", "ODETTE")


@pytest.mark.parametrize("submission", ["aiosmtpd"], indirect=True)
async def test_pdfs_that_must_not_be_opened_are_held_or_given_back_with_the_reason(
    make_hub: MakeHub, port: int, platform: str, submission: int, mailbox: Mailbox
) -> None:
    hub = make_hub(letters.CONFIGURATION.format(port=port, platform=platform, submission=submission))
    await hub.start()
    pdf = letter_pdf(letters.letter(2, "N1"))

    async def reply(control_id: str, content: bytes) -> tuple[str, bytes]:
        made = feed.bare_pdf(control_id, content, person=letters.PERSON, visit="2600000010", to=[letters.GP])
        answer = await send_once(port, made)
        return answer.code, answer.raw

    code, told = await reply("CUT", pdf[:-200])
    assert code == "AE" and "tronqué" in told.decode()
    code, _ = await reply("RTF", b"{\\rtf1 Bonjour}")
    assert code == "AE"
    assert (await reply("CIPHER", changed(pdf, encrypted=True)))[0] == "AA"
    assert (await reply("SCRIPT", changed(pdf, script=True)))[0] == "AA"

    async def held() -> bool:
        return bool((await hub.stats())["deliveries"].get("held", 0) == 2)

    assert await eventually_answers(held, 60.0, what="both letters are held")
    assert mailbox.mails == []


def changed(pdf: bytes, *, encrypted: bool = False, script: bool = False) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        if script:
            opened.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")
        opened.save(out, encryption=pikepdf.Encryption(owner="a", user="b") if encrypted else False)
    return out.getvalue()
