"""Files of several messages."""

from __future__ import annotations

import os
from pathlib import Path

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.hl7 import batch
from liaison.hl7.batch import batch_of_replies, split_batch
from liaison.hl7.framing import encode_frame

ONE = b"MSH|^~\\&|A|||||||1\rPID|1\r"
TWO = b"MSH|^~\\&|A|||||||2\rPID|2\r"


def whole(raw: bytes) -> tuple[bytes, ...]:
    """The messages of a file with nothing wrong around them."""
    batch = split_batch(raw)
    assert batch.findings == () and batch.cut is None
    return batch.messages


def rules(raw: bytes) -> list[str]:
    return [finding.rule for finding in split_batch(raw).findings]


def test_one_message_is_given_back_as_it_is() -> None:
    for raw in (ONE, b"\xef\xbb\xbf" + ONE, b"bruit\r" + ONE, ONE.replace(b"\r", b"\n")):
        assert whole(raw) == (raw,)


def test_what_is_no_message_is_left_to_the_reader() -> None:
    for raw in (b"", b"<xml/>", b"PID|1\r", bytes(range(256))):
        assert whole(raw) == (raw,)


def test_a_whole_batch() -> None:
    raw = b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + ONE + TWO + b"BTS|2\rFTS|1\r"
    assert whole(raw) == (ONE, TWO)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_other_line_ends(end: bytes) -> None:
    raw = (b"BHS|^~\\&|A\r" + ONE + TWO + b"BTS|2\r").replace(b"\r", end)
    assert whole(raw) == (ONE.replace(b"\r", end), TWO.replace(b"\r", end))


def test_messages_one_after_the_other() -> None:
    assert whole(ONE + TWO) == (ONE, TWO)


def test_frames_one_after_the_other() -> None:
    assert whole(encode_frame(ONE) + b"\r\n" + encode_frame(TWO)) == (ONE, TWO)
    assert rules(encode_frame(ONE) + encode_frame(TWO)[:-5]) == ["hl7.batch-frames"]


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"BHS|^~\\&|\r" + ONE, "hl7.batch-unclosed"),
        (b"BHS|^~\\&|\r" + ONE + b"BHS|^~\\&|\r" + TWO + b"BTS|2\r", "hl7.batch-structure"),
        (ONE + b"BTS|1\r", "hl7.batch-structure"),
        (b"FHS|^~\\&|\r" + ONE + b"FTS|0\r", "hl7.batch-structure"),
        (b"BHS|^~\\&|\r" + ONE + b"BTS|2\r", "hl7.batch-count"),
        (b"FHS|^~\\&|\rBHS|^~\\&|\r" + ONE + b"BTS|1\rFTS|2\r", "hl7.batch-count"),
        (b"FHS|^~\\&|\rFTS|1\r", "hl7.batch-count"),
    ],
)
def test_faulty_batches_keep_their_messages(raw: bytes, rule: str) -> None:
    batch = split_batch(raw)
    assert [finding.rule for finding in batch.findings] == [rule]
    assert (batch.cut is not None) == (rule == "hl7.batch-unclosed")
    assert b"".join(batch.messages).count(b"MSH") == raw.count(b"MSH")


def test_a_file_of_too_many_messages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MAX_MESSAGES", 3)
    assert len(split_batch(ONE * 3).messages) == 3
    assert (split_batch(ONE * 4).messages, rules(ONE * 4)) == ((), ["hl7.batch-size"])


@given(
    st.lists(
        st.sampled_from([ONE, TWO, b"BHS|^~\\&|\r", b"BTS|1\r", b"FHS|^~\\&|\r", b"FTS|\r", b"PID|3\r", b"\x0b", b"\x1c\r"]),
        max_size=9,
    )
)
def test_no_message_is_lost(pieces: list[bytes]) -> None:
    messages = split_batch(b"".join(pieces)).messages
    if b"\x0b" not in pieces[:1]:
        assert b"".join(messages).count(b"MSH") == pieces.count(ONE) + pieces.count(TWO)


def test_replies_go_back_as_a_batch_that_answers_the_senders() -> None:
    raw = b"FHS|^~\\&|DPI|CH|PFI|GCS|||f||F-1\rBHS|^~\\&|DPI|CH|PFI|GCS|||||B-9\r" + ONE + TWO + b"BTS|2\rFTS|1\r"
    replies = [b"MSH|^~\\&|B\rMSA|AA|1\r", b"MSH|^~\\&|B\rMSA|AE|2\r"]
    answer = batch_of_replies(raw, replies)
    assert answer.startswith(b"FHS|^~\\&|PFI|GCS|DPI|CH||||||F-1\rBHS|^~\\&|PFI|GCS|DPI|CH||||||B-9\r")
    assert whole(answer) == tuple(replies)
    parsed = hl7.parse_file(answer.decode())
    assert [str(message) for message in parsed[0]] == [reply.decode() for reply in replies]


@given(st.binary(max_size=200), st.lists(st.just(b"MSH|^~\\&|B\rMSA|AA|1\r"), max_size=3))
def test_whatever_the_headers_the_replies_are_all_there(noise: bytes, replies: list[bytes]) -> None:
    answer = batch_of_replies(b"FHS|^~\\&|" + noise + b"\rBHS|^~\\&|A\r" + ONE, replies)
    assert split_batch(answer).messages == tuple(replies) and rules(answer) == []


@pytest.mark.skipif(not os.environ.get("LIAISON_CORPUS"), reason="LIAISON_CORPUS is not set")
def test_corpus_batches() -> None:
    folder = Path(os.environ["LIAISON_CORPUS"], "hl7v2")
    told = {path.stem: (len(split_batch(path.read_bytes()).messages), rules(path.read_bytes())) for path in folder.glob("messy_*")}
    faulty = ["hl7.batch-structure"]
    assert told == {
        "messy_pythonhl7_sample_hl7": (1, []),
        "messy_pythonhl7_sample_batch": (1, []),
        "messy_pythonhl7_sample_batch2": (2, []),
        "messy_pythonhl7_sample_file": (1, []),
        "messy_pythonhl7_sample_file3": (1, faulty),
        "messy_pythonhl7_sample_bad_batch1": (1, faulty),
        "messy_pythonhl7_sample_bad_file2": (1, faulty),
    }
