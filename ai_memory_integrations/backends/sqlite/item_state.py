"""How far the items of a SQLite file are: see `ItemState`."""

from __future__ import annotations

import sqlite3

from ai_memory_integrations.backends.sqlite.connection import Reader
from ai_memory_integrations.search.item_state import ItemState


def state_of(connection: sqlite3.Connection) -> ItemState:
    if not isinstance(connection, Reader):
        return last_state(connection)
    # SQLite knows of itself whether anybody wrote: asked for that alone it reads no table.
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    if connection.noted is None or connection.noted[0] != version:
        # In this order: what is written in between changes the version, and is read again next time.
        connection.noted = version, last_state(connection)
    state: ItemState = connection.noted[1]
    return state


def last_state(connection: sqlite3.Connection) -> ItemState:
    """What the transaction under way sees, also of itself."""
    return ItemState(*connection.execute(_STATE).fetchone())


_STATE = (
    "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'item'), 0), "
    "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'item_gone'), 0)"
)


def forgotten(connection: sqlite3.Connection, gone: int) -> bool:
    """Whether deletions after this one, the last known, are no longer kept."""
    first = connection.execute("SELECT min(no) FROM item_gone").fetchone()[0]
    return first is not None and first > gone + 1
