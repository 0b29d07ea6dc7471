"""Where a peer listens: ``host:port`` as operators write it, and what went wrong on the way there, in French."""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl

import msgspec


class Endpoint(msgspec.Struct, frozen=True):
    """A TCP address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


class PeerElsewhereError(OSError):
    """The receiver's address is in none of the networks that may be written to."""


def parse_endpoint(text: str, setting: str, *, any_port: bool = False) -> Endpoint:
    """Read ``host:port`` or ``[ipv6]:port``; ``any_port`` lets 0 stand for a free port of the system's choice.

    Raises ValueError, in French, naming ``setting``.
    """
    host, colon, digits = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{setting} : une adresse IPv6 s'écrit entre crochets, par exemple [::1]:2575")
    if not colon or not host or not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{setting} : attendu hôte:port, par exemple 127.0.0.1:2575")
    port = int(digits)
    if not (0 if any_port else 1) <= port <= 65535:
        raise ValueError(f"{setting} : le port doit être entre 1 et 65535")
    return Endpoint(host, port)


def is_loopback(host: str) -> bool:
    """Whether what is sent to ``host`` cannot leave this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def connection_fault(error: BaseException, peer: str) -> str:
    """Why the connection to ``peer`` could not be made, in French, for a reason or a log."""
    return f"connexion à {peer} impossible : {_cause(error)}"


def _cause(error: BaseException) -> str:
    seen = error
    while True:
        match seen:
            case ssl.SSLCertVerificationError():
                return "le certificat du serveur n'est pas reconnu ; vérifier l'autorité (ca) et le nom de l'hôte"
            case ssl.SSLError():
                return "la négociation TLS a échoué ; vérifier le mode tls, les certificats et les versions"
            case socket.gaierror():
                return "le nom de l'hôte est inconnu ; vérifier l'adresse et le DNS"
            case PeerElsewhereError():
                return "son adresse n'est dans aucun des réseaux permis ; vérifier allow et le DNS"
            case ConnectionRefusedError():
                return "refusée ; vérifier que le serveur écoute à cette adresse"
            case TimeoutError():
                return "délai dépassé ; vérifier le réseau, le VPN et les pare-feux"
            case OSError(errno=errno.ENETUNREACH | errno.EHOSTUNREACH):
                return "l'hôte est injoignable ; vérifier le réseau et le VPN"
            case _:
                if seen.__cause__ is None:
                    return "coupée par le serveur ou le réseau"
                seen = seen.__cause__
