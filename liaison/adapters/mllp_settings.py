"""Settings of an MLLP source: where it listens, whom it hears, and how much it puts up with."""

from __future__ import annotations

import ipaddress
from typing import Literal, TypeAlias

import msgspec

from liaison.adapters.endpoint import parse_endpoint
from liaison.rules.sender import Peer

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class MllpListenSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a ``kind = "mllp"`` source."""

    #: Address and port to listen on; port 0 takes a free one.
    listen: str
    #: ``auto``: TLS as soon as ``certificate`` is set, plain text on loopback only. ``none``: plain text, over a VPN;
    #: then ``allow`` is needed, and the hub keeps a standing warning.
    tls: Literal["auto", "none"] = "auto"
    #: PEM file of the certificate shown to peers.
    certificate: str = ""
    #: PEM file of its private key; empty when ``certificate`` holds it.
    key: str = ""
    #: PEM file of the authorities that issue the peers' certificates; when set, a peer must show one.
    client_ca: str = ""
    #: Peers that are heard, by their certificate: ``[{ san = "sih.ch-dax.fr", issuer = "AC Exemple" }]``, a name of its
    #: subjectAltName and who issued it. Empty: every certificate that ``client_ca`` vouches for.
    peers: tuple[Peer, ...] = ()
    #: Networks (CIDR) whose peers are heard; empty: any peer that reaches the port.
    allow: tuple[str, ...] = ()
    #: Largest message, in bytes.
    max_message: int = 50_000_000
    #: Bytes outside frames that one connection may send before it is closed.
    max_noise: int = 65_536
    #: Seconds for a message to arrive whole once it began (large ones get more, at 64 kB a second).
    frame_timeout: float = 60.0
    #: Connections open at once. For one more, the one that has been idle longest is closed, those that never sent a message first.
    max_connections: int = 500
    #: Seconds without a message after which a connection is closed.
    max_idle: float = 3_600.0
    #: Seconds after which a connection is closed, between two messages: whoever may still connect opens another.
    max_age: float = 86_400.0
    #: Seconds that messages already taken have to be answered when the hub stops.
    drain: float = 10.0

    def __post_init__(self) -> None:
        endpoint = parse_endpoint(self.listen, "listen", any_port=True)
        for network in networks(self.allow):
            if network.prefixlen == 0:
                raise ValueError("allow : un réseau qui contient toutes les adresses n'est pas une liste d'autorisation")
        if self.tls == "none" and self.certificate:
            raise ValueError('tls : "none" et certificate se contredisent ; retirer l\'un des deux')
        if (self.key or self.client_ca) and not self.certificate:
            raise ValueError("certificate : nécessaire avec key ou client_ca")
        if self.peers and not self.client_ca:
            raise ValueError("client_ca : nécessaire avec peers, dont il vérifie les certificats")
        if any(not peer.san.strip() or not peer.issuer.strip() for peer in self.peers):
            raise ValueError("peers : san et issuer ne peuvent être vides")
        if not self.certificate and not endpoint.is_loopback:
            if self.tls != "none":
                raise ValueError(
                    "certificate : nécessaire hors de la machine ; "
                    'pour du MLLP en clair dans un VPN, écrire tls = "none" et allow = ["<réseau du pair>"]'
                )
            if not self.allow:
                raise ValueError('allow : nécessaire avec tls = "none" hors de la machine, par exemple ["10.1.0.0/16"]')
        for field in ("max_message", "max_noise", "frame_timeout", "max_connections", "max_idle", "max_age"):
            if getattr(self, field) <= 0:
                raise ValueError(f"{field} : doit être positif")
        if self.drain < 0:
            raise ValueError("drain : ne peut pas être négatif")

    @property
    def knows_its_peers(self) -> bool:
        """Whether not everybody who reaches the port is heard: by certificate, by network, or because only this machine reaches it."""
        return bool(self.peers or self.allow) or parse_endpoint(self.listen, "listen", any_port=True).is_loopback

    def warnings(self) -> tuple[str, ...]:
        """What an operator must keep seeing, in French."""
        if parse_endpoint(self.listen, "listen", any_port=True).is_loopback:
            return ()
        if not self.certificate:
            return (f"les messages reçus sur {self.listen} circulent en clair : seul le VPN les protège",)
        if not self.knows_its_peers:
            who = "tout porteur d'un certificat émis par client_ca" if self.client_ca else "quiconque atteint ce port"
            return (f"{who} est entendu sur {self.listen} : déclarer peers ou allow",)
        return ()


def networks(allow: tuple[str, ...]) -> tuple[Network, ...]:
    """Read CIDRs. Raises ValueError, in French."""
    try:
        return tuple(ipaddress.ip_network(entry) for entry in allow)
    except ValueError as error:
        raise ValueError("allow : attendu des réseaux comme 10.1.0.0/16 (bits d'hôte à zéro)") from error
