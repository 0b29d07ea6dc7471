from __future__ import annotations

import email
import re
from datetime import UTC, datetime
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from liaison.mssante.address import parse_address
from liaison.mssante.mail import LetterMail, Rendering, build_mail, letter_subject, one_line, pdf_name

LETTER = LetterMail(
    sender=parse_address("liaison@na.mssante.fr"),
    label="CH de Mont-de-Marsan – Cardiologie",
    recipient=parse_address("anne.lartigue@medecin.mssante.fr"),
    reply_to=parse_address("cardiologie@ch-mdm.mssante.fr"),
    message_id="0198c6f2-7d3a@na.mssante.fr",
    date=datetime(2026, 11, 22, 8, 30, tzinfo=UTC),
    subject=letter_subject("Lettre de liaison à la sortie", "Éluard", "Zoé", "19900131"),
    body="Bonjour,\n\nVoici la lettre demandée.\n",
    type_codes=("11490-0", "34112-3"),
    qualified_ins=True,
    nil="DEV935997",
    archive=b"PK archive \x00\xff" * 500,
    renderings=(Rendering(name="20261120_Lettre_ELUARD_Zoe.pdf", pdf=b"%PDF-1.4 \x00" * 999),),
)
#: What a document may put into a name: anything, with what breaks headers made likely.
wild = st.text(
    st.one_of(st.characters(), st.sampled_from("\r\n\0\t\x0b\x0c\x1b\x85\u2028\u2029\u202e\ufeff:;,<>\"'()[]=?_@\\ é漢😀"))
)


