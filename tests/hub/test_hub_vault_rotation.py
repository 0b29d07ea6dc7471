"""A new wrapping key under the subject keys, in steps that survive a crash."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from liaison.hub.vault.keys import KeyFileError, MasterKeys, create_keys, export_keys, load_keys
from liaison.hub.vault.rotation import rotate
from liaison.hub.vault.sealing import Vault
from liaison.hub.vault.subjects import SubjectKeys, wrapping_checks

PLACE = b"patient|1|state"


def fill(path: Path, keys: MasterKeys, count: int) -> dict[str, bytes]:
    """A store of that many subject keys, and one object sealed under each."""
    with closing(SubjectKeys(path, Vault(keys), most_open=count + 1)) as store:
        sealed = {f"{n:016x}": Vault.seal(store.get_or_make(f"{n:016x}"), PLACE, b"x") for n in range(count)}
        store.flush()
    return sealed


def opens_all(path: Path, keys: MasterKeys, sealed: dict[str, bytes]) -> bool:
    with closing(SubjectKeys(path, Vault(keys), readonly=True)) as store:
        return all(Vault.open(store.get(subject), PLACE, one) == b"x" for subject, one in sealed.items())


def told(done: int, total: int) -> None:
    """Nobody looks on."""


def test_after_it_only_the_new_file_opens_and_everything_is_there(tmp_path: Path) -> None:
    file, store = tmp_path / "keys", tmp_path / "subjects"
    before = create_keys(file)
    export_keys(tmp_path / "safe", before)
    sealed = fill(store, before, 1_203)
    steps: list[tuple[int, int]] = []
    assert rotate(file, store, lambda done, total: steps.append((done, total))) == 1_203
    assert steps == [(500, 1_203), (1_000, 1_203), (1_203, 1_203)]
    after = load_keys(file)
    assert after.retiring is None and after.wrapping != before.wrapping
    # What finds identifiers does not change, nor what ties the file to the journal.
    assert (after.blind_index, after.content_digest, after.check_value) == (
        before.blind_index,
        before.content_digest,
        before.check_value,
    )
    assert opens_all(store, after, sealed)
    with pytest.raises(KeyFileError):
        SubjectKeys(store, Vault(load_keys(tmp_path / "safe")))
    with closing(sqlite3.connect(store)) as database:
        assert wrapping_checks(database) == {"current": after.wrapping_check}


def test_no_key_wrapped_under_the_old_one_is_left_in_any_file(tmp_path: Path) -> None:
    file, store = tmp_path / "keys", tmp_path / "subjects"
    fill(store, create_keys(file), 700)
    with closing(sqlite3.connect(store)) as database:
        old = [row[0] for row in database.execute("SELECT wrapped FROM subject_key")]
    rotate(file, store, told)
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not [wrapped for wrapped in old if wrapped[12:] in left]


def test_a_hub_started_in_the_middle_opens_everything_and_wraps_under_the_new_key(tmp_path: Path) -> None:
    file, store = tmp_path / "keys", tmp_path / "subjects"
    sealed = fill(store, create_keys(file), 1_200)
    export_keys(tmp_path / "safe", load_keys(file))

    class Cut(BaseException):
        pass

    def cut(done: int, total: int) -> None:
        raise Cut

    with pytest.raises(Cut):
        rotate(file, store, cut)
    both = load_keys(file)
    assert both.retiring is not None
    with closing(SubjectKeys(store, Vault(both))) as keys:
        sealed["new"] = Vault.seal(keys.get_or_make("new"), PLACE, b"x")
        keys.flush()
    assert opens_all(store, both, sealed)
    with pytest.raises(KeyFileError):
        SubjectKeys(store, Vault(load_keys(tmp_path / "safe")))
    assert rotate(file, store, told) == 700
    assert opens_all(store, load_keys(file), sealed)


def test_a_store_under_other_keys_is_left_as_it_is(tmp_path: Path) -> None:
    sealed = fill(tmp_path / "subjects", create_keys(tmp_path / "keys"), 3)
    create_keys(tmp_path / "other")
    with pytest.raises(KeyFileError, match="rien n'est changé"):
        rotate(tmp_path / "other", tmp_path / "subjects", told)
    assert opens_all(tmp_path / "subjects", load_keys(tmp_path / "keys"), sealed)


def test_killed_at_any_moment_it_goes_on_and_nothing_is_closed(tmp_path: Path) -> None:
    file, store = tmp_path / "keys", tmp_path / "subjects"
    sealed = fill(store, create_keys(file), 6_000)
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    for _ in range(12):
        child = os.fork()
        if child == 0:
            try:
                while True:
                    rotate(file, store, told)
            finally:
                os._exit(1)
        time.sleep(chance.uniform(0.0, 0.12))  # a moment that nobody chose
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert opens_all(store, load_keys(file), sealed), f"seed {seed}"
    rotate(file, store, told)
    assert load_keys(file).retiring is None and opens_all(store, load_keys(file), sealed)
