"""The items below one namespace as columns: their numbers in the order of writing, and what some of their fields hold.

A table answers which items may pass a filter without reading them again. It begins at `floor`: older items are not in
it, so that who asks for the newest only pays for the newest only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ai_memory_integrations.ports import ItemHint
from ai_memory_integrations.search.columns import Column
from ai_memory_integrations.search.scoring import Mask

Path = tuple[str, ...]
Numbers = NDArray[np.int64]
_TEXT_BYTES = 100
_NO_TEXT = -1
_MISSING = {str, type(None)}


class FieldColumn:
    """What one field holds in each row: a number, a text, or something that no hint compares with."""

    def __init__(self) -> None:
        self._numbers = Column(np.float64)
        self._texts = Column(np.int32)
        self._codes: dict[str, int] = {}
        self._text_bytes = 0

    @property
    def nbytes(self) -> int:
        return self._numbers.nbytes + self._texts.nbytes + self._text_bytes

    @property
    def columns(self) -> tuple[Column[np.float64], Column[np.int32]]:
        return self._numbers, self._texts

    def extend(self, values: Sequence[Any]) -> None:
        kinds = set(map(type, values))
        if str in kinds:
            self._texts.extend([self._code(value) if isinstance(value, str) else _NO_TEXT for value in values])
            values = [None if isinstance(value, str) else value for value in values]
        else:
            self._texts.extend(np.full(len(values), _NO_TEXT))
        self._numbers.extend([math.nan if value is None else value for value in values] if kinds & _MISSING else values)

    def _code(self, text: str) -> int:
        code = self._codes.get(text)
        if code is None:
            code = self._codes[text] = len(self._codes)
            self._text_bytes += _TEXT_BYTES + len(text)
        return code

    def fitting(self, hint: ItemHint) -> Mask:
        """The rows whose value compares so with the hint's."""
        wanted = hint.value
        if not isinstance(wanted, str):
            numbers = self._numbers.values
            return numbers <= wanted if hint.operator == "<=" else numbers >= wanted
        if hint.operator == "=":
            return np.equal(self._texts.values, self._codes.get(wanted, _NO_TEXT - 1))
        if hint.operator == "<=":
            fitting = [code for text, code in self._codes.items() if text <= wanted]
        else:
            fitting = [code for text, code in self._codes.items() if text >= wanted]
        return np.isin(self._texts.values, fitting)


class ItemTable:
    """Items by rising number, with a column for each of *paths*. A deleted one stays as a dead row."""

    def __init__(self, floor: int, paths: Sequence[Path] = ()) -> None:
        self.floor = floor
        self.fields = {path: FieldColumn() for path in paths}
        self._ids = Column(np.int64)
        self._live = Column(np.bool_)
        self._dead = 0

    @property
    def complete(self) -> bool:
        """Whether all items are in it."""
        return self.floor == 0

    @property
    def nbytes(self) -> int:
        return self._ids.nbytes + self._live.nbytes + sum(field.nbytes for field in self.fields.values())

    @property
    def worn(self) -> bool:
        """So many rows are dead that it should be made anew."""
        return self._dead > 64 and self._dead * 4 > len(self._ids.values)

    def extend(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add items, each its number and what its fields hold, in the order of `fields`."""
        self._ids.extend([row[0] for row in rows])
        self._live.extend(np.ones(len(rows), np.bool_))
        for place, field in enumerate(self.fields.values(), 1):
            field.extend([row[place] for row in rows])

    def sort(self) -> None:
        """Put rows in the order of their numbers, which were added in another."""
        order = np.argsort(self._ids.values, kind="stable")
        for column in (self._ids, self._live, *(column for field in self.fields.values() for column in field.columns)):
            column.values[:] = column.values[order]

    def bury(self, gone: Sequence[int]) -> None:
        """Take items out, also strangers."""
        ids = self._ids.values
        if not len(ids):
            return
        wanted = np.array(gone, np.int64)
        rows = np.searchsorted(ids, wanted)
        rows = rows[ids[np.minimum(rows, len(ids) - 1)] == wanted]
        self._dead += int(np.count_nonzero(self._live.values[rows]))
        self._live.values[rows] = False

    def newest(self, start: int, stop: int) -> list[int]:
        """A page of the items, the last written first."""
        ids, first = self._ids.values, max(len(self._ids.values) - stop - self._dead, 0)
        ids = ids[first:][self._live.values[first:]] if self._dead else ids[first:]
        page: list[int] = ids[::-1][start:stop].tolist()
        return page

    def matching(self, hints: Sequence[ItemHint]) -> Numbers:
        """The items that fit all hints, by rising number; `fields` has the paths of every hint."""
        mask = self._live.values
        for hint in hints:
            either = self.fields[hint.paths[0]].fitting(hint)
            for path in hint.paths[1:]:
                either = either | self.fields[path].fitting(hint)
            mask = mask & either
        return self._ids.values[mask]

    def __len__(self) -> int:
        return len(self._ids.values) - self._dead


def newest_first(numbers: Numbers, size: int) -> Iterator[list[int]]:
    """The numbers in falling order, in pieces that grow: who stops early has looked at few."""
    end = len(numbers)
    while end > 0:
        start = max(end - size, 0)
        yield numbers[start:end][::-1].tolist()
        end, size = start, min(size * 4, 4_000)
