"""The explicit table of kinds: what ``kind = "…"`` may be, the settings it takes, and how it is built. Nothing is discovered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from liaison.adapters.budget import ByteBudget
from liaison.adapters.fhir import FhirServer, FhirSettings
from liaison.adapters.folder import FolderSource, FolderSourceSettings
from liaison.adapters.folder_write import FolderDestination, FolderDestinationSettings
from liaison.adapters.memory import MemoryDestination, MemorySource
from liaison.adapters.mllp_listen import MllpListener
from liaison.adapters.mllp_send import MllpSender, MllpSendSettings
from liaison.adapters.mllp_settings import MllpListenSettings
from liaison.adapters.smtp import SmtpSettings, SmtpSubmission
from liaison.adapters.webhook import Webhook, WebhookSettings
from liaison.hub.contracts import Destination, Source
from liaison.mappings.event_to_nde import TOLD
from liaison.rules.routing import Route, takes_event
from liaison.service.configuration import DestinationConfiguration, SourceConfiguration
from liaison.service.secrets import secret_text

#: Settings that hold a secret: their value is a reference, resolved when the destination is built.
SECRET_KEYS = frozenset({"password", "token", "signing_secret"})
#: Settings that name a file or folder: relative ones are looked for beside the configuration.
PATH_KEYS = frozenset({"path", "ca", "certificate", "key", "client_ca"})


class MemorySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a ``kind = "memory"`` source or destination: none."""


class SourceKind(msgspec.Struct, frozen=True, kw_only=True):
    """A way in: its settings and its maker, given the source's name, its settings and the hub's byte budget."""

    settings: type[msgspec.Struct]
    build: Callable[[str, Any, ByteBudget], Source]


class DestinationKind(msgspec.Struct, frozen=True, kw_only=True):
    """A way out: its settings and its maker, given the destination's name and its settings, secrets resolved."""

    settings: type[msgspec.Struct]
    build: Callable[[str, Any], Destination]
    #: What can be routed there: ``events`` (CloudEvents), ``documents`` (letters, as mail).
    takes: frozenset[str]
    #: Event types that its format has words for; None: all.
    tells: frozenset[str] | None = None


def _memory_source(name: str, _settings: MemorySettings, _budget: ByteBudget) -> Source:
    return MemorySource(name)


def _memory_destination(_name: str, _settings: MemorySettings) -> Destination:
    return MemoryDestination()


SOURCE_KINDS: Mapping[str, SourceKind] = {
    "mllp": SourceKind(settings=MllpListenSettings, build=MllpListener),
    "folder": SourceKind(settings=FolderSourceSettings, build=FolderSource),
    "memory": SourceKind(settings=MemorySettings, build=_memory_source),
}

_EVENTS, _LETTERS = frozenset({"events"}), frozenset({"documents"})

DESTINATION_KINDS: Mapping[str, DestinationKind] = {
    "webhook": DestinationKind(settings=WebhookSettings, build=Webhook, takes=_EVENTS),
    "fhir": DestinationKind(settings=FhirSettings, build=FhirServer, takes=_EVENTS, tells=TOLD),
    "smtp": DestinationKind(settings=SmtpSettings, build=SmtpSubmission, takes=_LETTERS),
    "mllp": DestinationKind(settings=MllpSendSettings, build=MllpSender, takes=frozenset()),
    "folder": DestinationKind(settings=FolderDestinationSettings, build=FolderDestination, takes=_EVENTS | _LETTERS),
    "memory": DestinationKind(settings=MemorySettings, build=_memory_destination, takes=_EVENTS | _LETTERS),
}


def told(route: Route, kind: DestinationKind) -> Route:
    """The route with those of its events only that its destination has words for."""
    if kind.tells is None:
        return route
    return msgspec.structs.replace(route, events=tuple(sorted(event for event in kind.tells if takes_event(route, event))))


def build_source(source: SourceConfiguration, budget: ByteBudget) -> Source:
    """The source that a configuration declares."""
    return SOURCE_KINDS[source.common.kind].build(source.name, source.settings, budget)


def build_destination(destination: DestinationConfiguration, folder: Path) -> Destination:
    """The destination that a configuration declares, its secrets fetched; relative secret files are looked for in ``folder``.

    Raises :class:`liaison.service.secrets.SecretError`, and ValueError, in French, when a TLS file cannot be used.
    """
    settings = destination.settings
    references = {key: getattr(settings, key, "") for key in SECRET_KEYS}
    resolved = {key: secret_text(reference, folder) for key, reference in references.items() if reference}
    if resolved:
        settings = msgspec.structs.replace(settings, **resolved)
    return DESTINATION_KINDS[destination.common.kind].build(destination.name, settings)
