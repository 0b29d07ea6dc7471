"""Sealing, opening, rewrapping, and the blind index."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.hub.vault.keys import master_keys
from liaison.hub.vault.sealing import SealBroken, SubjectKey, Vault, pack

KEY, OTHER = SubjectKey("p1", bytes(32)), SubjectKey("p2", bytes(range(32)))
PLACE = b"patient|1|state"
VAULT = Vault(master_keys(bytes(32)))
#: Short ones are sealed as they are, long ones deflated where that helps.
plains = st.one_of(st.binary(max_size=200), st.sampled_from([b"A" * 9_000, os.urandom(9_000)]))


@given(plain=plains)
def test_what_was_sealed_opens_at_its_place_for_its_subject(plain: bytes) -> None:
    sealed = Vault.seal(KEY, PLACE, plain)
    assert Vault.open(KEY, PLACE, sealed) == plain
    assert len(plain) < 9 or plain not in sealed


@given(plain=plains)
def test_packing_elsewhere_makes_no_difference(plain: bytes) -> None:
    assert Vault.open(KEY, PLACE, Vault.seal_packed(KEY, PLACE, pack(plain))) == plain


def test_no_two_sealings_are_alike() -> None:
    assert Vault.seal(KEY, PLACE, b"same") != Vault.seal(KEY, PLACE, b"same")


@given(plain=plains)
def test_another_place_or_subject_does_not_open(plain: bytes) -> None:
    sealed = Vault.seal(KEY, PLACE, plain)
    for key, place in ((KEY, b"patient|2|state"), (OTHER, PLACE), (SubjectKey("p2", bytes(32)), PLACE)):
        with pytest.raises(SealBroken):
            Vault.open(key, place, sealed)


@given(plain=plains, data=st.data())
def test_an_altered_byte_does_not_open(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(Vault.seal(KEY, PLACE, plain))
    at = data.draw(st.one_of(st.just(0), st.integers(0, len(sealed) - 1)))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealBroken) as broken:
        Vault.open(KEY, PLACE, bytes(sealed))
    assert str(broken.value) == PLACE.decode()


@given(plain=plains, data=st.data())
def test_what_was_cut_or_made_up_does_not_open(plain: bytes, data: st.DataObject) -> None:
    sealed = Vault.seal(KEY, PLACE, plain)
    cut = data.draw(st.one_of(st.integers(0, 88).map(lambda end: sealed[:end]), st.binary(max_size=200)))
    with pytest.raises(SealBroken):
        Vault.open(KEY, PLACE, cut)
    with pytest.raises(SealBroken):
        Vault.rewrap(KEY, OTHER, PLACE, cut[:50])


@given(plain=plains)
def test_rewrapping_gives_it_to_another_subject_and_leaves_the_body(plain: bytes) -> None:
    sealed = Vault.seal(KEY, PLACE, plain)
    given_over = Vault.rewrap(KEY, OTHER, PLACE, sealed)
    assert Vault.open(OTHER, PLACE, given_over) == plain
    assert given_over[61:] == sealed[61:] and given_over[:61] != sealed[:61]
    with pytest.raises(SealBroken):
        Vault.open(KEY, PLACE, given_over)
    with pytest.raises(SealBroken):
        Vault.rewrap(OTHER, KEY, PLACE, sealed)


def test_a_subject_key_opens_only_under_its_master_and_its_name() -> None:
    key, wrapped = VAULT.new_subject_key("p1")
    again = VAULT.open_subject_key("p1", wrapped)
    assert Vault.open(again, PLACE, Vault.seal(key, PLACE, b"x")) == b"x"
    for vault, subject, stored in (
        (VAULT, "p2", wrapped),
        (Vault(master_keys(bytes(range(32)))), "p1", wrapped),
        (VAULT, "p1", wrapped[:5]),
    ):
        with pytest.raises(SealBroken):
            vault.open_subject_key(subject, stored)


texts = st.text(max_size=8)


@given(first=st.tuples(texts, texts, texts), second=st.tuples(texts, texts, texts))
def test_a_blind_index_is_the_same_for_the_same_parts_and_no_others(
    first: tuple[str, str, str], second: tuple[str, str, str]
) -> None:
    assert len(VAULT.blind(*first)) == 32
    assert (VAULT.blind(*first) == VAULT.blind(*second)) == (first == second)


def test_parts_cannot_be_shifted_whatever_a_sender_writes_in_them() -> None:
    assert VAULT.blind("ipp", "a\x1fb", "c") != VAULT.blind("ipp", "a", "b\x1fc")
    assert VAULT.blind("ipp", "a1:b", "c") != VAULT.blind("ipp", "a", "1:bc")
    assert VAULT.blind("12", "3") != VAULT.blind("1", "23")


def test_indexes_and_digests_are_useless_without_the_key() -> None:
    other = Vault(master_keys(bytes(range(32))))
    assert VAULT.blind("ipp", "1") == Vault(master_keys(bytes(32))).blind("ipp", "1") != other.blind("ipp", "1")
    assert VAULT.digest(b"x") == Vault(master_keys(bytes(32))).digest(b"x") != other.digest(b"x")
    assert VAULT.digest(b"x") != VAULT.digest(b"y")
    assert repr(VAULT) == "<Vault>" and repr(KEY) == "<SubjectKey>"
