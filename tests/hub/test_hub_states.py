"""The table of a delivery's work states."""

from __future__ import annotations

import itertools

import pytest

from liaison.hub.states import BLOCKING, MOVES, IllegalMove, Work, move

#: Said once more, by hand, as DESIGN §2 and §4 say it.
LEGAL = {
    ("pending", "sending"),
    ("pending", "held"),
    ("pending", "cancelled"),
    ("pending", "expired"),
    ("sending", "submitted"),
    ("sending", "retrying"),
    ("sending", "uncertain"),
    ("sending", "failed"),
    ("sending", "held"),
    ("sending", "cancelled"),  # there turned out to be nothing to send
    ("retrying", "sending"),
    ("retrying", "held"),
    ("retrying", "cancelled"),
    ("retrying", "expired"),
    ("uncertain", "sending"),
    ("uncertain", "submitted"),
    ("uncertain", "held"),
    ("uncertain", "failed"),
    ("uncertain", "cancelled"),
    ("uncertain", "expired"),
    ("held", "pending"),
    ("held", "submitted"),
    ("held", "cancelled"),
    ("held", "expired"),
    ("failed", "pending"),
    ("failed", "cancelled"),
    ("expired", "pending"),
    ("expired", "cancelled"),
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(Work, Work)))
def test_a_move_is_allowed_where_the_table_says_so_and_nowhere_else(before: Work, after: Work) -> None:
    if (str(before), str(after)) in LEGAL:
        assert move(before, after) is after
    else:
        with pytest.raises(IllegalMove, match=f"{before}.*{after}"):
            move(before, after)


def test_every_state_has_its_row() -> None:
    assert set(MOVES) == set(Work)


def test_what_holds_its_lane_can_still_come_to_an_end_by_itself() -> None:
    assert {str(work) for work in BLOCKING} == {"pending", "sending", "retrying", "uncertain"}
    for work in BLOCKING:
        reached, before = {work}, set[Work]()
        while reached != before:
            before = set(reached)
            reached |= {after for one in before & BLOCKING for after in MOVES[one]}
        assert Work.SUBMITTED in reached and Work.EXPIRED in reached


def test_what_was_sent_or_cancelled_is_final() -> None:
    assert {work for work in Work if not MOVES[work]} == {Work.SUBMITTED, Work.CANCELLED, Work.SHADOWED}
