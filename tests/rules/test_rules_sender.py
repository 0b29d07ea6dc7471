"""Who may assert what: the table of cases, and what holds whatever a message says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liaison.care.identifiers import INS_NIR_TEST, Identifier, IdentifierKind
from liaison.finding import Finding, Severity
from liaison.mappings.interpretation import SourceProfile
from liaison.rules.sender import Certificate, Peer, Said, is_foreign, is_guarded, keeper, peer_is_known, speaker

MDM, DAX, EG, OTHER = "400011177", "400780193", "400780284", "400099999"
ALONE = SourceProfile(source="ch", finess=MDM)
BESIDE = SourceProfile(source="ch", finess=MDM, others_authorities=frozenset({f"finess:{OTHER}", "oid:1.2.3.4"}))
NAMED = SourceProfile(
    source="ch",
    finess=MDM,
    senders=frozenset({"GAM|CHMDM", "*|URGENCES"}),
    others_authorities=frozenset({f"finess:{OTHER}"}),
)
GHT = SourceProfile(
    source="ght",
    finess=MDM,
    senders=frozenset({"*|CHMDM", "*|CHDAX", "*|GHT"}),
    establishments={"*|CHMDM": MDM, "GAM|CHDAX": DAX, "DAX": DAX, EG: MDM},
    others_authorities=frozenset({f"finess:{OTHER}"}),
)


def said(pair: str = "GAM|CHMDM", place: tuple[str, ...] = (), *, code: str = "", numbers: tuple[str, ...] = ()) -> Said:
    application, facility = pair.split("|")
    return Said(
        application=(application,) if application else (),
        facility=tuple(name for name in (facility, code) if name),
        place=place,
        authorities=numbers,
    )


@pytest.mark.parametrize(
    ("profile", "message", "expected"),
    [
        # One establishment, nothing declared: it speaks, wherever the ward is.
        (ALONE, said("X|Y"), MDM),
        (ALONE, said("|", ("CHX", OTHER)), MDM),
        # Beside another hospital: not under its FINESS, in MSH-4 or as the ward.
        (BESIDE, said("GAM|CHMDM", ("CHX", EG)), MDM),
        (BESIDE, said("GAM|CHMDM", ("CHX", OTHER)), "sender.establishment-of-another"),
        (BESIDE, said("GAM|CHMDM", ("CHX", f"1{OTHER}")), "sender.establishment-of-another"),
        (BESIDE, said("GAM|AUTRE", code=OTHER), "sender.establishment-of-another"),
        # Pairs.
        (NAMED, said("GAM|CHMDM"), MDM),
        (NAMED, said("DPI|URGENCES"), MDM),
        (NAMED, said("DPI|CHMDM"), "sender.pair"),
        (NAMED, said("GAM|CHDAX"), "sender.pair"),
        (NAMED, said("gam|chmdm"), "sender.pair"),
        (NAMED, said("|"), "sender.pair"),
        (NAMED, said("GAM|CHMDM", code=OTHER), "sender.establishment-of-another"),
        (NAMED, said("GAM|CHMDM", ("CHMDM", MDM)), MDM),
        (NAMED, said("GAM|CHMDM", ("MEDECINE",)), MDM),
        (NAMED, said("GAM|CHMDM", ("CHDAX", DAX)), "sender.establishment-of-another"),
        # Several establishments: the ward first, the pair, then whose numbers they are.
        (GHT, said("GAM|CHMDM", ("DAX",)), DAX),
        (GHT, said("GAM|CHMDM", ("EG", EG)), MDM),
        (GHT, said("GAM|CHMDM", ("", DAX)), DAX),
        (GHT, said("GAM|CHMDM", ("AILLEURS",)), "sender.establishment-of-another"),
        (GHT, said("GAM|CHMDM", ("AILLEURS", OTHER)), "sender.establishment-of-another"),
        (GHT, said("GAM|CHDAX"), DAX),
        (GHT, said("LABO|CHMDM"), MDM),
        (GHT, said("GAM|GHT", numbers=("local:ght/X", f"finess:{DAX}")), DAX),
        (GHT, said("GAM|GHT", numbers=(f"finess:{OTHER}",)), "sender.establishment-unknown"),
        (GHT, said("GAM|GHT"), "sender.establishment-unknown"),
        (GHT, said("GAM|AILLEURS", ("DAX",)), "sender.pair"),
    ],
)
def test_who_speaks(profile: SourceProfile, message: Said, expected: str) -> None:
    heard = speaker(message, profile)
    assert (heard.rule if isinstance(heard, Finding) else heard) == expected


names = st.sampled_from(["GAM", "CHMDM", "CHDAX", "GHT", "URGENCES", "DAX", "", "*", MDM, DAX, EG, OTHER, f"1{OTHER}"]) | st.text(
    max_size=9
)
tuples = st.lists(names.filter(bool), max_size=2).map(tuple)
messages = st.builds(Said, application=tuples, facility=tuples, place=tuples, authorities=tuples)
profiles = st.sampled_from([ALONE, BESIDE, NAMED, GHT])


@given(message=messages, profile=profiles)
def test_a_source_only_ever_speaks_for_an_establishment_of_its_own(message: Said, profile: SourceProfile) -> None:
    heard = speaker(message, profile)
    if isinstance(heard, Finding):
        assert heard.severity is Severity.FATAL and heard.remedy and heard.condition
        assert not any(name and name in heard.message for name in (*message.place, *message.facility) if len(name) > 4)
    else:
        assert heard in {profile.finess, *profile.establishments.values()}


@given(message=messages, profile=st.sampled_from([NAMED, GHT]))
def test_under_a_pair_that_is_not_declared_nothing_is_ever_heard(message: Said, profile: SourceProfile) -> None:
    pairs = {(a, f) for a in (*message.application, "*") for f in message.facility}
    if not any(f"{application}|{facility}" in profile.senders for application, facility in pairs):
        assert isinstance(speaker(message, profile), Finding)


@given(message=messages)
def test_where_nothing_is_declared_everything_is_heard(message: Said) -> None:
    assert not is_guarded(ALONE) and speaker(message, ALONE) == MDM


@pytest.mark.parametrize(
    ("profile", "custodian", "expected"),
    [
        (ALONE, "", MDM),
        (ALONE, OTHER, MDM),
        (BESIDE, MDM, MDM),
        (BESIDE, EG, MDM),
        (BESIDE, OTHER, "sender.establishment-of-another"),
        (NAMED, EG, "sender.establishment-of-another"),
        (NAMED, "", MDM),
        (GHT, EG, MDM),
        (GHT, DAX, DAX),
        (GHT, OTHER, "sender.establishment-of-another"),
        (GHT, "", "sender.establishment-unknown"),
    ],
)
def test_who_speaks_by_a_document_alone(profile: SourceProfile, custodian: str, expected: str) -> None:
    heard = keeper(custodian, profile)
    assert (heard.rule if isinstance(heard, Finding) else heard) == expected


def number(authority: str, kind: IdentifierKind = IdentifierKind.IPP) -> Identifier:
    return Identifier(kind=kind, authority=authority, value="1001")


@pytest.mark.parametrize(
    ("authority", "lenient", "strict"),
    [
        (f"finess:{MDM}", False, False),
        ("oid:1.2.3.4", True, True),
        (f"finess:{OTHER}", True, True),
        ("oid:1.2.9.9", False, True),
        ("local:ch/CHMDM", False, False),
        ("local:clinique/CHMDM", True, True),
    ],
)
def test_whose_an_identifier_is(authority: str, lenient: bool, strict: bool) -> None:
    closed = SourceProfile(source="ch", finess=MDM, own_authorities=frozenset({f"finess:{MDM}"}))
    assert is_foreign(number(authority), BESIDE) is lenient
    assert is_foreign(number(authority), closed) is strict


def test_an_ins_is_everybody_s() -> None:
    assert not is_foreign(number(f"oid:{INS_NIR_TEST}", IdentifierKind.INS), BESIDE)


SHOWN = Certificate(names=("sih.ch-dax.fr", "10.1.2.3"), issuers=("CN=AC Une,O=Essai", "AC Une"))


@pytest.mark.parametrize(
    ("peer", "known"),
    [
        (Peer(san="sih.ch-dax.fr", issuer="AC Une"), True),
        (Peer(san="SIH.CH-DAX.FR", issuer="CN=AC Une,O=Essai"), True),
        (Peer(san="10.1.2.3", issuer="AC Une"), True),
        (Peer(san="sih.ch-dax.fr", issuer="AC Autre"), False),
        (Peer(san="ch-dax.fr", issuer="AC Une"), False),
        (Peer(san="AC Une", issuer="sih.ch-dax.fr"), False),
    ],
)
def test_a_peer_is_known_by_its_name_and_who_gave_it(peer: Peer, known: bool) -> None:
    assert peer_is_known((peer,), SHOWN) is known
    assert not peer_is_known((peer,), None) and not peer_is_known((), SHOWN)
