"""Namespaced JSON items in SQLite; `backends.item_rows` says how they are laid out."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.item_rows import (
    GONE_KEPT,
    MINUTE,
    PROBE,
    ROW,
    SWEEP,
    bounds,
    encoded,
    item_of,
    labels,
    page_of,
    path_of,
    place_of,
    ttl_micros,
)
from ai_memory_integrations.backends.rows import moment
from ai_memory_integrations.backends.sqlite import item_queries
from ai_memory_integrations.backends.sqlite.connection import Database
from ai_memory_integrations.backends.sqlite.item_state import last_state
from ai_memory_integrations.backends.sqlite.kept_rows import ItemChange
from ai_memory_integrations.json_copies import inside_of
from ai_memory_integrations.ports import ItemKey, ItemPut, ItemQuery, ItemRanking, ItemRow, ItemStore
from ai_memory_integrations.search.item_state import ItemState

if TYPE_CHECKING:
    from ai_memory_integrations.backends.sqlite.item_listings import Listings
    from ai_memory_integrations.search.item_snapshot import Ranked
    from ai_memory_integrations.search.item_table import Numbers

_KEYS = 500
_LIVE = "(i.expires_at IS NULL OR i.expires_at > ?)"


class SQLiteItemStore(ItemStore):
    """`ItemStore` over one `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._here = _Here()

    def transaction(self) -> AbstractContextManager[None]:
        return self._transaction()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._database.read() as connection:
            joined = connection.in_transaction
        with self._database.transaction():
            self._here.committed = not joined
            try:
                yield
            finally:
                self._here.committed = False

    def reading(self) -> AbstractContextManager[None]:
        return self._reading()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._database.read() as connection, item_queries.one_state(connection) as joined:
            self._here.connection, self._here.committed = connection, not joined
            try:
                yield
            finally:
                self._here.connection, self._here.committed = None, False

    def _read(self) -> AbstractContextManager[sqlite3.Connection]:
        connection = self._here.connection
        return self._database.read() if connection is None else nullcontext(connection)

    # one by one

    def get_items(self, keys: Sequence[ItemKey], *, omit_expired: bool = False) -> list[ItemRow | None]:
        statement = (
            f"SELECT {ROW} FROM item_namespace n JOIN item i ON i.namespace = n.no WHERE n.path = ? AND i.key = ?"
        )
        more: tuple[int, ...] = ()
        if omit_expired:
            statement, more = f"{statement} AND {_LIVE}", (self._database.now(),)
        with self._read() as connection:
            found = [connection.execute(statement, (path_of(place), key, *more)).fetchone() for place, key in keys]
        return [None if row is None else item_of(row) for row in found]

    def put_items(self, puts: Sequence[ItemPut]) -> None:
        last: dict[ItemKey, ItemPut] = {}
        for put in puts:
            last.pop((put.namespace, put.key), None)  # so that the last one written is the last one in the order
            last[put.namespace, put.key] = put
        listings = self._process_memory().listings
        with self._database.transaction() as connection:
            self._here.committed = False
            change = _write(connection, list(last.values()), self._database.now())
            self._database.on_commit(lambda: listings.wrote(change))

    def touch_items(self, keys: Sequence[ItemKey]) -> None:
        with self._database.transaction() as connection:
            now = self._database.now()
            connection.executemany(
                "UPDATE item SET expires_at = ? + ttl WHERE key = ? AND ttl IS NOT NULL "
                "AND namespace = (SELECT no FROM item_namespace WHERE path = ?)",
                ((now, key, path_of(namespace)) for namespace, key in keys),
            )

    def sweep_items(self) -> int:
        swept = 0
        while True:
            with self._database.transaction() as connection:
                found = connection.execute(
                    "SELECT id, namespace FROM item WHERE expires_at <= ? LIMIT ?", (self._database.now(), SWEEP)
                ).fetchall()
                connection.executemany("DELETE FROM item WHERE id = ?", ((number,) for number, _ in found))
                _note_gone(connection, [number for number, _ in found])
                _drop_empty(connection, {no for _, no in found})
                _forget_gone(connection)
            swept += len(found)
            if len(found) < SWEEP:
                return swept

    def list_namespaces(
        self,
        prefix: tuple[str, ...] = (),
        *,
        limit: int | None = None,
        offset: int = 0,
        omit_expired: bool = False,
    ) -> list[tuple[str, ...]]:
        live, more = "", list[int]()
        if omit_expired:
            live = f"AND EXISTS (SELECT 1 FROM item i WHERE i.namespace = n.no AND {_LIVE})"
            more = [self._database.now()]
        with self._read() as connection:
            found = connection.execute(
                f"SELECT path FROM item_namespace n WHERE path >= ? AND path < ? {live} ORDER BY path LIMIT ? OFFSET ?",
                (*bounds(prefix), *more, -1 if limit is None else limit, offset),
            ).fetchall()
        return [labels(path) for (path,) in found]

    # search

    def find_items(self, query: ItemQuery) -> list[tuple[ItemRow, float | None]]:
        with self._read() as connection:
            alone = connection.in_transaction and not self._here.committed
            listings = None if alone else self._process_memory().listings
            if query.ranking is not None:
                return self._best(connection, query, query.ranking, listings)
            if listings is not None and not query.omit_expired:
                found = listings.page(connection, query)
                if found is not None:
                    return found
            return item_queries.page(connection, query, self._database)

    def _best(
        self, connection: sqlite3.Connection, query: ItemQuery, ranking: ItemRanking, listings: Listings | None
    ) -> list[tuple[ItemRow, float | None]]:
        from ai_memory_integrations.backends.sqlite.item_index import reader
        from ai_memory_integrations.search.item_snapshot import ItemSnapshots

        now, size = self._database.now(), query.offset + query.limit
        # Somebody in the middle of writing is alone with what he sees.
        snapshots = ItemSnapshots() if listings is None else self._process_memory().snapshots
        with item_queries.one_state(connection):
            place, read = place_of(path_of(query.prefix), ranking), reader(connection, query.prefix, ranking)
            first = place not in snapshots
            ranked = snapshots.rank(place, read, ranking)

            def page(ordered: Iterable[Ranked], size: int) -> list[tuple[ItemRow, float | None]]:
                if listings is None or query.omit_expired or first:
                    return page_of(query, item_queries.looked_up(connection, ordered, size), now)
                return listings.ranked_page(connection, query, ordered, size)

            if query.hints and len(ranked) > PROBE * size:
                # What many items pass is soon found among the best; only for a rare thing all are looked at.
                found = page(islice(ranked, PROBE * size), PROBE * size)
                if len(found) == query.limit:
                    return found
            if query.hints:
                ranked = ranked.among(self._fitting(connection, query, listings))
            return page(ranked, size)

    def _fitting(
        self, connection: sqlite3.Connection, query: ItemQuery, listings: Listings | None
    ) -> Numbers | list[int]:
        """Numbers of the items below a namespace that fit the hints, in any order."""
        known = None if listings is None else listings.matching(connection, query)
        if known is not None:
            return known
        return item_queries.matching(connection, item_queries.below_namespace(connection, query.prefix), query.hints)

    def _process_memory(self) -> _ProcessMemory:
        memory: _ProcessMemory | None = self._database.process_memory
        if memory is None:
            memory = self._database.process_memory = _ProcessMemory()
        return memory


class _ProcessMemory:
    """What this process keeps of items in memory."""

    def __init__(self) -> None:
        from ai_memory_integrations.backends.sqlite.item_listings import Listings
        from ai_memory_integrations.search.item_snapshot import ItemSnapshots

        self.snapshots = ItemSnapshots()
        self.listings = Listings()


class _Here(threading.local):
    """What this thread is in the middle of: a connection it reads one state from, and whether all that its
    transaction sees of items is committed."""

    connection: sqlite3.Connection | None = None
    committed = False


# namespaces


def _namespace(connection: sqlite3.Connection, namespace: tuple[str, ...], made: list[bytes] | None) -> int | None:
    """The number of a namespace; one that is not there is made, or None where there is no list of those *made*. In the
    list are those only that none stands below."""
    path, end = bounds(namespace)
    known = connection.execute("SELECT no FROM item_namespace WHERE path = ?", (path,)).fetchone()
    if known is None and made is not None:
        known = connection.execute("INSERT INTO item_namespace(path) VALUES (?) RETURNING no", (path,)).fetchone()
        below = "SELECT 1 FROM item_namespace WHERE path > ? AND path < ? LIMIT 1"
        if connection.execute(below, (path, end)).fetchone() is None:
            made.append(path)
    return None if known is None else known[0]


def _drop_empty(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    connection.executemany(
        "DELETE FROM item_namespace WHERE no = :no AND NOT EXISTS (SELECT 1 FROM item WHERE namespace = :no)",
        ({"no": no} for no in numbers),
    )


# rows


def _write(connection: sqlite3.Connection, puts: Sequence[ItemPut], now: int) -> ItemChange:
    """Write and delete items with different keys, in a few statements whatever their number."""
    before = last_state(connection)
    numbers: dict[tuple[str, ...], int | None] = {}
    made: list[bytes] = []
    for put in puts:
        if numbers.get(put.namespace) is None:
            numbers[put.namespace] = _namespace(connection, put.namespace, made if put.value is not None else None)
    known = _known(connection, puts, numbers)
    connection.executemany("DELETE FROM item WHERE id = ?", ((number,) for number, _, _ in known.values()))
    _note_gone(connection, [number for number, _, _ in known.values()])
    number, at = before.last, moment(now)
    kept, written, searched = list[tuple[int, ItemRow, int]](), list[rows.Row](), list[rows.Row]()
    for put in puts:
        if put.value is None:
            continue
        number += 1
        _, created, expires = known.get((put.namespace, put.key), (0, now, None))
        if expires is not None and expires <= now:
            created = now
        ttl = ttl_micros(put.ttl)
        row = (put.key, encoded(put.value), created, now, ttl, None if ttl is None else now + ttl)
        written.append((number, numbers[put.namespace], *row))
        item = ItemRow(
            put.namespace,
            put.key,
            put.value,
            at if created == now else moment(created),
            at,
            None if ttl is None else ttl / MINUTE,
            inside_of(put.value),
        )
        kept.append((number, item, len(row[1])))
        if put.terms or put.vectors:
            searched.append((number, put.terms, put.embedder, put.vectors))
    connection.executemany("INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?)", written)
    connection.executemany("INSERT INTO item_search VALUES (?, ?, ?, ?)", searched)
    _drop_empty(connection, {no for put in puts if put.value is None and (no := numbers[put.namespace]) is not None})
    if known:
        _forget_gone(connection)
    after = ItemState(number, before.gone + len(known))
    return ItemChange(before, after, made, kept, [(known[key][0], key[0]) for key in known])


def _known(
    connection: sqlite3.Connection, puts: Sequence[ItemPut], numbers: Mapping[tuple[str, ...], int | None]
) -> dict[ItemKey, tuple[int, int, int | None]]:
    """Number, time of creation and expiry of those items that are there already."""
    keys: dict[tuple[str, ...], list[str]] = {}
    for put in puts:
        keys.setdefault(put.namespace, []).append(put.key)
    known: dict[ItemKey, tuple[int, int, int | None]] = {}
    for namespace, asked in keys.items():
        for start in range(0, len(asked), _KEYS):
            piece = asked[start : start + _KEYS]
            found = connection.execute(
                "SELECT key, id, created_at, expires_at FROM item "
                f"WHERE namespace = ? AND key IN ({', '.join('?' * len(piece))})",
                (numbers[namespace], *piece),
            )
            known |= {(namespace, key): (number, created, expires) for key, number, created, expires in found}
    return known


def _note_gone(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    connection.executemany("DELETE FROM item_search WHERE id = ?", ((number,) for number in numbers))
    connection.executemany("INSERT INTO item_gone(id) VALUES (?)", ((number,) for number in numbers))


def _forget_gone(connection: sqlite3.Connection) -> None:
    """Keep the last deletions only; a snapshot that is further behind is made anew."""
    connection.execute("DELETE FROM item_gone WHERE no <= (SELECT max(no) FROM item_gone) - ?", (GONE_KEPT,))
