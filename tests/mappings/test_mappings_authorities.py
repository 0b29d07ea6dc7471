from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.hl7.datatypes import Hd
from liaison.mappings.authorities import canonical_authority, establishment
from liaison.mappings.interpretation import SourceProfile

PROFILE = SourceProfile(source="ch", finess="400011177", authorities={"SITE-B": "finess:400022222"})
parts = st.text(max_size=14) | st.sampled_from(
    ["400011177", "1400011177", "1.2.250.1.213.1.4.8", "SITE-B", "M", "N", "ISO", "L", ""]
)


@given(namespace=parts, universal_id=parts, kind=parts)
def test_every_authority_has_one_canonical_name(namespace: str, universal_id: str, kind: str) -> None:
    authority = canonical_authority(Hd(namespace=namespace, universal_id=universal_id, type=kind), PROFILE)
    scheme, value = authority.split(":", 1)
    assert scheme in ("oid", "finess", "local")
    assert scheme != "finess" or len(value) == 9
    assert scheme != "local" or value.startswith("ch/")


@pytest.mark.parametrize(
    ("hd", "expected"),
    [
        (Hd(namespace="EG", universal_id="400033333", type="N"), "400033333"),
        (Hd(namespace="SITE-B"), "400022222"),
        (Hd(namespace="AILLEURS"), "400011177"),
    ],
)
def test_the_establishment_is_the_one_named_else_the_source_s_own(hd: Hd, expected: str) -> None:
    assert establishment(hd, PROFILE) == expected


def test_two_sources_never_share_a_local_name() -> None:
    other = SourceProfile(source="clinique", finess="400044444")
    assert canonical_authority(Hd(namespace="CH"), PROFILE) != canonical_authority(Hd(namespace="CH"), other)
