"""MLLP without sockets: bytes in, frames and what is wrong out (HL7 v2 Implementation Guide, Minimal Lower Layer Protocol).

A block is ``0x0B`` message ``0x1C 0x0D``. Rules of this file: it keeps at most one unfinished message; what it says does not
depend on how the bytes were cut into reads; it never guesses where a message ends.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

from liaison.private import Private

START = 0x0B
END = 0x1C
_TRAILER = b"\x1c\r"
#: How much of a refused frame is kept, so that the reply can name its control id.
HEAD = 65_536
#: Where to go on after a refused frame: its end, or the beginning of another when it has none.
_RESYNC = re.compile(rb"\x1c[\r\x0b]|\x0bMSH")
_LOOK_BEHIND = 3


class Frame(Private, frozen=True, kw_only=True):
    """One whole message, framing removed."""

    payload: bytes


class Noise(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes outside any frame; line ends are not counted."""

    count: int
    #: They began with ``MSH``: the peer does not frame its messages.
    looks_like_hl7: bool = False


class FrameError(Private, frozen=True, kw_only=True):
    """A frame that cannot be taken. The decoder goes on with the next one."""

    #: ``mllp.oversize``, ``mllp.truncated`` or ``mllp.noise``.
    rule: str
    #: French, for the peer and the operator.
    message: str
    remedy: str
    #: Bytes received of it when it was given up.
    size: int
    #: Its beginning, at most HEAD bytes.
    head: bytes = b""


Event: TypeAlias = Frame | Noise | FrameError


def encode_frame(payload: bytes) -> bytes:
    """``payload``, encoded in its character set already, as one block. Raises ValueError when it holds the block's end."""
    if _TRAILER in payload:
        raise ValueError("an MLLP payload cannot hold 1C 0D")
    return b"\x0b" + payload + _TRAILER


