"""Who gets a letter, and why not: the address is the named person's, and every doubt holds."""

from __future__ import annotations

import msgspec
import pytest

from liaison.care.facts import Addressee, DocumentAction
from liaison.care.person import Professional
from liaison.rules.decision import Outcome, Owner
from liaison.rules.gates.identity import DEROGATION, DOUBTFUL
from tests.rules.letters import (
    BOTH,
    EHPAD,
    GP,
    INS,
    MATRICULE,
    OTHER_GP,
    OTHER_INS,
    PATIENT_ADDRESS,
    PS,
    PS_AND_PATIENT,
    TWO_BOXES,
    TWO_BOXES_FINESS,
    UNKNOWN_GP,
    decide,
    letter,
    named,
    only,
    patient,
    rules,
)


def test_a_named_professional_whom_the_directory_confirms_gets_the_letter() -> None:
    decision = only(letter(named("GP@medecin.test", GP)))
    assert (decision.outcome, decision.recipient, decision.rule) == (Outcome.DELIVER, "GP@medecin.test", "recipient.named")


def test_an_idnat_rpps_is_the_same_professional() -> None:
    assert only(letter(named("gp@medecin.test", "8" + GP))).outcome is Outcome.DELIVER


@pytest.mark.parametrize(
    ("address", "rpps"),
    [("gp@medecin.test", OTHER_GP), ("gp@medecin.test", UNKNOWN_GP), ("inconnue@medecin.test", GP)],
)
def test_an_address_that_the_directory_gives_to_another_is_held(address: str, rpps: str) -> None:
    decision = only(letter(named(address, rpps)))
    assert (decision.outcome, decision.rule, decision.owner) == (Outcome.HOLD, "recipient.not-their-address", Owner.HOSPITAL)


@pytest.mark.parametrize("addressee", [named("gp@medecin.test"), named("accueil@ehpad.test")])
def test_an_address_of_the_directory_that_nothing_contradicts_is_delivered_with_its_reason(addressee: Addressee) -> None:
    assert only(letter(addressee)).outcome is Outcome.DELIVER


@pytest.mark.parametrize("addressee", [named("liste.rouge@medecin.test", UNKNOWN_GP), named("application@ch.test")])
def test_an_address_that_the_directory_does_not_know_is_held_unless_the_region_vouches_for_it(addressee: Addressee) -> None:
    decision = only(letter(addressee))
    assert (decision.outcome, decision.rule, decision.owner) == (Outcome.HOLD, "recipient.not-in-directory", Owner.GCS)
    vouched = rules(partners=frozenset({addressee.address}))
    assert only(letter(addressee), how=vouched).outcome is Outcome.DELIVER


def test_a_structures_address_that_the_directory_gives_to_another_structure_is_held() -> None:
    to_the_other = Addressee(address="accueil@ehpad.test", organisation=TWO_BOXES_FINESS)
    assert only(letter(to_the_other)).rule == "recipient.not-their-address"
    own = Addressee(address="accueil@ehpad.test", organisation=EHPAD)
    assert only(letter(own)).outcome is Outcome.DELIVER


def test_an_address_of_a_contact_segment_leaves_only_where_the_directory_confirms_it() -> None:
    unknown = msgspec.structs.replace(named("x@ailleurs.test", GP), unconfirmed=True)
    assert only(letter(unknown)).rule == "recipient.not-their-address"
    nobody = msgspec.structs.replace(named("x@ailleurs.test"), unconfirmed=True)
    assert only(letter(nobody)).rule == "recipient.unconfirmed-contact"
    assert only(letter(nobody), how=rules(directory=None)).rule == "recipient.unconfirmed-contact"
    known = msgspec.structs.replace(named("gp@medecin.test", GP), unconfirmed=True)
    assert only(letter(known)).outcome is Outcome.DELIVER


