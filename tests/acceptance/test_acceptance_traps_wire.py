"""Traps seen in headers and on the wire, from bytes to stays: events, character sets, ends of lines, order and times."""

from __future__ import annotations

import base64

import pytest

from liaison.hl7.framing import Frame, FrameDecoder, encode_frame
from liaison.hub.contracts import Verdict
from tests.acceptance import feed, letters
from tests.acceptance.ward import Ward, admitted, hour, identity
from tests.mappings.pam import adt


def test_trap_17_an_a08_is_an_update_of_identity_and_moves_nobody() -> None:
    ward = Ward()
    admitted(ward)
    told = ward.hears(adt("A08", {"MSH_10": "C2", "EVN_2": "20260201080000", "PID_5": "ESSAI^ANNA^ANNA MARIE^^^^L"}).raw)
    assert (told.events, told.person.first_given_name) == (["identity.updated"], "ANNA")
    assert told.rules == ["hl7.event-excluded"]


@pytest.mark.parametrize(("event", "structure"), [("A28", "ADT_A28"), ("A31", "ADT_A31"), ("A31", "")])
def test_trap_17_a_wrong_structure_identifier_costs_nothing(event: str, structure: str) -> None:
    heard = identity(event=event, MSH_9=f"ADT^{event}^{structure}")
    assert (heard.code, heard.events) == ("AA", ["identity.created"])
    assert heard.rules == (["hl7.message-structure"] if structure else [])


@pytest.mark.parametrize(
    ("fields", "codec", "rules"),
    [
        ({"MSH_16": "FRA", "MSH_17": "8859/1", "MSH_18": ""}, "iso8859-1", ["hl7.charset-misplaced"]),
        ({"MSH_18": "8859"}, "iso8859-15", []),
        ({"MSH_18": "", "MSH_15": "8859/15"}, "iso8859-15", ["hl7.charset-misplaced"]),
    ],
)
def test_trap_19_the_character_set_is_found_beside_its_field(fields: dict[str, str], codec: str, rules: list[str]) -> None:
    heard = Ward().hears(accented(codec, **fields))
    assert (heard.person.birth_name, heard.rules) == ("GAUTIÉ", rules)


def accented(codec: str, **fields: str) -> bytes:
    """An admission of somebody with an accent, in any character set, whatever it declares."""
    return adt("A01", {"PID_5": "GAUTIÉ^ANNE^ANNE MARIE^^^^L"} | fields).raw.decode().encode(codec)


@pytest.mark.parametrize(
    ("declared", "codec", "rules"),
    [
        ("UNICODE UTF-8", "utf-8", []),
        ("8859/15", "iso8859-15", []),
        ("8859/1", "iso8859-1", []),
        ("UNICODE UTF-8", "cp1252", ["hl7.charset-fallback"]),
        ("8859/15", "utf-8", ["hl7.charset-fallback"]),
        ("", "utf-8", ["hl7.charset-undeclared"]),
        ("", "cp1252", ["hl7.charset-undeclared"]),
        ("LATIN-X", "utf-8", ["hl7.charset-unknown", "hl7.charset-undeclared"]),
    ],
)
def test_trap_20_accents_arrive_whatever_was_declared(declared: str, codec: str, rules: list[str]) -> None:
    heard = Ward().hears(accented(codec, MSH_18=declared))
    assert (heard.person.birth_name, heard.rules) == ("GAUTIÉ", rules)
    assert heard.code == "AA", "the reply can be read in the sender's own character set"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\r", b"\n\n"])
def test_trap_21_segments_may_end_in_another_way(end: bytes) -> None:
    raw = adt("A01", {}).raw
    heard = Ward().hears(raw.rstrip(b"\r").replace(b"\r", end) + end)
    assert (heard.events[-1], heard.stay.place.uf_medical) == ("stay.admitted", "2110")
    assert heard.rules == ["hl7.segment-ends"]
    assert heard.reading.raw.count(end) == raw.count(b"\r") + 1, "the bytes are kept as they came"


