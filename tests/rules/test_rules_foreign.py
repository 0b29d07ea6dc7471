"""What a message says of other hospitals' patients, parted from what it says of its own: the table of cases, and what always holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from liaison.care.facts import DocumentFact, Fact, IdentityAction, IdentityFact, MovementFact, ReattributionFact
from liaison.care.identifiers import Identifier, IdentifierKind
from liaison.mappings.interpretation import SourceProfile
from liaison.rules.foreign import ProposalKind, part
from liaison.rules.sender import is_foreign
from tests.hub.people import FINESS, NOW, SOURCE, identity, ins, ipp, letter, movement

OTHER = "finess:400099999"
PROFILE = SourceProfile(source=SOURCE, finess=FINESS, others_authorities=frozenset({OTHER}))
MATRICULE = "279034019212355"
OWN, THEIRS = ipp("1"), ipp("1", OTHER)


def said(
    *numbers: Identifier,
    action: IdentityAction = IdentityAction.ASSERT,
    absorbed: tuple[Identifier, ...] = (),
    linked: tuple[Identifier, ...] = (),
) -> IdentityFact:
    return replace(identity("1"), identifiers=numbers, action=action, absorbed=absorbed, linked=linked)


def stay(*numbers: Identifier, authority: str = f"finess:{FINESS}") -> MovementFact:
    visit = Identifier(kind=IdentifierKind.VISIT, authority=authority, value="V1")
    return replace(movement("1", "V1"), patient=numbers, visit=visit)


def given_to(taker: Identifier, giver: Identifier, authority: str = f"finess:{FINESS}") -> ReattributionFact:
    number = Identifier(kind=IdentifierKind.EPISODE, authority=authority, value="D1")
    return ReattributionFact(patient=(taker,), former=(giver,), episode=number, recorded_at=NOW)


def document(*numbers: Identifier) -> DocumentFact:
    return replace(letter("1", "2.25.1"), patient=numbers)


MERGE, CHANGE, LINK = IdentityAction.MERGE, IdentityAction.CHANGE_IDENTIFIER, IdentityAction.LINK


@pytest.mark.parametrize(
    ("facts", "acting", "proposed"),
    [
        ((said(OWN), stay(OWN)), (said(OWN), stay(OWN)), []),
        ((said(OWN, ins(MATRICULE)),), (said(OWN, ins(MATRICULE)),), []),
        # PID-3 with both hospitals' numbers: its own acts, that they are one person is proposed.
        ((said(OWN, THEIRS), stay(OWN, THEIRS)), (said(OWN), stay(OWN)), [ProposalKind.LINK]),
        ((said(OWN, THEIRS), document(OWN, THEIRS)), (said(OWN), document(OWN)), [ProposalKind.LINK]),
        # A patient who is another hospital's only.
        ((said(THEIRS), stay(THEIRS)), (), [ProposalKind.ASSERTION]),
        ((said(THEIRS, ins(MATRICULE)),), (), [ProposalKind.ASSERTION]),
        # Merges and changes of identifier.
        ((said(OWN, action=MERGE, absorbed=(THEIRS,)),), (), [ProposalKind.MERGE]),
        ((said(THEIRS, action=MERGE, absorbed=(OWN,)),), (), [ProposalKind.MERGE]),
        ((said(THEIRS, action=MERGE, absorbed=(ipp("2", OTHER),)),), (), [ProposalKind.MERGE]),
        ((said(OWN, THEIRS, action=MERGE, absorbed=(ipp("2"),)),), (said(OWN, action=MERGE, absorbed=(ipp("2"),)),), []),
        ((said(ipp("2", OTHER), action=CHANGE, absorbed=(THEIRS,)),), (), [ProposalKind.IDENTIFIER_CHANGE]),
        ((said(ipp("2"), action=CHANGE, absorbed=(OWN,)),), (said(ipp("2"), action=CHANGE, absorbed=(OWN,)),), []),
        # A link of two of its own records, and of one with another hospital's.
        (
            (said(OWN), said(ipp("2")), said(OWN, action=LINK, linked=(ipp("2"),))),
            (said(OWN), said(ipp("2")), said(OWN, action=LINK, linked=(ipp("2"),))),
            [],
        ),
        ((said(OWN), said(THEIRS), said(OWN, action=LINK, linked=(THEIRS,))), (), [ProposalKind.ASSERTION]),
        ((said(OWN), said(OWN, action=LINK, linked=(THEIRS,))), (said(OWN),), [ProposalKind.ASSERTION]),
        # An episode of its own given to another of its patients, and one taken from the other hospital's.
        ((said(OWN), given_to(OWN, ipp("2"))), (said(OWN), given_to(OWN, ipp("2"))), []),
        ((said(OWN), given_to(OWN, THEIRS)), (said(OWN),), [ProposalKind.STAY]),
        ((said(OWN), given_to(OWN, ipp("2"), authority=OTHER)), (said(OWN),), [ProposalKind.STAY]),
        # A stay of the other hospital, of a patient of its own.
        ((said(OWN), stay(OWN, authority=OTHER)), (said(OWN),), [ProposalKind.STAY]),
    ],
)
def test_what_acts_and_what_is_proposed(facts: tuple[Fact, ...], acting: tuple[Fact, ...], proposed: list[ProposalKind]) -> None:
    parted = part(facts, PROFILE)
    assert parted.facts == acting and not parted.orphan
    assert [one.kind for one in parted.proposed] == proposed
    assert all(fact in facts for one in parted.proposed for fact in one.facts), "as it was asserted"


def test_a_letter_about_another_hospital_s_patient_is_nobody_s() -> None:
    parted = part((said(THEIRS), document(THEIRS)), PROFILE)
    assert parted.orphan and not parted.facts and not parted.proposed


def test_the_same_assertion_has_the_same_subject_and_another_has_not() -> None:
    def subject(*facts: Fact) -> str:
        (one,) = part(facts, PROFILE).proposed
        return one.subject

    link = subject(said(OWN, THEIRS))
    assert link == subject(replace(said(OWN, THEIRS), traits=None)) != subject(said(ipp("2"), THEIRS))
    assert subject(said(OWN, action=MERGE, absorbed=(THEIRS,))) != subject(said(THEIRS, action=MERGE, absorbed=(OWN,)))
    first = subject(said(OWN), stay(OWN, authority=OTHER))
    assert first != subject(said(OWN), replace(stay(OWN, authority=OTHER), trigger="A03"))


numbers = st.sampled_from(
    [OWN, ipp("2"), THEIRS, ipp("2", OTHER), ins(MATRICULE), ipp("1", "local:clinique/CH"), ipp("1", "oid:1.2.3")]
)
lists: st.SearchStrategy[tuple[Identifier, ...]] = st.lists(numbers, min_size=1, max_size=3, unique=True).map(tuple)


@st.composite
def messages(draw: st.DrawFn) -> tuple[Fact, ...]:
    """One message: an identity, perhaps a merge or a change of number, with or without a movement and a document."""
    action = draw(st.sampled_from(IdentityAction))
    others = () if action is IdentityAction.ASSERT else draw(lists)
    links = action in (IdentityAction.LINK, IdentityAction.UNLINK)
    first = said(*draw(lists), action=action, absorbed=() if links else others, linked=others if links else ())
    facts: list[Fact] = [first]
    if draw(st.booleans()):
        facts.append(stay(*first.identifiers, authority=draw(st.sampled_from([f"finess:{FINESS}", OTHER]))))
    if draw(st.booleans()):
        facts.append(given_to(first.identifiers[0], draw(numbers), draw(st.sampled_from([f"finess:{FINESS}", OTHER]))))
    if draw(st.booleans()):
        facts.append(document(*first.identifiers))
    return tuple(facts)


@given(facts=messages(), strict=st.booleans())
def test_no_identifier_of_another_hospital_ever_acts_and_nothing_is_lost(facts: tuple[Fact, ...], strict: bool) -> None:
    profile = replace(PROFILE, own_authorities=frozenset({f"finess:{FINESS}"})) if strict else PROFILE
    parted = part(facts, profile)
    for fact in parted.facts:
        match fact:
            case IdentityFact():
                assert not any(is_foreign(one, profile) for one in (*fact.identifiers, *fact.others)) and fact.identifiers
            case MovementFact():
                assert not any(is_foreign(one, profile) for one in (*fact.patient, fact.visit))
            case ReattributionFact():
                assert not any(is_foreign(one, profile) for one in (*fact.patient, *fact.former, fact.episode))
            case _:
                assert isinstance(fact, DocumentFact) and not any(is_foreign(one, profile) for one in fact.patient)
    told = [fact for one in parted.proposed for fact in one.facts]
    assert parted.orphan or all(type(fact) in {type(one) for one in (*parted.facts, *told)} for fact in facts)
