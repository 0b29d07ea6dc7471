"""What the hub makes of one message, on a real journal."""

from __future__ import annotations

import msgspec
import pytest

from liaison.care.facts import DocumentAction, IdentityAction
from liaison.finding import Finding, Severity
from liaison.hub.claims import Claimed, NotNow
from liaison.hub.contracts import Delivered, Unavailable, Verdict
from liaison.hub.intake import Taken
from liaison.hub.last_look import PolicyLastLook
from liaison.rules.decision import Outcome
from tests.hub.bench import Bench, patient_of, rules
from tests.hub.people import (
    GP,
    OTHER_GP,
    admission,
    identity,
    ipp,
    letter,
    merge,
    movement,
    reading,
    transfer,
)


async def test_an_admission_tells_a_new_patient_and_a_new_stay(bench: Bench) -> None:
    taken = await bench.take(reading(*admission("1", "V1")))
    assert taken.answer.verdict is Verdict.ACCEPTED and taken.answer.reply.startswith(b"AA")
    assert [event.type for event in taken.events] == ["identity.created", "stay.admitted"]
    assert bench.works() == [(1, "pending"), (2, "pending")]
    assert taken.wake == (("platform", patient_of(taken)),)
    assert bench.journal.reader.counts().messages == 1


async def test_a_resend_gets_the_stored_reply_and_no_second_event(bench: Bench) -> None:
    first = await bench.take(reading(*admission("1", "V1"), control_id="A", content=b"same"))
    again = await bench.take(reading(*admission("1", "V1"), control_id="A", content=b"same"))
    assert again.duplicate and again.answer == first.answer
    assert (bench.journal.reader.counts().messages, bench.journal.reader.counts().events) == (1, 2)


async def test_a_resend_beside_its_first_coming_is_recognised(bench: Bench) -> None:
    message = reading(*admission("1", "V1"), control_id="A", content=b"same")
    first, again = await bench.take_together(message, message)
    assert (first.duplicate, again.duplicate, again.answer) == (False, True, first.answer)


async def test_the_same_control_id_of_another_application_or_source_is_another_message(bench: Bench) -> None:
    await bench.take(reading(identity("1"), control_id="A", content=b"same"))
    other = await bench.take(reading(identity("1"), control_id="A", content=b"same", source="autre"))
    assert not other.duplicate and other.findings == ()


async def test_a_control_id_used_again_is_taken_with_a_finding_and_remembered_within_bounds(bench: Bench) -> None:
    for number in range(12):
        taken = await bench.take(reading(identity(str(number)), control_id="0", content=str(number).encode()))
        assert taken.answer.verdict is (Verdict.ACCEPTED_WITH_FINDINGS if number else Verdict.ACCEPTED)
        assert rules(taken.findings) == (["hub.control-id-reused"] if number else [])
    assert len(bench.rows("SELECT digest FROM seen")) == 8
    latest = await bench.take(reading(identity("11"), control_id="0", content=b"11"))
    assert latest.duplicate


async def test_two_messages_of_a_new_patient_in_one_batch_make_one_patient(bench: Bench) -> None:
    first, second = await bench.take_together(reading(*admission("1", "V1")), reading(*transfer("1", "V1", 2)))
    assert patient_of(first) == patient_of(second)
    counts = bench.journal.reader.counts()
    assert (counts.patients, counts.stays) == (1, 1)
    assert bench.works() == [(1, "pending"), (2, "pending"), (3, "pending")]


async def test_two_establishments_with_the_same_numbers_never_meet(bench: Bench) -> None:
    here = await bench.take(reading(*admission("1", "V1")))
    there = await bench.take(reading(*admission("1", "V1"), establishment="400099999"))
    assert patient_of(here) != patient_of(there)
    assert bench.journal.reader.counts().stays == 2


async def test_an_ins_finds_the_record_only_with_the_same_strict_traits(bench: Bench) -> None:
    matricule = "279034019212355"
    known = await bench.take(reading(identity("1", matricule=matricule)))
    same = await bench.take(reading(identity("", matricule=matricule, minutes=1)))
    twin = await bench.take(reading(identity("", matricule=matricule, first="ZOE", minutes=2)))
    assert patient_of(same) == patient_of(known)
    assert patient_of(twin) != patient_of(known) and "hub.ins-of-another-record" in rules(twin.findings)


