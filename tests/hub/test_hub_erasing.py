"""Erasing a person: nothing opens any more, nothing leads to them, and a later message finds somebody new."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from liaison.hub.claims import NotNow
from liaison.hub.contracts import Delivered, Verdict
from liaison.hub.engine import subject_keys_path
from liaison.hub.erasing import Erased
from liaison.hub.erasure import Forget, speaks_of
from liaison.hub.journal.records import text_id
from liaison.hub.journal.verify import verify
from liaison.hub.last_look import PolicyLastLook
from liaison.hub.vault.sealing import Vault
from liaison.hub.vault.subjects import SubjectErased, SubjectKeys, scrub
from tests.hub.bench import KEYS, Bench, Clock, faults_of_lanes, patient_of, rules
from tests.hub.people import GP, SOURCE, admission, identity, letter, merge, movement, reading, transfer


async def erased(bench: Bench, patient: int) -> Erased:
    done = await bench.journal.eraser.erase(patient)
    assert done is not None
    return done


def whole(bench: Bench) -> list[str]:
    """What is wrong with the journal."""
    found = verify(bench.path, subject_keys_path(bench.path), Vault(KEYS), everything=True, progress=lambda part, done, total: None)
    return [complaint.what for complaint in found.complaints] + faults_of_lanes(bench.path)


def wrapped_keys(path: Path) -> dict[str, bytes]:
    with closing(sqlite3.connect(path)) as store:
        return dict(store.execute("SELECT subject, wrapped FROM subject_key"))


def bytes_of(folder: Path, name: str) -> bytes:
    """All that the files of a database hold, its log and shared memory too."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob(f"{name}*")))


async def test_everything_about_the_person_is_closed_and_nothing_leads_there(bench: Bench) -> None:
    taken = await bench.take(reading(*admission("1", "V1"), identity("1"), letter("1", "D1", GP), control_id="A1"))
    other = await bench.take(reading(*admission("2", "V2"), control_id="A2"))
    patient = patient_of(taken)
    done = await erased(bench, patient)
    assert done.patients == (text_id(patient),) and done.scrubbed
    ((message,),) = bench.rows("SELECT id FROM message WHERE control_id = 'A1'")
    stored = bench.journal.reader.message(message)
    assert stored is not None and stored.raw is None and stored.decisions is None
    with pytest.raises(SubjectErased):
        bench.journal.reader.event_body(message, 0)
    for table in ("patient", "stay", "document", "identifier", "parcel"):
        column = {"stay": "patient", "document": "patient", "parcel": "delivery"}.get(table, "id")
        left = bench.rows(f"SELECT {column} FROM {table}")
        assert patient not in {row[0] for row in left}, table
    # The other's IPP and visit.
    assert bench.rows("SELECT count(*) FROM identifier") == [(2,)]
    assert whole(bench) == []
    ((kept,),) = bench.rows("SELECT id FROM message WHERE control_id = 'A2'")
    again = bench.journal.reader.message(kept)
    assert again is not None and again.raw is not None
    assert bench.journal.reader.patient(patient_of(other)) is not None


