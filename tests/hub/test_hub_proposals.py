"""Two hospitals on one hub: what one says of the other's patients waits for a person, and changes nothing until then."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from liaison.care.facts import Fact, IdentityAction, IdentityFact
from liaison.care.identifiers import Identifier
from liaison.hub import proposals
from liaison.hub.contracts import Reading, Verdict
from liaison.hub.engine import intake
from liaison.hub.intake import Taken
from liaison.hub.journal.queries import ProposalLine
from liaison.hub.journal.records import Key, ProposalRecord, number_id
from liaison.hub.journal.view import View
from liaison.hub.policy import Policy
from liaison.hub.proposals import Accepted, Answered, PatientsOf, RefuseProposal
from liaison.mappings.interpretation import SourceProfile
from liaison.rules.letters import LetterRules
from tests.hub.bench import ROUTES, Bench, patient_of, rules
from tests.hub.people import FINESS, SOURCE, identity, ins, ipp, letter, merge, movement, reading

CLINIC, CLINIC_SOURCE = "400099999", "clinique"
OURS, THEIRS = f"finess:{FINESS}", f"finess:{CLINIC}"
MATRICULE = "279034019212355"


def two_hospitals(*matching: str) -> Policy:
    return Policy(
        letters=LetterRules(routes=ROUTES),
        profiles={
            SOURCE: SourceProfile(source=SOURCE, finess=FINESS, others_authorities=frozenset({THEIRS})),
            CLINIC_SOURCE: SourceProfile(source=CLINIC_SOURCE, finess=CLINIC, others_authorities=frozenset({OURS})),
        },
        destinations=("platform", "mail"),
        domains={OURS: FINESS, THEIRS: CLINIC},
        matching=frozenset(matching),
        several=True,
    )


@pytest.fixture
def hub(bench: Bench) -> Bench:
    bench.policy = two_hospitals()
    return bench


def from_clinic(*facts: Fact, kind: str = "ADT^A01") -> Reading:
    return reading(*facts, source=CLINIC_SOURCE, establishment=CLINIC, kind=kind)


def clinic_identity(number: str, *, matricule: str = "", minutes: float = 0) -> IdentityFact:
    return identity(number, authority=THEIRS, matricule=matricule, minutes=minutes)


def their_merge(survivor: Identifier, absorbed: Identifier) -> IdentityFact:
    return replace(merge("1", "2"), identifiers=(survivor,), absorbed=(absorbed,))


def open_ones(hub: Bench) -> tuple[ProposalLine, ...]:
    return hub.journal.reader.proposals()


def only(hub: Bench) -> ProposalRecord:
    (line,) = open_ones(hub)
    found = hub.journal.reader.proposal(number_id(line.id))
    assert found is not None
    return found


async def accepted(hub: Bench, proposal: ProposalRecord | None = None) -> Accepted:
    return await hub.commit(proposals.accept(proposal or only(hub), hub.policy, hub.vault.blind))


def patients(hub: Bench) -> list[tuple[int, str]]:
    """Every patient's number, and whom it was merged into."""
    found = [hub.journal.reader.patient(number) for (number,) in hub.rows("SELECT id FROM patient ORDER BY id")]
    return [(one.id, one.state.merged_into) for one in found if one is not None]


async def test_the_same_numbers_in_two_hospitals_are_two_people(hub: Bench) -> None:
    here = await hub.take(reading(identity("1001"), movement("1001", "V1")))
    there = await hub.take(from_clinic(clinic_identity("1001")))
    assert patient_of(here) != patient_of(there) and not open_ones(hub)
    assert here.answer.verdict is there.answer.verdict is Verdict.ACCEPTED


async def test_a_merge_of_the_other_s_patients_changes_nothing_until_it_is_accepted(hub: Bench) -> None:
    first = await hub.take(reading(identity("1")))
    second = await hub.take(reading(identity("2", name="AUTRE")))
    before = hub.rows("SELECT * FROM patient")
    taken = await hub.take(from_clinic(their_merge(ipp("1"), ipp("2")), kind="ADT^A40"))
    assert taken.answer.verdict is Verdict.ACCEPTED_WITH_FINDINGS and not taken.events and not taken.decisions
    assert rules(taken.findings) == ["sender.proposed"]
    assert hub.rows("SELECT * FROM patient") == before
    (line,) = open_ones(hub)
    assert (line.kind, line.source, line.establishment, line.message) == ("merge", CLINIC_SOURCE, CLINIC, taken.answer.message_id)
    done = await accepted(hub)
    assert done.answered is Answered.DONE and done.events == 1 and ("platform", patient_of(first)) in done.wake
    assert (patient_of(second), f"{patient_of(first):016x}") in patients(hub)
    assert hub.works()[-1] == (2, "pending"), "told to the platform, in the survivor's lane"
    event = hub.journal.reader.event_body(number_id(line.id), 0)
    assert event is not None and b"identity.merged" in event
    found = await hub.take(reading(identity("2", name="AUTRE", minutes=9)))
    assert patient_of(found) == patient_of(first)


