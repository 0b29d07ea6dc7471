"""CTD: contact data, which some feeds fill with a recipient's MSSanté address where a PRT belongs (HL7 v2.5 §11.6.4).

The CI-SIS volet gives addresses in PRT alone; older interfaces had no PRT to write in (it is pre-adopted from v2.9) and put the people to
write to in CTD, after OBR. Nothing certifies such an address: whoever uses it must find it elsewhere too.
"""

from __future__ import annotations

from liaison.finding import Finding
from liaison.hl7.datatypes import NOWHERE, Xcn, read_address, read_xpn
from liaison.hl7.faults import warning
from liaison.hl7.message import Segment
from liaison.hl7.participations import Participation, Role

ADDRESS_IN_CONTACT = warning(
    "hl7.address-in-contact",
    "Une adresse de destinataire est portée par un segment CTD au lieu d’un PRT (volet Transmission, PRT-15) : elle n’est employée que si "
    "l’annuaire la confirme.",
    "Porter chaque destinataire dans un segment PRT, avec PRT-4 = RCT et son adresse en PRT-15.4.",
)

#: Table 0131: contacts of the patient or of an administration, never recipients of a letter.
NOT_RECIPIENTS = frozenset({"C", "E", "F", "I", "N", "S"})
COMMUNICATION, IDENTIFIERS = 5, 7


def read_contact(segment: Segment, findings: list[Finding]) -> Participation | None:
    """The recipient that a CTD names by an electronic address (CTD-5); None when it names none or is somebody else's contact."""
    if segment.value(1).strip().upper() in NOT_RECIPIENTS:
        return None
    address = next((text for repetition in segment.repetitions(COMMUNICATION) if (text := read_address(repetition))), "")
    if not address:
        return None
    findings.append(ADDRESS_IN_CONTACT.at(segment.where(COMMUNICATION)))
    return Participation(
        role=Role.RECIPIENT,
        address=address,
        person=_person(segment),
        organisation=None,
        where=segment.where(),
        by_contact=True,
    )


def _person(segment: Segment) -> Xcn | None:
    """CTD-2 with the identifier of CTD-7, a PLN: number, then its type."""
    names, numbers = segment.repetitions(2), segment.repetitions(IDENTIFIERS)
    name = read_xpn(names[0]) if names else None
    number, kind = ("".join(numbers[0].component(1).split()), numbers[0].component(2).strip().upper()) if numbers else ("", "")
    if not number and name is None:
        return None
    family, given = (name.family, name.given) if name is not None else ("", "")
    return Xcn(id=number, family=family, given=given, authority=NOWHERE, id_type=kind)