async def test_an_intake_that_never_rests_is_not_run_after(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = patient_of(await bench.take(reading(*admission("1", "V1"), control_id="A1")))
    monkeypatch.setattr("liaison.hub.journal.orphans.PIECE", 1)
    steps: list[str] = []

    async def one_more() -> None:
        if "index" not in steps:
            number = str(1000 + len(steps))
            await bench.take(reading(*admission(number, f"V{number}"), control_id=f"B{number}"))

    bench.journal.eraser.idle = one_more
    assert await bench.journal.eraser.erase(patient, lambda what, done, total: steps.append(what)) is not None
    assert set(steps) >= {"stay", "index"} and whole(bench) == []


async def test_what_was_under_way_or_held_is_ended(bench: Bench) -> None:
    taken = await bench.take(reading(*admission("1", "V1"), control_id="A1"))
    await bench.take(reading(identity("1"), letter("1", "D1", same_patient=False), control_id="L1"))
    patient = patient_of(taken)
    sending = await bench.claimed(patient)
    assert bench.rows("SELECT count(*) FROM hold WHERE released_at IS NULL") == [(1,)]
    done = await erased(bench, patient)
    assert done.cancelled >= 2
    assert {work for _, work in bench.works()} == {"cancelled"} == {work for _, work in bench.works("mail")}
    assert bench.rows("SELECT count(*) FROM hold") == [(0,)]
    # The worker that had it comes too late.
    await bench.settle(sending, Delivered())
    assert {work for _, work in bench.works()} == {"cancelled"}
    assert whole(bench) == []


async def test_a_later_message_makes_somebody_new_and_is_no_fault_of_ours(bench: Bench) -> None:
    before = await bench.take(reading(*admission("1", "V1"), identity("1"), letter("1", "D1"), control_id="A1"))
    await erased(bench, patient_of(before))
    for _ in range(2):  # with what the writer remembers, and without
        facts = (*transfer("1", "V1", 2), identity("1"), letter("1", "D1"))
        after = await bench.take(reading(*facts))
        assert after.answer.verdict is not Verdict.QUARANTINED and "hub.fault" not in rules(after.findings)
        assert patient_of(after) != patient_of(before)
        await bench.reopen()
    assert bench.rows("SELECT count(*) FROM patient") == bench.rows("SELECT count(*) FROM stay") == [(1,)]
    assert whole(bench) == []


async def test_in_the_same_batch_what_comes_after_it_is_somebody_new(bench: Bench) -> None:
    before = await bench.take(reading(*admission("1", "V1"), identity("1"), letter("1", "D1"), control_id="A1"))
    patient = patient_of(before)
    await bench.take(reading(*transfer("1", "V1", 2)))  # so that the writer has all of it at hand
    forgotten, taken = await bench.together(
        Forget(patients=(patient,), in_ledger=True),
        bench.intake(reading(*transfer("1", "V1", 3), identity("1"), letter("1", "D1"))),
    )
    assert forgotten is True
    assert patient_of(taken) != patient
    await bench.reopen()
    await bench.journal.eraser.finish(bench.journal.erased)
    await bench.journal.eraser.sweep()
    assert whole(bench) == []
    record = bench.journal.reader.patient(patient_of(taken))
    assert record is not None and record.state.revision == 1


async def test_a_resend_of_an_old_message_brings_nobody_back(bench: Bench) -> None:
    message = reading(*admission("1", "V1"), control_id="A1")
    first = await bench.take(message)
    await erased(bench, patient_of(first))
    again = await bench.take(message)
    assert again.duplicate and again.answer.reply == first.answer.reply
    assert bench.rows("SELECT count(*) FROM patient") == [(0,)]


async def test_records_that_were_merged_go_together_whichever_is_named(bench: Bench) -> None:
    first = await bench.take(reading(*admission("1", "V1")))
    second = await bench.take(reading(*admission("2", "V2")))
    await bench.take(reading(merge("1", "2")))
    done = await erased(bench, patient_of(second))
    assert set(done.patients) == {text_id(patient_of(first)), text_id(patient_of(second))}
    assert bench.rows("SELECT count(*) FROM patient") == bench.rows("SELECT count(*) FROM identifier") == [(0,)]


async def test_messages_in_which_nobody_was_recognised_lose_what_they_say_of_the_person(bench: Bench) -> None:
    taken = await bench.take(reading(*admission("8000777", "V1")))
    about = b"PID|||8000777^^^CH||ESSAI^ANNE"
    for control_id, raw in (("about", about), ("large", about + b"x" * 30_000), ("other", b"PID|||8000778^^^CH")):
        await bench.take(reading(control_id=control_id, raw=raw, verdict=Verdict.QUARANTINED))
    done = await erased(bench, patient_of(taken))
    assert done.stripped == 2
    assert bench.rows("SELECT control_id FROM message WHERE raw IS NULL ORDER BY id") == [("about",), ("large",)]
    assert bench.rows("SELECT count(*) FROM blob") == [(0,)]
    assert bench.rows("SELECT count(*) FROM hold") == [(1,)], "the other still waits for a person"


@pytest.mark.parametrize(
    ("raw", "values", "told"),
    [
        (b"MSH|x\rPID|||12^^^CH\rPV1|", ["12"], True),
        (b"MSH|12\rPID|||13^^^CH\rPV1|12", ["12"], False),
        (b"MSH|x\rPID|||123^^^CH", ["12"], False),
        (b"<id extension='279035121518989'/>", ["279035121518989"], True),
        (b"<id extension='2790351215189891'/>", ["279035121518989"], False),
        (b"", ["279035121518989", ""], False),
    ],
)
def test_a_short_number_counts_only_where_it_says_who_somebody_is(raw: bytes, values: list[str], told: bool) -> None:
    assert speaks_of(raw, values) is told


async def test_nobody_is_erased_twice_or_by_mistake(bench: Bench) -> None:
    taken = await bench.take(reading(*admission("1", "V1")))
    assert await bench.journal.eraser.erase(42) is None
    await erased(bench, patient_of(taken))
    assert await bench.journal.eraser.erase(patient_of(taken)) is None


async def test_another_merge_in_between_is_seen(bench: Bench) -> None:
    first = await bench.take(reading(*admission("1", "V1")))
    await bench.take(reading(*admission("2", "V2")))
    await bench.take(reading(merge("1", "2")))
    assert await bench.commit(Forget(patients=(patient_of(first),), in_ledger=True)) is False
    assert bench.rows("SELECT count(*) FROM patient") == [(2,)]


async def test_a_claim_of_somebody_who_is_gone_ends_the_delivery(bench: Bench) -> None:
    taken = await bench.take(reading(*admission("1", "V1")))
    patient = patient_of(taken)
    assert await bench.commit(Forget(patients=(patient,), in_ledger=True))
    bench.last_look = PolicyLastLook(bench.policy)
    assert isinstance(await bench.claim(patient), NotNow)
    assert bench.works()[0] == (1, "cancelled")


# The bytes --------------------------------------------------------------------------------------------------------------------------


async def test_the_old_key_is_in_no_file_and_a_restored_store_does_not_open_it(bench: Bench, tmp_path: Path) -> None:
    store = subject_keys_path(bench.path)
    taken = await bench.take(reading(*admission("1", "V1"), control_id="A1"))
    # Many others, in no order, so that pages are split and emptied.
    for number in range(2, 60):
        await bench.take(reading(*admission(str(number), f"V{number}")))
    subject = text_id(patient_of(taken))
    with closing(sqlite3.connect(store)) as live, closing(sqlite3.connect(tmp_path / "older")) as older:
        live.backup(older)
    key = wrapped_keys(store)[subject]
    sealed = bench.rows("SELECT raw FROM message WHERE control_id = 'A1'")[0][0]
    assert key[12:] in bytes_of(store.parent, store.name)

    await erased(bench, patient_of(taken))

    # While the hub goes on: the store, its log, its shared memory.
    left = bytes_of(store.parent, store.name)
    assert key[12:] not in left and key[:12] not in left
    assert subject not in wrapped_keys(store)
    await bench.journal.close()

    # The older store comes back, with the ledger beside it.
    for path in store.parent.glob("journal.db-subjects*"):
        path.unlink()
    (tmp_path / "older").rename(store)
    assert wrapped_keys(store)[subject] == key
    bench.open()
    assert subject not in wrapped_keys(store)
    with closing(SubjectKeys(store, Vault(KEYS), readonly=True)) as keys, pytest.raises(SubjectErased):
        keys.get(subject)
    # Not one of all keys that are left opens what was sealed.
    assert sealed is not None
    with closing(SubjectKeys(store, Vault(KEYS), readonly=True)) as keys:
        for other in wrapped_keys(store):
            assert keys.get(other).subject != subject


def test_deleted_keys_leave_no_trace_in_a_store_of_many_pages(tmp_path: Path) -> None:
    path = tmp_path / "subjects"
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    with closing(SubjectKeys(path, Vault(KEYS), most_open=200)) as keys:
        subjects = [f"{chance.getrandbits(62):016x}" for _ in range(6_000)]
        for start in range(0, 6_000, 37):
            for subject in subjects[start : start + 37]:
                keys.get_or_make(subject)
            keys.flush()
        wrapped = wrapped_keys(path)
        gone = chance.sample(subjects, 150)
        for subject in gone:
            keys.destroy([subject], "2026-11-22T09:00:00+00:00", in_ledger=True)
        assert scrub(path)
        content = bytes_of(tmp_path, "subjects")
    assert not [subject for subject in gone if wrapped[subject][12:] in content], f"seed {seed}"


async def test_what_is_taken_out_of_the_journal_is_not_left_in_its_free_pages(bench: Bench) -> None:
    taken = await bench.take(reading(*admission("8000777", "V1")))
    raw = b"PID|||8000777^^^CH" + os.urandom(30_000)
    await bench.take(reading(control_id="about", raw=raw, verdict=Verdict.QUARANTINED))
    ((body,),) = bench.rows("SELECT body FROM blob")
    await erased(bench, patient_of(taken))
    await bench.journal.close()
    content = bench.path.read_bytes()
    assert body[100:140] not in content and body[-60:-20] not in content
    bench.open()


# Crashes ----------------------------------------------------------------------------------------------------------------------------


async def test_a_start_goes_on_where_a_crash_stopped_it(bench: Bench) -> None:
    taken = await bench.take(reading(*admission("1", "V1")))
    patient = patient_of(taken)
    # The key is gone, and the journal knows nothing of it yet.
    await bench.journal.close()
    with closing(SubjectKeys(subject_keys_path(bench.path), Vault(KEYS))) as keys:
        keys.destroy([text_id(patient)], "2026-11-22T09:00:00+00:00", in_ledger=True)
    bench.open()
    # Even before anybody swept, a message about the person is nobody's fault.
    after = await bench.take(reading(identity("1"), movement("1", "V1", trigger="A02", order=2)))
    assert after.answer.verdict is not Verdict.QUARANTINED and patient_of(after) != patient
    await bench.journal.eraser.finish(bench.journal.erased)
    await bench.journal.eraser.sweep()
    assert bench.rows("SELECT count(*) FROM patient") == [(1,)]
    assert {work for _, work in bench.works()} == {"pending", "cancelled"}
    assert whole(bench) == []


async def erase_and_take(folder: Path, life: int) -> None:
    """Take messages of some people, erase one again and again; say who was erased."""
    bench = Bench(folder, Clock())
    await bench.journal.eraser.finish(bench.journal.erased)
    await bench.journal.eraser.sweep()
    for number in range(200):
        taken = await bench.take(reading(*admission(str(number % 7), f"V{number % 7}"), control_id=f"{life}-{number}"))
        if number % 3 == 0 and taken.patient is not None:
            os.write(1, f"?{taken.patient.id}\n".encode())
            await bench.journal.eraser.erase(taken.patient.id)
            os.write(1, f"!{taken.patient.id}\n".encode())


def test_killed_at_any_moment_whoever_was_erased_stays_so_and_the_journal_is_whole(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    said = tmp_path / "said"
    for life in range(12):
        child = os.fork()
        if child == 0:
            os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 1)
            try:
                asyncio.run(erase_and_take(tmp_path, life))
            finally:
                os._exit(1)
        time.sleep(chance.uniform(0.15, 0.5))  # a moment that nobody chose
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    gone = {int(line[1:]) for line in said.read_text().split() if line.startswith("!")}
    assert len(gone) > 5, "the kills came before any work"

    async def last_life() -> None:
        bench = Bench(tmp_path, Clock())
        try:
            await bench.journal.eraser.finish(bench.journal.erased)
            await bench.journal.eraser.sweep()
            assert {text_id(number) for number in gone} <= bench.journal.erased
            assert not {row[0] for row in bench.rows("SELECT id FROM patient")} & gone, f"seed {seed}"
            assert whole(bench) == [], f"seed {seed}"
            assert not set(wrapped_keys(subject_keys_path(bench.path))) & {text_id(number) for number in gone}
        finally:
            await bench.journal.close()

    asyncio.run(last_life())


def test_the_source_is_named_in_the_subject_of_messages_that_are_nobodys() -> None:
    assert SOURCE and ":" not in text_id(1), "how the ledger tells a person from a month"
