"""Sealing: each stored object under a key of its own, that key under its subject's, that one under the master's.

A sealed object is, in order: one byte of format, the wrap (nonce 12, wrapped object key 32, tag 16), then the body (nonce 12,
ciphertext, tag 16). The body is bound to its format and place (table, row, column), the wrap to the place and to the subject: giving an
object to another subject rewrites the wrap alone, and destroying a subject's key closes all that was wrapped under it.
"""

from __future__ import annotations

import hashlib
import os
import threading
import zlib
from contextlib import suppress

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from liaison.hub.vault.keys import MasterKeys

_PLAIN, _DEFLATED = b"\x01", b"\x02"
_WRAP = 12 + 32 + 16
#: Below this an object is sealed as it is: deflating 1 kB costs more than the disk that it saves.
_DEFLATE_FROM = 4096
#: From here on, a piece out of the middle tells how the whole deflates.
_SAMPLED_FROM, _SAMPLE = 65_536, 8_192
_MOST_INFLATED = 256 * 1024 * 1024


def pack(plain: bytes) -> bytes:
    """A form byte and the bytes, deflated where that is worth it."""
    if len(plain) >= _DEFLATE_FROM:
        deflater = zlib.compressobj(1, strategy=_strategy(plain))
        deflated = deflater.compress(plain) + deflater.flush()
        if len(deflated) < len(plain):
            return _DEFLATED + deflated
    return _PLAIN + plain


def _strategy(plain: bytes) -> int:
    """A PDF in base64 repeats nothing: to look for repetitions costs 35 ms for 600 kB, to do without 10 ms, for the same size."""
    if len(plain) < _SAMPLED_FROM:
        return zlib.Z_DEFAULT_STRATEGY
    middle = len(plain) // 2
    sample = plain[middle : middle + _SAMPLE]
    return zlib.Z_HUFFMAN_ONLY if len(zlib.compress(sample, 1)) > 0.65 * _SAMPLE else zlib.Z_DEFAULT_STRATEGY


class _Hmac:
    """HMAC-SHA-256 (RFC 2104) under one key, its two pads hashed once.

    The library's one-shot call lets go of the interpreter for 200 bytes of text, and a busy thread waits longer to have it back than
    the digest takes.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        padded = key.ljust(64, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def __repr__(self) -> str:
        return "<Hmac>"

    def digest(self, content: bytes) -> bytes:
        """32 bytes."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(content)
        outer.update(inner.digest())
        return outer.digest()


class _Random(threading.local):
    """The system's randomness, drawn by the block: each draw lets go of the interpreter, and a message needs a dozen."""

    _BLOCK = 16_384

    def __init__(self) -> None:
        self._drawn = b""
        self._used = 0

    def take(self, count: int) -> bytes:
        """Bytes that were never given before."""
        end = self._used + count
        if end > len(self._drawn):
            self._drawn, self._used, end = os.urandom(self._BLOCK), 0, count
        taken = self._drawn[self._used : end]
        self._used = end
        return taken


_random = _Random()


class SealBroken(Exception):
    """A sealed object does not open: wrong key, wrong place, or altered bytes. Names the place only."""


class SubjectKey:
    """The key of one subject, opened; lives in memory only."""

    __slots__ = ("_cipher", "subject")

    def __init__(self, subject: str, key: bytes) -> None:
        self.subject = subject
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return "<SubjectKey>"

    def wrap(self, nonce: bytes, object_key: bytes, place: bytes) -> bytes:
        """The object key sealed under this subject, for one place."""
        return self._cipher.encrypt(nonce, object_key, place + self.subject.encode())

    def unwrap(self, nonce: bytes, wrapped: bytes, place: bytes) -> bytes:
        """Raises InvalidTag when the wrap is another subject's or another place's."""
        return self._cipher.decrypt(nonce, wrapped, place + self.subject.encode())


