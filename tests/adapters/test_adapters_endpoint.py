"""``host:port`` as operators write it, and faults in words they can act on."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.adapters.endpoint import Endpoint, connection_fault, is_loopback, parse_endpoint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:2575", Endpoint("127.0.0.1", 2575)),
        ("smtp.example.fr:587", Endpoint("smtp.example.fr", 587)),
        ("[::1]:2575", Endpoint("::1", 2575)),
    ],
)
def test_an_address_reads_and_writes_back(text: str, expected: Endpoint) -> None:
    assert parse_endpoint(text, "listen") == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text", ["", ":", "2575", "host:", ":2575", "host:http", "host:0", "host:65536", "::1:2575", "h:²", "[]:1"]
)
def test_what_is_no_address_is_refused_by_the_name_of_its_setting(text: str) -> None:
    with pytest.raises(ValueError, match="listen"):
        parse_endpoint(text, "listen")


@given(st.text(max_size=30))
def test_no_text_whatever_breaks_the_reading(text: str) -> None:
    try:
        endpoint = parse_endpoint(text, "listen", any_port=True)
    except ValueError as error:
        assert str(error).startswith("listen : ")
    else:
        assert 0 <= endpoint.port <= 65535


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.fr", False),
        ("127.0.0.1.example.fr", False),
    ],
)
def test_what_cannot_leave_the_machine(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(), "écoute"),
        (TimeoutError(), "délai"),
        (socket.gaierror(), "DNS"),
        (ssl.SSLCertVerificationError(), "certificat"),
        (ssl.SSLError(), "TLS"),
        (OSError(errno.EHOSTUNREACH, "x"), "VPN"),
        (ConnectionResetError(), "coupée"),
        (RuntimeError(), "coupée"),
    ],
)
def test_a_fault_says_where_and_what_to_look_at(error: BaseException, words: str) -> None:
    text = connection_fault(error, "127.0.0.1:2575")
    assert "127.0.0.1:2575" in text
    assert words in text


def test_the_cause_behind_a_library_s_error_is_what_is_told() -> None:
    wrapped = ValueError("library")
    wrapped.__cause__ = ConnectionRefusedError()
    assert "refusée" in connection_fault(wrapped, "a:1")
