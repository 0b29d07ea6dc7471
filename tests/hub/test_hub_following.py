"""Followed patients: enrolled before, during or after a stay, by INS or IPP; told in order, once, and never about the wrong one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from liaison.care.facts import IdentityAction
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.hub.claims import Claimed
from liaison.hub.contracts import Delivered, Unavailable
from liaison.hub.enrolling import Enrolled, Wanted
from liaison.hub.follower import Follower
from liaison.hub.journal.database import Database
from liaison.hub.journal.follow_queries import FollowReader
from liaison.hub.journal.records import FollowStatus, Key
from liaison.hub.journal.view import View
from liaison.hub.last_look import PolicyLastLook
from liaison.hub.policy import Policy
from liaison.mappings.interpretation import SourceProfile
from liaison.rules.gates.followed import CATCH_UP, FollowList
from liaison.rules.routing import Route
from tests.hub.bench import Bench, Clock, faults_of_lanes, patient_of, policy
from tests.hub.people import FINESS, PROFILE, SOURCE, admission, identity, ins, ipp, letter, merge, reading, transfer

MATRICULE, OTHER = "279034019201234", "279034019205678"
ELSEWHERE = "640000162"
ROUTES = (
    Route(events=("*",), to="platform"),
    Route(documents=("11490-0",), to="mail", recipients=("named",)),
)
LISTS = {"pta": FollowList(catch_up=timedelta(days=30)), "now": FollowList(catch_up=timedelta())}


def followed_policy(*routes: Route) -> Policy:
    other = SourceProfile(source="ailleurs", finess=ELSEWHERE)
    return replace(policy(*(routes or ROUTES)), lists=LISTS, profiles={SOURCE: PROFILE, "ailleurs": other})


@pytest.fixture
async def bench(tmp_path: Path, clock: Clock) -> AsyncGenerator[Bench]:
    made = Bench(tmp_path, clock)
    made.policy = followed_policy()
    made.last_look = PolicyLastLook(made.policy)
    yield made
    assert [fault for fault in faults_of_lanes(made.path) if "behind" not in fault and "without a place" not in fault] == []
    await made.journal.close()


def follower(bench: Bench) -> Follower:
    journal = bench.journal
    return Follower(
        writer=journal.writer,
        reader=journal.reader,
        policy=bench.policy,
        blind=bench.vault.blind,
        clock=bench.clock,
        wake=lambda destination, patient: None,
    )


def by_ipp(number: str, name: str = "pta", **more: object) -> Wanted:
    return Wanted(list=name, identifier=ipp(number), establishment=FINESS, **more)  # type: ignore[arg-type]


def by_ins(matricule: str, name: str = "pta", **more: object) -> Wanted:
    return Wanted(list=name, identifier=Identifier(kind=IdentifierKind.INS, authority="", value=matricule), **more)  # type: ignore[arg-type]


async def enrol(bench: Bench, *wanted: Wanted) -> list[Enrolled]:
    """Enrol, and let the follower do what follows."""
    one = follower(bench)
    answers = await one.enrol(wanted)
    while await one.work():
        pass
    return list(answers)


async def leave(bench: Bench, *wanted: Wanted, key: str = "") -> int:
    one = follower(bench)
    ended = 0
    for line in wanted:
        (known,) = await one.enrol((replace(line, key="probe"),))
        ended += await one.leave(line.list, (known.blind,), key=key)
    while await one.work():
        pass
    return ended


def told(bench: Bench, destination: str = "platform") -> list[tuple[str, str, str]]:
    """Kind, rule and state of each delivery, in the order of its lane."""
    return bench.rows("SELECT kind, rule, work FROM delivery WHERE destination = ? ORDER BY id", destination)


def kinds(bench: Bench) -> list[str]:
    return [kind for kind, _, work in told(bench) if work == "pending"]


async def test_nobody_is_told_of_until_they_are_enrolled(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1")))
    assert told(bench) == []


async def test_enrolled_before_the_first_message_they_are_told_of_from_it(bench: Bench) -> None:
    (answer,) = await enrol(bench, by_ipp("1"))
    assert (answer.status, answer.changed) == (FollowStatus.WAITING, True)
    await bench.take(reading(*admission("2", "V2")))
    await bench.take(reading(*admission("1", "V1")))
    assert told(bench) == [("identity.created", "routing.route", "pending"), ("stay.admitted", "routing.route", "pending")]
    assert bench.rows("SELECT status FROM follow") == [("active",)]


async def test_enrolled_by_ins_they_are_told_of_wherever_they_go(bench: Bench) -> None:
    await enrol(bench, by_ins(MATRICULE))
    await bench.take(reading(identity("1", matricule=MATRICULE)))
    there = identity("77", matricule=MATRICULE, authority=f"finess:{ELSEWHERE}")
    await bench.take(reading(there, source="ailleurs", establishment=ELSEWHERE))
    assert kinds(bench) == ["identity.created", "identity.created"]
    assert len(set(bench.rows("SELECT patient FROM delivery"))) == 2


async def test_enrolled_during_a_stay_they_are_told_what_is_known_in_order_and_marked(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1")))
    await bench.take(reading(*transfer("1", "V1", 2)))
    (answer,) = await enrol(bench, by_ipp("1"))
    assert answer.status is FollowStatus.ACTIVE
    await bench.take(reading(*transfer("1", "V1", 3)))
    assert told(bench) == [
        ("identity.created", CATCH_UP, "pending"),
        ("stay.admitted", CATCH_UP, "pending"),
        ("stay.transferred", CATCH_UP, "pending"),
        ("stay.transferred", "routing.route", "pending"),
    ]
    assert [seq for seq, _ in bench.works()] == [1, 2, 3, 4]


async def test_what_happens_between_enrolling_and_catching_up_is_told_once_and_in_order(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1")))
    one = follower(bench)
    await one.enrol((by_ipp("1"),))
    await bench.take(reading(*transfer("1", "V1", 2)))
    await bench.take(reading(*admission("1", "V2")))
    assert told(bench) == []
    assert await one.work()
    assert kinds(bench) == ["identity.created", "stay.admitted", "stay.transferred", "stay.admitted"]
    assert not await one.work()


async def test_enrolled_after_a_stay_only_what_is_recent_is_told(bench: Bench, clock: Clock) -> None:
    await bench.take(reading(*admission("1", "V1")))
    await bench.take(reading(identity("1"), replace(transfer("1", "V1", 2)[1], trigger="A03", original_trigger="A03")))
    clock.move(40 * 86_400)
    await bench.take(reading(identity("1"), letter("1", "L1")))
    await enrol(bench, by_ipp("1"))
    assert kinds(bench) == ["identity.created", "document.published"]


async def test_without_a_depth_nothing_old_is_told(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1")))
    await enrol(bench, by_ipp("1", "now"))
    assert told(bench) == []
    await bench.take(reading(*transfer("1", "V1", 2)))
    assert kinds(bench) == ["stay.transferred"]


async def test_an_ins_that_is_qualified_later_is_caught_up(bench: Bench) -> None:
    await enrol(bench, by_ins(MATRICULE))
    await bench.take(reading(identity("1", statuses=("PROV",))))
    await bench.take(reading(*admission("1", "V1")))
    assert told(bench) == []
    await bench.take(reading(identity("1", matricule=MATRICULE, minutes=5)))
    assert told(bench) == [], "told in order, with the rest"
    assert await follower(bench).work()
    assert [kind for kind, rule, _ in told(bench) if rule == CATCH_UP] == [
        "identity.created",
        "identity.updated",
        "stay.admitted",
        "identity.updated",
    ]


async def test_leaving_stops_at_once_and_cancels_what_waits(bench: Bench) -> None:
    await enrol(bench, by_ipp("1"))
    number = patient_of(await bench.take(reading(*admission("1", "V1"))))
    first = await bench.claimed(number)
    assert await leave(bench, by_ipp("1")) == 1
    assert [work for *_, work in told(bench)] == ["sending", "cancelled"]
    assert bench.rows("SELECT outcome, reason FROM attempt") == [("cancelled", "gates.followed.not-followed")]
    await bench.settle(first, Unavailable(reason="down"))
    bench.clock.move(60)
    assert not isinstance(await bench.claim(number), Claimed), "what was tried once does not leave either"
    assert not isinstance(await bench.claim(number), Claimed)
    assert [work for *_, work in told(bench)] == ["cancelled", "cancelled"]
    await bench.take(reading(*transfer("1", "V1", 2)))
    assert len(told(bench)) == 2
    assert await leave(bench, by_ipp("9")) == 1


async def test_the_last_look_stops_what_was_decided_before_leaving(bench: Bench) -> None:
    await enrol(bench, by_ipp("1"))
    number = patient_of(await bench.take(reading(*admission("1", "V1"))))
    one = follower(bench)
    (known,) = await one.enrol((by_ipp("1"),))
    await one.leave("pta", (known.blind,))
    assert not isinstance(await bench.claim(number), Claimed)
    assert [work for *_, work in told(bench)] == ["cancelled", "pending"]


async def test_what_left_says_nothing_of_a_person_any_more(bench: Bench) -> None:
    await enrol(bench, by_ipp("1"))
    await bench.take(reading(*admission("1", "V1")))
    await leave(bench, by_ipp("1"), key="K9")
    assert list(FollowReader(bench.journal.reader).enrolments()) == []
    (row,) = bench.rows("SELECT * FROM follow")
    state = bench.journal.reader.opener.follow(row).state
    assert state is not None and (state.kind, state.value, state.by) == ("", "", "")


async def test_leaving_closes_what_waited_for_a_person(bench: Bench) -> None:
    await enrol(bench, by_ins(MATRICULE))
    await bench.take(reading(identity("1", matricule=MATRICULE)))
    await bench.take(reading(identity("1", statuses=("PROV",), minutes=5)))
    await bench.take(reading(*admission("1", "V1")))
    assert await leave(bench, by_ins(MATRICULE)) == 1
    assert {work for *_, work in told(bench)} == {"cancelled"}
    assert {(outcome, since > 0) for outcome, since in bench.rows("SELECT outcome, released_at FROM hold")} == {("cancelled", True)}


async def test_another_list_goes_on_when_one_is_left(bench: Bench) -> None:
    await enrol(bench, by_ipp("1"), by_ipp("1", "now"))
    await bench.take(reading(*admission("1", "V1")))
    await leave(bench, by_ipp("1"))
    assert kinds(bench) == ["identity.created", "stay.admitted"]
    await bench.take(reading(*transfer("1", "V1", 2)))
    assert kinds(bench)[-1] == "stay.transferred"


async def test_a_second_list_does_not_tell_again_what_the_first_told(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1")))
    await enrol(bench, by_ipp("1"))
    number = bench.rows("SELECT id FROM patient")[0][0]
    await bench.settle(await bench.claimed(number), Delivered())
    await enrol(bench, by_ins(MATRICULE), by_ipp("1", "now"))
    await leave(bench, by_ipp("1"))
    await enrol(bench, by_ipp("1", "pta"))
    assert [work for *_, work in told(bench)].count("submitted") == 1
    assert len({(message, ordinal) for message, ordinal in bench.rows("SELECT message, ordinal FROM delivery")}) == len(told(bench))


async def test_enrolling_twice_changes_nothing_and_a_repeated_call_has_no_second_effect(bench: Bench) -> None:
    (first,) = await enrol(bench, by_ipp("1", key="K1"))
    (again,) = await enrol(bench, by_ipp("1"))
    assert first.changed and not again.changed
    await leave(bench, by_ipp("1"), key="K2")
    (late,) = await enrol(bench, by_ipp("1", key="K1"))
    assert (late.changed, late.status) == (False, FollowStatus.LEFT), "a delayed repetition does not enrol who left"
    (new,) = await enrol(bench, by_ipp("1", key="K3"))
    assert new.changed
    assert await follower(bench).leave("pta", (new.blind,), key="K2") == 0


async def test_an_end_that_was_told_ends_it(bench: Bench, clock: Clock) -> None:
    end = int((clock.now + timedelta(days=1)).timestamp() * 1e6)
    await enrol(bench, by_ipp("1", until=end))
    await bench.take(reading(*admission("1", "V1")))
    clock.move(2 * 86_400)
    await bench.take(reading(*transfer("1", "V1", 2)))
    assert len(told(bench)) == 2
    while await follower(bench).work():
        pass
    assert [work for *_, work in told(bench)] == ["cancelled", "cancelled"]
    assert bench.rows("SELECT status, due FROM follow") == [("left", None)]


async def test_a_beginning_that_was_told_begins_it(bench: Bench, clock: Clock) -> None:
    await bench.take(reading(*admission("1", "V1")))
    begin = int((clock.now + timedelta(days=1)).timestamp() * 1e6)
    await enrol(bench, by_ipp("1", since=begin))
    assert told(bench) == []
    clock.move(86_401)
    assert await follower(bench).work()
    assert kinds(bench) == ["identity.created", "stay.admitted"]


async def test_who_is_merged_stays_followed(bench: Bench) -> None:
    await enrol(bench, by_ipp("1"))
    await bench.take(reading(*admission("1", "V1")))
    await bench.take(reading(*admission("2", "V2")))
    await bench.take(reading(merge("2", "1")))
    while await follower(bench).work():
        pass
    assert [kind for kind, _, _ in told(bench)] == [
        "identity.created",
        "stay.admitted",
        "identity.created",
        "stay.admitted",
        "identity.merged",
    ]
    await bench.take(reading(*transfer("2", "V2", 2)))
    assert kinds(bench)[-1] == "stay.transferred"
    await leave(bench, by_ipp("1"))
    await bench.take(reading(*transfer("2", "V2", 3)))
    assert len(told(bench)) == 6


async def test_a_number_that_is_changed_stays_followed(bench: Bench) -> None:
    await enrol(bench, by_ipp("1"))
    await bench.take(reading(*admission("1", "V1")))
    await bench.take(reading(replace(identity("5", minutes=5), action=IdentityAction.CHANGE_IDENTIFIER, absorbed=(ipp("1"),))))
    await bench.take(reading(*transfer("5", "V1", 2)))
    assert kinds(bench)[-2:] == ["identity.identifier-changed", "stay.transferred"]


async def test_an_ins_that_is_withdrawn_holds_and_goes_on_when_it_is_back(bench: Bench) -> None:
    await enrol(bench, by_ins(MATRICULE))
    await bench.take(reading(identity("1", matricule=MATRICULE)))
    await bench.take(reading(identity("1", statuses=("PROV",), minutes=5)))
    await bench.take(reading(*admission("1", "V1")))
    assert [(rule, work) for _, rule, work in told(bench)][1:] == [
        ("gates.followed.ins-lost", "held"),
        ("gates.followed.ins-lost", "held"),
    ]
    assert bench.rows("SELECT DISTINCT owner FROM hold") == [("hospital",)]
    number = bench.rows("SELECT id FROM patient")[0][0]
    assert not isinstance(await bench.claim(number), Claimed), "nor does what was decided before"
    await bench.take(reading(identity("1", matricule=MATRICULE, minutes=9)))
    assert kinds(bench)[-1] == "identity.updated"


async def test_two_patients_of_one_hospital_under_one_ins_are_both_held(bench: Bench) -> None:
    await enrol(bench, by_ins(MATRICULE))
    await bench.take(reading(identity("1", matricule=MATRICULE)))
    await bench.take(reading(identity("2", name="AUTRE", matricule=MATRICULE)))
    assert [(rule, work) for _, rule, work in told(bench)] == [
        ("routing.route", "pending"),
        ("gates.followed.two-patients", "held"),
    ]
    await bench.take(reading(*admission("1", "V1")))
    assert told(bench)[-1][1:] == ("gates.followed.two-patients", "held")
    assert bench.rows("SELECT status FROM follow") == [("disputed",)]
    assert bench.rows("SELECT DISTINCT owner FROM hold") == [("gcs",)]


async def test_two_patients_under_one_ins_are_told_apart_even_when_they_came_first(bench: Bench) -> None:
    await bench.take(reading(identity("1", matricule=MATRICULE)))
    await bench.take(reading(identity("2", name="AUTRE", matricule=MATRICULE)))
    (answer,) = await enrol(bench, by_ins(MATRICULE))
    assert answer.status is FollowStatus.DISPUTED
    assert told(bench) == []


async def test_other_traits_under_one_ins_elsewhere_are_another_person(bench: Bench) -> None:
    await enrol(bench, by_ins(MATRICULE))
    await bench.take(reading(identity("1", matricule=MATRICULE)))
    stranger = identity("77", name="AUTRE", matricule=MATRICULE, authority=f"finess:{ELSEWHERE}")
    await bench.take(reading(stranger, source="ailleurs", establishment=ELSEWHERE))
    assert [work for *_, work in told(bench)] == ["pending", "held"]


async def test_a_merge_ends_the_doubt_about_two_patients(bench: Bench) -> None:
    await enrol(bench, by_ins(MATRICULE))
    await bench.take(reading(identity("1", matricule=MATRICULE)))
    await bench.take(reading(identity("2", matricule=MATRICULE)))
    assert told(bench)[-1][2] == "held"
    await bench.take(
        reading(replace(merge("1", "2"), identifiers=(ipp("1"), ins(MATRICULE)), ins=identity("1", matricule=MATRICULE).ins))
    )
    await bench.take(reading(*admission("1", "V1")))
    while await follower(bench).work():
        pass
    assert told(bench)[-1][2] == "pending"


async def test_a_number_written_wrong_is_caught_by_the_birth_date(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1")))
    (answer,) = await enrol(bench, by_ipp("1", birth_date="19510101"))
    assert answer.status is FollowStatus.DISPUTED
    await bench.take(reading(*transfer("1", "V1", 2)))
    assert [(rule, work) for _, rule, work in told(bench)] == [("gates.followed.birth-date", "held")]
    (right,) = await enrol(bench, by_ipp("1", birth_date="19790328"))
    assert right.status is FollowStatus.ACTIVE
    assert kinds(bench) == ["identity.created", "stay.admitted"]


async def test_a_number_means_something_in_its_establishment_only(bench: Bench) -> None:
    await enrol(bench, by_ipp("1"))
    await bench.take(reading(identity("1"), source="ailleurs", establishment=ELSEWHERE))
    assert told(bench) == []


async def test_enrolments_survive_a_stop_between_commits(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1")))
    await follower(bench).enrol((by_ipp("1"), by_ipp("8")))
    await bench.reopen()
    assert told(bench) == []
    while await follower(bench).work():
        pass
    assert kinds(bench) == ["identity.created", "stay.admitted"]
    await bench.take(reading(*admission("8", "V8")))
    assert kinds(bench)[-2:] == ["identity.created", "stay.admitted"]


async def test_letters_do_not_look_at_who_is_followed(bench: Bench) -> None:
    await bench.take(reading(identity("1"), letter("1", "L1")))
    assert [work for *_, work in told(bench, "mail")] == ["pending"]


async def test_a_list_of_hundreds_is_taken_in_batches(bench: Bench) -> None:
    answers = await enrol(bench, *(by_ipp(str(number)) for number in range(1, 131)))
    assert len(answers) == 130
    assert FollowReader(bench.journal.reader).counts() == {"pta": {"waiting": 130}}
    assert len(FollowReader(bench.journal.reader).blinds("pta")) == 130
    await bench.take_together(*(reading(*admission(str(number), f"V{number}")) for number in range(120, 140)))
    assert len(kinds(bench)) == 22


async def test_an_ordinary_message_asks_the_journal_nothing_about_who_is_followed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    load = Database.load

    def watched(self: Database, view: View, keys: Iterable[Key]) -> None:
        wanted = list(keys)
        asked.extend(key[0] for key in wanted)
        load(self, view, wanted)

    monkeypatch.setattr(Database, "load", watched)
    await enrol(bench, by_ipp("500"))
    asked.clear()
    for number in range(20):
        await bench.take(
            reading(identity(str(number), matricule=f"2790340192{number:05d}"), *admission(str(number), f"V{number}")[1:])
        )
    assert asked.count("enrolled") <= 1 and "follow" not in asked
    bench.policy = policy()
    await bench.reopen()
    asked.clear()
    await bench.take(reading(*admission("900", "V900")))
    assert not {"enrolled", "follow"} & set(asked)
