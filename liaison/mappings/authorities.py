"""Identifier authorities: what a sender calls one (HD) → its canonical name, and from there an identifier in its normal form.

Inside an establishment HD-1 alone is legal, between establishments it is not (data types N.3): the hub is between, so that every
authority gets one name whatever the form it came in.
"""

from __future__ import annotations

import functools

from liaison.care.identifiers import Identifier, IdentifierKind, finess
from liaison.finding import Finding
from liaison.hl7.datatypes import Cx, Hd
from liaison.hl7.faults import warning
from liaison.mappings.interpretation import SourceProfile

AUTHORITY_MISSING = warning(
    "hl7.authority-missing",
    "Un identifiant n’a pas d’autorité d’affectation : il est tenu pour propre à cette source (type CX, composante 4 obligatoire).",
    "Renseigner CX-4 avec le nom, l’identifiant universel et le type de l’autorité, par exemple « CH-X&400011177&M ».",
    "101",
)
#: HD-3 of FINESS: M for the legal entity, N for the geographical one (table 0301 as France constrains it).
_FINESS_TYPES = ("M", "N")


def canonical_authority(hd: Hd, profile: SourceProfile) -> str:
    """``oid:…``, ``finess:…``, the source's configured alias, or ``local:<source>/<namespace>``."""
    aliases = profile.authorities
    authority = _standard_authority(hd)
    if authority:
        return aliases.get(authority.partition(":")[2], authority) if aliases else authority
    for name in (hd.namespace, hd.universal_id):
        if name in aliases:
            return aliases[name]
    return f"local:{profile.source}/{hd.namespace or hd.universal_id}"


@functools.lru_cache(maxsize=4096)
def _standard_authority(hd: Hd) -> str:
    """The OID or FINESS that an HD holds in whatever form, else empty. A feed names the same few in all its messages."""
    if hd.type in _FINESS_TYPES:
        code = finess(hd.universal_id) or finess(hd.namespace)
        if code:
            return f"finess:{code}"
    if hd.oid:
        return f"oid:{hd.oid}"
    if hd.type in ("", "L"):
        for name in (hd.universal_id, hd.namespace):
            if len(name) == 9 and name[0].isdigit() and (code := finess(name)):
                return f"finess:{code}"
    return ""


def establishment(hd: Hd, profile: SourceProfile) -> str:
    """The FINESS of the establishment that an HD names, else the source's own."""
    authority = canonical_authority(hd, profile)
    return authority[len("finess:") :] if authority.startswith("finess:") else profile.finess


def identifier(kind: IdentifierKind, cx: Cx, profile: SourceProfile, findings: list[Finding]) -> Identifier:
    """A CX or EI as an identifier of care."""
    if cx.authority.is_empty:
        findings.append(AUTHORITY_MISSING.at(cx.where))
    return Identifier(kind=kind, authority=canonical_authority(cx.authority, profile), value=cx.value)
