"""Which certificate ends when, and when it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from liaison.service.certificates import CertificateWatch, certificate_files
from liaison.service.checks import Status, run_checks
from liaison.service.configuration import Configuration
from liaison.service.loader import read_configuration
from tests.servers.pki import Pki

NOW = datetime.now(UTC)


def configured(folder: Path, certificate: str, ca: str) -> Configuration:
    text = (
        '[sources.ch]\nkind = "mllp"\nlisten = "127.0.0.1:2575"\nfiness = "400011177"\n'
        f'certificate = "{certificate}"\nclient_ca = "{ca}"\n'
        '[destinations.cabinet]\nkind = "mllp"\naddress = "127.0.0.1:2576"\n'
        f'certificate = "{certificate}"\nca = "{ca}"\n'
    )
    return read_configuration(text, path=folder / "liaison.toml", folder=folder)


@pytest.mark.parametrize(
    ("days", "notice"),
    [(400, None), (60.5, None), (59.5, 60), (30.5, 60), (29.5, 30), (7.5, 30), (6.5, 7), (0.5, 7), (-0.5, 0)],
)
def test_a_certificate_is_told_sixty_thirty_and_seven_days_before_its_end(tmp_path: Path, days: float, notice: int | None) -> None:
    pki = Pki(tmp_path)
    path = pki.issue("hub.test", ends=NOW + timedelta(days=days))
    files = list(certificate_files(configured(tmp_path, path, pki.ca)))
    assert [(each.owner, each.key) for each in files] == [
        ("source ch", "certificate"),
        ("source ch", "client_ca"),
        ("destination cabinet", "certificate"),
        ("destination cabinet", "ca"),
    ]
    assert [each.notice(NOW) for each in files] == [notice, None, notice, None]


async def test_check_says_when_each_ends(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    for days, status in ((90, Status.OK), (29, Status.WARNING), (-1, Status.FAULT)):
        path = pki.issue("hub.test", ends=NOW + timedelta(days=days, hours=1))
        checks = await run_checks(configured(tmp_path, path, pki.ca), NOW)
        (check,) = [each for each in checks if each.subject == "certificat, source ch"]
        assert check.status is status
        assert status is not Status.WARNING or "29 jours" in check.text
    (check,) = [
        each for each in await run_checks(configured(tmp_path, "none.pem", pki.ca), NOW) if each.subject == "certificat, source ch"
    ]
    assert check.status is Status.FAULT and "none.pem" in check.text


def test_a_running_hub_tells_each_notice_once(tmp_path: Path) -> None:
    pki, now = Pki(tmp_path), NOW
    path = Path(pki.issue("hub.test", ends=NOW + timedelta(days=100)))
    watch = CertificateWatch(configured(tmp_path, str(path), pki.ca), lambda: now)
    told: list[tuple[int, list[tuple[str, object]]]] = []
    for day in (0, 39, 41, 42, 71, 94, 95, 101, 102):
        now = NOW + timedelta(days=day)
        with structlog.testing.capture_logs() as logs:
            watch.look()
        told.append((day, [(entry["event"], entry["days"]) for entry in logs if entry["owner"] == "source ch"]))
    assert [(day, events) for day, events in told if events] == [
        (41, [("certificate.ends", 58)]),
        (71, [("certificate.ends", 28)]),
        (94, [("certificate.ends", 5)]),
        (101, [("certificate.ended", -2)]),
    ]


def test_a_certificate_that_was_renewed_starts_again(tmp_path: Path) -> None:
    pki, now = Pki(tmp_path), NOW
    path = Path(pki.issue("hub.test", ends=NOW + timedelta(days=20)))
    watch = CertificateWatch(configured(tmp_path, str(path), pki.ca), lambda: now)
    watch.look()
    path.write_bytes(Path(pki.issue("hub.test", ends=NOW + timedelta(days=300))).read_bytes())
    with structlog.testing.capture_logs() as logs:
        watch.look()
        assert not logs
        now = NOW + timedelta(days=290)
        watch.look()
    assert [entry["event"] for entry in logs] == ["certificate.ends"] * 2  # the source's and the destination's
