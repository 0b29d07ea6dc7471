"""Mail submission against a real Postfix, and against a server that fails on command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from liaison.adapters.smtp import SmtpSettings, SmtpSubmission
from liaison.hub.contracts import Delivered, Parcel, Refused, Unavailable, Uncertain
from tests.servers.authority import Authority
from tests.servers.mailbox import Mailbox
from tests.servers.ports import free_port
from tests.servers.postfix import postfix, require_postfix

HUB = "liaison@na.mssante.test"
DOCTOR = "camille.lartigue@na.mssante.test"
MAIL = f"From: Liaison <{HUB}>\r\nTo: <{DOCTOR}>\r\nSubject: XDM/1.0/DDM+CR\r\n\r\nBonjour\r\n.\r\n.fin\r\n".encode()


def parcel(body: bytes = MAIL, *, recipient: str = DOCTOR, sender: str = "", name: str = "7f1c=40+a@na.mssante.test") -> Parcel:
    options = {"sender": sender} if sender else {}
    return Parcel(
        id=name, kind="letter", body=body, content_type="message/rfc822", lane="a", lane_seq=1, recipient=recipient, options=options
    )


def submission(port: int, **settings: object) -> SmtpSubmission:
    plain = {"server": f"127.0.0.1:{port}", "sender": HUB, "tls": "none", "timeout": 20.0}
    return SmtpSubmission("promess", msgspec.convert({**plain, **settings}, SmtpSettings))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def running_postfix(next_hop: int, *, certificate: str = "", size_limit: int = 10_000_000) -> AsyncGenerator[int]:
    server = postfix(
        domain="na.mssante.test", recipients=[HUB, DOCTOR], next_hop=next_hop, certificate=certificate, size_limit=size_limit
    )
    port = await asyncio.to_thread(server.__enter__)
    try:
        yield port
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


async def test_postfix_takes_the_mail_over_starttls_and_reports_back_under_our_id(authority: Authority) -> None:
    """The whole real path: STARTTLS, SIZE, DSN; the relayed bytes are ours, and Postfix's DSN names our ENVID."""
    require_postfix()
    mailbox = Mailbox()
    async with mailbox.serve() as next_hop, running_postfix(next_hop, certificate=authority.issue("127.0.0.1")) as port:
        destination = submission(port, tls="starttls", ca=authority.path)
        await destination.probe()
        outcome = await destination.deliver(parcel())
        assert isinstance(outcome, Delivered)
        assert outcome.receipt == "accepted"
        assert outcome.reference.startswith("250 2.0.0 Ok: queued as ")
        mails = await mailbox.wait_for(2)
        await destination.close()
    letter = next(mail for mail in mails if mail.mail_from == HUB)
    assert letter.rcpt_tos == [DOCTOR]
    assert isinstance(letter.content, bytes)
    assert letter.content.endswith(MAIL.partition(b"\r\n\r\n")[2])
    assert b"using TLSv1" in letter.content or b"ESMTPS" in letter.content
    report = next(mail for mail in mails if mail.mail_from == "<>")
    assert report.rcpt_tos == [HUB]
    assert isinstance(report.content, bytes)
    assert b"Original-Envelope-Id: 7f1c=40+a@na.mssante.test" in report.content
    assert f"Original-Recipient: rfc822;{DOCTOR}".encode() in report.content
    assert b"Bonjour" not in report.content  # RET=HDRS


async def test_postfix_refuses_an_unknown_mailbox_and_the_reason_names_no_one() -> None:
    require_postfix()
    mailbox = Mailbox()
    async with mailbox.serve() as next_hop, running_postfix(next_hop) as port:
        destination = submission(port)
        outcome = await destination.deliver(parcel(recipient="279035121518989@na.mssante.test"))
        assert outcome == Refused(code="550 5.1.1", reason="l'adresse n'existe pas")
        assert isinstance(await destination.deliver(parcel()), Delivered)  # the connection serves on
        await mailbox.wait_for(1)
        await destination.close()


async def test_a_mail_beyond_postfix_s_size_is_refused_before_any_byte_of_it_leaves() -> None:
    require_postfix()
    async with running_postfix(free_port(), size_limit=100_000) as port:
        destination = submission(port)
        outcome = await destination.deliver(parcel(MAIL + b"x" * 70 * 2000 + b"\r\n"))
        await destination.close()
    assert isinstance(outcome, Refused)
    assert outcome.code == "552 5.3.4"
    assert "100000" in outcome.reason


