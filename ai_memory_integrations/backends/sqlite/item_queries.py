"""What is asked of items in SQLite, and in which words: pages, rows by their numbers, fields, conditions."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.item_rows import (
    COLUMNS,
    ROW,
    Found,
    accepted,
    bounds,
    encoded,
    item_of,
    labels,
    path_of,
    value,
)
from ai_memory_integrations.backends.sqlite.connection import Database
from ai_memory_integrations.ports import ItemHint, ItemQuery, ItemRow

if TYPE_CHECKING:
    from ai_memory_integrations.search.item_snapshot import Ranked
    from ai_memory_integrations.search.item_table import Path

_NAMED = 50
_ITEMS = "item i CROSS JOIN item_namespace n"  # CROSS: the items decide the order
Conditions = tuple[list[str], list[Any]]
"""Parts of a WHERE and their values."""

_BELOW = "i.namespace IN (SELECT no FROM item_namespace WHERE path >= ? AND path < ?)"


@contextmanager
def one_state(connection: sqlite3.Connection) -> Iterator[bool]:
    """All statements inside see one state. True when a transaction was under way, whose state may be undone."""
    if connection.in_transaction:
        yield True
        return
    connection.execute("BEGIN")
    try:
        yield False
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")


def page(connection: sqlite3.Connection, query: ItemQuery, database: Database) -> list[tuple[ItemRow, float | None]]:
    """The page of a query without a ranking, by the database alone."""
    start, stop, accept = query.offset, query.offset + query.limit, query.accept
    place = labels(path_of(query.prefix))
    if not query.omit_expired and accept is None:
        found = _newest_here(connection, query.prefix, stop) or _newest(connection, query, stop)
        return [(item_of(row, None, place), None) for row in islice(found, start, None)]
    if not query.omit_expired and query.hints and accept is not None:
        # What fits the hints is nearly always accepted, so that as many rows as a page needs nearly always are enough.
        fitting = list(_newest(connection, query, stop))
        taken = [item_of(row, known, place) for row in fitting if accept(known := value(row))]
        if len(fitting) < stop or len(taken) == stop:
            return [(item, None) for item in taken[start:]]
    with closing(_newest(connection, query, -1)) as newest:
        shown = islice(accepted(query, newest, database.now()), start, stop)
        return [(item_of(row, known, place), None) for row, known in shown]


def _newest_here(connection: sqlite3.Connection, prefix: tuple[str, ...], limit: int) -> list[rows.Row]:
    """The items of this very namespace, the last written first, by one statement: each is a transaction with two locks
    of the file. None of them where other namespaces are below it."""
    path, end = bounds(prefix)
    return connection.execute(_HERE, (path, path, end, limit)).fetchall()


_HERE = (
    f"SELECT NULL, {COLUMNS} FROM item i WHERE i.namespace = (SELECT no FROM item_namespace WHERE path = ? "
    "AND NOT EXISTS (SELECT 1 FROM item_namespace WHERE path > ? AND path < ?)) ORDER BY i.id DESC LIMIT ?"
)


def _newest(
    connection: sqlite3.Connection, query: ItemQuery, limit: int
) -> sqlite3.Cursor | Generator[rows.Row, None, None]:
    """At most *limit* (-1: all) of the items below a namespace that fit the hints, the last written first. Those of
    this very namespace come without its path: it would be copied for each of them."""
    places = _first_two_below(connection, query.prefix)
    if len(places) == 2 and query.prefix and not _most(connection, query.prefix):
        return _newest_of_few(connection, query, limit)
    if len(places) == 2:
        conditions = ["n.path >= ?", "n.path < ?"] if query.prefix else []
        where, more = _where(conditions, bounds(query.prefix) if query.prefix else (), query.hints)
        statement = f"SELECT {ROW} FROM {_ITEMS} ON n.no = i.namespace {where} ORDER BY i.id DESC LIMIT ?"
    elif places:
        no, path = places[0]
        where, more = _where(["i.namespace = ?"], [no], query.hints)
        more = [None if path == path_of(query.prefix) else path, *more]
        statement = f"SELECT ?, {COLUMNS} FROM item i {where} ORDER BY i.id DESC LIMIT ?"
    else:
        more, statement = [], "SELECT 1 LIMIT 0 * ?"
    return connection.execute(statement, (*more, limit))


def _newest_of_few(connection: sqlite3.Connection, query: ItemQuery, limit: int) -> Generator[rows.Row, None, None]:
    """The same one namespace after the other, and not in the order of writing: only the numbers are sorted."""
    with one_state(connection):
        numbers = matching(connection, ([_BELOW], list(bounds(query.prefix))), query.hints, limit)
        for row, _ in looked_up(connection, ((number, None) for number in numbers), query.offset + query.limit):
            yield row


def looked_up(connection: sqlite3.Connection, ordered: Iterable[Ranked], size: int) -> Iterator[Found]:
    """The rows of some numbers, in their order, read piece by piece."""
    rest = iter(ordered)
    while piece := list(islice(rest, size)):
        by_number = {row[-1]: row for row in read_rows(connection, [number for number, _ in piece])}
        for number, score in piece:
            if number in by_number:
                yield by_number[number], score
        size = min(size * 4, 4_000)


def read_rows(connection: sqlite3.Connection, numbers: Sequence[int]) -> sqlite3.Cursor:
    """The rows of some numbers in any order, each with its number at the end."""
    # A page is read in half the time when its numbers are named one by one.
    one_by_one = len(numbers) <= _NAMED
    among = ", ".join("?" * len(numbers)) if one_by_one else "SELECT value FROM json_each(?)"
    return connection.execute(
        f"SELECT {ROW}, i.id FROM {_ITEMS} ON n.no = i.namespace WHERE i.id IN ({among})",
        numbers if one_by_one else (rows.json_list(numbers),),
    )


def fields_of_newest(
    connection: sqlite3.Connection, prefix: tuple[str, ...], fields: Sequence[Path], count: int
) -> sqlite3.Cursor:
    """For each of the *count* items below a namespace that were written last, by falling number: the number and what
    some fields hold."""
    columns, values = _columns(fields)
    conditions, more = below_namespace(connection, prefix)
    if conditions != [_BELOW]:
        where, _ = _where(conditions, more, ())
        return connection.execute(
            f"SELECT {columns} FROM item i {where} ORDER BY i.id DESC LIMIT ?", (*values, *more, count)
        )
    if _most(connection, prefix):
        return connection.execute(
            f"SELECT {columns} FROM {_ITEMS} ON n.no = i.namespace "
            "WHERE n.path >= ? AND n.path < ? ORDER BY i.id DESC LIMIT ?",
            (*values, *more, count),
        )
    numbers = matching(connection, (conditions, more), (), count)
    return connection.execute(
        f"SELECT {columns} FROM json_each(?) j CROSS JOIN item i ON i.id = j.value", (*values, rows.json_list(numbers))
    )


def fields_below(connection: sqlite3.Connection, prefix: tuple[str, ...], fields: Sequence[Path]) -> sqlite3.Cursor:
    """For each item below a namespace, in any order, its number and what some fields hold."""
    columns, values = _columns(fields)
    where, more = _where(*below_namespace(connection, prefix), ())
    return connection.execute(f"SELECT {columns} FROM item i {where}", (*values, *more))


def fields_written(
    connection: sqlite3.Connection, prefix: tuple[str, ...], fields: Sequence[Path], after: int
) -> list[rows.Row]:
    """The same for those with a number above *after*, by rising number."""
    columns, values = _columns(fields)
    return connection.execute(
        f"SELECT {columns} FROM {_ITEMS} ON n.no = i.namespace "
        "WHERE i.id > ? AND n.path >= ? AND n.path < ? ORDER BY i.id",
        (*values, after, *bounds(prefix)),
    ).fetchall()


def _columns(fields: Sequence[Path]) -> tuple[str, list[str]]:
    return "i.id" + ", json_extract(i.value, ?)" * len(fields), [_json_path(path) for path in fields]


def _json_path(path: Path) -> str:
    return "$" + "".join(f'."{name}"' for name in path)


def matching(
    connection: sqlite3.Connection, below: Conditions, hints: Sequence[ItemHint], limit: int = -1
) -> list[int]:
    """Numbers of the items below a namespace that fit the hints, the last written first."""
    where, values = _where(*below, hints)
    found = connection.execute(f"SELECT i.id FROM item i {where} ORDER BY i.id DESC LIMIT ?", (*values, limit))
    return [number for (number,) in found]


def _where(conditions: Sequence[str], values: Sequence[Any], hints: Sequence[ItemHint]) -> tuple[str, list[Any]]:
    every, asked = list(conditions), list(values)
    for hint in hints:
        condition, more = _condition(hint)
        every.append(condition)
        asked += more
    return f"WHERE {' AND '.join(every)}" if every else "", asked


def below_namespace(connection: sqlite3.Connection, prefix: tuple[str, ...]) -> Conditions:
    """The condition for the items at and below a namespace, said so that SQLite takes the right index."""
    if not prefix:
        return [], []
    places = _first_two_below(connection, prefix)
    if len(places) < 2:
        return ["i.namespace = ?"], [places[0][0] if places else -1]
    return [_BELOW], list(bounds(prefix))


def _first_two_below(connection: sqlite3.Connection, prefix: tuple[str, ...]) -> list[tuple[int, bytes]]:
    """Number and path of the first namespace at and below this one, and of another where there are more."""
    return connection.execute(
        "SELECT no, path FROM item_namespace WHERE path >= ? AND path < ? LIMIT 2", bounds(prefix)
    ).fetchall()


def _most(connection: sqlite3.Connection, prefix: tuple[str, ...]) -> bool:
    """Whether so many namespaces are below this one that walking through all items, newest first, soon meets its."""
    below, last = connection.execute(
        "SELECT (SELECT count(*) FROM item_namespace WHERE path >= ? AND path < ?), max(no) FROM item_namespace",
        bounds(prefix),
    ).fetchone()
    return bool(below * 4 >= last)


def _condition(hint: ItemHint) -> tuple[str, list[Any]]:
    conditions, values = [], list[Any]()
    for path in hint.paths:
        if hint.operator == "=":
            # Values are written by one encoder, so that an equal field is an equal piece of text: found much faster
            # than by reading the JSON.
            conditions.append("instr(i.value, ?)")
            values.append(f"{encoded(path[-1])}:{encoded(hint.value)}")
        else:
            conditions.append(f"json_extract(i.value, ?) {hint.operator} ?")
            values += [_json_path(path), hint.value]
    return f"({' OR '.join(conditions)})", values
