"""Going live, as the configuration says it: modes, what is late, who is observed, and the lists of a test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from liaison.care.identifiers import INS_OIDS, Identifier, IdentifierKind, ins_key_is_right
from liaison.mssante.address import InvalidAddress, parse_address
from liaison.rules.golive import AllowList, GoingLive, Standing
from liaison.service.configuration import Configuration, SourceSettings
from liaison.service.durations import REMEDY, duration
from liaison.service.toml_lines import KeyPath

#: ``late_after`` of a source of a production territory that says nothing. In a test territory nothing is late: what is tried there is
#: recorded messages, and a newcomer who sends one must see what it leads to.
LATE_AFTER: Final = timedelta(hours=24)

_IPP: Final = re.compile(r"ipp:((?:finess|oid|local):[^\s]+)/([^\s/]+)")
_PATIENT_REMEDY: Final = 'Écrire "ins:MATRICULE" ou "ipp:AUTORITÉ/NUMÉRO", comme "ipp:finess:400011177/800042".'

_Complaint = tuple[KeyPath, str, str]


def going_live(configuration: Configuration) -> GoingLive:
    """What the rules need to know of modes and tests. The configuration is consistent."""
    return GoingLive(
        sources={
            name: Standing(
                mode=source.common.mode,
                letters=source.common.letters,
                late_after=_late_after(source.common, configuration.hub.territory),
            )
            for name, source in configuration.sources.items()
        },
        only_to={
            name: _allow_list(destination.common.only_to)
            for name, destination in configuration.destinations.items()
            if destination.common.only_to
        },
        test_patients=frozenset(one for text in configuration.hub.test_patients for one in patient_identifiers(text)),
    )


def patient_identifiers(text: str) -> tuple[Identifier, ...]:
    """The identifiers that name a patient of a list: ``ins:MATRICULE`` under every OID of the INS, ``ipp:AUTHORITY/NUMBER``.

    Raises ValueError when it is neither, or when the matricule's key is wrong: a slip there names somebody else.
    """
    if text.startswith("ins:"):
        matricule = text.removeprefix("ins:")
        if not ins_key_is_right(matricule):
            raise ValueError("not a matricule")
        oids = sorted(INS_OIDS)
        return tuple(Identifier(kind=IdentifierKind.INS, authority=f"oid:{oid}", value=matricule) for oid in oids)
    match = _IPP.fullmatch(text)
    if match is None:
        raise ValueError("not a patient")
    return (Identifier(kind=IdentifierKind.IPP, authority=match[1], value=match[2]),)


def complaints(configuration: Configuration) -> Iterator[_Complaint]:
    """What is wrong with the keys of going live: where, what, what to do."""
    for name, source in configuration.sources.items():
        try:
            _late_after(source.common, configuration.hub.territory)
        except ValueError:
            yield ("sources", name, "late_after"), "ce n'est pas une durée.", REMEDY
    for text in configuration.hub.test_patients:
        if _fault_of(text):
            yield ("hub", "test_patients"), "un élément ne désigne aucun patient (forme, ou clé de l'INS).", _PATIENT_REMEDY
    never = set(configuration.hub.test_patients)
    for name, destination in configuration.destinations.items():
        path = ("destinations", name, "only_to")
        for text in destination.common.only_to:
            if "@" in text:
                try:
                    parse_address(text)
                except InvalidAddress as fault:
                    yield path, f"un élément n'est pas une adresse. {fault.reason}", "Écrire par exemple essai@na.mssante.fr."
            elif _fault_of(text):
                yield path, "un élément ne désigne ni adresse ni patient (forme, ou clé de l'INS).", _PATIENT_REMEDY
        if never.intersection(destination.common.only_to):
            yield (
                path,
                "un patient de cette liste est aussi dans [hub] test_patients, pour qui rien ne sort jamais.",
                "Le laisser dans une seule des deux listes.",
            )


def warnings(configuration: Configuration) -> tuple[str, ...]:
    """What an operator must keep seeing while a source is not live, or a destination under test."""
    told: list[str] = []
    for name, source in configuration.sources.items():
        common = source.common
        if common.mode == "load":
            told.append(f'{name} : mode = "load", ses messages remplissent le journal et rien n\'en sort.')
        elif common.mode == "shadow":
            told.append(f'{name} : mode = "shadow", tout est décidé et rien ne sort ; liaison shadow en fait le rapport.')
        elif common.letters == "observe":
            told.append(f'{name} : letters = "observe", ses lettres sont décidées et jamais envoyées.')
    for name, destination in configuration.destinations.items():
        if destination.common.only_to:
            told.append(f"{name} : à l'essai, rien n'y part que pour les adresses et les patients de only_to.")
    return tuple(told)


def _late_after(source: SourceSettings, territory: str) -> timedelta | None:
    if source.late_after is None:
        return LATE_AFTER if territory == "production" else None
    return duration(source.late_after)


def _allow_list(texts: tuple[str, ...]) -> AllowList:
    return AllowList(
        addresses=frozenset(parse_address(text).key for text in texts if "@" in text),
        patients=frozenset(one for text in texts if "@" not in text for one in patient_identifiers(text)),
    )


def _fault_of(text: str) -> bool:
    try:
        patient_identifiers(text)
    except ValueError:
        return True
    return False
