from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.hl7.datatypes import (
    Hd,
    looks_like_oid,
    read_address,
    read_cx,
    read_ei,
    read_hd,
    read_ts,
    read_xcn,
    read_xon,
    read_xpn,
)
from liaison.hl7.message import NULL, Message, Repetition

PARIS = ZoneInfo("Europe/Paris")
#: Whatever a sender may write in a component, delimiters and escapes included.
anything = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n|\x0b\x1c"), max_size=40)
#: What is no delimiter, no escape and no blank.
plain = st.text(alphabet=st.characters(codec="ascii", categories=("L", "N"), include_characters="-'."), min_size=1, max_size=20)
oids = st.lists(st.integers(0, 9999), min_size=3, max_size=9).map(lambda arcs: "1." + ".".join(map(str, arcs)))


def repetition(text: str) -> Repetition:
    """The only repetition of a field that holds ``text``."""
    message = Message.parse(f"MSH|^~\\&|A|B|C|D|20260101||ADT^A28|1|T|2.5\rPID|||{text}\r".encode())
    pid = message.first("PID")
    assert pid is not None
    return pid.repetitions(3)[0]


@given(value=plain, namespace=plain, oid=oids, kind=st.sampled_from(["PI", "INS", "AN", "VN", "NH"]))
def test_a_conformant_cx_is_read_as_it_is_written(value: str, namespace: str, oid: str, kind: str) -> None:
    cx = read_cx(repetition(f"{value}^^^{namespace}&{oid}&ISO^{kind}"))
    assert (cx.value, cx.authority.namespace, cx.authority.oid, cx.type) == (value, namespace, oid, kind)
    assert not cx.dated


@given(value=plain, namespace=plain, universal=plain)
def test_an_ei_and_the_cx_written_in_its_place_name_the_same_movement(value: str, namespace: str, universal: str) -> None:
    as_ei = read_ei(repetition(f"{value}^{namespace}^{universal}^L"))
    as_cx = read_ei(repetition(f"{value}^^^{namespace}&{universal}&L"))
    assert (as_ei.value, as_ei.authority) == (as_cx.value, as_cx.authority)


@given(family=plain, given=plain, names=st.lists(plain, max_size=4), kind=st.sampled_from("LDSU"))
def test_a_conformant_xpn_is_read_as_it_is_written(family: str, given: str, names: list[str], kind: str) -> None:
    name = read_xpn(repetition(f"{family}^{given}^{'  '.join(names)}^^^^{kind}"))
    assert (name.family, name.given, name.given_names, name.type) == (family, given, " ".join(names), kind)


@given(text=anything)
def test_no_text_makes_a_reader_fail(text: str) -> None:
    message = Message.parse(b"MSH|^~\\&|A\rPID|||" + text.encode() + b"\r")
    pid = message.first("PID")
    for part in pid.repetitions(3) if pid else ():
        for reader in (read_cx, read_ei, read_xpn, read_xcn, read_xon, read_address):
            reader(part)
        read_hd(part, 4)
    read_ts(text, PARIS)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("X^^^NOM&1.2.250.1.213.1.4.8&ISO", "1.2.250.1.213.1.4.8"),
        ("X^^^NOM&1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.8"),  # type left out
        ("X^^^1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.10"),  # trap 11: the OID is in HD-1
        ("X^^^NOM&000897406&N", ""),
        ("X^^^NOM", ""),
        ("X^^^10.5.3", ""),
    ],
)
def test_trap_11_an_oid_is_found_in_either_place(written: str, expected: str) -> None:
    assert read_cx(repetition(written)).authority.oid == expected


def test_the_null_is_kept_as_an_order_to_delete() -> None:
    cx = read_cx(repetition(f"{NULL}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS"))
    assert cx.deletes


def test_the_dates_of_an_ins_are_noticed_and_those_of_an_ipp_are_not() -> None:
    assert read_cx(repetition("1^^^A&1.2.250.1.213.1.4.10&ISO^INS^^20101207")).dated
    assert not read_cx(repetition("1^^^A&1.2.250.1.213.1.4.10&ISO^PI^^20101207")).dated


@pytest.mark.parametrize(
    "written",
    ["^^X.400^a@b.fr", "^NET^X.400^a@b.fr", "a@b.fr", "^NET^Internet^a@b.fr", "^^^^^^^^a@b.fr", "05.58.00.00.00^^^a@b.fr"],
)
def test_trap_14_the_address_is_found_in_whatever_component_holds_it(written: str) -> None:
    assert read_address(repetition(written)) == "a@b.fr"


def test_trap_14_a_telephone_is_no_address() -> None:
    assert read_address(repetition("^WPN^PH^^^^^^^^^0558000000")) == ""


def test_blanks_inside_an_identifier_of_digits_are_dropped() -> None:
    assert read_xcn(repetition("8 0123 4564895^NOM^Prenom")).id == "801234564895"
    assert read_xon(repetition("CH^^^^^^FINEG^^^ 400011177 ")).id == "400011177"


def test_an_authority_without_any_name_is_empty() -> None:
    assert Hd().is_empty
    assert not Hd(namespace="CH").is_empty


def test_an_oid_has_at_least_four_arcs_under_0_1_or_2() -> None:
    assert looks_like_oid("1.2.250.1")
    assert not looks_like_oid("400011177")
    assert not looks_like_oid("3.2.1.4.5")
    assert not looks_like_oid("")


def test_a_time_without_zone_is_of_the_source_and_one_with_a_zone_is_of_its_own() -> None:
    assert read_ts("20260705080000", PARIS) == datetime(2026, 7, 5, 8, tzinfo=PARIS)
    assert read_ts("202607050800+0000", PARIS) == datetime(2026, 7, 5, 10, tzinfo=PARIS)
    assert read_ts("hier", PARIS) is None
