"""What ``liaison.toml`` may say: one declaration for the loader, ``liaison check`` and the reference page."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Literal

import msgspec

from liaison.adapters.endpoint import parse_endpoint
from liaison.adapters.mllp_settings import networks
from liaison.adapters.smtp import SmtpSettings
from liaison.adapters.webhook import WebhookSettings
from liaison.care.units import Unit
from liaison.hub.holding import HoldHours
from liaison.hub.retention import Retention
from liaison.hub.watch.troubles import Limits
from liaison.rules.candidates import DirectoryLookup
from liaison.rules.gates.followed import FollowList
from liaison.rules.golive import Mode
from liaison.rules.letters import LetterRules
from liaison.rules.routing import Route
from liaison.service.durations import duration
from liaison.service.secrets import secret_path

#: The list of a configuration that declares none.
DEFAULT_LIST = "suivi"


class HubSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The ``[hub]`` table."""

    #: Name of the hub, as it appears in pages and mails.
    name: str = "Liaison"
    #: ``test``: INS of the test OIDs, any domain. ``production`` demands every protection, and this version has not all of them.
    territory: Literal["test", "production"] = "test"
    #: The journal: ``sqlite:///FILE`` (four slashes for an absolute file; a relative one stands beside this file).
    journal: str = "sqlite:///liaison-data/journal.db"
    #: The key-encryption key: ``file:PATH`` or ``credential:NAME``. Made on first start only for an empty journal in a test territory.
    keys: str = "file:liaison-keys/keys"
    #: How work is announced: ``embedded``, in this process.
    bus: str = "embedded"
    #: The ledger of erased patients, on another volume than the journal, so that a restored backup does not bring them back; empty: beside the key file.
    erasures: str = ""
    #: Bytes of messages that sources may hold at once, all together; beyond, sockets are not read.
    intake_bytes: int = 67_108_864
    #: Patients for whom nothing ever leaves, in any mode: ``ins:MATRICULE``, ``ipp:AUTHORITY/NUMBER``.
    test_patients: tuple[str, ...] = ()
    #: Bytes that stay free on the journal's disk: with less, messages are refused for now (``AR``) and what is under way still leaves.
    keep_free: int = 1_073_741_824


