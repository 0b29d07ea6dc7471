"""Character sets: strictly as MSH-18 declares, then UTF-8, then Windows-1252, each fallback a finding (hl7v2 digest §9).

Decoding never fails and is always exactly reversible: the bytes that Windows-1252 leaves undefined stand for themselves.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from liaison.finding import Finding, Severity

#: What senders write in MSH-18 (table 0211 and its frequent misspellings), upper case and without blanks → Python codec.
#: A bare ``8859`` is read as the French default, 8859/15.
CHARSETS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ASCII": "ascii",
        "US-ASCII": "ascii",
        "ISOIR6": "ascii",
        "8859/1": "iso8859-1",
        "8859-1": "iso8859-1",
        "ISO8859-1": "iso8859-1",
        "ISO-8859-1": "iso8859-1",
        "ISO8859/1": "iso8859-1",
        "ISO_8859-1": "iso8859-1",
        "LATIN1": "iso8859-1",
        "8859": "iso8859-15",
        "8859/15": "iso8859-15",
        "8859-15": "iso8859-15",
        "ISO8859-15": "iso8859-15",
        "ISO-8859-15": "iso8859-15",
        "ISO8859/15": "iso8859-15",
        "ISO_8859-15": "iso8859-15",
        "LATIN9": "iso8859-15",
        "UNICODEUTF-8": "utf-8",
        "UNICODEUTF8": "utf-8",
        "UTF-8": "utf-8",
        "UTF8": "utf-8",
        "UNICODE": "utf-8",
        "WINDOWS-1252": "cp1252",
        "CP1252": "cp1252",
        "1252": "cp1252",
    }
)
#: The two names that the CI-SIS volets allow, and the others of table 0211 that PAM.fr feeds use.
CANONICAL: Final[Mapping[str, str]] = MappingProxyType(
    {"ascii": "ASCII", "iso8859-1": "8859/1", "iso8859-15": "8859/15", "utf-8": "UNICODE UTF-8", "cp1252": "WINDOWS-1252"}
)

_CP1252 = "".join(
    bytes([byte]).decode("cp1252", "ignore") or chr(byte)  # 81 8D 8F 90 9D are undefined: they stand for themselves
    for byte in range(256)
)
_CP1252_ENCODING = codecs.charmap_build(_CP1252)
_C1 = bytes(range(0x80, 0xA0))
#: French typography that 8859/1 and ASCII lack, for what the hub itself writes.
_PLAIN = {
    "’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"', "—": "-", "–": "-", "…": "...", "œ": "oe", "Œ": "OE",
    "€": "EUR", "\u00a0": " ", "\u202f": " ",
}  # fmt: skip


class CharsetReading(msgspec.Struct, frozen=True, kw_only=True):
    """How the bytes of one message became text."""

    #: Python codec: ``utf-8``, ``iso8859-1``, ``iso8859-15``, ``cp1252`` or ``ascii``.
    name: str
    #: The known charset token found in MSH, as written; empty when there was none.
    declared: str = ""
    #: Whether the bytes are what the message declared; true for an undeclared ASCII message.
    exact: bool = True

    @property
    def reply(self) -> str:
        """The codec to answer the sender in: what it declared, else what it used."""
        codec = codec_of(self.declared) or self.name
        return "utf-8" if codec == "ascii" and not self.declared else codec


def decode(raw: bytes, codec: str) -> str:
    """``raw`` as text in a codec of CharsetReading. Raises UnicodeDecodeError, except for ``cp1252`` which takes any byte."""
    if codec == "cp1252":
        return codecs.charmap_decode(raw, "strict", _CP1252)[0]  # pyright: ignore[reportArgumentType]  # the stub forgets the string form
    return raw.decode(codec)


def encode(text: str, codec: str) -> bytes:
    """The exact reverse of decode. Raises UnicodeEncodeError when the character set lacks a character of ``text``."""
    if codec == "cp1252":
        return codecs.charmap_encode(text, "strict", _CP1252_ENCODING)[0]
    return text.encode(codec)


def encode_plainly(text: str, codec: str) -> bytes:
    """Like encode, for prose of ours: typography that the character set lacks is simplified, what remains becomes ``?``."""
    try:
        return encode(text, codec)
    except UnicodeEncodeError:
        return b"".join(_plain_bytes(character, codec) for character in text)


def _plain_bytes(character: str, codec: str) -> bytes:
    try:
        return encode(character, codec)
    except UnicodeEncodeError:
        return _PLAIN.get(character, "?").encode("ascii")


def codec_of(token: str) -> str:
    """The Python codec that a token of MSH-18 names; empty for one that names none."""
    return CHARSETS.get(token.strip().upper().replace(" ", ""), "")


def read_charset(
    raw: bytes, fields: Sequence[str], repetition: str = "~", known: str = ""
) -> tuple[CharsetReading, tuple[Finding, ...]]:
    """The character set of ``raw``, whose MSH has the fields ``fields`` (``fields[18]`` is MSH-18), and what to say of it.

    ``known``, a token of MSH-18, stands for whatever the message declares: some feeds declare the wrong one.
    """
    declared, codec, findings = (known, codec_of(known), ()) if known else _declaration(fields, repetition)
    if raw.isascii():
        return CharsetReading(name=codec or "ascii", declared=declared), findings
    actual = _actual(raw, codec)
    if actual != codec:
        findings = (*findings, _fallback(declared, actual))
    return CharsetReading(name=actual, declared=declared, exact=actual == codec), findings


def _declaration(fields: Sequence[str], repetition: str) -> tuple[str, str, tuple[Finding, ...]]:
    """Token, codec and findings out of MSH-15 to MSH-19 (trap 19: some senders are off by one or two)."""
    for number in (18, 17, 16, 15, 19):
        token = fields[number].partition(repetition)[0].strip() if number < len(fields) else ""
        codec = codec_of(token)
        if codec:
            return token, codec, () if number == 18 else (_misplaced(number),)
    return "", "", (_UNKNOWN,) if len(fields) > 18 and fields[18].strip() else ()


def _actual(raw: bytes, codec: str) -> str:
    """The codec that the bytes really are in; they are not all ASCII."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        if codec.startswith("iso8859") and len(raw.translate(None, _C1)) == len(raw):
            return codec
        # 80 to 9F are no characters of ISO 8859 but are the quotes, œ and € of Windows.
        return "cp1252"
    if codec.startswith(("iso8859", "cp")):
        # "Ã©" in Latin is so rare, "é" in UTF-8 so common, that text which is valid UTF-8 for Western letters is UTF-8.
        try:
            text.encode("cp1252")
        except UnicodeEncodeError:
            return codec
    return "utf-8"


