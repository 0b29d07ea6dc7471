"""The SQL of the hot path: written with SQLAlchemy Core, compiled once to texts that take tuples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from sqlalchemy import Column, Table, bindparam, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert

_DIALECT = sqlite.dialect(paramstyle="qmark")
#: Rows in one INSERT: any batch in two statements a table, for each that is run lets go of the interpreter and waits to have it back.
_INSERTED = (*range(128, 16, -16), *range(16, 0, -1))
#: Values in one IN: few sizes, so that few texts are compiled and prepared.
_ASKED = (64, 32, 16, 8, 4, 2, 1)


@cache
def insert_text(table: Table, rows: int, replaces: bool) -> str:
    """INSERT of that many rows; with ``replaces``, rows of the same key are overwritten."""
    statement = insert(table)
    if replaces:
        keys = list(table.primary_key)
        others = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
        statement = statement.on_conflict_do_update(index_elements=keys, set_=others)
    text = str(statement.compile(dialect=_DIALECT, column_keys=[column.name for column in table.columns]))
    marks = "(" + ", ".join("?" * len(table.columns)) + ")"
    if marks not in text:
        raise AssertionError(f"the compiled INSERT of {table.name} has another shape")
    return text.replace(marks, ", ".join([marks] * rows), 1)


@cache
def select_in_text(
    columns: tuple[Column[object], ...], key: Column[object], values: int, also: Column[object] | None = None
) -> str:
    """SELECT columns WHERE key IN (as many marks as ``values``), and the same for a second column where given."""
    statement = select(*columns).where(key.in_([bindparam(f"k{n}") for n in range(values)]))
    if also is not None:
        statement = statement.where(also.in_([bindparam(f"a{n}") for n in range(values)]))
    return str(statement.compile(dialect=_DIALECT))


@cache
def delete_text(table: Table, keys: int) -> str:
    """DELETE of the rows whose first ``keys`` key columns have given values."""
    return f"DELETE FROM {table.name} WHERE {_found_by(table, keys)}"


@cache
def clear_text(table: Table, keys: int, column: str) -> str:
    """UPDATE of a column to NULL where the first ``keys`` key columns have given values."""
    return f"UPDATE {table.name} SET {table.c[column].name} = NULL WHERE {_found_by(table, keys)}"


def _found_by(table: Table, keys: int) -> str:
    return " AND ".join(f"{column.name} = ?" for column in list(table.primary_key)[:keys])


def chunks(count: int) -> Sequence[int]:
    """``count`` as a sum of sizes, largest first."""
    parts: list[int] = []
    for size in _INSERTED:
        taken, count = divmod(count, size)
        parts.extend([size] * taken)
    return parts


def padded(count: int) -> int:
    """The smallest size of an IN list that holds ``count`` values; the rest is filled by repeating the last."""
    return next(size for size in reversed(_ASKED) if size >= count)
