"""A Postfix of its own: in a temporary folder, on a free port of loopback, relaying all it accepts to another port."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

from tests.servers.ports import free_port

PROGRAM = Path("/usr/sbin/postfix")

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
error     unix  - - n - - error
retry     unix  - - n - - error
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
myhostname = mta.mssante.test
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
alias_maps =
relay_domains = {domain}
relay_recipient_maps = texthash:{folder}/recipients
relay_transport = smtp:[127.0.0.1]:{next_hop}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = reject_unlisted_recipient, permit_mynetworks, reject
smtp_host_lookup = native
smtp_dns_support_level = disabled
message_size_limit = {size_limit}
smtpd_tls_security_level = {tls}
smtpd_tls_cert_file = {certificate}
"""


def require_postfix() -> None:
    """Skip the test, saying why, where Postfix cannot run; in continuous integration that is a failure."""
    reason = ""
    if not PROGRAM.exists():
        reason = "Postfix is not installed (tests/servers/install does it)"
    elif os.geteuid() != 0:
        reason = "Postfix starts as root only"
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@contextlib.contextmanager
def postfix(
    *, domain: str, recipients: Iterable[str], next_hop: int, certificate: str = "", size_limit: int = 10_000_000
) -> Generator[int]:
    """A running Postfix that accepts mail for ``recipients`` and relays it to ``next_hop``; gives its port."""
    folder = Path(tempfile.mkdtemp(prefix="liaison-postfix-"))
    folder.chmod(0o755)  # its daemons are not root
    port = free_port()
    configuration = folder / "etc"
    configuration.mkdir()
    (folder / "data").mkdir()
    shutil.chown(folder / "data", "postfix")
    (folder / "queue").mkdir()
    (folder / "recipients").write_text("".join(f"{address} ok\n" for address in recipients), "ascii")
    (configuration / "master.cf").write_text(MASTER.format(port=port), "ascii")
    settings = MAIN.format(
        folder=folder,
        domain=domain,
        next_hop=next_hop,
        size_limit=size_limit,
        tls="may" if certificate else "none",
        certificate=certificate,
    )
    (configuration / "main.cf").write_text(settings, "ascii")
    command = [str(PROGRAM), "-c", str(configuration)]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen([*command, "start-fg"], stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_for(port, process, folder)
        yield port
    finally:
        subprocess.run([*command, "stop"], check=False, capture_output=True, timeout=30)
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder)


def _wait_for(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Until it listens; fails with what it wrote when it ends instead."""
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            break
    written = [path.read_text("utf-8", "replace") for path in (folder / "output", folder / "maillog") if path.exists()]
    pytest.fail("Postfix does not start: " + "\n".join(written))
