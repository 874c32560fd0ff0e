"""What the ranking of items reads from SQLite: all of a namespace once, then what changed."""

from __future__ import annotations

import sqlite3
from operator import itemgetter
from typing import cast

from ai_memory_integrations.backends.sqlite.connection import Reader
from ai_memory_integrations.backends.sqlite.item_queries import Conditions, below_namespace
from ai_memory_integrations.ports import ItemRanking
from ai_memory_integrations.search.item_snapshot import IndexedItem, ItemDelta, ItemState, Read


def reader(connection: sqlite3.Connection, prefix: tuple[str, ...], ranking: ItemRanking) -> Read:
    """A function that gives what changed below a namespace since a known state, None for nothing.

    It is the first to read in its transaction: called where one caller is let in at a time, no caller brings an older
    state than the one before, unless his transaction is older.
    """

    def read(known: ItemState | None) -> ItemDelta | None:
        state = state_of(connection)
        if state == known:
            return None
        below = below_namespace(connection, prefix)
        if known is None or state.older_than(known) or forgotten(connection, known.gone):
            return ItemDelta(state, reset=True, items=_indexed(connection, below, ranking, 0))
        gone = connection.execute("SELECT id FROM item_gone WHERE no > ?", (known.gone,)).fetchall()
        items = _indexed(connection, below, ranking, known.last) if state.last > known.last else []
        return ItemDelta(state, reset=False, items=items, gone=[number for (number,) in gone])

    return read


def state_of(connection: sqlite3.Connection) -> ItemState:
    if not isinstance(connection, Reader):
        return _state_of(connection)
    # SQLite knows of itself whether anybody wrote: asked for that alone it reads no table.
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    if connection.noted is None or connection.noted[0] != version:
        # In this order: what is written in between changes the version, and is read again next time.
        connection.noted = version, _state_of(connection)
    state: ItemState = connection.noted[1]
    return state


def _state_of(connection: sqlite3.Connection) -> ItemState:
    return ItemState(*connection.execute(_STATE).fetchone())


_STATE = (
    "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'item'), 0), "
    "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'item_gone'), 0)"
)


def forgotten(connection: sqlite3.Connection, gone: int) -> bool:
    """Whether deletions after this one, the last known, are no longer kept."""
    first = connection.execute("SELECT min(no) FROM item_gone").fetchone()[0]
    return first is not None and first > gone + 1


def _indexed(connection: sqlite3.Connection, below: Conditions, ranking: ItemRanking, after: int) -> list[IndexedItem]:
    conditions, values = list(below[0]), list(below[1])
    if after:
        # Few items are new: they are looked at one by one, whatever namespace they are in.
        conditions = [condition.replace("i.namespace", "+i.namespace") for condition in conditions]
        conditions.append("i.id > ?")
        values.append(after)
    terms = "coalesce(s.terms, x'')" if ranking.lexical else "x''"
    vectors, asked = ("x''", []) if ranking.vector is None else (_VECTORS, [ranking.embedder])
    found = connection.execute(
        f"SELECT i.id, {terms}, {vectors} FROM item i LEFT JOIN item_search s ON s.id = i.id "
        f"WHERE {' AND '.join(conditions) or 'TRUE'}",
        (*asked, *values),
    )
    # Sorted here: asked for an order, SQLite would rather walk through the whole table than use an index.
    return cast("list[IndexedItem]", sorted(found, key=itemgetter(0)))


_VECTORS = "CASE WHEN s.embedder = ? THEN s.vectors ELSE x'' END"
