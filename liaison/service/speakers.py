"""Who may assert what, out of the configuration: how each source is read, whose identifiers are whose, and what a newcomer risks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from liaison.care.identifiers import finess
from liaison.mappings.interpretation import SourceProfile
from liaison.service.configuration import Configuration, SourceConfiguration, SourceSettings


def establishments(source: SourceSettings) -> tuple[str, ...]:
    """FINESS of the establishments that a source carries, in the order of the file; the first speaks where nothing else is known."""
    return (source.finess,) if isinstance(source.finess, str) else tuple(dict.fromkeys(source.finess.values()))


def own_authorities(source: SourceSettings) -> frozenset[str]:
    """The authorities that a source declares as its own: its FINESS, those of its places, and what its names stand for."""
    written = () if isinstance(source.finess, str) else (code for code in map(finess, source.finess) if code)
    return frozenset({*(f"finess:{code}" for code in (*establishments(source), *written)), *source.authorities.values()})


def profiles(configuration: Configuration) -> dict[str, SourceProfile]:
    """How each source is read."""
    return {name: _profile(source, configuration) for name, source in configuration.sources.items()}


def _profile(source: SourceConfiguration, configuration: Configuration) -> SourceProfile:
    common, production = source.common, configuration.hub.territory == "production"
    own = own_authorities(common)
    others = {authority for other in configuration.sources.values() for authority in own_authorities(other.common)}
    return SourceProfile(
        source=source.name,
        finess=establishments(common)[0],
        time_zone=common.time_zone,
        test_ins=not production,
        authorities=common.authorities,
        senders=frozenset(common.senders),
        establishments={} if isinstance(common.finess, str) else common.finess,
        own_authorities=own if common.authorities or production else None,
        others_authorities=frozenset(others - own),
        charset=common.charset,
        structure_share=common.validate_share if common.validate == "strict" else 0.0,
        document_type=common.document_type,
        document_types=common.document_types,
        facility=common.facility,
    )


def domains(configuration: Configuration) -> Mapping[str, str]:
    """Identifier authority → FINESS of the establishment inside which its identifiers mean something.

    A FINESS is its own; another authority is the first establishment's of the first source that declares it, so that sources which
    share a numbering share its patients.
    """
    found: dict[str, str] = {}
    for source in configuration.sources.values():
        first, *others = establishments(source.common)
        for code in (first, *others):
            found[f"finess:{code}"] = code
        if not isinstance(source.common.finess, str):
            for name, code in source.common.finess.items():
                if "|" not in name and finess(name):
                    found.setdefault(f"finess:{finess(name)}", code)
    for source in configuration.sources.values():
        for authority in source.common.authorities.values():
            found.setdefault(authority, establishments(source.common)[0])
    return found


def standing_warnings(configuration: Configuration) -> Iterator[str]:
    """What an operator must keep seeing: sources that could speak for one another."""
    carried = {code for source in configuration.sources.values() for code in establishments(source.common)}
    if len(carried) > 1:
        for name, source in configuration.sources.items():
            missing = [key for key in ("senders", "authorities") if not getattr(source.common, key)]
            if missing:
                yield f"{name} : sans {' ni '.join(missing)}, cette source n'est pas tenue à ses propres patients"
