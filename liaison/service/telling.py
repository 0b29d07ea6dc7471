"""Telling people of an alert: an ordinary mail, or a post to a URL. Names of the configuration, counts and durations; no health data."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

import msgspec
import structlog

from liaison.adapters.smtp import SmtpSubmission
from liaison.adapters.webhook import Webhook
from liaison.hub.contracts import Delivered, Destination, Parcel, Refused
from liaison.hub.journal.records import AlertRecord, from_microseconds
from liaison.hub.watch.alerts import Telling, telling_id
from liaison.hub.watch.troubles import WORDS, Kind
from liaison.service.configuration import AlertsSettings
from liaison.service.secrets import secret_text

log = structlog.get_logger()


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is posted: the same that a mail says."""

    id: str
    hub: str
    telling: str
    kind: str
    about: str
    #: UTC, ISO 8601.
    since: str
    ended_at: str | None
    title: str
    text: str
    remedy: str


class Teller:
    """Tells everybody whom ``[alerts] to`` names."""

    def __init__(self, settings: AlertsSettings, hub: str, folder: Path) -> None:
        """Raises :class:`liaison.service.secrets.SecretError`, and ValueError when a TLS file cannot be used."""
        self._hub = hub
        resolved = {key: secret_text(value, folder) for key in ("password", "token") if (value := getattr(settings, key))}
        settings = msgspec.structs.replace(settings, **resolved)
        self._sender = settings.sender
        self._ways: list[tuple[str, Destination]] = []
        for target in settings.targets:
            if target.startswith("mail:"):
                self._ways.append((target.removeprefix("mail:"), SmtpSubmission("alerts", settings.mail_settings())))
            else:
                self._ways.append(("", Webhook("alerts", settings.webhook_settings(target))))
        #: Who took which telling: one of several that cannot be reached must not make the others hear it twice.
        self._taken: set[tuple[str, int]] = set()

    @property
    def anybody(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._ways)

    async def tell(self, alert: AlertRecord, telling: Telling, text: str, now: datetime) -> bool:
        """Tell everybody who was not told yet; whether all are now. Never raises for what a server does."""
        told = _told(alert, telling, text, self._hub)
        for number, (recipient, way) in enumerate(self._ways):
            if (told.id, number) in self._taken:
                continue
            attempt = await way.deliver(_mail(told, alert, recipient, self._sender, now) if recipient else _post(told))
            match attempt:
                case Delivered():
                    self._taken.add((told.id, number))
                case Refused(code=code):
                    log.error("alert.not_told", kind=alert.kind, about=alert.about, telling=str(telling), code=code)
                    return False
                case _:
                    log.error("alert.not_told", kind=alert.kind, about=alert.about, telling=str(telling), code="unavailable")
                    return False
        self._taken -= {(told.id, number) for number in range(len(self._ways))}
        return True

    async def close(self) -> None:
        """Give back connections."""
        for _, way in self._ways:
            await way.close()


def _told(alert: AlertRecord, telling: Telling, text: str, hub: str) -> Told:
    words = WORDS[Kind(alert.kind)]
    return Told(
        id=telling_id(alert, telling),
        hub=hub,
        telling=str(telling),
        kind=alert.kind,
        about=alert.about,
        since=from_microseconds(alert.since).isoformat(timespec="seconds"),
        ended_at=None if alert.ended_at is None else from_microseconds(alert.ended_at).isoformat(timespec="seconds"),
        title=words.title,
        text=text,
        remedy=words.remedy,
    )


def _post(told: Told) -> Parcel:
    return Parcel(
        id=told.id, kind="alert", body=msgspec.json.encode(told), content_type="application/json", lane="alerts", lane_seq=0
    )


def _mail(told: Told, alert: AlertRecord, recipient: str, sender: str, now: datetime) -> Parcel:
    """RFC 5322; RFC 3834 §5: what a machine wrote says so, and nobody's absence answers it."""
    domain = sender.rpartition("@")[2]
    over = told.telling == Telling.END
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = f"[Liaison {told.hub}] {'Fin' if over else 'Début'} : {told.title} ({told.about})"
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{told.id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    if over:
        message["In-Reply-To"] = message["References"] = f"<{telling_id(alert, Telling.START)}@{domain}>"
    since = from_microseconds(alert.since)
    lines = [told.text, "", f"Depuis le {since:%d/%m/%Y à %H:%M} (UTC)."]
    if over and alert.ended_at is not None:
        lines.append(f"Terminé le {from_microseconds(alert.ended_at):%d/%m/%Y à %H:%M} (UTC).")
    else:
        lines += ["", f"À faire : {told.remedy}", "", "Un seul autre message viendra : à la fin."]
    message.set_content("\n".join(lines) + "\n", cte="quoted-printable")
    return Parcel(
        id=told.id,
        kind="alert",
        body=message.as_bytes(),
        content_type="message/rfc822",
        lane="alerts",
        lane_seq=0,
        recipient=recipient,
    )