class UnitSender(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In whose name one unit's letters leave; what is empty is the unit referential's, the source's, the destination's."""

    sender: str = ""
    label: str = ""
    reply_to: str = ""


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every ``[sources.NAME]`` table may say, whatever its kind."""

    #: What the source is: the name of a kind below.
    kind: str
    #: FINESS of the establishment that speaks (9 characters). Where one feed carries several: a table of what messages say → FINESS,
    #: ``"GAM|CHMDM"`` for MSH-3 and MSH-4 as they stand in the message, any other key for PV1-3.4 (its name or FINESS).
    finess: str | dict[str, str]
    #: The MSH-3 and MSH-4 that the source may speak under, as they stand in the message: ``"GAM|CHMDM"``, ``"*|CHMDM"`` for any MSH-3.
    #: A message under another pair is kept in quarantine. Empty: any pair, in a test territory.
    senders: tuple[str, ...] = ()
    #: Time zone of times without one (IANA name).
    time_zone: str = "Europe/Paris"
    #: What the source really writes when its MSH-18 is wrong: ``8859/15``, ``8859/1``, ``UNICODE UTF-8``, ``WINDOWS-1252``.
    charset: str = ""
    #: ``strict`` also holds the structure of messages against HL7's own tables (hl7apy) and adds what they say to the findings. That costs
    #: twenty thousandths of a second a message, so that it is done for ``validate_share`` of them. ``profile``: PAM.fr and the volets alone.
    validate: Literal["profile", "strict"] = "profile"
    #: With ``validate = "strict"``: the share of messages that are looked at so, from 0 to 1.
    validate_share: float = 0.01
    #: Identifier authorities as the source writes them (name, FINESS or OID) → canonical, ``finess:…`` or ``oid:…``. These, and the
    #: source's own FINESS, are the only ones that it speaks of as its own: of any other's patient it may only propose. Empty: all that
    #: no other source declares, in a test territory.
    authorities: dict[str, str] = {}
    #: Type (JDV_J07) of a PDF that comes without CDA and without a type, such as ``34112-3``; empty: such a PDF is quarantined.
    document_type: str = ""
    #: The hospital's own type codes → JDV_J07, for PDFs that come without CDA.
    document_types: dict[str, str] = {}
    #: Sector of the establishment (JDV_J02) in the CDA that is made around a PDF: ``SA01`` public hospital, ``SA04`` private.
    facility: str = "SA01"
    #: FINESS of those of its establishments whose patients are recognised across hospitals, by a qualified INS and equal strict traits,
    #: where the other hospital has it too.
    match_by_ins: tuple[str, ...] = ()
    #: ``load`` fills identities and stays only; ``shadow`` decides and records everything, and nothing leaves; ``live``.
    mode: Mode = "live"
    #: ``observe``: letters are decided and recorded, never mailed, because the hospital's own system mails them.
    letters: Literal["send", "observe"] = "send"
    #: Facts older than this change the state and ring no one (``"48h"``, or seconds). Without it: 24 h in production, never in test.
    late_after: str | int | None = None
    #: The hospital's referential of units (UF), a CSV: code, label, kind, phone, mailbox, sensitive.
    units: str = ""
    #: MSSanté address that this source's letters leave from; empty: the destination's.
    sender: str = ""
    #: Name shown beside it, a known unit's label after it; empty: the destination's.
    label: str = ""
    #: MSSanté address for replies to this source's letters; empty: the destination's.
    reply_to: str = ""
    #: Code of a unit → ``sender``, ``label`` and ``reply_to`` of its letters, over all others.
    unit_senders: dict[str, UnitSender] = {}


class DestinationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every ``[destinations.NAME]`` table may say, whatever its kind."""

    #: What the destination is: the name of a kind below.
    kind: str
    #: MSSanté address that letters leave from; needed where a route sends letters.
    sender: str = ""
    #: Name shown beside ``sender`` (ECO.2.2.7); empty: the hub's name.
    label: str = ""
    #: MSSanté address for replies when the message gives none; empty: ``sender``.
    reply_to: str = ""
    #: A test's allow-list: while it is set, what is neither for one of its addresses nor of one of its patients stays in.
    only_to: tuple[str, ...] = ()


class LettersSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The ``[letters]`` table: what is fixed for every letter."""

    #: Product reference for the X-MSS-NIL header (ECO.2.4.3); empty until the product is declared.
    nil: str = ""
    #: The national extraction Extraction_Correspondance_MSSante (text or ZIP); without it no treating physician can be found.
    directory: str = ""
    #: Which matrix of document flags holds: ``strict`` is the specification's to the letter, ``default`` opens the GP-only row.
    flags: Literal["default", "strict"] = "default"
    #: Domains that may be written to; without this key, every domain that ``white_list`` has.
    domains: tuple[str, ...] | None = None
    #: The national white list of MSSanté domains (listeblanchemssante.xml); without it only ``domains`` is checked.
    white_list: str = ""
    #: Addresses that the region vouches for though the directory does not list them: applications' boxes, the red list.
    partners: tuple[str, ...] = ()
    #: RPPS of a professional or FINESS of a structure → which of its several mailboxes to write to.
    preferred: dict[str, str] = {}


class FollowSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The ``[follow]`` table: followed patients."""

    #: How far back recent stays are told when somebody is enrolled: ``30d``, ``12h``, ``0d`` for not at all.
    catch_up: str = "30d"
    #: A whole list (``--replace``) that takes away more than this share of who is in it is refused, in percent.
    shrink: int = 10
    #: Authority of the IPPs that a list gives with a FINESS alone: FINESS → ``oid:…``; without one, ``finess:`` and the FINESS.
    authorities: dict[str, str] = {}


class FollowListSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One ``[follow.lists.NAME]`` table: a list of followed patients (a programme). Without any, one list, ``suivi``."""

    #: Destinations that it opens; empty for every destination of routes with ``patients = "followed"``.
    opens: tuple[str, ...] = ()
    #: As in ``[follow]``, for this list.
    catch_up: str = ""


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The ``[api]`` table: the calls by which the coordination platform enrols patients and lets them leave."""

    #: ``host:port``; empty: no such calls are taken.
    listen: str = ""
    #: What the platform shows as ``Authorization: Bearer …``, by reference.
    token: str = ""
    #: PEM file of the TLS certificate and its chain; without one only loopback is listened on.
    certificate: str = ""
    #: PEM file of its private key.
    key: str = ""


class MonitorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The ``[monitor]`` table: where ``/healthz``, ``/readyz``, ``/metrics`` and ``/standing`` are answered."""

    #: Address and port to listen on; empty: nowhere. The default address is left out when something else has it.
    listen: str = "127.0.0.1:9570"
    #: PEM file of the certificate shown; needed off loopback, unless ``allow`` is set.
    certificate: str = ""
    #: PEM file of its private key; empty when ``certificate`` holds it.
    key: str = ""
    #: Networks (CIDR) that may ask; empty: whoever reaches the port.
    allow: tuple[str, ...] = ()
    #: Seconds between two looks at how the hub stands.
    interval: float = 30.0

    def __post_init__(self) -> None:
        for network in networks(self.allow):
            if network.prefixlen == 0:
                raise ValueError("allow : un réseau qui contient toutes les adresses n'est pas une liste d'autorisation")
        within = not self.listen or parse_endpoint(self.listen, "listen", any_port=True).is_loopback
        if not within and not self.certificate and not self.allow:
            raise ValueError('listen : hors de la machine, ajouter certificate, ou allow = ["<réseau de la supervision>"]')
        if self.key and not self.certificate:
            raise ValueError("certificate : nécessaire avec key")
        if self.interval <= 0:
            raise ValueError("interval : doit être positif")


class AlertsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The ``[alerts]`` table: who is told once when something goes wrong, and once when it is over. No health data in it."""

    #: ``mail:ADDRESS`` or ``https://…``, one or a list; empty: nobody, alerts are only kept and shown.
    to: str | tuple[str, ...] = ()
    #: ``host:port`` of the server for ``mail:``, an ordinary one.
    server: str = ""
    #: Address that alerts are sent from.
    sender: str = ""
    #: ``starttls``, ``implicit``, or ``none`` on loopback only.
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    #: Login name at the mail server; empty: none.
    username: str = ""
    #: Its password, by reference.
    password: str = ""
    #: Bearer token for ``https://``, by reference; empty: none.
    token: str = ""
    #: PEM file of the authorities that issued the server's certificate; empty: the system's.
    ca: str = ""
    #: Whether a source that is silent for longer than usual is told.
    silence: bool = True
    #: Minutes that a delivery may wait.
    backlog: float = 60.0
    #: Percent of a disk that must stay free.
    disk: float = 10.0
    #: Days after which a reference file is stale: they are published each day.
    stale: float = 4.0
    #: Minutes without the trouble until it is over; more when it comes and goes.
    calm: float = 10.0

    def __post_init__(self) -> None:
        for target in self.targets:
            if target.startswith("mail:"):
                if not self.server or not self.sender:
                    raise ValueError("server, sender : nécessaires pour prévenir par mail:")
                self.mail_settings()
            elif target.startswith(("https://", "http://")):
                try:
                    self.webhook_settings(target)
                except ValueError as error:
                    raise ValueError(str(error).replace("url :", "to :")) from error
            else:
                raise ValueError("to : attendu mail:ADRESSE ou une adresse https://")
        for field in ("backlog", "stale"):
            if getattr(self, field) <= 0:
                raise ValueError(f"{field} : doit être positif")
        if not 0 < self.disk < 100:
            raise ValueError("disk : attendu un pourcentage entre 0 et 100")
        if self.calm < 0:
            raise ValueError("calm : ne peut pas être négatif")

    @property
    def targets(self) -> tuple[str, ...]:
        """Whom to tell."""
        return (self.to,) if isinstance(self.to, str) else self.to

    @property
    def limits(self) -> Limits:
        """From where on something is wrong."""
        limits = Limits(backlog=(self.backlog, 4 * self.backlog), disk=(self.disk, self.disk / 2))
        return limits if self.silence else msgspec.structs.replace(limits, silence=(math.inf, math.inf))

    def mail_settings(self) -> SmtpSettings:
        """How mails are sent."""
        return SmtpSettings(
            server=self.server,
            sender=self.sender,
            tls=self.tls,
            username=self.username,
            password=self.password,
            ca="" if self.tls == "none" else self.ca,
            timeout=60.0,
            connections=1,
        )

    def webhook_settings(self, url: str) -> WebhookSettings:
        """How a post is sent."""
        return WebhookSettings(url=url, token=self.token, ca=self.ca, timeout=30.0, connections=1)


class SourceConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """One source: its key, what all sources say, and what its kind says."""

    name: str
    common: SourceSettings
    settings: msgspec.Struct


class DestinationConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """One destination: its key, what all destinations say, and what its kind says."""

    name: str
    common: DestinationSettings
    settings: msgspec.Struct


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """A whole configuration, checked."""

    #: Where it was read; None for the one built in.
    path: Path | None
    #: Relative paths are looked for here.
    folder: Path
    hub: HubSettings
    sources: Mapping[str, SourceConfiguration]
    destinations: Mapping[str, DestinationConfiguration]
    routes: tuple[Route, ...]
    letters: LettersSettings
    follow: FollowSettings = FollowSettings()
    follow_lists: Mapping[str, FollowListSettings] = {}
    #: The ``[holds]`` table.
    holds: HoldHours = HoldHours()
    api: ApiSettings = ApiSettings()
    retention: Retention = Retention()
    monitor: MonitorSettings = MonitorSettings()
    alerts: AlertsSettings = AlertsSettings()
    #: What an operator must keep seeing, in French.
    warnings: tuple[str, ...] = ()

    @property
    def journal_path(self) -> Path:
        """The SQLite file."""
        return self.folder / self.hub.journal.removeprefix("sqlite:///")

    @property
    def keys_path(self) -> Path:
        """The key file. Raises :class:`liaison.service.secrets.SecretError` when systemd gives no such credential."""
        return secret_path(self.hub.keys, self.folder)

    @property
    def ledger_path(self) -> Path:
        """The ledger of erased patients. Beside the key file, unless systemd gives that: then beside the journal."""
        if self.hub.erasures:
            return self.folder / self.hub.erasures
        beside = self.journal_path if self.hub.keys.startswith("credential:") else self.keys_path
        return beside.with_name(beside.name + "-erasures")

    @property
    def directory_path(self) -> Path | None:
        """The national extraction, when one is configured."""
        return self.folder / self.letters.directory if self.letters.directory else None

    @property
    def lists(self) -> Mapping[str, FollowList]:
        """The lists of followed patients, as the gate knows them."""
        declared = self.follow_lists or {DEFAULT_LIST: FollowListSettings()}
        return {
            name: FollowList(opens=each.opens, catch_up=depth(each.catch_up or self.follow.catch_up))
            for name, each in declared.items()
        }

    @property
    def white_list_path(self) -> Path | None:
        """The white list, when one is configured."""
        return self.folder / self.letters.white_list if self.letters.white_list else None

    def units_path(self, source: str) -> Path | None:
        """A source's referential of units, when it has one."""
        units = self.sources[source].common.units
        return self.folder / units if units else None

    def letter_rules(
        self,
        directory: DirectoryLookup | None,
        known_domains: Container[str] | None = None,
        units: Mapping[str, Mapping[str, Unit]] | None = None,
    ) -> LetterRules:
        """What the configuration fixes for every letter, with the directory, domains and units that were loaded, if any."""
        return LetterRules(
            routes=self.routes,
            territory=self.hub.territory,
            policy=self.letters.flags,
            directory=directory,
            known_domains=self.known_domains if known_domains is None else known_domains,
            partners=frozenset(address.lower() for address in self.letters.partners),
            preferred=self.letters.preferred,
            units=units or {},
        )

    @property
    def known_domains(self) -> frozenset[str] | None:
        """Domains that the configuration itself lists, in lower case; None when it lists none."""
        return None if self.letters.domains is None else frozenset(domain.lower() for domain in self.letters.domains)


def depth(written: str) -> timedelta:
    """How far back to catch up: a duration, or ``0d`` for not at all. Raises ValueError when it is neither."""
    return timedelta() if written.strip() in ("0", "0d") else duration(written)


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with a configuration, in French, without the values of the file."""

    #: From 1.
    line: int
    #: ``sources.ch-dax``, ``routes[0]``; empty at the root.
    table: str
    key: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        place = " ".join(part for part in (f"[{self.table}]" if self.table else "", self.key) if part)
        return f"ligne {self.line}{', ' + place if place else ''} : {self.message}{' ' + self.remedy if self.remedy else ''}"


def table_name(path: tuple[str, ...]) -> str:
    """A table as people write it: ``sources.ch-dax``, ``routes[0]`` for the first of an array."""
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", ".".join(path)) if path[:1] == ("routes",) else ".".join(path)


class ReferenceFileError(Exception):
    """A file of reference that the configuration names (directory, white list, units) cannot be used; says why, in French."""


class ConfigurationError(Exception):
    """A configuration that cannot be used: every fault found, with its line."""

    def __init__(self, file: str, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(f"{file}, {fault}" for fault in faults))
        self.file = file
        self.faults = faults
