"""What this process remembers of items between two searches without a query: see `Listings`.

An item keeps its number as long as nothing of it but its expiry changes, so a row once read needs no second look: only
which numbers there are is asked anew. `sqlite_sequence` tells by one short read whether anybody, in whatever process,
wrote or deleted an item since; what changed is then read as a delta. What this process wrote itself it has heard of:
as long as nobody else writes, nothing is read again.
"""

from __future__ import annotations

import math
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, islice
from typing import Any, cast

from ai_memory_integrations.backends.item_rows import item_of, path_of
from ai_memory_integrations.backends.sqlite import item_queries
from ai_memory_integrations.backends.sqlite.item_state import forgotten, state_of
from ai_memory_integrations.backends.sqlite.kept_rows import MAX_BYTES, Found, ItemChange, KeptRows
from ai_memory_integrations.ports import ItemHint, ItemQuery, ItemRow
from ai_memory_integrations.search.item_snapshot import Ranked
from ai_memory_integrations.search.item_state import ItemState
from ai_memory_integrations.search.item_table import ItemTable, Numbers, Path, newest_first

MAX_PLACES = 4_096
_WINDOW = 1_024
_ALL = -1
_ALONE = -1
_PIECE = 10_000
_FIELDS = 8
_PATIENCE = 3
_ASKED = 64
_KEPT_PER_SEARCH = 2_000
_PLACE_BYTES = 500
_HEARD = 32
_FEW = 256
_BITS = 1_023  # of what a float can hold


