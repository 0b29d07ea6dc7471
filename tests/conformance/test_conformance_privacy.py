"""However a message is broken, the report names nobody."""

from __future__ import annotations

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from liaison.conformance.examine import NothingToRead, examine
from liaison.conformance.page import page_of
from tests.conformance.feeds import BORN, GIVEN, INS, IPP, NAME, NOW, STREET, adt, in_memory, moved

CANARIES = (NAME, GIVEN, BORN, INS, IPP, STREET)
FEED = adt() + moved("A02", 2, 10, visit=f"{IPP}9", PID_3=f"{IPP}^^^CH^PI~{INS}^^^&1.2.250.1.213.1.4.10&ISO^INS")

_edits = st.lists(
    st.tuples(st.integers(0, len(FEED) - 1), st.integers(0, 40), st.sampled_from([b"", b"|", b"||", b"\r", b"\n", b"^", b"~", b"&", b"\\", b"\x0b", b"\xe9"])),
    min_size=1,
    max_size=6,
)  # fmt: skip


@given(_edits)
@example([(36, 40, b"|")] * 4)
@settings(max_examples=300, deadline=None)
def test_no_way_of_breaking_a_message_makes_the_report_name_somebody(edits: list[tuple[int, int, bytes]]) -> None:
    raw = FEED
    for at, length, put in edits:
        raw = raw[:at] + put + raw[at + length :]
    try:
        report = examine(in_memory(feed=raw), now=NOW, workers=1)
    except NothingToRead:
        return
    told = msgspec.json.encode(report).decode() + page_of(report)
    assert not [canary for canary in CANARIES if canary in told]
    assert "export.fault" not in told


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_any_bytes_are_examined_without_a_fault_of_ours(noise: bytes) -> None:
    report = examine(in_memory(feed=b"MSH|^~\\&|" + noise, other=adt()), now=NOW, workers=1)
    assert "export.fault" not in [line.rule for line in report.remarks]
