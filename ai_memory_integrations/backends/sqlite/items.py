"""Namespaced JSON items in SQLite.

A namespace's path is its labels in UTF-8, each ended by a NUL, which no label may hold: what is below a namespace is
then one range of paths, and paths sort as their tuples of labels do. An item that is written again gets a new number,
so numbers tell the order of writing and what a snapshot has not seen; the numbers of deleted items are kept for a
while, so that a snapshot hears of them.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.sqlite.connection import Database
from ai_memory_integrations.ports import ItemHint, ItemKey, ItemPut, ItemQuery, ItemRanking, ItemRow, ItemStore

if TYPE_CHECKING:
    from ai_memory_integrations.search.item_snapshot import ItemSnapshots, Ranked

_MINUTE = 60_000_000
_GONE_KEPT = 100_000
_SWEEP = 1_000
_PROBE = 10
_ROW = "n.path, i.key, i.value, i.created_at, i.updated_at, i.ttl, i.expires_at"
_EXPIRES = 6
_ITEMS = "item i CROSS JOIN item_namespace n"  # CROSS: the items decide the order
Conditions = tuple[list[str], list[Any]]
"""Parts of a WHERE and their values."""

_Found = tuple[rows.Row, float | None]
_LIVE = "(i.expires_at IS NULL OR i.expires_at > ?)"
_BELOW = "i.namespace IN (SELECT no FROM item_namespace WHERE path >= ? AND path < ?)"


class SQLiteItemStore(ItemStore):
    """`ItemStore` over one `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._snapshots: ItemSnapshots | None = None
        self._process = os.getpid()
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
        with self._database.read() as connection, _one_state(connection) as joined:
            self._here.connection, self._here.committed = connection, not joined
            try:
                yield
            finally:
                self._here.connection, self._here.committed = None, False

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        if self._here.connection is not None:
            yield self._here.connection
            return
        with self._database.read() as connection:
            yield connection

    # one by one

    def get_items(self, keys: Sequence[ItemKey], *, omit_expired: bool = False) -> list[ItemRow | None]:
        statement = (
            f"SELECT {_ROW} FROM item_namespace n JOIN item i ON i.namespace = n.no WHERE n.path = ? AND i.key = ?"
        )
        more: tuple[int, ...] = ()
        if omit_expired:
            statement, more = f"{statement} AND {_LIVE}", (self._database.now(),)
        with self._read() as connection:
            found = [connection.execute(statement, (path_of(place), key, *more)).fetchone() for place, key in keys]
        return [None if row is None else _item(row) for row in found]

    def put_items(self, puts: Sequence[ItemPut]) -> None:
        with self._database.transaction() as connection:
            self._here.committed = False
            now = self._database.now()
            numbers: dict[tuple[str, ...], int] = {}
            emptied: set[int] = set()
            for put in puts:
                no = numbers.get(put.namespace)
                if no is None:
                    no = _namespace(connection, put.namespace, make=put.value is not None)
                    if no is None:
                        continue  # nothing was there to be deleted
                    numbers[put.namespace] = no
                created = _removed(connection, no, put.key, now)
                if put.value is None:
                    emptied.add(no)
                else:
                    _insert(connection, no, put, now if created is None else created, now)
            _drop_empty(connection, emptied)
            _forget_gone(connection)

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
                    "SELECT id, namespace FROM item WHERE expires_at <= ? LIMIT ?", (self._database.now(), _SWEEP)
                ).fetchall()
                connection.executemany("DELETE FROM item WHERE id = ?", ((number,) for number, _ in found))
                _note_gone(connection, [number for number, _ in found])
                _drop_empty(connection, {no for _, no in found})
                _forget_gone(connection)
            swept += len(found)
            if len(found) < _SWEEP:
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
                (*_bounds(prefix), *more, -1 if limit is None else limit, offset),
            ).fetchall()
        return [_labels(path) for (path,) in found]

    # search

    def find_items(self, query: ItemQuery) -> list[tuple[ItemRow, float | None]]:
        with self._read() as connection:
            now = self._database.now()
            if query.ranking is None:
                with closing(_newest(connection, query)) as newest:
                    return list(_page(query, newest, now))
            with _one_state(connection) as joined:
                return self._best(connection, query, query.ranking, now, alone=joined and not self._here.committed)

    def _best(
        self, connection: sqlite3.Connection, query: ItemQuery, ranking: ItemRanking, now: int, *, alone: bool
    ) -> list[tuple[ItemRow, float | None]]:
        from ai_memory_integrations.backends.sqlite.item_index import place_of, reader

        place, read = place_of(path_of(query.prefix), ranking), reader(connection, query.prefix, ranking)
        ranked, size = self._shared(alone=alone).rank(place, read, ranking), query.offset + query.limit
        if query.hints and len(ranked) > _PROBE * size:
            # What many items pass is soon found among the best; only for a rare thing all are looked at.
            found = list(_page(query, _looked_up(connection, islice(ranked, _PROBE * size), _PROBE * size), now))
            if len(found) == query.limit:
                return found
        if query.hints:
            below = below_namespace(connection, query.prefix)
            ranked = ranked.among(_matching(connection, below, query.hints))
        return list(_page(query, _looked_up(connection, ranked, size), now))

    def _shared(self, *, alone: bool) -> ItemSnapshots:
        """The snapshots of this process, or new ones for somebody *alone* with what he sees."""
        from ai_memory_integrations.search.item_snapshot import ItemSnapshots

        if alone:
            return ItemSnapshots()
        if self._snapshots is None or self._process != os.getpid():
            # A forked child makes its own: a thread of its parent may have held a lock of these.
            self._snapshots, self._process = ItemSnapshots(), os.getpid()
        return self._snapshots


class _Here(threading.local):
    """What this thread is in the middle of: a connection it reads one state from, and whether all that its
    transaction sees of items is committed."""

    connection: sqlite3.Connection | None = None
    committed = False


@contextmanager
def _one_state(connection: sqlite3.Connection) -> Iterator[bool]:
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


# namespaces


def path_of(namespace: Sequence[str]) -> bytes:
    return b"".join(label.encode() + b"\0" for label in namespace)


@lru_cache(maxsize=10_000)
def _labels(path: bytes) -> tuple[str, ...]:
    return tuple(path.decode().split("\0")[:-1])


def _bounds(prefix: Sequence[str]) -> tuple[bytes, bytes]:
    """The range of the paths at and below a namespace."""
    path = path_of(prefix)
    return path, path[:-1] + b"\1" if path else b"\xff"


def _namespace(connection: sqlite3.Connection, namespace: tuple[str, ...], *, make: bool) -> int | None:
    """The number of a namespace; one that is not there is made, or None."""
    path = path_of(namespace)
    known = connection.execute("SELECT no FROM item_namespace WHERE path = ?", (path,)).fetchone()
    if known is None and make:
        known = connection.execute("INSERT INTO item_namespace(path) VALUES (?) RETURNING no", (path,)).fetchone()
    return None if known is None else known[0]


def _drop_empty(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    connection.executemany(
        "DELETE FROM item_namespace WHERE no = :no AND NOT EXISTS (SELECT 1 FROM item WHERE namespace = :no)",
        ({"no": no} for no in numbers),
    )


# rows


def _value(row: rows.Row) -> dict[str, Any]:
    value: dict[str, Any] = _JSON.raw_decode(row[2])[0]
    return value


# Made once: `json.dumps` with options makes an encoder for every call.
_JSON = json.JSONDecoder()
_ENCODED = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def _item(row: rows.Row, value: dict[str, Any] | None = None) -> ItemRow:
    """The row as an item, with its *value* where that was read already."""
    ttl = row[5]
    return ItemRow(
        namespace=_labels(row[0]),
        key=row[1],
        value=_value(row) if value is None else value,
        created_at=rows.moment(row[3]),
        updated_at=rows.moment(row[4]),
        ttl=None if ttl is None else ttl / _MINUTE,
    )


def _removed(connection: sqlite3.Connection, no: int, key: str, now: int) -> int | None:
    """Remove an item; when it was created, None when there was none or it had expired."""
    gone = connection.execute(
        "DELETE FROM item WHERE namespace = ? AND key = ? RETURNING id, created_at, expires_at", (no, key)
    ).fetchall()
    if not gone:
        return None
    number, created, expires = gone[0]
    _note_gone(connection, [number])
    return created if expires is None or expires > now else None


def _insert(connection: sqlite3.Connection, no: int, put: ItemPut, created: int, now: int) -> None:
    ttl = None if put.ttl is None else round(put.ttl * _MINUTE)
    number = connection.execute(
        "INSERT INTO item(namespace, key, value, created_at, updated_at, ttl, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (no, put.key, _ENCODED(put.value), created, now, ttl, None if ttl is None else now + ttl),
    ).lastrowid
    if put.terms or put.vectors:
        connection.execute(
            "INSERT INTO item_search VALUES (?, ?, ?, ?)", (number, put.terms, put.embedder, put.vectors)
        )


def _note_gone(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    connection.executemany("DELETE FROM item_search WHERE id = ?", ((number,) for number in numbers))
    connection.executemany("INSERT INTO item_gone(id) VALUES (?)", ((number,) for number in numbers))


def _forget_gone(connection: sqlite3.Connection) -> None:
    """Keep the last deletions only; a snapshot that is further behind is made anew."""
    connection.execute("DELETE FROM item_gone WHERE no <= (SELECT max(no) FROM item_gone) - ?", (_GONE_KEPT,))


# search


def _page(query: ItemQuery, found: Iterable[_Found], now: int) -> Iterator[tuple[ItemRow, float | None]]:
    """The page asked for of what is accepted, in the order given; what is behind it is not looked at."""
    number = 0
    for row, score in found if query.limit else ():
        if query.omit_expired and row[_EXPIRES] is not None and row[_EXPIRES] <= now:
            continue
        value = None if query.accept is None else _value(row)
        if value is not None and query.accept is not None and not query.accept(value):
            continue
        number += 1
        if number > query.offset:
            yield _item(row, value), score
        if number == query.offset + query.limit:
            return


def _newest(connection: sqlite3.Connection, query: ItemQuery) -> Generator[_Found, None, None]:
    """The items below a namespace that fit the hints, the last written first."""
    tables, (conditions, values) = f"{_ITEMS} ON n.no = i.namespace", below_namespace(connection, query.prefix)
    if conditions == [_BELOW]:
        if not _most(connection, query.prefix):
            # One namespace after the other, and not in the order of writing: only the numbers are sorted.
            size = query.offset + query.limit
            with _one_state(connection):
                whole = query.accept is not None or query.omit_expired
                numbers = _matching(connection, (conditions, values), query.hints, -1 if whole else size)
                yield from _looked_up(connection, ((number, None) for number in numbers), size)
            return
        conditions = ["n.path >= ?", "n.path < ?"]
    where, more = _where(conditions, values, query.hints)
    with closing(connection.execute(f"SELECT {_ROW} FROM {tables} {where} ORDER BY i.id DESC", more)) as found:
        for row in found:
            yield row, None


def _looked_up(connection: sqlite3.Connection, ordered: Iterable[Ranked], size: int) -> Iterator[_Found]:
    """The rows of some numbers, in their order, read piece by piece."""
    rest = iter(ordered)
    while piece := list(islice(rest, size)):
        found = connection.execute(
            f"SELECT {_ROW}, i.id FROM {_ITEMS} ON n.no = i.namespace WHERE i.id IN (SELECT value FROM json_each(?))",
            (rows.json_list(number for number, _ in piece),),
        )
        by_number = {row[-1]: row for row in found}
        for number, score in piece:
            if number in by_number:
                yield by_number[number], score
        size = min(size * 4, 4_000)


def _matching(
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
    found = connection.execute(
        "SELECT no FROM item_namespace WHERE path >= ? AND path < ? LIMIT 2", _bounds(prefix)
    ).fetchall()
    if len(found) < 2:
        return ["i.namespace = ?"], [found[0][0] if found else -1]
    return [_BELOW], list(_bounds(prefix))


def _most(connection: sqlite3.Connection, prefix: tuple[str, ...]) -> bool:
    """Whether so many namespaces are below this one that walking through all items, newest first, soon meets its."""
    below, last = connection.execute(
        "SELECT (SELECT count(*) FROM item_namespace WHERE path >= ? AND path < ?), max(no) FROM item_namespace",
        _bounds(prefix),
    ).fetchone()
    return bool(below * 4 >= last)


def _condition(hint: ItemHint) -> tuple[str, list[Any]]:
    compared = f"json_extract(i.value, ?) {hint.operator} ?"
    conditions, values = [], []
    for path in hint.paths:
        conditions.append(compared)
        values += ["$" + "".join(f'."{name}"' for name in path), hint.value]
    return f"({' OR '.join(conditions)})", values
