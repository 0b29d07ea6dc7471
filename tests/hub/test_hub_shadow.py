"""The report of a shadow run, read back from a real journal."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from liaison.finding import Finding, Severity
from liaison.hub.contracts import Reading, Verdict
from liaison.hub.engine import subject_keys_path
from liaison.hub.journal.shadow import KeptMessage, ShadowReader
from liaison.hub.shadow import ShadowReport, ShadowTally
from liaison.hub.vault.subjects import SubjectKeys
from liaison.rules.golive import AllowList, GoingLive, Standing
from tests.hub.bench import Bench, policy
from tests.hub.people import GP, NOW, OTHER_GP, SOURCE, admission, identity, letter, movement, reading

DAY = 86_400
IDENTIFYING = ("ESSAI", "ANNE", "19790328", "mssante", "D1", "V1")
BAD = Finding(severity=Severity.FATAL, where="PID-3", rule="hl7.patient-identifier-missing", message="Test.")


def use(bench: Bench, going_live: GoingLive) -> None:
    bench.policy = replace(policy(), going_live=going_live)


def kept(bench: Bench, since: datetime | None = None, source: str = "", page: int = 500) -> list[KeptMessage]:
    with (
        closing(SubjectKeys(subject_keys_path(bench.path), bench.vault, readonly=True)) as keys,
        closing(ShadowReader(bench.path, keys)) as reader,
    ):
        pages = list(reader.messages(since, source, page=page))
        assert sum(looked_at for looked_at, _ in pages) == reader.count(since, source)
        return [message for _, messages in pages for message in messages]


def report(bench: Bench, since: datetime | None = None, source: str = "") -> ShadowReport:
    tally = ShadowTally(lambda _source: ZoneInfo("Europe/Paris"))
    for message in kept(bench, since, source):
        tally.add(message)
    return tally.report()


def lines(of: ShadowReport) -> list[tuple[str, str, str, str, str, str, int]]:
    return [(line.day, line.destination, line.about, line.outcome, line.rule, line.recipients, line.number) for line in of.lines]


def remarks(of: ShadowReport) -> list[tuple[str, str, int]]:
    return [(remark.what, remark.detail, remark.number) for remark in of.remarks]


def discharge(number: str, visit: str) -> Reading:
    gone = replace(movement(number, visit, trigger="A03", order=2), discharged_at=NOW + timedelta(hours=2))
    return reading(identity(number), gone, kind="ADT^A03")


async def test_a_week_is_told_by_day_destination_type_and_rule_and_names_nobody(bench: Bench) -> None:
    use(bench, GoingLive(sources={SOURCE: Standing(mode="shadow")}))
    for number in ("1", "2"):
        await bench.take(reading(*admission(number, f"V{number}")))
    bench.clock.move(2 * DAY)
    visit = movement("1", "V1").visit
    about_stay = replace(letter("1", "D1", GP, OTHER_GP), visit=visit)
    await bench.take(reading(identity("1"), about_stay, kind="ORU^R01"))
    await bench.take(discharge("1", "V1"))
    await bench.take(discharge("2", "V2"))
    await bench.take(
        reading(identity("2", statuses=("DOUT",), minutes=1), replace(letter("2", "D2"), type_code="99999-9"), kind="ORU^R01")
    )
    await bench.take(reading(verdict=Verdict.QUARANTINED, findings=(BAD,)))
    made = report(bench)
    assert (made.first, made.last, made.of_live_sources) == ("2026-11-22", "2026-11-24", 0)
    assert made.messages == {SOURCE: {"accepted": 6, "quarantined": 1}}
    assert lines(made) == [
        ("2026-11-22", "platform", "identity.created", "deliver", "routing.route", "", 2),
        ("2026-11-22", "platform", "stay.admitted", "deliver", "routing.route", "", 2),
        ("2026-11-24", "mail", "11490-0", "deliver", "gates.identity.no-ins-derogation", "named", 2),
        ("2026-11-24", "platform", "document.published", "deliver", "routing.route", "", 1),
        ("2026-11-24", "platform", "document.published", "hold", "gates.identity.doubtful", "", 1),
        ("2026-11-24", "platform", "identity.updated", "hold", "gates.identity.doubtful", "", 1),
        ("2026-11-24", "platform", "stay.discharged", "deliver", "routing.route", "", 2),
    ]
    assert remarks(made) == [
        ("held", "gates.identity.doubtful", 2),
        ("no-letter", "", 1),
        ("quarantined", "hl7.patient-identifier-missing", 1),
        ("silent-day", "2026-11-23", 1),
        ("unrouted", "99999-9", 1),
    ]
    assert [(unit.unit, unit.admissions, unit.discharges, unit.with_letter, unit.without_letter) for unit in made.units] == [
        ("2101", 2, 0, 0, 0),
        ("2102", 0, 2, 1, 1),
    ]
    printed = msgspec.json.encode(made).decode()
    assert not [name for name in IDENTIFYING if name in printed]


async def test_a_letter_without_a_recipient_is_told_apart_from_the_holds(bench: Bench) -> None:
    use(bench, GoingLive(sources={SOURCE: Standing(mode="shadow")}))
    nobody = replace(letter("1", "D1"), addressees=())
    await bench.take(reading(identity("1"), nobody, kind="ORU^R01"))
    made = report(bench)
    assert remarks(made) == [("nobody", "11490-0", 1)]
    assert ("2026-11-22", "mail", "11490-0", "hold", "recipient.nobody", "", 1) in lines(made)


async def test_of_a_live_source_only_what_stayed_in_is_told(bench: Bench) -> None:
    use(
        bench,
        GoingLive(sources={SOURCE: Standing(letters="observe")}, only_to={"mail": AllowList(addresses=frozenset({GP}))}),
    )
    await bench.take(reading(*admission("1", "V1")))
    await bench.take(reading(identity("1"), letter("1", "D1"), kind="ORU^R01"))
    made = report(bench)
    assert (made.messages, made.of_live_sources) == ({}, 1)
    assert lines(made) == [("2026-11-22", "mail", "11490-0", "deliver", "gates.identity.no-ins-derogation", "named", 1)]
    assert (made.units, made.remarks) == ((), ())


async def test_neither_what_left_nor_what_was_loaded_is_in_it(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1")))
    use(bench, GoingLive(sources={SOURCE: Standing(mode="load")}))
    await bench.take(reading(*admission("2", "V2")))
    made = report(bench)
    assert (made.first, made.lines, made.messages) == (None, (), {})


async def test_a_source_and_a_first_day_can_be_chosen(bench: Bench) -> None:
    use(bench, GoingLive(sources={SOURCE: Standing(mode="shadow"), "autre": Standing(mode="shadow")}))
    await bench.take(reading(identity("1")))
    bench.clock.move(DAY)
    await bench.take(reading(identity("2")))
    await bench.take(reading(identity("3"), source="autre"))
    assert len(kept(bench)) == 3 == len(kept(bench, page=1))
    assert [message.source for message in kept(bench, source="autre")] == ["autre"]
    since = NOW + timedelta(hours=12)
    assert len(kept(bench, since)) == 2 and report(bench, since, SOURCE).first == "2026-11-23"


async def test_late_facts_and_test_messages_are_remarked(bench: Bench) -> None:
    chosen = replace(policy(), going_live=GoingLive(sources={SOURCE: Standing(mode="shadow", late_after=timedelta(hours=1))}))
    bench.policy = replace(chosen, letters=replace(chosen.letters, territory="production"))
    await bench.take(reading(identity("1", minutes=-120)))
    trial = reading(identity("2"))
    await bench.take(replace(trial, ids=replace(trial.ids, processing="T")))
    assert remarks(report(bench)) == [("late", "", 1), ("test-message", "", 1)]
