"""Certificates: whom a peer's names, and when each ends. Reading only; chains are verified by TLS itself."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.x509.oid import NameOID

from liaison.rules.sender import Certificate


class Validity(msgspec.Struct, frozen=True, kw_only=True):
    """From when to when a certificate holds (UTC)."""

    begins: datetime
    ends: datetime


class PeerCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """What a connected peer showed."""

    certificate: Certificate
    ends: datetime


def peer_certificate(der: bytes) -> PeerCertificate:
    """The names and the end of a peer's certificate. Raises ValueError when it is none."""
    shown = x509.load_der_x509_certificate(der)
    common = [str(name.value) for name in shown.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return PeerCertificate(
        certificate=Certificate(names=_names(shown), issuers=(shown.issuer.rfc4514_string(), *common)),
        ends=shown.not_valid_after_utc,
    )


def _names(shown: x509.Certificate) -> tuple[str, ...]:
    try:
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    kinds = (x509.DNSName, x509.UniformResourceIdentifier, x509.RFC822Name, x509.IPAddress)
    return tuple(str(value) for kind in kinds for value in names.get_values_for_type(kind))


def validity_of(path: Path) -> Validity:
    """From when to when all the certificates of a PEM file hold together. Raises OSError, and ValueError when it holds none."""
    found = x509.load_pem_x509_certificates(path.read_bytes())
    return Validity(begins=max(each.not_valid_before_utc for each in found), ends=min(each.not_valid_after_utc for each in found))