async def test_the_bytes_arrive_as_they_were_given() -> None:
    mailbox = Mailbox()
    async with mailbox.serve() as port:
        destination = submission(port)
        assert await destination.deliver(parcel()) == Delivered(reference="250 2.0.0 Ok: queued as Q1", receipt="accepted")
        await destination.close()
    assert mailbox.mails[0].content == MAIL
    assert mailbox.mails[0].mail_from == HUB


async def test_mails_share_connections_within_their_number() -> None:
    mailbox = Mailbox()
    async with mailbox.serve() as port:
        destination = submission(port, connections=2)
        outcomes = await asyncio.gather(*(destination.deliver(parcel(name=f"m{n}@na.mssante.test")) for n in range(12)))
        await destination.close()
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert len(mailbox.mails) == 12
    assert mailbox.connections <= 2


async def test_a_connection_that_the_server_dropped_between_mails_is_replaced() -> None:
    mailbox = Mailbox()
    async with mailbox.serve() as port:
        destination = submission(port)
        assert isinstance(await destination.deliver(parcel()), Delivered)
        mailbox.disconnect_all()
        assert isinstance(await destination.deliver(parcel()), Delivered)
        await destination.close()
    assert mailbox.connections == 2


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("550 5.1.1 <camille.lartigue@na.mssante.test> unknown", Refused(code="550 5.1.1", reason="l'adresse n'existe pas")),
        ("552 5.2.2 mailbox full", Refused(code="552 5.2.2", reason="la boîte est pleine")),
        ("553 no", Refused(code="553", reason="le serveur refuse le message")),
    ],
)
async def test_a_recipient_refused_for_good(answer: str, expected: Refused) -> None:
    mailbox = Mailbox()
    mailbox.to_recipients.append(answer)
    async with mailbox.serve() as port:
        destination = submission(port)
        assert await destination.deliver(parcel()) == expected
        assert isinstance(await destination.deliver(parcel()), Delivered)
        await destination.close()
    assert mailbox.connections == 1


@pytest.mark.parametrize("answer", ["451 4.3.0 try later", "450 4.2.1 busy", "421 4.7.0 closing"])
async def test_a_temporary_answer_to_the_recipient_or_the_content_is_unavailable(answer: str) -> None:
    mailbox = Mailbox()
    mailbox.to_recipients.append(answer)
    mailbox.to_contents.append(answer)
    async with mailbox.serve() as port:
        destination = submission(port)
        for _ in range(2):
            outcome = await destination.deliver(parcel())
            assert isinstance(outcome, Unavailable)
            assert answer.partition(" ")[0] in outcome.reason
        assert isinstance(await destination.deliver(parcel()), Delivered)
        await destination.close()


async def test_a_content_refused_for_its_size_is_refused() -> None:
    mailbox = Mailbox()
    mailbox.to_contents.append("552 5.3.4 message too big")
    async with mailbox.serve() as port:
        destination = submission(port)
        outcome = await destination.deliver(parcel())
        await destination.close()
    assert outcome == Refused(code="552 5.3.4", reason="le message est trop gros pour le serveur")


async def test_a_connection_lost_after_the_final_dot_is_uncertain_and_not_used_again() -> None:
    mailbox = Mailbox()
    mailbox.to_contents.append(Mailbox.DROP)
    async with mailbox.serve() as port:
        destination = submission(port)
        assert isinstance(await destination.deliver(parcel()), Uncertain)
        assert isinstance(await destination.deliver(parcel()), Delivered)
        await destination.close()
    assert mailbox.connections == 2
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize("answer", ["299 perhaps", "hello", "354 go on"])
async def test_an_answer_to_the_content_that_means_nothing_is_uncertain(answer: str) -> None:
    mailbox = Mailbox()
    mailbox.to_contents.append(answer)
    async with mailbox.serve() as port:
        destination = submission(port)
        assert isinstance(await destination.deliver(parcel()), Uncertain)
        assert isinstance(await destination.deliver(parcel()), Delivered)
        await destination.close()
    assert mailbox.connections == 2


async def test_a_display_name_with_a_comma_is_one_author() -> None:
    mailbox = Mailbox()
    named = MAIL.replace(b"From: Liaison", b"From: =?utf-8?q?H=C3=B4pital=2C_cardiologie?=")
    async with mailbox.serve() as port:
        destination = submission(port)
        assert isinstance(await destination.deliver(parcel(named)), Delivered)
        await destination.close()


async def test_no_server_is_unavailable_and_the_probe_says_where() -> None:
    port = free_port()
    destination = submission(port)
    outcome = await destination.deliver(parcel())
    assert isinstance(outcome, Unavailable)
    assert f"127.0.0.1:{port}" in outcome.reason
    with pytest.raises(ConnectionError, match=f"127.0.0.1:{port}"):
        await destination.probe()