async def test_what_was_answered_is_answered_once(hub: Bench) -> None:
    await hub.take(reading(identity("1")))
    await hub.take(from_clinic(their_merge(ipp("1"), ipp("2")), kind="ADT^A40"))
    proposal = only(hub)
    assert await hub.commit(RefuseProposal(proposal=proposal)) is Answered.DONE
    before = hub.rows("SELECT * FROM patient")
    assert await hub.commit(RefuseProposal(proposal=proposal)) is Answered.ALREADY
    assert (await accepted(hub, proposal)).answered is Answered.ALREADY
    assert hub.rows("SELECT * FROM patient") == before
    (line,) = hub.journal.reader.proposals(state="refused")
    assert line.decided_at is not None and not open_ones(hub)


async def test_two_answers_in_one_batch_are_one(hub: Bench) -> None:
    await hub.take(reading(identity("1")))
    await hub.take(reading(identity("2")))
    await hub.take(from_clinic(their_merge(ipp("1"), ipp("2")), kind="ADT^A40"))
    proposal = only(hub)
    answer = proposals.accept(proposal, hub.policy, hub.vault.blind)
    first, second = await hub.together(answer, RefuseProposal(proposal=proposal))
    assert (first.answered, second) == (Answered.DONE, Answered.ALREADY)


@pytest.mark.parametrize("answer", ["open", "refused"])
async def test_the_same_assertion_is_proposed_once(hub: Bench, answer: str) -> None:
    await hub.take(from_clinic(their_merge(ipp("1"), ipp("2")), kind="ADT^A40"))
    if answer == "refused":
        await hub.commit(RefuseProposal(proposal=only(hub)))
    again = [from_clinic(their_merge(ipp("1"), ipp("2")), kind="ADT^A40") for _ in range(3)]
    for taken in await hub.take_together(*again):
        assert isinstance(taken, Taken) and rules(taken.findings) == ["sender.proposed"]
    assert hub.rows("SELECT count(*) FROM proposal") == [(1,)]
    assert len(open_ones(hub)) == (1 if answer == "open" else 0)


async def test_a_change_of_the_other_s_number_is_proposed(hub: Bench) -> None:
    known = await hub.take(reading(identity("1")))
    change = replace(identity("9"), action=IdentityAction.CHANGE_IDENTIFIER, absorbed=(ipp("1"),), of_identity=True)
    taken = await hub.take(from_clinic(change, kind="ADT^A47"))
    assert not taken.events and only(hub).kind == "identifier-change"
    assert patient_of(await hub.take(reading(identity("9", name="NOUVEAU", minutes=1)))) != patient_of(known)
    assert (await accepted(hub)).answered is Answered.CONTRADICTED, "the number was given to somebody else meanwhile"
    assert open_ones(hub)


async def test_a_number_of_the_other_s_is_not_taken_over_and_the_rest_acts(hub: Bench) -> None:
    here = await hub.take(reading(identity("1"), movement("1", "V1")))
    fact = replace(clinic_identity("77"), identifiers=(ipp("77", THEIRS), ipp("1")))
    there = await hub.take(from_clinic(fact))
    assert patient_of(there) != patient_of(here) and [event.type for event in there.events] == ["identity.created"]
    assert only(hub).kind == "link"
    done = await accepted(hub)
    assert done.answered is Answered.DONE and done.patient is not None and done.patient.id == patient_of(here)
    after = await hub.take(from_clinic(clinic_identity("77", minutes=5)))
    assert patient_of(after) == patient_of(here)
    assert {one.value for one in done.patient.state.active_identifiers} == {"1", "77"}, "no number is given up"


async def test_a_message_about_the_other_s_patient_only_is_proposed_whole(hub: Bench) -> None:
    here = await hub.take(reading(identity("1")))
    subject = hub.rows("SELECT subject FROM message")
    taken = await hub.take(from_clinic(identity("1", name="PIRATE", minutes=5), replace(movement("1", "V9"), finess=CLINIC)))
    assert not taken.events and only(hub).kind == "assertion"
    assert hub.rows("SELECT subject FROM message WHERE source = ?", CLINIC_SOURCE) == subject, (
        "sealed under the key of who it is about"
    )
    record = hub.journal.reader.patient(patient_of(here))
    assert record is not None and record.state.traits is not None and record.state.traits.birth_name == "ESSAI"
    shown = await hub.commit(PatientsOf(accept=proposals.accept(only(hub), hub.policy, hub.vault.blind)))
    assert [one.id for one in shown] == [patient_of(here)]


async def test_a_letter_about_the_other_s_patient_stays_with_its_sender(hub: Bench) -> None:
    await hub.take(reading(identity("1")))
    taken = await hub.take(from_clinic(identity("1"), letter("1", "2.25.7"), kind="ORU^R01"))
    assert taken.answer.verdict is Verdict.QUARANTINED and rules(taken.findings) == ["sender.document-of-another-hospital"]
    assert taken.answer.reply.startswith(b"AE") and not open_ones(hub)