class FrameDecoder:
    """Finds the frames in a stream. ``max_message`` and ``max_noise`` are bytes."""

    def __init__(self, max_message: int, max_noise: int = 65_536) -> None:
        self._max_message = max_message
        self._max_noise = max_noise
        self._buffer = bytearray()  # from the byte after 0x0B; empty between frames
        self._in_frame = False
        self._skipping = False  # inside a frame that was refused for its size
        self._scanned = 0
        self._noise = 0
        self._noise_head = b""

    @property
    def pending(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._in_frame

    @property
    def held(self) -> int:
        """How many bytes are kept."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Event]:
        """Take what was read; give what it completes, in order."""
        if not self._in_frame and not self._noise and data[:1] == b"\x0b" and data.find(_TRAILER) == len(data) - 2 >= 1:
            payload = data[1:-2]  # one read, one frame: the usual case
            if len(payload) <= self._max_message and b"\x0b" not in payload and b"\x1c\x0b" not in data:
                return [Frame(payload=payload)]
        events: list[Event] = []
        position = 0
        while position < len(data):
            if self._skipping:
                position = self._skip(data, position)
            elif self._in_frame:
                position = self._take_frame(data, position, events)
            else:
                position = self._take_noise(data, position, events)
        return events

    def end(self) -> list[Event]:
        """The stream is over, or silent for too long: what is left. A frame that lacks only its last CR is taken."""
        events: list[Event] = []
        if self._in_frame and not self._skipping:
            if self._buffer.endswith(b"\x1c"):
                self._finish(len(self._buffer) - 1, events)
            else:
                events.append(_truncated(bytes(self._buffer)))
        self._report_noise(events)
        self._leave()
        return events

    def _take_noise(self, data: bytes, position: int, events: list[Event]) -> int:
        start = data.find(START, position)
        noise = (data[position:] if start < 0 else data[position:start]).translate(None, b"\r\n")
        was_over = self._noise > self._max_noise
        self._noise += len(noise)
        self._noise_head = (self._noise_head + noise[:3])[:3]
        if self._noise > self._max_noise and not was_over:
            events.append(
                FrameError(
                    rule="mllp.noise",
                    message="Le flux contient trop d’octets hors de toute trame MLLP.",
                    remedy="Vérifier que l’émetteur encadre chaque message par 0x0B et 0x1C 0x0D, et qu’il parle bien MLLP.",
                    size=self._max_noise + 1,
                )
            )
        if start < 0:
            return len(data)
        self._report_noise(events)
        self._in_frame = True
        return start + 1

    def _take_frame(self, data: bytes, position: int, events: list[Event]) -> int:
        """Take bytes up to the frame's end, if it is there, or to the size limit; give where to go on in ``data``."""
        buffer, limit = self._buffer, self._max_message
        room = position + limit + 2 - len(buffer)  # the message and its two last bytes, however much was read
        near = data.find(END, position, room)
        if near >= 0:
            room = min(room, near + 2)  # the frames behind this one are not copied for it
        buffer += memoryview(data)[position:room]
        position = min(room, len(data))
        while (end := buffer.find(END, self._scanned)) >= 0:
            if end + 1 == len(buffer):
                self._scanned = end
                break
            if buffer[end + 1] in (0x0D, START):  # 0x0B: the next block, after one that lacks its CR
                position -= len(buffer) - end - (2 if buffer[end + 1] == 0x0D else 1)
                self._finish(end, events)
                return position
            self._scanned = end + 1
        else:
            self._scanned = len(buffer)
        if self._scanned > limit:
            events.append(self._oversize())
            position -= len(buffer) - limit - 1
            del buffer[limit + 1 :], buffer[:-_LOOK_BEHIND]
            self._skipping = True
        return position

    def _skip(self, data: bytes, position: int) -> int:
        """Drop the rest of a refused frame: up to its end, or to where another begins."""
        buffer = self._buffer
        before = len(buffer)
        buffer += memoryview(data)[position:]
        found = _RESYNC.search(buffer)
        if found is None:
            del buffer[:-_LOOK_BEHIND]
            return len(data)
        at, what = found.start(), found.group()
        del found  # it holds the buffer, which could not be cleared
        self._leave()
        self._in_frame = what != _TRAILER
        if what[0] == START:
            buffer += what[1:]  # some of it may have come with an earlier read
        return position - before + at + len(what)

    def _finish(self, end: int, events: list[Event]) -> None:
        with memoryview(self._buffer) as view:
            payload = bytes(view[:end])
        restart = payload.rfind(b"\x0bMSH")
        if restart >= 0:  # a block that began anew before it ended; a lone 0x0B is a line break pasted from a word processor
            events.append(_truncated(payload[:restart]))
            payload = payload[restart + 1 :]
        events.append(Frame(payload=payload))
        self._leave()

    def _leave(self) -> None:
        self._buffer.clear()
        self._scanned = 0
        self._in_frame = self._skipping = False

    def _report_noise(self, events: list[Event]) -> None:
        if self._noise:
            events.append(Noise(count=self._noise, looks_like_hl7=self._noise_head == b"MSH"))
        self._noise = 0
        self._noise_head = b""

    def _oversize(self) -> FrameError:
        return FrameError(
            rule="mllp.oversize",
            message=f"Le message dépasse la taille admise ({self._max_message} octets) ; il n’a pas été lu.",
            remedy="Augmenter « max_message » pour cette source, ou réduire les documents envoyés.",
            size=self._max_message + 1,
            head=bytes(self._buffer[: min(HEAD, self._max_message)]),
        )


def _truncated(received: bytes) -> FrameError:
    return FrameError(
        rule="mllp.truncated",
        message="La trame MLLP s’interrompt avant sa fin (0x1C 0x0D).",
        remedy="Vérifier le réseau et l’émetteur, puis envoyer le message à nouveau.",
        size=len(received),
        head=received[:HEAD],
    )
