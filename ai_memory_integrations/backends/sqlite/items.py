"""Namespaced JSON items in SQLite; `backends.item_rows` says how they are laid out."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.backends import rows
from ai_memory_integrations.backends.item_rows import (
    COLUMNS,
    GONE_KEPT,
    PROBE,
    ROW,
    SWEEP,
    Found,
    accepted,
    bounds,
    encoded,
    item_of,
    labels,
    page_of,
    path_of,
    place_of,
    ttl_micros,
    value,
)
from ai_memory_integrations.backends.sqlite.connection import Database
from ai_memory_integrations.ports import ItemHint, ItemKey, ItemPut, ItemQuery, ItemRanking, ItemRow, ItemStore

if TYPE_CHECKING:
    from ai_memory_integrations.backends.sqlite.item_listings import Listings
    from ai_memory_integrations.search.item_snapshot import Ranked
    from ai_memory_integrations.search.item_table import Numbers, Path

_KEYS = 500
_NAMED = 50
_ITEMS = "item i CROSS JOIN item_namespace n"  # CROSS: the items decide the order
Conditions = tuple[list[str], list[Any]]
"""Parts of a WHERE and their values."""

_LIVE = "(i.expires_at IS NULL OR i.expires_at > ?)"
_BELOW = "i.namespace IN (SELECT no FROM item_namespace WHERE path >= ? AND path < ?)"


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
        with self._database.read() as connection, one_state(connection) as joined:
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
        with self._database.transaction() as connection:
            self._here.committed = False
            _write(connection, list(last.values()), self._database.now())

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
            return _page(connection, query, self._database)

    def _best(
        self, connection: sqlite3.Connection, query: ItemQuery, ranking: ItemRanking, listings: Listings | None
    ) -> list[tuple[ItemRow, float | None]]:
        from ai_memory_integrations.backends.sqlite.item_index import reader
        from ai_memory_integrations.search.item_snapshot import ItemSnapshots

        now, size = self._database.now(), query.offset + query.limit
        # Somebody in the middle of writing is alone with what he sees.
        snapshots = ItemSnapshots() if listings is None else self._process_memory().snapshots
        with one_state(connection):
            place, read = place_of(path_of(query.prefix), ranking), reader(connection, query.prefix, ranking)
            first = place not in snapshots
            ranked = snapshots.rank(place, read, ranking)

            def page(ordered: Iterable[Ranked], size: int) -> list[tuple[ItemRow, float | None]]:
                if listings is None or query.omit_expired or first:
                    return page_of(query, _looked_up(connection, ordered, size), now)
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
        return _matching(connection, below_namespace(connection, query.prefix), query.hints)

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


# namespaces


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


def _write(connection: sqlite3.Connection, puts: Sequence[ItemPut], now: int) -> None:
    """Write and delete items with different keys, in a few statements whatever their number."""
    numbers: dict[tuple[str, ...], int | None] = {}
    for put in puts:
        if numbers.get(put.namespace) is None:
            numbers[put.namespace] = _namespace(connection, put.namespace, make=put.value is not None)
    known = _known(connection, puts, numbers)
    connection.executemany("DELETE FROM item WHERE id = ?", ((number,) for number, _, _ in known.values()))
    _note_gone(connection, [number for number, _, _ in known.values()])
    number = _last_number(connection)
    written, searched = list[rows.Row](), list[rows.Row]()
    for put in puts:
        if put.value is None:
            continue
        number += 1
        _, created, expires = known.get((put.namespace, put.key), (0, now, None))
        if expires is not None and expires <= now:
            created = now
        ttl = ttl_micros(put.ttl)
        written.append(
            (
                number,
                numbers[put.namespace],
                put.key,
                encoded(put.value),
                created,
                now,
                ttl,
                None if ttl is None else now + ttl,
            )
        )
        if put.terms or put.vectors:
            searched.append((number, put.terms, put.embedder, put.vectors))
    connection.executemany("INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?)", written)
    connection.executemany("INSERT INTO item_search VALUES (?, ?, ?, ?)", searched)
    _drop_empty(connection, {no for put in puts if put.value is None and (no := numbers[put.namespace]) is not None})
    if known:
        _forget_gone(connection)


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


def _last_number(connection: sqlite3.Connection) -> int:
    """The number of the item that was written last, should it have been deleted since."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'item'").fetchone()
    return 0 if found is None else found[0]


def _note_gone(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    connection.executemany("DELETE FROM item_search WHERE id = ?", ((number,) for number in numbers))
    connection.executemany("INSERT INTO item_gone(id) VALUES (?)", ((number,) for number in numbers))


def _forget_gone(connection: sqlite3.Connection) -> None:
    """Keep the last deletions only; a snapshot that is further behind is made anew."""
    connection.execute("DELETE FROM item_gone WHERE no <= (SELECT max(no) FROM item_gone) - ?", (GONE_KEPT,))


# search


def _page(connection: sqlite3.Connection, query: ItemQuery, database: Database) -> list[tuple[ItemRow, float | None]]:
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
        page = islice(accepted(query, newest, database.now()), start, stop)
        return [(item_of(row, known, place), None) for row, known in page]


def _newest_here(connection: sqlite3.Connection, prefix: tuple[str, ...], limit: int) -> list[rows.Row]:
    """The items of this very namespace, the last written first, by one statement: each is a transaction with two locks
    of the file. None where other namespaces are below it."""
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
        numbers = _matching(connection, ([_BELOW], list(bounds(query.prefix))), query.hints, limit)
        for row, _ in _looked_up(connection, ((number, None) for number in numbers), query.offset + query.limit):
            yield row


def _looked_up(connection: sqlite3.Connection, ordered: Iterable[Ranked], size: int) -> Iterator[Found]:
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
    numbers = _matching(connection, (conditions, more), (), count)
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