def test_a_referrer_is_found_by_rpps_in_the_directory() -> None:
    decision = only(letter(referrers=(Professional(rpps=GP),)), how=rules("referrer"))
    assert (decision.outcome, decision.recipient, decision.rule) == (Outcome.DELIVER, "gp@medecin.test", "recipient.referrer")


def test_who_is_referrer_and_treating_physician_gets_the_letter_once() -> None:
    who = patient(treating_physician=Professional(rpps=GP))
    how = rules("treating-physician", "referrer")
    decisions = decide(letter(referrers=(Professional(rpps=GP), Professional(rpps=OTHER_GP))), who, how)
    assert [decision.recipient for decision in decisions] == ["gp@medecin.test", "autre@medecin.test"]


def test_each_referrer_who_cannot_be_found_is_held_apart() -> None:
    people = (Professional(local_id="ADELI:401"), Professional(rpps=TWO_BOXES), Professional(rpps=UNKNOWN_GP))
    decisions = decide(letter(referrers=people), how=rules("referrer"))
    assert [decision.rule for decision in decisions] == [
        "recipient.referrer-without-rpps",
        "recipient.referrer-ambiguous",
        "recipient.referrer-without-mailbox",
    ]
    assert all(decision.outcome is Outcome.HOLD for decision in decisions)


def test_a_region_may_prefer_one_of_a_professionals_mailboxes_but_only_of_theirs() -> None:
    document = letter(referrers=(Professional(rpps=TWO_BOXES),))
    assert only(document, how=rules("referrer", preferred={TWO_BOXES: "deux-b@medecin.test"})).recipient == "deux-b@medecin.test"
    assert only(document, how=rules("referrer", preferred={TWO_BOXES: "gp@medecin.test"})).rule == "recipient.referrer-ambiguous"


def test_the_structure_ahead_gets_the_letter_at_its_organisational_mailbox() -> None:
    document = letter(discharge_mode="8", discharge_destination="7", discharge_finess=EHPAD)
    decision = only(document, how=rules("destination-structure"))
    assert (decision.outcome, decision.recipient) == (Outcome.DELIVER, "accueil@ehpad.test")
    assert decision.rule == "recipient.destination-structure"


@pytest.mark.parametrize(
    ("changes", "outcome", "rule"),
    [
        ({"discharge_mode": "8", "discharge_destination": "7"}, Outcome.HOLD, "recipient.structure-without-finess"),
        ({"discharge_mode": "7", "discharge_finess": TWO_BOXES_FINESS}, Outcome.HOLD, "recipient.structure-ambiguous"),
        ({"discharge_mode": "7", "discharge_finess": "400000099"}, Outcome.HOLD, "recipient.structure-without-mailbox"),
        ({"discharge_mode": "8"}, Outcome.DROP, "recipient.not-concerned"),
        ({"discharge_mode": "9", "discharge_finess": EHPAD}, Outcome.DROP, "recipient.not-concerned"),
        ({"discharge_mode": "7", "discharge_finess": EHPAD, "finess": EHPAD}, Outcome.DROP, "recipient.not-concerned"),
    ],
)
def test_a_structure_that_is_in_doubt_holds_and_going_home_is_no_doubt(
    changes: dict[str, object], outcome: Outcome, rule: str
) -> None:
    decision = only(letter(**changes), how=rules("destination-structure"))
    assert (decision.outcome, decision.rule) == (outcome, rule)


def test_a_preferred_mailbox_settles_between_a_structures_several() -> None:
    document = letter(discharge_mode="7", discharge_finess=TWO_BOXES_FINESS)
    how = rules("destination-structure", preferred={TWO_BOXES_FINESS: "smr-b@ch.test"})
    assert only(document, how=how).recipient == "smr-b@ch.test"
    elsewhere = rules("destination-structure", preferred={TWO_BOXES_FINESS: "gp@medecin.test"})
    assert only(document, how=elsewhere).outcome is Outcome.HOLD


