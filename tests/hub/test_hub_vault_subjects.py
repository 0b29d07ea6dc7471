"""The store of subject keys."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from liaison.hub.vault.keys import KeyFileError, master_keys
from liaison.hub.vault.sealing import SubjectKey, Vault
from liaison.hub.vault.subjects import SubjectErased, SubjectKeys, SubjectKnown

VAULT = Vault(master_keys(bytes(32)))
PLACE = b"patient|1|state"


def erase(path: Path, subject: str, *, keep_key: bool = False) -> None:
    """What an erasure leaves in the store; ``keep_key`` as when a backup of the key came back."""
    with closing(sqlite3.connect(path)) as store:
        if not keep_key:
            store.execute("DELETE FROM subject_key WHERE subject = ?", (subject,))
        store.execute("INSERT INTO erased VALUES (?, '2026-11-22')", (subject,))
        store.commit()


def opens(key: SubjectKey, sealed: bytes) -> bool:
    return Vault.open(key, PLACE, sealed) == b"x"


def test_a_key_is_there_again_once_it_was_flushed(tmp_path: Path) -> None:
    path = tmp_path / "subjects"
    with closing(SubjectKeys(path, VAULT)) as keys:
        sealed = Vault.seal(keys.get_or_make("p1"), PLACE, b"x")
        keys.flush()
        lost = keys.get_or_make("p2").subject
    assert path.stat().st_mode & 0o777 == 0o600
    with closing(SubjectKeys(path, VAULT, readonly=True)) as reader:
        assert opens(reader.get("p1"), sealed)
        with pytest.raises(SubjectErased):
            reader.get(lost)
        with pytest.raises(sqlite3.OperationalError):
            reader.get_or_make("p3")
            reader.flush()


def test_no_key_is_in_the_file_in_the_clear(tmp_path: Path) -> None:
    with closing(SubjectKeys(tmp_path / "subjects", VAULT)) as keys:
        keys.get_or_make("p1")
        keys.flush()
    with pytest.raises(KeyFileError, match="pas celui de ce journal"):
        SubjectKeys(tmp_path / "subjects", Vault(master_keys(bytes(range(32)))))


def test_an_erased_subject_has_no_key_and_gets_no_other(tmp_path: Path) -> None:
    path = tmp_path / "subjects"
    with closing(SubjectKeys(path, VAULT)) as keys:
        keys.get_or_make("p1")
        keys.flush()
    erase(path, "p1")
    with closing(SubjectKeys(path, VAULT)) as keys:
        for ask in (keys.get, keys.get_or_make):
            with pytest.raises(SubjectErased):
                ask("p1")


def test_a_key_that_a_backup_brought_back_is_erased_again(tmp_path: Path) -> None:
    path = tmp_path / "subjects"
    with closing(SubjectKeys(path, VAULT)) as keys:
        keys.get_or_make("p1")
        keys.flush()
    erase(path, "p1", keep_key=True)
    with closing(SubjectKeys(path, VAULT)) as keys, pytest.raises(SubjectErased):
        keys.get("p1")


def test_more_keys_than_are_kept_open_are_all_still_there(tmp_path: Path) -> None:
    with closing(SubjectKeys(tmp_path / "subjects", VAULT, most_open=3)) as keys:
        sealed = {f"p{n}": Vault.seal(keys.get_or_make(f"p{n}"), PLACE, b"x") for n in range(20)}
        keys.flush()
        assert all(opens(keys.get(subject), one) for subject, one in sealed.items())
        keys.load(sealed)
        assert repr(keys) == "<SubjectKeys open=3>"


def test_a_flush_that_failed_can_be_done_again(tmp_path: Path) -> None:
    path = tmp_path / "subjects"
    with closing(SubjectKeys(path, VAULT)) as keys:
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TRIGGER full BEFORE INSERT ON subject_key BEGIN SELECT RAISE(ABORT, 'full'); END")
            other.commit()
            sealed = Vault.seal(keys.get_or_make("p1"), PLACE, b"x")
            with pytest.raises(sqlite3.Error):
                keys.flush()
            other.execute("DROP TRIGGER full")
            other.commit()
        keys.flush()
    with closing(SubjectKeys(path, VAULT, readonly=True)) as reader:
        assert opens(reader.get("p1"), sealed)


def test_who_was_thought_new_and_has_a_key_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "subjects"
    with closing(SubjectKeys(path, VAULT)) as keys:
        sealed = Vault.seal(keys.get_or_make("p1"), PLACE, b"x")
        keys.flush()
    with closing(SubjectKeys(path, VAULT)) as keys:
        keys.expect_new({"p1", "p2"})
        for subject in ("p1", "p2"):
            keys.get_or_make(subject)
        with pytest.raises(SubjectKnown):
            keys.flush()
        keys.flush()
        assert opens(keys.get("p1"), sealed)
        with pytest.raises(SubjectErased):
            keys.get("p2")


def test_in_memory_it_leaves_no_file(tmp_path: Path) -> None:
    with closing(SubjectKeys(None, VAULT)) as keys:
        keys.get_or_make("p1")
        keys.flush()
        assert keys.get("p1").subject == "p1"
    assert list(tmp_path.iterdir()) == []
