"""Links between records: the last said of each holds, whatever the order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from liaison.care.links import Link, link_changes, linked_ids, links_of_both, with_link

T0 = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
LINKS = st.lists(
    st.builds(
        Link,
        other=st.sampled_from("abc"),
        linked=st.booleans(),
        recorded_at=st.integers(0, 3).map(lambda hours: T0 + timedelta(hours=hours)),
    ),
    max_size=8,
)


def said(other: str, linked: bool = True, hours: float = 0) -> Link:
    return Link(other=other, linked=linked, recorded_at=T0 + timedelta(hours=hours))


def known(*links: Link) -> tuple[Link, ...]:
    result: tuple[Link, ...] = ()
    for one in links:
        result = with_link(result, one)
    return result


def test_the_last_recorded_holds_and_of_two_in_one_second_the_end() -> None:
    assert linked_ids(known(said("a"), said("b"))) == ("a", "b")
    assert linked_ids(known(said("a"), said("a", False, 1))) == ()
    assert linked_ids(known(said("a", False, 1), said("a"))) == ()
    assert linked_ids(known(said("a", False), said("a"))) == ()
    assert linked_ids(known(said("a"), said("a", False), said("a", hours=1))) == ("a",)


def test_an_end_names_what_it_undoes_and_one_of_nothing_is_told_to_nobody() -> None:
    (begun,) = link_changes((), known(said("a")), revision=2)
    assert (begun.type, begun.about, begun.undoes, begun.at, begun.revision) == ("identity.linked", "link:a", "", T0, 2)
    (ended,) = link_changes(known(said("a")), known(said("a"), said("a", False, 1)), revision=3)
    assert (ended.type, ended.about, ended.undoes, ended.cancels) == ("identity.unlinked", "link:a", "identity.linked", True)
    assert link_changes((), known(said("a", False)), revision=2) == []
    assert link_changes(known(said("a")), known(said("a"), said("a", hours=1)), revision=2) == []


def test_of_two_records_that_became_one_each_keeps_its_links_but_those_of_one_with_the_other() -> None:
    one, other = known(said("2"), said("x")), known(said("1"), said("x", False, 1), said("y"))
    assert linked_ids(links_of_both(one, other, but=("1", "2"))) == ("y",)


@given(st.data())
def test_any_order_with_any_repetition_ends_in_the_same_links(data: st.DataObject) -> None:
    links = data.draw(LINKS)
    shuffled = data.draw(st.permutations([*links, *links[:3]]))
    assert known(*shuffled) == known(*links)
