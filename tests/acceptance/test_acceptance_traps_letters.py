"""Traps seen in the documents that feeds send, from bytes to letters: addresses, flags, base64 and events in odd places."""

from __future__ import annotations

import base64
import re

import pytest

from liaison.hub.contracts import Verdict
from tests.acceptance import feed, letters
from tests.acceptance.ward import Heard, Ward
from tests.mappings.pam import INS_BODY, MATRICULE

#: All eight that the volet asks for.
FLAGS = feed.FOR_PROFESSIONALS | {"MODIF_CONF_CODE": "N"}


def oru(**changes: str) -> bytes:
    """A letter to a GP; ``changes`` replace what stands in its bytes."""
    raw = feed.letter("L1", letters.document(1, "N1"), person=letters.PERSON, visit="2600000001", to=[letters.GP], flags=FLAGS)
    return changed(raw, **changes)


def changed(raw: bytes, **changes: str) -> bytes:
    """Bytes in which each name's text is replaced; the names are in ``_PARTS``."""
    for name, after in changes.items():
        before = _PARTS[name]
        assert before.encode() in raw, name
        raw = raw.replace(before.encode(), after.encode())
    return raw


_PARTS = {
    "address": f"{'|' * 10}^^X.400^{letters.GP}",
    "flag": "DESTMSSANTEPS^DESTMSSANTEPS^MetaDMPMSS",
    "yes": "Y^^expandedYes-NoIndicator||||||F",
    "kind": "ORU^R01^ORU_R01",
}


def faults(heard: Heard) -> list[str]:
    """What is wrong with the message, apart from what it carries."""
    return [rule for rule in heard.rules if rule.startswith("hl7.")]


def test_the_letter_that_the_traps_change_has_none() -> None:
    heard = Ward().hears(oru())
    assert heard.letters == [("deliver", "recipient.named", letters.GP)]
    assert faults(heard) == []


@pytest.mark.parametrize("pipes", [8, 9, 11])
def test_trap_13_an_address_beside_prt_15_is_still_written_to(pipes: int) -> None:
    heard = Ward().hears(oru(address=f"{'|' * pipes}^^X.400^{letters.GP}"))
    assert heard.letters == [("deliver", "recipient.named", letters.GP)]
    assert "hl7.address-misplaced" in heard.rules


@pytest.mark.parametrize(
    ("telecom", "said"),
    [
        (f"^NET^X.400^{letters.GP}", False),
        (f"^^X.400^{letters.GP}", False),
        (f"{letters.GP}^NET^X.400", True),
        (f"05.58.00.00.00^PRN^PH~^NET^X.400^{letters.GP}", False),
    ],
)
def test_trap_14_the_address_is_what_has_an_at_sign(telecom: str, said: bool) -> None:
    heard = Ward().hears(oru(address=f"{'|' * 10}{telecom}"))
    assert [one.address for one in heard.document.addressees] == [letters.GP]
    assert heard.letters == [("deliver", "recipient.named", letters.GP)]
    assert ("hl7.address-component" in heard.rules) is said


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"flag": "DESTMSSANTEPS"}, "hl7.coding-system-missing"),
        ({"flag": " DESTMSSANTEPS ^Destinataire d’une messagerie applicative^MetaDMPMSS"}, ""),
        ({"yes": "Y^^ expandedYes-NoIndicator||||||F"}, ""),
        ({"yes": "Y^^expandedYes-NoIndicator|||||F"}, ""),
    ],
)
def test_trap_15_a_flag_is_known_by_its_code_alone(changes: dict[str, str], rule: str) -> None:
    heard = Ward().hears(oru(**changes))
    assert heard.document.flags.to_professionals is True
    assert faults(heard) == ([rule] if rule else [])


def test_trap_15_the_former_name_of_a_flag_is_understood() -> None:
    heard = Ward().hears(oru(flag="ACK_LECTURE^Accusé de lecture^MetaDMPMSS"))
    assert heard.document.flags.wants_read_receipt
    assert "hl7.flag-alias" in heard.rules


def test_trap_15_a_status_that_five_pipes_put_aside_is_found() -> None:
    raw = re.sub(rb"(OBX\|1\|ED\|[^\r]*)\|\|\|\|\|\|F\r", rb"\1|||||F\r", oru())
    heard = Ward().hears(raw)
    assert "hl7.result-status-shifted" in heard.rules
    assert heard.letters == [("deliver", "recipient.named", letters.GP)]


@pytest.mark.parametrize("broken", ["blanks", "padding", "both"])
def test_trap_16_base64_with_blanks_or_without_its_padding_is_the_same_document(broken: str) -> None:
    document = letters.document(1, "N1")
    document += b" " * ((1 - len(document)) % 3)  # the length that needs padding
    encoded = base64.b64encode(document).decode()
    assert encoded.endswith("==")
    if broken != "padding":
        encoded = " ".join(encoded[at : at + 76] for at in range(0, len(encoded), 76))
    if broken != "blanks":
        encoded = encoded.rstrip("=")
    heard, plain = (
        Ward().hears(feed.letter("L1", document, person=letters.PERSON, visit="V1", to=[letters.GP], encoded=one))
        for one in (encoded, "")
    )
    assert heard.document.digest == plain.document.digest
    assert "hl7.base64-repaired" in heard.rules
    assert heard.letters == [("deliver", "recipient.named", letters.GP)]


def test_trap_16_base64_of_something_else_is_kept_and_its_sender_told() -> None:
    heard = Ward().hears(feed.letter("L1", b"Compte rendu en clair", person=letters.PERSON, visit="V1", to=[letters.GP]))
    assert (heard.verdict, heard.code, heard.letters) == (Verdict.QUARANTINED, "AE", [])
    assert heard.reply.errors


def test_trap_18_four_components_in_msh_9_are_routed_by_the_first_two() -> None:
    withdrawal = "MDM^T04^MDM^T04^MDM_T02"
    raw = changed(oru(), kind=withdrawal).replace(b"ORC|NW", b"ORC|CA").replace(b"||||||F\rPRT", b"||||||D\rPRT")
    heard = Ward().hears(raw)
    assert (str(heard.document.action), heard.events[-1], heard.code) == ("withdraw", "document.withdrawn", "AA")
    assert heard.reading.ids.kind == "MDM^T04"


def test_trap_22_prt_is_read_in_a_version_that_has_none() -> None:
    heard = Ward().hears(oru())
    assert [one.address for one in heard.document.addressees] == [letters.GP]


def test_trap_27_the_matricule_in_a_patients_address_is_in_no_finding_and_no_reply() -> None:
    stranger = f"{MATRICULE}@patient.mssante.fr"
    heard = Ward().hears(oru(address=f"{'|' * 9}{stranger}^NET^X.400"))
    assert {"hl7.address-misplaced", "hl7.address-component"} & set(heard.rules)
    assert [one.address for one in heard.document.addressees] == [stranger]
    for told in (repr(heard.reading), str(heard.reading.facts), repr(heard.findings), repr(heard.reply), str(heard.told)):
        assert INS_BODY not in told
