from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.mssante.address import Address, InvalidAddress, in_domains, parse_address, patient_address, with_known_domain


def test_domain_is_lower_cased_and_local_part_kept() -> None:
    address = parse_address(" Anne.Lartigue@UC-CMP.MSSante.fr ")
    assert (address.local, address.domain) == ("Anne.Lartigue", "uc-cmp.mssante.fr")
    assert address.key == parse_address("anne.lartigue@uc-cmp.mssante.fr").key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "a@",
        "@mssante.fr",
        "a@b",
        "a@b@mssante.fr",
        "a b@mssante.fr",
        "a\r\nBcc: x@y.fr@mssante.fr",
        "a@mssante.fr\nBcc: b@c.fr",
        "a@mssante.fr\x00",
        "a@-x.fr",
        "a@x..fr",
        "a@.fr",
        ".a@x.fr",
        "a..b@x.fr",
        '"a"@x.fr',
        "a@[10.0.0.1]",
        "a@10.0.0.1",
        "é@x.fr",
        "a@é.fr",
        "a,b@x.fr",
        "<a@x.fr>",
        "=?utf-8?q?a?=@x.fr",
        "a" * 65 + "@x.fr",
        "a@" + "x." * 126 + "fr",
        "a@" + "x" * 64 + ".fr",
    ],
)
def test_what_is_no_address_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(InvalidAddress) as caught:
        parse_address(text)
    assert len(text) < 5 or text not in str(caught.value)


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_a_typed_error(text: str) -> None:
    try:
        address = parse_address(text)
    except InvalidAddress:
        return
    assert parse_address(address.text) == address
    assert address.text.isascii() and address.text.isprintable() and address.text.count("@") == 1


def test_a_patient_address_is_the_matricule_in_the_patients_domain() -> None:
    assert patient_address("279035121518989").text == "279035121518989@patient.mssante.fr"
    assert patient_address("255022A30100189").local == "255022A30100189"
    assert patient_address("279035121518989", domain="patient.formation.mssante.fr").domain == "patient.formation.mssante.fr"


@pytest.mark.parametrize("matricule", ["", "2790351215189", "27903512151898X", "0" * 15, "279035121518989@x.fr", "٢" * 15])
def test_what_is_no_matricule_gives_no_address(matricule: str) -> None:
    with pytest.raises(InvalidAddress):
        patient_address(matricule)


def test_a_domain_is_on_the_list_whole_never_by_its_end() -> None:
    domains = frozenset({"medecin.mssante.fr", "mssante.apicrypt.org"})
    assert in_domains(parse_address("a@MEDECIN.mssante.fr"), domains)
    assert in_domains(parse_address("a@mssante.apicrypt.org"), domains)
    assert not in_domains(parse_address("a@evil.medecin.mssante.fr"), domains)
    assert not in_domains(Address(local="a", domain="mssante.fr"), domains)


@given(
    st.lists(st.tuples(st.text("aA.-@ é", max_size=70), st.sampled_from(["x.fr", "X.fr", "y.z.fr", "fr", "", "1.2"])), max_size=20)
)
def test_many_addresses_are_read_as_each_alone(written: list[tuple[str, str]]) -> None:
    domains: dict[str, str] = {}
    for local, domain in written:
        text = f"{local}@{domain}"
        try:
            alone = parse_address(text).text
        except InvalidAddress:
            with pytest.raises(InvalidAddress):
                with_known_domain(text, domains)
        else:
            assert with_known_domain(text, domains) == alone
