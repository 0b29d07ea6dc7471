"""The key file and what is derived from it."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import msgspec
import pytest

from liaison.hub.vault.keys import KeyFileError, create_keys, export_keys, load_keys, master_keys


def test_a_key_file_is_its_owners_alone_and_gives_the_same_keys_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "keys"
    made = create_keys(path)
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o077 == 0
    assert load_keys(path) == made


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    create_keys(tmp_path / "keys")
    before = (tmp_path / "keys").read_bytes()
    with pytest.raises(FileExistsError):
        create_keys(tmp_path / "keys")
    assert (tmp_path / "keys").read_bytes() == before


def test_what_is_derived_is_all_different_and_says_nothing_of_the_key() -> None:
    key = os.urandom(32)
    keys = master_keys(key)
    parts = [keys.wrapping, keys.blind_index, keys.content_digest, keys.check_value]
    assert len(set(parts)) == 4 and key not in parts
    assert master_keys(key) == keys and master_keys(os.urandom(32)) != keys
    assert repr(keys) == "<MasterKeys>"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    create_keys(tmp_path / "keys")
    (tmp_path / "keys").chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_keys(tmp_path / "keys")


def test_a_missing_key_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="Restaurez"):
        load_keys(tmp_path / "keys")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        msgspec.json.encode({"version": 1}),
        msgspec.json.encode({"version": 2, "key": base64.b64encode(bytes(32)).decode()}),
        msgspec.json.encode({"version": 1, "key": base64.b64encode(bytes(31)).decode()}),
        msgspec.json.encode({"version": 1, "key": "é" * 43}),
        msgspec.json.encode({"version": 1, "key": base64.b64encode(bytes(32)).decode(), "other": 1}),
    ],
)
def test_what_is_no_key_file_is_refused_by_name_and_not_by_content(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="keys"):
        load_keys(path)


def test_a_file_of_the_first_version_still_opens_its_journal(tmp_path: Path) -> None:
    key = os.urandom(32)
    path = tmp_path / "keys"
    path.write_bytes(msgspec.json.encode({"version": 1, "key": base64.b64encode(key).decode()}))
    path.chmod(0o600)
    assert load_keys(path) == master_keys(key)


def test_a_copy_for_the_safe_is_the_same_keys_and_is_never_written_over(tmp_path: Path) -> None:
    made = create_keys(tmp_path / "keys")
    export_keys(tmp_path / "safe", made)
    assert load_keys(tmp_path / "safe") == made and (tmp_path / "safe").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        export_keys(tmp_path / "safe", made)
    assert len(made.spoken_check) == 39 and made.spoken_check != create_keys(tmp_path / "other").spoken_check
