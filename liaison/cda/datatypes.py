"""The CDA data types that a header is made of: II, CD, TS, ON/PN, AD, TEL.

Each struct has the reader that makes it from an element. Readers never fail: what is absent is empty, what is wrong is for the
rules of :mod:`liaison.cda.rules` to say.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final, TypeAlias

from liaison.cda.xml import Element, H
from liaison.private import Private

# Roots that name who gave an identifier (CI-SIS, structuration minimale; digest cda-fr §1.1 and §1.2).
PROFESSIONAL_ROOT: Final = "1.2.250.1.71.4.2.1"
ORGANISATION_ROOT: Final = "1.2.250.1.71.4.2.2"
#: INS-NIR, INS-NIA, and the INS-NIR of test and demonstration.
INS_ROOTS: Final = frozenset(
    {"1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9", "1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11"},
)

_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_TIME = re.compile(r"([0-9]{4,14})(?:\.[0-9]{1,6})?(?:([+-])([0-9]{2})([0-9]{2}))?")


class InstanceId(Private, frozen=True, kw_only=True):
    """An II: who gave the identifier (``root``, an OID) and the identifier itself, empty when the root says it all."""

    root: str
    extension: str = ""

    @property
    def text(self) -> str:
        """``root`` or ``root^extension``, the form of XDS uniqueId."""
        return f"{self.root}^{self.extension}" if self.extension else self.root

    @property
    def root_is_oid(self) -> bool:
        return _OID.fullmatch(self.root) is not None and len(self.root) <= 64

    @property
    def rpps(self) -> str:
        """The 11 digits of an RPPS in PS_IdNat form (``8`` + RPPS), else empty (digest cda-fr §1.2)."""
        value = self.extension
        return value[1:] if self.root == PROFESSIONAL_ROOT and len(value) == 12 and value[0] == "8" and value.isdigit() else ""

    @property
    def finess(self) -> str:
        """The 9 characters of a FINESS in Struct_IdNat form (``1`` + FINESS), else empty (digest cda-fr §1.2)."""
        value = self.extension
        return value[1:] if self.root == ORGANISATION_ROOT and len(value) == 10 and value[0] == "1" else ""


class Code(Private, frozen=True, kw_only=True):
    """A coded value; ``system`` is the OID of its code system."""

    code: str = ""
    system: str = ""
    label: str = ""
    null_flavor: str = ""


class TimeStamp(Private, frozen=True, kw_only=True):
    """A TS of any precision. ``at`` is aware: a time without offset is read in the zone given to the reader."""

    at: datetime
    #: How many digits the sender gave: 4 (a year) to 14 (seconds).
    precision: int
    has_offset: bool

    @property
    def utc(self) -> str:
        """The XDS form: UTC, no offset, no digit that the sender did not give. A time of days or less is not shifted."""
        at = self.at.astimezone(UTC) if self.precision > 8 else self.at
        return at.strftime("%Y%m%d%H%M%S")[: self.precision]

    @property
    def date(self) -> str:
        """``YYYYMMDD`` as the sender wrote it, or shorter."""
        return self.at.strftime("%Y%m%d")[: self.precision]


class Name(Private, frozen=True, kw_only=True):
    """A person's name outside recordTarget."""

    family: str = ""
    given: str = ""
    #: Civilité (JDV_J245).
    prefix: str = ""
    #: Titre (JDV_J246): DR, PR…
    suffix: str = ""

    @property
    def text(self) -> str:
        """The name as it is shown: ``DR Charles DAVID``."""
        return " ".join(part for part in (self.suffix or self.prefix, self.given, self.family) if part)


class Address(Private, frozen=True, kw_only=True):
    """An AD, its parts joined into the lines of an envelope."""

    use: str = ""
    #: Street lines, then ``postal code city``, then the country.
    lines: tuple[str, ...] = ()


class Telecom(Private, frozen=True, kw_only=True):
    """A TEL: a URL such as ``tel:…`` or ``mailto:…``."""

    value: str
    use: str = ""


Children: TypeAlias = dict[str, list[Element]]


def group(element: Element) -> Children:
    """The children of an element by tag: one pass in place of a search for each."""
    children: Children = {}
    for child in element:
        children.setdefault(child.tag, []).append(child)
    return children


class _Tags(dict[str, str]):
    """Local name → tag, made once: a constant's hash is known, a joined string's is not."""

    def __missing__(self, name: str) -> str:
        tag = self[name] = H + name
        return tag


_TAGS: Final = _Tags()


def first(children: Children, name: str) -> Element | None:
    """The first child with that name of the CDA namespace."""
    found = children.get(_TAGS[name])
    return found[0] if found is not None else None