async def test_an_ins_does_not_join_two_numbers_of_one_hospital(bench: Bench) -> None:
    matricule = "279034019212355"
    first = await bench.take(reading(identity("1", matricule=matricule)))
    other = await bench.take(reading(identity("2", matricule=matricule)))
    assert patient_of(first) != patient_of(other)
    assert "hub.ins-of-another-record" in rules(other.findings)


async def test_a_withdrawn_ins_finds_nobody(bench: Bench) -> None:
    matricule = "279034019212355"
    known = await bench.take(reading(identity("1", matricule=matricule)))
    fact = identity("1", minutes=1)
    gone = msgspec.structs.replace(fact, action=IdentityAction.CHANGE_IDENTIFIER, removes_ins=True, statuses=())
    await bench.take(reading(gone))
    later = await bench.take(reading(identity("", matricule=matricule, minutes=2)))
    assert patient_of(later) != patient_of(known)


async def test_a_withdrawn_ins_may_be_given_to_whom_it_belongs(bench: Bench) -> None:
    matricule = "279034019212355"
    await bench.take(reading(identity("1", matricule=matricule)))
    gone = msgspec.structs.replace(identity("1", minutes=1), action=IdentityAction.CHANGE_IDENTIFIER, removes_ins=True, statuses=())
    await bench.take(reading(gone))
    rightful = await bench.take(reading(identity("2", matricule=matricule, minutes=2)))
    later = await bench.take(reading(identity("", matricule=matricule, minutes=3)))
    assert patient_of(later) == patient_of(rightful) and later.findings == rightful.findings == ()


async def test_after_a_merge_messages_under_the_absorbed_number_reach_the_survivor(bench: Bench) -> None:
    survivor = await bench.take(reading(*admission("1", "V1")))
    await bench.take(reading(*admission("2", "V2")))
    merged = await bench.take(reading(merge("1", "2"), kind="ADT^A40"))
    assert [event.type for event in merged.events] == ["identity.merged"]
    later = await bench.take(reading(identity("2", minutes=2), movement("2", "V2", trigger="A02", order=2)))
    assert patient_of(later) == patient_of(merged) == patient_of(survivor)
    assert [event.type for event in later.events] == ["stay.transferred"]


async def test_what_an_absorbed_record_had_opens_after_it_changed_under_the_survivor(bench: Bench) -> None:
    survivor = await bench.take(reading(*admission("1", "V1")))
    await bench.take(reading(*admission("2", "V2"), letter("2", "D1")))
    await bench.take(reading(merge("1", "2"), kind="ADT^A40"))
    await bench.take(reading(*transfer("2", "V2", 2), letter("2", "D1", action=DocumentAction.WITHDRAW, body=b"", minutes=2)))
    await bench.reopen()  # nothing is remembered: all is read from the file
    later = await bench.take(reading(*transfer("1", "V2", 3), letter("1", "D1", minutes=3)))
    assert patient_of(later) == patient_of(survivor) and later.answer.verdict is not Verdict.QUARANTINED
    assert bench.rows("SELECT DISTINCT patient FROM stay UNION SELECT patient FROM document") == [(patient_of(survivor),)]


async def test_merges_of_one_message_all_hold(bench: Bench) -> None:
    for number in ("1", "2", "3"):
        await bench.take(reading(identity(number)))
    merged = await bench.take(reading(merge("1", "2"), merge("1", "3"), kind="ADT^A40"))
    assert merged.patient is not None and len(merged.patient.state.absorbed) == 2
    for number in ("2", "3"):
        assert patient_of(await bench.take(reading(identity(number, minutes=5)))) == patient_of(merged)


async def test_a_merge_waits_for_what_the_absorbed_record_had_under_way(bench: Bench) -> None:
    survivor = await bench.take(reading(*admission("1", "V1")))
    absorbed = await bench.take(reading(*admission("2", "V2")))
    for _ in range(2):
        await bench.settle(await bench.claimed(patient_of(survivor)), Delivered())
    await bench.take(reading(merge("1", "2"), kind="ADT^A40"))
    assert isinstance(await bench.claim(patient_of(survivor)), NotNow)
    for _ in range(2):
        await bench.settle(await bench.claimed(patient_of(absorbed)), Delivered())
    assert isinstance(await bench.claim(patient_of(survivor)), Claimed)


