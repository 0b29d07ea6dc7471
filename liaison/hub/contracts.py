"""The contracts between the hub and what surrounds it."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeAlias

import msgspec

from liaison.care.facts import Fact
from liaison.finding import Finding
from liaison.private import Private


class Verdict(enum.StrEnum):
    """What became of a message at the door."""

    ACCEPTED = "accepted"
    ACCEPTED_WITH_FINDINGS = "accepted-with-findings"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """The source that a message came by, and what is known of the peer."""

    #: Key of the source in ``[sources.…]``.
    source: str
    #: ``address:port`` of the peer, a file's folder, or empty.
    peer: str = ""
    #: What made the transport give the message up: the bytes are then only what came of it, to be kept and never acted upon.
    fault: Finding | None = None
    #: The bytes are a file of whatever format, not a message of a protocol.
    file: bool = False
    #: What the way in noticed around the message: a batch that does not count right.
    noticed: tuple[Finding, ...] = ()


class MessageIds(Private, frozen=True, kw_only=True):
    """What the message calls itself."""

    #: ``ADT^A01``, ``ORU^R01``, ``CDA``…
    kind: str
    #: MSH-10, or the file's name; empty when there is none.
    control_id: str
    #: MSH-3 and MSH-4, joined by ``|``.
    application: str = ""
    #: SHA-256 of the message's bytes but for MSH-7, by which a resend is known; keyed by the vault before it is stored.
    content: bytes
    #: MSH-11: P, T or D.
    processing: str = "P"


class Reading(Private, frozen=True, kw_only=True):
    """All that a message says before any state is looked at; made off the writer."""

    raw: bytes
    sender: Sender
    ids: MessageIds
    facts: tuple[Fact, ...]
    findings: tuple[Finding, ...]
    verdict: Verdict
    #: The reply to the peer, framing excluded; empty when the transport has none.
    reply: bytes = b""
    #: Builds the reply again for another verdict, when the state decides otherwise than the message alone did.
    reply_as: Callable[[Verdict, tuple[Finding, ...]], bytes]
    #: ``raw`` as the vault packs it, when it was large enough to be worth packing off the writer.
    packed: bytes | None = None
    #: FINESS of the establishment that speaks: identifiers mean something inside it only.
    establishment: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a source tells its peer once ``receive`` has returned: the message is durable, or was refused."""

    verdict: Verdict
    #: Bytes of the reply (an HL7 ACK for MLLP), stored with the message and sent again to a duplicate.
    reply: bytes
    message_id: str = ""


#: Takes the bytes of one message; returns after they are durable. Never raises for what the message holds.
Receive: TypeAlias = Callable[[bytes, Sender], Awaitable[Answer]]


class Parcel(Private, frozen=True, kw_only=True):
    """What a destination is asked to deliver: rendered once, the same bytes at every attempt."""

    #: Unguessable, survives retries: CloudEvents id, Message-ID without brackets, file name stem.
    id: str
    #: Event type or document type, for logs and file names: never an identity.
    kind: str
    body: bytes
    content_type: str
    #: Opaque lane name and the parcel's number in it, without gaps.
    lane: str
    lane_seq: int
    #: MSSanté address for mail; empty elsewhere.
    recipient: str = ""
    #: Envelope details a destination may need, e.g. ``{"delivery_receipt": "1"}``.
    options: Mapping[str, str] = {}


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """The peer took it; ``reference`` is its own word for it (queue id, MSA-2, HTTP status)."""

    reference: str = ""
    #: ``accepted`` when the peer only took charge, ``delivered`` when this is the end of the way.
    receipt: str = "delivered"


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The peer will never take this parcel: a person must look. ``reason`` names no one."""

    code: str
    reason: str


class Unavailable(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing was taken; try again later."""

    reason: str
    retry_after: float | None = None  #: seconds


class Uncertain(msgspec.Struct, frozen=True, kw_only=True):
    """The parcel may or may not have been taken."""

    reason: str


Attempt: TypeAlias = Delivered | Refused | Unavailable | Uncertain


class Source(Protocol):
    """A way in. ``run`` serves until it is cancelled, then drains: it never answers a peer before ``receive`` has returned."""

    async def run(self, receive: Receive) -> None: ...


class Destination(Protocol):
    """A way out. ``deliver`` makes one bounded attempt; any exception, and cancellation, counts as Uncertain."""

    async def deliver(self, parcel: Parcel) -> Attempt: ...

    async def probe(self) -> None:
        """Test the connection without delivering; raises ConnectionError or OSError with what and where."""

    async def close(self) -> None:
        """Give back connections. Called once, after the last delivery."""
