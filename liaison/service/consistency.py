"""What no single key can tell: whether the tables of a configuration fit together, and ask for nothing that is not there yet."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterator

from liaison.adapters.endpoint import parse_endpoint
from liaison.adapters.mllp_settings import MllpListenSettings
from liaison.care.identifiers import INS_OIDS, finess, rpps
from liaison.cda.value_sets import FACILITIES, document_type
from liaison.hl7.charset import codec_of
from liaison.hub.retention import Retention
from liaison.mssante.address import InvalidAddress, parse_address
from liaison.rules.candidates import RecipientKind
from liaison.rules.routing import Route, followed_destinations
from liaison.service import going_live
from liaison.service.configuration import (
    Configuration,
    DestinationSettings,
    Fault,
    SourceConfiguration,
    SourceSettings,
    UnitSender,
    depth,
    table_name,
)
from liaison.service.kinds import DESTINATION_KINDS, told
from liaison.service.production import refusal
from liaison.service.toml_lines import KeyPath

#: The things that events are about (DESIGN's list of the normalised event).
EVENT_FAMILIES = ("stay", "identity", "document", "letter", "mail", "patient", "appointment", "note", "task")

_Complaint = tuple[KeyPath, str, str]


def check_consistency(configuration: Configuration, line: Callable[[KeyPath], int]) -> list[Fault]:
    """Every fault between the tables; ``line`` tells where a key stands."""
    complaints = [*_hub(configuration), *_letters(configuration), *_retention(configuration.retention)]
    for name, source in configuration.sources.items():
        complaints += _source(("sources", name), source.common)
        if configuration.hub.territory == "production":
            complaints += _exposed(("sources", name), source)
        complaints += _sender(("sources", name), source.common)
        for unit in source.common.unit_senders.values():
            complaints += _sender(("sources", name), unit, "unit_senders")
    for name, destination in configuration.destinations.items():
        complaints += _sender(("destinations", name), destination.common)
    complaints += _follow(configuration)
    complaints += _api(configuration)
    for number, route in enumerate(configuration.routes):
        complaints += _route(("routes", str(number)), route, configuration)
    complaints += going_live.complaints(configuration)
    return [
        Fault(line=line(path), table=table_name(path[:-1]), key=path[-1], message=message, remedy=remedy)
        for path, message, remedy in complaints
    ]


def _hub(configuration: Configuration) -> Iterator[_Complaint]:
    hub = configuration.hub
    if hub.territory == "production":
        yield ("hub", "territory"), refusal(), '\nÉcrire territory = "test" tant qu\'il en manque.'
    if not hub.journal.startswith("sqlite:///") or hub.journal == "sqlite:///":
        yield ("hub", "journal"), "cette version ne tient son journal que dans SQLite.", "Écrire sqlite:////CHEMIN/journal.db."
    if not hub.keys.startswith(("file:", "credential:")):
        yield ("hub", "keys"), "la clé de chiffrement est désignée par une référence.", "Écrire file:CHEMIN ou credential:NOM."
    if hub.bus != "embedded":
        yield ("hub", "bus"), "cette version n'a que le bus interne.", 'Écrire bus = "embedded".'
    if hub.keep_free < 0:
        yield ("hub", "keep_free"), "un nombre d'octets n'est pas négatif.", "Écrire par exemple 1073741824 (1 Gio)."
    if hub.intake_bytes < 1_000_000:
        yield ("hub", "intake_bytes"), "moins d'un Mo ne suffit pas à une lettre.", "Écrire au moins 1000000."


def _retention(retention: Retention) -> Iterator[_Complaint]:
    if retention.message_days < 4:
        yield ("retention", "message_days"), "un envoi est tenté pendant trois jours.", "Écrire au moins 4."
    for earlier, later in (("message_days", "event_days"), ("event_days", "trace_days"), ("event_days", "patient_days")):
        if getattr(retention, earlier) > getattr(retention, later):
            yield ("retention", later), f"ce serait oublier avant {earlier}.", f"Écrire au moins {getattr(retention, earlier)}."


def _source(path: KeyPath, source: SourceSettings) -> Iterator[_Complaint]:
    yield from _speakers(path, source)
    try:
        zoneinfo.ZoneInfo(source.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        yield (*path, "time_zone"), "ce fuseau n'existe pas.", "Écrire par exemple Europe/Paris."
    if source.charset and not codec_of(source.charset):
        yield (*path, "charset"), "ce jeu de caractères n'existe pas.", 'Écrire par exemple "8859/15" ou "UNICODE UTF-8".'
    if not 0 < source.validate_share <= 1:
        yield (*path, "validate_share"), "ce n'est pas une part.", "Écrire un nombre entre 0 et 1, 0.01 pour un message sur cent."
    if source.document_type and document_type(source.document_type) is None:
        yield (*path, "document_type"), "ce type de document n'est pas dans JDV_J07.", "Écrire par exemple 11490-0 ou 34112-3."
    if not all(document_type(code) is not None for code in source.document_types.values()):
        yield (*path, "document_types"), "un type de document n'est pas dans JDV_J07.", 'Écrire par exemple CRH = "34112-3".'
    if source.facility not in FACILITIES:
        yield (*path, "facility"), "ce secteur d'activité n'est pas connu.", f"Écrire l'un de : {', '.join(FACILITIES)}."
    if not all(authority.startswith(("finess:", "oid:")) for authority in source.authorities.values()):
        yield (*path, "authorities"), "une autorité n'a pas sa forme canonique.", "Écrire finess:NUMÉRO ou oid:OID."
    if any(name.removeprefix("oid:") in INS_OIDS for name in (*source.authorities, *source.authorities.values())):
        yield (*path, "authorities"), "l'INS est nationale : aucune source ne peut la déclarer.", "Retirer cette autorité."


def _speakers(path: KeyPath, source: SourceSettings) -> Iterator[_Complaint]:
    """Under which names and for which establishments a source speaks."""
    table = isinstance(source.finess, dict)
    codes = (source.finess,) if isinstance(source.finess, str) else tuple(source.finess.values())
    if not codes or any(finess(code) != code for code in codes):
        remedy = 'Écrire { "MSH-3|MSH-4" = "FINESS" } avec les neuf caractères de chacun.' if table else _FINESS
        yield (*path, "finess"), "ce n'est pas un numéro FINESS.", remedy
    named = (name for name in source.finess if "|" in name) if isinstance(source.finess, dict) else ()
    for key, pairs in (("senders", source.senders), ("finess", tuple(named))):
        if not all(pair.count("|") == 1 and pair.partition("|")[2].strip() == pair.partition("|")[2] != "" for pair in pairs):
            yield (*path, key), "un couple n'est pas de la forme MSH-3|MSH-4.", 'Écrire par exemple "GAM|CHMDM", ou "*|CHMDM".'
    if source.senders and isinstance(source.finess, dict):
        unheard = [pair for pair in source.finess if "|" in pair and pair not in source.senders]
        if any(f"*|{pair.partition('|')[2]}" not in source.senders for pair in unheard):
            yield (*path, "finess"), "un couple de cette table n'est pas dans senders : il n'est jamais entendu.", "L'y ajouter."
    if not set(source.match_by_ins) <= set(codes):
        yield (*path, "match_by_ins"), "un établissement n'est pas de cette source.", "Écrire les FINESS de finess."


_FINESS = "Écrire les neuf caractères du FINESS de l'établissement."


def _exposed(path: KeyPath, source: SourceConfiguration) -> Iterator[_Complaint]:
    """What production demands of a source, so that it speaks for nobody else (DESIGN, who may assert what)."""
    if source.common.kind == "memory":
        return
    if not source.common.senders:
        yield (
            (*path, "senders"),
            "en production, une source dit sous quels MSH-3 et MSH-4 elle parle.",
            'Ajouter senders = ["GAM|CH"].',
        )
    if not source.common.authorities:
        yield (
            (*path, "authorities"),
            "en production, une source dit quelles autorités d'identifiants sont les siennes.",
            _AUTHORITIES,
        )
    if isinstance(source.settings, MllpListenSettings) and not source.settings.knows_its_peers:
        yield (*path, "peers"), "en production, une source dit qui peut s'y connecter.", "Ajouter client_ca et peers, ou allow."


_AUTHORITIES = 'Ajouter authorities = { "NOM EN CX-4" = "finess:…" }.'


def _letters(configuration: Configuration) -> Iterator[_Complaint]:
    letters = configuration.letters
    if (
        configuration.hub.territory == "production"
        and not letters.white_list
        and any(one.documents for one in configuration.routes)
    ):
        yield (
            ("letters", "white_list"),
            "en production, la liste blanche MSSanté est obligatoire.",
            "Télécharger listeblanchemssante.xml et écrire white_list = CHEMIN.",
        )
    if not all(_is_address(address) for address in letters.partners):
        yield ("letters", "partners"), "une adresse de la liste n'en est pas une.", "Écrire par exemple dpi@hopital.mssante.fr."
    for number, address in letters.preferred.items():
        if rpps(number) != number and finess(number) != number:
            yield ("letters", "preferred"), "une clé n'est ni un RPPS ni un FINESS.", "Écrire onze chiffres, ou neuf caractères."
        elif not _is_address(address):
            yield ("letters", "preferred"), "une adresse n'en est pas une.", "Écrire par exemple accueil@ehpad.mssante.fr."


def _is_address(text: str) -> bool:
    try:
        parse_address(text)
    except InvalidAddress:
        return False
    return True


def _sender(path: KeyPath, said: DestinationSettings | SourceSettings | UnitSender, under: str = "") -> Iterator[_Complaint]:
    for key in ("sender", "reply_to"):
        try:
            if text := getattr(said, key):
                parse_address(text)
        except InvalidAddress as fault:
            yield (*path, under or key), f"ce n'est pas une adresse. {fault.reason}", "Écrire par exemple liaison@na.mssante.fr."


def _follow(configuration: Configuration) -> Iterator[_Complaint]:
    follow = configuration.follow
    if not 0 <= follow.shrink <= 100:
        yield ("follow", "shrink"), "ce n'est pas un pourcentage.", "Écrire un nombre de 0 à 100."
    if not all(finess(code) == code and name.startswith(("finess:", "oid:")) for code, name in follow.authorities.items()):
        yield ("follow", "authorities"), "une autorité n'a pas sa forme canonique.", 'Écrire { "400011177" = "oid:1.2.250…" }.'
    if not _is_duration(follow.catch_up):
        yield ("follow", "catch_up"), "ce n'est pas une durée.", 'Écrire par exemple catch_up = "30d", ou "0d" pour rien.'
    for name, each in configuration.follow_lists.items():
        path = ("follow", "lists", name)
        if each.catch_up and not _is_duration(each.catch_up):
            yield (*path, "catch_up"), "ce n'est pas une durée.", 'Écrire par exemple catch_up = "30d", ou "0d" pour rien.'
        for destination in each.opens:
            if destination not in followed_destinations(configuration.routes):
                yield (
                    (*path, "opens"),
                    "aucune route ne sert de patients suivis à une destination de cette liste.",
                    'Retirer la destination, ou ajouter une route vers elle avec patients = "followed".',
                )


def _api(configuration: Configuration) -> Iterator[_Complaint]:
    api = configuration.api
    if not api.listen:
        return
    if not api.token:
        yield ("api", "token"), "sans secret, n'importe qui inscrirait des patients.", 'Ajouter token = "file:CHEMIN".'
    if bool(api.certificate) != bool(api.key):
        yield ("api", "certificate"), "certificate et key vont ensemble.", "Donner les deux, ou aucun."
    try:
        endpoint = parse_endpoint(api.listen, "listen", any_port=True)
    except ValueError:
        yield ("api", "listen"), "ce n'est pas une adresse d'écoute.", "Écrire par exemple 127.0.0.1:8443."
        return
    if not endpoint.is_loopback and not api.certificate:
        yield (
            ("api", "listen"),
            "hors de cette machine, ces appels demandent TLS.",
            "Ajouter certificate et key, ou écouter 127.0.0.1.",
        )


def _is_duration(text: str) -> bool:
    try:
        depth(text)
    except ValueError:
        return False
    return True


def _route(path: KeyPath, route: Route, configuration: Configuration) -> Iterator[_Complaint]:
    destination = configuration.destinations.get(route.to)
    if destination is None:
        known = ", ".join(configuration.destinations) or "aucune"
        yield (*path, "to"), "cette destination n'est pas déclarée.", f"Destinations déclarées : {known}."
    else:
        takes = DESTINATION_KINDS[destination.common.kind].takes
        for what in ("events", "documents"):
            if getattr(route, what) and what not in takes:
                able = ", ".join(name for name, kind in DESTINATION_KINDS.items() if what in kind.takes)
                yield (*path, what), f"une destination {destination.common.kind} ne prend pas cela.", f"Genres possibles : {able}."
        kind = DESTINATION_KINDS[destination.common.kind]
        if route.events and kind.tells is not None and not told(route, kind).events:
            yield (
                (*path, "events"),
                f"une destination {destination.common.kind} n'a de mots pour aucun de ces événements.",
                f"Elle sait dire : {', '.join(sorted(kind.tells))}.",
            )
        if route.documents and not destination.common.sender:
            yield (
                (*path, "to"),
                "des lettres partiraient de cette destination sans adresse d'envoi.",
                f"Ajouter sender à [destinations.{route.to}].",
            )
    for source in route.sources:
        if source not in configuration.sources:
            yield (
                (*path, "sources"),
                "une source de cette liste n'est pas déclarée.",
                f"Sources : {', '.join(configuration.sources)}.",
            )
    if configuration.hub.territory == "production" and route.patients == "all" and not route.basis:
        yield (*path, "basis"), 'en production, patients = "all" demande une base légale écrite.', 'Ajouter basis = "…".'
    yield from _what(path, route)


def _what(path: KeyPath, route: Route) -> Iterator[_Complaint]:
    if not route.events and not route.documents:
        yield (*path, "events"), "la route ne prend ni événement ni document.", 'Ajouter events = ["stay.*"] ou documents = ["*"].'
    for pattern in route.events:
        family, dot, rest = pattern.partition(".")
        if pattern != "*" and (family not in EVENT_FAMILIES or not dot or not rest):
            yield (
                (*path, "events"),
                "un motif ne peut désigner aucun événement.",
                f"Écrire famille.* parmi : {', '.join(EVENT_FAMILIES)}.",
            )
    if route.documents and not route.recipients:
        yield (*path, "recipients"), "la route prend des documents sans dire pour qui.", 'Ajouter recipients = ["named"].'
    if route.late and not route.events:
        yield (*path, "late"), "late n'a de sens qu'avec events : une lettre part quel que soit son âge.", "Le retirer."
    if route.recipients and not route.documents:
        yield (*path, "recipients"), "des destinataires n'ont de sens qu'avec documents.", "Les retirer, ou ajouter documents."
    for recipient in route.recipients:
        if recipient not in tuple(RecipientKind):
            yield (*path, "recipients"), "un destinataire n'existe pas.", f"Destinataires possibles : {', '.join(RecipientKind)}."
    for key in ("units", "sensitive", "wait"):
        if getattr(route, key) and not route.documents:
            yield (*path, key), "cette clé ne concerne que les lettres.", "La retirer, ou ajouter documents."
    try:
        _ = route.wait_seconds
    except ValueError:
        yield (*path, "wait"), "ce n'est pas une attente d'un jour au plus.", 'Écrire par exemple wait = "10m", "90s" ou "2h".'
