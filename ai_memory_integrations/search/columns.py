"""Arrays that grow at the end without copying what is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


class Column(Generic[Scalar]):
    """A typed array with room behind its end; `values` is a view of what is filled.

    With *width* the entries are rows of a matrix. Room grows by an eighth, so that a big matrix wastes little.
    """

    def __init__(self, dtype: type[Scalar], width: int | None = None) -> None:
        self._tail: tuple[int, ...] = () if width is None else (width,)
        self._room: NDArray[Scalar] = np.empty((0, *self._tail), dtype)
        self.values: NDArray[Scalar] = self._room

    @property
    def nbytes(self) -> int:
        return self._room.nbytes

    def extend(self, entries: ArrayLike | Sequence[Any]) -> None:
        """Add entries at the end."""
        made = np.asarray(entries, self._room.dtype)
        added, start = made.reshape(-1, *self._tail), len(self.values)
        if not len(self._room) and made is not entries and made.base is None:
            self._room = self.values = added  # made here from something else, so nobody else has it
            return
        self.grow(len(added))
        self.values[start:] = added

    def grow(self, count: int) -> None:
        """Add *count* zeros at the end."""
        start, end = len(self.values), len(self.values) + count
        if end > len(self._room):
            room = np.zeros((end + end // 8 * (start > 0), *self._tail), self._room.dtype)
            room[:start] = self.values
            self._room = room
        self.values = self._room[:end]
