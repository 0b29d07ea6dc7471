"""Who gets a letter, why not, and what the last look finds."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.care.facts import Addressee, DocumentAction, DocumentFact, DocumentFlags
from liaison.care.patient import Patient
from liaison.care.person import Ins, Professional
from liaison.care.units import Unit
from liaison.mssante.directory import COLUMNS, Directory
from liaison.rules.decision import Decision, Objection, Outcome, Owner
from liaison.rules.gates.identity import DEROGATION, DOUBTFUL
from liaison.rules.letters import LetterRules, decide_letter, last_look_letter, letter_waits
from liaison.rules.routing import Route

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
GP, OTHER_GP, TWO_BOXES, UNKNOWN_GP = "10000000001", "10000000002", "10000000003", "10000000009"
MATRICULE = "260058815400233"
INS = Ins(matricule=MATRICULE, oid="1.2.250.1.213.1.4.10")
OTHER_INS = Ins(matricule="175051234567890", oid="1.2.250.1.213.1.4.10")
PS = DocumentFlags(
    masked_from_professionals=False,
    hidden_from_patient=False,
    hidden_from_representatives=False,
    to_professionals=True,
    to_patient=False,
)
PS_AND_PATIENT = msgspec.structs.replace(PS, to_patient=True)
PATIENT_ADDRESS = f"{MATRICULE}@patient.mssante.fr"
BOTH = ("named", "treating-physician")
EHPAD, TWO_BOXES_FINESS = "400000055", "400000077"


def directory() -> Directory:
    header = [""] * COLUMNS
    for position, name in {
        1: "Type de BAL",
        2: "Adresse BAL",
        4: "Identifiant PP",
        7: "Identification Structure",
        10: "Nom d'exercice",
    }.items():
        header[position - 1] = name
    rows = [header]
    for address, rpps, structure in (
        ("gp@medecin.test", GP, "S1"),
        ("autre@medecin.test", OTHER_GP, "S2"),
        ("deux-a@medecin.test", TWO_BOXES, "S3"),
        ("deux-b@medecin.test", TWO_BOXES, "S4"),
    ):
        row = [""] * COLUMNS
        row[0], row[1], row[3], row[6] = "PER", address, rpps, structure
        rows.append(row)
    for address, finess in (
        ("accueil@ehpad.test", EHPAD),
        ("smr-a@ch.test", TWO_BOXES_FINESS),
        ("smr-b@ch.test", TWO_BOXES_FINESS),
    ):
        row = [""] * COLUMNS
        row[0], row[1], row[5], row[6] = "ORG", address, "FINESS", finess
        rows.append(row)
    return Directory.load("|".join(row) + "\n" for row in rows)


DIRECTORY = directory()


def patient(**changes: object) -> Patient:
    return msgspec.structs.replace(Patient(id="p1", recorded_at=NOW, ins=INS, statuses=("VALI",)), **changes)


def named(address: str, rpps: str = "") -> Addressee:
    return Addressee(address=address, professional=Professional(rpps=rpps) if rpps else None)


def letter(*addressees: Addressee, **changes: object) -> DocumentFact:
    fact = DocumentFact(
        patient=(),
        action=DocumentAction.PUBLISH,
        id="1.2.3",
        set_id="1.2.3",
        version=1,
        type_code="11490-0",
        title="CR",
        level="N1",
        created_at=NOW,
        flags=PS,
        addressees=addressees,
        same_patient=True,
        digest="00",
        recorded_at=NOW,
    )
    return msgspec.structs.replace(fact, **changes)


def rules(*kinds: str, **changes: object) -> LetterRules:
    route = Route(documents=("11490-0",), to="promess", recipients=kinds or BOTH)
    return msgspec.structs.replace(LetterRules(routes=(route,), directory=DIRECTORY), **changes)


def decide(document: DocumentFact, who: Patient | None = None, how: LetterRules | None = None) -> tuple[Decision, ...]:
    return decide_letter(document, rules=how or rules(), source="ch", patient=who or patient(), processing="P").decisions


def only(document: DocumentFact, who: Patient | None = None, how: LetterRules | None = None) -> Decision:
    (decision,) = decide(document, who, how)
    assert decision.reason and decision.rule
    assert (decision.owner is not Owner.NOBODY) == (decision.outcome is Outcome.HOLD)
    return decision


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


def test_a_sensitive_units_letter_is_held_unless_a_route_takes_it_on_purpose() -> None:
    units = {"ch": {"7100": Unit(code="7100", sensitive=True), "7200": Unit(code="7200")}}
    sensitive, ordinary = letter(named("gp@medecin.test", GP), unit="7100"), letter(named("gp@medecin.test", GP), unit="7200")
    how = rules("named", units=units)
    assert only(ordinary, how=how).outcome is Outcome.DELIVER
    assert (only(sensitive, how=how).rule, only(sensitive, how=how).owner) == ("letters.sensitive-unit", Owner.HOSPITAL)
    on_purpose = Route(documents=("*",), to="protege", recipients=("named",), sensitive=True)
    open_too = msgspec.structs.replace(how, routes=(*how.routes, on_purpose))
    assert (only(sensitive, how=open_too).destination, only(sensitive, how=open_too).outcome) == ("protege", Outcome.DELIVER)


def test_a_route_of_some_units_takes_their_letters_only() -> None:
    how = rules(routes=(Route(documents=("*",), to="promess", recipients=("named",), units=("7200",)),))
    assert decide(letter(named("gp@medecin.test", GP), unit="7100"), how=how) == ()
    assert only(letter(named("gp@medecin.test", GP), unit="7200"), how=how).outcome is Outcome.DELIVER


def test_a_letter_waits_as_long_as_the_most_patient_route_to_a_destination_says_and_a_withdrawal_not_at_all() -> None:
    routes = tuple(Route(documents=("*",), to="promess", recipients=("named",), wait=wait) for wait in ("10m", "90s", ""))
    assert letter_waits(letter(), rules=rules(routes=routes), source="ch") == {"promess": 600.0}
    assert letter_waits(letter(action=DocumentAction.WITHDRAW), rules=rules(routes=routes), source="ch") == {}


@pytest.mark.parametrize("wait", ["10", "m", "-1m", "25h", "1.5h", "10m\n", "١m"])
def test_a_wait_that_is_none_is_refused(wait: str) -> None:
    with pytest.raises(ValueError, match="wait"):
        _ = Route(documents=("*",), to="promess", wait=wait).wait_seconds


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


def test_a_letter_that_no_route_takes_has_no_decision() -> None:
    assert decide(letter(named("gp@medecin.test", GP), type_code="18748-4")) == ()


def test_two_destinations_do_not_serve_one_address_twice() -> None:
    routes = tuple(Route(documents=("*",), to=to, recipients=("named",)) for to in ("promess", "copie"))
    assert [decision.destination for decision in decide(letter(named("gp@medecin.test", GP)), how=rules(routes=routes))] == [
        "promess"
    ]


def test_a_test_message_is_dropped_in_production() -> None:
    how = rules(territory="production")
    decided = decide_letter(letter(named("gp@medecin.test", GP)), rules=how, source="ch", patient=patient(), processing="T")
    assert [(decision.outcome, decision.rule) for decision in decided.decisions] == [(Outcome.DROP, "routing.test-message")]


def look_again(
    decision: Decision, document: DocumentFact, who: Patient, *, withdrawn: bool = False, replaced: bool = False
) -> Objection | None:
    return last_look_letter(
        document,
        destination=decision.destination,
        recipient=decision.recipient,
        had_ins=decision.rule != DEROGATION,
        rules=rules(),
        source="ch",
        patient=who,
        withdrawn=withdrawn,
        replaced=replaced,
    )


def look(document: DocumentFact, before: Patient, after: Patient, *, withdrawn: bool = False, replaced: bool = False) -> str:
    decision = only(document, before)
    assert decision.outcome is Outcome.DELIVER
    objection = look_again(decision, document, after, withdrawn=withdrawn, replaced=replaced)
    return f"{objection.outcome} {objection.rule}" if objection else "leaves"


def test_the_last_look_sees_what_came_since() -> None:
    document, before = letter(named("gp@medecin.test", GP)), patient()
    assert look(document, before, before) == "leaves"
    assert look(document, before, patient(statuses=("VALI", "DOUT"))) == "hold gates.identity.doubtful"
    assert look(document, before, patient(merged_into="p2")) == "hold gates.identity.merged"
    assert look(document, before, patient(ins=None, statuses=("PROV",))) == "hold gates.identity.ins-lost"
    assert look(document, patient(ins=None), patient(ins=None)) == "leaves"
    assert look(document, patient(ins=None), patient()) == "leaves"
    assert look(document, before, before, withdrawn=True) == "drop letters.withdrawn"
    assert look(document, before, before, replaced=True) == "drop letters.replaced"


def test_the_notice_of_a_withdrawal_is_not_stopped_by_the_withdrawal() -> None:
    notice = letter(named("gp@medecin.test", GP), action=DocumentAction.WITHDRAW)
    assert look(notice, patient(), patient(), withdrawn=True) == "leaves"


def test_the_last_look_holds_a_letter_for_somebody_who_is_no_longer_the_treating_physician() -> None:
    before = patient(treating_physician=Professional(rpps=GP))
    after = patient(treating_physician=Professional(rpps=OTHER_GP))
    assert look(letter(), before, after) == "hold recipient.changed"


def test_reasons_name_nobody() -> None:
    who = patient(treating_physician=Professional(rpps=GP))
    documents = (
        letter(named("gp@medecin.test", OTHER_GP), named("bad address", GP), Addressee(address=PATIENT_ADDRESS)),
        letter(),
        letter(same_patient=False),
    )
    for document in documents:
        for decision in decide(document, who):
            assert not any(value in decision.reason for value in (GP, OTHER_GP, MATRICULE, "medecin.test", "bad address"))


addressees = st.builds(
    Addressee,
    address=st.one_of(
        st.sampled_from(["gp@medecin.test", "GP@medecin.test", "autre@medecin.test", PATIENT_ADDRESS, "x@y", ""]),
        st.text(max_size=12),
    ),
    professional=st.none() | st.sampled_from([GP, OTHER_GP, TWO_BOXES, UNKNOWN_GP, ""]).map(lambda rpps: Professional(rpps=rpps)),
    patient_matricule=st.sampled_from(["", MATRICULE, OTHER_INS.matricule]),
)
people = st.builds(
    Patient,
    id=st.just("p1"),
    recorded_at=st.just(NOW),
    ins=st.sampled_from([None, INS, OTHER_INS]),
    statuses=st.sampled_from([(), ("VALI",), ("VALI", "FICT"), ("DOUB",)]),
    treating_physician=st.none() | st.sampled_from([GP, TWO_BOXES, ""]).map(lambda rpps: Professional(rpps=rpps)),
)
answers = st.none() | st.booleans()


@given(
    addressees=st.lists(addressees, max_size=4).map(tuple),
    who=people,
    flags=st.builds(
        DocumentFlags,
        masked_from_professionals=answers,
        hidden_from_patient=answers,
        to_professionals=answers,
        to_patient=answers,
        to_dmp=answers,
    ),
    same=st.booleans(),
    ins=st.sampled_from([None, INS]),
)
def test_whatever_comes_nothing_leaves_that_must_not(
    addressees: tuple[Addressee, ...], who: Patient, flags: DocumentFlags, same: bool, ins: Ins | None
) -> None:
    document = letter(*addressees, flags=flags, same_patient=same, ins=ins)
    decisions = decide(document, who)
    assert decisions
    keys = [decision.recipient.lower() for decision in decisions if decision.recipient]
    assert len(keys) == len(set(keys))
    for decision in decisions:
        assert (decision.owner is not Owner.NOBODY) == (decision.outcome is Outcome.HOLD)
        if decision.outcome is not Outcome.DELIVER:
            continue
        assert same and not set(who.statuses) & set(DOUBTFUL)
        assert ins is None or who.ins in (None, ins)
        if decision.recipient.endswith("@patient.mssante.fr"):
            assert who.ins is not None and decision.recipient == f"{who.ins.matricule}@patient.mssante.fr"
            assert flags.to_patient and not flags.hidden_from_patient
        else:
            assert not flags.masked_from_professionals and flags.to_professionals is not False
        objection = look_again(decision, document, who)
        assert objection is None
