"""The composite data types that France constrains: HD, CX, EI, XPN, XCN, XON, XAD, XTN (IHE France data types, annexe N).

Each reader takes one repetition and never fails: what a sender wrote in another place than the standard's is looked for where
French feeds are known to put it. Values are unescaped and trimmed; an absent component is the empty string.
"""

from __future__ import annotations

import functools
from datetime import datetime, tzinfo

from liaison.hl7.message import NULL, Repetition
from liaison.hl7.timestamp import parse_ts
from liaison.private import Private

#: Assigning authority of professionals' national identifiers (annexe N.8).
PROFESSIONALS_OID = "1.2.250.1.71.4.2.1"


class Hd(Private, frozen=True, kw_only=True):
    """An authority: its local name, its universal id and the kind of that id (table 0301: ISO, L, M, N, DNS, UUID)."""

    namespace: str = ""
    universal_id: str = ""
    type: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether the sender named no authority at all, not even by its name."""
        return not self.namespace and not self.universal_id

    @property
    def oid(self) -> str:
        """The authority as an OID, or empty: declared ``ISO``, or shaped as one in either component (annexe N.3)."""
        if self.universal_id and (self.type == "ISO" or looks_like_oid(self.universal_id)):
            return self.universal_id
        return self.namespace if not self.universal_id and looks_like_oid(self.namespace) else ""


NOWHERE = Hd()


class Cx(Private, frozen=True, kw_only=True):
    """An identifier with its authority and its type; ``value`` may be ``NULL``, which orders a deletion."""

    value: str
    authority: Hd
    type: str
    where: str
    #: Whether CX-7 or CX-8 is valued; looked at for an INS only, which has no dates.
    dated: bool = False

    @property
    def deletes(self) -> bool:
        """Whether the value is ``""``, which removes what was known (PAM.fr §4.4.3)."""
        return self.value == NULL


class Xpn(Private, frozen=True, kw_only=True):
    """A name of the patient. ``family`` and ``given`` may be ``NULL``: the name is no longer used."""

    family: str
    given: str
    given_names: str
    type: str
    where: str


class Xcn(Private, frozen=True, kw_only=True):
    """A professional, a patient or a device as a message names one, its identifier trimmed."""

    id: str
    family: str
    given: str
    #: Read only where component 13 does not say what the identifier is.
    authority: Hd
    id_type: str


class Xon(Private, frozen=True, kw_only=True):
    """An organisation or a unit; ``id`` is component 10."""

    name: str
    id_type: str
    id: str


@functools.lru_cache(maxsize=1024)
def read_ts(text: str, zone: tzinfo) -> datetime | None:
    """The first component of a TS as an aware datetime; None when it is no time. One message repeats the same few times."""
    time = parse_ts(text, zone)
    return time.at if time is not None else None


def looks_like_oid(text: str) -> bool:
    """Whether ``text`` is written as an OID: at least four numbers joined by points, under the arcs 0 to 2."""
    return text.count(".") >= 3 and text[0] in "012" and text[1] == "." and text.isascii() and text.replace(".", "").isdigit()


def read_hd(repetition: Repetition, component: int) -> Hd:
    """Read an HD held by one component, its three parts as subcomponents."""
    namespace = repetition.component(component).strip()
    universal_id = repetition.component(component, 2).strip()
    if not universal_id:
        return Hd(namespace=namespace) if namespace else NOWHERE
    return Hd(namespace=namespace, universal_id=universal_id, type=repetition.component(component, 3).strip().upper())


def read_cx(repetition: Repetition) -> Cx:
    """Read a CX: value, authority in component 4, type in component 5."""
    kind = repetition.component(5).strip().upper()
    return Cx(
        value=repetition.component(1).strip(),
        authority=read_hd(repetition, 4),
        type=kind,
        where=repetition.where,
        dated=kind == "INS" and bool(repetition.component(7) or repetition.component(8)),
    )


def read_ei(repetition: Repetition) -> Cx:
    """Read an EI (value, namespace, universal id, type of that id), or the CX that some feeds write in its place."""
    namespace, universal_id = repetition.component(2).strip(), repetition.component(3).strip()
    if namespace or universal_id:
        authority = Hd(namespace=namespace, universal_id=universal_id, type=repetition.component(4).strip().upper())
    else:
        authority = read_hd(repetition, 4)
    return Cx(value=repetition.component(1).strip(), authority=authority, type="", where=repetition.where)


def read_xpn(repetition: Repetition) -> Xpn:
    """Read an XPN; given names are joined by single spaces."""
    return Xpn(
        family=repetition.component(1).strip(),
        given=repetition.component(2).strip(),
        given_names=" ".join(repetition.component(3).split()),
        type=repetition.component(7).strip().upper(),
        where=repetition.where,
    )


def read_xcn(repetition: Repetition) -> Xcn:
    """Read an XCN."""
    kind = repetition.component(13).strip().upper()
    return Xcn(
        id=_digits(repetition.component(1)),
        family=repetition.component(2).strip(),
        given=repetition.component(3).strip(),
        authority=NOWHERE if kind else read_hd(repetition, 9),
        id_type=kind,
    )


def read_xon(repetition: Repetition) -> Xon:
    """Read an XON; an identifier left in component 3 (the place of version 2.3) is taken when component 10 is empty."""
    return Xon(
        name=repetition.component(1).strip(),
        id_type=repetition.component(7).strip().upper(),
        id=_digits(repetition.component(10)) or _digits(repetition.component(3)),
    )


def read_address(repetition: Repetition) -> str:
    """The electronic address in an XTN: component 4, else whichever of the others has an ``@``; empty when there is none."""
    for component in (4, 1, 2, 3, 5, 6, 7, 8, 9):
        text = repetition.component(component).strip()
        if "@" in text:
            return text
    return ""


def _digits(text: str) -> str:
    """Drop the blanks that some senders put inside an identifier of digits; leave any other identifier as it is."""
    joined = "".join(text.split())
    return joined if joined.isdigit() else text.strip()
