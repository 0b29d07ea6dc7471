"""One request to one configured HTTP server, and what its answer says of a parcel. Shared by the destinations that speak HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import aiohttp
import msgspec
from yarl import URL

from liaison.adapters.endpoint import connection_fault, is_loopback
from liaison.adapters.tls import client_context
from liaison.hub.contracts import Attempt, Delivered, Refused, Unavailable, Uncertain

#: Statuses that a later attempt may change (RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4); so may any 5xx.
TRY_LATER = frozenset({408, 425, 429})

#: A Retry-After beyond this is not believed.
LONGEST_RETRY_AFTER = 24 * 3600.0

#: Bytes of a response's body that are read, so that its connection can serve again; a longer one is cut.
MAX_RESPONSE = 64 * 1024


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every destination that speaks HTTP may say."""

    #: Where to post; ``https://``, or ``http://`` on loopback only. Redirects are not followed.
    url: str
    #: Bearer token (RFC 6750), by reference; empty: none.
    token: str = ""
    #: PEM file of the authorities that issued the server's certificate; empty: the system's.
    ca: str = ""
    #: PEM file of the certificate to show, when the server asks for one.
    certificate: str = ""
    #: PEM file of its private key; empty when ``certificate`` holds it.
    key: str = ""
    #: Seconds for one whole attempt.
    timeout: float = 30.0
    #: Connections at once.
    connections: int = 16

    def __post_init__(self) -> None:
        try:
            url = URL(self.url)
            host, port = url.host, url.port
        except ValueError as error:
            raise ValueError("url : illisible, attendu par exemple https://plateforme.example.fr/evenements") from error
        if url.scheme not in ("http", "https") or not host or not port:
            raise ValueError("url : attendu une adresse https://, avec un nom d'hôte")
        if url.scheme == "http" and not is_loopback(host):
            raise ValueError("url : http:// n'est permis que vers la machine elle-même ; écrire https://")
        if url.user or url.password:
            raise ValueError("url : pas de mot de passe dans l'adresse ; utiliser token")
        if url.fragment:
            raise ValueError("url : un fragment (#…) n'est jamais envoyé ; le retirer")
        if any(ord(character) <= 32 or ord(character) > 126 for character in self.token):
            raise ValueError("token : contient des caractères interdits dans un en-tête HTTP")
        if self.key and not self.certificate:
            raise ValueError("certificate : nécessaire avec key")
        if self.timeout <= 0 or self.connections <= 0:
            raise ValueError("timeout, connections : doivent être positifs")


class HttpPeer:
    """The server of a configuration. Connections are kept and used again."""

    def __init__(self, settings: HttpSettings) -> None:
        self.url = URL(settings.url)
        #: What logs and reasons say: neither the path nor the query, which may hold a secret.
        self.name = f"{self.url.host}:{self.url.port}"
        self._settings = settings
        self._tls = client_context(ca=settings.ca, certificate=settings.certificate, key=settings.key)
        self._headers = {"Authorization": f"Bearer {settings.token}"} if settings.token else {}
        self._session: aiohttp.ClientSession | None = None

    async def send(self, method: str, url: URL, *, body: bytes, headers: Mapping[str, str]) -> Attempt:
        """One bounded request; its answer is judged by its status alone."""
        headers = {**self._headers, **headers}
        try:
            async with self._client().request(method, url, data=body, headers=headers, allow_redirects=False) as response:
                outcome = judge(response.status, response.headers.get("Retry-After", ""), time.time())
                await _read_away(response)
                return outcome
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Unavailable(reason=connection_fault(error, self.name))
        except TimeoutError:
            return Uncertain(reason=f"pas de réponse de {self.name} en {self._settings.timeout:g} s")
        except (aiohttp.ClientError, OSError):
            return Uncertain(reason=f"connexion à {self.name} coupée avant la réponse")

    async def probe(self) -> None:
        """Connect, and negotiate TLS; sends no request. Raises ConnectionError with what and where."""
        assert self.url.host is not None
        tls = self._tls if self.url.scheme == "https" else None
        try:
            async with asyncio.timeout(self._settings.timeout):
                _, writer = await asyncio.open_connection(self.url.host, self.url.port, ssl=tls)
        except OSError as error:
            raise ConnectionError(connection_fault(error, self.name)) from error
        writer.close()

    async def close(self) -> None:
        """Give back the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._settings.connections, ssl=self._tls, keepalive_timeout=15.0),
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout, connect=self._settings.timeout / 2),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "Liaison"},
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


def judge(status: int, retry_after: str, now: float) -> Attempt:
    """What a response's status says of the parcel; ``now`` in seconds since 1970, for a Retry-After that is a date."""
    reference = f"HTTP {status}"
    if 200 <= status < 300:
        return Delivered(reference=reference, receipt="accepted" if status == 202 else "delivered")
    if status in TRY_LATER or status >= 500:
        return Unavailable(reason=f"le destinataire a répondu {reference}", retry_after=_seconds(retry_after, now))
    if 300 <= status < 400:
        return Refused(code=str(status), reason="le destinataire redirige, ce qui n'est pas suivi ; corriger l'url")
    if status in (401, 403):
        return Refused(code=str(status), reason="le destinataire refuse l'accès ; vérifier token ou certificate")
    return Refused(code=str(status), reason=f"le destinataire a refusé l'événement ({reference})")


def _seconds(retry_after: str, now: float) -> float | None:
    """Retry-After, a number of seconds or a date (RFC 9110 §10.2.3); None when absent or senseless."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(float(text), LONGEST_RETRY_AFTER)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return min(max(when.timestamp() - now, 0.0), LONGEST_RETRY_AFTER)


async def _read_away(response: aiohttp.ClientResponse) -> None:
    """Read a short body, so that the connection serves again; a long one costs its connection.

    The status has said it all: a connection that ends here changes nothing of the outcome.
    """
    try:
        await response.content.readexactly(MAX_RESPONSE)
    except asyncio.IncompleteReadError:
        return
    except (aiohttp.ClientError, OSError):
        pass
    response.close()
