"""Namespaced JSON items in PostgreSQL; `backends.item_rows` says how they are laid out.

Whoever writes items has locked the one row of `item_state`: numbers are then committed in their order, and a snapshot
that has seen one has seen all before it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from ai_memory_integrations.backends.item_rows import (
    GONE_KEPT,
    PROBE,
    ROW,
    SWEEP,
    Found,
    bounds,
    encoded,
    item_of,
    labels,
    page_of,
    path_of,
    place_of,
    ttl_micros,
)
from ai_memory_integrations.backends.postgres.connection import Database, repeated
from ai_memory_integrations.backends.postgres.session import OvertakenError, Session
from ai_memory_integrations.backends.rows import Row
from ai_memory_integrations.ports import ItemHint, ItemKey, ItemPut, ItemQuery, ItemRanking, ItemRow, ItemStore

if TYPE_CHECKING:
    from ai_memory_integrations.search.item_snapshot import ItemSnapshots, Ranked

_ITEMS = "ai_memory.item i JOIN ai_memory.item_namespace n ON n.no = i.namespace"
_LIVE = "(i.expires_at IS NULL OR i.expires_at > ai_memory.now_us())"
_LOCK = "SELECT last, gone FROM ai_memory.item_state FOR UPDATE"


class PostgresItemStore(ItemStore):
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
        joined = self._database.in_transaction
        with self._database.transaction() as session:
            session.execute(_LOCK)  # what is read here is still true when it is written
            self._here.committed = not joined
            try:
                yield
            finally:
                self._here.committed = False

    def reading(self) -> AbstractContextManager[None]:
        return self._reading()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._database.read() as session, self._database.one_state(session) as joined:
            self._here.session, self._here.committed = session, not joined
            try:
                yield
            finally:
                self._here.session, self._here.committed = None, False

    @contextmanager
    def _read(self) -> Iterator[Session]:
        if self._here.session is not None:
            yield self._here.session
            return
        with self._database.read() as session:
            yield session

    # one by one

    def get_items(self, keys: Sequence[ItemKey], *, omit_expired: bool = False) -> list[ItemRow | None]:
        wanted = [(path_of(namespace), key) for namespace, key in keys]
        with self._read() as session:
            found = session.execute(
                f"SELECT {ROW} FROM {_ITEMS} WHERE (n.path, i.key) IN "
                f"(SELECT * FROM unnest(%s::bytea[], %s::text[])) AND {_LIVE if omit_expired else 'TRUE'}",
                ([path for path, _ in wanted], [key for _, key in wanted]),
            ).fetchall()
        rows = {(path, key): (path, key, *rest) for path, key, *rest in found}
        return [None if (row := rows.get(key)) is None else item_of(row) for key in wanted]

    @repeated
    def put_items(self, puts: Sequence[ItemPut]) -> None:
        with self._database.transaction() as session:
            self._here.committed = False
            writing = _Writing.begin(session)
            last: dict[_Place, ItemPut] = {}
            for put in puts:
                place = (path_of(put.namespace), put.key)
                last.pop(place, None)  # so that the last one written is the last one in the order
                last[place] = put
            writing.write(_namespaces(session, last), last)

    @repeated
    def touch_items(self, keys: Sequence[ItemKey]) -> None:
        with self._database.transaction() as session:
            session.execute(
                "UPDATE ai_memory.item i SET expires_at = ai_memory.now_us() + i.ttl "
                "FROM ai_memory.item_namespace n WHERE n.no = i.namespace AND i.ttl IS NOT NULL "
                "AND (n.path, i.key) IN (SELECT * FROM unnest(%s::bytea[], %s::text[]))",
                ([path_of(namespace) for namespace, _ in keys], [key for _, key in keys]),
            )

    def sweep_items(self) -> int:
        swept = 0
        while (some := self._sweep()) == SWEEP:
            swept += some
        return swept + some

    @repeated
    def _sweep(self) -> int:
        with self._database.transaction() as session:
            writing = _Writing.begin(session)
            found = session.execute(
                "DELETE FROM ai_memory.item WHERE id IN (SELECT id FROM ai_memory.item "
                "WHERE expires_at <= ai_memory.now_us() LIMIT %s) RETURNING id, namespace",
                (SWEEP,),
            ).fetchall()
            writing.note_gone([number for number, _ in found])
            writing.end({no for _, no in found})
        return len(found)

    def list_namespaces(
        self,
        prefix: tuple[str, ...] = (),
        *,
        limit: int | None = None,
        offset: int = 0,
        omit_expired: bool = False,
    ) -> list[tuple[str, ...]]:
        live = f"AND EXISTS (SELECT 1 FROM ai_memory.item i WHERE i.namespace = n.no AND {_LIVE})"
        with self._read() as session:
            found = session.execute(
                "SELECT path FROM ai_memory.item_namespace n WHERE path >= %s AND path < %s "
                f"{live if omit_expired else ''} ORDER BY path LIMIT %s OFFSET %s",
                (*bounds(prefix), limit, offset),
            ).fetchall()
        return [labels(path) for (path,) in found]

    # search

    def find_items(self, query: ItemQuery) -> list[tuple[ItemRow, float | None]]:
        with self._read() as session:
            if query.ranking is not None:
                alone = session.in_transaction and not self._here.committed
                try:
                    return self._best(session, query, query.ranking, alone=alone)
                except OvertakenError:  # what was ranked is not there any more: the ranking and the rows in one state
                    with self._database.one_state(session):
                        return self._best(session, query, query.ranking, alone=alone)
            if query.accept is None:
                return page_of(query, _newest(session, query, query.offset + query.limit), 0)
            with self._database.one_state(session):  # it may take more than one look
                return page_of(query, _newest(session, query, PROBE * (query.offset + query.limit)), 0)

    def _best(
        self, session: Session, query: ItemQuery, ranking: ItemRanking, *, alone: bool
    ) -> list[tuple[ItemRow, float | None]]:
        from ai_memory_integrations.backends.postgres.item_index import reader

        place = place_of(path_of(query.prefix), ranking)
        ranked = self._shared(alone=alone).rank(place, reader(self._database, session, query.prefix, ranking), ranking)
        now, size = session.now() if query.omit_expired else 0, query.offset + query.limit
        if query.hints and len(ranked) > PROBE * size:
            # What many items pass is soon found among the best; only for a rare thing all are looked at.
            found = page_of(query, _looked_up(session, islice(ranked, PROBE * size), PROBE * size), now)
            if len(found) == query.limit:
                return found
        if query.hints:
            ranked = ranked.among(_matching(session, query))
        return page_of(query, _looked_up(session, ranked, size), now)

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

    session: Session | None = None
    committed = False


# writing

_Place = tuple[bytes, str]
"""The path of a namespace and a key in it."""


def _namespaces(session: Session, puts: Mapping[_Place, ItemPut]) -> dict[bytes, int]:
    """The numbers of the namespaces that are written to, and of those that are there."""
    session.execute(
        "INSERT INTO ai_memory.item_namespace(path) SELECT DISTINCT unnest(%s::bytea[]) ON CONFLICT DO NOTHING",
        ([path for (path, _), put in puts.items() if put.value is not None],),
    )
    found = session.execute(
        "SELECT path, no FROM ai_memory.item_namespace WHERE path = ANY(%s)", ([path for path, _ in puts],)
    )
    return dict(found.fetchall())


@dataclass
class _Writing:
    """Items being written, by the one who may: how far the numbers of items and of deletions are."""

    session: Session
    last: int
    gone: int

    @staticmethod
    def begin(session: Session) -> _Writing:
        return _Writing(session, *session.execute(_LOCK).fetchall()[0])

    def write(self, numbers: Mapping[bytes, int], puts: Mapping[_Place, ItemPut]) -> None:
        """Replace what is there. What had expired is another item afterwards."""
        now = self.session.now()
        created = self._remove([(numbers[path], key) for path, key in puts if path in numbers], now)
        items, searched = list[Row](), list[Row]()
        for (path, key), put in puts.items():
            if put.value is None:
                continue
            self.last += 1
            no, ttl = numbers[path], ttl_micros(put.ttl)
            expires = None if ttl is None else now + ttl
            items.append((self.last, no, key, encoded(put.value), created.get((no, key), now), now, ttl, expires))
            if put.terms or put.vectors:
                searched.append((self.last, put.terms, put.embedder, put.vectors))
        self.session.many("INSERT INTO ai_memory.item VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", items)
        self.session.many("INSERT INTO ai_memory.item_search VALUES (%s, %s, %s, %s)", searched)
        self.end({numbers[path] for (path, _), put in puts.items() if put.value is None and path in numbers})

    def _remove(self, places: Sequence[tuple[int, str]], now: int) -> dict[tuple[int, str], int]:
        """Remove items; when those that had not expired were created."""
        found = self.session.execute(
            "DELETE FROM ai_memory.item WHERE (namespace, key) IN (SELECT * FROM unnest(%s::bigint[], %s::text[])) "
            "RETURNING id, namespace, key, created_at, expires_at",
            ([no for no, _ in places], [key for _, key in places]),
        ).fetchall()
        self.note_gone([number for number, *_ in found])
        return {(no, key): since for _, no, key, since, expires in found if expires is None or expires > now}

    def note_gone(self, numbers: Sequence[int]) -> None:
        if not numbers:
            return
        self.session.execute("DELETE FROM ai_memory.item_search WHERE id = ANY(%s)", (numbers,))
        self.session.many(
            "INSERT INTO ai_memory.item_gone VALUES (%s, %s)",
            [(self.gone + n, each) for n, each in enumerate(numbers, 1)],
        )
        self.gone += len(numbers)

    def end(self, emptied: Collection[int]) -> None:
        """Drop the namespaces that have nothing left; keep the last deletions only: a snapshot that is further behind
        is made anew."""
        if emptied:
            self.session.execute(
                "DELETE FROM ai_memory.item_namespace n WHERE n.no = ANY(%s) "
                "AND NOT EXISTS (SELECT 1 FROM ai_memory.item i WHERE i.namespace = n.no)",
                (list(emptied),),
            )
        self.session.execute("UPDATE ai_memory.item_state SET last = %s, gone = %s", (self.last, self.gone))
        self.session.execute("DELETE FROM ai_memory.item_gone WHERE no <= %s", (self.gone - GONE_KEPT,))


# search


def _newest(session: Session, query: ItemQuery, size: int) -> Iterator[Found]:
    """The items below a namespace that fit the hints, the last written first, read piece by piece."""
    where, values = _where(query)
    behind: int | None = None
    while True:
        found = session.execute(
            f"SELECT {ROW}, i.id FROM {_ITEMS} WHERE {where} AND {'TRUE' if behind is None else 'i.id < %s'} "
            "ORDER BY i.id DESC LIMIT %s",
            (*values, *(() if behind is None else (behind,)), size),
        ).fetchall()
        for row in found:
            yield row, None
        if len(found) < size:
            return
        behind, size = found[-1][-1], min(size * 4, 4_000)


def _looked_up(session: Session, ordered: Iterable[Ranked], size: int) -> Iterator[Found]:
    """The rows of some numbers, in their order, read piece by piece. Raises: OvertakenError."""
    rest = iter(ordered)
    while piece := list(islice(rest, size)):
        found = session.execute(
            f"SELECT {ROW}, i.id FROM {_ITEMS} WHERE i.id = ANY(%s)", ([number for number, _ in piece],)
        )
        by_number = {row[-1]: row for row in found}
        if len(by_number) < len(piece):
            raise OvertakenError
        for number, score in piece:
            yield by_number[number], score
        size = min(size * 4, 4_000)


def _matching(session: Session, query: ItemQuery) -> list[int]:
    """Numbers of the items below a namespace that fit the hints."""
    where, values = _where(query)
    return [number for (number,) in session.execute(f"SELECT i.id FROM {_ITEMS} WHERE {where}", values)]


def _where(query: ItemQuery) -> tuple[str, list[Any]]:
    conditions, values = ["n.path >= %s", "n.path < %s"], list[Any](bounds(query.prefix))
    if query.omit_expired:
        conditions.append(_LIVE)
    for hint in query.hints:
        condition, more = _condition(hint)
        conditions.append(condition)
        values += more
    return " AND ".join(conditions), values


def _condition(hint: ItemHint) -> tuple[str, list[Any]]:
    """What fits a hint, and every value with a NUL in it: PostgreSQL's JSON functions refuse those."""
    compared = f"i.value::jsonb #> %s {hint.operator} to_jsonb(%s::float8)"
    if isinstance(hint.value, str):
        compared = f'(i.value::jsonb #>> %s) COLLATE "C" {hint.operator} %s'
    conditions, values = [], list[Any]()
    for path in hint.paths:
        conditions.append(compared)
        values += [list(path), hint.value]
    return rf"CASE WHEN strpos(i.value, '\u0000') > 0 THEN TRUE ELSE {' OR '.join(conditions)} END", values
