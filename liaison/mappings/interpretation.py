"""What a mapping makes of one incoming message, whatever its format."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from liaison.care.facts import Fact
from liaison.finding import Finding
from liaison.private import Private


class Understanding(enum.StrEnum):
    """Whether the hub can act on a message."""

    UNDERSTOOD = "understood"
    #: A trigger that the hub has no use for: acknowledged and recorded (PAM.fr §5.3.2, remark 1).
    IGNORED = "ignored"
    #: Kept whole for a person: something without which no fact can be made is missing or wrong.
    NOT_UNDERSTOOD = "not-understood"


class SourceProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says of a source, as far as reading its messages needs it."""

    #: Key in ``[sources.…]``: names local authorities and appears in event sources.
    source: str
    #: FINESS of the establishment that speaks when a message does not say.
    finess: str
    #: IANA name, for times without a zone.
    time_zone: str = "Europe/Paris"
    #: Whether INS of the test and demonstration OIDs are taken (territory = "test"); when false they are dropped with a finding.
    test_ins: bool = True
    #: Aliases of identifier authorities: name, FINESS or OID as the source writes it → canonical authority (``finess:…``, ``oid:…``).
    authorities: Mapping[str, str] = {}
    #: Type (JDV_J07) of a PDF without CDA whose message gives none; empty: such a PDF is not understood.
    document_type: str = ""
    #: Local type codes → JDV_J07.
    document_types: Mapping[str, str] = {}
    #: Sector of the establishment (JDV_J02), for the documents that the hub writes around PDFs.
    facility: str = "SA01"
    #: Pairs ``MSH-3|MSH-4`` that the source may speak under, ``*`` for any MSH-3; empty: any pair.
    senders: frozenset[str] = frozenset()
    #: What a message says of where it comes from → FINESS: a pair ``MSH-3|MSH-4``, or a name or FINESS of PV1-3.4. Empty: ``finess``.
    establishments: Mapping[str, str] = {}
    #: The only authorities whose identifiers the source may speak of as its own; None: all that no other source declares.
    own_authorities: frozenset[str] | None = None
    #: Authorities that other sources declare and this one does not: their patients are not its own.
    others_authorities: frozenset[str] = frozenset()
    #: Character set that the source really writes, as in MSH-18; empty: what MSH-18 says.
    charset: str = ""
    #: Share of the messages whose structure is also held against HL7's own tables, 0 to 1.
    structure_share: float = 0.0


class Interpretation(Private, frozen=True, kw_only=True):
    """Facts and findings of one message. Documents are given by the SHA-256 hex digest that their facts carry."""

    understanding: Understanding
    facts: tuple[Fact, ...] = ()
    findings: tuple[Finding, ...] = ()
    documents: Mapping[str, bytes] = {}
