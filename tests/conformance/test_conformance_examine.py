from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liaison.care.units import Unit
from liaison.conformance import export
from liaison.conformance.examine import NothingToRead, TookTooLong, examine
from liaison.conformance.export import Unread, chunks, files_under
from liaison.conformance.report import Report
from liaison.hl7.framing import encode_frame
from liaison.mappings.interpretation import SourceProfile
from tests.conformance.feeds import NOW, adt, examined, in_memory, moved

MESSAGES = tuple(
    moved(event, number, 8 + number % 10, visit=f"V{number // 3}", ipp=str(number // 3), PID_32="" if number % 4 == 0 else "PROV")
    for number, event in enumerate(("A01", "A02", "A03") * 8)
)


def as_json(report: Report) -> bytes:
    return msgspec.json.encode(report)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
def test_the_report_does_not_depend_on_how_messages_are_gathered(sizes: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        whole = as_json(examined(*MESSAGES))
        for size in sizes:
            patch.setattr(export, "CHUNK_MESSAGES", size)
            assert as_json(examined(*MESSAGES)) == whole


def test_the_report_does_not_depend_on_the_number_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "CHUNK_MESSAGES", 5)
    assert as_json(examined(*MESSAGES, workers=2)) == as_json(examined(*MESSAGES, workers=1))


@pytest.mark.parametrize(
    "raw",
    [
        b"".join(MESSAGES),
        b"FHS|^~\\&|DPI\rBHS|^~\\&|DPI\r" + b"".join(MESSAGES) + f"BTS|{len(MESSAGES)}\rFTS|1\r".encode(),
        b"".join(map(encode_frame, MESSAGES)),
    ],
    ids=["one after the other", "a batch", "a capture of MLLP"],
)
def test_files_of_every_layout_hold_the_same_messages(raw: bytes) -> None:
    report = examine(in_memory(feed=raw), now=NOW, workers=1)
    assert as_json(report) == as_json(examined(*MESSAGES))


def test_a_folder_is_read_whole_in_the_order_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/2.hl7", "a.hl7", "b/1.hl7"):
        (tmp_path / name).write_bytes(adt())
    (tmp_path / ".hidden").write_bytes(adt())
    (tmp_path / "link.hl7").symlink_to(tmp_path / "a.hl7")
    assert [file.name for file in files_under([tmp_path])] == ["a.hl7", "b/1.hl7", "b/2.hl7"]


def test_files_that_hold_no_message_are_named_with_what_they_are() -> None:
    report = examine(
        in_memory(
            **{"a.hl7": adt(), "vide.hl7": b"\r\n", "note.txt": b"bonjour", "archive.zip": b"PK\x03\x04...", "doc.xml": b"<a/>"}
        ),
        now=NOW,
        workers=1,
    )
    assert {one.name: one.why for one in report.unread} == {
        "vide.hl7": "est un fichier vide",
        "note.txt": "n’est pas du HL7 v2",
        "archive.zip": "est une archive : en extraire les messages",
        "doc.xml": "est un document XML et non un message HL7 v2",
    }


def test_an_export_without_any_message_is_no_report() -> None:
    with pytest.raises(NothingToRead) as nothing:
        examine(in_memory(**{"note.txt": b"bonjour"}), now=NOW)
    assert [one.name for one in nothing.value.unread] == ["note.txt"]


def test_a_file_that_is_too_large_is_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MAX_FILE", 10)
    unread: list[Unread] = []
    assert list(chunks(in_memory(feed=adt()), unread, lambda _: None)) == []
    assert unread[0].why.startswith("dépasse")


def test_an_export_without_end_is_cut_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liaison.conformance.examine.MAX_MESSAGES", 6)
    monkeypatch.setattr(export, "CHUNK_MESSAGES", 3)
    report = examined(*MESSAGES)
    assert report.messages == 6
    assert "export.too-many" in [line.rule for line in report.remarks]


def test_the_time_given_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liaison.conformance.examine.time.monotonic", iter((0.0, 99.0)).__next__)
    with pytest.raises(TookTooLong):
        examine(in_memory(feed=adt()), now=NOW, workers=1, seconds=10.0)


def test_a_message_that_cannot_be_read_is_counted_and_the_others_are_read() -> None:
    report = examine(in_memory(a=adt(), b=b"MSH\r", c=adt(MSH_10="C2")), now=NOW, workers=1)
    assert report.messages == 3
    assert [(line.kind, line.messages) for line in report.kinds] == [("ADT^A01", 2), ("?", 1)]


def test_a_fault_of_ours_costs_one_message_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("ZORGLUBARD")

    monkeypatch.setattr("liaison.conformance.look.apply_profile", fails)
    report = examined(adt())
    assert [line.rule for line in report.remarks] == ["export.fault"]
    assert b"ZORGLUBARD" not in as_json(report)


def test_units_that_the_referential_lacks_are_told_and_what_is_no_code_is_masked() -> None:
    feed = b"".join((adt(), adt(MSH_10="C2", ZBE_7="Cardio^^^^^^UF^^^3100"), adt(MSH_10="C3", ZBE_7="x^^^^^^UF^^^ZORGLUBARD")))
    report = examine(in_memory(feed=feed), now=NOW, units={"2111": Unit(code="2111")}, workers=1)
    assert report.units is not None
    assert {one.code: one.count for one in report.units} == {"3100": 1, "AAAAAAAAAA": 1}
    assert examined(adt()).units is None


def test_messages_are_read_as_the_source_that_is_named() -> None:
    profile = SourceProfile(source="ch", finess="400011177", senders=frozenset({"AUTRE|CH"}))
    report = examine(in_memory(feed=adt()), now=NOW, profile=profile, workers=1)
    assert [line.rule for line in report.remarks] == ["sender.pair"]


@pytest.mark.skipif("LIAISON_CORPUS" not in os.environ, reason="LIAISON_CORPUS is not set: the official examples are not at hand")
def test_the_official_examples_are_examined_whole() -> None:
    report = examine(files_under([Path(os.environ["LIAISON_CORPUS"]) / "hl7v2"]), now=NOW, workers=1)
    assert report.messages > 30
    assert "export.fault" not in [line.rule for line in report.remarks]
    shifted = [line for line in report.remarks if line.rule == "hl7.zbe-shifted"]
    assert [one.file for one in shifted[0].examples] == ["ans_pamfr_sgl_sortie.er7"]
    assert "sequence.movement-reused" in [line.rule for line in report.sequence]