async def test_a_merge_waits_even_behind_work_of_the_survivor(bench: Bench) -> None:
    survivor = await bench.take(reading(*admission("1", "V1")))
    absorbed = await bench.take(reading(*admission("2", "V2")))
    await bench.take(reading(merge("1", "2"), kind="ADT^A40"))
    for _ in range(2):
        await bench.settle(await bench.claimed(patient_of(survivor)), Delivered())
    assert isinstance(await bench.claim(patient_of(survivor)), NotNow)
    for _ in range(2):
        await bench.settle(await bench.claimed(patient_of(absorbed)), Delivered())
    assert isinstance(await bench.claim(patient_of(survivor)), Claimed)


async def test_two_absorbed_records_are_both_waited_for(bench: Bench) -> None:
    numbers = {name: patient_of(await bench.take(reading(identity(name)))) for name in ("1", "2", "3")}
    await bench.settle(await bench.claimed(numbers["1"]), Delivered())
    await bench.take(reading(merge("1", "2"), kind="ADT^A40"))
    await bench.take(reading(merge("1", "3", minutes=2), kind="ADT^A40"))
    await bench.settle(await bench.claimed(numbers["2"]), Delivered())
    await bench.settle(await bench.claimed(numbers["1"]), Delivered())
    assert isinstance(await bench.claim(numbers["1"]), NotNow)
    await bench.settle(await bench.claimed(numbers["3"]), Delivered())
    assert isinstance(await bench.claim(numbers["1"]), Claimed)


async def test_a_letter_of_a_record_that_was_merged_twice_is_taken(bench: Bench) -> None:
    await bench.take(reading(identity("1"), letter("1", "D1")))
    await bench.take(reading(merge("2", "1"), kind="ADT^A40"))
    last = await bench.take(reading(merge("3", "2", minutes=2), kind="ADT^A40"))
    # With all that is asked first in the cache already, only what the cache says leads to the record in the middle.
    await bench.take_together(reading(identity("3", minutes=3)), reading(identity("3", minutes=4)))
    _, again = await bench.take_together(
        reading(identity("3", minutes=5), letter("3", "D2"), kind="ORU^R01"),
        reading(identity("1", minutes=5), letter("1", "D1", GP, OTHER_GP, minutes=5), kind="ORU^R01"),
    )
    assert patient_of(again) == patient_of(last)
    assert ("letters.already-given", Outcome.DROP) in [(one.decision.rule, one.decision.outcome) for one in again.decisions]


async def test_a_new_number_that_is_another_patients_changes_nobody(bench: Bench) -> None:
    await bench.take(reading(identity("1")))
    other = await bench.take(reading(identity("2", name="AUTRE")))
    fact = msgspec.structs.replace(identity("2", minutes=1), action=IdentityAction.CHANGE_IDENTIFIER, absorbed=(ipp("1"),))
    changed = await bench.take(reading(fact, kind="ADT^A47"))
    assert changed.answer.verdict is Verdict.QUARANTINED
    assert other.patient == bench.journal.reader.patient(patient_of(other))


