"""Reading the journal beside the writer."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy.exc import DBAPIError

from liaison.events.envelope import from_cloudevent_json
from liaison.hub.contracts import Delivered, Unavailable, Verdict
from liaison.hub.journal.database import open_engine
from liaison.hub.journal.queries import JournalReader
from liaison.hub.journal.records import microseconds, text_id
from tests.hub.bench import Bench, patient_of
from tests.hub.people import admission, identity, letter, reading


async def test_counts_are_those_of_the_whole_journal(bench: Bench) -> None:
    await bench.take(reading(*admission("1", "V1")))
    await bench.take(reading(identity("1"), letter("1", "D1")))
    await bench.take(reading(*admission("2", "V1")))
    counts = bench.journal.reader.counts()
    assert (counts.messages, counts.events, counts.patients, counts.stays, counts.documents, counts.holds) == (3, 3, 1, 1, 1, 1)
    assert counts.messages_by_verdict == {"accepted": 2, "quarantined": 1} and counts.deliveries == {"pending": 4}


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
async def test_messages_are_listed_once_each_oldest_first_whatever_the_page(bench: Bench, page: int) -> None:
    taken = [await bench.take(reading(*admission(str(number), f"V{number}"), control_id=f"C{number}")) for number in range(3)]
    lines = list(bench.journal.reader.messages(page=page))
    assert [line.id for line in lines] == [one.answer.message_id for one in taken]
    assert [line.events for line in lines] == [tuple(event.id for event in one.events) for one in taken]
    assert [line.control_id for line in lines] == ["C0", "C1", "C2"]
    assert lines[0].received_at == bench.clock.now.isoformat()


async def test_a_message_is_found_by_its_id_its_events_id_and_its_control_id(bench: Bench) -> None:
    taken = await bench.take(reading(*admission("1", "V1"), control_id="CTRL"))
    number = int(taken.answer.message_id, 16)
    for text in (taken.answer.message_id, taken.events[1].id, "CTRL"):
        assert bench.journal.reader.find_messages(text) == (number,)
    for text in ("", "CTRL2", "f" * 16, "'; --"):
        assert bench.journal.reader.find_messages(text) == ()


async def test_a_message_comes_back_whole(bench: Bench) -> None:
    for raw in (b"short", b"long" * 20_000):
        taken = await bench.take(reading(*admission("1", f"V{len(raw)}"), raw=raw))
        stored = bench.journal.reader.message(int(taken.answer.message_id, 16))
        assert stored is not None and stored.raw == raw and stored.reply == taken.answer.reply
        assert stored.decisions is not None and stored.subject == text_id(patient_of(taken)) and stored.line.size == len(raw)
    assert len(bench.rows("SELECT id FROM blob")) == 1
    assert bench.journal.reader.message(1) is None


async def test_what_was_erased_is_listed_and_not_shown(bench: Bench) -> None:
    taken = await bench.take(reading(*admission("1", "V1")))
    await bench.journal.close()
    with closing(sqlite3.connect(bench.path.with_name("journal.db-subjects"))) as store:
        store.execute("DELETE FROM subject_key WHERE subject = ?", (text_id(patient_of(taken)),))
        store.commit()
    bench.open()
    stored = bench.journal.reader.message(int(taken.answer.message_id, 16))
    assert stored is not None and stored.raw is None and stored.decisions is None and stored.reply
    assert len(list(bench.journal.reader.messages())) == 1


async def test_an_event_is_what_was_told(bench: Bench) -> None:
    taken = await bench.take(reading(*admission("1", "V1")))
    number = int(taken.answer.message_id, 16)
    body = bench.journal.reader.event_body(number, 1)
    assert body is not None and from_cloudevent_json(body) == taken.events[1]
    assert bench.journal.reader.event_body(number, 2) is None


async def test_lanes_that_are_due_are_told_oldest_first_and_no_others(bench: Bench) -> None:
    first = patient_of(await bench.take(reading(identity("1"))))
    bench.clock.move(1)
    second = patient_of(await bench.take(reading(identity("2"))))
    third = patient_of(await bench.take(reading(identity("3"))))
    await bench.settle(await bench.claimed(third), Delivered())
    await bench.settle(await bench.claimed(first), Unavailable(reason="x", retry_after=60.0))
    now = microseconds(bench.clock.now)
    reader = bench.journal.reader
    assert [one.patient for one in reader.lanes_due("platform", now, most=10)] == [second]
    assert [one.patient for one in reader.lanes_due("platform", now + 61_000_000, most=10)] == [second, first]
    assert [one.patient for one in reader.lanes_due("platform", now + 61_000_000, most=1)] == [second]
    assert reader.lanes_due("mail", now, most=10) == ()


async def test_what_is_being_sent_and_what_was_tried_is_told(bench: Bench) -> None:
    taken = await bench.take(reading(*admission("1", "V1")))
    claimed = await bench.claimed(patient_of(taken))
    assert [one.id for one in bench.journal.reader.interrupted()] == [claimed.id]
    await bench.settle(claimed, Delivered(reference="200"))
    assert bench.journal.reader.interrupted() == ()
    first, second = bench.journal.reader.deliveries_of(int(taken.answer.message_id, 16))
    assert (first.id, first.work, first.lane_seq) == (text_id(claimed.id), "submitted", 1)
    assert [(one.outcome, one.reason) for one in first.attempts] == [("delivered", "200")]
    assert [one.outcome for one in first.receipts] == ["delivered"]
    assert (second.work, second.attempts, second.receipts) == ("pending", (), ())
    assert taken.answer.verdict is Verdict.ACCEPTED


async def test_a_reader_without_keys_sees_the_clear_columns_only(bench: Bench) -> None:
    taken = await bench.take(reading(*admission("1", "V1")))
    with closing(JournalReader(bench.path)) as reader:
        assert reader.counts().messages == 1
        with pytest.raises(RuntimeError, match="no keys"):
            reader.patient(patient_of(taken))


async def test_a_reader_cannot_write(bench: Bench) -> None:
    engine = open_engine(bench.path, reader=True)
    with engine.connect() as connection, pytest.raises(DBAPIError, match="readonly"):
        connection.exec_driver_sql("DELETE FROM message")
    engine.dispose()