def parsed(letter: LetterMail) -> EmailMessage:
    message = email.message_from_bytes(build_mail(letter), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_headers_are_those_of_the_referential() -> None:
    message = parsed(LETTER)
    assert str(message["From"]) == "CH de Mont-de-Marsan – Cardiologie <liaison@na.mssante.fr>"
    assert message["Reply-To"] == "cardiologie@ch-mdm.mssante.fr"
    assert message["To"] == "anne.lartigue@medecin.mssante.fr"
    assert message["Subject"] == "XDM/1.0/DDM+Lettre de liaison à la sortie ELUARD Zoé 31/01/1990"
    assert message["Date"].datetime == LETTER.date
    assert message["Message-ID"] == "<0198c6f2-7d3a@na.mssante.fr>"
    assert message["X-MSS-CODECDA"] == "11490-0,34112-3"
    assert message["X-MSS-INS"] == "O"
    assert message["X-MSS-NIL"] == "DEV935997"
    assert message["MIME-Version"] == "1.0"
    for absent in ("In-Reply-To", "References", "Disposition-Notification-To", "X-MSS-MES", "Cc", "Bcc", "Sender"):
        assert message[absent] is None


def test_the_subject_starts_with_the_prefix_in_the_clear() -> None:
    assert b"\r\nSubject: XDM/1.0/DDM+" in build_mail(LETTER)


def test_a_read_receipt_goes_to_the_sender_of_the_envelope() -> None:
    assert parsed(replace(LETTER, wants_read_receipt=True))["Disposition-Notification-To"] == "liaison@na.mssante.fr"


def test_a_replacement_answers_the_mail_that_it_replaces() -> None:
    message = parsed(replace(LETTER, previous_message_id="old@na.mssante.fr"))
    assert message["In-Reply-To"] == message["References"] == "<old@na.mssante.fr>"


def test_a_mail_that_wants_no_reply_says_fin() -> None:
    assert parsed(replace(LETTER, no_reply=True, qualified_ins=False))["X-MSS-MES"] == "FIN"
    assert parsed(replace(LETTER, no_reply=True, qualified_ins=False))["X-MSS-INS"] == "N"


def test_text_comes_first_then_the_archive_then_the_renderings_byte_for_byte() -> None:
    parts = list(parsed(LETTER).iter_parts())
    assert [(part.get_content_type(), part.get_filename()) for part in parts] == [
        ("text/plain", None),
        ("application/zip", "IHE_XDM.ZIP"),
        ("application/pdf", "20261120_Lettre_ELUARD_Zoe.pdf"),
    ]
    assert parts[0].get_content().splitlines() == ["Bonjour,", "", "Voici la lettre demandée."]
    assert parts[0].get_content_charset() == "utf-8"
    assert parts[1].get_content() == LETTER.archive and parts[2].get_content() == LETTER.renderings[0].pdf
    assert all(not part.defects for part in parts) and not parsed(LETTER).defects
    assert [part["Content-Transfer-Encoding"] for part in parts[1:]] == ["base64", "base64"]


def test_a_notice_without_archive_is_one_text_with_the_product_alone() -> None:
    message = parsed(replace(LETTER, archive=b"", renderings=()))
    assert message.get_content_type() == "text/plain"
    assert message["X-MSS-NIL"] == "DEV935997"
    assert message["X-MSS-CODECDA"] is None and message["X-MSS-INS"] is None


def test_the_same_letter_gives_the_same_bytes_and_another_id_another_boundary() -> None:
    assert build_mail(LETTER) == build_mail(LETTER)
    assert build_mail(LETTER) != build_mail(replace(LETTER, message_id="other@na.mssante.fr"))


def test_lines_end_in_crlf_and_keep_under_the_limits_of_smtp() -> None:
    raw = build_mail(LETTER)
    assert b"\n" not in raw.replace(b"\r\n", b"") and b"\r" not in raw.replace(b"\r\n", b"")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 78
    assert raw.isascii()


@given(label=wild, subject=wild, body=wild, name=wild)
def test_no_text_of_a_document_can_add_or_end_a_header(label: str, subject: str, body: str, name: str) -> None:
    letter = replace(
        LETTER,
        label=label,
        subject=letter_subject(subject, name, name, "19900131"),
        body=body,
        renderings=(Rendering(name=pdf_name("20261120", label, name, name, name), pdf=b"%PDF"),),
    )
    raw = build_mail(letter)
    message, plain = parsed(letter), parsed(LETTER)
    assert message.keys() == plain.keys()
    assert [part.keys() for part in message.iter_parts()] == [part.keys() for part in plain.iter_parts()]
    assert message["Subject"] == one_line(letter.subject, 250)
    assert message["From"].addresses[0].addr_spec == "liaison@na.mssante.fr" and len(message["From"].addresses) == 1
    # The newer parser keeps blanks between encoded words of a phrase, against RFC 2047 §6.2; the older one does not.
    raw_from = email.message_from_bytes(raw)["From"]
    assert str(make_header(decode_header(raw_from))) == f"{one_line(label, 120)} <liaison@na.mssante.fr>".lstrip()
    assert message["To"].addresses[0].addr_spec == "anne.lartigue@medecin.mssante.fr"
    assert b"\n" not in raw.replace(b"\r\n", b"") and b"\0" not in raw
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998


@given(wild, wild, wild, wild)
def test_a_file_name_is_plain_ascii_without_path(label: str, family: str, given_name: str, folder: str) -> None:
    name = pdf_name("20261120", label, family, given_name, folder)
    assert re.fullmatch(r"20261120(_[A-Za-z0-9_-]+)?\.pdf", name) and len(name) < 230


def test_the_file_name_follows_the_referential() -> None:
    name = pdf_name("20220531", "CR d'imagerie médicale", "CORSE", "FIGATELLIX")
    assert name == "20220531_CR_d_imagerie_medicale_CORSE_FIGATELLIX.pdf"
    assert pdf_name("20220531", "CR", "Œillet d'Été", "Anne-Zoé", "A/12") == "20220531_CR_OEILLET_D_ETE_Anne-Zoe_A_12.pdf"
    assert pdf_name("", "../../etc", "passwd\0", "") == "etc_PASSWD.pdf"
    assert pdf_name("", "漢", "字", "") == "document.pdf"


def test_the_label_is_cut_at_forty_characters_and_an_incomplete_birth_date_left_out() -> None:
    subject = letter_subject("x" * 60, "Dupont", "Luc", "1990")
    assert subject == "XDM/1.0/DDM+" + "x" * 40 + " DUPONT Luc"


@pytest.mark.parametrize(
    "change",
    [
        {"message_id": "<a@b>"},
        {"message_id": "a@b\r\nBcc: c"},
        {"nil": "DEV\n1"},
        {"type_codes": ("a,b",)},
        {"previous_message_id": "x"},
    ],
)
def test_the_hubs_own_words_are_refused_when_they_are_not_what_they_should_be(change: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        build_mail(replace(LETTER, **change))


def test_one_line_drops_what_cannot_be_seen() -> None:
    assert one_line("a\r\nBcc: b\0\u202ec\u2028d  é", 50) == "a Bcc: b c d é"