def every(children: Children, name: str) -> list[Element]:
    """The children with that name of the CDA namespace."""
    return children.get(_TAGS[name]) or []


def read_id(element: Element) -> InstanceId:
    """An ``id``, ``setId`` or ``templateId`` element."""
    get = element.get
    return InstanceId(root=(get("root") or "").strip(), extension=(get("extension") or "").strip())


def read_ids(children: Children, name: str = "id") -> tuple[InstanceId, ...]:
    """The identifiers that say something (``nullFlavor`` ones are left out)."""
    found = [read_id(child) for child in every(children, name)]
    return tuple([id for id in found if id.root or id.extension])


def read_code(element: Element | None) -> Code | None:
    """A CD, CE or CS element; None when it is absent."""
    if element is None:
        return None
    get = element.get
    return Code(
        code=(get("code") or "").strip(),
        system=get("codeSystem") or "",
        label=get("displayName") or "",
        null_flavor=get("nullFlavor") or "",
    )


def read_time(element: Element | None, zone: tzinfo) -> TimeStamp | None:
    """The ``value`` of a TS element; None when it is absent or is not a time."""
    return None if element is None else parse_time(element.get("value") or "", zone)


def parse_time(value: str, zone: tzinfo) -> TimeStamp | None:
    """A TS literal ``YYYY[MM[DD[hh[mm[ss]]]]][±hhmm]``; None when it is not one."""
    match = _TIME.fullmatch(value.strip())
    if match is None:
        return None
    digits, sign, hours, minutes = match.groups()
    if len(digits) % 2:
        return None
    offset = zone
    if sign is not None and len(digits) > 8:
        shift = timedelta(hours=int(hours), minutes=int(minutes))
        if shift >= timedelta(hours=24):
            return None
        offset = timezone(-shift if sign == "-" else shift)
    full = digits + "0101000000"[len(digits) - 4 :]
    year, month, day, hour, minute, second = (int(full[:4]), *(int(full[at : at + 2]) for at in range(4, 14, 2)))
    try:
        at = datetime(year, month, day, hour, minute, second, tzinfo=offset)
    except ValueError:
        return None
    if not 1 < year < 9999:  # no UTC form under every offset
        return None
    return TimeStamp(at=at, precision=len(digits), has_offset=sign is not None)


def read_text(element: Element | None) -> str:
    """All the text under an element, blanks folded; empty when it is absent."""
    if element is None:
        return ""
    text = (element.text or "") if len(element) == 0 else "".join([str(part) for part in element.itertext()])
    return " ".join(text.split())


def read_name(person: Element | None) -> Name | None:
    """The first ``name`` under a person; a name without parts is taken whole as the family name."""
    element = None if person is None else next(person.iterchildren(_NAME), None)
    if element is None:
        return None
    if len(element) == 0:
        return Name(family=read_text(element))
    parts: dict[str, str] = {}
    for child in element:
        if text := read_text(child):
            parts.setdefault(child.tag, text)
    get = parts.get
    return Name(family=get(_FAMILY, ""), given=get(_GIVEN, ""), prefix=get(_PREFIX, ""), suffix=get(_SUFFIX, ""))


def read_addresses(children: Children) -> tuple[Address, ...]:
    """The ``addr`` elements that hold something."""
    found = [_read_address(element) for element in every(children, "addr")]
    return tuple([address for address in found if address.lines])


def read_telecoms(children: Children) -> tuple[Telecom, ...]:
    """The ``telecom`` elements that hold something."""
    return tuple(
        [
            Telecom(value=value, use=element.get("use") or "")
            for element in every(children, "telecom")
            if (value := (element.get("value") or "").strip())
        ]
    )


_NAME, _FAMILY, _GIVEN, _PREFIX, _SUFFIX = (H + name for name in ("name", "family", "given", "prefix", "suffix"))
_STREET: Final = frozenset(
    H + name for name in ("houseNumber", "houseNumberNumeric", "streetNameType", "streetNameBase", "streetName", "direction")
)
_TOWN: Final = frozenset((f"{H}postalCode", f"{H}city"))
_COUNTRY: Final = f"{H}country"


def _read_address(element: Element) -> Address:
    """Parts in the document's order: those of the street on one line, postal code and city on another, the country last."""
    lines: list[str] = []
    street: list[str] = []
    town: list[str] = []
    country = read_text(element) if len(element) == 0 else ""
    for child in element:
        text, tag = read_text(child), child.tag
        if not text:
            continue
        if tag in _STREET:
            street.append(text)
        elif tag in _TOWN:
            town.append(text)
        elif tag == _COUNTRY:
            country = text
        else:
            lines.append(text)
    written = (" ".join(street), *lines, " ".join(town), country)
    return Address(use=element.get("use") or "", lines=tuple([line for line in written if line]))
