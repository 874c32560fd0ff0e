"""What the ranking of items reads from PostgreSQL: all of a namespace once, then what changed."""

from __future__ import annotations

from ai_memory_integrations.backends.item_rows import bounds
from ai_memory_integrations.backends.postgres.connection import Database
from ai_memory_integrations.backends.postgres.session import Session
from ai_memory_integrations.ports import ItemRanking
from ai_memory_integrations.search.item_snapshot import IndexedItem, ItemDelta, Read
from ai_memory_integrations.search.item_state import ItemState


def reader(database: Database, session: Session, prefix: tuple[str, ...], ranking: ItemRanking) -> Read:
    """A function that gives what changed below a namespace since a known state, None for nothing.

    Called where one caller is let in at a time, it never brings an older state than the call before, unless the
    caller's transaction is older.
    """

    def read(known: ItemState | None) -> ItemDelta | None:
        if known is not None and _state(session) == known:
            return None
        with database.one_state(session):
            state = _state(session)
            if known is not None and not state.older_than(known):
                gone = session.execute("SELECT id FROM ai_memory.item_gone WHERE no > %s", (known.gone,)).fetchall()
                if len(gone) == state.gone - known.gone:  # fewer: some are no longer kept
                    items = _indexed(session, prefix, ranking, known.last)
                    return ItemDelta(state, reset=False, items=items, gone=[number for (number,) in gone])
            return ItemDelta(state, reset=True, items=_indexed(session, prefix, ranking, 0))

    return read


def _state(session: Session) -> ItemState:
    """How far the store is. In a transaction that may write it stays so until the end of it."""
    lock = "" if session.locked is None else "FOR UPDATE"
    return ItemState(*session.execute(f"SELECT last, gone FROM ai_memory.item_state {lock}").fetchall()[0])


def _indexed(session: Session, prefix: tuple[str, ...], ranking: ItemRanking, after: int) -> list[IndexedItem]:
    terms = "coalesce(s.terms, '')" if ranking.lexical else "''::bytea"
    vectors, asked = ("''::bytea", []) if ranking.vector is None else (_VECTORS, [ranking.embedder])
    found = session.execute(
        f"SELECT i.id, {terms}, {vectors} FROM ai_memory.item i JOIN ai_memory.item_namespace n ON n.no = i.namespace "
        "LEFT JOIN ai_memory.item_search s ON s.id = i.id "
        "WHERE n.path >= %s AND n.path < %s AND i.id > %s ORDER BY i.id",
        (*asked, *bounds(prefix), after),
    )
    return [IndexedItem(*row) for row in found]


_VECTORS = "CASE WHEN s.embedder = %s THEN s.vectors ELSE '' END"
