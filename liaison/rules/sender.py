"""Who may assert what: which connection is heard, under which name a source may speak, for which establishment, of whose patients.

A source declares its peers, its MSH-3/4 pairs, its establishments and its identifier authorities. A message under another name is kept
whole and changes nothing; what it says of another hospital's patient is proposed to a person. Pure, and cheap: it runs on every message.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from liaison.care.identifiers import Identifier, IdentifierKind, finess
from liaison.finding import Finding
from liaison.hl7.faults import fatal, information, warning
from liaison.mappings.interpretation import SourceProfile
from liaison.private import Private

WRONG_PAIR = fatal(
    "sender.pair",
    "Ce couple MSH-3 et MSH-4 n'est pas de ceux sous lesquels cette source peut parler : le message est gardé entier, sans effet.",
    "Corriger MSH-3 et MSH-4 chez l'émetteur ; si le couple est le bon, demander à l'exploitant de l'ajouter à « senders ».",
    "207",
)
OTHER_ESTABLISHMENT = fatal(
    "sender.establishment-of-another",
    "L'établissement que ce champ nomme n'est pas de cette source : le message est gardé entier, sans effet.",
    "Vérifier l'établissement émis ; s'il est bien le vôtre, demander à l'exploitant de l'ajouter à « finess ».",
    "207",
)
UNKNOWN_ESTABLISHMENT = fatal(
    "sender.establishment-unknown",
    "Rien dans MSH-3 et MSH-4, PV1-3.4 ni PID-3 ne dit lequel des établissements de cette source parle : le message est gardé entier, "
    "sans effet.",
    "Renseigner PV1-3.4 avec le FINESS de l'établissement, ou demander à l'exploitant de compléter « finess ».",
    "207",
)
PROPOSED = warning(
    "sender.proposed",
    "Ce que le message affirme d'un patient d'un autre établissement n'est pas appliqué : c'est proposé à une personne, qui décidera.",
    "N'émettre que vos propres identifiants ; si cette autorité est la vôtre, demander à l'exploitant de l'ajouter à « authorities ».",
)

INS_MET = information(
    "sender.ins-match",
    "Un autre établissement connaît un patient sous cette INS : le rapprochement n'est pas fait, il est proposé à une personne.",
)


class Peer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A peer known by its certificate."""

    #: A name of the certificate's subjectAltName: DNS, URI, mail or IP address.
    san: str
    #: Who issued it: the issuer's common name, or its whole name as RFC 4514 writes it.
    issuer: str


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What a peer's certificate says of it, once its chain was verified."""

    #: Every subjectAltName.
    names: tuple[str, ...]
    #: The issuer's whole name (RFC 4514), and its common names.
    issuers: tuple[str, ...]


def peer_is_known(peers: Iterable[Peer], certificate: Certificate | None) -> bool:
    """Whether one of ``peers`` has this certificate's name *and* issuer: another authority may give anybody the same name."""
    if certificate is None:
        return False
    names = {name.casefold() for name in certificate.names}
    return any(peer.san.casefold() in names and peer.issuer in certificate.issuers for peer in peers)


class Said(Private, frozen=True, kw_only=True):
    """What a message says of where it comes from, each name trimmed, empty ones left out."""

    #: MSH-3 and MSH-4: name first, then universal id.
    application: tuple[str, ...] = ()
    facility: tuple[str, ...] = ()
    #: PV1-3.4.
    place: tuple[str, ...] = ()
    #: Canonical authorities of PID-3 and PID-18.
    authorities: tuple[str, ...] = ()


def is_guarded(profile: SourceProfile) -> bool:
    """Whether anything limits what the source says it is: where nothing does, it need not be looked at."""
    return bool(profile.senders or profile.establishments or profile.others_authorities)


def speaker(said: Said, profile: SourceProfile) -> str | Finding:
    """FINESS of the establishment that speaks, or why the message is not heard.

    PV1-3.4 comes first, since one application may serve several hospitals; then the MSH-3/4 pair; then whose numbers PID writes.
    """
    pairs = tuple(
        f"{application}|{facility}" for application in (*(said.application or ("",)), "*") for facility in said.facility or ("",)
    )
    if profile.senders and not any(pair in profile.senders for pair in pairs):
        return WRONG_PAIR.at("MSH-3")
    if any(f"finess:{finess(name)}" in profile.others_authorities for name in said.facility):
        return OTHER_ESTABLISHMENT.at("MSH-4")
    known = profile.establishments
    for name in said.place:
        if name in known:
            return known[name]
    own = {profile.finess, *known.values()}
    code = next((code for code in map(finess, said.place) if code), "")
    if code in own:
        return code
    if code and (f"finess:{code}" in profile.others_authorities or known or profile.senders):
        return OTHER_ESTABLISHMENT.at("PV1-3.4")
    if not known:
        return profile.finess
    if said.place and any("|" not in name for name in known):
        return OTHER_ESTABLISHMENT.at("PV1-3.4")
    for pair in pairs:
        if pair in known:
            return known[pair]
    for authority in said.authorities:
        if authority.removeprefix("finess:") in own:
            return authority.removeprefix("finess:")
    return UNKNOWN_ESTABLISHMENT.at("PV1-3.4")


def keeper(custodian: str, profile: SourceProfile) -> str | Finding:
    """FINESS of the establishment that speaks by a document alone, whose custodian has this FINESS (empty: it says none)."""
    known = profile.establishments
    if not is_guarded(profile):
        return profile.finess
    if custodian in known or custodian in (profile.finess, *known.values()):
        return known.get(custodian, custodian)
    if custodian and (f"finess:{custodian}" in profile.others_authorities or known or profile.senders):
        return OTHER_ESTABLISHMENT.at("/ClinicalDocument/custodian")
    return UNKNOWN_ESTABLISHMENT.at("/ClinicalDocument/custodian") if known else profile.finess


def is_foreign(identifier: Identifier, profile: SourceProfile) -> bool:
    """Whether an identifier is not the source's own to speak of. An INS is everybody's."""
    if identifier.kind is IdentifierKind.INS:
        return False
    authority = identifier.authority
    if authority.startswith("local:"):
        return not authority.startswith(f"local:{profile.source}/")
    if profile.own_authorities is not None:
        return authority not in profile.own_authorities
    return authority in profile.others_authorities
