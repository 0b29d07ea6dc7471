"""A public key infrastructure of a test's own: an authority, a hub's certificate, hospitals' with the names and dates that a test wants."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: How long certificates hold that say nothing else.
YEAR = timedelta(days=365)


class Pki:
    """One authority called ``name``; its files are PEM, in ``folder``."""

    def __init__(self, folder: Path, name: str = "AC Essai Liaison") -> None:
        self._folder = folder
        self.name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _named(name)
        self._certificate = self._signed(
            self._subject, self._key.public_key(), _now() - timedelta(days=1), _now() + 10 * YEAR, authority=True
        )
        #: Its own certificate, for ``ca`` and ``client_ca``.
        self.ca = self._write(f"ca-{_slug(name)}.pem", self._certificate)

    def issue(self, san: str, *, ends: datetime | None = None, subject: str = "") -> str:
        """A certificate whose subjectAltName is ``san`` (DNS name or IP address), and its key, in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        end = ends or _now() + YEAR
        begins = min(_now(), end) - timedelta(days=1)
        certificate = self._signed(_named(subject or san), key.public_key(), begins, end, san=san)
        return self._write(f"{_slug(san)}-{_slug(self.name)}-{certificate.serial_number % 10**8}.pem", certificate, key)

    def server(self, san: str = "127.0.0.1") -> str:
        """The file of a hub's certificate."""
        return self.issue(san)

    def client(self, certificate: str = "") -> ssl.SSLContext:
        """Context of a peer that trusts this authority and shows ``certificate``, if any."""
        context = ssl.create_default_context(cafile=self.ca)
        if certificate:
            context.load_cert_chain(certificate)
        return context

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        begins: datetime,
        ends: datetime,
        *,
        san: str = "",
        authority: bool = False,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if authority:
            usage = x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            )
            builder = builder.add_extension(usage, critical=True)
        else:
            uses = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
            builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(san)]), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey | None = None) -> str:
        path = self._folder / name
        content = certificate.public_bytes(serialization.Encoding.PEM)
        if key is not None:
            content += key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        path.write_bytes(content)
        return str(path)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Essai"), x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(san: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(san))
    except ValueError:
        return x509.DNSName(san)


def _slug(name: str) -> str:
    return "".join(character if character.isalnum() else "-" for character in name.lower())


def _now() -> datetime:
    return datetime.now(UTC)
