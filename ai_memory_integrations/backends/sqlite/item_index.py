"""What the ranking of items reads from SQLite: all of a namespace once, then what changed."""

from __future__ import annotations

import sqlite3
from operator import itemgetter
from typing import cast

from ai_memory_integrations.backends.sqlite.item_queries import Conditions, below_namespace
from ai_memory_integrations.backends.sqlite.item_state import forgotten, state_of
from ai_memory_integrations.ports import ItemRanking
from ai_memory_integrations.search.item_snapshot import IndexedItem, ItemDelta, Read
from ai_memory_integrations.search.item_state import ItemState


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
