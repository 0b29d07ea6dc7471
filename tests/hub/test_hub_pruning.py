"""Retention: what grew too old goes, in steps; what is open stays; the journal stays whole."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from liaison.hub.contracts import Delivered, Verdict
from liaison.hub.engine import subject_keys_path
from liaison.hub.journal.aged import STEP
from liaison.hub.journal.records import text_id
from liaison.hub.journal.verify import verify
from liaison.hub.pruning import Pruned, Pruner
from liaison.hub.retention import Retention
from liaison.hub.vault.sealing import Vault
from tests.hub.bench import KEYS, Bench, Clock, patient_of
from tests.hub.people import GP, admission, identity, letter, merge, reading, transfer

DAY = 86_400.0
RETENTION = Retention(message_days=30, event_days=60, trace_days=90, patient_days=120)


async def at_once() -> None:
    """Nobody to give way to."""


def pruner_of(bench: Bench) -> Pruner:
    return Pruner(
        path=bench.path,
        readable=bench.journal.readable,
        writer=bench.journal.writer,
        eraser=bench.journal.eraser,
        retention=RETENTION,
        clock=bench.clock,
        idle=at_once,
    )


async def pruned(bench: Bench) -> Pruned:
    with closing(pruner_of(bench)) as pruner:
        return await pruner.prune()


def whole(bench: Bench) -> list[str]:
    found = verify(bench.path, subject_keys_path(bench.path), Vault(KEYS), everything=True, progress=lambda part, done, total: None)
    return [complaint.what for complaint in found.complaints]


async def deliver_all(bench: Bench, patient: int, destination: str = "platform") -> None:
    head, last, _ = bench.lane(patient, destination)
    for _ in range(head, last + 1):
        await bench.settle(await bench.claimed(patient, destination), Delivered())


def present(bench: Bench) -> dict[str, int]:
    """How many messages with bytes, blobs, events, deliveries, attempts, messages, patients, stays, and ways to them there are."""
    counts = {name: bench.rows(f"SELECT count(*) FROM {name}")[0][0] for name in ("event", "delivery", "attempt", "message")}
    counts |= {name: bench.rows(f"SELECT count(*) FROM {name}")[0][0] for name in ("patient", "stay", "identifier", "seen")}
    counts["bytes"] = bench.rows("SELECT count(*) FROM message WHERE raw IS NOT NULL")[0][0]
    counts["blob"] = bench.rows("SELECT count(*) FROM blob")[0][0]
    return counts


async def test_each_thing_goes_at_its_age_and_not_before(bench: Bench) -> None:
    taken = await bench.take(reading(*admission("1", "V1"), raw=b"A" * 30_000))
    await bench.take(reading(identity("1"), control_id="small"))
    await deliver_all(bench, patient_of(taken))
    before = present(bench)
    assert before["blob"] == before["bytes"] == 1 and before["event"] == 2
    bench.clock.move(29 * DAY)
    assert await pruned(bench) == Pruned() and present(bench) == before
    bench.clock.move(2 * DAY)
    assert (await pruned(bench)).messages_without_bytes == 2
    assert present(bench) == {**before, "blob": 0, "bytes": 0}
    bench.clock.move(30 * DAY)
    assert (await pruned(bench)).messages_without_events == 2
    assert present(bench)["event"] == 0 and bench.rows("SELECT count(*) FROM message WHERE decisions IS NOT NULL") == [(0,)]
    assert whole(bench) == []
    bench.clock.move(30 * DAY)
    done = await pruned(bench)
    assert (done.deliveries, done.messages, done.resends, done.patients) == (2, 2, 2, 0)
    assert {name for name, count in present(bench).items() if count} == {"patient", "stay", "identifier"}
    assert whole(bench) == []
    bench.clock.move(31 * DAY)
    assert (await pruned(bench)).patients == 1
    assert set(present(bench).values()) == {0} and whole(bench) == []
    with closing(sqlite3.connect(subject_keys_path(bench.path))) as store:
        assert store.execute("SELECT 1 FROM subject_key WHERE subject = ?", (text_id(patient_of(taken)),)).fetchone() is None
        # Age is no erasure: nothing to do again after a restoration but to grow old.
        assert store.execute("SELECT count(*) FROM erased").fetchone() == (0,)


async def test_what_is_open_is_kept_whatever_its_age_and_goes_when_it_ends(bench: Bench) -> None:
    waiting = await bench.take(reading(*admission("1", "V1"), control_id="waiting"))
    held = await bench.take(reading(identity("2"), letter("2", "D1", GP, same_patient=False), control_id="held"))
    await bench.take(reading(control_id="quarantined", verdict=Verdict.QUARANTINED))
    done = await bench.take(reading(*admission("3", "V3"), control_id="done"))
    for taken in (held, done):
        await deliver_all(bench, patient_of(taken))
    bench.clock.move(1_000 * DAY)
    first = await pruned(bench)
    assert first.still_open == 3
    kept = [("held",), ("quarantined",), ("waiting",)]
    assert bench.rows("SELECT control_id FROM message WHERE raw IS NOT NULL ORDER BY control_id") == kept
    # Nobody of whom something is open is forgotten.
    assert {row[0] for row in bench.rows("SELECT id FROM patient")} == {patient_of(waiting), patient_of(held)}
    assert whole(bench) == []
    assert (await pruned(bench)).messages == 0
    await deliver_all(bench, patient_of(waiting))
    last = await pruned(bench)
    assert (last.messages, last.still_open) == (1, 2)
    assert (await pruned(bench)).patients in (0, 1)
    assert bench.rows("SELECT control_id FROM message ORDER BY control_id") == [("held",), ("quarantined",)]
    assert whole(bench) == []


async def test_a_message_that_comes_again_after_its_traces_are_gone_finds_the_same_state(bench: Bench) -> None:
    message = reading(*admission("1", "V1"), control_id="A1")
    taken = await bench.take(message)
    await deliver_all(bench, patient_of(taken))
    bench.clock.move(100 * DAY)
    await pruned(bench)
    again = await bench.take(message)
    assert not again.duplicate and patient_of(again) == patient_of(taken)
    assert not [event for event in again.events if event.type.startswith("stay.")], "the stay was told twice"


async def test_more_than_a_step_is_taken_out_step_by_step(bench: Bench) -> None:
    for number in range(STEP + 30):
        await bench.take(reading(control_id=f"N{number}"))
    bench.clock.move(31 * DAY)
    idle = 0

    async def counted() -> None:
        nonlocal idle
        idle += 1

    pruner = Pruner(
        path=bench.path,
        readable=bench.journal.readable,
        writer=bench.journal.writer,
        eraser=bench.journal.eraser,
        retention=RETENTION,
        clock=bench.clock,
        idle=counted,
    )
    steps: list[tuple[str, int]] = []
    with closing(pruner):
        done = await pruner.prune(lambda stage, count: steps.append((stage, count)))
    assert done.messages_without_bytes == STEP + 30 and idle > 5
    assert [count for stage, count in steps if stage == "messages_without_bytes"] == [STEP, STEP + 30]


async def test_a_pass_may_be_asked_for_in_parts_and_says_how_far_it_is(bench: Bench) -> None:
    for number in range(STEP + 30):
        await bench.take(reading(control_id=f"N{number}"))
        bench.clock.move(1)
    bench.clock.move(100 * DAY)
    parts, counts = [0.0], 0
    with closing(pruner_of(bench)) as pruner:
        while parts[-1] < 1.0:
            done = await pruner.prune(most_steps=1)
            parts.append(done.part)
            counts += done.messages
            assert len(parts) < 60
    assert len(parts) > 5 and all(0.0 <= part <= 1.0 for part in parts) and counts == STEP + 30
    assert bench.rows("SELECT count(*) FROM message") == [(0,)]


async def test_people_who_were_merged_are_forgotten_together_and_only_when_all_are_silent(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1")))
    await bench.take(reading(*admission("2", "V2")))
    merged = await bench.take(reading(merge("1", "2", minutes=60)))
    for patient in sorted((row[0] for row in bench.rows("SELECT patient FROM lane")), reverse=True):  # the absorbed first
        await deliver_all(bench, patient)
    bench.clock.move(121 * DAY)
    await bench.take(reading(identity("1", minutes=121 * 24 * 60)))
    assert (await pruned(bench)).patients == 0
    await deliver_all(bench, patient_of(merged))
    bench.clock.move(130 * DAY)
    assert (await pruned(bench)).patients == 2
    assert bench.rows("SELECT count(*) FROM identifier") == [(0,)]


async def live_and_prune(folder: Path, life: int) -> None:
    """Take messages, deliver them, let a month pass, prune; again and again."""
    clock = Clock()
    clock.move(life * 40 * DAY)
    bench = Bench(folder, clock)
    await bench.journal.eraser.finish(bench.journal.erased)
    await bench.journal.eraser.sweep()
    with closing(pruner_of(bench)) as pruner:
        while True:
            for number in range(20):
                taken = await bench.take(
                    reading(*transfer(str(number % 5), f"V{number % 5}", number), control_id=f"{life}-{number}")
                )
                if number % 4:
                    await deliver_all(bench, patient_of(taken))
            clock.move(11 * DAY)
            await pruner.prune()


def test_killed_at_any_moment_the_journal_is_whole(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    for life in range(12):
        child = os.fork()
        if child == 0:
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                asyncio.run(live_and_prune(tmp_path, life))
            finally:
                os._exit(1)
        time.sleep(chance.uniform(0.3, 0.8))  # a moment that nobody chose
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    async def last_life() -> None:
        clock = Clock()
        clock.move(2_000 * DAY)
        bench = Bench(tmp_path, clock)
        try:
            assert whole(bench) == [], f"seed {seed}"
            await bench.journal.eraser.finish(bench.journal.erased)
            await bench.journal.eraser.sweep()
            for patient in {row[0] for row in bench.rows("SELECT patient FROM lane WHERE due IS NOT NULL")}:
                await deliver_all(bench, patient)
            for _ in range(2):
                await pruned(bench)
            assert whole(bench) == [], f"seed {seed}"
            assert {name: count for name, count in present(bench).items() if count} == {}, f"seed {seed}"
        finally:
            await bench.journal.close()

    asyncio.run(last_life())


def test_the_defaults_are_in_an_order_that_forgets_nothing_that_is_needed() -> None:
    default = Retention()
    assert default.message_days < default.event_days < default.trace_days <= default.patient_days