def test_without_a_directory_the_senders_word_is_taken_and_said() -> None:
    decision = only(letter(named("gp@medecin.test", OTHER_GP)), how=rules("named", directory=None))
    assert decision.outcome is Outcome.DELIVER and "aucun annuaire" in decision.reason


@pytest.mark.parametrize("address", ["nobody", "a@b@c.test", "a b@c.test", "x@y.test\r\nBcc: z@y.test"])
def test_a_malformed_address_is_held(address: str) -> None:
    decision = only(letter(named(address, GP)))
    assert (decision.outcome, decision.rule) == (Outcome.HOLD, "recipient.malformed-address")


@pytest.mark.parametrize(
    ("rpps", "outcome"), [(GP, Outcome.DELIVER), (TWO_BOXES, Outcome.HOLD), ("", Outcome.HOLD), ("1", Outcome.HOLD)]
)
def test_somebody_named_without_an_address_is_written_to_only_where_the_directory_gives_one(rpps: str, outcome: Outcome) -> None:
    decision = only(letter(named("", rpps)))
    assert decision.outcome is outcome
    assert decision.rule == ("recipient.named" if outcome is Outcome.DELIVER else "recipient.named-without-address")
    assert outcome is Outcome.DELIVER or decision.recipient in ("", f"rpps:{rpps}")


def test_the_same_address_is_decided_once() -> None:
    assert len(decide(letter(named("gp@medecin.test", GP), named("GP@MEDECIN.TEST", GP)))) == 1


def test_the_treating_physician_is_found_by_rpps() -> None:
    decision = only(letter(), patient(treating_physician=Professional(rpps=GP)))
    assert (decision.outcome, decision.recipient, decision.rule) == (
        Outcome.DELIVER,
        "gp@medecin.test",
        "recipient.treating-physician",
    )


def test_a_treating_physician_whom_the_sender_names_is_not_served_twice() -> None:
    assert len(decide(letter(named("gp@medecin.test", GP)), patient(treating_physician=Professional(rpps=GP)))) == 1
    both = decide(letter(named("autre@medecin.test", OTHER_GP)), patient(treating_physician=Professional(rpps=GP)))
    assert [decision.recipient for decision in both] == ["autre@medecin.test", "gp@medecin.test"]


@pytest.mark.parametrize(
    ("physician", "rule", "owner"),
    [
        (Professional(local_id="ADELI:401"), "recipient.treating-without-rpps", Owner.HOSPITAL),
        (Professional(rpps=TWO_BOXES), "recipient.treating-ambiguous", Owner.GCS),
        (Professional(rpps=UNKNOWN_GP), "recipient.treating-without-mailbox", Owner.GCS),
    ],
)
def test_a_treating_physician_without_one_sure_mailbox_is_held(physician: Professional, rule: str, owner: Owner) -> None:
    decision = only(letter(), patient(treating_physician=physician))
    assert (decision.outcome, decision.rule, decision.owner) == (Outcome.HOLD, rule, owner)


def test_a_treating_physician_needs_a_directory() -> None:
    decision = only(letter(), patient(treating_physician=Professional(rpps=GP)), rules(directory=None))
    assert (decision.outcome, decision.rule) == (Outcome.HOLD, "recipient.no-directory")


@pytest.mark.parametrize("kinds", [("named",), ("treating-physician",), BOTH])
def test_a_letter_for_nobody_is_held(kinds: tuple[str, ...]) -> None:
    decision = only(letter(), how=rules(*kinds))
    assert (decision.outcome, decision.rule, decision.recipient) == (Outcome.HOLD, "recipient.nobody", "")
    assert "Aucun destinataire" in decision.reason