def _misplaced(number: int) -> Finding:
    return Finding(
        severity=Severity.INFORMATION,
        where=f"MSH-{number}",
        rule="hl7.charset-misplaced",
        message=f"Le jeu de caractères est écrit en MSH-{number} ; sa place est MSH-18 (HL7 v2.5 §2.15.9.18).",
        remedy="Demander à l’éditeur d’écrire le pays en MSH-17 et le jeu de caractères en MSH-18.",
        condition="102",
    )


_UNKNOWN = Finding(
    severity=Severity.WARNING,
    where="MSH-18",
    rule="hl7.charset-unknown",
    message="MSH-18 ne nomme aucun jeu de caractères connu (table HL7 0211).",
    remedy="Demander à l’éditeur d’écrire « UNICODE UTF-8 » ou « 8859/15 » en MSH-18.",
    condition="103",
)
_NAMES = {"utf-8": "UTF-8", "cp1252": "Windows-1252"}


def _fallback(declared: str, actual: str) -> Finding:
    if not declared:
        return Finding(
            severity=Severity.INFORMATION,
            where="MSH-18",
            rule="hl7.charset-undeclared",
            message=f"Le message contient des caractères accentués et ne déclare aucun jeu de caractères ; il a été lu en {_NAMES[actual]}.",
            remedy="Demander à l’éditeur de déclarer en MSH-18 le jeu de caractères qu’il emploie : « UNICODE UTF-8 » ou « 8859/15 ».",
            condition="101",
        )
    return Finding(
        severity=Severity.WARNING,
        where="MSH-18",
        rule="hl7.charset-fallback",
        message=f"Les octets du message ne sont pas dans le jeu de caractères que MSH-18 déclare ; il a été lu en {_NAMES[actual]}.",
        remedy="Demander à l’éditeur de mettre en accord MSH-18 et les octets émis : « UNICODE UTF-8 » pour de l’UTF-8, « 8859/15 » "
        "pour de l’ISO 8859-15 ; Windows-1252 n’est pas permis (CI-SIS, Transmission d’un document CDA-R2 en HL7 v2).",
        condition="102",
    )
