"""Which certificate of the configuration ends when: for ``liaison check``, the log and whoever watches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import structlog

from liaison.adapters.certificates import validity_of
from liaison.service.configuration import Configuration

log = structlog.get_logger()

#: Days before its end at which a certificate is told: to be ordered, to be installed, today.
NOTICES = (60, 30, 7)
#: Settings that name PEM files with certificates, and what each holds.
_KEYS = {"certificate": "certificat", "client_ca": "autorités des pairs", "ca": "autorités du serveur"}
#: Seconds between two looks of a running hub.
_PERIOD = 3_600.0


class CertificateFile(msgspec.Struct, frozen=True, kw_only=True):
    """One PEM file that the configuration names."""

    #: ``source ch-dax``, ``destination promess``.
    owner: str
    #: ``certificate``, ``client_ca`` or ``ca``.
    key: str
    path: Path
    #: From when to when all that it holds is valid together; None when it cannot be read, and then why, in French.
    begins: datetime | None = None
    ends: datetime | None = None
    fault: str = ""

    @property
    def subject(self) -> str:
        """As people are told of it."""
        return f"{_KEYS[self.key]}, {self.owner}"

    def days_left(self, now: datetime) -> int | None:
        """Whole days until it ends, negative once it has; None when it cannot be read."""
        return None if self.ends is None else (self.ends - now).days

    def notice(self, now: datetime) -> int | None:
        """The closest of the notices that it is within: 60, 30 or 7, 0 once it has ended; None when there is nothing to tell."""
        if self.ends is None:
            return None
        if now >= self.ends:
            return 0
        left = (self.ends - now).total_seconds() / 86_400
        return min((days for days in NOTICES if left <= days), default=None)


def certificate_files(configuration: Configuration) -> Iterator[CertificateFile]:
    """Every certificate file of the configuration, read now."""
    settings = [(f"source {name}", part.settings) for name, part in configuration.sources.items()]
    settings += [(f"destination {name}", part.settings) for name, part in configuration.destinations.items()]
    settings += [("monitor", configuration.monitor), ("alerts", configuration.alerts)]
    for owner, each in settings:
        for key in _KEYS:
            path: str = getattr(each, key, "")
            if path:
                yield _read(owner, key, Path(path))


def _read(owner: str, key: str, path: Path) -> CertificateFile:
    try:
        validity = validity_of(path)
    except OSError as error:
        fault = f"{path} ne peut être lu ({error.strerror}) : vérifier le chemin."
    except ValueError:
        fault = f"{path} n'est pas un certificat PEM."
    else:
        return CertificateFile(owner=owner, key=key, path=path, begins=validity.begins, ends=validity.ends)
    return CertificateFile(owner=owner, key=key, path=path, fault=fault)


class CertificateWatch:
    """Tells, in the log of a running hub, each certificate that comes within a notice: once for each of them."""

    def __init__(self, configuration: Configuration, clock: Callable[[], datetime]) -> None:
        self._configuration = configuration
        self._clock = clock
        self._told: dict[tuple[str, str], int] = {}

    async def run(self) -> None:
        """Look now, and every hour, until cancelled."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(_PERIOD)

    def look(self) -> None:
        """Look once."""
        now = self._clock()
        for each in certificate_files(self._configuration):
            name, notice = (each.owner, each.key), each.notice(now)
            if notice is None:
                self._told.pop(name, None)
            elif self._told.get(name) != notice:
                self._told[name] = notice
                event = "certificate.ended" if notice == 0 else "certificate.ends"
                log.warning(event, owner=each.owner, key=each.key, path=str(each.path), days=each.days_left(now))
