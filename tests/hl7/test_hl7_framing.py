"""MLLP blocks in a stream, however it is cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liaison.hl7.framing import HEAD, Event, Frame, FrameDecoder, FrameError, Noise, encode_frame

LIMIT = 64


def decode(stream: bytes, cuts: list[int] | None = None, limit: int = LIMIT, max_noise: int = 65_536) -> list[Event]:
    decoder = FrameDecoder(limit, max_noise)
    events: list[Event] = []
    places = [0, *sorted(cuts or []), len(stream)]
    for start, stop in pairwise(places):
        events += decoder.feed(stream[start:stop])
        assert decoder.held <= limit + 2
    return events + decoder.end()


def payloads(events: list[Event]) -> list[bytes]:
    return [event.payload for event in events if isinstance(event, Frame)]


def errors(events: list[Event]) -> list[str]:
    return [event.rule for event in events if isinstance(event, FrameError)]


def test_one_frame_in_one_read() -> None:
    assert FrameDecoder(LIMIT).feed(encode_frame(b"MSH|A")) == [Frame(payload=b"MSH|A")]


def test_several_frames_in_one_read() -> None:
    assert payloads(decode(encode_frame(b"un") + encode_frame(b"deux") + encode_frame(b"trois"))) == [b"un", b"deux", b"trois"]


def test_a_frame_byte_by_byte() -> None:
    stream = encode_frame(b"MSH|A\rPID|1\r")
    decoder = FrameDecoder(LIMIT)
    for index in range(len(stream) - 1):
        assert not decoder.feed(stream[index : index + 1])
        assert decoder.pending
    assert decoder.held == len(stream) - 2
    assert decoder.feed(stream[-1:]) == [Frame(payload=b"MSH|A\rPID|1\r")]
    assert (decoder.pending, decoder.held) == (False, 0)


def test_noise_is_counted_and_line_ends_are_not() -> None:
    events = decode(b"bruit" + encode_frame(b"A") + b"\r\n" + encode_frame(b"B") + b"xx")
    assert events == [Noise(count=5), Frame(payload=b"A"), Frame(payload=b"B"), Noise(count=2)]


def test_a_peer_that_does_not_frame_is_recognised() -> None:
    assert decode(b"MSH|^~\\&|A\rPID|1\r") == [Noise(count=15, looks_like_hl7=True)]


def test_too_much_noise_is_told_once() -> None:
    assert errors(decode(b"x" * 300, [100, 101, 200], max_noise=100)) == ["mllp.noise"]


def test_a_message_of_exactly_the_limit_is_taken() -> None:
    assert payloads(decode(encode_frame(b"x" * LIMIT))) == [b"x" * LIMIT]


def test_an_oversize_frame_is_refused_and_the_next_one_is_taken() -> None:
    events = decode(encode_frame(b"MSH|" + b"x" * 500) + encode_frame(b"B"))
    assert errors(events) == ["mllp.oversize"]
    assert payloads(events) == [b"B"]
    (refused,) = (event for event in events if isinstance(event, FrameError))
    assert refused.head.startswith(b"MSH|")
    assert "x" not in repr(refused)


def test_after_an_oversize_frame_without_end_the_next_beginning_counts() -> None:
    events = decode(b"\x0bMSH|" + b"x" * 500 + encode_frame(b"MSH|B"))
    assert (errors(events), payloads(events)) == (["mllp.oversize"], [b"MSH|B"])


def test_the_head_kept_of_a_refused_frame_is_bounded() -> None:
    (refused,) = decode(b"\x0b" + b"x" * 2 * HEAD, limit=HEAD + 1)
    assert isinstance(refused, FrameError) and len(refused.head) == HEAD


def test_a_frame_that_begins_anew_before_its_end_is_truncated() -> None:
    events = decode(b"\x0bMSH|A\rPI" + encode_frame(b"MSH|B\r"))
    assert (errors(events), payloads(events)) == (["mllp.truncated"], [b"MSH|B\r"])


def test_a_vertical_tab_in_a_value_is_no_beginning() -> None:
    assert payloads(decode(encode_frame(b"MSH|a\x0bb"))) == [b"MSH|a\x0bb"]


def test_an_end_without_carriage_return_is_understood() -> None:
    assert payloads(decode(b"\x0bA\x1c" + encode_frame(b"B"))) == [b"A", b"B"]
    assert payloads(decode(b"\x0bA\x1c")) == [b"A"]


def test_a_lone_end_character_is_part_of_the_message() -> None:
    assert payloads(decode(encode_frame(b"A\x1cB"))) == [b"A\x1cB"]


def test_a_stream_that_stops_inside_a_frame_is_told() -> None:
    assert errors(decode(b"\x0bMSH|A")) == ["mllp.truncated"]


def test_an_empty_frame_is_a_frame() -> None:
    assert payloads(decode(encode_frame(b""), [1, 2])) == [b""]


def test_a_payload_cannot_hold_the_end_of_a_block() -> None:
    with pytest.raises(ValueError, match="1C 0D"):
        encode_frame(b"a\x1c\rb")


def test_a_large_frame_in_small_reads() -> None:
    body = b"MSH|" + b"QUJD" * 500_000
    stream = encode_frame(body)
    decoder = FrameDecoder(10_000_000)
    events = [event for start in range(0, len(stream), 4_096) for event in decoder.feed(stream[start : start + 4_096])]
    assert payloads(events) == [body]


PAYLOADS = st.lists(st.binary(max_size=LIMIT).filter(lambda raw: not set(raw) & {0x0B, 0x1C}), max_size=6)


@given(PAYLOADS, st.lists(st.integers(0, 300), max_size=12))
@settings(deadline=None)
def test_frames_come_out_whole_however_they_are_cut(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(encode_frame, bodies))
    assert decode(stream, [min(cut, len(stream)) for cut in cuts]) == [Frame(payload=body) for body in bodies]


PIECES = st.sampled_from(
    [b"\x0b", b"\x1c", b"\r", b"\x1c\r", b"\x0bMSH", b"M", b"SH", b"x" * 30, b"x" * (LIMIT - 3), b"\n", b"\x1c\x0b"]
)


@given(st.lists(PIECES, max_size=14).map(b"".join), st.data())
@settings(max_examples=400, deadline=None)
def test_what_is_said_does_not_depend_on_the_cuts(stream: bytes, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=10))
    whole = decode(stream, max_noise=40)
    assert decode(stream, cuts, max_noise=40) == whole
    assert decode(stream, list(range(len(stream))), max_noise=40) == whole