async def test_a_venue_of_another_patient_is_kept_without_effect(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1")))
    taken = await bench.take(reading(*admission("2", "V1"), raw=b"whole message"))
    assert taken.answer.verdict is Verdict.QUARANTINED and taken.answer.reply.startswith(b"AA")
    assert rules(taken.findings) == ["hub.visit-of-another-patient"]
    assert (taken.events, bench.journal.reader.counts().patients) == ((), 1)
    assert bench.rows("SELECT delivery, owner, rule FROM hold") == [(None, "hospital", "hub.visit-of-another-patient")]
    stored = bench.journal.reader.message(int(taken.answer.message_id, 16))
    assert stored is not None and stored.raw == b"whole message"


async def test_a_quarantined_message_still_says_that_its_control_id_was_used(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1"), control_id="A"))
    taken = await bench.take(reading(*admission("2", "V1"), control_id="A"))
    assert rules(taken.findings) == ["hub.control-id-reused", "hub.visit-of-another-patient"]


@pytest.mark.parametrize("verdict", [Verdict.IGNORED, Verdict.QUARANTINED])
async def test_what_was_not_understood_changes_nothing(bench: Bench, verdict: Verdict) -> None:
    finding = Finding(severity=Severity.FATAL, where="PID-3", rule="hl7.test", message="Test.")
    taken = await bench.take(reading(*admission("1", "V1"), verdict=verdict, findings=(finding,)))
    assert taken.answer.verdict is verdict and taken.events == ()
    assert len(bench.rows("SELECT id FROM hold")) == (verdict is Verdict.QUARANTINED)
    assert bench.journal.reader.counts().patients == 0


async def test_a_doubtful_identity_makes_holds_and_no_place_in_the_lane(bench: Bench) -> None:
    taken = await bench.take(reading(identity("1", statuses=("DOUT",)), movement("1", "V1")))
    assert [decided.decision.outcome for decided in taken.decisions] == [Outcome.HOLD, Outcome.HOLD]
    assert bench.works() == [(None, "held"), (None, "held")]
    assert bench.rows("SELECT * FROM lane") == [] and taken.wake == ()
    assert bench.rows("SELECT count(*), owner FROM hold") == [(2, "hospital")]


async def test_findings_make_an_accepted_message_accepted_with_findings(bench: Bench) -> None:
    finding = Finding(severity=Severity.INFORMATION, where="PID-5", rule="hl7.note", message="Note.")
    taken = await bench.take(reading(identity("1"), findings=(finding,)))
    assert taken.answer.verdict is Verdict.ACCEPTED


def outcomes(taken: Taken) -> list[tuple[str, str]]:
    return [(one.decision.recipient, one.decision.rule) for one in taken.decisions if one.decision.destination == "mail"]


async def test_a_document_is_mailed_once_to_each_recipient_under_whatever_control_id(bench: Bench) -> None:
    await bench.take(reading(identity("1"), letter("1", "D1", GP), kind="ORU^R01"))
    again = await bench.take(reading(identity("1"), letter("1", "D1", GP.upper(), OTHER_GP, minutes=1), kind="ORU^R01"))
    (to_gp, already), (to_other, _) = outcomes(again)
    assert (to_gp.lower(), already, to_other) == (GP, "letters.already-given", OTHER_GP)
    assert bench.works("mail") == [(1, "pending"), (2, "pending")]


async def test_a_held_letter_that_comes_again_is_held_once(bench: Bench) -> None:
    for number in range(3):
        await bench.take(reading(identity("1"), letter("1", "D1", GP, same_patient=False, minutes=number), kind="ORU^R01"))
    assert bench.works("mail") == [(None, "held")]


async def test_a_document_with_other_bytes_under_its_id_is_refused_to_its_sender(bench: Bench) -> None:
    await bench.take(reading(identity("1"), letter("1", "D1")))
    taken = await bench.take(reading(identity("1"), letter("1", "D1", body=b"other"), kind="ORU^R01"))
    assert taken.answer.reply.startswith(b"AE") and rules(taken.findings)[-1] == "hub.document-conflict"
    assert bench.works("mail") == [(1, "pending")]


async def test_a_document_of_another_patient_is_refused_to_its_sender(bench: Bench) -> None:
    await bench.take(reading(identity("1"), letter("1", "D1")))
    taken = await bench.take(reading(identity("2"), letter("2", "D1"), kind="ORU^R01"))
    assert taken.answer.reply.startswith(b"AE") and rules(taken.findings)[-1] == "hub.document-of-another-patient"
    assert bench.journal.reader.counts().patients == 1


async def test_a_replacement_names_the_mail_that_it_replaces(bench: Bench) -> None:
    await bench.take(reading(identity("1"), letter("1", "D1")))
    replacing = letter("1", "D2", action=DocumentAction.REPLACE, replaces="D1", set_id="D1", version=2, body=b"second")
    taken = await bench.take(reading(identity("1"), replacing))
    assert "document.replaced" in [event.type for event in taken.events]
    (first, _), (second, previous) = bench.rows("SELECT token, previous FROM delivery WHERE destination = 'mail' ORDER BY id")
    assert previous == first != second
    assert bench.rows("SELECT status FROM document ORDER BY id") == [("replaced",), ("current",)]


async def test_documents_of_one_message_see_one_another(bench: Bench) -> None:
    second = letter("1", "D2", action=DocumentAction.REPLACE, replaces="D1", set_id="D1", version=2, body=b"second")
    await bench.take(reading(identity("1"), letter("1", "D1"), second, kind="ORU^R01"))
    assert bench.rows("SELECT status FROM document ORDER BY id") == [("replaced",), ("current",)]


async def test_the_mail_that_announces_a_withdrawal_leaves(bench: Bench) -> None:
    bench.last_look = PolicyLastLook(bench.policy)
    taken = await bench.take(reading(identity("1"), letter("1", "D1")))
    await bench.settle(await bench.claimed(patient_of(taken), "mail"), Delivered())
    await bench.take(reading(identity("1"), letter("1", "D1", action=DocumentAction.WITHDRAW, body=b"", minutes=1)))
    claimed = await bench.claimed(patient_of(taken), "mail")
    (first, _), (_, previous) = bench.rows("SELECT token, previous FROM delivery WHERE destination = 'mail' ORDER BY id")
    assert claimed.lane_seq == 2 and previous == first


async def test_a_letter_withdrawn_before_it_left_does_not_leave(bench: Bench) -> None:
    bench.last_look = PolicyLastLook(bench.policy)
    taken = await bench.take(reading(identity("1"), letter("1", "D1")))
    await bench.take(reading(identity("1"), letter("1", "D1", action=DocumentAction.WITHDRAW, body=b"", minutes=1)))
    assert isinstance(await bench.claim(patient_of(taken), "mail"), NotNow)
    assert bench.works("mail")[0] == (1, "cancelled")


async def test_a_feed_with_a_constant_control_id_is_understood_from_what_the_writer_remembers(bench: Bench) -> None:
    """All that such a message asks for first is remembered; what that leads to must be asked for all the same."""
    await bench.take(reading(*admission("1", "V1"), control_id="1"))
    for order in (2, 3):
        taken = await bench.take(reading(*transfer("1", "V1", order), control_id="1"))
        assert [event.type for event in taken.events] == ["stay.transferred"]


async def test_a_letter_whose_patient_is_merged_between_two_tries_waits_for_the_hospital(bench: Bench) -> None:
    bench.last_look = PolicyLastLook(bench.policy)
    absorbed = patient_of(await bench.take(reading(identity("2"), letter("2", "D1"), kind="ORU^R01")))
    survivor = patient_of(await bench.take(reading(identity("1"))))
    await bench.settle(await bench.claimed(absorbed, "mail"), Unavailable(reason="connexion refusée"))
    await bench.take(reading(merge("1", "2"), kind="ADT^A40"))
    await bench.take(reading(identity("1", minutes=2), letter("1", "D2", minutes=2), kind="ORU^R01"))
    assert isinstance(await bench.claim(survivor, "mail"), NotNow), "the absorbed record's letter is looked at first"
    bench.clock.move(60)
    assert isinstance(await bench.claim(absorbed, "mail"), NotNow)
    assert bench.works("mail") == [(1, "held"), (1, "pending")]
    assert bench.rows("SELECT rule, owner FROM hold") == [("gates.identity.merged", "hospital")]
    assert isinstance(await bench.claim(survivor, "mail"), Claimed)


async def test_an_identity_that_becomes_doubtful_between_intake_and_dispatch_holds_its_letter(bench: Bench) -> None:
    bench.last_look = PolicyLastLook(bench.policy)
    patient = patient_of(await bench.take(reading(identity("1"), letter("1", "D1"), kind="ORU^R01")))
    assert bench.works("mail") == [(1, "pending")]
    await bench.take(reading(identity("1", statuses=("DOUT",), minutes=5)))
    assert isinstance(await bench.claim(patient, "mail"), NotNow)
    assert bench.works("mail") == [(1, "held")]
    assert ("gates.identity.doubtful", "hospital") in bench.rows("SELECT rule, owner FROM hold")
