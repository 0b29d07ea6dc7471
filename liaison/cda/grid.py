"""Where the cells of a table fall: senders' tables have ragged rows and spans that overlap, renderers want neither."""

from __future__ import annotations

from typing import TypeAlias

#: Columns and rows that a cell asks for.
Spans: TypeAlias = tuple[int, int]
#: Index of the cell in its row, and the columns and rows it is given; None for a gap to fill with an empty cell.
Place: TypeAlias = tuple[int, int, int] | None


class Layout:
    """Cells placed row by row from the left, as HTML does, in groups (head, body, foot) that no cell spans out of."""

    def __init__(self, groups: list[list[list[Spans]]]) -> None:
        self._placed = [_place(rows) for rows in groups]
        #: Width of the table.
        self.columns = max((start + colspan for rows in self._placed for row in rows for start, _, colspan, _ in row), default=0)

    def fill(self) -> list[list[list[Place]]]:
        """For each group, the places of each row in order: together they cover the grid exactly. Work: columns times rows."""
        return [_fill(rows, self.columns) for rows in self._placed]


#: Start column, index in the row, columns, rows.
_Placed: TypeAlias = tuple[int, int, int, int]


def _place(rows: list[list[Spans]]) -> list[list[_Placed]]:
    taken: dict[int, int] = {}  # column -> rows still covered from above, the current one included
    placed: list[list[_Placed]] = []
    for number, row in enumerate(rows):
        column = 0
        found: list[_Placed] = []
        for index, (colspan, rowspan) in enumerate(row):
            while taken.get(column, 0) > 0:
                column += 1
            width = 1
            while width < colspan and not taken.get(column + width, 0):
                width += 1
            height = min(rowspan, len(rows) - number)
            found.append((column, index, width, height))
            taken.update(dict.fromkeys(range(column, column + width), height))
            column += width
        placed.append(found)
        taken = {column: left - 1 for column, left in taken.items() if left > 1}
    return placed


def _fill(rows: list[list[_Placed]], columns: int) -> list[list[Place]]:
    covered: dict[int, int] = {}
    filled: list[list[Place]] = []
    for row in rows:
        starts = {start: (index, colspan, rowspan) for start, index, colspan, rowspan in row}
        places: list[Place] = []
        column = 0
        while column < columns:
            if covered.get(column, 0) > 0:
                column += 1
            elif (place := starts.get(column)) is not None:
                places.append(place)
                covered.update(dict.fromkeys(range(column, column + place[1]), place[2]))
                column += place[1]
            else:
                places.append(None)
                covered[column] = 1
                column += 1
        filled.append(places)
        covered = {column: left - 1 for column, left in covered.items() if left > 1}
    return filled
