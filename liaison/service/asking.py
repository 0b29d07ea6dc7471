"""How a hub stands, asked from outside: of the hub itself by HTTP, or of its journal when it does not answer."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from liaison.adapters.endpoint import parse_endpoint
from liaison.hub.journal.database import READ_FAULTS
from liaison.hub.journal.records import microseconds
from liaison.hub.journal.watching import WatchReader
from liaison.hub.watch.standing import DestinationStanding, HoldStanding, Parts, SourceStanding, Standing
from liaison.hub.watch.troubles import COMMIT_LATE, Kind, duration
from liaison.service.configuration import Configuration, MonitorSettings
from liaison.service.looking import certificates, disks, journal_name, reference_files

#: Bytes of an answer that are read.
_LONGEST = 4_000_000
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class NoAnswer(Exception):
    """Nobody could say how the hub stands; says why, in French."""


def ask_hub(url: str, seconds: float, *, certificate: str = "") -> Standing:
    """What the hub at ``url`` (``http://host:port``) answers, within ``seconds`` whatever it does.

    ``certificate`` is the PEM file that its certificate must be in; without one the system's authorities decide.

    Raises:
        NoAnswer: it does not, or answers something else.
    """
    return _bounded(lambda: _get(url, seconds, certificate), seconds, "la plateforme ne répond pas")


def ask_journal(configuration: Configuration, now: datetime, seconds: float) -> Standing:
    """What the journal says of a hub that cannot be asked, within ``seconds``. Reads clear columns only.

    Raises:
        NoAnswer: it cannot be read.
    """
    return _bounded(lambda: _read(configuration, now), seconds, "le journal ne peut être lu à temps")


def monitor_url(settings: MonitorSettings) -> str:
    """Where a hub of this machine answers; empty when it does not."""
    if not settings.listen:
        return ""
    endpoint = parse_endpoint(settings.listen, "listen", any_port=True)
    host = _ANYWHERE.get(endpoint.host, endpoint.host)
    return f"{'https' if settings.certificate else 'http'}://{f'[{host}]' if ':' in host else host}:{endpoint.port}"


def _bounded(ask: Callable[[], Standing], seconds: float, late: str) -> Standing:
    """In a thread that is left behind when it takes too long: a disk or a server that hangs must not keep us."""
    answers: list[Any] = []

    def run() -> None:
        try:
            answers.append(ask())
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever asked must be told
            answers.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    answer = answers[0] if answers else NoAnswer(f"{late} ({seconds:g} s)")
    if isinstance(answer, Standing):
        return answer
    if isinstance(answer, NoAnswer):
        raise answer
    raise NoAnswer(f"{late} ({type(answer).__name__})")


def _get(url: str, seconds: float, certificate: str) -> Standing:
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=_context(certificate))
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=seconds)
    try:
        connection.request("GET", "/standing")
        response = connection.getresponse()
        if response.status != 200:
            raise NoAnswer(f"{url} a répondu HTTP {response.status}")
        return msgspec.json.decode(response.read(_LONGEST), type=Standing)
    except msgspec.DecodeError:
        raise NoAnswer(f"{url} répond, mais n'est pas une plateforme Liaison de cette version") from None
    except ssl.SSLError as error:
        raise NoAnswer(f"{url} : la négociation TLS a échoué") from error
    except (OSError, http.client.HTTPException) as error:
        why = "connexion refusée" if isinstance(error, ConnectionRefusedError) else type(error).__name__
        raise NoAnswer(f"la plateforme ne répond pas sur {url} ({why})") from error
    finally:
        connection.close()


def _context(certificate: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificate or None)
    if certificate:
        # The very certificate of the configuration: whatever name it was issued for, it is the hub's.
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _read(configuration: Configuration, now: datetime) -> Standing:
    if not configuration.journal_path.exists():
        raise NoAnswer("il n'y a pas encore de journal : la plateforme n'a jamais démarré")
    at = now.timestamp()
    try:
        reader = WatchReader(configuration.journal_path)
        try:
            pulse, alerts = reader.pulse(), reader.alerts(int(at * 1e6))
            backlogs = {name: reader.backlog(name) for name in configuration.destinations}
            waiting = reader.waiting(configuration.holds, microseconds(now))
        finally:
            reader.close()
    except READ_FAULTS as error:
        raise NoAnswer(f"le journal ne peut être lu ({type(error).__name__})") from error
    age = at if pulse is None else max(0.0, at - pulse / 1e6)
    opened = [alert for alert in alerts if alert.ended_at is None]
    since = {alert.about: alert.since / 1e6 for alert in opened if alert.kind == Kind.SILENCE}
    stopped = f"La plateforme n'a rien validé dans son journal depuis {duration(age)} : elle est arrêtée ou bloquée."
    return Standing(
        at=at,
        journal=journal_name(configuration),
        commit_age=age,
        parts=Parts(journal=stopped if age > COMMIT_LATE else ""),
        sources={
            # Of the silences, the journal knows what was told.
            name: SourceStanding(silence=at - since[name], told=since[name] + 1) if name in since else SourceStanding()
            for name in configuration.sources
        },
        destinations={
            name: DestinationStanding(
                backlog=each.deliveries, oldest=0.0 if each.oldest is None else max(0.0, at - each.oldest / 1000)
            )
            for name, each in backlogs.items()
        },
        holds={each.owner: HoldStanding(open=each.holds, overdue=each.overdue) for each in waiting},
        quarantined=sum(each.messages for each in waiting),
        certificates=certificates(configuration, now),
        disks=disks(configuration),
        files=reference_files(configuration, now),
        alerts={str(kind): sum(alert.kind == kind for alert in opened) for kind in Kind},
    )
