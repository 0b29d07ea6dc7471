"""The erasure ledger's file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.hub.vault.ledger import Ledger

AT = "2026-11-22T09:00:00+00:00"


def test_what_was_appended_is_read_again_and_its_file_is_the_owners_alone(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "erasures")
    assert ledger.read() == {}
    ledger.append({"00000000000000a1": AT})
    ledger.append({})
    ledger.append({"source:ch-dax:2026-11": AT, "00000000000000a2": AT})
    assert ledger.read() == {"00000000000000a1": AT, "source:ch-dax:2026-11": AT, "00000000000000a2": AT}
    assert ledger.path.stat().st_mode & 0o777 == 0o600


def test_a_line_cut_short_is_passed_over_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "erasures")
    ledger.append({"00000000000000a1": AT, "00000000000000a2": AT})
    whole = ledger.path.read_bytes()
    for cut in range(len(whole) + 1):
        ledger.path.write_bytes(whole[:cut])
        ledger.append({"00000000000000b1": AT})
        assert "00000000000000b1" in ledger.read()


@given(raw=st.binary(max_size=200))
def test_no_content_is_too_strange_to_read(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("ledger") / "erasures"
    path.write_bytes(raw)
    assert isinstance(Ledger(path).read(), dict)
