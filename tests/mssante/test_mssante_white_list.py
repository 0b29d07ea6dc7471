"""The white list: its XML, what is refused, and membership."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.mssante.white_list import NAMESPACE, WhiteListError, read_white_list

ROW = (
    "<Domaine><Nom>{}</Nom><Description>Un opérateur</Description><DNCertificatOperateur>CN=mss.x.fr, OU=1,O=X,ST=Landes (40),C=FR"
    "</DNCertificatOperateur><ResponsableContact>r@x.fr</ResponsableContact><SupportContact>s@x.fr</SupportContact>"
    "<DateMAJ>2026-04-20T00:00:00Z</DateMAJ></Domaine>"
)


def white_list(*domains: str, rows: str = "", date: str = "2026-11-21T02:00:00Z") -> bytes:
    listed = rows or "\n".join(ROW.format(domain) for domain in domains)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ListeBlancheMSSante xmlns="{NAMESPACE}">\n'
        f"<DateDeGeneration>{date}</DateDeGeneration>\n<ListeDomaines>\n{listed}\n</ListeDomaines>\n</ListeBlancheMSSante>\n"
    ).encode()


def test_domains_are_kept_once_and_in_lower_case_whatever_their_operators() -> None:
    found = read_white_list(white_list("UC-CMP.mssante.fr", "uc-cmp.mssante.fr", "mssante.apicrypt.org"))
    assert found.domains == {"uc-cmp.mssante.fr", "mssante.apicrypt.org"}
    assert (found.rows, found.skipped, found.generated_at.isoformat()) == (3, 0, "2026-11-21T02:00:00+00:00")


def test_a_suffix_of_a_listed_domain_is_not_listed() -> None:
    domains = read_white_list(white_list("mssante.fr")).domains
    assert "ch-dax.mssante.fr" not in domains and "x-mssante.fr" not in domains


def test_a_name_that_is_no_domain_is_left_out_and_counted() -> None:
    found = read_white_list(white_list("ch-dax.mssante.fr", "ch dax", ""))
    assert found.domains == {"ch-dax.mssante.fr"} and found.skipped == 2


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<x/>",
        white_list("ch-dax.mssante.fr").replace(NAMESPACE.encode(), b"urn:other"),
        white_list("ch-dax.mssante.fr").replace(b"</ListeBlancheMSSante>", b""),
        white_list("ch-dax.mssante.fr", date="hier"),
        white_list(rows="<Autre/>"),
        white_list(rows=ROW.format("ch-dax.mssante.fr").replace("<DateMAJ>2026-04-20T00:00:00Z</DateMAJ>", "")),
        white_list(rows="<Domaine/>"),
        white_list(rows=" "),
        b'<!DOCTYPE x [<!ENTITY e "e">]>' + white_list("ch-dax.mssante.fr"),
    ],
)
def test_what_is_not_a_whole_list_is_refused_with_its_line(raw: bytes) -> None:
    with pytest.raises(WhiteListError, match=r"ligne|document"):
        read_white_list(raw)


@given(st.data())
def test_a_list_cut_anywhere_is_refused_or_whole(data: st.DataObject) -> None:
    raw = white_list("ch-dax.mssante.fr", "na.mssante.fr")
    cut = raw[: data.draw(st.integers(0, len(raw)))]
    try:
        assert read_white_list(cut).domains == {"ch-dax.mssante.fr", "na.mssante.fr"}
    except WhiteListError:
        assert len(cut) < len(raw.rstrip())


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(raw: bytes) -> None:
    for text in (raw, white_list(rows=ROW.format("a.fr")).replace(b"Landes", raw)):
        try:
            assert read_white_list(text).domains
        except WhiteListError as error:
            assert "tronqu" in str(error) or "ligne" in str(error)