async def test_a_movement_of_the_other_s_stay_is_proposed(hub: Bench) -> None:
    await hub.take(reading(identity("1"), movement("1", "V1")))
    before = hub.rows("SELECT * FROM stay")
    fact = replace(movement("77", "V1", trigger="A03", order=2), patient=(ipp("77", THEIRS),))
    taken = await hub.take(from_clinic(clinic_identity("77"), fact))
    assert only(hub).kind == "stay" and hub.rows("SELECT * FROM stay") == before
    assert [event.type for event in taken.events] == ["identity.created"]
    assert (await accepted(hub)).answered is Answered.CONTRADICTED, "the stay is another patient's"


async def test_one_ins_in_two_hospitals_is_proposed_by_default(hub: Bench) -> None:
    here = await hub.take(reading(identity("1", matricule=MATRICULE)))
    there = await hub.take(from_clinic(clinic_identity("77", matricule=MATRICULE)))
    assert patient_of(here) != patient_of(there) and "sender.ins-match" in rules(there.findings)
    assert there.answer.verdict is Verdict.ACCEPTED, "nothing is wrong with the message"
    assert only(hub).kind == "ins-match"
    await hub.take(from_clinic(clinic_identity("77", matricule=MATRICULE, minutes=3)))
    assert len(open_ones(hub)) == 1
    done = await accepted(hub)
    assert done.patient is not None and done.patient.id == patient_of(here)
    later = await hub.take(from_clinic(clinic_identity("77", matricule=MATRICULE, minutes=5)))
    assert patient_of(later) == patient_of(here) and not open_ones(hub)


@pytest.mark.parametrize(("matching", "together"), [((FINESS, CLINIC), True), ((CLINIC,), False), ((FINESS,), False)])
async def test_an_ins_recognises_across_hospitals_where_both_asked_for_it(
    hub: Bench, matching: tuple[str, ...], together: bool
) -> None:
    hub.policy = two_hospitals(*matching)
    here = await hub.take(reading(identity("1", matricule=MATRICULE)))
    there = await hub.take(from_clinic(clinic_identity("77", matricule=MATRICULE)))
    assert (patient_of(here) == patient_of(there)) is together
    assert bool(open_ones(hub)) is not together


async def test_other_traits_are_never_matched(hub: Bench) -> None:
    hub.policy = two_hospitals(FINESS, CLINIC)
    here = await hub.take(reading(identity("1", matricule=MATRICULE)))
    other = identity("77", authority=THEIRS, matricule=MATRICULE, first="ZOE")
    there = await hub.take(from_clinic(other))
    assert patient_of(here) != patient_of(there) and only(hub).kind == "ins-match"


async def test_who_is_known_in_two_hospitals_is_no_longer_one_s_to_merge(hub: Bench) -> None:
    hub.policy = two_hospitals(FINESS, CLINIC)
    here = await hub.take(reading(identity("1", matricule=MATRICULE)))
    await hub.take(from_clinic(clinic_identity("77", matricule=MATRICULE)))
    await hub.take(from_clinic(clinic_identity("78")))
    taken = await hub.take(from_clinic(their_merge(ipp("78", THEIRS), ipp("77", THEIRS)), kind="ADT^A40"))
    assert not taken.events and only(hub).kind == "merge"
    assert patient_of(await hub.take(reading(identity("1", minutes=9)))) == patient_of(here)
    removed = replace(clinic_identity("77", minutes=10), action=IdentityAction.CHANGE_IDENTIFIER, absorbed=(ins(MATRICULE),))
    await hub.take(from_clinic(removed, kind="ADT^A47"))
    assert [line.kind for line in open_ones(hub)] == ["merge", "identifier-change"]
    record = hub.journal.reader.patient(patient_of(here))
    assert record is not None and record.state.ins is not None, "the other hospital's identity stays qualified"


async def test_a_proposal_keeps_what_was_said_and_shows_nobody(hub: Bench) -> None:
    fact = their_merge(ipp("CANARY1"), ipp("CANARY2"))
    await hub.take(from_clinic(fact, kind="ADT^A40"))
    proposal = only(hub)
    assert proposal.facts == (fact,)
    await hub.journal.close()
    for file in hub.path.parent.iterdir():
        assert b"CANARY" not in file.read_bytes()
    hub.open()


def asked_for(message: Reading, policy: Policy, bench: Bench) -> list[Key]:
    """Every key that taking a message in an empty journal asks for."""
    command, view, asked = intake(message, policy, bench.vault), View(), list[Key]()
    while wanted := view.missing(command.needs(view)):
        asked += wanted
        for key in wanted:
            view.load(key, None)
    return asked


async def test_one_hospital_alone_asks_the_journal_nothing_more(bench: Bench) -> None:
    """What an ordinary message costs does not change: no key of a proposal, none of an INS elsewhere, no row for either."""
    message = reading(identity("1", matricule=MATRICULE), movement("1", "V1"))
    alone = [key[0] for key in asked_for(message, bench.policy, bench)]
    beside = [key[0] for key in asked_for(message, two_hospitals(), bench)]
    assert (alone.count("identifier"), beside.count("identifier")) == (3, 4)
    assert "proposal" not in alone + beside
    await bench.take(message)
    assert bench.rows("SELECT count(*) FROM identifier") == [(3,)]
