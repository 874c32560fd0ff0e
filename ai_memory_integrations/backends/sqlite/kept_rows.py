"""Items that this process has read or written, kept by their numbers: see `KeptRows`."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ai_memory_integrations.backends.sqlite.item_state import forgotten
from ai_memory_integrations.ports import ItemRow
from ai_memory_integrations.search.item_state import ItemState

MAX_BYTES = 64 * 1024 * 1024
_PAGES = 1_000
_PAGE_ROWS = 50
_ROW_BYTES = 700
_BYTES_PER_CHARACTER = 4

Found = list[tuple[ItemRow, float | None]]
Page = tuple[bytes, int, int]
"""The path of a namespace, an offset and a limit."""


@dataclass(frozen=True, slots=True)
class ItemChange:
    """What one call wrote and deleted in a transaction, and what led there.

    *made* are the paths of namespaces that were not there and have none below them. *rows* are items by rising number,
    each with the length of its value as JSON; *gone* are the numbers of deleted ones, each with its namespace.
    """

    before: ItemState
    after: ItemState
    made: Sequence[bytes]
    rows: Sequence[tuple[int, ItemRow, int]]
    gone: Sequence[tuple[int, tuple[str, ...]]]


class KeptRows:
    """Items by their numbers, in about *max_bytes*: what was not asked for lately goes first. And pages of them: these
    go as soon as any row does, so that no row outlives the others in them.

    Whoever comes with a row tells in which state it was there: what has been deleted since is not taken in again.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes // 2
        self._lock = threading.Lock()
        self._young: dict[int, tuple[ItemRow, int]] = {}
        self._old: dict[int, tuple[ItemRow, int]] = {}
        self._pages: dict[Page, tuple[ItemState, Found]] = {}
        self._nbytes = 0
        self._gone = 0

    def known(self, numbers: Sequence[int]) -> list[ItemRow | None]:
        """What is kept of some items, in their order."""
        young = self._young
        try:
            return [young[number][0] for number in numbers]
        except KeyError:
            return [self._get(number) for number in numbers]

    def _get(self, number: int) -> ItemRow | None:
        kept = self._young.get(number)
        if kept is None:
            kept = self._old.get(number)
            if kept is None:
                return None
            with self._lock:
                if number in self._old:
                    self._keep(number, kept)
        return kept[0]

    def add(self, number: int, row: ItemRow, characters: int, state: ItemState) -> None:
        """Keep a row whose value has so many characters as JSON."""
        with self._lock:
            if self._gone <= state.gone:
                self._keep(number, (row, _ROW_BYTES + _BYTES_PER_CHARACTER * characters))

    def _keep(self, number: int, kept: tuple[ItemRow, int]) -> None:
        if number not in self._young:
            self._nbytes += kept[1]
        self._young[number] = kept
        if self._nbytes > self._max_bytes:
            self._young, self._old, self._pages, self._nbytes = {}, self._young, {}, 0

    def wrote(self, change: ItemChange) -> None:
        """Keep what this process wrote and let go of what it deleted, once that is committed."""
        with self._lock:
            if self._gone == change.before.gone and change.gone:
                self._let_go([number for number, _ in change.gone], change.after)
            if self._gone <= change.after.gone:
                for number, row, characters in change.rows:
                    self._keep(number, (row, _ROW_BYTES + _BYTES_PER_CHARACTER * characters))

    def _let_go(self, numbers: Iterable[int], state: ItemState) -> None:
        self._pages = {}
        for number in numbers:
            self._young.pop(number, None)
            self._old.pop(number, None)
        self._gone = state.gone

    def page(self, page: Page) -> tuple[ItemState, Found] | None:
        """What a page held, and in which state."""
        return self._pages.get(page)

    def add_page(self, page: Page, state: ItemState, found: Found) -> None:
        with self._lock:
            if len(self._pages) >= _PAGES:
                self._pages = {}
            if len(found) <= _PAGE_ROWS and self._gone <= state.gone:
                self._pages[page] = state, found

    @property
    def nbytes(self) -> int:
        with self._lock:
            return sum(nbytes for kept in (self._young, self._old) for _, nbytes in kept.values())

    def forget(self, connection: sqlite3.Connection, state: ItemState) -> None:
        """Let go of what was deleted up to a state: nobody will ask for it, and it may have to be forgotten."""
        with self._lock:
            if state.gone <= self._gone:
                return
            if forgotten(connection, self._gone):
                self._young, self._old, self._nbytes = {}, {}, 0
            gone = connection.execute("SELECT id FROM item_gone WHERE no > ?", (self._gone,))
            self._let_go((number for (number,) in gone), state)
