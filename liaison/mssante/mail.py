"""The mail that carries a letter in the MSSanté trust space, header by header (Référentiel #2; mssante digest §3.1 and §3.2).

Nothing that comes from a document reaches a header before :func:`one_line`, so no name can end a header or start another.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from itertools import takewhile

from liaison.mssante.address import Address
from liaison.mssante.xdm import ARCHIVE_NAME
from liaison.private import Private

#: ECO.2.1.3: what a receiver's software recognises a mail with an archive by.
SUBJECT_PREFIX = "XDM/1.0/DDM+"
#: The type's label is cut there, in the subject and in file names (ECO.2.1.3, ECO.2.1.6).
MAX_LABEL = 40
#: A person's name is cut there in a subject or a file name; the document has it whole.
MAX_NAME = 60
#: Longest body that is sent; the document itself travels as an attachment.
MAX_BODY = 20_000

_MESSAGE_ID = re.compile(r"[A-Za-z0-9._+=-]{1,120}@[A-Za-z0-9.-]{1,120}")
_CODE = re.compile(r"[A-Za-z0-9._-]{1,40}")
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9-]+")


class Rendering(Private, frozen=True, kw_only=True):
    """A document in the form that people read: its prescribed name (see :func:`pdf_name`) and its bytes."""

    name: str
    pdf: bytes


class LetterMail(Private, frozen=True, kw_only=True):
    """All that one mail says. One recipient a mail; without archive it is a plain notice, and only X-MSS-NIL is set."""

    #: The hub's or the service's mailbox; MAIL FROM is the same.
    sender: Address
    #: Meaningful label of the From, e.g. ``CH de Mont-de-Marsan – Cardiologie`` (ECO.2.2.7).
    label: str
    recipient: Address
    reply_to: Address | None = None
    #: Without brackets; the same at every attempt (ECO.2.2.1).
    message_id: str
    #: Without brackets: the mail that this one answers or replaces (ECO.2.2.2).
    previous_message_id: str = ""
    #: Aware.
    date: datetime
    #: See :func:`letter_subject`.
    subject: str
    body: str
    wants_read_receipt: bool = False
    #: Type codes of the CDAs in the archive (ECO.2.4.1).
    type_codes: tuple[str, ...] = ()
    #: Whether the archive carries a qualified INS with its traits (ECO.2.4.2).
    qualified_ins: bool = False
    #: Product reference of convergence.esante.gouv.fr, on every mail (ECO.2.4.3); empty until the product is declared.
    nil: str = ""
    #: The patient may not reply (ECO.2.2.8).
    no_reply: bool = False
    #: The bytes of IHE_XDM.ZIP; empty for a notice.
    archive: bytes = b""
    renderings: tuple[Rendering, ...] = ()


def build_mail(letter: LetterMail) -> bytes:
    """The mail as it is submitted, lines ending in CRLF. The same letter gives the same bytes.

    Raises ValueError when a Message-ID, a type code or the product reference is not one: they are the hub's own words.
    """
    message = EmailMessage(policy=policy.SMTP.clone(refold_source="none"))
    for name, value in _headers(letter):
        message.set_raw(name, value)
    message.set_content(_body(letter.body), charset="utf-8", cte="quoted-printable")
    attachments = [("application/pdf", _file_name(rendering.name), rendering.pdf) for rendering in letter.renderings]
    if letter.archive:
        attachments.insert(0, ("application/zip", ARCHIVE_NAME, letter.archive))
    if not attachments:
        return message.as_bytes()
    # "=_" occurs neither in base64 nor in quoted-printable text.
    boundary = "=_" + hashlib.sha256(letter.message_id.encode()).hexdigest()[:32]
    message.make_mixed(boundary=boundary)
    # The library's generator goes over every line of every part: 24 ms for 600 kB, against 3 ms.
    parts = [message.as_bytes().removesuffix(f"\r\n--{boundary}--\r\n".encode())]
    parts += [_attachment(*attachment) for attachment in attachments]
    return f"\r\n--{boundary}".encode().join(parts) + f"\r\n--{boundary}--\r\n".encode()


def _headers(letter: LetterMail) -> Iterator[tuple[str, str]]:
    yield "From", _phrase(one_line(letter.label, 120)) + f"<{letter.sender.text}>"
    if letter.reply_to is not None:
        yield "Reply-To", letter.reply_to.text
    yield "To", letter.recipient.text
    yield "Subject", _unstructured(one_line(letter.subject, 250))
    yield "Date", format_datetime(letter.date)
    yield "Message-ID", _bracketed(letter.message_id)
    if letter.previous_message_id:
        yield "In-Reply-To", _bracketed(letter.previous_message_id)
        yield "References", _bracketed(letter.previous_message_id)
    if letter.wants_read_receipt:
        yield "Disposition-Notification-To", letter.sender.text
    if letter.archive:
        yield "X-MSS-CODECDA", ",".join(_code(code) for code in letter.type_codes)
        yield "X-MSS-INS", "O" if letter.qualified_ins else "N"
    if letter.nil:
        yield "X-MSS-NIL", _code(letter.nil)
    if letter.no_reply:
        yield "X-MSS-MES", "FIN"


def _unstructured(text: str) -> str:
    """A header's text in ASCII, folded (RFC 2047): leading plain words in the clear, from the first other word on encoded.

    The standard library's own folding loses blanks between encoded words: what it wrote does not always read back.
    """
    words = text.split(" ")
    clear = list(takewhile(lambda word: word.isascii() and len(word) <= 60 and "=?" not in word, words))
    rest = " ".join(words[len(clear) :])
    folded = [""]
    for word in clear + _encoded_words(rest):
        # 60: the header's own name stands before the first line.
        if folded[-1] and len(folded[-1]) + len(word) >= (60 if len(folded) == 1 else 76):
            folded.append(word)
        else:
            folded[-1] += f" {word}" if folded[-1] else word
    return "\r\n ".join(folded)


def _phrase(text: str) -> str:
    """A display name before its address: bare when it is plain words, else encoded whole (RFC 2047 §5, rule 3)."""
    if re.fullmatch(r"[A-Za-z0-9 '-]{0,60}", text):
        return text and f"{text} "
    return "".join(f"{word}\r\n " for word in _encoded_words(text))


def _encoded_words(text: str) -> list[str]:
    """``text`` as encoded words of at most 75 characters, none of which cuts a character in two (RFC 2047 §2 and §5)."""
    pieces = [b""]
    for char in text:
        encoded = char.encode("utf-8", "replace")
        if len(pieces[-1]) + len(encoded) > 45:
            pieces.append(b"")
        pieces[-1] += encoded
    return [f"=?utf-8?b?{base64.b64encode(piece).decode()}?=" for piece in pieces if piece]


def _attachment(content_type: str, name: str, content: bytes) -> bytes:
    """One part after its boundary; type and name are plain ASCII of our own making."""
    encoded = base64.b64encode(content)
    lines = b"\r\n".join([encoded[at : at + 76] for at in range(0, len(encoded), 76)])
    head = (
        f"\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'
    )
    return head.encode("ascii") + lines


def letter_subject(label: str, birth_name: str, given: str, birth_date: str) -> str:
    """``XDM/1.0/DDM+<libellé> <NOM> <prénom> <JJ/MM/AAAA>`` (ECO.2.1.3). ``birth_date`` is YYYYMMDD; left out when incomplete."""
    return SUBJECT_PREFIX + about(label, birth_name, given, birth_date)


def about(label: str, birth_name: str, given: str, birth_date: str) -> str:
    """``<libellé> <NOM> <prénom> <JJ/MM/AAAA>``: the subject after its prefix."""
    parts = [one_line(label, MAX_LABEL), one_line(_plain(birth_name).upper(), MAX_NAME), one_line(given, MAX_NAME)]
    return " ".join(part for part in (*parts, french_date(birth_date)) if part)


def pdf_name(day: str, label: str, birth_name: str, given: str, folder: str = "") -> str:
    """``<AAAAMMJJ>_<type>_<NOM>_<prenom>[_<dossier>].pdf`` (ECO.2.1.6): ASCII letters, digits, ``_`` and ``-`` only."""
    parts = (day[:8], _plain(label)[:MAX_LABEL], _plain(birth_name).upper()[:MAX_NAME], _plain(given)[:MAX_NAME], folder[:30])
    words = [_NOT_A_NAME.sub("_", part).strip("_-") for part in parts]
    return _file_name("_".join(word for word in words if word) + ".pdf")


def french_date(date: str) -> str:
    """``YYYYMMDD`` as ``JJ/MM/AAAA``; empty when it is not a whole date."""
    return f"{date[6:8]}/{date[4:6]}/{date[:4]}" if re.fullmatch(r"[0-9]{8}", date) else ""


def one_line(text: str, longest: int) -> str:
    """``text`` as one line of printable characters, at most ``longest`` of them: what a header or a title may hold.

    Ends of line, controls, invisible format characters (bidirectional overrides too), private-use and unassigned ones become blanks.
    """
    clean = "".join(char if char == " " or unicodedata.category(char)[0] not in "CZ" else " " for char in text[: 4 * longest])
    return " ".join(clean.split())[:longest].strip()


def _plain(text: str) -> str:
    """``text`` without accents; ligatures as two letters; what ASCII has no letter for is left to the caller."""
    text = text.translate(
        {ord("œ"): "oe", ord("Œ"): "OE", ord("æ"): "ae", ord("Æ"): "AE", ord("ß"): "ss", ord("ø"): "o", ord("Ø"): "O"}
    )
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


def _body(text: str) -> str:
    """The body without controls, bounded, ending in one end of line."""
    lines = text[:MAX_BODY].replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return (
        "\n".join("".join(char for char in line if char == "\t" or char.isprintable()).rstrip() for line in lines).strip("\n")
        + "\n"
    )


def _bracketed(message_id: str) -> str:
    if not _MESSAGE_ID.fullmatch(message_id):
        raise ValueError("a Message-ID is <local>@<domain> in ASCII, given without brackets")
    return f"<{message_id}>"


def _code(code: str) -> str:
    if not _CODE.fullmatch(code):
        raise ValueError("a type code or product reference is ASCII letters, digits, '.', '_' and '-'")
    return code


def _file_name(name: str) -> str:
    """The name of an attachment, without anything that a path, a shell or a header would take for its own."""
    stem = _NOT_A_NAME.sub("_", name.removesuffix(".pdf")).strip("_-")
    return f"{stem[:200] or 'document'}.pdf"
