"""What a process remembers of the subjects it searched: their numbers and, in the engine, their snapshots."""

from __future__ import annotations

import os

from ai_memory_integrations.search.engine import SearchEngine

_SEARCHED = 10_000


class Searched:
    """Safe to use from many threads, and after a fork."""

    def __init__(self) -> None:
        self._made = SearchEngine()
        self._process = os.getpid()
        self._numbers: dict[str, int] = {}

    @property
    def engine(self) -> SearchEngine:
        if self._process != os.getpid():
            # A forked child makes its own: a thread of its parent may have held a lock of this one.
            self._made, self._process = SearchEngine(), os.getpid()
        return self._made

    def number(self, subject_id: str) -> int | None:
        return self._numbers.get(subject_id)

    def remember(self, subject_id: str, no: int) -> None:
        if len(self._numbers) >= _SEARCHED:
            self._numbers.clear()
        self._numbers[subject_id] = no

    def forget(self, subject_id: str, no: int) -> None:
        """The subject is gone."""
        self._numbers.pop(subject_id, None)
        self.engine.drop(no)

    def names(self, subject_id: str) -> tuple[str, ...] | None:
        """The participants' names as the last search of the subject found them; None when there was none."""
        no = self._numbers.get(subject_id)
        return None if no is None else self.engine.names(no)
