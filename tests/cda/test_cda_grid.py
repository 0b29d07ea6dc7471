from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from liaison.cda.grid import Layout, Place

SPANS = st.tuples(st.integers(1, 4), st.integers(1, 4))
GROUPS = st.lists(st.lists(st.lists(SPANS, max_size=5), max_size=5), max_size=3)


def covered(rows: list[list[Place]], columns: int) -> list[list[int]]:
    """How many cells cover each square when a renderer lets them flow into the first free columns."""
    squares = [[0] * columns for _ in rows]
    for number, places in enumerate(rows):
        column = 0
        for place in places:
            while squares[number][column]:
                column += 1
            _, width, height = place or (0, 1, 1)
            for row in range(number, number + height):
                for across in range(column, column + width):
                    squares[row][across] += 1
    return squares


@given(GROUPS)
def test_every_square_is_covered_once_and_no_cell_is_lost(groups: list[list[list[tuple[int, int]]]]) -> None:
    layout = Layout(groups)
    for rows, filled in zip(groups, layout.fill(), strict=True):
        assert [[place[0] for place in places if place] for places in filled] == [list(range(len(row))) for row in rows]
        assert all(count == 1 for row in covered(filled, layout.columns) for count in row)


def test_a_regular_table_is_left_as_it_is() -> None:
    layout = Layout([[[(1, 1), (1, 1)], [(2, 1)]]])
    assert layout.columns == 2
    assert layout.fill() == [[[(0, 1, 1), (1, 1, 1)], [(0, 2, 1)]]]


def test_a_span_does_not_leave_its_group() -> None:
    assert Layout([[[(1, 9)]], [[(1, 1)]]]).fill() == [[[(0, 1, 1)]], [[(0, 1, 1)]]]
