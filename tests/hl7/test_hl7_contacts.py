"""CTD as a carrier of addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.finding import Finding
from liaison.hl7.contacts import read_contact
from liaison.hl7.message import Message
from liaison.hl7.participations import Participation, Role


def read(ctd: str) -> tuple[Participation | None, list[str]]:
    segment = Message.parse(f"MSH|^~\\&|A\r{ctd}\r".encode()).first("CTD")
    assert segment is not None
    findings: list[Finding] = []
    return read_contact(segment, findings), [finding.rule for finding in findings]


@pytest.mark.parametrize(
    "address", ["^^X.400^gp@medecin.test", "^NET^Internet^gp@medecin.test", "gp@medecin.test", "^PRN~^NET^^gp@medecin.test"]
)
def test_an_address_of_a_contact_is_a_recipient_that_must_be_confirmed(address: str) -> None:
    contact, rules = read(f"CTD|RCT|MARTIN^Anne|||{address}||810001234567^IDNPS")
    assert contact is not None and contact.by_contact
    assert (contact.role, contact.address) == (Role.RECIPIENT, "gp@medecin.test")
    assert contact.person is not None
    assert (contact.person.id, contact.person.id_type, contact.person.family) == ("810001234567", "IDNPS", "MARTIN")
    assert rules == ["hl7.address-in-contact"]


@pytest.mark.parametrize(
    "ctd", ["CTD|N|FILS^Paul|||^NET^^fils@exemple.fr", "CTD|RCT|MARTIN^Anne|||^PRN^PH^^^^^^^^^0558000000", "CTD|RCT", "CTD|"]
)
def test_next_of_kin_and_contacts_without_address_are_no_recipients(ctd: str) -> None:
    assert read(ctd) == (None, [])


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_contact_is_read(text: str) -> None:
    contact, _ = read("CTD|RCT|" + text.replace("\r", "").replace("\n", ""))
    assert contact is None or "@" in contact.address