class Vault:
    """Seals and opens objects, computes blind indexes and keyed digests."""

    def __init__(self, keys: MasterKeys) -> None:
        self._master = AESGCM(keys.wrapping)
        self._retiring = None if keys.retiring is None else AESGCM(keys.retiring)
        self._blind = _Hmac(keys.blind_index)
        self._digest = _Hmac(keys.content_digest)
        self.check_value = keys.check_value
        #: Check values of the wrapping keys that it opens subject keys with, the one for new keys first.
        self.wrapping_checks = keys.opens

    def __repr__(self) -> str:
        return "<Vault>"

    def new_subject_key(self, subject: str) -> tuple[SubjectKey, bytes]:
        """A new subject key, and its wrapped form for the store."""
        random = _random.take(44)
        nonce = random[32:]
        return SubjectKey(subject, random[:32]), nonce + self._master.encrypt(nonce, random[:32], subject.encode())

    def open_subject_key(self, subject: str, wrapped: bytes) -> SubjectKey:
        """Open a stored subject key.

        Raises:
            SealBroken: the wrapping key is not the one it was wrapped under.
        """
        return SubjectKey(subject, self._unwrapped(subject, wrapped)[0])

    def rewrapped(self, subject: str, wrapped: bytes) -> bytes | None:
        """A stored subject key under the current wrapping key; None when it is already.

        Raises:
            SealBroken: it is under neither the current nor the retiring one.
        """
        key, current = self._unwrapped(subject, wrapped)
        nonce = os.urandom(12)
        return None if current else nonce + self._master.encrypt(nonce, key, subject.encode())

    def _unwrapped(self, subject: str, wrapped: bytes) -> tuple[bytes, bool]:
        for master in (self._master, self._retiring):
            if master is not None:
                with suppress(InvalidTag, ValueError):
                    return master.decrypt(wrapped[:12], wrapped[12:], subject.encode()), master is self._master
        raise SealBroken("subject_key")

    @classmethod
    def seal(cls, key: SubjectKey, place: bytes, plain: bytes) -> bytes:
        """Seal ``plain`` for ``place`` (``table|row|column``)."""
        return cls.seal_packed(key, place, pack(plain))

    @staticmethod
    def seal_packed(key: SubjectKey, place: bytes, packed: bytes) -> bytes:
        """Seal what ``pack`` made, so that the deflating of a large body may be done elsewhere."""
        random = _random.take(56)
        object_key, wrap_nonce, nonce = random[:32], random[32:44], random[44:]
        body = AESGCM(object_key).encrypt(nonce, packed[1:], packed[:1] + place)
        return b"".join((packed[:1], wrap_nonce, key.wrap(wrap_nonce, object_key, place), nonce, body))

    @staticmethod
    def open(key: SubjectKey, place: bytes, sealed: bytes) -> bytes:
        """Open what ``seal`` made for the same place and subject.

        Raises:
            SealBroken: any of them differs, or the bytes were altered.
        """
        form, wrap, rest = sealed[:1], sealed[1 : 1 + _WRAP], sealed[1 + _WRAP :]
        try:
            object_key = key.unwrap(wrap[:12], wrap[12:], place)
            plain = AESGCM(object_key).decrypt(rest[:12], rest[12:], form + place)
        except (InvalidTag, ValueError) as error:
            raise SealBroken(place.decode(errors="replace")) from error
        if form == _DEFLATED:
            inflater = zlib.decompressobj()
            plain = inflater.decompress(plain, _MOST_INFLATED)
            if not inflater.eof:
                raise SealBroken(place.decode(errors="replace"))
        return plain

    @staticmethod
    def rewrap(old: SubjectKey, new: SubjectKey, place: bytes, sealed: bytes) -> bytes:
        """Give a sealed object to another subject; only the wrap changes.

        Raises:
            SealBroken: the object is not ``old``'s.
        """
        try:
            object_key = old.unwrap(sealed[1:13], sealed[13 : 1 + _WRAP], place)
        except (InvalidTag, ValueError) as error:
            raise SealBroken(place.decode(errors="replace")) from error
        nonce = os.urandom(12)
        return sealed[:1] + nonce + new.wrap(nonce, object_key, place) + sealed[1 + _WRAP :]

    def blind(self, *parts: str) -> bytes:
        """The blind index of a tuple of texts: 32 bytes, the same for the same parts, useless without the key.

        Each part is preceded by its length: a sender chooses some of them, and no separator is beyond its reach.
        """
        encoded = [part.encode(errors="surrogatepass") for part in parts]
        return self._blind.digest(b"".join([b"%d:%b" % (len(part), part) for part in encoded]))

    def digest(self, content: bytes) -> bytes:
        """A keyed digest of a message's content, 16 bytes, to recognise a resend."""
        return self._digest.digest(content)[:16]
