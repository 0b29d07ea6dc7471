"""A certificate authority of a test's own, in PEM files as an operator has them."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Authority:
    """Issues certificates that only those who trust it accept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca = trustme.CA()
        #: PEM file of its own certificate.
        self.path = str(folder / f"ca-{id(self)}.pem")
        self._ca.cert_pem.write_to_path(self.path)

    def issue(self, host: str) -> str:
        """PEM file of a certificate for ``host`` and its key."""
        path = self._folder / f"{host}-{id(self)}.pem"
        self._ca.issue_cert(host).private_key_and_cert_chain_pem.write_to_path(str(path))
        return str(path)

    def server(self, host: str = "127.0.0.1", *, mutual: bool = False) -> ssl.SSLContext:
        """Context of a server called ``host``; ``mutual`` asks clients for a certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.issue(host))
        if mutual:
            context.load_verify_locations(self.path)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self, certificate: str = "") -> ssl.SSLContext:
        """Context of a client that trusts this authority and shows ``certificate``, if any."""
        context = ssl.create_default_context(cafile=self.path)
        if certificate:
            context.load_cert_chain(certificate)
        return context
