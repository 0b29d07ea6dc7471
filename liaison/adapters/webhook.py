"""CloudEvents over HTTP, structured mode: one POST a parcel, to the one URL of the configuration.

CloudEvents 1.0 HTTP binding §3.2: the media type says that the body is the event, envelope included. Answers are read
after its web hook rules (HTTP 1.1 Web Hooks for Event Delivery §2.2): 2xx taken, 429 slow down, others by their class.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable

from liaison.adapters.http_exchange import HttpPeer, HttpSettings
from liaison.hub.contracts import Attempt, Delivered, Parcel, Refused

#: Bytes below which a signing secret could be guessed (Standard Webhooks 1.0, signature scheme: 24 to 64).
_SHORTEST_SECRET = 24


class WebhookSettings(HttpSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a ``kind = "webhook"`` destination."""

    #: Secret that signs each post over its id, its time and its body (``webhook-signature``), by reference; empty: not signed.
    signing_secret: str = ""


class Webhook:
    """A coordination platform, or any receiver of CloudEvents over HTTP."""

    def __init__(self, name: str, settings: WebhookSettings, *, clock: Callable[[], float] = time.time) -> None:
        self.name = name
        self.settings = settings
        self._peer = HttpPeer(settings)
        self._clock = clock
        self._secret = settings.signing_secret.encode()
        if self._secret and len(self._secret) < _SHORTEST_SECRET:
            raise ValueError(f"signing_secret : au moins {_SHORTEST_SECRET} caractères tirés au hasard")

    def __repr__(self) -> str:
        return f"<Webhook {self.name} {self._peer.name}>"

    async def deliver(self, parcel: Parcel) -> Attempt:
        """One POST. ``Idempotency-Key`` is the parcel's id, so that a repeat is known as one."""
        headers = {"Content-Type": parcel.content_type, "Idempotency-Key": parcel.id}
        if self._secret:
            sent = str(int(self._clock()))
            headers |= {
                "webhook-id": parcel.id,
                "webhook-timestamp": sent,
                "webhook-signature": signature(self._secret, parcel.id, sent, parcel.body),
            }
        outcome = await self._peer.send("POST", self._peer.url, body=parcel.body, headers=headers)
        # The receiver has this Idempotency-Key already.
        return Delivered(reference="HTTP 409") if isinstance(outcome, Refused) and outcome.code == "409" else outcome

    async def probe(self) -> None:
        """Connect, and negotiate TLS; sends no request."""
        await self._peer.probe()

    async def close(self) -> None:
        """Give back the connections."""
        await self._peer.close()


def signature(secret: bytes, number: str, sent: str, body: bytes) -> str:
    """``v1,`` and the HMAC-SHA-256 in base64 of id, time (seconds since 1970) and body, joined by dots (Standard Webhooks 1.0)."""
    digest = hmac.digest(secret, b".".join((number.encode(), sent.encode(), body)), hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"