def test_trap_21_a_line_break_inside_a_value_is_no_end_of_segment() -> None:
    encoded = base64.b64encode(letters.document(1, "N1")).decode()
    wrapped = "\n".join(encoded[at : at + 76] for at in range(0, len(encoded), 76))
    heard = Ward().hears(feed.letter("L1", b"", person=letters.PERSON, visit="V1", to=[letters.GP], encoded=wrapped))
    assert heard.letters == [("deliver", "recipient.named", letters.GP)]
    assert "hl7.line-break-in-value" in heard.rules


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_trap_21_the_end_of_a_frame_is_no_part_of_its_message(cut: int) -> None:
    decoder, framed = FrameDecoder(max_message=100_000), encode_frame(adt("A01", {}).raw)
    events = [event for at in range(0, len(framed), cut) for event in decoder.feed(framed[at : at + cut])]
    (frame,) = events
    assert isinstance(frame, Frame)
    assert Ward().hears(frame.payload).rules == []


def test_trap_21_a_message_without_its_frame_is_read_as_it_is() -> None:
    heard = Ward().hears(encode_frame(adt("A01", {}).raw))
    assert (heard.events[-1], heard.code) == ("stay.admitted", "AA")


def test_trap_22_no_segment_or_event_is_hidden_by_the_version_that_the_message_names() -> None:
    ward = Ward()
    admitted(ward, MSH_12="2.3.1")
    ward.moves("A03", "M2", "0910", MSH_12="2.3.1")
    assert ward.corrects("M2", "0911", of="A03", MSH_12="2.3.1").stay.discharged_at == hour("0911")


def test_trap_22_a_zam_is_acknowledged_and_does_nothing() -> None:
    heard = admitted(MSH_9="ZAM^Z02^ZAM_Z01")
    assert (heard.verdict, heard.code, heard.events) == (Verdict.IGNORED, "AA", [])
    assert heard.rules == ["hl7.acknowledgement-ignored"]


def test_trap_23_a_discharge_before_its_transfer_ends_where_the_right_order_does() -> None:
    ward = Ward()
    admitted(ward)
    transfer = ward.written("A02", "M2", "0608", unit="3111")
    left = ward.moves("A03", "M3", "0910", PV1_3="", ZBE_7="", ZBE_8="", ZBE_9="H")
    late = ward.hears(transfer)
    assert left.stay.place.uf_lodging == "2111"
    assert (late.stay.status, late.stay.place.uf_lodging, late.told[0].historic) == ("discharged", "3111", True)


def test_trap_23_a_message_sent_again_is_answered_the_same_and_told_once() -> None:
    ward = Ward()
    raw = ward.written("A01", "M1", "0508")
    first, again = ward.hears(raw), ward.hears(raw.replace(b"20260201000100", b"20260201000500", 1))
    assert (first.duplicate, again.duplicate, again.events) == (False, True, [])
    assert again.reply == first.reply, "only MSH-7 differs"


def test_trap_23_a_movement_sent_again_under_another_control_id_is_told_once() -> None:
    ward = Ward()
    admitted(ward)
    assert ward.moves("A01", "M1", "0508").events == []


@pytest.mark.parametrize(
    ("said", "recorded"),
    [
        ("202602010809", "2026-02-01T08:09:00+01:00"),
        ("20260201080910.703+0100", "2026-02-01T08:09:10.703000+01:00"),
        ("20260201080910.7030+0000", "2026-02-01T08:09:10.703000+00:00"),
        ("20260201", "2026-02-01T00:00:00+01:00"),
    ],
)
def test_trap_25_times_are_read_as_precisely_as_they_were_written(said: str, recorded: str) -> None:
    heard = admitted(MSH_7=said, EVN_2=said)
    assert (heard.identity.recorded_at.isoformat(), heard.rules) == (recorded, [])


def test_trap_25_a_time_of_birth_is_not_part_of_the_trait() -> None:
    heard = admitted(PID_7="197903280000")
    assert (heard.person.birth_date, heard.rules) == ("19790328", ["hl7.birth-date-time"])
    assert heard.person.ins is not None