async def test_implicit_tls(authority: Authority) -> None:
    mailbox = Mailbox()
    async with mailbox.serve(implicit=authority.server()) as port:
        destination = submission(port, tls="implicit", ca=authority.path)
        assert isinstance(await destination.deliver(parcel()), Delivered)
        await destination.close()


async def test_login_after_starttls(authority: Authority) -> None:
    mailbox = Mailbox()
    async with mailbox.serve(starttls=authority.server(), login=True) as port:
        destination = submission(port, tls="starttls", ca=authority.path, username="hub", password="correct")
        assert isinstance(await destination.deliver(parcel()), Delivered)
        await destination.close()
    assert mailbox.logins == [(b"hub", b"correct")]


async def test_a_wrong_password_is_ours_to_mend_and_condemns_no_mail(authority: Authority) -> None:
    mailbox = Mailbox()
    async with mailbox.serve(starttls=authority.server(), login=True) as port:
        destination = submission(port, tls="starttls", ca=authority.path, username="hub", password="wrong")
        outcome = await destination.deliver(parcel())
        assert isinstance(outcome, Unavailable)
        assert "mot de passe" in outcome.reason
        with pytest.raises(ConnectionError, match="535"):
            await destination.probe()
        await destination.close()


async def test_a_server_without_starttls_gets_nothing() -> None:
    mailbox = Mailbox()
    async with mailbox.serve() as port:
        destination = submission(port, tls="starttls")
        outcome = await destination.deliver(parcel())
        await destination.close()
    assert isinstance(outcome, Unavailable)
    assert "STARTTLS" in outcome.reason
    assert not mailbox.mails


@pytest.mark.parametrize("mode", ["implicit", "starttls"])
async def test_a_certificate_for_another_host_gets_nothing(mode: str, authority: Authority) -> None:
    context = authority.server("other.mssante.test")
    mailbox = Mailbox()
    serving = mailbox.serve(implicit=context) if mode == "implicit" else mailbox.serve(starttls=context)
    async with serving as port:
        destination = submission(port, tls=mode, ca=authority.path)
        outcome = await destination.deliver(parcel())
        await destination.close()
    assert isinstance(outcome, Unavailable)
    assert "certificat" in outcome.reason
    assert not mailbox.mails


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (parcel(recipient="a@b.test> SIZE=1"), "553 5.1.3"),
        (parcel(recipient="a@b.test\r\nRCPT TO:<c@d.test>"), "553 5.1.3"),
        (parcel(recipient=""), "553 5.1.3"),
        (parcel(sender="elsewhere@na.mssante.test"), "550 5.7.1"),
        (parcel(b"Subject: no From\r\n\r\n"), "550 5.7.1"),
        (parcel(MAIL.replace(b"From:", b"From: <other@na.mssante.test>,")), "550 5.7.1"),
    ],
)
async def test_a_parcel_that_must_not_leave_is_refused_without_a_connection(bad: Parcel, code: str) -> None:
    outcome = await submission(free_port()).deliver(bad)
    assert isinstance(outcome, Refused)
    assert outcome.code == code


async def test_a_parcel_may_have_a_sender_of_its_own() -> None:
    mailbox = Mailbox()
    service = "service.cardiologie@na.mssante.test"
    async with mailbox.serve() as port:
        destination = submission(port)
        outcome = await destination.deliver(parcel(MAIL.replace(HUB.encode(), service.encode()), sender=service))
        await destination.close()
    assert isinstance(outcome, Delivered)
    assert mailbox.mails[0].mail_from == service


async def test_a_silent_server_costs_one_bounded_attempt() -> None:
    left = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        destination = submission(server.sockets[0].getsockname()[1], timeout=0.2)
        outcome = await destination.deliver(parcel())
        await destination.close()
        await left.wait()
    assert isinstance(outcome, Unavailable)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"server": "smtp.example.fr:587", "sender": HUB, "tls": "none"}, "tls"),
        ({"server": "smtp.example.fr", "sender": HUB}, "server"),
        ({"server": "smtp.example.fr:99999", "sender": HUB}, "server"),
        ({"server": "smtp.example.fr:587", "sender": "liaison"}, "sender"),
        ({"server": "smtp.example.fr:587", "sender": HUB, "username": "hub"}, "password"),
        ({"server": "smtp.example.fr:587", "sender": HUB, "key": "/k.pem"}, "certificate"),
        ({"server": "smtp.example.fr:587", "sender": HUB, "timeout": 0}, "timeout"),
        ({"server": "smtp.example.fr:587", "sender": HUB, "sendr": "x"}, "sendr"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_by_name(settings: dict[str, object], fault: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=fault):
        msgspec.convert(settings, SmtpSettings)