@dataclass(slots=True)
class _Place:
    """A namespace that was looked through, and how far its table is.

    While it is on the line of this process's commits, two things lead to the last state of that line: *few*, the
    rising numbers of all its items where they are few, and *heard*, what came after the table: the numbers of items
    written, and of deleted ones with a minus.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    table: ItemTable | None = None
    state: ItemState | None = None
    nbytes: int = _PLACE_BYTES
    too_big: bool = False
    asked: dict[tuple[Path, ...], int] = field(default_factory=dict)
    line: int = _ALONE
    few: list[int] | None = None
    heard: list[int] | None = None

    def hear(self, numbers: Sequence[int]) -> None:
        """Of items written, or of deleted ones with a minus."""
        if self.few is not None:
            if numbers[0] > 0:
                self.few += numbers
            else:
                gone = set(numbers)
                self.few = [number for number in self.few if -number not in gone]
            if len(self.few) > _FEW:
                self.few = None
        if self.heard is not None:
            self.heard += numbers
            if len(self.heard) > _HEARD:
                self.heard = None

    def due(self, hints: Sequence[ItemHint]) -> bool:
        """Whether reading the fields of these hints of every item pays by now: measured, it costs what asking the
        database three times does."""
        fields = tuple(_paths(hints))
        if len(self.asked) > _ASKED:
            self.asked.clear()
        self.asked[fields] = self.asked.get(fields, 0) + 1
        return self.asked[fields] > _PATIENCE


class Listings:
    """The namespaces looked through last, each with a table of its items once it was looked through a few times, and
    rows of items.

    It holds what is committed and no more: who is in the middle of a transaction with writes must not ask it.
    """

    def __init__(self, *, max_bytes: int = MAX_BYTES, max_places: int = MAX_PLACES) -> None:
        self._max_bytes, self._max_places = max_bytes, max_places
        self._lock = threading.Lock()
        self._places: OrderedDict[bytes, _Place] = OrderedDict()
        self._nbytes = 0
        # A line is a row of commits that all are this process's own; `_last` is the state after the last of them.
        self._line, self._last = 0, ItemState(_ALONE, _ALONE)
        self.rows = KeptRows(max_bytes)

    @property
    def nbytes(self) -> int:
        """About how many bytes tables and rows take."""
        with self._lock:
            tables = self._nbytes
        return tables + self.rows.nbytes

    def wrote(self, change: ItemChange) -> None:
        """Hear of what this process wrote, in the order of the commits."""
        self.rows.wrote(change)
        with self._lock:
            if change.before != self._last:
                self._line += 1
            for path in change.made:
                # Nothing was there, nor is below it: all that there ever will be is heard of.
                self._drop(path)
                self._enter(path, _Place(line=self._line, few=[]))
            for namespace, rows in groupby(change.rows, lambda row: row[1].namespace):
                self._tell(namespace, [number for number, _, _ in rows])
            for namespace, gone in groupby(change.gone, lambda gone: gone[1]):
                self._tell(namespace, [-number for number, _ in gone])
            self._last = change.after

    def _tell(self, namespace: tuple[str, ...], numbers: Sequence[int]) -> None:
        for depth in range(len(namespace) + 1):
            place = self._places.get(path_of(namespace[:depth]))
            if place is not None and place.line == self._line:
                place.hear(numbers)

    def page(self, connection: sqlite3.Connection, query: ItemQuery) -> Found | None:
        """The page of a query without a ranking, the last written first; None where only the database can tell: while
        the namespace was looked through a few times only, and for a reader of an older state than others have seen."""
        path = path_of(query.prefix)
        known = self.rows.page((path, query.offset, query.limit)) if query.accept is None else None
        if known is not None and known[0] == state_of(connection):
            return known[1].copy()
        place = self._place(path)
        with place.lock:
            known_fields = place.table is not None and not _missing(place.table, query.hints)
            if place.few is not None and (query.accept is None or not (known_fields or place.due(query.hints))):
                found = self._page_of_few(connection, path, place, query)
                if found is not None:
                    return found
            if place.table is None and not place.due(query.hints):
                return None
            state = state_of(connection)
            if self._is_at(connection, path, place, state) and place.table is not None:
                found = self._page(connection, path, place.table, query, state)
                if found is not None:
                    return found
            with item_queries.one_state(connection):
                return self._refreshed_page(connection, path, place, query)

    def matching(self, connection: sqlite3.Connection, query: ItemQuery) -> Numbers | None:
        """The numbers of all items below a namespace that fit the hints of a query, rising; None as for `page`."""
        path = path_of(query.prefix)
        place = self._place(path)
        with place.lock:
            state = state_of(connection)
            if not self._refresh(connection, path, place, query.prefix, state):
                return None
            table = place.table
            if table is None or not table.complete or _missing(table, query.hints):
                if not place.due(query.hints):
                    return None
                table = self._table(connection, path, place, query, state, _ALL)
            return None if table is None else table.matching(query.hints)

    def ranked_page(
        self, connection: sqlite3.Connection, query: ItemQuery, ordered: Iterable[Ranked], size: int
    ) -> Found:
        """The page of a query from numbers in order, inside a transaction in which they were found. The rows are read
        in pieces, the first of them *size* rows."""
        state = state_of(connection)
        self.rows.forget(connection, state)
        found, looked_at = Found(), 0
        rest, stop = iter(ordered), query.offset + query.limit
        while len(found) < stop and (piece := list(islice(rest, size))):
            numbers = [number for number, _ in piece]
            kept = self._rows(connection, numbers, state, keep=looked_at < _KEPT_PER_SEARCH)
            looked_at += len(piece)
            for row, (_, score) in zip(kept or (), piece, strict=True):
                if query.accept is None or query.accept(row.value):
                    found.append((row, score))
            size = min(size * 4, 4_000)
        return found[query.offset : stop]

    def _place(self, path: bytes) -> _Place:
        with self._lock:
            place = self._places.get(path)
            if place is not None:
                self._places.move_to_end(path)
                return place
            return self._enter(path, _Place())

    def _enter(self, path: bytes, place: _Place) -> _Place:
        self._places[path] = place
        self._nbytes += place.nbytes
        self._evict(path)
        return place

    def _drop(self, path: bytes) -> None:
        place = self._places.pop(path, None)
        if place is not None:
            self._nbytes -= place.nbytes
            place.line = _ALONE  # somebody may be at work with it, and it is told nothing any more

    def _evict(self, path: bytes) -> None:
        while (self._nbytes > self._max_bytes or len(self._places) > self._max_places) and len(self._places) > 1:
            oldest = next(each for each in self._places if each != path)
            self._drop(oldest)

    def _account(self, path: bytes, place: _Place) -> None:
        with self._lock:
            if self._places.get(path) is not place:
                return
            nbytes = _PLACE_BYTES + (0 if place.table is None else place.table.nbytes)
            self._nbytes += nbytes - place.nbytes
            place.nbytes = nbytes
            self._evict(path)

    # a page

    def _refreshed_page(
        self, connection: sqlite3.Connection, path: bytes, place: _Place, query: ItemQuery
    ) -> Found | None:
        state = state_of(connection)
        if not self._refresh(connection, path, place, query.prefix, state):
            return None
        self._account(path, place)
        self.rows.forget(connection, state)
        window, table = max(_WINDOW, 2 * (query.offset + query.limit)), place.table
        missing = _missing(table, query.hints)
        if table is not None and missing and not place.due(query.hints):
            return None
        if table is None or missing:
            complete = table is not None and table.complete
            table = self._table(connection, path, place, query, state, _ALL if complete else window)
        found = None if table is None else self._page(connection, path, table, query, state)
        if found is None and table is not None and not table.complete and place.due(query.hints):
            # What is not among the newest is rare: in a table of all it is found at once.
            table = self._table(connection, path, place, query, state, _ALL)
            found = None if table is None else self._page(connection, path, table, query, state)
        return found

    def _page(
        self, connection: sqlite3.Connection, path: bytes, table: ItemTable, query: ItemQuery, state: ItemState
    ) -> Found | None:
        """The page by a table of *state*; None when that does not reach so far, or somebody wrote since."""
        start, stop = query.offset, query.offset + query.limit
        if query.accept is None:
            numbers = table.newest(start, stop)
            if len(numbers) < query.limit and not table.complete:
                return None
            found = self._rows(connection, numbers, state)
            if found is None:
                return None
            page: Found = [(row, None) for row in found]
            self.rows.add_page((path, start, query.limit), state, page)
            return page.copy()
        if _missing(table, query.hints):
            return None
        accepted, looked_at = list[ItemRow](), 0
        for piece in newest_first(table.matching(query.hints), stop):
            found = self._rows(connection, piece, state, keep=looked_at < _KEPT_PER_SEARCH)
            if found is None:
                return None
            looked_at += len(piece)
            accepted += [row for row in found if query.accept(row.value)]
            if len(accepted) >= stop:
                break
        if len(accepted) < stop and not table.complete:
            return None
        return [(row, None) for row in accepted[start:stop]]

    def _page_of_few(
        self, connection: sqlite3.Connection, path: bytes, place: _Place, query: ItemQuery
    ) -> Found | None:
        """The page by the few items of a namespace; None where somebody else wrote, or an item is not at hand."""
        state = state_of(connection)
        with self._lock:
            if place.line != self._line or state != self._last or place.few is None:
                return None
            numbers = place.few[::-1]
        self.rows.forget(connection, state)
        start, stop, accept = query.offset, query.offset + query.limit, query.accept
        rows = self.rows.known(numbers if accept is not None else numbers[start:stop])
        if None in rows:
            return None
        if accept is None:
            page: Found = [(row, None) for row in cast("list[ItemRow]", rows)]
            self.rows.add_page((path, start, query.limit), state, page)
            return page.copy()
        fitting = (row for row in cast("list[ItemRow]", rows) if accept(row.value))
        return [(row, None) for row in islice(fitting, start, stop)]

    def _rows(
        self, connection: sqlite3.Connection, numbers: Sequence[int], state: ItemState, *, keep: bool = True
    ) -> list[ItemRow] | None:
        """The rows of some numbers that were there in *state*, in their order; None when somebody wrote since and some
        are not at hand."""
        kept = self.rows.known(numbers)
        if None not in kept:
            return cast("list[ItemRow]", kept)
        missing = [number for number, row in zip(numbers, kept, strict=True) if row is None]
        read: dict[int, ItemRow] = {}
        with item_queries.one_state(connection) as joined:
            if not joined and state_of(connection) != state:
                return None
            for raw in item_queries.read_rows(connection, missing):
                row = read[raw[-1]] = item_of(raw, kept=True)
                if keep:
                    self.rows.add(raw[-1], row, len(raw[2]), state)
        return [read[number] if row is None else row for number, row in zip(numbers, kept, strict=True)]

    # tables

    def _refresh(
        self, connection: sqlite3.Connection, path: bytes, place: _Place, prefix: tuple[str, ...], state: ItemState
    ) -> bool:
        """Bring the table of a namespace to *state*, or drop it; False where there can be none: for a reader of an
        older state, and for too many items."""
        known = place.state
        if place.too_big or (known is not None and state.older_than(known)):
            return False
        if self._is_at(connection, path, place, state):
            return True
        table, place.table = place.table, None  # should anything fail half way, the next search starts afresh
        if table is not None and known is not None:
            if table.worn or forgotten(connection, known.gone):
                table = None
            else:
                table.extend(item_queries.fields_written(connection, prefix, tuple(table.fields), known.last))
                gone = connection.execute("SELECT id FROM item_gone WHERE no > ?", (known.gone,))
                table.bury([number for (number,) in gone])
        self._set(path, place, table, state)
        return True

    def _set(self, path: bytes, place: _Place, table: ItemTable | None, state: ItemState) -> None:
        """Note a table of *state*; where that is the last one of the line, the place is on it from here on."""
        with self._lock:
            last = state == self._last and self._places.get(path) is place
            place.state, place.heard = state, [] if last else None
            place.table = table  # the last of the three, should Ctrl-C come between them
            if place.line != self._line:
                place.line, place.few = self._line if last else _ALONE, None

    def _is_at(self, connection: sqlite3.Connection, path: bytes, place: _Place, state: ItemState) -> bool:
        """Whether the table of a namespace is of *state*, or can be brought there by what was heard."""
        if place.state == state:
            return True
        with self._lock:
            table, heard = place.table, place.heard
            if place.line != self._line or state != self._last or table is None or heard is None:
                return False
            place.heard = None
        gone = {-number for number in heard if number < 0}
        written = [number for number in heard if number > 0]
        left = [number for number in written if number not in gone]
        rows = dict(zip(left, self.rows.known(left), strict=True)) if table.fields else {}
        if None in rows.values():
            return False  # what is not at hand, the database knows
        place.table = None  # should anything fail half way, the next search starts afresh
        table.extend([(number, *_held(rows.get(number), table.fields)) for number in written])
        table.bury(list(gone))
        self._set(path, place, None if table.worn else table, state)
        self._account(path, place)
        self.rows.forget(connection, state)
        return True

    def _table(
        self,
        connection: sqlite3.Connection,
        path: bytes,
        place: _Place,
        query: ItemQuery,
        state: ItemState,
        window: int,
    ) -> ItemTable | None:
        """A new table of the newest *window* items of a namespace, or of all, with the fields it had and those that
        are needed; None when that would be too big."""
        known = () if place.table is None else tuple(place.table.fields)
        needed = tuple(dict.fromkeys(_paths(query.hints)))
        fields = tuple(dict.fromkeys((*needed, *known)))[: max(len(needed), _FIELDS)]
        place.table = None
        if window == _ALL:
            table, found = ItemTable(0, fields), item_queries.fields_below(connection, query.prefix, fields)
        else:
            found = item_queries.fields_of_newest(connection, query.prefix, fields, window)
            newest = found.fetchall()
            table = ItemTable(newest[-1][0] if len(newest) == window else 0, fields)
            table.extend(newest[::-1])
        while piece := found.fetchmany(_PIECE):
            table.extend(piece)
            place.too_big = table.nbytes > self._max_bytes
            if place.too_big:
                return None
        if window == _ALL:
            table.sort()
        self._set(path, place, table, state)
        self._account(path, place)
        return table


def _missing(table: ItemTable | None, hints: Sequence[ItemHint]) -> tuple[Path, ...]:
    """The fields that hints ask for and a table has not."""
    return tuple(path for path in _paths(hints) if table is None or path not in table.fields)


def _held(row: ItemRow | None, fields: Iterable[Path]) -> list[Any]:
    """What some fields of an item hold, as far as hints compare with it."""
    return [None if row is None else _field(row.value, path) for path in fields]


def _field(value: Any, path: Path) -> Any:
    for name in path:
        if type(value) is not dict:
            return None
        value = value.get(name)
    if type(value) is int and value.bit_length() > _BITS:
        return math.inf if value > 0 else -math.inf
    return None if type(value) in (dict, list) else value


def _paths(hints: Iterable[ItemHint]) -> Iterator[Path]:
    return chain.from_iterable(hint.paths for hint in hints)
