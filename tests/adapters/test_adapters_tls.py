"""TLS contexts from files: what they demand, and which file is at fault."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from liaison.adapters.tls import client_context, server_context
from tests.servers.authority import Authority


def test_a_server_asks_for_a_certificate_only_when_it_has_authorities_to_check_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate = authority.issue("hub.test")
    plain = server_context(certificate=certificate)
    mutual = server_context(certificate=certificate, client_ca=authority.path)
    assert plain.verify_mode is ssl.CERT_NONE
    assert mutual.verify_mode is ssl.CERT_REQUIRED
    assert plain.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_client_always_checks_the_server(tmp_path: Path) -> None:
    for context in (client_context(), client_context(ca=Authority(tmp_path).path)):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_the_file_at_fault_is_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, other = authority.issue("hub.test"), authority.issue("other.test")
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    with pytest.raises(ValueError, match=r"nowhere\.pem.*n'existe pas"):
        server_context(certificate=str(tmp_path / "nowhere.pem"))
    with pytest.raises(ValueError, match="PEM"):
        server_context(certificate=str(nonsense))
    with pytest.raises(ValueError, match=r"other\.test"):
        server_context(certificate=certificate, key=other)
    with pytest.raises(ValueError, match=r"autorités .*nonsense\.pem"):
        client_context(ca=str(nonsense))
