"""A document keeps to the establishment that speaks, whatever it comes in: alone as a file, or wrapped again when it is sent."""

from __future__ import annotations

import base64
import hashlib

import pytest
from msgspec.structs import replace

from liaison.care.facts import DocumentFact
from liaison.hub.contracts import Reading, Sender, Verdict
from liaison.hub.reading import read_hl7
from liaison.hub.reading_file import documents_of, read_file
from liaison.mappings.interpretation import SourceProfile
from tests.hub.er7 import letter_message
from tests.hub.people import FINESS, NOW, SOURCE

DAX, OTHER = "400780193", "400099999"
#: A CDA whose custodian is FINESS.
CDA = base64.b64decode(letter_message().partition(b"^Base64^")[2].partition(b"|")[0])
HERE = SourceProfile(source=SOURCE, finess=FINESS, senders=frozenset({"*|CH"}), others_authorities=frozenset({f"finess:{OTHER}"}))
GHT = replace(HERE, finess=DAX, establishments={"DAX": DAX, "*|CH": FINESS})


def read(profile: SourceProfile, raw: bytes = CDA) -> Reading:
    return read_file(raw, Sender(source=SOURCE), profile, now=NOW)


@pytest.mark.parametrize("profile", [HERE, GHT, replace(HERE, senders=frozenset(), others_authorities=frozenset())])
def test_a_document_alone_speaks_for_its_custodian_where_that_is_the_source_s_own(profile: SourceProfile) -> None:
    reading = read(profile)
    assert reading.establishment == FINESS and reading.facts and reading.verdict is not Verdict.QUARANTINED


def test_a_document_of_another_hospital_is_kept_and_not_taken() -> None:
    clinic = SourceProfile(source="clinique", finess=OTHER, others_authorities=frozenset({f"finess:{FINESS}"}))
    reading = read(clinic)
    assert (reading.verdict, reading.facts, reading.establishment) == (Verdict.QUARANTINED, (), OTHER)
    assert "sender.establishment-of-another" in [finding.rule for finding in reading.findings]


@pytest.mark.parametrize("place", ["DAX", ""])
def test_a_pdf_that_is_wrapped_again_to_be_sent_is_the_document_that_was_taken(place: str) -> None:
    """The wrapping names the establishment that spoke: under another it would be another document, and not be found."""
    pdf = base64.b64encode(b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n").decode()
    lines = letter_message().decode().split("\r")
    carried = [
        f"OBX|1|ED|11490-0^Lettre de liaison^LN||^AP^PDF^Base64^{pdf}||||||F" if line.startswith("OBX|1|") else line
        for line in lines
    ]
    raw = "\r".join(carried).replace("MED^^^&400780284&N", f"MED^^^{place}").encode()
    reading = read_hl7(raw, Sender(source=SOURCE), GHT, now=NOW, reply_id="R1")
    (fact,) = [fact for fact in reading.facts if isinstance(fact, DocumentFact)]
    assert reading.establishment == fact.finess == (DAX if place else FINESS)
    again = documents_of(raw, GHT)[fact.digest]
    assert hashlib.sha256(again).hexdigest() == fact.digest