def test_a_document_for_the_dmp_alone_is_dropped_when_it_names_nobody() -> None:
    flags = msgspec.structs.replace(PS, to_professionals=False, to_dmp=True)
    assert only(letter(flags=flags)).outcome is Outcome.DROP
    assert only(letter(flags=flags), patient(treating_physician=Professional(rpps=GP))).outcome is Outcome.DROP
    assert only(letter(named("gp@medecin.test", GP), flags=flags)).outcome is Outcome.HOLD


def test_a_document_of_another_patient_is_held_for_everybody() -> None:
    document = letter(named("gp@medecin.test", GP), named("autre@medecin.test", OTHER_GP), same_patient=False)
    assert {(decision.outcome, decision.rule) for decision in decide(document)} == {(Outcome.HOLD, "recipient.other-patient")}


def test_a_document_about_another_patient_s_visit_is_held_for_everybody_and_taking_it_back_is_not() -> None:
    document = letter(named("gp@medecin.test", GP), visit_of_another=True)
    decision = only(document)
    assert (decision.outcome, decision.rule, decision.owner) == (Outcome.HOLD, "recipient.visit-of-another", Owner.HOSPITAL)
    assert only(msgspec.structs.replace(document, action=DocumentAction.WITHDRAW)).outcome is Outcome.DELIVER


def test_a_document_with_another_ins_is_held() -> None:
    assert only(letter(named("gp@medecin.test", GP), ins=OTHER_INS)).rule == "gates.identity.other-ins"
    assert only(letter(named("gp@medecin.test", GP), ins=INS)).outcome is Outcome.DELIVER


@pytest.mark.parametrize("code", sorted(DOUBTFUL))
def test_letters_of_a_doubtful_identity_are_held(code: str) -> None:
    decision = only(letter(named("gp@medecin.test", GP)), patient(statuses=("VALI", code)))
    assert (decision.outcome, decision.rule, decision.owner) == (Outcome.HOLD, "gates.identity.doubtful", Owner.HOSPITAL)


def test_without_a_qualified_ins_a_professional_is_served_by_derogation() -> None:
    decision = only(letter(named("gp@medecin.test", GP)), patient(ins=None, statuses=()))
    assert (decision.outcome, decision.rule) == (Outcome.DELIVER, DEROGATION)
    assert "dérogation" in decision.reason


def test_the_patient_is_served_at_the_address_of_the_qualified_ins_only() -> None:
    own = Addressee(address=PATIENT_ADDRESS, patient_matricule=MATRICULE)
    assert only(letter(own, flags=PS_AND_PATIENT)).rule == "recipient.patient"
    assert only(letter(own, flags=PS)).outcome is Outcome.HOLD
    assert only(letter(own, flags=PS_AND_PATIENT), patient(ins=None)).rule == "gates.identity.patient-without-ins"
    assert only(letter(own, flags=PS_AND_PATIENT), patient(ins=OTHER_INS)).rule == "gates.identity.patient-address"


@pytest.mark.parametrize(
    "addressee",
    [
        Addressee(address=f"27707{MATRICULE}@patient.mssante.fr", patient_matricule=f"27707{MATRICULE}"),
        Addressee(address=PATIENT_ADDRESS, patient_matricule=f"27707{MATRICULE}"),
        Addressee(address=f"{OTHER_INS.matricule}@patient.mssante.fr"),
        Addressee(address="gp@medecin.test", patient_matricule=MATRICULE),
    ],
)
def test_a_patients_address_that_differs_is_held_and_never_rewritten(addressee: Addressee) -> None:
    decision = only(letter(addressee, flags=PS_AND_PATIENT))
    assert (decision.outcome, decision.recipient) == (Outcome.HOLD, addressee.address)


def test_an_unknown_domain_is_held_when_domains_are_checked() -> None:
    how = rules(known_domains=frozenset({"medecin.test"}))
    assert only(letter(named("gp@medecin.test", GP)), how=how).outcome is Outcome.DELIVER
    assert only(letter(named("gp@sub.medecin.test")), how=how).rule == "recipient.unknown-domain"
