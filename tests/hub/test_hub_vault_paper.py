"""The key file on a page for the safe."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.hub.vault import paper
from liaison.hub.vault.keys import KeyFileError, create_keys, load_keys

secrets = st.binary(min_size=64, max_size=64)


@given(held=secrets, spaces=st.sampled_from([" ", "   ", "\t"]), lower=st.booleans())
def test_a_page_gives_its_secrets_again_however_it_is_typed(held: bytes, spaces: str, lower: bool) -> None:
    page = paper.write(held, "check").replace(" ", spaces)
    typed = (page.lower() if lower else page).encode()
    assert paper.is_page(paper.write(held, "check").encode())
    assert paper.read(typed) == held


@given(held=secrets, data=st.data())
def test_a_mistyped_letter_is_found_and_its_line_named(held: bytes, data: st.DataObject) -> None:
    lines = paper.write(held, "check").splitlines()
    at = data.draw(st.integers(1, len(lines) - 1))
    number, *groups, check = lines[at].split()
    text = "".join(groups)
    place = data.draw(st.integers(0, len(text) - 1))
    wrong = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567").filter(lambda letter: letter != text[place]))
    mistyped = text[:place] + wrong + text[place + 1 :]
    lines[at] = f"{number} {mistyped} {check}"
    try:
        assert paper.read("\n".join(lines).encode()) != held  # one mistake of 1,024 agrees with its check
    except paper.MistypedPage as error:
        assert f"ligne {number}" in str(error) and mistyped not in str(error)


@given(raw=st.binary(max_size=300))
def test_no_page_is_more_than_a_mistyped_page(raw: bytes) -> None:
    try:
        assert len(paper.read(b"liaison-keys 2\n" + raw)) == 64
    except paper.MistypedPage:
        pass


def test_a_page_typed_into_a_file_is_a_key_file(tmp_path: Path) -> None:
    made = create_keys(tmp_path / "keys")
    page = tmp_path / "page"
    page.write_text(paper.write(made.derivation + made.wrapping, made.spoken_check))
    page.chmod(0o600)
    assert load_keys(page) == made


def test_a_page_with_a_line_less_is_refused_by_name(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_text("\n".join(paper.write(os.urandom(64), "check").splitlines()[:-1]))
    page.chmod(0o600)
    with pytest.raises(KeyFileError, match=r"page, ligne 7"):
        load_keys(page)
