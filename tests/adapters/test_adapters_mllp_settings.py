"""Settings of the MLLP server: what cannot be meant, and what an operator must keep seeing."""

from __future__ import annotations

import msgspec
import pytest

from liaison.adapters.mllp_settings import MllpListenSettings
from liaison.rules import sender as rules
from tests.servers.ports import free_port


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"listen": "2575"}, "listen"),
        ({"listen": "::1:2575"}, "listen"),
        ({"listen": "0.0.0.0:2575"}, "certificate"),
        ({"listen": "0.0.0.0:2575", "tls": "none"}, "allow"),
        ({"listen": "0.0.0.0:2575", "tls": "none", "allow": ["0.0.0.0/0"]}, "allow"),
        ({"listen": "0.0.0.0:2575", "tls": "none", "allow": ["10.1.2.3/16"]}, "allow"),
        ({"listen": "127.0.0.1:2575", "tls": "none", "certificate": "/c.pem"}, "tls"),
        ({"listen": "127.0.0.1:2575", "client_ca": "/ca.pem"}, "certificate"),
        ({"listen": "127.0.0.1:2575", "max_message": 0}, "max_message"),
        ({"listen": "127.0.0.1:2575", "max_age": 0}, "max_age"),
        ({"listen": "127.0.0.1:2575", "drain": -1}, "drain"),
        ({"listen": "127.0.0.1:2575", "peers": [{"san": "a", "issuer": "b"}]}, "client_ca"),
        ({"listen": "127.0.0.1:2575", "peers": [{"san": "a"}]}, "issuer"),
        ({"listen": "127.0.0.1:2575", "certificate": "/c", "client_ca": "/a", "peers": [{"san": "", "issuer": "b"}]}, "san"),
        ({"listen": "127.0.0.1:2575", "port": 1}, "port"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_by_name(settings: dict[str, object], fault: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=fault):
        msgspec.convert(settings, MllpListenSettings)


def test_plain_text_off_the_machine_keeps_a_warning() -> None:
    plain = MllpListenSettings(listen="0.0.0.0:2575", tls="none", allow=("10.1.0.0/16",))
    assert "en clair" in plain.warnings()[0]
    assert MllpListenSettings(listen=f"127.0.0.1:{free_port()}").warnings() == ()


def test_tls_that_hears_everybody_keeps_a_warning() -> None:
    tls = MllpListenSettings(listen="0.0.0.0:2575", certificate="/c.pem", client_ca="/ca.pem")
    assert "client_ca" in tls.warnings()[0] and not tls.knows_its_peers
    assert "quiconque" in msgspec.structs.replace(tls, client_ca="").warnings()[0]
    named = msgspec.structs.replace(tls, peers=(rules.Peer(san="sih.ch-dax.fr", issuer="AC"),))
    assert named.warnings() == () and named.knows_its_peers
